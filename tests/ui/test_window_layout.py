"""Every screen, language and size: nothing clipped, nothing too small, nothing on top of
another.
"""

import pytest

from simulator.prove import kiosk_screens as views
from simulator.prove.kiosk_measure import Limits, measure
from tests.ui.kiosk_process import KioskProcess

pytestmark = pytest.mark.window

ALL_SERVED = "access,feedback,listen,person"
KIOSKS = [(size, served) for size in views.SIZES for served in ("", ALL_SERVED)]


@pytest.fixture(
    scope="module",
    params=KIOSKS,
    ids=[f"{size}-{'all' if served else 'release'}" for size, served in KIOSKS],
)
def kiosk(request, display, tmp_path_factory):
    name, served = request.param
    size, pitch_mm = views.SIZES[name]
    process = KioskProcess(display, size, pitch_mm, tmp_path_factory.mktemp(name), served)
    yield process
    assert process.close() == 0


@pytest.mark.parametrize("language", ["zh_CN", "en"])
@pytest.mark.parametrize("name", list(views.gallery("en")))
def test_nothing_is_clipped_too_small_or_overlapping(kiosk, name, language):
    view = views.gallery(language)[name]
    screen = kiosk.show(view)
    assert (screen["screen"], screen["language"]) == (view.screen.value, language)
    assert tuple(screen["size"]) == kiosk.size
    assert screen["texts"]
    assert measure(screen, kiosk.picture(), kiosk.pitch_mm, Limits()).faults == []


def test_only_what_is_served_is_drawn(kiosk, request):
    served = set(request.node.callspec.params["kiosk"][1].split(",")) - {""}
    drawn = set()
    for view in views.gallery("en").values():
        drawn |= {control["id"] for control in kiosk.show(view)["controls"]}
    optional = {"listen", "person"}
    served -= {"access", "feedback"}  # they are always there
    assert drawn & optional == served
    assert {
        "service.A",
        "service.P",
        "language",
        "access",
        "done",
        "no_slip",
        "acknowledge",
    } <= drawn
