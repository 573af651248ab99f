"""The ticket is issued: where the paper is, the number, how long."""

from typing import Any

from kivy.clock import Clock
from kivy.graphics import Color
from kivy.uix.widget import Widget

from kiosk.ui.controls import PRIMARY, SECONDARY, Icon, PushButton
from kiosk.ui.drawing import chevron
from kiosk.ui.kit import Box, Kit
from kiosk.ui.page import GAP, MARGIN, MARGIN_SMALL, WIDTH, WIDTH_SMALL, HeaderBand, Page, Plate
from kiosk.ui.text import Style
from kiosk.ui.tokens import (
    CHEVRON_S,
    CHEVRONS_FOR_S,
    CLEAR,
    INK,
    LIP,
    MUTED,
    RULE,
)
from kiosk.ui.waiting import WaitColumn, figures
from kiosk.ui.waits import wait_words
from kiosk.view import (
    CONTROL_ANYWHERE,
    CONTROL_DONE,
    CONTROL_LISTEN,
    CONTROL_NO_SLIP,
    Printing,
    TicketView,
)

_ICONS = {CONTROL_LISTEN: "sound", CONTROL_NO_SLIP: "slip", CONTROL_DONE: "check"}
_KEYS = {CONTROL_LISTEN: "listen", CONTROL_NO_SLIP: "ticket.noslip", CONTROL_DONE: "done"}
_PHASES = ((INK, RULE, LIP), (LIP, INK, RULE), (RULE, LIP, INK))  # lit from top to bottom


class Chevrons(Widget):
    """Three chevrons that point to the slip; they light up one after another, then stand."""

    def __init__(self, kit: Kit, x: float, y: float) -> None:
        super().__init__(size=(0, 0))
        self._kit, metrics = kit, kit.metrics
        self._colours: list[Any] = []
        self._ticks: Any = None
        self._step = 0
        for number in range(3):
            paint = Color(*kit.rgba(RULE))
            self.canvas.add(paint)
            left, top = metrics.x(x + 8), metrics.y(y + 8 + 40 * number)
            scale = metrics.scale
            self.canvas.add(chevron(left, top, 136 * scale, 42 * scale, 16 * scale))
            self._colours.append(paint)

    def start(self) -> None:
        """Light them up from the top, for 12 s."""
        self.stop()
        self._step = 0
        self._paint(_PHASES[0])
        self._ticks = Clock.schedule_interval(self._tick, CHEVRON_S)

    def stop(self) -> None:
        """Stand still, the last one lit."""
        if self._ticks is not None:
            self._ticks.cancel()
            self._ticks = None
        self._paint(_PHASES[-1])

    def wait(self) -> None:
        """All pale: there is no slip to take yet."""
        self.stop()
        self._paint((RULE, RULE, RULE))

    def _tick(self, _elapsed_s: float) -> None:
        self._step += 1
        if self._step * CHEVRON_S >= CHEVRONS_FOR_S:
            self.stop()
        else:
            self._paint(_PHASES[self._step % len(_PHASES)])

    def _paint(self, colours: tuple[str, ...]) -> None:
        for paint, colour in zip(self._colours, colours, strict=True):
            paint.rgba = self._kit.rgba(colour)


