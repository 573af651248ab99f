"""The sheets of feedback: their table word by word, and what is drawn of each."""

import itertools
from dataclasses import replace

import pytest

from kiosk import sheets, view
from kiosk.catalogue import Catalogue
from kiosk.feedback import (
    BEGINS,
    END,
    HOME,
    Answer,
    CallHelp,
    Complain,
    Effect,
    GiveReason,
    HelpSaid,
    LowPress,
    NotRegistered,
    PrintReceipt,
    Receipt,
    ReceiptSaid,
    Registered,
    Sheet,
    Suggest,
    Talk,
    Told,
    begun,
    heard,
    pressed,
    tapped,
)
from kiosk.view import PLAIN, Header, SheetView, Words
from sync.feedback import REASONS, SUGGESTIONS

PRESS = LowPress("id-7", "A007", 2, 1)
NUMBER, DUE = "4071-5523", "2026-12-08"
HELP = Talk(Sheet.HELP, "t2")
RECEIPT = Talk(Sheet.RECEIPT, "t1", receipt=Receipt.PRINTING, number=NUMBER, due_date=DUE)
REASON = Talk(Sheet.REASON, press=PRESS)
TALKS = {
    "menu": Talk(Sheet.MENU),
    "suggestion": Talk(Sheet.SUGGESTION),
    "complaint": Talk(Sheet.COMPLAINT),
    "commitments": Talk(Sheet.COMMITMENTS),
    "help": Talk(Sheet.HELP, "t1"),
    "registering": Talk(Sheet.RECEIPT, "t1"),
    "printing": RECEIPT,
    "printed": replace(RECEIPT, receipt=Receipt.PRINTED),
    "failed": replace(RECEIPT, receipt=Receipt.FAILED),
    "reason": REASON,
    "thanks": Talk(Sheet.THANKS),
}
CONTROLS = (
    "suggestion", "complaint", "commitments", "help", "back", "done", "skip", "acknowledge",
    "feedback", "service.A", "why.fees", "why.nothing", "suggest.seats", "suggest.nothing",
    "fees", "seats", "",
)  # fmt: skip
ANSWERS: tuple[Answer, ...] = (
    HelpSaid("t1", True), HelpSaid("t1", False), HelpSaid("t0", True),
    Registered("t1", NUMBER, DUE), Registered("t0", NUMBER, DUE), NotRegistered("t1"),
    NotRegistered("t0"), ReceiptSaid(NUMBER, True), ReceiptSaid(NUMBER, False),
    ReceiptSaid("0000-0000", True),
)  # fmt: skip
THANKS = Talk(Sheet.THANKS)
Row = tuple[Talk, tuple[Effect, ...]]

TAPPED: dict[tuple[str, str], Row] = {
    ("menu", "suggestion"): (Talk(Sheet.SUGGESTION), ()),
    ("menu", "complaint"): (Talk(Sheet.COMPLAINT), ()),
    ("menu", "commitments"): (Talk(Sheet.COMMITMENTS), ()),
    ("menu", "help"): (HELP, (CallHelp("menu", "t2"),)),
    ("menu", "back"): (HOME, ()),
    ("suggestion", "suggest.seats"): (THANKS, (Suggest("seats", "more", "t2"),)),
    ("suggestion", "help"): (HELP, (CallHelp("suggestion", "t2"),)),
    ("suggestion", "back"): (Talk(Sheet.MENU), ()),
    ("complaint", "why.fees"): (Talk(Sheet.RECEIPT, "t2"), (Complain("fees", "t2"),)),
    ("complaint", "help"): (HELP, (CallHelp("complaint", "t2"),)),
    ("complaint", "back"): (Talk(Sheet.MENU), ()),
    ("commitments", "help"): (HELP, (CallHelp("commitments", "t2"),)),
    ("commitments", "back"): (Talk(Sheet.MENU), ()),
    ("help", "done"): (HOME, ()),
    ("printed", "acknowledge"): (END, ()),
    ("printed", "help"): (HELP, (CallHelp("receipt", "t2"),)),
    ("failed", "acknowledge"): (END, ()),
    ("failed", "help"): (HELP, (CallHelp("receipt", "t2"),)),
    ("reason", "why.fees"): (THANKS, (GiveReason(PRESS, "fees", "t2"),)),
    ("reason", "skip"): (END, ()),
    ("reason", "help"): (HELP, (CallHelp("reason", "t2", "id-7", 2),)),
    ("thanks", "done"): (END, ()),
}
HEARD: dict[tuple[str, Answer], Row] = {
    ("help", HelpSaid("t1", True)): (replace(TALKS["help"], told=Told.REACHED), ()),
    ("help", HelpSaid("t1", False)): (replace(TALKS["help"], told=Told.UNREACHED), ()),
    ("registering", Registered("t1", NUMBER, DUE)): (RECEIPT, (PrintReceipt(NUMBER, DUE),)),
    ("registering", NotRegistered("t1")): (
        TALKS["help"], (CallHelp("receipt", "t1"),),
    ),
    ("printing", ReceiptSaid(NUMBER, True)): (TALKS["printed"], ()),
    ("printing", ReceiptSaid(NUMBER, False)): (TALKS["failed"], ()),
}  # fmt: skip


