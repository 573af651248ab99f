"""What all screens share: the ground, the header, the number plate, the column of waits."""

from typing import Any, TypeVar

from kivy.graphics import Color, Rectangle
from kivy.uix.widget import Widget

from kiosk.ui.controls import Control, by_rows
from kiosk.ui.drawing import Panel
from kiosk.ui.kit import Box, Kit
from kiosk.ui.text import Lines, Style, Text
from kiosk.ui.tokens import (
    BAND,
    BAND_LINE,
    MIST,
    ON_BAND,
    ON_PLATE,
    PAPER,
    PLATE,
    RADIUS,
)
from kiosk.ui.waits import say
from kiosk.view import Header, ServiceTile

ControlT = TypeVar("ControlT", bound=Control)

MARGIN = 48
MARGIN_SMALL = 32
WIDTH = 984  # large kiosk, between the margins
WIDTH_SMALL = 1216
GAP = 24
HEADER = 168
HEADER_SMALL = 108
BOTTOM = 1872  # lower edge of the last control
BOTTOM_SMALL = 768
NEXT_LANGUAGE = "lang.name"
"""The one text that is said in the language that comes next."""
_PARTS = ("·", " – ", " - ")  # what stands between a bank's and a branch's name


class Page(Widget):
    """One screen, built once; :meth:`update` of a subclass only changes texts."""

    def __init__(self, kit: Kit, ground: str = PAPER) -> None:
        super().__init__(size=kit.metrics.size)
        self.kit = kit
        self.large = kit.metrics.large
        self.language = ""
        self.ground = kit.rgba(ground)
        """The window is cleared with it: a rectangle as large costs a third of a frame."""
        if self.ground[3] < 1:
            self.add_rectangle(ground, None)  # what lies below shines through

    def add_rectangle(self, role: str, box: Box | None) -> None:
        """Fill a reference box, or the whole window, with sharp corners."""
        metrics = self.kit.metrics
        rect = (0, 0, *metrics.size) if box is None else metrics.rect(*box)
        self.canvas.add(Color(*self.kit.rgba(role)))
        self.canvas.add(Rectangle(pos=rect[:2], size=rect[2:]))

    def add_panel(self, role: str, box: Box, radius: float = RADIUS) -> Panel:
        """Fill a reference box with round corners."""
        panel = Panel(self.kit.rgba(role), self.kit.metrics.px(radius))
        panel.place(self.kit.metrics.rect(*box))
        self.canvas.add(panel.group)
        return panel

    def add_text(self, style: Style, x: float, baseline: float, room: float | None = None) -> Text:
        """A line of text in its place, still empty."""
        text = Text(self.kit, style)
        text.place(x, baseline, room)
        self.add_widget(text)
        return text

    def add_lines(
        self, style: Style, x: float, baseline: float, step: float, room: float | None = None
    ) -> Lines:
        """Lines of text in their place, still empty."""
        lines = Lines(self.kit, style)
        lines.place(x, baseline, step, room)
        self.add_widget(lines)
        return lines

    def add_control(self, control: ControlT) -> ControlT:
        """Put a target on the page."""
        self.add_widget(control)
        return control

    def present(self, control: Control, place: Widget, wanted: bool) -> None:
        """Put a target into its place or take it out; a finger on it counts no more then."""
        if wanted and control.parent is None:
            place.add_widget(control)
        elif not wanted and control.parent is not None:
            control.cancel()
            place.remove_widget(control)

    def say(self, key: str, **values: object) -> str:
        """A text of the page's language, the short form on the small kiosk and in large print."""
        language = self.language
        if key == NEXT_LANGUAGE:
            languages = self.kit.catalogue.languages
            language = languages[(languages.index(language) + 1) % len(languages)]
        roomy = self.large and not self.kit.modes.simple
        return say(self.kit.catalogue, language, key, large=roomy, **values)

    def why(self, tile: ServiceTile) -> str:
        """Why the service gives no number now."""
        return self.say(tile.closed, **({"time": tile.opens} if tile.opens else {}))

    def controls(self) -> list[Control]:
        """The targets that are on the page now, in the order of reading and of the keys."""
        found = [child for child in self.walk(restrict=True) if isinstance(child, Control)]
        return by_rows(found)

    def for_hand(self, *row: Box) -> list[Box]:
        """The boxes of a row, from left to right for a right hand: for a left one each in the
        place that mirrors its own. What is a list to read stays as it is.
        """
        if not row or not self.kit.modes.left:
            return list(row)
        ends = min(x for x, _, _, _ in row) + max(x + width for x, _, width, _ in row)
        return [(ends - x - width, y, width, height) for x, y, width, height in row]

    def update(self, view: Any) -> None:
        """Write the texts of the page's kind of view."""
        raise NotImplementedError

    def leave(self) -> None:
        """The page is about to be hidden: touches that are down no longer act."""
        for control in self.controls():
            control.cancel()