class TicketPage(Page):
    """Read at arm's length in one second."""

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self._header = HeaderBand(self)
        self._printing: Printing | None = None
        self._number = ""
        self._bare: Any = None
        self._bare_s = 0.0  # when it went down
        if self.large:
            self._title = self.add_text(Style(104, True), MARGIN, 315, 784)
            self._where = self.add_text(Style(50, colour=MUTED), MARGIN, 389, 820)
            self._sign = Icon(kit, INK)
            self.add_widget(self._sign)
            self._plate = Plate(self, (48, 440, 984, 500), px=348, baseline=880, words=536)
            caption, value = Style(48, colour=MUTED), Style(112, True)
            lines = Style(48)
            self._rule = self.add_panel(RULE, (364, 988, 3, 176), 1)
            self._chevrons = Chevrons(kit, 464, 1752)
        else:
            self._plate = Plate(self, (32, 124, 780, 344), px=300, baseline=442, words=188)
            caption, value = Style(60, colour=MUTED), Style(80, True)
            lines = Style(60)
            self._chevrons = Chevrons(kit, 1096, 636)
        self._ahead = WaitColumn(self, caption, value)
        self._wait = WaitColumn(self, caption, value)
        unknown = Style(64, True) if self.large else Style(60)
        self._unknown = self.add_text(unknown, MARGIN, 1100, WIDTH)
        self._first = self.add_text(lines, 0, 0)
        self._second = self.add_text(lines, 0, 0)
        self.add_widget(self._chevrons)
        self._buttons = [self._button(*place) for place in self._places()]

    def on_touch_down(self, touch: Any) -> bool:
        """Remember a touch that meets no control: the next visitor's hand."""
        if super().on_touch_down(touch):
            return True
        now_s = self.kit.now_s()
        if self.kit.guard.admit(now_s):
            self._bare, self._bare_s = touch, now_s
        return False

    def on_touch_up(self, touch: Any) -> bool:
        """Its release clears the screen, as "done" does."""
        if touch is self._bare:
            self._bare = None
            touch_id = self.kit.guard.accept(self.kit.now_s(), self._bare_s)
            if touch_id is not None:
                touch.ud["accepted"] = (CONTROL_ANYWHERE, touch_id)
                self.kit.on_control(CONTROL_ANYWHERE, touch_id)
                return True
        return bool(super().on_touch_up(touch))

    def _places(self) -> list[tuple[str, Box]]:
        ids = [name for name in (CONTROL_LISTEN, CONTROL_NO_SLIP) if name in self.kit.served]
        if self.large:
            each = (WIDTH - GAP * (len(ids) - 1)) / max(len(ids), 1)
            row = self._row(ids, each + GAP, (MARGIN, 1380, each, 148))
            return [*row, (CONTROL_DONE, (MARGIN, 1552, WIDTH, 160))]
        ids.append(CONTROL_DONE)
        each = (1040 - 16 * (len(ids) - 1)) / len(ids)
        return self._row(ids, each + 16, (MARGIN_SMALL, 640, each, 128))

    def _row(self, ids: list[str], step: float, first: Box) -> list[tuple[str, Box]]:
        """The arrows beside it show where the slip comes out, so they stay for either hand."""
        x, y, width, height = first
        boxes = self.for_hand(*((x + n * step, y, width, height) for n in range(len(ids))))
        return list(zip(ids, boxes, strict=True))

    def _button(self, control_id: str, box: Box) -> PushButton:
        done = control_id == CONTROL_DONE
        look = PRIMARY if done else SECONDARY
        px: float = 72 if done else 56
        icon_px: float = 84 if done else 64
        if not self.large:
            px, icon_px = (66, 72) if done else (62, 60)
        # Three buttons in the small kiosk's row leave no room for icons.
        icon = _ICONS[control_id] if self.large or box[2] > 400 else ""
        return self.add_control(
            PushButton(self.kit, control_id, box, look, px=px, icon=icon, icon_px=icon_px, gap=20)
        )

    def update(self, view: TicketView) -> None:
        """Write the number and what is known of the wait; the chevrons start with the slip."""
        self.language = view.language
        done = view.printing is Printing.DONE
        title = self.say("ticket.title" if done else "ticket.printing")
        self._header.write(view.header, view.language, title)
        if self.large:
            self._title.write(title)
            self._where.write(self.say("ticket.where"))
            self._sign.show("slip" if done else "printer", 864, 226, 160)
        self._plate.write(view.service_name[view.language], view.number, view.issued_clock)
        self._write_wait(view)
        for button in self._buttons:
            button.write(self.say(_KEYS[button.control_id]))
        if (view.printing, view.number) != (self._printing, self._number):
            self._printing, self._number = view.printing, view.number
            if done:
                self._chevrons.start()
            else:
                self._chevrons.wait()

    def leave(self) -> None:
        """Stop the chevrons with the page."""
        super().leave()
        self._chevrons.stop()
        self._printing = self._bare = None

    def _write_wait(self, view: TicketView) -> None:
        words = wait_words(self.kit.catalogue, view.language, view.wait, large=self.large)
        people, span = figures(self, view.wait, words)
        ahead = self.say("ticket.ahead") if people else ""
        wait = self.say("ticket.wait") if span else ""
        known = view.wait.covered and bool(span) and not self.kit.modes.simple
        sentences = [self.say("ticket.cover")] if known else []
        sentences.append(self.say("ticket.order"))
        unknown = words.line.replace("\n", " ") if words.is_unknown else ""
        self._unknown.write(unknown)
        if self.large:
            self._ahead.write(ahead, people, MARGIN, (1032, 1153), 300)
            self._wait.write(wait, span, 412, (1032, 1153), 620)
            self._rule.paint(self.kit.rgba(RULE if span else CLEAR))
            x, baselines, room = MARGIN, (1258, 1326), WIDTH
            if len(sentences) == 1:
                baselines = (1290, 1290)
        else:
            left, column = 844, 404
            self._ahead.write(ahead, people, left, (178, 258), column)
            self._wait.write(wait, span, left, (358, 438), column)
            self._unknown.place(left, 300, column)
            x, baselines, room = MARGIN_SMALL, (534, 608), WIDTH_SMALL
            if len(sentences) == 1:
                baselines = (572, 572)
        for text, words_, baseline in zip(
            (self._first, self._second), [*sentences, ""], baselines, strict=False
        ):
            text.place(x, baseline, room)
            text.write(words_)
