"""The technician's screens: the code pad, the self-test with what can be done, the touch grid."""

from kiosk.technician import (
    AGAIN,
    BACK,
    CELL,
    DELETE,
    ENTER,
    GRID,
    KEY,
    LEAVE,
    RESTART,
    SLIP,
)
from kiosk.ui.controls import PRIMARY, SECONDARY, PushButton
from kiosk.ui.kit import Box, Kit
from kiosk.ui.page import HEADER_SMALL, HeaderBand, Page
from kiosk.ui.text import Style, Text
from kiosk.ui.tokens import MUTED
from kiosk.view import SelfTestRow, TechnicianView

KEYS = ("1", "2", "3", "4", "5", "6", "7", "8", "9", "delete", "0", "enter")
GAP = 16
ROWS, ROWS_SMALL = 12, 8
WORDS = {
    "delete": "tech.delete",
    "enter": "tech.enter",
    SLIP: "tech.do.slip",
    GRID: "tech.do.grid",
    AGAIN: "tech.do.again",
    RESTART: "tech.do.restart",
    LEAVE: "tech.do.leave",
    "ok": "tech.grade.ok",
    "warning": "tech.grade.warning",
    "fault": "tech.grade.fault",
}
DEVICES = {
    "disk": "tech.row.disk",
    "clock": "tech.row.clock",
    "broker": "tech.row.broker",
    "printer": "tech.row.printer",
    "card": "tech.row.card",
    "keys": "tech.row.keys",
    "speaker": "tech.row.speaker",
    "pad": "tech.row.pad",
    "caller": "tech.row.caller",
}
"""By what stands before the hyphen of a device's name; the counter is behind it."""


class CodePage(Page):
    """Twelve keys, how many digits were typed, and the way out."""

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self._header = HeaderBand(self)
        if self.large:
            self._title_text = self.add_text(Style(80, True), 48, 300, 984)
            self._typed = self.add_text(Style(96, True), 48, 430, 984)
            self._word = self.add_text(Style(56, colour=MUTED), 48, 540, 984)
            left, top, width, height = 48, 600, 984, 1060
            leave: Box = (48, 1704, 984, 150)
        else:
            self._title_text = self.add_text(Style(60, True), 712, 210, 536)
            self._typed = self.add_text(Style(80, True), 712, 330, 536)
            self._word = self.add_text(Style(60, colour=MUTED), 712, 430, 536)
            left, top, width, height = 32, 132, 648, 636
            leave = (712, 621, 536, 147)
        wide, high = (width - 2 * GAP) / 3, (height - 3 * GAP) / 4
        self._keys = {}
        for index, key in enumerate(KEYS):
            box = (
                left + index % 3 * (wide + GAP),
                top + index // 3 * (high + GAP),
                wide,
                high,
            )
            name = {"delete": DELETE, "enter": ENTER}.get(key, KEY + key)
            self._keys[key] = self.add_control(PushButton(kit, name, box, SECONDARY, px=60))
        self._leave = self.add_control(PushButton(kit, LEAVE, leave, SECONDARY, px=60))

    def update(self, view: TechnicianView) -> None:
        """Write how much was typed, and why no code is taken."""
        self.language = view.language
        self._header.write(view.header, view.language)
        self._title_text.write(self.say("tech.code"))
        self._typed.write(self.say("tech.typed", n=view.digits) if view.digits else "")
        word = self.say(view.word) if view.word else ""
        self._word.write(self.say("tech.wait", s=view.wait_s) if view.wait_s else word)
        for key, button in self._keys.items():
            button.write(self.say(WORDS[key]) if key in WORDS else key)
        self._keys["enter"].open(not view.wait_s and not view.busy)
        self._leave.write(self.say("tech.leave"))


