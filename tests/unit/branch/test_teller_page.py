"""What the teller's page says and offers: buttons, reasons, marks, lists; the docs' table."""

import asyncio
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from branch.commands import Park, PauseCounter, Postpone, Rejoin, Transfer, Unpark
from branch.config import QueueConfig
from branch.desk_view import DeskView, ListedTicket, OtherCounter
from branch.queue import GIVEN_BY_STAFF
from branch.typed import NOTES as BRANCH_NOTES
from branch.view import CounterState, CounterView, WaitingTicket
from branch.web.actions import ASKS, KEYS, others, primary, windows
from branch.web.desk_page import desk_page, priority_words
from branch.web.dialogs import dialog_choices, key_table
from branch.web.pages import CounterPage, counter_page
from branch.web.teller_words import NOTES
from branch.web.words import LANGUAGES, WORDS
from tests.unit.branch.bench import BranchBench, on_virtual_time
from tests.unit.branch.test_desk import BANK, Teller

DOCS = Path(__file__).parents[3] / "docs" / "teller.md"
ZH, EN = WORDS["zh"], WORDS["en"]
FREE = CounterView(
    revision=1, counter=2, state=CounterState.FREE, services_zh="现金", services_en="Cash",
    number=None, service_zh="", service_en="", waited_min=None, since_ms=0, calls=0, pad="ready",
    waiting=0, up_next=(), clock="10:24",
)  # fmt: skip
TICKET = ListedTicket("A001", "现金", "Cash", 4)
FULL = DeskView(waiting=(TICKET,), parked=(TICKET,), missed=(TICKET,))


def view(state: CounterState, **fields: object) -> CounterView:
    """A counter in this state, with A001 where the state has a ticket."""
    has = {"number": "A001", "service_zh": "现金", "service_en": "Cash", "waited_min": 7}
    given = has if state in {CounterState.CALLING, CounterState.SERVING} else {}
    return replace(FREE, state=state, **{**given, **fields})  # type: ignore[arg-type]


def page(seen: CounterView, lang: str = "en", desk: DeskView = FULL) -> CounterPage:
    return counter_page(seen, desk, WORDS[lang], "1")


@pytest.mark.parametrize(
    ("state", "possible"),
    [
        (CounterState.FREE, {"call-next", "call-ticket", "walk-in"}),
        (CounterState.CALLING, {"recall", "miss", "park", "transfer"}),
        (CounterState.SERVING, {"park", "transfer"}),
        (CounterState.PAUSED, set()),
        (CounterState.CLOSED, set()),
    ],
)
def test_what_each_state_allows(state: CounterState, possible: set[str]) -> None:
    always = {"unpark", "rejoin", "postpone", "tag"}
    for desk, more in ((FULL, always), (DeskView(), set())):
        found = others(view(state), desk, EN)
        assert {action.name for action in found if action.can} == possible | more
        assert all(action.note for action in found if action.name != "call-next" or not action.can)
        assert {action.name for action in found if action.asks} == ASKS
        assert [action.key for action in found] == [KEYS[action.name] for action in found]


@pytest.mark.parametrize(
    ("window", "on", "can"),
    [
        ("open", "open", ["open", "pause", "close"]),
        ("paused", "pause", ["open", "pause", "close"]),
        ("closed", "close", ["open", "close"]),
        ("elastic", "close", ["open", "close"]),
    ],
)
def test_the_counters_own_state(window: str, on: str, can: list[str]) -> None:
    found = windows(replace(FREE, window=window), EN)
    assert [action.name for action in found if action.on] == [on]
    assert [action.name for action in found if action.can] == can
    busy = windows(view(CounterState.SERVING, window="open"), EN)
    assert [(a.name, a.note) for a in busy if not a.can] == [("close", "Finish this one first")]


@pytest.mark.parametrize(
    ("fields", "label"),
    [
        ({}, "Finish and ask for a rating"),
        ({"pad": "none"}, "Finish"),
        ({"pad": "lost"}, "Finish"),
        ({"returns_to": 5, "then_en": "Advice"}, "Finish, back to counter 5"),
        ({"then_zh": "理财", "then_en": "Advice"}, "Finish, next: Advice"),
    ],
)
def test_finish_says_what_it_leads_to(fields: dict[str, object], label: str) -> None:
    assert primary(view(CounterState.SERVING, **fields), EN).label == label


