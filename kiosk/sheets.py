"""From an open sheet of feedback to what the window draws of it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from kiosk.feedback import Receipt, Sheet, Talk, Told
from kiosk.view import (
    CONTROL_ACKNOWLEDGE,
    CONTROL_BACK,
    CONTROL_COMMITMENTS,
    CONTROL_COMPLAINT,
    CONTROL_DONE,
    CONTROL_SKIP,
    CONTROL_SUGGESTION,
    REASON_PREFIX,
    SUGGESTION_PREFIX,
    Header,
    Modes,
    Option,
    Said,
    Screen,
    SheetView,
    Words,
)
from sync.feedback import ANSWER_DAYS, REASONS, SUGGESTIONS

MOST_PROMISES = 4
_REASON_ICONS = {
    "waiting": "clock", "windows": "window", "attitude": "staff", "slow": "hourglass",
    "error": "cross", "fees": "card", "environment": "home", "other": "speech",
}  # fmt: skip
_SUGGESTION_ICONS = {
    "waits": "clock", "counters": "window", "hours": "hourglass", "machines": "machine",
    "words": "textsize", "seats": "people", "fees": "card", "access": "wheelchair",
}  # fmt: skip
REASON_OPTIONS = tuple(
    Option(REASON_PREFIX + code, REASON_PREFIX + code, _REASON_ICONS[code]) for code in REASONS
)
SUGGESTION_OPTIONS = tuple(
    Option(SUGGESTION_PREFIX + topic, SUGGESTION_PREFIX + topic, _SUGGESTION_ICONS[topic])
    for topic, _ in SUGGESTIONS
)
MENU_OPTIONS = (
    Option(CONTROL_SUGGESTION, "feedback.suggestion", "speech"),
    Option(CONTROL_COMPLAINT, "feedback.complaint", "warn"),
    Option(CONTROL_COMMITMENTS, "feedback.commitments", "check"),
)
BACK = Option(CONTROL_BACK, "back", "back")
DONE = Option(CONTROL_DONE, "done")
SKIP = Option(CONTROL_SKIP, "why.skip")
ACKNOWLEDGE = Option(CONTROL_ACKNOWLEDGE, "receipt.ack", "check")


@dataclass(frozen=True, slots=True)
class Promise:
    """What the branch promises of one service, and of how many of today's customers it was kept;
    ``people`` 0: nobody counted yet, or not known now.
    """

    name: Words
    wait_min: int
    people: int = 0
    kept: int = 0


@dataclass(frozen=True, slots=True)
class Known:
    """What the sheets can say of the branch."""

    phone: str = ""
    promises: Sequence[Promise] = ()


def sheet_view(talk: Talk, language: str, top: Header, modes: Modes, known: Known) -> SheetView:
    """The open sheet."""
    return _BUILDERS[talk.sheet](talk, language, top, modes, known)


def _menu(talk: Talk, language: str, top: Header, modes: Modes, known: Known) -> SheetView:
    return SheetView(
        language, top, Screen.FEEDBACK, Said("feedback.title"), (Said("feedback.privacy"),),
        MENU_OPTIONS, BACK, person="help.call", modes=modes,
    )  # fmt: skip


def _suggestion(talk: Talk, language: str, top: Header, modes: Modes, known: Known) -> SheetView:
    return SheetView(
        language, top, Screen.SUGGESTION, Said("suggest.title"), (Said("suggest.hint"),),
        SUGGESTION_OPTIONS, BACK, modes=modes,
    )  # fmt: skip


def _complaint(talk: Talk, language: str, top: Header, modes: Modes, known: Known) -> SheetView:
    return SheetView(
        language, top, Screen.COMPLAINT, Said("complaint.title"), (Said("complaint.hint"),),
        REASON_OPTIONS, BACK, person="help.call", modes=modes,
    )  # fmt: skip


def _commitments(talk: Talk, language: str, top: Header, modes: Modes, known: Known) -> SheetView:
    lines = []
    for promise in known.promises[:MOST_PROMISES]:
        said: tuple[tuple[str, str | int], ...] = (
            ("service", promise.name[language]), ("m", promise.wait_min),
        )  # fmt: skip
        if promise.people:
            share = 100 * promise.kept // promise.people
            lines.append(Said("promise.kept", (*said, ("n", promise.people), ("p", share))))
        else:
            lines.append(Said("promise.wait", said))
    lines.append(Said("promise.answer", (("n", ANSWER_DAYS),)))
    if known.phone:
        lines.append(Said("promise.phone", (("phone", known.phone),)))
    lines.append(Said("promise.data"))
    return SheetView(
        language, top, Screen.COMMITMENTS, Said("promise.title"), tuple(lines), (), BACK,
        person="help.call", modes=modes,
    )  # fmt: skip


_HELP = {
    Told.ASKING: (Said("help.asking"), Said("help.asking.body")),
    Told.REACHED: (Said("help.reached"), Said("help.reached.body")),
    Told.UNREACHED: (Said("help.unreached"), Said("help.unreached.body")),
}


def _help(talk: Talk, language: str, top: Header, modes: Modes, known: Known) -> SheetView:
    title, body = _HELP[talk.told]
    return SheetView(
        language, top, Screen.HELP, title, (body,), (), DONE, icon="bell", modes=modes
    )


_RECEIPT = {
    Receipt.REGISTERING: "receipt.registering",
    Receipt.PRINTING: "receipt.printing",
    Receipt.PRINTED: "receipt.printed",
    Receipt.FAILED: "receipt.failed",
}


def _receipt(talk: Talk, language: str, top: Header, modes: Modes, known: Known) -> SheetView:
    lines = [Said(_RECEIPT[talk.receipt])]
    if talk.due_date:
        lines.append(Said("receipt.due", (("date", day_words(talk.due_date)[language]),)))
        lines.append(
            Said("receipt.ask", (("phone", known.phone),))
            if known.phone
            else Said("receipt.staff")
        )
    ready = talk.receipt in (Receipt.PRINTED, Receipt.FAILED)
    return SheetView(
        language, top, Screen.RECEIPT, Said("receipt.title"), tuple(lines), (),
        ACKNOWLEDGE if ready else None, icon="slip", plate=talk.number,
        person="help.call" if ready else "", modes=modes,
    )  # fmt: skip


def _reason(talk: Talk, language: str, top: Header, modes: Modes, known: Known) -> SheetView:
    press = talk.press
    assert press is not None
    about: tuple[tuple[str, str | int], ...] = (("w", press.counter),)
    key = f"why.counter.{press.score_1to5}"
    if press.number:
        about, key = (("number", press.number), *about), f"why.context.{press.score_1to5}"
    return SheetView(
        language, top, Screen.REASON, Said("why.thanks"),
        (Said(key, about), Said("why.ask", strong=True), Said("why.hint")),
        REASON_OPTIONS, SKIP, icon=f"face{press.score_1to5}", person="why.manager", switch=True,
        modes=modes,
    )  # fmt: skip


def _thanks(talk: Talk, language: str, top: Header, modes: Modes, known: Known) -> SheetView:
    return SheetView(
        language, top, Screen.THANKS, Said("thanks.title"), (Said("thanks.body"),), (), DONE,
        icon="check", modes=modes,
    )  # fmt: skip


_BUILDERS = {
    Sheet.MENU: _menu,
    Sheet.SUGGESTION: _suggestion,
    Sheet.COMPLAINT: _complaint,
    Sheet.COMMITMENTS: _commitments,
    Sheet.HELP: _help,
    Sheet.RECEIPT: _receipt,
    Sheet.REASON: _reason,
    Sheet.THANKS: _thanks,
}

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def day_words(iso: str) -> Mapping[str, str]:
    """A date by language, without its weekday: ``2026年12月8日`` and ``8 Dec 2026``."""
    day = date.fromisoformat(iso)
    return Words(
        zh_CN=f"{day.year}年{day.month}月{day.day}日",
        en=f"{day.day} {_MONTHS[day.month - 1]} {day.year}",
    )
