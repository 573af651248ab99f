"""The bench: what it refuses, and that it waits for what is new."""

import os
import stat
import subprocess
import sys

import pytest

from simulator.prove import kiosk_screens as views
from tests.ui.kiosk_process import ROOT, KioskProcess

pytestmark = pytest.mark.window


@pytest.fixture(scope="module")
def kiosk(display, tmp_path_factory):
    size, pitch_mm = views.SMALL
    process = KioskProcess(display, size, pitch_mm, tmp_path_factory.mktemp("bench"))
    refused = process.ask(op="describe")
    assert refused == {"ok": False, "error": refused["error"]}
    assert "nothing is drawn yet" in refused["error"]
    process.show(views.home("en"))
    yield process
    assert process.close() == 0
    assert not process.socket_path.exists()


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"op": "press"}, "there are describe, describe_after, tap, slide, screenshot, frames"),
        ({}, "unknown op None"),
        ({"op": "tap", "x": 5}, "tap: y must be a number, not None"),
        ({"op": "tap", "x": "5", "y": 5}, "tap: x must be a number, not '5'"),
        ({"op": "tap", "x": True, "y": 5}, "tap: x must be a number, not True"),
        ({"op": "tap", "x": 1280, "y": 5}, "(1280, 5) is outside the window of 1280 × 800"),
        ({"op": "tap", "x": -1, "y": 5}, "tap: x must be 0 to inf, not -1"),
        ({"op": "tap", "x": 1, "y": 5, "hold_ms": 1e9}, "hold_ms must be 0 to 60000"),
        ({"op": "slide", "x": 1, "y": 5}, "slide: to_x must be a number"),
        ({"op": "describe_after"}, "describe_after: revision must be a number"),
        ({"op": "describe_after", "revision": 0, "timeout_s": 61}, "timeout_s must be 0 to 60"),
        ({"op": "screenshot"}, "screenshot: path must be a file name"),
        ({"op": "screenshot", "path": "/nowhere/a.png"}, "/nowhere/a.png: cannot be written"),
    ],
)
def test_a_wrong_request_gets_one_clear_error_and_the_talk_goes_on(kiosk, request_, words):
    answer = kiosk.ask(**request_)
    assert not answer["ok"]
    assert words in answer["error"]
    assert kiosk.ask(op="describe")["ok"]


@pytest.mark.parametrize("line", ["tap", "[1]", "null", "{", '{"op": NaN}'])
def test_what_is_no_request_is_answered_as_such(kiosk, line):
    with kiosk.another_bench() as bench:
        bench.send_line(line)
        assert not bench.answer()["ok"]
        assert bench.ask(op="describe")["ok"]


def test_a_line_without_end_is_refused_and_hung_up_on(kiosk):
    with kiosk.another_bench() as bench:
        bench.send_line("x" * 70_000)
        assert "65536 bytes" in bench.answer()["error"]
    assert kiosk.ask(op="describe")["ok"]


def test_only_the_owner_can_open_the_socket(kiosk):
    assert stat.S_IMODE(kiosk.socket_path.stat().st_mode) == 0o600


def test_a_reader_waits_for_the_next_change(kiosk):
    revision = kiosk.show(views.home("en"))["revision"]
    with kiosk.another_bench() as reader:
        reader.send(op="describe_after", revision=revision, timeout_s=10)
        kiosk.order(**kiosk.viewed(views.home("zh_CN")))
        screen = reader.answer()["screen"]
    assert (screen["revision"], screen["language"]) == (revision + 1, "zh_CN")


def test_too_many_services_are_refused_by_name_and_the_screen_stays(kiosk):
    shown = kiosk.show(views.home("en"))
    five = (*views.TILES, views.TILES[0])
    refused = kiosk.order(**kiosk.viewed(views.home("en", tiles=five)))
    assert refused["error"].startswith("the first screen has 5 services")
    assert kiosk.ask(op="describe")["screen"] == shown


@pytest.mark.parametrize(
    ("display_name", "cache", "words"),
    [("", "", "no window can be opened: there is no display"), (None, "/dev/null", "/dev/null")],
)
def test_a_window_that_cannot_be_says_why(display, tmp_path, display_name, cache, words):
    program = (
        "from kiosk.catalogue import Catalogue\n"
        "from kiosk.ui import WindowError\n"
        "from kiosk.ui.window import KioskWindow\n"
        "try:\n"
        "    KioskWindow(size=(540, 960), pixel_pitch_mm=0.5, catalogue=Catalogue.load(),\n"
        "                on_control=print)\n"
        "except WindowError as error:\n"
        "    print(error)\n"
    )
    environment = {**os.environ, "DISPLAY": display if display_name is None else display_name}
    if cache:
        environment["XDG_CACHE_HOME"] = cache
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=15,
        check=True,
    )
    assert words in done.stdout


def test_importing_the_package_opens_nothing_and_imports_no_kivy():
    program = (
        "import sys; import kiosk.ui.window, kiosk.ui.bench, kiosk.ui.fonts, kiosk.ui.waits\n"
        "sys.exit('kivy' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, timeout=15, check=True)
