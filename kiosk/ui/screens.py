"""Which page draws which view. Pages are imported when they are built: the first frame waits for
one of them only."""

from collections.abc import Callable

from kiosk.ui.kit import Kit
from kiosk.ui.page import Page
from kiosk.view import (
    AccessView,
    AttractView,
    ClosedView,
    CodeSaidView,
    CodeView,
    HomeView,
    IdleView,
    NoSlipView,
    OutOfServiceView,
    Screen,
    SheetView,
    TechnicianView,
    TicketView,
    TriageView,
    View,
)


def _home(kit: Kit) -> Page:
    from kiosk.ui.home import HomePage

    return HomePage(kit, band=False)


def _home_with_band(kit: Kit) -> Page:
    from kiosk.ui.home import HomePage

    return HomePage(kit, band=True)


def _simple_home(kit: Kit) -> Page:
    from kiosk.ui.simple_home import SimpleHomePage

    return SimpleHomePage(kit)


def _low_home(kit: Kit) -> Page:
    from kiosk.ui.low_home import LowHomePage

    return LowHomePage(kit)


def _access(kit: Kit) -> Page:
    from kiosk.ui.access import AccessPage

    return AccessPage(kit)


def _triage(kit: Kit) -> Page:
    from kiosk.ui.triage import TriagePage

    return TriagePage(kit)


def _code(kit: Kit) -> Page:
    from kiosk.ui.code import CodePage

    return CodePage(kit)


def _code_said(kit: Kit) -> Page:
    from kiosk.ui.code_said import CodeSaidPage

    return CodeSaidPage(kit)


def _idle(kit: Kit) -> Page:
    from kiosk.ui.idle import IdlePage

    return IdlePage(kit)


def _closed(kit: Kit) -> Page:
    from kiosk.ui.closed import ClosedPage

    return ClosedPage(kit)


def _attract(kit: Kit) -> Page:
    from kiosk.ui.attract import AttractPage

    return AttractPage(kit)


def _ticket(kit: Kit) -> Page:
    from kiosk.ui.ticket import TicketPage

    return TicketPage(kit)


def _no_slip(kit: Kit) -> Page:
    from kiosk.ui.no_slip import NoSlipPage

    return NoSlipPage(kit)


def _sheet(kit: Kit) -> Page:
    from kiosk.ui.sheet import SheetPage

    return SheetPage(kit)


def _statement(kit: Kit) -> Page:
    from kiosk.ui.statement import StatementPage

    return StatementPage(kit)


def _promises(kit: Kit) -> Page:
    from kiosk.ui.promises import PromisesPage

    return PromisesPage(kit)


def _out_of_service(kit: Kit) -> Page:
    from kiosk.ui.out_of_service import OutOfServicePage

    return OutOfServicePage(kit)


def _technician(stage: str) -> Callable[[Kit], Page]:
    def build(kit: Kit) -> Page:
        from kiosk.ui import technician

        pages = {"code": technician.CodePage, "menu": technician.MenuPage}
        return pages.get(stage, technician.GridPage)(kit)

    return build


BUILDERS: dict[str, Callable[[Kit], Page]] = {
    "home": _home,
    "ticket": _ticket,
    "home with band": _home_with_band,
    "no slip": _no_slip,
    "out of service": _out_of_service,
    "access": _access,
    "triage": _triage,
    "sheet": _sheet,
    "statement": _statement,
    "promises": _promises,
    "code": _code,
    "code said": _code_said,
    "idle": _idle,
    "closed": _closed,
    "attract": _attract,
    "simple home": _simple_home,
    "low home": _low_home,
    "technician code": _technician("code"),
    "technician menu": _technician("menu"),
    "technician grid": _technician("grid"),
}
_SHEETS = {
    Screen.COMMITMENTS: "promises",
    Screen.HELP: "statement",
    Screen.RECEIPT: "statement",
    Screen.THANKS: "statement",
}
LATER = frozenset(
    {"simple home", "low home", "technician code", "technician menu", "technician grid"}
)
"""Pages that are built when they are needed, not before."""


def page_name(view: View) -> str:
    """The page that draws ``view``; a key of :data:`BUILDERS`."""
    match view:
        case HomeView() if view.modes.simple:
            return "simple home"
        case HomeView() if view.modes.low:
            return "low home"
        case AccessView():
            return "access"
        case TriageView():
            return "triage"
        case SheetView():
            return _SHEETS.get(view.screen, "sheet")
        case ClosedView():
            return "closed"
        case AttractView():
            return "attract"
        case CodeView():
            return "code"
        case CodeSaidView():
            return "code said"
        case IdleView():
            return "idle"
        case HomeView():
            plain = view.online and not view.notice and not view.left_min
            return "home" if plain else "home with band"
        case TicketView():
            return "ticket"
        case NoSlipView():
            return "no slip"
        case OutOfServiceView():
            return "out of service"
        case TechnicianView():
            return f"technician {view.stage}"
