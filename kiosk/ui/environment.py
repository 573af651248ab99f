"""What Kivy must find before its first import: it reads its settings once, while importing."""

import os
import sys
import tempfile
from pathlib import Path

from kiosk.ui import WindowError
from kiosk.ui.heap import keep_flat

# A frame at most every 16.7 ms: the answer to a touch is drawn well within 50 ms, and an idle loop
# that draws nothing costs about 3 % of a core (30 frames a second would save one of them).
MAX_FPS = 60

# Without a display SDL would draw into memory: a kiosk that nobody can see would seem to work.
_DRIVERS = "x11,wayland,kmsdrm"

_VARIABLES = {
    "KIVY_NO_ARGS": "1",  # the command line is ours
    "KIVY_NO_CONFIG": "1",  # no file of a user's home decides how a kiosk behaves
    "KIVY_NO_FILELOG": "1",
    "KIVY_LOG_MODE": "PYTHON",  # one log: KIVY_NO_CONSOLELOG would swallow tracebacks
    "KIVY_METRICS_DENSITY": "1",  # sizes come from millimetres, never from a guessed density
    "KIVY_DPI": "96",
    "KIVY_WINDOW": "sdl2",  # the other provider ends the process where there is no display
}


def prepare(
    size: tuple[int, int],
    *,
    fullscreen: bool,
    kivy_home: Path | None = None,
    touch_device: str = "",
) -> None:
    """Set Kivy's environment and configuration for a window of ``size`` pixels. Touches have one
    source: the window system, or the panel at ``touch_device`` alone.

    ``kivy_home`` is a writable folder; without one a fresh temporary folder is taken. Raises
    :class:`WindowError` if Kivy was imported before, because then it has read other settings.
    """
    if "kivy" in sys.modules:
        raise WindowError(
            "Kivy was imported before the kiosk's window was made, so its settings are fixed; "
            "make the KioskWindow first, and one only in a process"
        )
    keep_flat()
    home = kivy_home or Path(tempfile.mkdtemp(prefix="lobby-kivy-"))
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WindowError(f"{home}: cannot be Kivy's folder: {error.strerror}") from error
    os.environ.update(_VARIABLES, KIVY_HOME=str(home))
    if sys.platform == "linux":
        os.environ.setdefault("SDL_VIDEODRIVER", _DRIVERS)

    from kivy.config import Config

    width, height = size
    settings: dict[str, dict[str, object]] = {
        "graphics": {
            "width": width,
            "height": height,
            "borderless": 1,
            "resizable": 0,
            "fullscreen": "auto" if fullscreen else 0,
            "multisamples": 0,
            "maxfps": MAX_FPS,
            "show_cursor": 0 if fullscreen else 1,
            "allow_screensaver": 0,
        },
        "kivy": {"exit_on_escape": 0, "keyboard_mode": "", "pause_on_minimize": 0},
    }
    for section, options in settings.items():
        for name, value in options.items():
            Config.set(section, name, str(value))
    for name, _ in Config.items("input"):
        Config.remove_option("input", name)
    # SDL tells the window system's touches as a mouse. Two sources would tell one finger twice,
    # and at two places where the panel is turned.
    if touch_device:
        Config.set("input", "panel", f"mtdev,{touch_device}")
    else:
        Config.set("input", "mouse", "mouse,disable_multitouch")
