"""The screen description: what is laid out in the window right now, as plain data.

It is taken from the widgets that are drawn, not from the view, so that a test, the audio guide or
a simulated person sees what a visitor sees.

Shape (pixels of the window, y downwards)::

    {"revision": 7, "screen": "home", "language": "en", "size": [1080, 1920],
     "controls": [{"id": "service.A", "label": "Cash", "rect": [48, 424, 984, 228],
                   "spoken": "Cash, 6 ahead, about 15 to 25 minutes.", "enabled": true}, ...],
     "spoken": "What do you need?", "focus": "service.A",
     "texts": [{"text": "10:24", "rect": [782, 21, 250, 139], "font_px": 96, "baseline": 132,
                "room_px": null, "shortened": false}, ...]}
"""

from collections.abc import Iterator
from typing import Any

from kivy.uix.widget import Widget

from kiosk.spoken import sentence
from kiosk.ui.controls import Control, by_rows
from kiosk.ui.text import Figure, Lines, Text
from kiosk.view import View

Description = dict[str, Any]


def describe(root: Widget, screen: str, language: str) -> Description:
    """What ``root``'s tree draws, without a revision, ``spoken`` and ``focus``."""
    width, height = (int(length) for length in root.size)
    widgets = list(_walk(root))
    controls = [widget for widget in widgets if isinstance(widget, Control)]
    return {
        "screen": screen,
        "language": language,
        "size": [width, height],
        "controls": [_control(c, height) for c in by_rows(controls)],
        "texts": [_text(w, height) for w in widgets if isinstance(w, Text) and w.text],
    }


def read(root: Widget, view: View) -> str:
    """The texts of a page that stand on no control, from top to bottom, without branch and time:
    what a screen says that has no words of its own (kiosk/spoken.py).
    """
    language, header = view.language, view.header
    passed_over = {header.clock, header.date[language], header.branch[language]}
    found: list[tuple[float, float, str]] = []

    def look(widget: Widget) -> None:
        for child in reversed(widget.children):
            if isinstance(child, Lines | Figure):
                lines = [line for line in reversed(child.children) if line.text]
                between = "\n" if isinstance(child, Lines) else ""
                if lines:
                    found.append((-lines[0].top, lines[0].x, between.join(t.text for t in lines)))
            elif isinstance(child, Text):
                if child.text and child.text not in passed_over:
                    found.append((-child.top, child.x, child.text))
            elif not isinstance(child, Control):
                look(child)

    look(root)
    return " ".join(sentence(text, language) for _, _, text in sorted(found))


def _walk(widget: Widget) -> Iterator[Widget]:
    for child in reversed(widget.children):  # Kivy keeps the newest first
        yield child
        yield from _walk(child)


def _rect(widget: Widget, height: int) -> list[int]:
    x, y, wide, high = (round(length) for length in (*widget.pos, *widget.size))
    return [x, height - y - high, wide, high]


def _control(control: Control, height: int) -> dict[str, Any]:
    return {
        "id": control.control_id,
        "label": control.label,
        "rect": _rect(control, height),
        "spoken": control.spoken,
        "enabled": control.enabled,
    }


def _text(text: Text, height: int) -> dict[str, Any]:
    rect = _rect(text, height)
    return {
        "text": text.text,
        "rect": rect,
        "font_px": text.font_px,
        "baseline": rect[1] + text.ascent_px,
        "room_px": text.room_px,
        "shortened": text.shortened,
    }
