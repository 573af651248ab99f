"""The table of cards: taken whole, or refused with the place of what is wrong."""

import json

import pytest
from hypothesis import given, strategies as st

from sync.cards import MOST_CARDS, check_cards, read_cards
from sync.configuration import Configuration, read_configuration, text_of
from sync.errors import BadMessage

TOKEN = "0123456789abcdef0123456789abcdef"
TOKENS = st.binary(min_size=16, max_size=16).map(bytes.hex)


@given(st.dictionaries(TOKENS, st.sampled_from(["vip", "corporate"]), max_size=20))
def test_a_table_goes_over_the_wire_and_back(cards: dict[str, str]) -> None:
    assert read_cards(json.dumps(cards).encode()) == cards
    wanted = Configuration(node="kiosk-1", version=1, issued_ms=0, cards=cards)
    assert read_configuration(text_of(wanted)).cards == cards


@pytest.mark.parametrize(
    ("cards", "says"),
    [
        ({TOKEN: "vip", "6222021234567890123": "vip"}, "card 2: not a token"),
        ({TOKEN.upper(): "vip"}, "card 1: not a token"),
        ({TOKEN: "V.I.P."}, "card 1: segment 'V.I.P.'"),
        ({f"{n:032x}": "vip" for n in range(MOST_CARDS + 1)}, "2001 cards; at most 2000"),
    ],
)
def test_one_wrong_line_refuses_all_and_its_token_is_not_repeated(
    cards: dict[str, str], says: str
) -> None:
    with pytest.raises(BadMessage, match=says) as refused:
        check_cards(cards)
    assert "6222" not in str(refused.value)
    raw = json.dumps({"node": "kiosk-1", "version": 1, "issued_ms": 0, "cards": cards})
    with pytest.raises(BadMessage, match="cards: "):
        read_configuration(raw)


@pytest.mark.parametrize("raw", [b"{", b"[]", b'{"a": 1}', b"\xff"])
def test_what_is_no_table_is_refused(raw: bytes) -> None:
    with pytest.raises(BadMessage, match="not a table of cards"):
        read_cards(raw)


def test_a_configuration_without_a_table_says_nothing_of_one() -> None:
    """A kiosk of before refuses keys that it does not know."""
    assert "cards" not in text_of(Configuration(node="kiosk-1", version=1, issued_ms=0))
