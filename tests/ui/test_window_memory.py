"""Pictures, fonts and handles of the window are met once. The size of its heap is looked
at by ``lobby prove day`` alone.
"""

from pathlib import Path

import pytest

from kiosk.view import Modes
from simulator.process import usage
from simulator.prove import kiosk_screens as views
from tests.ui.kiosk_process import KioskProcess

pytestmark = pytest.mark.window

CONTRAST, SIMPLE = Modes(contrast=True), Modes(simple=True)
OTHERS = 20
"""Pictures more or less of what changes by itself, as the clock. A mode's pages have 250."""
WAIT_S = 10.0
PAGES = (
    "home", "home-offline", "ticket", "no-slip", "access", "triage", "closed", "attract",
    "idle-20", "code", "code-unknown-last", "feedback", "complaint", "reason", "receipt",
    "out-of-service",
)  # fmt: skip
"""Screens of the pages that a visitor meets."""
MOST_FONTS = 64
"""The renderer closes the oldest beyond that."""


@pytest.fixture(scope="module")
def kiosk(display, tmp_path_factory):
    size, pitch_mm = views.SIZES["large"]
    process = KioskProcess(display, size, pitch_mm, tmp_path_factory.mktemp("memory"))
    yield process
    assert process.close() == 0


def _walk(kiosk, modes):
    """Through every screen in ``modes``, then home as the next visitor finds it."""
    shown = views.in_modes("zh_CN", modes)
    for view in [shown[name] for name in PAGES if name in shown]:
        assert kiosk.order(**kiosk.viewed(view))["done"]
        kiosk.order(count=True)  # waits for the frame
    kiosk.show(views.home("zh_CN"))
    return kiosk.order(count=True)


def test_a_second_walk_through_every_screen_leaves_nothing_behind(kiosk, eventually):
    kiosk.show(views.home("zh_CN"))
    eventually(lambda: kiosk.order(count=True)["frozen"], WAIT_S, 0.1)  # all pages are built
    _walk(kiosk, Modes())
    plain = kiosk.order(count=True)["pictures"]

    def walked(modes):
        _walk(kiosk, modes)
        eventually(lambda: kiosk.order(count=True)["pictures"] <= plain + OTHERS, WAIT_S, 0.1)
        return kiosk.order(count=True)

    first = [walked(modes) for modes in (CONTRAST, SIMPLE)]
    assert first[-1]["fonts"] <= MOST_FONTS
    before = usage(kiosk.pid)
    again = [walked(modes) for modes in (Modes(), CONTRAST, SIMPLE)]
    assert {count["fonts"] for count in again} == {first[-1]["fonts"]}
    assert usage(kiosk.pid).handles == before.handles


def test_the_letters_come_from_the_lean_faces(kiosk):
    kiosk.show(views.home("zh_CN"))
    folder = Path(f"/proc/{kiosk.pid}/fd")
    fonts = {
        handle.readlink().name for handle in folder.iterdir() if ".otf" in str(handle.readlink())
    }
    assert fonts
    assert all(name.endswith("-gb2312.otf") for name in fonts), fonts
