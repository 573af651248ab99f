"""What is checked of an offer, and how its mistakes are named."""

import contextlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st

from sync.configuration import Configuration, claimed_version, read_configuration, text_of
from sync.errors import BadMessage
from sync.offer import Document, Offer, Service, offer_problems

CASH = Service("A", "现金", "Cash")
PERSON = Service("P", "长者", "A person, please", priority=True)


def offer(*services: Service, **more: Any) -> Offer:
    return Offer(list(services), "kiosk-offer.toml", **more)


def text(wanted: Offer | None) -> str:
    return text_of(Configuration(node="kiosk-1", version=1, issued_ms=0, offer=wanted))


def test_an_offer_comes_as_it_was_sent() -> None:
    full = offer(
        Service("B", "卡", "Cards", documents=[Document("身份证", "ID card", icon="id")]), PERSON
    )
    assert read_configuration(text(full)).offer == full
    assert read_configuration(text(None)).offer is None
    assert "offer" not in text(None)  # a kiosk that does not know it still takes the rest


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ({"services": [{"letter": "A", "zh": "现金"}]}, "services[0].en: missing"),
        (
            {"services": [{"letter": "A", "zh": "现金", "en": "Cash", "exmples_zh": "x"}]},
            "services[0].exmples_zh: unknown key; did you mean 'examples_zh'?",
        ),
        ({"services": [{"letter": "A", "zh": 1, "en": "Cash"}]}, "services[0].zh: expected text"),
        ({"services": []}, "services: none"),
        ({"services": [{"letter": "a", "zh": "现金", "en": "Cash"}]}, "services[0].letter: 'a'"),
        ({"services": [{"letter": "A", "zh": "\x07", "en": "Cash"}]}, "services[0].zh: "),
    ],
)
def test_a_mistake_is_named_by_file_and_key(broken: dict[str, Any], says: str) -> None:
    table = json.loads(text(None)) | {"offer": {"file": "kiosk-offer.toml"} | broken}
    with pytest.raises(BadMessage) as caught:
        read_configuration(json.dumps(table))
    assert str(caught.value).startswith(f"kiosk-offer.toml: {says}")


@pytest.mark.parametrize("nonsense", ["[]", "7", '{"offer": 7}', '{"offer": {"file": 1}}'])
def test_nonsense_is_no_configuration(nonsense: str) -> None:
    with pytest.raises(BadMessage, match="not a configuration"):
        read_configuration(nonsense)
    assert claimed_version(nonsense) == 0


def test_a_refused_one_is_named_by_its_version() -> None:
    assert claimed_version('{"version": 7, "offer": {"colour": 1}}') == 7
    assert claimed_version("{") == 0


@pytest.mark.parametrize(
    ("services", "key"),
    [
        ([CASH, CASH], "services[1].letter"),
        ([PERSON, msgspec.structs.replace(PERSON, letter="Q")], "services"),
        ([Service(letter, "甲", "A") for letter in "ABCDE"], "services"),
        (
            [Service(letter, "甲", "A", simple_zh="甲", simple_en="A") for letter in "ABC"],
            "services",
        ),
        ([Service("A", "甲", "A", simple_zh="甲")], "services[0].simple_zh"),
        (
            [Service("P", "甲", "A", priority=True, simple_zh="甲", simple_en="A")],
            "services[0].simple_zh",
        ),
        ([Service("P", "甲", "A", priority=True, machine_min=5)], "services[0].machine_min"),
        (
            [Service("P", "甲", "A", priority=True, documents=[Document("证", "ID")])],
            "services[0].documents",
        ),
        ([Service("A", "甲", "A", machine_min=61)], "services[0].machine_min"),
        ([Service("A", "甲", "A", documents=[Document("证", "ID")] * 4)], "services[0].documents"),
        ([Service("A", "甲", "A", documents=[Document("", "ID")])], "services[0].documents[0].zh"),
    ],
)
def test_what_does_not_fit_together(services: list[Service], key: str) -> None:
    assert [found for found, _ in offer_problems(offer(*services))] == [key]


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: (
    st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["services", "letter", "zh", "en", "documents", "icon", "file", "x"]),
        inner, max_size=4,
    )
), max_leaves=12))  # fmt: skip
def test_whatever_comes_is_taken_or_refused_in_words(made_up: Any) -> None:
    table = json.loads(text(None)) | {"offer": made_up}
    with contextlib.suppress(BadMessage):
        found = read_configuration(json.dumps(table))
        assert found.offer is None or not list(offer_problems(found.offer))
