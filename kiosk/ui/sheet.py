"""A sheet of feedback: something to read, a short list to press, a way to a person, a way out.

One page for all of them: what is pressed on a sheet is made when the sheet changes. What is read
stands in the upper half, with low controls all that is pressed in the lower one.
"""

from typing import TypeVar

from kivy.uix.widget import Widget

from kiosk.ui.controls import PRIMARY, SECONDARY, Control, Icon, Look, PushButton
from kiosk.ui.kit import Box, Kit
from kiosk.ui.page import (
    BOTTOM,
    GAP,
    MARGIN,
    MARGIN_SMALL,
    NEXT_LANGUAGE,
    WIDTH,
    WIDTH_SMALL,
    HeaderBand,
    Page,
)
from kiosk.ui.text import Lines, Style
from kiosk.ui.tokens import CAPITAL_EM, INK, MUTED
from kiosk.ui.waits import say
from kiosk.view import (
    CONTROL_ACKNOWLEDGE,
    CONTROL_DONE,
    CONTROL_HELP,
    CONTROL_LANGUAGE,
    Option,
    SheetView,
)

ControlT = TypeVar("ControlT", bound=Control)

GAP_SMALL = 15  # 2.5 mm
LEAVE: Box = (MARGIN, 1744, WIDTH, 128)
PERSON: Box = (MARGIN, 1552, WIDTH, 160)
SWITCH_WIDTH = 312
MIDDLE, MIDDLE_SMALL = 976.0, 402.0
"""Where low controls begin."""
TALLEST = 204.0
TALL_PX = 84
TWO_LINES = 150.0
"""The height of a control whose name may have two lines."""
LOWEST_SMALL, LOW_ROW_SMALL, ROW_SMALL = 640.0, 668.0, 118.0
"""The last row of the small kiosk, with low controls, and the height of 20 mm."""
MOST_ROWS = 12
MAIN = (CONTROL_ACKNOWLEDGE, CONTROL_HELP, CONTROL_DONE)
"""The first of these that a sheet has is the button it is about."""
TITLE_PX, ROW_PX, STRONG_PX = 80, 50, 64
FIRST, STEP, STRONG_STEP, CLOSE_STEP = 376.0, 68.0, 104.0, 60.0
FIRST_SMALL, STEP_SMALL, PX_SMALL = 178.0, 70.0, 60


class OptionButton(Control):
    """One of the short list: an icon where there is room, and at most two lines."""

    def __init__(self, kit: Kit, option: Option, box: Box) -> None:
        super().__init__(kit, option.control, box, SECONDARY)
        self._option = option
        self._large = kit.metrics.large
        self._px = 56 if self._large else PX_SMALL
        self._icon = Icon(kit, INK)
        self._name = Lines(kit, Style(self._px, True))
        self.add_widget(self._icon)
        self.add_widget(self._name)

    def show(self, name: str) -> None:
        """Write its name."""
        self.label = self.spoken = name.replace("\n", " ")
        x, y, width, height = self.face
        middle = y + height / 2
        left = x + (28 if self._large else 14)
        if self._large and self._option.icon:
            self._icon.show(self._option.icon, left, middle - 36, 72)
            left += 72 + 24
        lines = name.count("\n") + 1
        step = 1.12 * self._px
        first = middle + CAPITAL_EM / 2 * self._px - step * (lines - 1) / 2
        self._name.place(left, first, step, x + width - 12 - left)
        self._name.write(name)


