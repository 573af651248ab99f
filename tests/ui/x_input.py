"""A keyboard, a mouse and a window manager's word at a real X display, by Xlib and XTEST."""

import ctypes
import ctypes.util
from types import TracebackType
from typing import Self

CLIENT_MESSAGE = 33


class _ClientMessage(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("serial", ctypes.c_ulong),
        ("send_event", ctypes.c_int),
        ("display", ctypes.c_void_p),
        ("window", ctypes.c_ulong),
        ("message_type", ctypes.c_ulong),
        ("format", ctypes.c_int),
        ("data", ctypes.c_long * 5),
        ("rest", ctypes.c_long * 24),  # an XEvent is longer than this one of its kinds
    )


class XInput:
    """One connection to ``display``."""

    def __init__(self, display: str) -> None:
        self._x, self._test = ctypes.CDLL("libX11.so.6"), ctypes.CDLL("libXtst.so.6")
        self._x.XOpenDisplay.restype = ctypes.c_void_p
        self._x.XDefaultRootWindow.restype = ctypes.c_ulong
        self._x.XInternAtom.restype = ctypes.c_ulong
        self._x.XStringToKeysym.restype = ctypes.c_ulong
        self._display = ctypes.c_void_p(self._x.XOpenDisplay(display.encode()))
        assert self._display.value, f"no X display {display}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._x.XCloseDisplay(self._display)

    def press(self, keys: str) -> None:
        """Press a combination such as ``Control_L+Alt_L+Delete`` and let it go."""
        codes = [self._code(name) for name in keys.split("+")]
        for code in codes:
            self._test.XTestFakeKeyEvent(self._display, code, 1, 0)
        for code in reversed(codes):
            self._test.XTestFakeKeyEvent(self._display, code, 0, 0)
        self._x.XSync(self._display, 0)

    def click(self, x: int, y: int, button: int) -> None:
        """Press and release a button of the mouse at a place; 4 and 5 are the wheel."""
        self._test.XTestFakeMotionEvent(self._display, -1, x, y, 0)
        for down in (1, 0):
            self._test.XTestFakeButtonEvent(self._display, button, down, 0)
        self._x.XSync(self._display, 0)

    def focus(self) -> list[int]:
        """Give the keyboard to the topmost windows, as a window manager does; returns them."""
        found = self._children(self._x.XDefaultRootWindow(self._display))
        for window in found:
            self._x.XSetInputFocus(self._display, ctypes.c_ulong(window), 1, 0)
        self._x.XSync(self._display, 0)
        return found

    def ask_to_close(self) -> None:
        """Say WM_DELETE_WINDOW to every window, as Alt+F4 makes a window manager do."""
        for window in self._children(self._x.XDefaultRootWindow(self._display)):
            event = _ClientMessage(type=CLIENT_MESSAGE, window=window, format=32)
            event.message_type = self._atom("WM_PROTOCOLS")
            event.data[0] = self._atom("WM_DELETE_WINDOW")
            self._x.XSendEvent(
                self._display, ctypes.c_ulong(window), 0, ctypes.c_long(0), ctypes.byref(event)
            )
        self._x.XSync(self._display, 0)

    def _atom(self, name: str) -> int:
        return int(self._x.XInternAtom(self._display, name.encode(), 0))

    def _code(self, name: str) -> int:
        symbol = self._x.XStringToKeysym(name.encode())
        assert symbol, f"no key is called {name}"
        code = self._x.XKeysymToKeycode(self._display, ctypes.c_ulong(symbol))
        assert code, f"this keyboard has no {name}"
        return int(code)

    def _children(self, window: int) -> list[int]:
        root, parent = ctypes.c_ulong(), ctypes.c_ulong()
        children, count = ctypes.POINTER(ctypes.c_ulong)(), ctypes.c_uint()
        self._x.XQueryTree(
            self._display, ctypes.c_ulong(window), ctypes.byref(root), ctypes.byref(parent),
            ctypes.byref(children), ctypes.byref(count),
        )  # fmt: skip
        found = [int(children[n]) for n in range(count.value)]
        if count.value:
            self._x.XFree(children)
        return found
