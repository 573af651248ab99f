"""What a screen says of itself when it comes up, for somebody who does not see it. Pure.

Controls say themselves (``spoken`` of the screen description). A view that is not named here is
read by the texts on it (kiosk/ui/describe.py), so a new screen needs nothing to be heard.
"""

from collections.abc import Callable, Iterator

from kiosk.catalogue import Catalogue
from kiosk.ui.waits import wait_words
from kiosk.view import (
    AccessView,
    HomeView,
    IdleView,
    NoSlipView,
    OutOfServiceView,
    Printing,
    TicketView,
    TriageView,
    Wait,
)

WARNED_S = (60, 40, 20, 10)
"""A warning is said anew when so many seconds are left."""
STORAGE_FULL = "storage_full"


def introduction(catalogue: Catalogue, view: object) -> str:
    """What is said of ``view``, in its language; "" for a view that has no words of its own.

    It changes only where a visitor must hear it: not with the clock, nor with a queue.
    """
    language = getattr(view, "language", "")

    def say(key: str, **values: object) -> str:
        return sentence(catalogue.text(language, key, **values), language)

    return (" " if language != "zh_CN" else "").join(_sentences(catalogue, view, say))


def sentence(text: str, language: str) -> str:
    """A text of the screen as one spoken sentence: on one line, with a full stop."""
    text = text.replace("\n", "" if language == "zh_CN" else " ").strip()
    if text and text[-1] not in ".。?？!！:：":
        text += "。" if language == "zh_CN" else "."
    return text


def _sentences(catalogue: Catalogue, view: object, say: Callable[..., str]) -> Iterator[str]:
    match view:
        case HomeView():
            if not view.online:
                yield say("offline.title")
            if view.notice:
                yield say(view.notice)
            yield say("simple.title" if view.modes.simple else "home.title")
        case AccessView():
            yield say("access.title")
            yield say("access.hint")
        case TriageView():
            yield sentence(view.service.name[view.language], view.language)
            if view.documents:
                yield say("docs.title")
            for document in view.documents:
                name, note = document.name[view.language], document.note[view.language]
                comma = "，" if view.language == "zh_CN" else ", "
                yield sentence(comma.join(part for part in (name, note) if part), view.language)
            if view.machine_min:
                yield say("choice.title")
        case IdleView():
            yield say("idle.title")
            yield say(
                "spoken.idle", n=min(s for s in WARNED_S if s >= min(view.left_s, WARNED_S[0]))
            )
        case TicketView(printing=Printing.RUNNING):
            yield say("spoken.number", number=view.number)
            yield say("ticket.printing")
        case TicketView():
            yield say("ticket.title")
            yield say("ticket.where")
            yield say("spoken.number", number=view.number)
            yield say("spoken.again", number=view.number)
            yield _wait(catalogue, view.wait, view.language)
            yield say("spoken.call")
        case NoSlipView():
            yield say("noprint.title")
            yield say("spoken.number", number=view.number)
            yield say("spoken.again", number=view.number)
            told = "told" if view.staff_told else "untold"
            yield say("noprint.ready" if view.may_reprint else f"noprint.{view.cause}.{told}")
            yield _wait(catalogue, view.wait, view.language)
            yield say("spoken.remember")
        case OutOfServiceView():
            yield say("oos.title")
            yield say("oos.storage" if view.code == STORAGE_FULL else "oos.fault")
            yield say("oos.held")
            yield say("oos.where")


def _wait(catalogue: Catalogue, wait: Wait, language: str) -> str:
    return sentence(wait_words(catalogue, language, wait, large=True).spoken, language)
