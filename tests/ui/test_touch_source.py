"""A finger of the window system is one touch, at the place where it is on the picture."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.prove import kiosk_screens as views
from tests.conftest import Eventually
from tests.ui.kiosk_process import ROOT, Display, KioskProcess, middle
from tests.ui.x_input import XInput

pytestmark = pytest.mark.window

SIZE, PITCH_MM = views.SMALL
TILE = "service.B"
SOURCES = """
import sys
from kiosk.ui.environment import prepare
prepare((800, 600), fullscreen=True, touch_device=sys.argv[1])
from kivy.config import Config
print(Config.items("input"))
"""


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    """A screen as large as the window: their corners are one."""
    display = Display(SIZE)
    yield display.name
    display.close()


@pytest.fixture(params=[0, 180])
def kiosk(
    display: str, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[tuple[int, KioskProcess]]:
    """With its panel mounted one way round and the other."""
    process = KioskProcess(display, SIZE, PITCH_MM, tmp_path, rotation=request.param)
    yield request.param, process
    assert process.close() == 0


def test_a_finger_is_one_touch_of_what_is_under_it(
    display: str, kiosk: tuple[int, KioskProcess], eventually: Eventually
) -> None:
    rotation, process = kiosk
    screen = process.show(views.home("zh_CN"))
    (tile,) = [control for control in screen["controls"] if control["id"] == TILE]
    x, y = middle(tile["rect"])
    if rotation:
        x, y = SIZE[0] - 1 - x, SIZE[1] - 1 - y

    def accepted() -> list[tuple[str, str]]:
        process.order(advance_s=1.0)  # nothing is swallowed as too soon
        return process.accepted

    with XInput(display) as finger:
        finger.click(x, y, 1)
        eventually(accepted)
        finger.click(2, 2, 1)  # on no control
        process.picture()
    assert [control for control, _ in accepted()] == [TILE]


@pytest.mark.parametrize(
    ("device", "sources"),
    [
        ("", "[('mouse', 'mouse,disable_multitouch')]"),
        ("/dev/input/event4", "[('panel', 'mtdev,/dev/input/event4')]"),
    ],
)
def test_there_is_one_source_of_touches(device, sources):
    run = [sys.executable, "-c", SOURCES, device]
    told = subprocess.run(run, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert told.strip() == sources