@pytest.mark.parametrize(("name", "control"), list(itertools.product(TALKS, CONTROLS)), ids=str)
def test_every_touch_is_what_the_table_says(name: str, control: str) -> None:
    talk = TALKS[name]
    assert tapped(talk, control, "t2") == TAPPED.get((name, control), (talk, ()))


@pytest.mark.parametrize(("name", "answer"), list(itertools.product(TALKS, ANSWERS)), ids=str)
def test_every_answer_is_what_the_table_says(name: str, answer: Answer) -> None:
    talk = TALKS[name]
    assert heard(talk, answer) == HEARD.get((name, answer), (talk, ()))


def test_how_a_sheet_is_opened() -> None:
    assert begun("feedback", "t2") == (Talk(Sheet.MENU), ())
    assert begun("help", "t2") == (HELP, (CallHelp("home", "t2"),))
    assert {"feedback", "help"} == set(BEGINS)
    assert pressed(PRESS) == REASON


def test_everything_that_can_be_said_is_three_touches_from_the_first_screen() -> None:
    said = set[Effect]()
    for second in CONTROLS:
        after, effects = tapped(begun("feedback", "t1")[0], second, "t")
        said |= set(effects)
        for option in (
            sheets.sheet_view(after, "en", HEADER, PLAIN, KNOWN).options
            if (after.sheet in sheets._BUILDERS)
            else ()
        ):
            said |= set(tapped(after, option.control, "t")[1])
    assert {one.topic for one in said if isinstance(one, Complain)} == set(REASONS)
    suggested = {(one.topic, one.direction) for one in said if isinstance(one, Suggest)}
    assert suggested == set(SUGGESTIONS)
    assert any(isinstance(one, CallHelp) for one in said)


# --- what is drawn --------------------------------------------------------------------------

HEADER = Header(Words(en="Sample Bank"), Words(en="Mon 23 Nov"), "10:24")
KNOWN = sheets.Known(
    "400-000-0000",
    (sheets.Promise(Words(en="Cash"), 30, 8, 7), sheets.Promise(Words(en="Cards"), 20)),
)
WORDS = Catalogue.load()


def drawn(talk: Talk, known: sheets.Known = KNOWN) -> SheetView:
    return sheets.sheet_view(talk, "en", HEADER, PLAIN, known)


def read(shown: SheetView) -> list[str]:
    return [WORDS.text("en", said.key, **dict(said.values)) for said in shown.lines]


@pytest.mark.parametrize("name", TALKS)
def test_every_control_that_is_drawn_does_something_and_there_is_a_way_out(name: str) -> None:
    talk, shown = TALKS[name], drawn(TALKS[name])
    controls = [option.control for option in shown.options]
    controls += [shown.leave.control] if shown.leave else []
    controls += [view.CONTROL_HELP] if shown.person else []
    for control in controls:
        assert tapped(talk, control, "t2") != (talk, ()), control
    assert (shown.leave is None) == (name in ("registering", "printing"))
    for option in shown.options:
        assert WORDS.has(option.key)
    assert WORDS.text("en", shown.title.key)


def test_only_a_call_that_was_heard_says_so() -> None:
    told = {one: drawn(replace(HELP, told=one)).title.key for one in Told}
    assert told == {
        Told.ASKING: "help.asking",
        Told.REACHED: "help.reached",
        Told.UNREACHED: "help.unreached",
    }


def test_what_the_branch_promises() -> None:
    assert read(drawn(TALKS["commitments"])) == [
        "Cash: wait up to 30 min\nkept today for 87% of 8",
        "Cards: wait up to 20 min",
        "A complaint is answered within 15 days.",
        "Complaints by phone: 400-000-0000",
        "We keep numbers, never your name.",
    ]
    assert len(read(drawn(TALKS["commitments"], sheets.Known()))) == 2


def test_a_receipt_on_the_screen_has_number_date_and_where_to_ask() -> None:
    assert drawn(TALKS["registering"]).plate == ""
    failed = drawn(TALKS["failed"])
    assert failed.plate == NUMBER
    assert read(failed) == [
        "No receipt came out. Please note this number.",
        "You can have our answer by 8 Dec 2026.",
        "Ask for it with this number: 400-000-0000",
    ]
    assert read(drawn(TALKS["failed"], sheets.Known()))[2] == (
        "Ask for it with this number at the desk."
    )


def test_a_reason_names_the_visit_as_far_as_it_is_known() -> None:
    assert read(drawn(REASON))[0] == 'A007, counter 2, you rated "Very unhappy"'
    nameless = Talk(Sheet.REASON, press=replace(PRESS, number="", score_1to5=2))
    assert read(drawn(nameless))[0] == 'Counter 2, you rated "Unhappy"'
