""" "Still there?": a card over the screen that waits, its buttons below the middle."""

from typing import Any

from kiosk.ui.controls import PRIMARY, SECONDARY, PushButton
from kiosk.ui.drawing import Panel
from kiosk.ui.kit import Box, Kit
from kiosk.ui.page import Page
from kiosk.ui.text import Style
from kiosk.ui.tokens import CARD, INK, LIP, MUTED, SCRIM
from kiosk.view import CONTROL_FINISH, CONTROL_STAY, IdleView


class IdlePage(Page):
    """The number counts, the bar drains, one big key keeps everything."""

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit, SCRIM)
        large = self.large
        x, y, width, height = (48, 700, 984, 900) if large else (140, 60, 1000, 680)
        self.add_panel(LIP, (x, y, width, height), 36)
        self.add_panel(CARD, (x + 5, y + 5, width - 10, height - 10), 31)
        inner = x + (64 if large else 48), width - (128 if large else 96)
        left, room = inner
        count_px = 168 if large else 120
        self._count = self.add_text(
            Style(count_px, True, INK, "right"), left + room, y + (193 if large else 130)
        )
        self._title_text = self.add_text(
            Style(104 if large else 72, True), left, y + (160 if large else 110), room - 220
        )
        self._body = self.add_lines(
            Style(56 if large else 60),
            left,
            y + (266 if large else 208),
            80 if large else 72,
            room,
        )
        self._unit = self.add_text(
            Style(50, colour=MUTED, align="right"), left + room, y + 426, room
        )
        self._bar_box: Box = (left, y + (460 if large else 308), room, 24)
        self._bar = Panel(kit.rgba(INK), kit.metrics.px(12))
        self.canvas.add(self._bar.group)
        stay: Box = (left, y + 520, room, 190) if large else (left, y + 360, room, 150)
        finish: Box = (left, y + 736, room, 124) if large else (left, y + 530, room, 124)
        self._stay = self.add_control(
            PushButton(kit, CONTROL_STAY, stay, PRIMARY, px=104 if large else 72)
        )
        self._finish = self.add_control(PushButton(kit, CONTROL_FINISH, finish, SECONDARY, px=60))

    def on_touch_down(self, touch: Any) -> bool:
        """Nothing behind the card reacts."""
        super().on_touch_down(touch)
        return True

    def update(self, view: IdleView) -> None:
        """Write the seconds that are left."""
        self.language = view.language
        self._title_text.write(self.say("idle.title"))
        self._count.write(str(view.left_s))
        self._body.write(self.say("idle.body"))
        self._unit.write(self.say("idle.count") if self.large else "")
        x, y, width, height = self._bar_box
        share = max(min(view.left_s / view.whole_s, 1.0), 0.03)
        self._bar.place(self.kit.metrics.rect(x, y, width * share, height))
        self._stay.write(self.say("idle.go"))
        self._finish.write(self.say("idle.stop"))
