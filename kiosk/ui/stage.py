"""The Kivy side of the window: one page at a time, and what happens with each frame.

Imported by :class:`kiosk.ui.window.KioskWindow` after Kivy's environment is prepared: importing
``kivy.core.window`` opens the window.
"""

import asyncio
import gc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kivy.app import App
from kivy.base import EventLoop
from kivy.clock import Clock
from kivy.core.window import Window
from kivy.graphics.opengl import GL_RGB, GL_UNSIGNED_BYTE, glPixelStorei, glReadPixels
from kivy.lang import Builder
from kivy.uix.widget import Widget

from kiosk.spoken import introduction
from kiosk.ui import WindowError
from kiosk.ui.controls import Control
from kiosk.ui.corners import Corners
from kiosk.ui.describe import Description, describe, read
from kiosk.ui.focus import FocusRing
from kiosk.ui.frames import FrameCount
from kiosk.ui.kit import Kit
from kiosk.ui.lockdown import Ground, lock
from kiosk.ui.page import MARGIN, MARGIN_SMALL, Page
from kiosk.ui.screens import BUILDERS, LATER, page_name
from kiosk.ui.text import Text
from kiosk.ui.tokens import PAPER
from kiosk.view import CONTROL_TECHNICIAN, PLAIN, AttractView, IdleView, Modes, View

if TYPE_CHECKING:
    from PIL import Image

GL_PACK_ALIGNMENT = 0x0D05  # not among Kivy's names; rows of three bytes are not padded with it
_SPARE_S = 0.25  # between building pages that are not needed yet