class MenuPage(Page):
    """What was looked at, the worst first, and four things to do."""

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self._header = HeaderBand(self)
        columns: tuple[tuple[int, int], ...]
        if self.large:
            self._title_text = self.add_text(Style(72, True), 48, 280, 540)
            self._word = self.add_text(Style(48, colour=MUTED, align="right"), 1032, 280, 420)
            columns = ((48, 400), (470, 220), (700, 332))
            count, first, step = ROWS, 380, 78
        else:
            self._title_text = self.add_text(Style(60, True), 32, 186, 380)
            self._word = self.add_text(Style(60, colour=MUTED, align="right"), 848, 186, 420)
            columns = ((32, 330), (380, 468))
            count, first, step = ROWS_SMALL, 270, 70
        self._rows = [
            [
                self.add_text(Style(50, n == 0), x, first + index * step, room)
                for n, (x, room) in enumerate(columns)
            ]
            for index in range(count)
        ]
        self._buttons = {}
        for index, name in enumerate((SLIP, GRID, AGAIN, RESTART, LEAVE)):
            wide = (984 - GAP) / 2
            box: Box = (48 + index % 2 * (wide + GAP), 1340 + index // 2 * 176, wide, 160)
            if not self.large:
                box = (872, 124 + index * 134, 376, 118)
            elif name == LEAVE:
                box = (48, box[1], 984, 160)
            look = PRIMARY if name == LEAVE else SECONDARY
            self._buttons[name] = self.add_control(PushButton(kit, name, box, look, px=56))

    def update(self, view: TechnicianView) -> None:
        """Write the rows, as many as there is room for: the worst are the first."""
        self.language = view.language
        self._header.write(view.header, view.language)
        self._title_text.write(self.say("tech.menu"))
        word = self.say("tech.busy") if view.busy and not view.word else ""
        self._word.write(self.say(view.word) if view.word else word)
        shown = list(view.rows[: len(self._rows)])
        for texts, row in zip(self._rows, [*shown, *[None] * len(self._rows)], strict=False):
            said = ("", "", "") if row is None else self._said(row)
            for text, words in zip(texts, said, strict=False):
                text.write(words)
        for name, button in self._buttons.items():
            button.write(self.say(WORDS[name]))
        self._buttons[SLIP].open(not view.busy)
        self._buttons[AGAIN].open(not view.busy)

    def _said(self, row: SelfTestRow) -> tuple[str, str, str]:
        kind, _, number = row.name.partition("-")
        counter = {"n": number} if number else {}
        name = self.say(DEVICES[kind], **counter) if kind in DEVICES else row.name.upper()
        grade, code = self.say(WORDS[row.grade]), row.code.upper().replace("_", "-")
        return (name, grade, code) if self.large else (name, code or grade, "")


class GridPage(Page):
    """Cells over the whole screen; each one that was felt says so."""

    _title_text: Text | None = None

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self._header = HeaderBand(self)
        if self.large:
            self._title_text = self.add_text(Style(72, True), 48, 262, 984)
            left, top, width, height, columns, rows = 48, 300, 984, 1364, 4, 6
            back: Box = (48, 1704, 984, 150)
        else:
            left, top, width, height, columns, rows = 32, HEADER_SMALL + GAP, 1216, 488, 6, 3
            back = (32, 632, 1216, 136)
        wide = (width - (columns - 1) * GAP) / columns
        high = (height - (rows - 1) * GAP) / rows
        self._cells = {}
        for index in range(columns * rows):
            number = str(index + 1)
            box = (
                left + index % columns * (wide + GAP),
                top + index // columns * (high + GAP),
                wide,
                high,
            )
            self._cells[number] = self.add_control(
                PushButton(kit, CELL + number, box, SECONDARY, px=60)
            )
        self._back = self.add_control(PushButton(kit, BACK, back, PRIMARY, px=60))

    def update(self, view: TechnicianView) -> None:
        """Mark the cells that were touched."""
        self.language = view.language
        title = self.say("tech.grid")
        self._header.write(view.header, view.language, title)
        if self._title_text is not None:
            self._title_text.write(title)
        for number, cell in self._cells.items():
            felt = number in view.touched
            cell.write(self.say("tech.felt") if felt else number)
            cell.open(not felt)
        self._back.write(self.say("tech.back"))