class HeaderBand:
    """Branch and date left, clock right; on the small kiosk the question takes their place."""

    def __init__(self, page: Page, *, plain: bool = False) -> None:
        """``plain`` is the header of the dark page: no band and no date."""
        self._large = page.large
        self._scale = page.kit.metrics.scale
        self._plain = plain
        self._bare = page.kit.modes.simple  # large print: the branch alone
        if page.large:
            drop = 34 if plain or self._bare else 0
            if not plain:
                page.add_rectangle(BAND, (0, 0, 1080, HEADER))
                page.add_rectangle(BAND_LINE, (0, HEADER - 4, 1080, 4))
            self._branch = page.add_text(Style(48, True, ON_BAND), MARGIN, 77 + drop, WIDTH - 280)
            self._date = page.add_text(Style(42, colour=MIST), MARGIN, 132, WIDTH - 280)
            clock = Style(96, True, ON_BAND, "right")
            self._clock = page.add_text(clock, MARGIN + WIDTH, 125 + drop * 8 / 34)
            return
        page.add_rectangle(BAND, (0, 0, 1280, HEADER_SMALL))
        page.add_rectangle(BAND_LINE, (0, HEADER_SMALL - 4, 1280, 4))
        self._title = page.add_text(Style(64, True, ON_BAND), MARGIN_SMALL, 81, 980)
        self._branch = page.add_text(Style(60, colour=MIST, align="right"), 0, 79)
        self._clock = page.add_text(Style(80, True, ON_BAND, "right"), 1248, 89)

    def write(self, header: Header, language: str, title: str = "", aside: str = "") -> None:
        """Write the clock and the branch; ``title`` and ``aside`` are the small kiosk's."""
        self._clock.write(header.clock)
        branch = header.branch[language]
        if self._large:
            self._branch.write(branch)
            self._date.write("" if self._plain or self._bare else header.date[language])
            return
        for mark in _PARTS:
            branch = branch.rpartition(mark)[2].strip()
        self._title.write(title)
        right = MARGIN_SMALL + WIDTH_SMALL - self._clock.width / self._scale - 22
        room = right - GAP - MARGIN_SMALL - self._title.width / self._scale
        self._branch.place(right, 79, max(room, 1.0))
        self._branch.write(aside or branch)
        if self._branch.shortened:
            self._branch.write("")


class Plate:
    """The number on plate yellow, service and time above it."""

    def __init__(self, page: Page, box: Box, *, px: float, baseline: float, words: float) -> None:
        x, _, width, _ = box
        page.add_panel(PLATE, box)
        self._time = page.add_text(Style(60, False, ON_PLATE, "right"), x + width - 48, words)
        self._service = page.add_text(Style(60, True, ON_PLATE), x + 48, words, width - 96 - 200)
        middle = x + width / 2
        self._number = page.add_text(
            Style(px, True, ON_PLATE, "centre"), middle, baseline, width - 2 * 24
        )

    def write(self, service: str, number: str, clock: str) -> None:
        """Write the service's name, the number as one string and the time of issue."""
        self._service.write(service)
        self._number.write(number)
        self._time.write(clock)
