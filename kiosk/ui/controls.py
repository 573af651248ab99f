"""What a finger may press: the base of all targets, and the plain button."""

from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from kivy.clock import Clock
from kivy.graphics import Color, InstructionGroup, PopMatrix, PushMatrix, Translate
from kivy.uix.widget import Widget

from kiosk.ui.drawing import Panel, icon
from kiosk.ui.kit import Box, Kit
from kiosk.ui.text import Style, Text
from kiosk.ui.tokens import (
    ACTION,
    ACTION_LIP,
    CARD,
    CARD_PRESSED,
    CLOSED,
    DARK,
    DARK_PRESSED,
    DROP,
    EDGE,
    EDGE_CONTRAST,
    FACE_RADIUS,
    INK,
    LIGHT,
    LIP,
    MUTED,
    ON_ACTION,
    ON_DARK,
    ON_LIGHT,
    PAPER,
    PRESS_UP_S,
    RADIUS,
)


@dataclass(frozen=True, slots=True)
class Look:
    """Colours by role and insets (left, top, right, bottom) of a face on its lip."""

    lip: str
    face: str
    pressed: str
    words: str
    insets: tuple[int, int, int, int]


PRIMARY = Look(ACTION_LIP, ACTION, ACTION_LIP, ON_ACTION, (0, 0, 0, DROP))
SECONDARY = Look(LIP, CARD, CARD_PRESSED, INK, (EDGE, EDGE, EDGE, EDGE + DROP))
ON_INK = Look(LIP, LIGHT, LIGHT, ON_LIGHT, (0, 0, 0, 10))
OUTLINE_ON_INK = Look(ON_DARK, DARK, DARK_PRESSED, ON_DARK, (4, 4, 4, 4))
UNAVAILABLE = Look(CLOSED, PAPER, PAPER, MUTED, (EDGE, EDGE, EDGE, EDGE))


def look_in(kit: Kit, look: Look) -> Look:
    """``look`` as the mode draws it: white on black, edges are lines of one width, no lips."""
    if not (kit.modes.contrast and look.insets[0]):
        return look
    return replace(look, insets=(EDGE_CONTRAST,) * 4)


class Touchable(Enum):
    """A control's one state.

    READY -touch down-> PRESSED -slides off-> SLID -slides back-> PRESSED -release-> READY, acted;
    SLID -release-> READY, nothing done; CLOSED takes no touch. Of two touches on one control the
    newest holds it.
    """

    READY = "ready"
    PRESSED = "pressed"
    SLID = "slid"
    CLOSED = "closed"


class Control(Widget):
    """A target: acts on a release inside, looks pressed from the same frame as the touch."""

    def __init__(self, kit: Kit, control_id: str, box: Box, look: Look) -> None:
        metrics = kit.metrics
        self.rect = metrics.rect(*box)
        super().__init__(pos=self.rect[:2], size=self.rect[2:])
        self.kit = kit
        self.control_id = control_id
        self.box = box
        self.label = ""  # its name as drawn, for the screen description
        self.spoken = ""
        self.state = Touchable.READY
        self._open_look = look_in(kit, look)
        self._touch: Any = None
        self._began_s = 0.0  # when it went down
        self._rise: Any = None
        self._lip = Panel(kit.rgba(look.lip), metrics.px(RADIUS), hollow=True)
        inset = bool(look.insets[0])
        self._face = Panel(kit.rgba(look.face), metrics.px(FACE_RADIUS if inset else RADIUS))
        self._shift = Translate(0, 0)
        for instruction in (self._lip.group, self._face.group, PushMatrix(), self._shift):
            self.canvas.before.add(instruction)
        self.canvas.after.add(PopMatrix())
        self._draw(down=False)

    @property
    def face(self) -> Box:
        """Where the face is while nobody presses it; reference pixels."""
        x, y, width, height = self.box
        left, top, right, below = self._open_look.insets
        return x + left, y + top, width - left - right, height - top - below

    @property
    def enabled(self) -> bool:
        """Whether a touch acts."""
        return self.state is not Touchable.CLOSED

    def open(self, is_open: bool) -> None:
        """Offer the control, or show it as unavailable: its text must then say why."""
        if is_open != self.enabled:
            self.cancel()
            self.state = Touchable.READY if is_open else Touchable.CLOSED
            self._draw(down=False)

    def cancel(self) -> None:
        """Forget a touch that is down: its release will not act."""
        self._touch = None
        if self._rise is not None:
            self._rise.cancel()
            self._rise = None
        if self.enabled:
            self.state = Touchable.READY
        self._draw(down=False)

    def press(self) -> bool:
        """Act as by a finger, for a key; False if no touch would be taken now."""
        touch_id = self.kit.guard.accept(self.kit.now_s()) if self.enabled else None
        if touch_id is None:
            return False
        self.kit.on_control(self.control_id, touch_id)
        return True

    def on_touch_down(self, touch: Any) -> bool:
        """Take the touch if it is on the target."""
        if not self.enabled or not self.collide_point(*touch.pos):
            return False
        self._began_s = self.kit.now_s()
        if not self.kit.guard.admit(self._began_s):
            return True
        if self._rise is not None:
            self._rise.cancel()
            self._rise = None
        self._touch = touch
        self.state = Touchable.PRESSED
        touch.grab(self)
        self._draw(down=True)
        return True

    def on_touch_move(self, touch: Any) -> bool:
        """Rise when the finger slides off, sink when it comes back."""
        if touch.grab_current is not self or touch is not self._touch:
            return False
        inside = self.collide_point(*touch.pos)
        self.state = Touchable.PRESSED if inside else Touchable.SLID
        self._draw(down=inside)
        return True

    def on_touch_up(self, touch: Any) -> bool:
        """Act if the touch that holds the control is released inside it."""
        if touch.grab_current is not self:
            return False
        touch.ungrab(self)
        if touch is not self._touch:
            return True
        self._touch = None
        self.state = Touchable.READY
        self._rise = Clock.schedule_once(lambda _: self._draw(down=False), PRESS_UP_S)
        if self.collide_point(*touch.pos):
            touch_id = self.kit.guard.accept(self.kit.now_s(), self._began_s)
            if touch_id is not None:
                touch.ud["accepted"] = (self.control_id, touch_id)
                self.kit.on_control(self.control_id, touch_id)
        return True

    def _draw(self, *, down: bool) -> None:
        look = self._open_look if self.enabled else look_in(self.kit, UNAVAILABLE)
        left, bottom, width, height = self.rect
        into = [self.kit.metrics.px(length) for length in look.insets]
        drop = self.kit.metrics.px(DROP) if down else 0
        lip_below = max(into[3] - into[1], 0)
        if not self.enabled or down:
            into[3] = into[1]
        lip_top = bottom + height - drop
        lip_bottom = bottom if (down or self.enabled) else bottom + lip_below
        self._lip.place((left, lip_bottom, width, lip_top - lip_bottom))
        face_bottom = lip_bottom + into[3]
        face_height = lip_top - into[1] - face_bottom
        self._face.place((left + into[0], face_bottom, width - into[0] - into[2], face_height))
        self._lip.paint(self.kit.rgba(look.pressed if down and not look.insets[0] else look.lip))
        self._face.paint(self.kit.rgba(look.pressed if down else look.face))
        self._shift.y = -drop


