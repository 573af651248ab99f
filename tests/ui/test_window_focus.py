"""Where the keys are, and what is read of a screen that has no words of its own."""

import pytest

from kiosk.view import Modes
from simulator.prove import kiosk_screens as views
from tests.ui.kiosk_process import KioskProcess

pytestmark = pytest.mark.window


@pytest.fixture(scope="module")
def kiosk(display, tmp_path_factory):
    size, pitch_mm = views.LARGE
    process = KioskProcess(display, size, pitch_mm, tmp_path_factory.mktemp("focus"))
    yield process
    assert process.close() == 0


@pytest.mark.parametrize(
    ("view", "words"),
    [
        (views.ticket("en"), "Take your slip. It comes out below the screen."),
        (views.access("en", Modes()), "What would make this easier? Choose any."),
        (views.access("zh_CN", Modes()), "怎样更方便？"),
    ],
    ids=["ticket", "lines", "zh_CN"],
)
def test_a_screen_without_words_of_its_own_is_read_by_its_texts(kiosk, view, words):
    screen = kiosk.show(view)
    read = kiosk.order(read=True)["read"]
    assert read.startswith(words)
    assert "10:24" not in read
    assert views.HEADER.branch[view.language] not in read
    assert "\n" not in read
    for control in screen["controls"]:
        assert control["label"] not in read, "controls are said one by one"


def test_nothing_is_marked_before_a_key(kiosk):
    assert kiosk.show(views.home("en"))["focus"] == ""
