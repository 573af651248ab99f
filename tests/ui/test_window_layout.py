"""Every screen, language and size: nothing clipped, nothing too small, nothing on top of
another.
"""

from itertools import combinations

import pytest

from kiosk.ui.tokens import CAPITAL_EM, LEAST_CAPITAL_MM, LEAST_TARGET_MM
from tests.ui import views
from tests.ui.kiosk_process import KioskProcess

pytestmark = pytest.mark.window

ALL_SERVED = "access,feedback,listen,person"
KIOSKS = [(size, served) for size in views.SIZES for served in ("", ALL_SERVED)]
INK_ABOVE_EM, INK_BELOW_EM = 0.80, 0.10  # of Chinese glyphs, without the air around them


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


def _inside(inner, outer):
    return (
        inner[0] >= outer[0]
        and inner[1] >= outer[1]
        and inner[0] + inner[2] <= outer[0] + outer[2]
        and inner[1] + inner[3] <= outer[1] + outer[3]
    )


def _overlap(one, other):
    return (
        one[0] < other[0] + other[2]
        and other[0] < one[0] + one[2]
        and one[1] < other[1] + other[3]
        and other[1] < one[1] + one[3]
    )


def _ink(text) -> list[float]:
    x, _, width, _ = text["rect"]
    top = text["baseline"] - INK_ABOVE_EM * text["font_px"]
    return [x, top, width, (INK_ABOVE_EM + INK_BELOW_EM) * text["font_px"]]


def _faults(screen, pitch_mm) -> list[str]:
    window = [0, 0, *screen["size"]]
    faults = []
    for control in screen["controls"]:
        name, rect = control["id"], control["rect"]
        if not _inside(rect, window):
            faults.append(f"{name} leaves the window: {rect}")
        if min(rect[2:]) * pitch_mm < LEAST_TARGET_MM:
            faults.append(f"{name} is smaller than {LEAST_TARGET_MM} mm: {rect}")
        if not control["label"] or not control["spoken"] or "\n" in control["spoken"]:
            faults.append(f"{name} has no label or nothing to read aloud: {control}")
    for one, other in combinations(screen["controls"], 2):
        if _overlap(one["rect"], other["rect"]):
            faults.append(f"{one['id']} lies on {other['id']}")
    for text in screen["texts"]:
        words, ink = text["text"], _ink(text)
        if text["font_px"] * CAPITAL_EM * pitch_mm < LEAST_CAPITAL_MM:
            faults.append(f"{words!r} is too small: {text['font_px']} px")
        if text["shortened"] or (text["room_px"] and text["rect"][2] > text["room_px"]):
            faults.append(f"{words!r} has not enough room: {text}")
        if not _inside(ink, window):
            faults.append(f"{words!r} leaves the window: {text['rect']}")
        faults += [
            f"{words!r} crosses the edge of {control['id']}"
            for control in screen["controls"]
            if _overlap(ink, control["rect"]) and not _inside(ink, control["rect"])
        ]
    for one, other in combinations(screen["texts"], 2):
        if _overlap(_ink(one), _ink(other)):
            faults.append(f"{one['text']!r} lies on {other['text']!r}")
    return faults


@pytest.mark.parametrize("language", ["zh_CN", "en"])
@pytest.mark.parametrize("name", list(views.gallery("en")))
def test_nothing_is_clipped_too_small_or_overlapping(kiosk, name, language):
    view = views.gallery(language)[name]
    screen = kiosk.show(view)
    assert (screen["screen"], screen["language"]) == (view.screen.value, language)
    assert tuple(screen["size"]) == kiosk.size
    assert screen["texts"]
    assert _faults(screen, kiosk.pitch_mm) == []


def test_only_what_is_served_is_drawn(kiosk, request):
    served = set(request.node.callspec.params["kiosk"][1].split(",")) - {""}
    drawn = set()
    for view in views.gallery("en").values():
        drawn |= {control["id"] for control in kiosk.show(view)["controls"]}
    optional = {"access", "feedback", "listen", "person"}
    if kiosk.size == views.SMALL[0]:
        served -= {"feedback"}  # it moves into the accessibility sheet there
    assert drawn & optional == served
    assert {"service.A", "service.P", "language", "done", "no_slip", "acknowledge"} <= drawn
