"""The kiosk's window: shows views, reports accepted touches, tells what is on the screen."""

import asyncio
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiosk.catalogue import Catalogue
from kiosk.ui import WindowError, environment, fonts
from kiosk.ui.tokens import DAY, Metrics, Palette
from kiosk.ui.touch import TouchGuard
from kiosk.ui.touch_map import AS_IT_COMES, TouchMap
from kiosk.view import CONTROL_ACCESS, CONTROL_FEEDBACK, CONTROL_HELP, CONTROL_NO_SLIP, View

if TYPE_CHECKING:
    from PIL import Image

# Controls that are always answered. "Done", the acknowledgement and the services are, too.
SERVED = frozenset({"language", CONTROL_ACCESS, CONTROL_FEEDBACK, CONTROL_HELP, CONTROL_NO_SLIP})

_one_in_a_process = False


class KioskWindow:
    """The one window of the process, on the running asyncio loop once :meth:`run` is awaited.

    ``on_control(control_id, touch_id)`` is called on the loop for each accepted release;
    ``touch_id`` is never used twice. ``served`` names the optional controls that are answered
    (``feedback, listen, person``); the others are not drawn. ``on_description(description)`` is
    called after each frame that changes it.
    """

    def __init__(
        self,
        *,
        size: tuple[int, int],
        pixel_pitch_mm: float,
        catalogue: Catalogue,
        on_control: Callable[[str, str], None],
        fullscreen: bool = False,
        title: str = "Lobby",
        served: Collection[str] = SERVED,
        kivy_home: Path | None = None,
        now_s: Callable[[], float] = time.monotonic,
        on_description: Callable[[dict[str, Any]], None] = lambda _: None,
        palette: Palette = DAY,
        touch_map: TouchMap = AS_IT_COMES,
        touch_device: str = "",
    ) -> None:
        """Open the window, empty; raise :class:`WindowError` or ``FontError`` if it cannot be."""
        global _one_in_a_process
        metrics = Metrics(size, pixel_pitch_mm)
        faces = fonts.load()
        if _one_in_a_process:
            raise WindowError("a process has one kiosk window; show views in the first one")
        environment.prepare(
            size, fullscreen=fullscreen, kivy_home=kivy_home, touch_device=touch_device
        )
        _one_in_a_process = True
        try:
            from kiosk.ui.stage import Stage, opened
        except SystemExit as error:  # Kivy exits when no window provider works
            raise WindowError(_NO_DISPLAY) from error
        from kiosk.ui.kit import Kit

        if not opened():
            raise WindowError(_NO_DISPLAY)
        if touch_map != AS_IT_COMES:
            from kiosk.ui.calibrated import calibrate

            calibrate(touch_map)
        self.guard = TouchGuard()
        self.first_frame = asyncio.Event()
        self._revision = 0
        self._description: dict[str, Any] = {}
        self._news = asyncio.Event()
        self._waiting: list[asyncio.Future[None]] = []
        self._on_description = on_description
        kit = Kit(
            metrics,
            faces,
            catalogue,
            self.guard,
            now_s,
            on_control,
            frozenset(served) | SERVED,
            day=palette,
        )
        self._stage = Stage(kit, title, self._framed)

    @property
    def view(self) -> View | None:
        """What was shown last."""
        return self._stage.view

    def show(self, view: View) -> None:
        """Draw ``view`` with the next frame; costs nothing if it is what is shown already."""
        self._stage.show(view)

    def focus(self, control: str) -> None:
        """Mark a control with the next frame, "" for none."""
        self._stage.focus(control)

    def press(self, control: str) -> bool:
        """Press a control as a finger would; False if it takes no press now."""
        return self._stage.press(control)

    async def run(self) -> None:
        """Draw and take touches until :meth:`stop` or until the window is closed."""
        await self._stage.async_run("asyncio")

    async def frame(self) -> None:
        """Return once a frame that began after this call is on the screen."""
        drawn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(drawn)
        self._stage.ask_frame()
        await drawn

    @property
    def frames(self) -> tuple[int, int]:
        """Frames drawn and dropped since the start, see :mod:`kiosk.ui.frames`."""
        return self._stage.frames.drawn, self._stage.frames.dropped

    def stop(self) -> None:
        """Close the window; :meth:`run` returns."""
        self._stage.stop()

    def pixels(self) -> "Image.Image":
        """The window's pixels."""
        return self._stage.pixels()

    def screenshot(self, path: Path) -> None:
        """Write the window's pixels to exactly ``path`` as PNG; raise :class:`WindowError`."""
        self._stage.capture(path)

    def describe(self) -> dict[str, Any]:
        """The screen description of the last frame, see :mod:`kiosk.ui.describe`.

        Raises :class:`WindowError` before the first frame.
        """
        if not self._revision:
            raise WindowError("nothing is drawn yet, so there is nothing to describe")
        return {"revision": self._revision, **self._description}

    async def describe_after(self, revision: int, timeout_s: float) -> dict[str, Any]:
        """The description once its revision is greater than ``revision``, or after the time."""
        try:
            async with asyncio.timeout(timeout_s):
                while self._revision <= revision:
                    await self._news.wait()
        except TimeoutError:
            pass
        return self.describe()

    def _framed(self, changed: bool) -> None:
        waiting, self._waiting = self._waiting, []
        for drawn in waiting:
            if not drawn.done():
                drawn.set_result(None)
        if not changed:
            return
        description = self._stage.describe()
        if description != self._description:
            self._description = description
            self._revision += 1
            news, self._news = self._news, asyncio.Event()
            news.set()
            self._on_description(description)
        if not self.first_frame.is_set():
            self.first_frame.set()
            self._stage.build_ahead()


_NO_DISPLAY = (
    "no window can be opened: there is no display (set DISPLAY, or run under Xvfb) "
    "or no OpenGL driver (install Mesa)"
)
