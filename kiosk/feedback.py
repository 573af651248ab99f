"""What a visitor can say beside taking a ticket, as a state machine of its own. Pure.

    sheet        event             next          effects
    -            tapped feedback   MENU          -
    -            tapped help       HELP          CallHelp
    -            pressed low       REASON        -
    MENU         tapped suggest    SUGGESTION    -
    MENU         tapped complain   COMPLAINT     -
    MENU         tapped promise    COMMITMENTS   -
    SUGGESTION   tapped a topic    THANKS        Suggest
    COMPLAINT    tapped a topic    RECEIPT       Complain
    REASON       tapped a reason   THANKS        GiveReason
    REASON       tapped skip       END           -
    RECEIPT      registered        RECEIPT       PrintReceipt
    RECEIPT      not registered    HELP          CallHelp; who complains is not sent away
    RECEIPT      receipt said      RECEIPT       (printed, or the number stays)
    RECEIPT      tapped ack        END           once it is printed or not
    HELP         help said         HELP          (staff have been told, or where to go)
    HELP         tapped done       HOME          -
    THANKS       tapped done       END           -
    MENU         tapped back       HOME          -
    SUGGESTION, COMPLAINT, COMMITMENTS  tapped back   MENU   -
    any but HELP, THANKS  tapped help   HELP     CallHelp, unless the receipt is still to come

HOME is the first screen with the visit going on, END the first screen with everything forgotten.
A tap or an answer that a sheet does not know changes nothing. An answer names its touch: one to
an earlier touch is late.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from kiosk.view import (
    CONTROL_ACKNOWLEDGE,
    CONTROL_BACK,
    CONTROL_COMMITMENTS,
    CONTROL_COMPLAINT,
    CONTROL_DONE,
    CONTROL_FEEDBACK,
    CONTROL_HELP,
    CONTROL_SKIP,
    CONTROL_SUGGESTION,
    REASON_PREFIX,
    SUGGESTION_PREFIX,
)
from sync.feedback import REASONS, SUGGESTIONS


class Sheet(StrEnum):
    """Which sheet is up."""

    HOME = "home"
    END = "end"
    MENU = "menu"
    HELP = "help"
    SUGGESTION = "suggestion"
    COMPLAINT = "complaint"
    COMMITMENTS = "commitments"
    RECEIPT = "receipt"
    REASON = "reason"
    THANKS = "thanks"


class Told(StrEnum):
    """Whether the branch knows that somebody is wanted."""

    ASKING = "asking"
    REACHED = "reached"
    UNREACHED = "unreached"


class Receipt(StrEnum):
    """How far the receipt is. Without paper the number stays until it is acknowledged."""

    REGISTERING = "registering"
    PRINTING = "printing"
    PRINTED = "printed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class LowPress:
    """A rating of this kiosk's pads that was one of the two lowest. ``number`` is "" where the
    ticket is another kiosk's.
    """

    ticket: str
    number: str
    counter: int
    score_1to5: int


@dataclass(frozen=True, slots=True)
class Talk:
    """The state. ``request`` is the touch that the last effect came from; ``number`` and
    ``due_date`` (ISO) are the receipt's.
    """

    sheet: Sheet
    request: str = ""
    told: Told = Told.ASKING
    receipt: Receipt = Receipt.REGISTERING
    number: str = ""
    due_date: str = ""
    press: LowPress | None = None


# --- events --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HelpSaid:
    """What became of the call for help of touch ``request``."""

    request: str
    reached: bool


@dataclass(frozen=True, slots=True)
class Registered:
    """The complaint of touch ``request`` is journalled."""

    request: str
    number: str
    due_date: str


@dataclass(frozen=True, slots=True)
class NotRegistered:
    """The complaint could not be journalled."""

    request: str


@dataclass(frozen=True, slots=True)
class ReceiptSaid:
    """What the printer said of the receipt with this number."""

    number: str
    printed: bool


Answer = HelpSaid | Registered | NotRegistered | ReceiptSaid

# --- effects -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CallHelp:
    """Somebody is wanted at the kiosk. ``ticket`` "" and ``counter`` 0: about no rating."""

    place: str
    request: str
    ticket: str = ""
    counter: int = 0


@dataclass(frozen=True, slots=True)
class Suggest:
    """Journal a suggestion."""

    topic: str
    direction: str
    request: str


@dataclass(frozen=True, slots=True)
class Complain:
    """Journal a complaint."""

    topic: str
    request: str


@dataclass(frozen=True, slots=True)
class PrintReceipt:
    """Print the receipt of a journalled complaint."""

    number: str
    due_date: str


@dataclass(frozen=True, slots=True)
class GiveReason:
    """Journal why the visit was rated low."""

    press: LowPress
    reason: str
    request: str


Effect = CallHelp | Suggest | Complain | PrintReceipt | GiveReason
Step = tuple[Talk, tuple[Effect, ...]]

BEGINS = (CONTROL_FEEDBACK, CONTROL_HELP)
"""The controls of the first screen that open a sheet."""
HOME, END = Talk(Sheet.HOME), Talk(Sheet.END)
_MENU = {
    CONTROL_SUGGESTION: Sheet.SUGGESTION,
    CONTROL_COMPLAINT: Sheet.COMPLAINT,
    CONTROL_COMMITMENTS: Sheet.COMMITMENTS,
}
_BACK = {
    Sheet.MENU: HOME,
    Sheet.SUGGESTION: Talk(Sheet.MENU),
    Sheet.COMPLAINT: Talk(Sheet.MENU),
    Sheet.COMMITMENTS: Talk(Sheet.MENU),
}
_WAITS = (Receipt.REGISTERING, Receipt.PRINTING)


def begun(control: str, touch: str) -> Step:
    """A sheet is opened from the first screen by one of BEGINS."""
    if control == CONTROL_HELP:
        return _called(Talk(Sheet.HOME), touch)
    return Talk(Sheet.MENU), ()


def pressed(press: LowPress) -> Talk:
    """A low rating asks for its reason."""
    return Talk(Sheet.REASON, press=press)


def tapped(talk: Talk, control: str, touch: str) -> Step:
    """A control of the sheet was touched; ``touch`` is unique for the touch."""
    match talk.sheet:
        case Sheet.HELP if control == CONTROL_DONE:
            return HOME, ()
        case Sheet.HELP:
            return talk, ()
        case Sheet.THANKS:
            return (END if control == CONTROL_DONE else talk), ()
        case Sheet.RECEIPT if talk.receipt in _WAITS:
            return talk, ()
        case Sheet.RECEIPT if control == CONTROL_ACKNOWLEDGE:
            return END, ()
        case Sheet.REASON if control == CONTROL_SKIP:
            return END, ()
    if control == CONTROL_HELP:
        return _called(talk, touch)
    if control == CONTROL_BACK and talk.sheet in _BACK:
        return _BACK[talk.sheet], ()
    if talk.sheet is Sheet.MENU and control in _MENU:
        return Talk(_MENU[control]), ()
    return _chosen(talk, control, touch)


def heard(talk: Talk, answer: Answer) -> Step:
    """What came of an effect."""
    match answer:
        case HelpSaid(request, reached) if talk.sheet is Sheet.HELP and talk.request == request:
            return replace(talk, told=Told.REACHED if reached else Told.UNREACHED), ()
        case Registered(request, number, due) if _registers(talk, request):
            after = replace(talk, receipt=Receipt.PRINTING, number=number, due_date=due)
            return after, (PrintReceipt(number, due),)
        case NotRegistered(request) if _registers(talk, request):
            return _called(talk, request)
        case ReceiptSaid(number, printed) if (
            talk.receipt is Receipt.PRINTING and talk.number == number
        ):
            return replace(talk, receipt=Receipt.PRINTED if printed else Receipt.FAILED), ()
    return talk, ()


def _registers(talk: Talk, request: str) -> bool:
    waits = talk.sheet is Sheet.RECEIPT and talk.receipt is Receipt.REGISTERING
    return waits and talk.request == request


def _called(talk: Talk, touch: str) -> Step:
    press = talk.press
    about = (press.ticket, press.counter) if press else ("", 0)
    return Talk(Sheet.HELP, touch), (CallHelp(talk.sheet.value, touch, *about),)


def _chosen(talk: Talk, control: str, touch: str) -> Step:
    """One of the short list of the sheet."""
    thanks = Talk(Sheet.THANKS)
    code = control.removeprefix(REASON_PREFIX)
    if control.startswith(REASON_PREFIX) and code in REASONS:
        if talk.sheet is Sheet.COMPLAINT:
            return Talk(Sheet.RECEIPT, touch), (Complain(code, touch),)
        if talk.sheet is Sheet.REASON and talk.press is not None:
            return thanks, (GiveReason(talk.press, code, touch),)
    direction = dict(SUGGESTIONS).get(control.removeprefix(SUGGESTION_PREFIX))
    if talk.sheet is Sheet.SUGGESTION and direction and control.startswith(SUGGESTION_PREFIX):
        topic = control.removeprefix(SUGGESTION_PREFIX)
        return thanks, (Suggest(topic, direction, touch),)
    return talk, ()
