"""A display and the kiosk's window on it, each a process of its own, for tests and their
benches.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from PIL import Image

from kiosk.ui.tokens import REST_S
from kiosk.view import View

ROOT = Path(__file__).parents[2]


class Display:
    """An Xvfb on a display number that it chose itself as free."""

    def __init__(self, size: tuple[int, int] = (1920, 1920)) -> None:
        program = shutil.which("Xvfb")
        if program is None:
            raise RuntimeError("Xvfb is missing; run `make setup` or install the package xvfb")
        read, write = os.pipe()
        options = ["-displayfd", str(write), "-screen", "0", f"{size[0]}x{size[1]}x24"]
        options += ["-nolisten", "tcp"]
        self._process = subprocess.Popen(
            [program, *options], pass_fds=[write], stderr=subprocess.DEVNULL
        )
        os.close(write)
        with os.fdopen(read) as number:
            self.name = f":{number.readline().strip()}"

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(10)


class BenchClient:
    """One connection to a bench."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(15)
        self._socket.connect(str(path))
        self._talk = self._socket.makefile("rw", encoding="utf-8")

    def __enter__(self) -> "BenchClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, **request: object) -> None:
        """Send a request without waiting for its answer."""
        self.send_line(json.dumps(request))

    def send_line(self, line: str) -> None:
        """Send any line."""
        self._talk.write(line + "\n")
        self._talk.flush()

    def answer(self) -> dict[str, Any]:
        """The next answer."""
        answer: dict[str, Any] = json.loads(self._talk.readline())
        return answer

    def ask(self, **request: object) -> dict[str, Any]:
        """Send a request and return its answer."""
        self.send(**request)
        return self.answer()

    def close(self) -> None:
        self._talk.close()
        self._socket.close()


class KioskProcess:
    """The window harness, its orders and its bench."""

    def __init__(
        self,
        display: str,
        size: tuple[int, int],
        pitch_mm: float,
        folder: Path,
        served: str = "",
        rotation: int = 0,
    ) -> None:
        self.size, self.pitch_mm, self.folder = size, pitch_mm, folder
        self.accepted: list[tuple[str, str]] = []
        self.socket_path = folder / "bench.sock"
        command = [sys.executable, "-m", "tests.ui.window_harness"]
        command += ["--size", f"{size[0]}x{size[1]}", "--pitch", str(pitch_mm)]
        command += ["--socket", str(self.socket_path), "--served", served]
        command += ["--rotation", str(rotation)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "DISPLAY": display},
        )
        self.pid = self._process.pid
        if self._line() != {"ready": True}:
            raise RuntimeError("the window did not open; see its messages above")
        self._bench = BenchClient(self.socket_path)
        self.send, self.answer, self.ask = (
            self._bench.send,
            self._bench.answer,
            self._bench.ask,
        )

    def order(self, **order: object) -> dict[str, Any]:
        """Give an order and collect what was accepted before its answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        while "done" not in (news := self._line()):
            self.accepted.append((news["control"], news["touch"]))
        return news

    def show(self, view: View, *, looked_at: bool = True) -> dict[str, Any]:
        """Show ``view`` and return the description of the first frame that draws it. A touch that
        follows is a person's, who has looked at it: the kiosk rests no more.
        """
        before = self.ask(op="describe")
        shown = self.order(**self.viewed(view))
        assert shown["done"], shown
        if not shown["new"]:
            same: dict[str, Any] = before["screen"]
            return same
        revision = before["screen"]["revision"] if before["ok"] else 0
        # A view that describes alike keeps its revision: the time-out answers with it.
        screen = self.screen_after(revision, timeout_s=0.3 if before["ok"] else 10)
        if looked_at:
            self.order(advance_s=REST_S)
        return screen

    @staticmethod
    def viewed(view: View) -> dict[str, Any]:
        """The order that shows ``view``."""
        return {"type": type(view).__name__, "view": msgspec.to_builtins(view)}

    def screen_after(self, revision: int, timeout_s: float = 5) -> dict[str, Any]:
        """The description once it is newer than ``revision``."""
        answer = self.ask(op="describe_after", revision=revision, timeout_s=timeout_s)
        assert answer["ok"], answer
        screen: dict[str, Any] = answer["screen"]
        return screen

    def another_bench(self) -> "BenchClient":
        """A second connection, so that something can happen while the first one waits."""
        return BenchClient(self.socket_path)

    def tap(self, control: dict[str, Any]) -> dict[str, Any]:
        """Touch a described control in its middle."""
        x, y = middle(control["rect"])
        return self.ask(op="tap", x=x, y=y)

    def rested(self) -> None:
        """Let the time pass in which touches are swallowed, and forget what was accepted."""
        self.order(advance_s=1.0)
        self.accepted.clear()

    def picture(self, name: str = "shot.png") -> Image.Image:
        """The window's pixels."""
        path = self.folder / name
        answer = self.ask(op="screenshot", path=str(path))
        assert answer["ok"], answer
        with Image.open(path) as image:
            return image.convert("RGB")

    def picture_when(
        self, condition: Callable[[Image.Image], bool], within_s: float = 5
    ) -> Image.Image:
        """The first picture that meets ``condition``."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            image = self.picture()
            if condition(image):
                return image
        raise AssertionError(f"no such picture within {within_s} s")

    def close(self) -> int:
        """End the window; its exit status."""
        self._bench.close()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        status = self._process.wait(10)
        self._process.stdout.close()
        return status

    def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the window's process ended: {self._process.wait(5)}")
        news: dict[str, Any] = json.loads(line)
        return news


def middle(rect: list[int]) -> tuple[int, int]:
    """The pixel in the middle of a described rectangle."""
    x, y, width, height = rect
    return x + width // 2, y + height // 2
