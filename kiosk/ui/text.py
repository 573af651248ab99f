"""Text on a baseline: one line, several lines, or a figure set larger within its words."""

from dataclasses import dataclass, field

from kivy.core.text import Label as TextRenderer
from kivy.graphics import Color, Rectangle
from kivy.uix.widget import Widget

from kiosk.ui.kit import Kit
from kiosk.ui.tokens import INK, Colour, step_down

_ELLIPSIS = "…"


@dataclass(frozen=True, slots=True)
class Style:
    """Size in reference pixels, weight, role of its colour, and what x means."""

    px: float
    bold: bool = False
    colour: str = INK
    align: str = "left"  # left, centre, right: what ``x`` means


@dataclass(slots=True)
class _Drawn:
    text: str = ""
    px: int = 0
    shortened: bool = False
    width: int = 0
    height: int = 0
    ascent: int = 0
    key: tuple[object, ...] = field(default=())


class Text(Widget):
    """One line. A text wider than its room is set smaller, down to the smallest legal size; what
    is still too wide is shortened with an ellipsis (``shortened``), which a good text never is.
    """

    def __init__(self, kit: Kit, style: Style) -> None:
        super().__init__(size=(0, 0))
        self._kit = kit
        self._metrics = kit.metrics
        self._fonts = kit.fonts
        self._style = style
        self._x = self._baseline = 0.0
        self._room: float | None = None
        self._source = ""
        self._drawn = _Drawn()
        with self.canvas:
            self._colour = Color(*kit.rgba(style.colour))
            self._rectangle = Rectangle(size=(0, 0))

    @property
    def text(self) -> str:
        """What is drawn, "" for nothing."""
        return self._drawn.text

    @property
    def font_px(self) -> int:
        """The font size that is drawn, in window pixels."""
        return self._drawn.px

    @property
    def shortened(self) -> bool:
        """Whether the room was too small for the whole text."""
        return self._drawn.shortened

    @property
    def room_px(self) -> int | None:
        """The width it may take, in window pixels."""
        return None if self._room is None else self._metrics.px(self._room)

    @property
    def ascent_px(self) -> int:
        """From the top of its box down to the baseline, in window pixels."""
        return self._drawn.ascent

    def place(self, x: float, baseline: float, room: float | None = None) -> None:
        """Move to a reference position; ``room`` is the width that it may take."""
        self._x, self._baseline, self._room = x, baseline, room
        self.write(self._source)
        self._settle()

    def write(self, text: str, style: Style | None = None) -> None:
        """Draw ``text``; nothing is rendered if nothing changed."""
        style = style or self._style
        key = (text, style, self._room)
        if key == self._drawn.key:
            return
        self._source = text
        self._style = style
        self._colour.rgba = self._kit.rgba(style.colour)
        self._drawn = _Drawn(key=key)
        if text:
            self._render(text)
        self._settle()

    def release(self) -> None:
        """Give the picture back; the next write draws anew."""
        self._drawn = _Drawn()
        self._rectangle.texture = None
        self._settle()

    def paint(self, rgba: Colour) -> None:
        """Draw what is written in another colour, until the next write."""
        self._colour.rgba = rgba

    def _render(self, text: str) -> None:
        room = self.room_px
        px = self._kit.font_px(self._style.px)
        least = min(px, self._metrics.least_font_px)
        rendered = self._line(text, px)
        while room is not None and rendered.texture.width > room and px > least:
            fitting = min(px - 1, int(px * room / rendered.texture.width))
            px = max(least, step_down(fitting, self._kit.least_font_px))
            rendered = self._line(text, px)
        whole = text
        while room is not None and rendered.texture.width > room and len(whole) > 1:
            whole = whole[:-1]
            rendered = self._line(whole.rstrip() + _ELLIPSIS, px)
        texture = rendered.texture
        self._rectangle.texture = texture
        self._drawn.text = rendered.text
        self._drawn.px = px
        self._drawn.shortened = whole != text
        self._drawn.width, self._drawn.height = texture.size
        self._drawn.ascent = rendered.get_ascent()

    def _line(self, text: str, px: int) -> TextRenderer:
        face = self._fonts.face(text, bold=self._style.bold)
        rendered = TextRenderer(text=text, font_name=face, font_size=px)
        rendered.refresh()
        return rendered

    def _settle(self) -> None:
        drawn = self._drawn
        shift = {"left": 0.0, "centre": 0.5, "right": 1.0}[self._style.align]
        x = self._metrics.x(self._x) - round(drawn.width * shift)
        y = self._metrics.y(self._baseline) + drawn.ascent - drawn.height
        self.pos = self._rectangle.pos = (x, y)
        self.size = self._rectangle.size = (drawn.width, drawn.height)


class Lines(Widget):
    """Lines broken by hand (``\\n``), a fixed step apart."""

    def __init__(self, kit: Kit, style: Style) -> None:
        super().__init__(size=(0, 0))
        self._kit, self._style = kit, style
        self._lines: list[Text] = []
        self._place = (0.0, 0.0, 0.0)
        self._room: float | None = None

    def place(self, x: float, baseline: float, step: float, room: float | None = None) -> None:
        """Put the first baseline at ``baseline`` and the next ones ``step`` below."""
        self._place, self._room = (x, baseline, step), room
        x, baseline, step = self._place
        for number, line in enumerate(self._lines):
            line.place(x, baseline + number * step, room)

    def write(self, text: str, style: Style | None = None) -> None:
        """Draw the lines of ``text``, from now on in ``style`` if one is given."""
        self._style = style or self._style
        parts = text.split("\n") if text else []
        x, baseline, step = self._place
        while len(self._lines) < len(parts):
            line = Text(self._kit, self._style)
            line.place(x, baseline + len(self._lines) * step, self._room)
            self._lines.append(line)
            self.add_widget(line)
        for number, line in enumerate(self._lines):
            line.write(parts[number] if number < len(parts) else "", self._style)


class Figure(Widget):
    """Words with a larger figure among them, on one baseline: "前面 **6** 人"."""

    def __init__(self, kit: Kit, words: Style, figure: Style) -> None:
        super().__init__(size=(0, 0))
        self._metrics = kit.metrics
        self._words, self._figure = words, figure
        self._parts = [Text(kit, style) for style in (words, figure, words)]
        for part in self._parts:
            self.add_widget(part)
        self._at = (0.0, 0.0)

    @property
    def width_px(self) -> int:
        """How wide it is drawn, in window pixels."""
        return sum(int(part.width) for part in self._parts)

    def place(self, x: float, baseline: float) -> None:
        """Put the end named by the style's ``align`` (left or right) at reference ``x``."""
        self._at = (x, baseline)
        self._settle()

    def write(self, before: str, figure: str, after: str) -> None:
        """Draw; three empty strings draw nothing."""
        for part, text in zip(self._parts, (before, figure, after), strict=True):
            part.write(text)
        self._settle()

    def _settle(self) -> None:
        x, baseline = self._at
        scale = self._metrics.scale
        widths = [part.width / scale for part in self._parts]
        if self._words.align == "right":
            x -= sum(widths)
        for part, width in zip(self._parts, widths, strict=True):
            shift = width if self._words.align == "right" else 0.0
            part.place(x + shift, baseline)
            x += width
