"""The branch is closed: when it opens, its hours, and what can be done meanwhile."""

from kiosk.ui.controls import SECONDARY, Icon, PushButton
from kiosk.ui.drawing import Panel
from kiosk.ui.kit import Box, Kit
from kiosk.ui.page import GAP, MARGIN, MARGIN_SMALL, WIDTH, WIDTH_SMALL, HeaderBand, Page
from kiosk.ui.text import Style
from kiosk.ui.tokens import CLEAR, INK, MUTED, NOTICE, ON_NOTICE, RULE
from kiosk.view import CONTROL_ACCESS, CONTROL_LANGUAGE, ClosedView, DayHours

LINES, LINES_SMALL = 7, 3
_KEYS = {CONTROL_LANGUAGE: "lang.name", CONTROL_ACCESS: "access"}


class _Line:
    """Days left, hours right."""

    def __init__(self, page: Page, baseline: float, px: float) -> None:
        self._page = page
        left, width = (MARGIN, WIDTH) if page.large else (MARGIN_SMALL, WIDTH_SMALL)
        self._rule = page.add_panel(CLEAR, (left, baseline + 0.4 * px, width, 3), 1)
        self._days = page.add_text(Style(px), left, baseline, 0.34 * width)
        hours = Style(px, True, align="right")
        self._hours = page.add_text(hours, left + width, baseline, 0.64 * width)

    def show(self, line: DayHours | None) -> None:
        """Write one line, or nothing."""
        page = self._page
        self._rule.paint(page.kit.rgba(RULE if line else CLEAR))
        self._days.write(line.days[page.language] if line else "")
        self._hours.write((line.hours or page.say("hours.shut")) if line else "")


class ClosedPage(Page):
    """To read from afar; nothing is given, so there is nothing to press but language and mode."""

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self._header = HeaderBand(self)
        self._elsewhere_box: Box
        if self.large:
            icon = Icon(kit, INK)
            icon.show("clock", MARGIN, 236, 168)
            self.add_widget(icon)
            self._title = self.add_text(Style(108, True), MARGIN, 548, WIDTH)
            self._opens = self.add_text(Style(72, True), MARGIN, 668, WIDTH)
            self._label = self.add_text(Style(48, colour=MUTED), MARGIN, 800, WIDTH)
            first, step, px, count = 892.0, 84.0, 56.0, LINES
            self._elsewhere_box = (MARGIN, 1500, WIDTH, 184)
        else:
            self._opens = self.add_text(Style(72, True), MARGIN_SMALL, 196, WIDTH_SMALL)
            first, step, px, count = 292.0, 82.0, 60.0, LINES_SMALL
            self._elsewhere_box = (MARGIN_SMALL, 488, WIDTH_SMALL, 108)
        self._lines = [_Line(self, first + n * step, px) for n in range(count)]
        x, y, width, height = self._elsewhere_box
        self._panel: Panel = self.add_panel(CLEAR, self._elsewhere_box)
        self._machine = Icon(kit, ON_NOTICE)
        self.add_widget(self._machine)
        size = 88 if self.large else 72
        self._machine_at = (x + 28, y + (height - size) / 2, size)
        text = Style(48 if self.large else 60, True, ON_NOTICE)
        left = x + 28 + size + 28
        baseline = y + height / 2 + 0.37 * text.px
        self._elsewhere = self.add_text(text, left, baseline, x + width - 24 - left)
        self._buttons = [self._button(*place) for place in self._places()]

    def _places(self) -> list[tuple[str, Box]]:
        left, top, width, height, gap = (
            (MARGIN, 1744, WIDTH, 128, GAP)
            if self.large
            else (MARGIN_SMALL, 612, WIDTH_SMALL, 156, 16)
        )
        each = (width - gap) / 2
        language, access = self.for_hand(
            (left, top, each, height), (left + each + gap, top, each, height)
        )
        return [(CONTROL_LANGUAGE, language), (CONTROL_ACCESS, access)]

    def _button(self, control_id: str, box: Box) -> PushButton:
        icon = "wheelchair" if control_id == CONTROL_ACCESS else ""
        px, icon_px = (56, 56) if self.large else (60, 72)
        return self.add_control(
            PushButton(
                self.kit, control_id, box, SECONDARY, px=px, icon=icon, icon_px=icon_px, gap=20
            )
        )

    def update(self, view: ClosedView) -> None:
        """Write when it opens, the week, and what can be done elsewhere."""
        self.language = view.language
        title = self.say("hours.title")
        self._header.write(view.header, view.language, title)
        opens = self.say("hours.opens", when=view.opens[view.language]) if view.opens else ""
        self._opens.write(opens)
        if self.large:
            self._title.write(title)
            self._label.write(self.say("hours.label") if view.days else "")
        for number, line in enumerate(self._lines):
            line.show(view.days[number] if number < len(view.days) else None)
        elsewhere = view.elsewhere[view.language] if view.elsewhere else ""
        self._panel.paint(self.kit.rgba(NOTICE if elsewhere else CLEAR))
        self._machine.opacity = 1.0 if elsewhere else 0.0
        self._machine.show("machine", *self._machine_at)
        self._elsewhere.write(elsewhere)
        for button in self._buttons:
            button.write(self.say(_KEYS[button.control_id]))