class Stage(App):
    """Holds the pages; each is built at its first showing or, before that, when there is time."""

    def __init__(self, kit: Kit, title: str, on_frame: Callable[[bool], None]) -> None:
        """``on_frame(changed)`` is called with each frame; changed: a view was shown before it."""
        super().__init__()
        self.title = title
        self._on_control = kit.on_control
        self._answering = False
        self._kit = kit = replace(kit, on_control=self._pressed)
        self._on_frame = on_frame
        metrics = kit.metrics
        margin = MARGIN if metrics.large else MARGIN_SMALL
        self._corners = Corners(metrics.size, metrics.px(margin))
        self._root = Ground(metrics.size, self._felt)
        self._pages: dict[tuple[str, Modes], Page] = {}
        self._page: Page | None = None
        self._over: Page | None = None
        self._view: View | None = None
        self._changed = False
        self._focus = ""
        self._ring = FocusRing()
        self._root.canvas.after.add(self._ring.group)
        Window.clearcolor = kit.rgba(PAPER)
        Window.bind(on_flip=self._flipped)
        self.frames = FrameCount(Window)
        lock(Window)
        EventLoop.async_idle = self._idle

    def build(self) -> Widget:
        """Kivy asks for the root here."""
        return self._root

    def get_application_config(self, *_: Any) -> None:
        """No configuration file of Kivy's own making."""

    def open_settings(self, *_: Any) -> bool:
        """A kiosk has no settings panel."""
        return False

    def _install_settings_keys(self, _window: Any) -> None:
        """Nor a key for it: it would be asked before ours."""

    @property
    def view(self) -> View | None:
        """What was shown last."""
        return self._view

    def show(self, view: View) -> None:
        """Draw ``view`` with the next frame."""
        if view == self._view:
            return
        if self._comes_unasked(view):
            self._kit.guard.rest(self._kit.now_s())
        self._lay(view.behind if isinstance(view, IdleView) else view)
        over: Page | None = None
        if isinstance(view, IdleView):
            over = self._built(page_name(view), view.modes)
            over.update(view)
        self._cover(over)
        self._view = view
        self._mark()

    def focus(self, control_id: str) -> None:
        """Draw the ring round this control wherever it is on a page, "" for none."""
        self._focus = control_id
        self._mark()

    def press(self, control_id: str) -> bool:
        """Press a control as by a finger; False if it is not there or takes no touch now."""
        control = self._control(control_id)
        return control is not None and control.press()

    def _control(self, control_id: str) -> Control | None:
        page = self._over or self._page
        controls = page.controls() if page is not None and control_id else []
        return next((c for c in controls if c.control_id == control_id), None)

    def _mark(self) -> None:
        page = self._over or self._page
        if page is not None:
            self._ring.draw(self._control(self._focus), page.kit)
        self._changed = True
        # A change that draws the same pixels still gets its frame, so that a reader sees it.
        self.ask_frame()

    def ask_frame(self) -> None:
        """Draw the next frame even if nothing has changed."""
        Window.canvas.ask_update()

    def _comes_unasked(self, view: View) -> bool:
        """Whether another screen comes, and not as the answer to a touch. On the public words a
        touch presses nothing, so nobody can mean another one.
        """
        if self._view is None or self._answering or isinstance(view, AttractView):
            return False
        return view.screen is not self._view.screen

    def _pressed(self, control_id: str, touch_id: str) -> None:
        """What is shown meanwhile is the answer to this touch."""
        self._answering = True
        try:
            self._on_control(control_id, touch_id)
        finally:
            self._answering = False

    def _lay(self, view: View) -> None:
        page = self._built(page_name(view), view.modes)
        page.update(view)
        if page is self._page:
            return
        if self._page is not None:
            self._page.leave()
            self._root.remove_widget(self._page)
        self._page = page
        Window.clearcolor = page.ground
        self._root.add_widget(page, index=len(self._root.children))
        self._forget(view.modes)

    def _cover(self, page: Page | None) -> None:
        """Lay ``page`` over the one that is shown, or take it away."""
        if self._over is page:
            return
        if self._over is not None:
            self._over.leave()
            self._root.remove_widget(self._over)
        if page is not None:
            if self._page is not None:
                self._page.leave()
            self._root.add_widget(page)
        self._over = page

    def build_ahead(self) -> None:
        """Build the pages that were not shown yet, one at a time between frames."""
        plain = [name for name in BUILDERS if name not in LATER]
        missing = [name for name in plain if (name, PLAIN) not in self._pages]
        if missing:
            self._built(missing[0], PLAIN)
            Clock.schedule_once(lambda _: self.build_ahead(), _SPARE_S)
            return
        gc.collect()
        gc.freeze()  # what is here stays: nothing has to walk it again

    def describe(self) -> Description:
        """What is laid out now; raise :class:`WindowError` before the first view."""
        if self._view is None:
            raise WindowError("nothing is shown yet, so there is nothing to describe")
        view, root = self._view, self._over or self._root
        focused = self._control(self._focus)
        return {
            **describe(root, view.screen.value, view.language),
            "spoken": introduction(self._kit.catalogue, view) or read(root, view),
            "focus": "" if focused is None else self._focus,
        }

    def pixels(self) -> "Image.Image":
        """Draw the window once more; its pixels."""
        from PIL import Image  # 30 ms that the first frame need not wait for

        width, height = Window.size
        Window.dispatch("on_draw")
        glPixelStorei(GL_PACK_ALIGNMENT, 1)
        pixels = glReadPixels(0, 0, width, height, GL_RGB, GL_UNSIGNED_BYTE)
        Window.dispatch("on_flip")
        image = Image.frombytes("RGB", (width, height), pixels)
        return image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)

    def capture(self, path: Path) -> None:
        """Write the window's pixels to ``path``."""
        try:
            self.pixels().save(path, format="PNG", compress_level=3)
        except OSError as error:
            raise WindowError(f"{path}: cannot be written: {error.strerror}") from error

    async def _idle(self) -> bool:
        """One frame as Kivy's own loop makes it, with one turn of the loop between a touch that
        counted and the drawing: what it has begun, above all the slip, does not wait for a frame.
        """
        await Clock.async_tick()
        if not EventLoop.quit:
            accepted = self._kit.guard.accepted
            EventLoop.dispatch_input()
            if self._kit.guard.accepted != accepted:
                await asyncio.sleep(0)
            Builder.sync()
            Clock.tick_draw()
            Builder.sync()
        if not EventLoop.quit and Window.canvas.needs_redraw:
            Window.dispatch("on_draw")
            Window.dispatch("on_flip")
        return bool(EventLoop.quit)

    def _felt(self, x: float, y: float) -> None:
        """The hidden gesture counts as a control of its own."""
        if self._corners.touch(x, y, self._kit.now_s()):
            touch_id = self._kit.guard.accept(self._kit.now_s())
            if touch_id is not None:
                self._kit.on_control(CONTROL_TECHNICIAN, touch_id)

    def _built(self, name: str, modes: Modes) -> Page:
        if (name, modes) not in self._pages:
            self._pages[name, modes] = BUILDERS[name](replace(self._kit, modes=modes))
        return self._pages[name, modes]

    def _forget(self, modes: Modes) -> None:
        """Keep the plain pages and those of this visitor's modes: memory stays bounded. The
        pictures of texts go at once; a page is a ring of references, and Python is told to look.
        """
        gone = [key for key in self._pages if key[1] not in (PLAIN, modes)]
        if gone:
            Clock.schedule_once(lambda _: gc.collect(), _SPARE_S)
        for key in gone:
            for widget in self._pages.pop(key).walk(restrict=True):
                if isinstance(widget, Text):
                    widget.release()

    def _flipped(self, *_: Any) -> None:
        changed, self._changed = self._changed, False
        self._on_frame(changed)


def opened() -> bool:
    """Whether Kivy found a display and opened its window."""
    return Window is not None