def test_what_a_teller_knows_of_the_ticket() -> None:
    seen = view(
        CounterState.SERVING, promise_min=30.0, calls=2, segment="elderly", earlier_ms=360_000,
        returns_to=5, reason="segment", note="page 2", note_by=5,
    )  # fmt: skip
    drawn = page(seen)
    assert drawn.facts == [
        "Waited 7 min, promise 30 min", "Called 2×", "Priority: Senior",
        "Earlier parts took 6 min", "Goes back to counter 5",
    ]  # fmt: skip
    assert drawn.why == "Called before others: Priority customer"
    assert drawn.said == "Serving A001, Called before others: Priority customer"
    assert (drawn.note_from, drawn.note) == ("Note from counter 5", "page 2")
    then = page(view(CounterState.SERVING, then_zh="理财", then_en="Advice"), "zh")
    assert then.facts == ["来时等了 7 分钟", "接着还要办：理财"]
    assert page(view(CounterState.SERVING, then_zh="理财", then_en="Advice")).facts[1] == (
        "Next for this customer: Advice"
    )
    assert page(replace(FREE, note="old", reason="segment")).note == ""
    assert page(replace(FREE, reason="segment")).why == ""
    assert page(view(CounterState.CALLING, reason="new_kind")).why.endswith("new_kind")
    assert page(view(CounterState.CALLING, waited_min=None)).facts == []


@pytest.mark.parametrize(
    ("ticket", "promise", "mark", "near", "share"),
    [
        (WaitingTicket("A1", "金", "Cash", 9, "elderly"), 30, "Priority: Senior", False, 0.3),
        (WaitingTicket("A1", "金", "Cash", 9, "ordinary"), 30, "", False, 0.3),
        (WaitingTicket("A1", "金", "Cash", 9, held=True), 30, "Waits for you", False, 0.3),
        (WaitingTicket("A1", "金", "Cash", 23, held=True), 30, "Waits for you", False, 23 / 30),
        (WaitingTicket("A1", "金", "Cash", 24, "vip"), 30, "Near 30 min promise", True, 0.8),
        (WaitingTicket("A1", "金", "Cash", 45), 30, "Over 30 min promise", True, 1.0),
        (WaitingTicket("A1", "金", "Cash", 45, "gold"), 0, "Priority: gold", False, -1.0),
    ],
)
def test_why_a_waiting_ticket_stands_where_it_stands(
    ticket: WaitingTicket, promise: float, mark: str, near: bool, share: float
) -> None:
    (line,) = page(replace(FREE, up_next=(ticket,), promise_min=promise)).next
    assert (line.mark, line.near, line.share) == (mark, near, share)


def test_the_lists_in_words() -> None:
    desk = DeskView(
        counters=(OtherCounter(3, "BC", "open"), OtherCounter(4, "C", "elastic")),
        waiting=(replace(TICKET, segment="vip"),),
        parked=(replace(TICKET, counter=2, note="form"), replace(TICKET, minutes=3)),
        missed=(replace(TICKET, minutes=9), replace(TICKET)),
    )
    drawn = desk_page(desk, EN)
    assert [one.label for one in drawn.counters] == ["Counter 3", "Counter 4 (closed)"]
    assert desk_page(desk, ZH).counters[1].label == "4 号窗口（关闭）"
    assert [one.detail for one in (*drawn.waiting, *drawn.parked, *drawn.missed)] == [
        "Cash, waited 4 min, Priority: VIP",
        "Cash, Until taken back, counter 2, form",
        "Cash, back in 3 min",
        "Cash, missed 9 min ago",
        "Cash, missed 0 min ago",
    ]
    assert desk_page(desk, ZH).waiting[0].detail == "现金，等了 4 分，优先：贵宾"
    assert priority_words("", EN) == priority_words("ordinary", EN) == ""


