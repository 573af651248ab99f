"""The service tile with its stub and tear edge, and the green tile that asks for a person."""

from kivy.graphics import Color

from kiosk.ui.controls import PRIMARY, SECONDARY, Control, Icon
from kiosk.ui.drawing import Panel, disc
from kiosk.ui.kit import Box, Kit
from kiosk.ui.text import Figure, Lines, Style, Text
from kiosk.ui.tokens import (
    DROP,
    EDGE,
    FACE_RADIUS,
    INK,
    MUTED,
    ON_ACTION,
    ON_STUB,
    STUB,
    STUB_CLOSED,
    STUB_RADIUS,
    STUB_STEP,
    TEAR,
    TEAR_CLOSED,
)
from kiosk.ui.waits import WaitWords
from kiosk.view import ServiceTile

STUB_WIDTH = 156
STUB_WIDTH_SMALL = 116
LOW_TILE = 152
"""So high is a tile of the small kiosk that leaves room for a notice band."""


class ServiceButton(Control):
    """Letter on its stub; name over examples; people ahead over the interval, right-aligned."""

    def __init__(self, kit: Kit, box: Box) -> None:
        super().__init__(kit, "", box, SECONDARY)
        self._large = kit.metrics.large
        self._stub_width = STUB_WIDTH if self._large else STUB_WIDTH_SMALL
        radius = kit.metrics.px(FACE_RADIUS)
        self._stub = Panel(kit.rgba(STUB), (radius, 0, 0, radius))
        self._tear = Color(*kit.rgba(TEAR))
        self._draw_stub()
        self._letter = self._text(Style(112 if self._large else 96, True, ON_STUB, "centre"))
        self._name = self._text(Style(64 if self._large else 72, True))
        self._examples = self._text(Style(42, colour=MUTED))
        self._line = self._text(Style(48 if self._large else 60, True, align="right"))
        words = Style(42, align="right") if self._large else Style(60)
        figure = Style(72, True, align="right") if self._large else Style(60)
        self._ahead = Figure(kit, words, figure)
        self._people = Icon(kit, INK)
        self._opens = Icon(kit, INK)
        self.add_widget(self._opens)
        self._unknown = Lines(kit, Style(42, colour=MUTED, align="right"))
        self.add_widget(self._unknown)
        self.add_widget(self._ahead)

    def _text(self, style: Style) -> Text:
        text = Text(self.kit, style)
        self.add_widget(text)
        return text

    def _draw_stub(self) -> None:
        metrics = self.kit.metrics
        left, face_top, _, face_height = self.face
        self._stub.place(metrics.rect(left, face_top, self._stub_width, face_height))
        self.canvas.add(self._stub.group)
        self.canvas.add(self._tear)
        count = int((face_height - 2 * STUB_RADIUS) // STUB_STEP) + 1
        first = face_top + (face_height - (count - 1) * STUB_STEP) / 2
        edge = metrics.x(left + self._stub_width)
        for number in range(count):
            self.canvas.add(
                disc(edge, metrics.y(first + number * STUB_STEP), STUB_RADIUS * metrics.scale)
            )

    def show(self, tile: ServiceTile, language: str, words: WaitWords) -> None:
        """Write the service's texts and what is known of its queue."""
        self.control_id = f"service.{tile.letter}"
        self.open(not tile.closed)
        self._stub.paint(self.kit.rgba(STUB_CLOSED if tile.closed else STUB))
        self._tear.rgba = self.kit.rgba(TEAR_CLOSED if tile.closed else TEAR)
        self.label = tile.name[language]
        key = "spoken.group" if tile.group else "spoken.tile"
        self.spoken = self.kit.catalogue.text(language, key, name=self.label, wait=words.spoken)
        x, y, width, height = self.box
        middle = y + height / 2
        self._opens.opacity = 1.0 if tile.group else 0.0
        stub_middle = x + EDGE + self._stub_width / 2
        self._letter.write(tile.letter)
        if self._large:
            self._letter.place(stub_middle, middle + 45)
            right = x + width - 40
            if tile.group:
                right -= 64
                self._opens.show("next", right + 20, middle - 28, 56)
            self._show_large(tile, language, words, x + 200, right, middle)
        else:
            self._letter.place(stub_middle, middle + 38)
            # English words are longer than Chinese ones: they get the margins too.
            left, right = (156, 32) if language == "zh_CN" else (148, 18)
            if tile.group:
                self._opens.show("next", x + width - 66, middle - 70, 56)
            self._show_small(tile, language, words, x + left, x + width - right, middle)

    def _show_large(
        self,
        tile: ServiceTile,
        language: str,
        words: WaitWords,
        left: float,
        right: float,
        middle: float,
    ) -> None:
        self._unknown.write("")
        self._line.write(words.line)
        self._ahead.write(*words.ahead)
        if words.is_unknown:
            self._line.write("")
            two_lines = "\n" in words.line
            # A dash never stands alone: the words stand below it.
            self._ahead.write("", "" if two_lines else "—", "")
            self._ahead.place(right, middle)
            self._unknown.write(words.line)
            self._unknown.place(right, middle - 6 if two_lines else middle + 49, 58)
        elif words.line and any(words.ahead):
            self._ahead.place(right, middle - 8)
            self._line.place(right, middle + 65)
        else:
            self._line.place(right, middle + 17)
            self._ahead.place(right, middle + 17)
        scale = self.kit.metrics.scale
        words_below = [self._line, *self._unknown.children]
        below = max(text.width for text in words_below) / scale
        above = max(below if words.is_unknown else 0, self._ahead.width_px / scale)
        self._name.write(tile.name[language], Style(64 if language == "zh_CN" else 54, True))
        self._examples.write(tile.examples[language])
        alone = not (words.is_unknown or (words.line and any(words.ahead)))
        name_room = right - left - 24 - (max(above, below) if alone else above)
        self._name.place(left, middle - (5 if language == "zh_CN" else 10), name_room)
        self._examples.place(left, middle + 52, right - left - 24 - below)

    def _show_small(
        self,
        tile: ServiceTile,
        language: str,
        words: WaitWords,
        left: float,
        right: float,
        middle: float,
    ) -> None:
        self._name.write(tile.brief(language))
        above, below = 7, 60 if self.box[3] > LOW_TILE else 57
        self._name.place(left, middle - above, right - left - (48 if tile.group else 0))
        baseline = middle + below
        people = any(words.ahead)
        self._people.opacity = 1.0 if people else 0.0
        self._ahead.write("", words.ahead[1], "")
        if people:
            if self._people.parent is None:
                self.add_widget(self._people)
            self._people.show("people", left - 1, baseline - 52, 52)
            self._ahead.place(left + (66 if language == "zh_CN" else 60), baseline)
            aside = Style(60, True, align="right")
            self._line.write(words.line, aside)
            taken = 76 + self._ahead.width_px / self.kit.metrics.scale
            self._line.place(right, baseline, right - left - taken)
        else:
            self._line.write(words.line, Style(60, True))
            self._line.place(left, baseline, right - left)


class PersonButton(Control):
    """The solid green way to a person, as wide as a service on the large kiosk."""

    def __init__(self, kit: Kit, box: Box) -> None:
        super().__init__(kit, "", box, PRIMARY)
        self._large = kit.metrics.large
        self._staff, self._next = Icon(kit, ON_ACTION), Icon(kit, ON_ACTION)
        self._name = Text(kit, Style(64 if self._large else 62, True, ON_ACTION))
        self._promise = Lines(kit, Style(44, colour=ON_ACTION))
        for widget in (self._staff, self._name, self._promise):
            self.add_widget(widget)
        if self._large:
            self.add_widget(self._next)

    def show(self, tile: ServiceTile, language: str, promise: str, spoken: str) -> None:
        """Write the name, and on the large kiosk what will happen."""
        self.control_id = f"service.{tile.letter}"
        self.label = tile.name[language]
        self.spoken = spoken
        x, y, width, height = self.box
        middle = y + (height - DROP) / 2
        self._name.write(self.label)
        if self._large:
            self._promise.write(promise)
            up = 29 if "\n" in promise else 0
            self._staff.show("staff", x + 30, middle - 48, 96)
            self._next.show("next", x + width - 100, middle - 32, 64)
            self._name.place(x + 196, middle - 1 - up, width - 196 - 110)
            self._promise.place(x + 196, middle + 59 - up, 56, width - 196 - 110)
            return
        icon_px, gap, margin = (80.0, 22.0, 20.0) if language == "zh_CN" else (72.0, 18.0, 14.0)
        room = width - 2 * margin - icon_px - gap
        self._name.place(x, middle, room)
        text_width = self._name.width / self.kit.metrics.scale
        left = x + (width - icon_px - gap - text_width) / 2
        self._staff.show("staff", left, middle - icon_px / 2, icon_px)
        self._name.place(left + icon_px + gap, middle + 27, room)
