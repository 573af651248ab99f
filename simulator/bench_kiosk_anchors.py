"""What the kiosk's window is measured against, on the same display: a trivial Kivy page, and a
trivial page in Chromium's kiosk mode.
"""

import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

from kiosk.heartbeat import ADDRESS_VARIABLE, READY
from simulator.errors import MissingProgram
from simulator.kiosk_stand import Words
from simulator.parts import Parts
from simulator.process import Usage, family, usage

SETTLED_S = 4.0
"""After so long nobody loads any more."""
PERIOD = "PERIOD="
PAGE = """
import os, socket, statistics, sys, time
os.environ |= {"KIVY_NO_ARGS": "1", "KIVY_NO_CONFIG": "1", "KIVY_NO_FILELOG": "1",
               "KIVY_LOG_MODE": "PYTHON", "KIVY_HOME": sys.argv[3]}
os.makedirs(sys.argv[3], exist_ok=True)
from kivy.config import Config
for name, value in (("width", sys.argv[1]), ("height", sys.argv[2]), ("borderless", "1"),
                    ("multisamples", "0"), ("maxfps", "60")):
    Config.set("graphics", name, value)
from kivy.app import App
from kivy.core.window import Window
from kivy.uix.button import Button
words = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
flips = []
def flipped(*_):
    flips.append(time.monotonic())
    if len(flips) == 1:
        words.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
    if len(flips) < 200:
        Window.canvas.ask_update()
    elif len(flips) == 200:
        periods = [b - a for a, b in zip(flips[50:], flips[51:])]
        word = f"PERIOD={statistics.median(periods)}"
        words.sendto(word.encode(), os.environ["NOTIFY_SOCKET"])
Window.bind(on_flip=flipped)
class Page(App):
    def build(self):
        return Button(text="A")
Page().run()
"""
"""A button on a ground; says when its first frame is there and how long its frames take when each
is followed by another.
"""
HTML = "<!doctype html><meta charset=utf-8><title>A</title><button>A</button>"
CHROMIUM_FLAGS = (
    "--kiosk", "--no-sandbox", "--no-first-run", "--disable-gpu", "--disable-quic",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


async def trivial_page(
    parts: Parts, display: str, size: tuple[int, int], folder: Path, *, first_only: bool
) -> tuple[float, float, Usage | None]:
    """Seconds to its first frame; with not ``first_only`` also its frame period in seconds and
    what it takes at rest.
    """
    program = folder / "page.py"  # Kivy asks for the file of an app's class
    program.write_text(PAGE, "utf-8")
    words = Words(folder / "words")
    began_s = asyncio.get_running_loop().time()
    part = await parts.start(
        "page", sys.executable, str(program), str(size[0]), str(size[1]), str(folder / "kivy"),
        env={"DISPLAY": display, ADDRESS_VARIABLE: str(words.path), "SDL_VIDEODRIVER": "x11"},
    )  # fmt: skip
    try:
        at_s, _ = await words.await_word(READY, part)
        if first_only:
            return at_s - began_s, 0.0, None
        _, period = await words.await_word(PERIOD, part)
        await asyncio.sleep(SETTLED_S)
        return at_s - began_s, float(period), usage(part.process.pid)
    finally:
        await parts.stop(part)
        words.close()


async def chromium_pss(parts: Parts, display: str, size: tuple[int, int]) -> int:
    """Bytes of all processes of a Chromium that shows a trivial page, each shared page once.
    Raises MissingProgram.
    """
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        raise MissingProgram("chromium is not installed; run `make setup`")
    short = tempfile.gettempdir() if len(tempfile.gettempdir()) < 50 else "/tmp"
    with tempfile.TemporaryDirectory(prefix="lobby-chromium-", dir=short) as name:
        page = Path(name) / "page.html"
        page.write_text(HTML, "utf-8")
        part = await parts.start(
            "chromium", program, *CHROMIUM_FLAGS, f"--window-size={size[0]},{size[1]}",
            f"--user-data-dir={name}/profile", page.as_uri(),
            env={"DISPLAY": display, "TMPDIR": name},
        )  # fmt: skip
        try:
            await asyncio.sleep(2 * SETTLED_S)
            total = 0
            for pid in family(part.process.pid):
                try:
                    total += usage(pid).pss
                except (OSError, KeyError):  # it ended in this moment, or is a zombie
                    continue
            return total
        finally:
            await parts.stop(part)
