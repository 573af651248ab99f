"""Which page draws which view. Pages are imported when they are built: the first frame waits for
one of them only."""

from collections.abc import Callable

from kiosk.ui.controls import Kit
from kiosk.ui.page import Page
from kiosk.view import HomeView, NoSlipView, OutOfServiceView, TicketView, View


def _home(kit: Kit) -> Page:
    from kiosk.ui.home import HomePage

    return HomePage(kit, band=False)


def _home_with_band(kit: Kit) -> Page:
    from kiosk.ui.home import HomePage

    return HomePage(kit, band=True)


def _ticket(kit: Kit) -> Page:
    from kiosk.ui.ticket import TicketPage

    return TicketPage(kit)


def _no_slip(kit: Kit) -> Page:
    from kiosk.ui.no_slip import NoSlipPage

    return NoSlipPage(kit)


def _out_of_service(kit: Kit) -> Page:
    from kiosk.ui.out_of_service import OutOfServicePage

    return OutOfServicePage(kit)


BUILDERS: dict[str, Callable[[Kit], Page]] = {
    "home": _home,
    "ticket": _ticket,
    "home with band": _home_with_band,
    "no slip": _no_slip,
    "out of service": _out_of_service,
}


def page_name(view: View) -> str:
    """The page that draws ``view``; a key of :data:`BUILDERS`."""
    match view:
        case HomeView():
            return "home" if view.online and not view.notice else "home with band"
        case TicketView():
            return "ticket"
        case NoSlipView():
            return "no slip"
        case OutOfServiceView():
            return "out of service"
