"""The visits without a kiosk: what the oracle says of a transcript, and the pages made of it."""

import tomllib
from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st

from simulator.prove.visits_oracle import judge
from simulator.prove.visits_page import page
from simulator.prove.visits_transcript import Step, Visit
from simulator.toml import toml

names = st.text("abc_", min_size=1, max_size=6)
plain = st.one_of(
    st.booleans(),
    st.integers(-(2**40), 2**40),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"])),
)
values = st.recursive(
    st.one_of(plain, st.lists(plain, max_size=3)),
    lambda inner: st.one_of(
        st.dictionaries(names, inner, max_size=3),
        st.lists(st.dictionaries(names, inner, max_size=3), min_size=1, max_size=3),
    ),
    max_leaves=12,
)


@given(st.dictionaries(names, values, max_size=4))
def test_what_is_written_as_toml_is_read_back(table):
    assert tomllib.loads(toml(table)) == table


def a_visit(**changes: Any) -> Visit:
    """A cash ticket that went as it must."""
    home = Step("I come.", "", "", 0, "home", "zh_CN", ["现金业务"], [], "x-1.png")
    ticket = Step("I tap.", "service.A", "现金", 1, "ticket", "zh_CN", ["A001"], [], "x-2.png")
    visit = Visit(
        "x",
        "A visitor's visit",
        steps=[home, ticket],
        taps=1,
        ticket_taps=1,
        numbers=[("ticket", "A001")],
        slips=[
            {
                "number": "A001",
                "lines": ["A001", "凭证 ab12-cd34", "查询码 815 995"],
                "complete": True,
            }
        ],
        events=[("ticket.issued", {"number": "A001"}), ("ticket.printed", {})],
        paper=["printed"],
        tickets=[{"number": "A001", "segment": "ordinary", "paper": "printed", "outcome": "open"}],
        board="A001 → 1",
        heard=["zh 请 A 零零一号\nen Ticket A zero zero one"],
    )
    return msgspec.structs.replace(visit, **changes)


def found(ends: str = "slip", **changes: Any) -> str:
    return "\n".join(judge(a_visit(**changes), ends=ends, segment="ordinary"))


def test_a_good_visit_has_nothing_wrong():
    assert found() == ""
    unprinted = [
        {"number": "A001", "segment": "ordinary", "paper": "not_printed", "outcome": "open"}
    ]
    events = [("ticket.issued", {"number": "A001"}), ("ticket.print_failed", {})]
    assert found("screen", slips=[], events=events, paper=["shown"], tickets=unprinted) == ""


SLIP = {"number": "A001", "lines": ["A001"], "complete": True}
STEP = Step("I tap.", "service.A", "现金", 1, "ticket", "zh_CN", ["A001"], [], "")


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        ("one was expected", {"numbers": []}),
        ("one was expected", {"numbers": [("ticket", "A001"), ("ticket", "A002")]}),
        ("slips []", {"slips": []}),
        ("slips ['A001', 'A001']", {"slips": [SLIP, SLIP]}),
        ("slips []", {"slips": [{**SLIP, "complete": False}]}),
        ("slips ['A002']", {"slips": [{**SLIP, "number": "A002"}]}),
        ("journalled []", {"events": [("ticket.printed", {})]}),
        ("0 slips are journalled", {"events": [("ticket.issued", {"number": "A001"})]}),
        ("the kiosk keeps ['printing']", {"paper": ["printing"]}),
        ("the branch has []", {"tickets": []}),
        ("4 taps to the ticket", {"ticket_taps": 4}),
        ("-1 taps to the ticket", {"ticket_taps": -1}),
        ("5 taps with those for the mode", {"ticket_taps": 1, "mode_taps": 4}),
        ("nothing that can be read", {"steps": [msgspec.structs.replace(STEP, spoken="")]}),
        ("does not fit on ticket", {"steps": [msgspec.structs.replace(STEP, cut=["取…"])]}),
        ("the slip says 'vip'", {"slips": [{**SLIP, "lines": ["VIP A001"]}]}),
        ("the screen says '贵宾'", {"steps": [msgspec.structs.replace(STEP, texts=["贵宾"])]}),
        ("the board says 'vip'", {"board": "A001 vip"}),
        ("the loudspeaker says 'vip'", {"heard": ["en Vip ticket"]}),
        ("is not on the board", {"board": "A002"}),
        ("nothing was heard", {"heard": []}),
        ("no such screen", {"facts": {"lost": "no such screen"}}),
        ("the disk was full and the screen showed", {"facts": {"shown_while_full": ["A001"]}}),
        ("and A001 was issued", {"facts": {"journalled_while_full": ["A001"]}}),
        ("120 px above the middle", {"facts": {"highest_px": [1000, 840]}}),
        ("used again, shows ['A002'], not ['A001']", {"facts": {"shown_again": ["A002"]}}),
        ("used again, shows [], not ['A001']", {"facts": {"shown_again": []}}),
    ],
)
def test_each_wrong_is_named(words, changes):
    assert words in found(**changes)