class SheetPage(Page):
    """See the module; keys go through the list, the person, the way out as they stand."""

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self._header = HeaderBand(self)
        self._icon = Icon(kit, INK)
        self.add_widget(self._icon)
        self._title = self.add_lines(Style(TITLE_PX, True), MARGIN, 298, 84, WIDTH)
        self._rows = [self.add_text(Style(ROW_PX), MARGIN, 0) for _ in range(MOST_ROWS)]
        self._controls = Widget(size=(0, 0))
        self.add_widget(self._controls)
        self._shape: object = None
        self._options: list[tuple[Option, OptionButton]] = []
        self._buttons: list[tuple[str, PushButton]] = []

    def update(self, view: SheetView) -> None:
        """Write the sheet; its controls are made anew when they are other ones."""
        self.language = view.language
        title = self.say(view.title.key, **dict(view.title.values))
        self._header.write(view.header, view.language, title)
        if self.large:
            self._write_title(view, title)
        below = self._write_rows(view)
        shape = (view.screen, view.options, view.leave, view.person, view.switch, below)
        if shape != self._shape:
            self._shape = shape
            self._lay_out(view, below)
        for option, button in self._options:
            words = self.say(option.key)
            if "\n" in words and button.box[3] < TWO_LINES:
                words = say(self.kit.catalogue, view.language, option.key, large=False)
            button.show(words)
        for key, push in self._buttons:
            push.write(self.say(key))

    def _write_title(self, view: SheetView, title: str) -> None:
        left = MARGIN + 148 if view.icon else MARGIN
        if view.icon:
            self._icon.show(view.icon, MARGIN + 6, 222, 112)
        self._icon.opacity = 1.0 if view.icon else 0.0
        two = "\n" in title
        self._title.place(left, 254 if two else 298, 72, WIDTH + MARGIN - left)
        self._title.write(title, Style(64 if two else TITLE_PX, True))

    def _write_rows(self, view: SheetView) -> float:
        """Write what is to be read; returns where it ends."""
        said = []
        for line in view.lines:
            first, *more = self.say(line.key, **dict(line.values)).split("\n")
            px = STRONG_PX if line.strong else ROW_PX
            said += [
                (first, px, line.strong or bool(more)),
                *((part, ROW_PX, False) for part in more),
            ]
        left, room = (MARGIN, WIDTH) if self.large else (MARGIN_SMALL, WIDTH_SMALL)
        baseline = FIRST if self.large else FIRST_SMALL
        step = STEP_SMALL if not self.large else STEP if len(said) <= 8 else CLOSE_STEP
        colour = INK if len(said) > 4 or not self.large else MUTED
        for number, row in enumerate(self._rows):
            text, px, strong = said[number] if number < len(said) else ("", ROW_PX, False)
            if number and text:
                baseline += STRONG_STEP if px == STRONG_PX and self.large else step
            beside = 148 if number == 0 and view.icon and self.large else 0
            row.place(left + beside, baseline, room - beside)
            row.write(
                text, Style(px if self.large else PX_SMALL, strong, INK if strong else colour)
            )
        return baseline

    def _lay_out(self, view: SheetView, below: float) -> None:
        for _, button in (*self._options, *self._buttons):
            button.cancel()
        self._controls.clear_widgets()
        ways = self._ways(view)
        ends = min(box[1] for _, _, box, _ in ways) if ways else float(BOTTOM)
        boxes = self._option_boxes(len(view.options), below, ends)
        self._options = [
            (option, self._put(OptionButton(self.kit, option, box)))
            for option, box in zip(view.options, boxes, strict=True)
        ]
        controls = [control for _, control, _, _ in ways]
        first = next((control for control in MAIN if control in controls), "")
        self._buttons = [
            (
                key,
                self._put(
                    self._button(control, box, icon, PRIMARY if control == first else SECONDARY)
                ),
            )
            for key, control, box, icon in ways
        ]

    def _put(self, control: ControlT) -> ControlT:
        self._controls.add_widget(control)
        return control

    def _button(self, control: str, box: Box, icon: str, look: Look) -> PushButton:
        px = (64 if control == CONTROL_HELP else 60) if self.large else 62
        px = TALL_PX if box[3] > TALLEST else px
        return PushButton(
            self.kit, control, box, look, px=px, icon=icon, icon_px=72 if self.large else 64
        )

    def _option_boxes(self, count: int, below: float, ends: float) -> list[Box]:
        low = self.kit.modes.low
        if self.large:
            columns = 2 if count > 4 else 1
            left, width, gap, between = MARGIN, WIDTH, float(GAP), GAP
            top = MIDDLE if low else below + 64
        else:
            columns = 4 if count > 4 else 3
            left, width, gap, between = MARGIN_SMALL, WIDTH_SMALL, float(GAP_SMALL), GAP_SMALL
            top = MIDDLE_SMALL if low else below + 32
        rows = -(-count // columns)
        height = min(TALLEST, (ends - between - top - gap * (rows - 1)) / max(rows, 1))
        each = (width - gap * (columns - 1)) / columns
        return [
            (left + n % columns * (each + gap), top + n // columns * (height + gap), each, height)
            for n in range(count)
        ]

    def _ways(self, view: SheetView) -> list[tuple[str, str, Box, str]]:
        """The person, the way out and the language: key, control, place and icon."""
        found: list[tuple[str, str, Box, str]] = []
        leave = view.leave
        if self.large:
            if view.person:
                found.append((view.person, CONTROL_HELP, PERSON, "bell"))
            x, y, width, height = LEAVE
            wide = width - (SWITCH_WIDTH + GAP if view.switch else 0)
            if leave is not None:
                found.append((leave.key, leave.control, (x, y, wide, height), leave.icon))
            if view.switch:
                at: Box = (x + wide + GAP, y, SWITCH_WIDTH, height)
                found.append((NEXT_LANGUAGE, CONTROL_LANGUAGE, at, ""))
            return found
        low = self.kit.modes.low
        y, height = (LOW_ROW_SMALL, ROW_SMALL) if low else (LOWEST_SMALL, 128.0)
        shares = []
        if leave is not None:
            shares.append((leave.key, leave.control, 1.0, leave.icon))
        if view.person:
            shares.append((view.person, CONTROL_HELP, 1.9, "bell"))
        if view.switch:
            shares.append((NEXT_LANGUAGE, CONTROL_LANGUAGE, 0.8, ""))
        unit = (WIDTH_SMALL - GAP_SMALL * (len(shares) - 1)) / sum(
            s for _, _, s, _ in shares or [("", "", 1.0, "")]
        )
        left = float(MARGIN_SMALL)
        boxes: list[Box] = []
        for _, _, share, _ in shares:
            boxes.append((left, y, unit * share, height))
            left += unit * share + GAP_SMALL
        for (key, control, _, icon), box in zip(shares, self.for_hand(*boxes), strict=True):
            found.append((key, control, box, icon))
        return found
