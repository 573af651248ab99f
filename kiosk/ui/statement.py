"""A sheet that says one thing: help is coming, a complaint has its number, thank you.

To be read from a step away: a large sign, a large title, a few lines; a number stands on plate
yellow under them. Nothing is to be chosen but the way out, and at most a person.
"""

from kiosk.ui.kit import Box, Kit
from kiosk.ui.page import MARGIN, MARGIN_SMALL, WIDTH, WIDTH_SMALL
from kiosk.ui.sheet import SheetPage
from kiosk.ui.text import Style
from kiosk.ui.tokens import CAPITAL_EM, CLEAR, INK, ON_PLATE, PLATE
from kiosk.view import SheetView

SIGN_PX, SIGN_TOP = 240, 256
SIGN_PLATE_PX, SIGN_PLATE_TOP = 144, 224
"""The sign is smaller where a number stands below."""
SIGN_SMALL: Box = (MARGIN_SMALL, 176, 208, 208)
TITLE, TITLE_PLATE, TITLE_STEP = 648.0, 488.0, 116.0
TITLE_PX, BODY_PX, BODY_SMALL_PX = 92, 64, 66
BODY_STEP, BODY_STEP_SMALL = 96.0, 92.0
PLATE_BOX: Box = (MARGIN, 576, WIDTH, 320)
PLATE_BOX_SMALL: Box = (MARGIN_SMALL, 404, WIDTH_SMALL, 196)
PLATE_ROW, PLATE_ROW_SMALL, PLATE_STEP_SMALL = 1020.0, 188.0, 76.0
OUT: Box = (MARGIN, 1592, WIDTH, 232)


class StatementPage(SheetPage):
    """See the module."""

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        box = PLATE_BOX if self.large else PLATE_BOX_SMALL
        self._plate = self.add_panel(CLEAR, box)
        px = 176 if self.large else 130
        middle = box[1] + box[3] / 2 + CAPITAL_EM / 2 * px
        style = Style(px, True, ON_PLATE, "centre")
        self._number = self.add_text(style, box[0] + box[2] / 2, middle, box[2] - 48)

    def update(self, view: SheetView) -> None:
        """Write the sheet, and its number if it has one."""
        super().update(view)
        self._plate.paint(self.kit.rgba(PLATE if view.plate else CLEAR))
        self._number.write(view.plate)

    def _write_title(self, view: SheetView, title: str) -> None:
        if view.plate:
            self._icon.show(view.icon, MARGIN, SIGN_PLATE_TOP, SIGN_PLATE_PX)
        else:
            self._icon.show(view.icon, MARGIN, SIGN_TOP, SIGN_PX)
        baseline = TITLE_PLATE if view.plate else TITLE
        self._title.place(MARGIN, baseline, TITLE_STEP, WIDTH)
        self._title.write(title, Style(TITLE_PX, True))

    def _write_rows(self, view: SheetView) -> float:
        said = [
            part
            for line in view.lines
            for part in self.say(line.key, **dict(line.values)).split("\n")
        ]
        left, room, step = float(MARGIN), float(WIDTH), BODY_STEP
        if self.large:
            lines = self.say(view.title.key, **dict(view.title.values)).count("\n")
            baseline = PLATE_ROW if view.plate else TITLE + TITLE_STEP * (lines + 1)
        elif view.plate:
            left, room, step = float(MARGIN_SMALL), float(WIDTH_SMALL), PLATE_STEP_SMALL
            baseline = PLATE_ROW_SMALL
            self._icon.opacity = 0.0
        else:
            x, y, width, _ = SIGN_SMALL
            self._icon.show(view.icon, x, y, width)
            self._icon.opacity = 1.0
            left, step = x + width + 48, BODY_STEP_SMALL
            room = MARGIN_SMALL + WIDTH_SMALL - left
            baseline = y + width / 2 + CAPITAL_EM / 2 * BODY_SMALL_PX - step * (len(said) - 1) / 2
        px = BODY_PX if self.large or view.plate else BODY_SMALL_PX
        for number, row in enumerate(self._rows):
            row.place(left, baseline + number * step, room)
            row.write(said[number] if number < len(said) else "", Style(px, colour=INK))
        return baseline + step * len(said)

    def _ways(self, view: SheetView) -> list[tuple[str, str, Box, str]]:
        if self.large and view.leave is not None and not view.person and not view.switch:
            return [(view.leave.key, view.leave.control, OUT, view.leave.icon)]
        return super()._ways(view)