def by_rows(controls: list[Control]) -> list[Control]:
    """``controls``, which go from top to bottom, with each run of those side by side from left to
    right: a row that is mirrored for the left hand is read and stepped through like any other.
    """
    ordered: list[Control] = []
    row: list[Control] = []
    for control in controls:
        if row and abs(control.top - row[-1].top) >= control.height / 2:
            ordered += sorted(row, key=_left_edge)
            row = []
        row.append(control)
    return ordered + sorted(row, key=_left_edge)


def _left_edge(control: Control) -> float:
    return float(control.x)


class Icon(Widget):
    """An icon in one colour; may change to another one in the same place."""

    def __init__(self, kit: Kit, role: str) -> None:
        super().__init__(size=(0, 0))
        self._metrics = kit.metrics
        self._shown: tuple[str, float, float, float] | None = None
        self._strokes = InstructionGroup()
        self.canvas.add(Color(*kit.rgba(role)))
        self.canvas.add(self._strokes)

    def show(self, name: str, x: float, y: float, size: float) -> None:
        """Draw the icon with its grid's top left corner at reference (x, y)."""
        if self._shown == (name, x, y, size):
            return
        self._shown = (name, x, y, size)
        self._strokes.clear()
        metrics = self._metrics
        self._strokes.add(icon(name, metrics.x(x), metrics.y(y), size * metrics.scale))
        self.canvas.ask_update()


class PushButton(Control):
    """A label in the middle of its face, with an icon before it or none."""

    GAP = 24
    MARGIN = 16

    def __init__(
        self,
        kit: Kit,
        control_id: str,
        box: Box,
        look: Look,
        *,
        px: float,
        icon: str = "",
        icon_px: float = 64,
        gap: float = GAP,
    ) -> None:
        super().__init__(kit, control_id, box, look)
        self._style = Style(px, bold=True, colour=look.words)
        self._icon_name, self._icon_px, self._gap = icon, icon_px, gap
        self._text = Text(kit, self._style)
        self._icon = Icon(kit, look.words)
        self.add_widget(self._icon)
        self.add_widget(self._text)

    def become(self, control_id: str, icon: str) -> None:
        """Be another target in the same place from the next :meth:`write` on; a button without
        an icon stays without.
        """
        if control_id != self.control_id:
            self.cancel()
            self.control_id = control_id
            self._icon_name = icon if self._icon_name else ""

    def write(self, label: str, spoken: str = "") -> None:
        """Set the label and centre it, by its ink's height, with its icon."""
        x, y, width, height = self.box
        _, top, _, below = self._open_look.insets
        lead = self._icon_px + self._gap if self._icon_name else 0.0
        room = width - 2 * max(self.MARGIN, 0.04 * width) - lead
        metrics = self.kit.metrics
        self._text.write(label)
        middle = y + (height + top - below) / 2
        self._text.place(x, middle, room)
        text_width = self._text.width / metrics.scale
        # By its texture: ascent 1.16 em, descent 0.288 em.
        baseline = middle + 0.436 * self._text.font_px / metrics.scale
        left = x + (width - lead - text_width) / 2
        self._text.place(left + lead, baseline, room)
        if self._icon_name:
            self._icon.show(self._icon_name, left, middle - self._icon_px / 2, self._icon_px)
        self.label = label
        self.spoken = spoken or label
