"""Each screen is the picture that was looked at and kept; `make golden` keeps a new one."""

import time
from pathlib import Path

import pytest
from PIL import Image, ImageFilter

from kiosk.view import PLAIN, Modes, Screen, View
from simulator.prove import kiosk_screens as views
from tests.ui.kiosk_process import KioskProcess
from tests.ui.picture_compare import MOST_POINTS, changed, golden_size, points, side_by_side

pytestmark = pytest.mark.window

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "screens"
OUT = ROOT / "out" / "screens"
LANGUAGE = "zh_CN"
COLOURS = 128
TURN_S = 2.0


def pictured() -> dict[str, View]:
    """The first of the gallery's views of each screen, and the first screen in its modes."""
    found: dict[str, View] = {}
    for view in views.in_modes(LANGUAGE, PLAIN).values():
        found.setdefault(view.screen.value, view)
    for name in ("simple", "low", "contrast"):
        found[f"home_{name}"] = views.in_modes(LANGUAGE, Modes(**{name: True}))["home"]
    for name in ("home", "triage"):
        found[f"{name}_left"] = views.in_modes(LANGUAGE, Modes(left=True))[name]
    return found


PICTURED = pictured()


def test_every_screen_is_pictured_and_no_picture_is_left_over():
    assert {view.screen for view in PICTURED.values()} == set(Screen)
    expected = {f"{name}-{size}" for name in PICTURED for size in views.SIZES}
    assert {path.stem for path in GOLDEN.glob("*.png")} <= expected


@pytest.fixture(scope="module", params=views.SIZES)
def kiosk(request, display, tmp_path_factory):
    size, pitch_mm = views.SIZES[request.param]
    process = KioskProcess(display, size, pitch_mm, tmp_path_factory.mktemp("golden"), "check_in")
    yield request.param, process
    assert process.close() == 0


def as_kept(process: KioskProcess, path: Path) -> tuple[bool, Image.Image]:
    """Whether the screen is the kept picture, now or within a turn of what moves on it, and the
    last picture of it. The ticket's arrows move.
    """
    deadline_s = time.monotonic() + TURN_S
    while True:
        actual = golden_size(process.picture())
        if path.exists():
            with Image.open(path) as kept:
                if points(changed(kept.convert("RGB"), actual)) <= MOST_POINTS:
                    return True, actual
        if time.monotonic() > deadline_s:
            return False, actual


@pytest.mark.parametrize("name", PICTURED)
def test_the_screen_is_as_it_was_kept(kiosk, name, request):
    size, process = kiosk
    path = GOLDEN / f"{name}-{size}.png"
    sheet = OUT / path.name
    sheet.unlink(missing_ok=True)
    process.show(PICTURED[name])
    alike, actual = as_kept(process, path)
    if alike:  # then `make golden` leaves the file as well: what nobody sees changes none
        return
    if request.config.getoption("--rewrite-golden"):
        path.parent.mkdir(parents=True, exist_ok=True)
        actual.quantize(COLOURS).save(path, optimize=True)
        return
    assert path.exists(), f"no {path.relative_to(ROOT)}: run `make golden` and look at it"
    with Image.open(path) as kept:
        side_by_side(kept.convert("RGB"), actual, sheet)
    pytest.fail(
        f"{name} ({size}) is another picture: look at {sheet.relative_to(ROOT)} (kept, drawn, what"
        " differs); to keep the new one: `make golden`"
    )


def test_a_moved_button_is_another_picture_and_a_smoother_edge_is_not(kiosk):
    _, process = kiosk
    screen = process.show(PICTURED["home"])
    picture = process.picture()
    kept = golden_size(picture)
    for smoothed in (
        picture.filter(ImageFilter.GaussianBlur(0.8)),
        picture.filter(ImageFilter.UnsharpMask(1, 60, 0)),
        picture.transform(
            picture.size, Image.Transform.AFFINE, (1, 0, 0.3, 0, 1, 0.3), Image.Resampling.BILINEAR
        ),
    ):
        assert points(changed(kept, golden_size(smoothed))) <= MOST_POINTS
    for control in screen["controls"]:
        x, y, width, height = control["rect"]
        moved = picture.copy()
        moved.paste(picture.crop((x, y, x + width, y + height)), (x, y + 3))
        assert points(changed(kept, golden_size(moved))) > 2 * MOST_POINTS, control["id"]
