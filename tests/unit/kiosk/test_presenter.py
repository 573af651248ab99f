"""From the visit to the view: every view can be drawn and says what is true."""

from datetime import UTC, datetime

import msgspec
import pytest

from kiosk.catalogue import Catalogue
from kiosk.config import BranchName
from kiosk.flow import Phase, Ticket, Visit, first_visit
from kiosk.presenter import OnPaper, header, present, reference
from kiosk.view import (
    HomeView,
    NoSlipView,
    OutOfServiceView,
    Printing,
    TicketView,
    View,
    Wait,
)
from tests.unit.kiosk.bench import KIOSK

NOW = datetime(2026, 11, 23, 9, 5, tzinfo=UTC)
TICKET = Ticket("01a207a2-3280-7000-8000-00007f3a9c21", "A042", "A")
ON_PAPER = OnPaper.at(datetime(2026, 11, 23, 9, 4, tzinfo=UTC), Wait(3, 5, 8))
CAUSES = (
    "paper_out", "cover_open", "cutter", "error", "offline", "silent", "link_lost", "unavailable",
    "unprintable", "stopped", "restart", "not_taken",
)  # fmt: skip


def show(visit: Visit, **more: object) -> View:
    values = {"now": NOW, "waits": {}, "online": True, "on_paper": None, "staff_told": False}
    return present(KIOSK, visit, **{**values, **more})  # type: ignore[arg-type]


def test_the_header() -> None:
    top = header(KIOSK, NOW)
    assert top.branch == {"zh_CN": "示例银行", "en": "Sample Bank"}
    assert top.date == {"zh_CN": "11月23日 星期一", "en": "Mon 23 Nov"}
    assert top.clock == "09:05"
    sunday = header(KIOSK, datetime(2026, 3, 1, 0, 0, tzinfo=UTC))
    assert sunday.date == {"zh_CN": "3月1日 星期日", "en": "Sun 1 Mar"}


def test_home() -> None:
    view = show(first_visit("en"), waits={"B": Wait(2, 4, 9)}, online=False, full={"A"})
    assert isinstance(view, HomeView)
    assert [(t.letter, t.wait, t.closed, t.priority) for t in view.tiles] == [
        ("A", Wait(), "closed.full", False),
        ("B", Wait(2, 4, 9), "", False),
        ("P", Wait(), "", True),
    ]
    assert (view.language, view.online) == ("en", False)
    assert Catalogue.load().has("closed.full")


@pytest.mark.parametrize("said", ["closing", "closed", "full"])
def test_a_service_that_nobody_may_join_says_why(said: str) -> None:
    view = show(first_visit("en"), joining=dict.fromkeys("ABP", said))
    assert isinstance(view, HomeView)
    words = Catalogue.load()
    for tile in view.tiles:
        if tile.priority:
            assert tile.closed == "", "a person is always one tap away"
        else:
            assert tile.closed == f"closed.{said}"
            assert words.text("zh_CN", tile.closed) != words.text("en", tile.closed)


@pytest.mark.parametrize("said", ["open", "a word of a later version"])
def test_any_other_word_closes_nothing(said: str) -> None:
    view = show(first_visit("en"), joining={"A": said}, full={"P"})
    assert isinstance(view, HomeView)
    assert [tile.closed for tile in view.tiles] == ["", "", "closed.full"]


@pytest.mark.parametrize(
    ("phase", "printing"), [(Phase.PRINTING, Printing.RUNNING), (Phase.TICKET, Printing.DONE)]
)
def test_the_ticket(phase: Phase, printing: Printing) -> None:
    view = show(Visit(phase, "en", "zh_CN", ticket=TICKET), on_paper=ON_PAPER)
    assert isinstance(view, TicketView)
    assert (view.number, view.issued_clock, view.wait) == ("A042", "09:04", Wait(3, 5, 8))
    assert (view.printing, view.service_name["en"]) == (printing, "Cash")


@pytest.mark.parametrize("cause", CAUSES)
@pytest.mark.parametrize("told", [False, True])
def test_whatever_the_cause_there_are_words_for_it(cause: str, told: bool) -> None:
    visit = Visit(Phase.NO_SLIP, "en", "zh_CN", ticket=TICKET, cause=cause)
    view = show(visit, on_paper=ON_PAPER, staff_told=told)
    assert isinstance(view, NoSlipView)
    assert view.cause == ("paper_out" if cause == "paper_out" else "other")
    key = f"noprint.{view.cause}.{'told' if view.staff_told else 'untold'}"
    assert Catalogue.load().text("zh_CN", key)
    assert view.qr_url is None, "no public address, no code"


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("able", [False, True])
def test_print_again_needs_the_ticket_and_the_printer(again: bool, able: bool) -> None:
    visit = Visit(Phase.NO_SLIP, "en", "zh_CN", ticket=TICKET, cause="cutter", again=again)
    view = show(visit, on_paper=ON_PAPER, printer_able=able)
    assert isinstance(view, NoSlipView)
    assert view.may_reprint == (again and able)


@pytest.mark.parametrize("url", ["https://q.example.org/b1", "https://q.example.org/b1/"])
def test_the_code_leads_to_the_ticket_s_page(url: str) -> None:
    named = BranchName(zh="示例", en="Sample", public_url=url)
    config = msgspec.structs.replace(KIOSK, branch=named)
    view = present(
        config, Visit(Phase.NO_SLIP, "en", "en", ticket=TICKET, cause="silent"), now=NOW,
        waits={}, online=True, on_paper=ON_PAPER, staff_told=False,
    )  # fmt: skip
    assert isinstance(view, NoSlipView)
    assert view.qr_url == "https://q.example.org/b1/t/800000007f3a9c21"
    assert reference(TICKET.id) == "7f3a-9c21"


def test_out_of_service() -> None:
    view = show(Visit(Phase.CLOSED, "en", "zh_CN", cause="storage_full"))
    assert isinstance(view, OutOfServiceView)
    assert (view.code, view.machine, view.told_clock) == ("storage_full", "kiosk-1", "")
