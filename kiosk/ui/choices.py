"""Services as few, plain targets: a letter and a name, in simple mode with what it is for."""

from kiosk.ui.controls import PRIMARY, SECONDARY, Control, Icon
from kiosk.ui.drawing import Panel
from kiosk.ui.kit import Box, Kit
from kiosk.ui.text import Lines, Style, Text
from kiosk.ui.tokens import (
    CAPITAL_EM,
    DROP,
    EDGE,
    FACE_RADIUS,
    ON_ACTION,
    ON_STUB,
    STUB,
    STUB_CLOSED,
)
from kiosk.view import ServiceTile


class ChoiceTile(Control):
    """A service: its letter on the stub, its name, and in ``more_px`` what it is for.

    With a stub as wide as the tile only the letter is drawn; the name stands elsewhere.
    """

    def __init__(
        self,
        kit: Kit,
        box: Box,
        *,
        stub: float,
        letter_px: float,
        name_px: float = 0,
        more_px: float = 0,
    ) -> None:
        super().__init__(kit, "", box, SECONDARY)
        self._stub_width = stub
        self._name_px = name_px
        radius = kit.metrics.px(FACE_RADIUS)
        self._bare = stub >= box[2] - 2 * EDGE
        corners = (radius,) * 4 if self._bare else (radius, 0, 0, radius)
        self._stub = Panel(kit.rgba(STUB), corners)
        left, top, wide, high = self.face
        self._stub.place(kit.metrics.rect(left, top, min(stub, wide), high))
        self.canvas.add(self._stub.group)
        self._letter = self._line(Style(letter_px, True, ON_STUB, "centre"))
        self._letter_px = letter_px
        self._name = self._line(Style(name_px or 1, True))
        self._more = Lines(kit, Style(more_px or 1))
        self._more_px = more_px
        self.add_widget(self._more)

    def _line(self, style: Style) -> Text:
        text = Text(self.kit, style)
        self.add_widget(text)
        return text

    def show(self, tile: ServiceTile, language: str, spoken: str, *, short: bool = False) -> None:
        """Write the service; ``spoken`` is what is known of its queue, or why it is closed."""
        self.control_id = f"service.{tile.letter}"
        self.open(not tile.closed)
        self._stub.paint(self.kit.rgba(STUB_CLOSED if tile.closed else STUB))
        self.label = tile.name[language]
        key = "spoken.group" if tile.group else "spoken.tile"
        self.spoken = self.kit.catalogue.text(language, key, name=self.label, wait=spoken)
        x, y, width, height = self.box
        middle = y + (height - DROP) / 2
        self._letter.place(
            x + EDGE + self._stub_width / 2, middle + CAPITAL_EM / 2 * self._letter_px
        )
        self._letter.write(tile.letter)
        if self._bare:
            return
        margin = 28 if self.kit.metrics.large else 14
        left = x + self._stub_width + margin
        room = x + width - margin / 2 - left
        more = spoken if tile.closed else tile.examples[language]
        more = more if self._more_px else ""
        up = 10 if more else -CAPITAL_EM / 2 * self._name_px
        self._name.place(left, middle - up, room)
        self._name.write(tile.brief(language) if short else self.label)
        self._more.place(left, middle - up + 1.35 * self._more_px, 1.2 * self._more_px, room)
        self._more.write(more)


class PersonChoice(Control):
    """The way to a person, as large as a service."""

    def __init__(
        self, kit: Kit, box: Box, *, name_px: float, more_px: float, icon_px: float
    ) -> None:
        super().__init__(kit, "", box, PRIMARY)
        self._icon_px, self._name_px, self._more_px = icon_px, name_px, more_px
        self._icon = Icon(kit, ON_ACTION)
        self._name = Text(kit, Style(name_px, True, ON_ACTION))
        self._more = Lines(kit, Style(more_px or 1, colour=ON_ACTION))
        for widget in (self._icon, self._name, self._more):
            self.add_widget(widget)

    def show(self, tile: ServiceTile, language: str, name: str, promise: str) -> None:
        """Write ``name`` and, where there is room, what will happen."""
        self.control_id = f"service.{tile.letter}"
        self.label = name
        said = promise.rstrip(".。").replace("\n", " ")
        self.spoken = self.kit.catalogue.text(language, "spoken.tile", name=name, wait=said)
        x, y, width, height = self.box
        middle = y + (height - DROP) / 2
        margin = 28 if self.kit.metrics.large else 12
        left = x + 1.5 * margin
        if self._icon_px:
            self._icon.show("staff", left, middle - self._icon_px / 2, self._icon_px)
            left += self._icon_px + 2 * margin
        lines = (promise.count("\n") + 1) if self._more_px else 0
        below = 1.2 * self._more_px * lines
        baseline = middle + CAPITAL_EM / 2 * self._name_px - below / 2
        room = x + width - margin / 2 - left
        self._name.place(left, baseline, room)
        self._name.write(name)
        self._more.place(left, baseline + 1.35 * self._more_px, 1.2 * self._more_px, room)
        self._more.write(promise if self._more_px else "")
