"""The paper's state machine: its table word by word, and any life of a ticket."""

import itertools

import pytest
from hypothesis import given, strategies as st

from hal.api import Paper
from kiosk.paper import (
    ATTEMPTS,
    RESERVED,
    SETTLED,
    Acknowledged,
    Blocked,
    Committed,
    Event,
    GivenUp,
    ImpossiblePaper,
    Interrupted,
    Outdated,
    Said,
    Started,
    State,
    TicketPaper,
    step,
)

EVENTS: tuple[Event, ...] = (
    Committed(), Started(), Blocked(), Acknowledged(), Interrupted(), GivenUp(),
    Outdated(), *(Said(paper) for paper in Paper),
)  # fmt: skip
ATTEMPTS_OF = {State.RESERVED: (0,), State.JOURNALLED: (0,), State.VOIDED: (0, 1)}
PAPERS = [
    TicketPaper(state, attempt, doubt)
    for state in State
    for attempt in ATTEMPTS_OF.get(state, (1, 2))
    for doubt in ((False, True) if (state, attempt) == (State.PRINTING, 2) else (False,))
]


def of(word: str) -> TicketPaper:
    """``"printing 2 doubt"``."""
    state, attempt, *doubt = word.split()
    return TicketPaper(State(state), int(attempt), bool(doubt))


PRINTED, NOT_PRINTED, UNKNOWN = (
    Said(Paper.PRINTED), Said(Paper.NOT_PRINTED), Said(Paper.UNKNOWN),
)  # fmt: skip
TABLE: dict[tuple[str, Event], str] = {
    ("reserved 0", Committed()): "journalled 0",
    ("journalled 0", Started()): "printing 1",
    ("journalled 0", Blocked()): "not_printed 1",
    ("journalled 0", Interrupted()): "journalled 0",
    ("journalled 0", GivenUp()): "voided 0",
    ("printing 1", Outdated()): "voided 1",
    ("not_printed 1", Started()): "printing 2",
    ("unknown 1", Started()): "printing 2 doubt",
    ("printed 1", Started()): "printing 2 doubt",
    ("printing 1", NOT_PRINTED): "not_printed 1",
    ("printing 2", NOT_PRINTED): "not_printed 2",
    ("printing 2 doubt", NOT_PRINTED): "unknown 2",
}
for _n in ("1", "2", "2 doubt"):
    TABLE[f"printing {_n}", PRINTED] = f"printed {_n[0]}"
    TABLE[f"printing {_n}", UNKNOWN] = f"unknown {_n[0]}"
    TABLE[f"printing {_n}", Interrupted()] = f"unknown {_n[0]}"
for _n in ("1", "2"):
    TABLE[f"printed {_n}", Acknowledged()] = f"printed {_n}"
    for _state in ("not_printed", "unknown"):
        TABLE[f"{_state} {_n}", Acknowledged()] = f"shown {_n}"
        TABLE[f"{_state} {_n}", GivenUp()] = f"shown {_n}"
        TABLE[f"{_state} {_n}", Interrupted()] = f"{_state} {_n}"
EXPECTED = {(of(before), event): of(after) for (before, event), after in TABLE.items()}


@pytest.mark.parametrize(("paper", "event"), list(itertools.product(PAPERS, EVENTS)), ids=str)
def test_every_pair_is_what_the_table_says(paper: TicketPaper, event: Event) -> None:
    after = EXPECTED.get((paper, event))
    if after is not None:
        assert step(paper, event) == after
    else:
        with pytest.raises(ImpossiblePaper, match=f"{paper.state} {paper.attempt}"):
            step(paper, event)


def test_what_is_settled_stays() -> None:
    for paper in PAPERS:
        if paper.state in (State.SHOWN, State.VOIDED):
            assert not any((paper, event) in EXPECTED for event in EVENTS)
        if paper.state in SETTLED:
            assert (paper, Interrupted()) not in EXPECTED, "a restart leaves it alone"
        else:
            assert {(paper, e) for e in (Interrupted(), Committed())} & EXPECTED.keys()
        assert paper.may_start == ((paper, Started()) in EXPECTED)


@given(st.lists(st.sampled_from(EVENTS), max_size=12))
def test_any_life_of_a_ticket(events: list[Event]) -> None:
    """A printer that knows the truth: each attempt puts out a slip or not, whatever is said."""
    paper, starts, maybe_out, certainly_out = RESERVED, 0, False, False
    outdated = False
    for event in events:
        try:
            after = step(paper, event)
        except ImpossiblePaper:
            continue
        if isinstance(event, Started | Blocked):
            starts += 1
        if isinstance(event, Said):
            maybe_out |= event.paper is not Paper.NOT_PRINTED
            certainly_out |= event.paper is Paper.PRINTED
        elif isinstance(event, Interrupted) and paper.state is State.PRINTING:
            maybe_out = True
        paper = after
        assert starts <= ATTEMPTS
        if starts:
            assert paper.attempt == starts
        if paper.state is State.NOT_PRINTED:
            assert not maybe_out
        if paper.state is State.PRINTED:
            assert certainly_out
        if paper.state is State.VOIDED:
            outdated = event == Outdated() or outdated
            assert outdated or (starts, maybe_out) == (0, False)
            assert starts <= 1, "nothing about it made it callable yet"