KEYED = Step("I press.", "", "", 0, "ticket", "zh_CN", ["A001"], [], "", ["select"], ["请取"])
BY_EAR: dict[str, Any] = {
    "steps": [KEYED],
    "taps": 0,
    "ticket_taps": 0,
    "presses": 4,
    "ticket_presses": 3,
    "facts": {"number_heard": "A001"},
}


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        ("", {}),
        ("touched the screen, 1 times", {"taps": 1}),
        ("7 keys to the ticket, at most 6", {"ticket_presses": 7}),
        ("0 keys to the ticket", {"ticket_presses": 0}),
        ("heard is 'A002', the screen showed ['A001']", {"facts": {"number_heard": "A002"}}),
        ("heard is '', the screen showed ['A001']", {"facts": {}}),
        (
            "nothing was heard after ['select'] on ticket",
            {"steps": [msgspec.structs.replace(KEYED, heard=[])]},
        ),
        (
            "the audio guide says '贵宾'",
            {"steps": [msgspec.structs.replace(KEYED, heard=["贵宾您好"])]},
        ),
    ],
)
def test_who_does_not_see_hears_the_number_and_touches_nothing(words, changes):
    told = found(**{**BY_EAR, **changes})
    assert words in told
    assert bool(told) == bool(words)


@pytest.mark.parametrize(
    ("words", "changed"),
    [
        ("was away and has ['A001']", {"stored_offline": ["A001"]}),
        ("journalled while the branch was away: []", {"journalled_offline": []}),
        ("is back and has []", {"stored_after": []}),
        ("", {}),
    ],
)
def test_offline_a_ticket_is_journalled_at_once_and_stored_afterwards(words, changed):
    facts = {"stored_offline": [], "journalled_offline": ["A001"], "stored_after": ["A001"]}
    told = found(facts={**facts, **changed})
    assert words in told
    assert bool(told) == bool(words)


def test_another_segment_than_the_card_s_is_named():
    (sentence,) = judge(a_visit(), ends="slip", segment="vip")
    assert "expected [('A001', 'vip', 'printed')]" in sentence


def test_the_page_has_a_row_a_step_and_no_reference_of_a_ticket():
    text = page([a_visit()])
    assert "| [A visitor's visit](#a-visitors-visit) | 1 |" in text
    assert '| 2 | I tap. | `service.A`: 现金 | <img src="images/visits/x-2.png"' in text
    assert "xxxx-xxxx" in text
    assert "ab12-cd34" not in text
    assert "查询码 8xx xxx" in text
    assert "请 A 零零一号 / Ticket A zero zero one." in text


def test_the_page_has_the_keys_and_what_was_heard():
    text = page([a_visit(**BY_EAR)])
    assert "| 0, 3 keys |" in text
    assert "| 1 | I press. | `select`: 请取 | `ticket` |" in text
