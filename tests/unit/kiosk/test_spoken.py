"""What each screen says of itself: what a visitor must know, nothing that changes by itself."""

from dataclasses import replace
from itertools import pairwise

import pytest

from kiosk.catalogue import Catalogue
from kiosk.spoken import introduction
from kiosk.view import (
    AccessView,
    HomeView,
    IdleView,
    Modes,
    NoSlipView,
    OutOfServiceView,
    Printing,
    TicketView,
    TriageView,
    View,
    Wait,
)
from simulator.prove import kiosk_screens as screens

WORDS = Catalogue.load()
WORDED = (
    HomeView, AccessView, TriageView, IdleView, TicketView, NoSlipView, OutOfServiceView,
)  # fmt: skip
"""The others are read by their texts."""


@pytest.mark.parametrize(
    ("view", "said"),
    [
        (screens.home("en"), "What do you need?"),
        (screens.home_offline("en"), "Network down. Tickets still work. What do you need?"),
        (
            screens.home("en", notice="code.choose"),
            "Choose: your booking follows. What do you need?",
        ),
        (screens.home("zh_CN", modes=Modes(simple=True)), "您要办什么？"),
        (
            screens.access("en", Modes()),
            "What would make this easier? Choose any. They end with your visit.",
        ),
        (
            screens.triage("en"),
            "Cards & accounts. Do you have these with you? Your ID card, original, no copy."
            " Card or passbook, not if lost. Phone, for a code by text. Two ways. You choose.",
        ),
        (screens.triage("en", documents=(), machine_min=0), "Cards & accounts."),
        (
            screens.ticket("en", Printing.RUNNING),
            "Your number is A042. Printing your slip.",
        ),
        (
            screens.ticket("en"),
            "Take your slip. It comes out below the screen. Your number is A042. Once more: A042."
            " 6 ahead, about 15 to 25 minutes. Listen for your number. Numbers may be called out"
            " of order.",
        ),
        (
            screens.no_slip("zh_CN", wait=Wait()),
            "小票没打出来，号有效。您的号码是 A042。再说一遍：A042。"
            "打印机缺纸，工作人员已收到通知。前面人数未知。请记住号码，留意叫号。您确认之前，号码一直留在这里。",
        ),
        (
            screens.out_of_service("en"),
            "This machine has stopped issuing tickets. Storage is full, so a new number could be"
            " lost. We do not issue numbers nobody will call. A ticket you already hold is still"
            " valid. Help desk on the right.",
        ),
    ],
)
def test_what_a_screen_says(view: View, said: str) -> None:
    assert introduction(WORDS, view) == said


def test_a_paper_failure_says_what_can_be_done() -> None:
    again = introduction(WORDS, screens.no_slip("en", cause="other", again=True))
    assert "You may print it again." in again
    untold = introduction(WORDS, screens.no_slip("en", told=False))
    assert "Please tell our staff." in untold
    broken = introduction(WORDS, screens.out_of_service("en", "journal_unreadable"))
    assert "The machine has a fault" in broken


def test_a_warning_is_said_four_times_in_a_minute() -> None:
    said = [introduction(WORDS, screens.idle("en", left_s)) for left_s in range(60, 0, -1)]
    changes = [said[0], *(b for a, b in pairwise(said) if a != b)]
    assert [text.partition("Less than ")[2][:2] for text in changes] == ["60", "40", "20", "10"]
    assert introduction(WORDS, screens.idle("en", 99)) == said[0]


@pytest.mark.parametrize("language", WORDS.languages)
def test_every_screen_speaks_and_ignores_the_clock(language: str) -> None:
    for mode, modes in screens.MODES.items():
        for name, view in screens.in_modes(language, modes).items():
            said = introduction(WORDS, view)
            assert bool(said) is isinstance(view, WORDED), (name, mode)
            assert "\n" not in said
            if not said:
                continue
            later = replace(view, header=replace(screens.HEADER, clock="10:25"))
            assert introduction(WORDS, later) == said
            if isinstance(view, TicketView | NoSlipView):
                assert view.number in said


def test_what_nobody_has_words_for_is_left_to_the_texts() -> None:
    assert introduction(WORDS, object()) == ""