@on_virtual_time
async def test_who_is_where(tmp_path: Path) -> None:
    config = msgspec.structs.replace(BANK, queue=QueueConfig(missed_back_min=5.0))
    async with BranchBench(tmp_path, config) as bench:
        one, two = Teller(bench, 1), Teller(bench, 2)
        await bench.kiosk.tickets("A001", "A002", "A003")
        await bench.kiosk.tickets("B001", "B002", service="B")
        await bench.kiosk.tickets("C001", service="C", segment="elderly")

        def numbers(tickets: tuple[ListedTicket, ...]) -> list[str]:
            return [ticket.number for ticket in tickets]

        desk = bench.branch.desk(1)
        assert numbers(desk.waiting) == ["A001", "A002", "A003", "B001", "B002", "C001"]
        assert [ticket.here for ticket in desk.waiting] == [True] * 5 + [False]
        assert [(c.counter, c.services, c.window) for c in desk.counters] == [
            (2, "BC", "open"), (3, "A", "open"), (4, "AC", "elastic"),
        ]  # fmt: skip
        assert [(s.letter, s.here) for s in desk.services] == [
            ("A", True), ("B", True), ("C", False),
        ]  # fmt: skip
        assert desk.segments[:3] == ("ordinary", "corporate", "vip")

        await one.does("call_next")
        await one.does("miss")
        await two.does("call_next")
        await two.does("miss")  # C001: the elderly come first
        assert numbers(bench.branch.desk(1).missed) == ["A001", "C001"]
        assert numbers(bench.branch.desk(2).missed) == ["C001", "A001"]
        await asyncio.sleep(299)
        assert [t.minutes for t in bench.branch.desk(1).missed] == [4, 4]
        await one.does(Rejoin(number="A001"))
        await asyncio.sleep(2)
        assert bench.branch.desk(1).missed == (), "too late for C001"

        await two.does("call_next")
        await two.does(Park(minutes=2.5, note="copy missing"))
        await one.does("call_next")
        await one.does(Park(minutes=0))
        await one.does(Postpone(number="A002", minutes=10))
        parked = bench.branch.desk(1).parked
        assert [(t.number, t.counter, t.minutes, t.note) for t in parked] == [
            ("A001", 1, None, ""), ("A002", 0, 10, ""), ("B001", 2, 3, "copy missing"),
        ]  # fmt: skip
        assert numbers(bench.branch.desk(2).parked) == ["B001", "A002", "A001"]
        await one.does(Unpark(number="A001"))
        (first, *_) = bench.branch.counter(1).up_next
        assert (first.number, first.held) == ("A001", True)
        with pytest.raises(KeyError):
            bench.branch.desk(9)


@on_virtual_time
async def test_what_the_next_teller_is_told(tmp_path: Path) -> None:
    async with BranchBench(tmp_path, BANK) as bench:
        one, two = Teller(bench, 1), Teller(bench, 2)
        await bench.kiosk.tickets("B001", service="B")
        await one.does("call_next")
        await asyncio.sleep(60)
        there = Transfer(service="C", counter=2, back=True, note="wants advice")
        await one.does(there)
        seen = await two.does("call_next")
        assert (seen.note, seen.note_by, seen.returns_to) == ("wants advice", 1, 1)
        assert (seen.earlier_ms, seen.promise_min) == (60_000, 30.0)
        await two.does("finish")
        await bench.restart()
        seen = await one.does("call_next")
        assert (seen.note, seen.note_by, seen.returns_to) == ("wants advice", 1, 0)
        await one.does(PauseCounter())
        assert (await one.does("finish")).window == "paused"


@on_virtual_time
async def test_a_visit_of_several_services_says_what_comes_next(tmp_path: Path) -> None:
    async with BranchBench(tmp_path, BANK) as bench:
        stream = bench.kiosk.stream
        ticket = stream.issued("A001", services=["X", "C"]).id
        stream.printed(ticket)
        bench.kiosk.send()
        await asyncio.sleep(1)
        seen = await Teller(bench, 1).does("call_next")
        assert (seen.then_zh, seen.then_en) == ("理财", "Advice")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_dialogs_offer_what_the_server_takes(lang: str) -> None:
    given = ("our own", *BRANCH_NOTES)
    choices = dialog_choices(DeskView(segments=("ordinary", "gold"), notes=given), WORDS[lang])
    assert {code for code, _ in choices["reasons"]} == GIVEN_BY_STAFF  # type: ignore[attr-defined]
    notes = dict(choices["notes"])  # type: ignore[call-overload]
    assert set(notes) <= set(given)
    assert notes["our own"] == "our own"
    assert notes["copy missing"] == ("缺复印件" if lang == "zh" else "copy missing")
    assert len(notes) == len(set(notes.values())) == 1 + 7
    assert {*NOTES, *NOTES.values()} == set(BRANCH_NOTES)
    assert choices["segments"][1] == ("gold", "gold")  # type: ignore[index]


def test_the_docs_have_every_key() -> None:
    text = DOCS.read_text("utf-8")
    for (key, zh), (_, en) in zip(key_table(ZH), key_table(EN), strict=True):
        assert f"| `{key}` | {zh} | {en} |" in text or key.startswith("字母"), key
