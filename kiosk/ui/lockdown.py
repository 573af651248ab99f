"""No way out of the window: not by a key, not by a mouse, not by asking it to close.

Kivy quits on Escape, opens its settings on F1 and closes when a window manager asks; this one does
none of it. It ends by SIGTERM, and nothing else (docs/runbook.md has the machine around it).
"""

from collections.abc import Callable
from typing import Any

from kivy.uix.widget import Widget

_KEYS = ("on_keyboard", "on_key_down", "on_key_up", "on_textinput", "on_textedit")


class Ground(Widget):
    """Lies under all pages; lets fingers and the left button through, no other, no wheel.

    ``felt(x, y)`` is told of each touch that goes down, window pixels, y downwards.
    """

    def __init__(self, size: tuple[int, int], felt: Callable[[float, float], None]) -> None:
        super().__init__(size=size)
        self._felt = felt

    def on_touch_down(self, touch: Any) -> bool:
        """Hand a touch on to the page."""
        if "button" in touch.profile and touch.button != "left":
            return True
        self._felt(touch.x, self.height - 1 - touch.y)
        return bool(super().on_touch_down(touch))


def lock(window: Any) -> None:
    """Refuse keys and requests to close. A handler that is bound later is asked before."""
    window.bind(on_request_close=_refuse, **dict.fromkeys(_KEYS, _refuse))


def _refuse(*_: Any, **__: Any) -> bool:
    """Handled, says Kivy's protocol: nobody behind is asked."""
    return True
