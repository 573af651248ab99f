"""The number is valid, the slip did not come: it stays until the customer confirms it."""

from kivy.graphics import Color, InstructionGroup, Rectangle
from kivy.uix.widget import Widget

from kiosk.ui.controls import PRIMARY, SECONDARY, PushButton
from kiosk.ui.drawing import Panel
from kiosk.ui.kit import Box, Kit
from kiosk.ui.page import GAP, MARGIN, MARGIN_SMALL, WIDTH, WIDTH_SMALL, HeaderBand, Page, Plate
from kiosk.ui.text import Figure, Style
from kiosk.ui.tokens import CLEAR, LIGHT, MUTED, ON_LIGHT, RADIUS
from kiosk.ui.waiting import WaitColumn, figures
from kiosk.ui.waits import say, wait_words
from kiosk.view import (
    CONTROL_ACKNOWLEDGE,
    CONTROL_LISTEN,
    CONTROL_PERSON,
    CONTROL_REPRINT,
    NoSlipView,
)

QUIET_MODULES = 4  # ISO/IEC 18004: the white border a reader needs
_ICONS = {CONTROL_LISTEN: "sound", CONTROL_PERSON: "staff", CONTROL_REPRINT: "printer"}
_KEYS = {CONTROL_LISTEN: "listen", CONTROL_PERSON: "person"}
_ROW = 1744, 128  # top and height of the last row


class Code:
    """A QR code on a white card, its modules whole pixels."""

    def __init__(self, page: Page, box: Box) -> None:
        self._rect = page.kit.metrics.rect(*box)
        self._kit = page.kit
        self._card = Panel(page.kit.rgba(CLEAR), page.kit.metrics.px(RADIUS))
        self._card.place(self._rect)
        self._modules = InstructionGroup()
        page.canvas.add(self._card.group)
        page.canvas.add(self._modules)
        self._url: str | None = None

    def show(self, url: str | None) -> None:
        """Draw the code of ``url``, or nothing."""
        if url == self._url:
            return
        self._url = url
        self._modules.clear()
        left, bottom, width, height = self._rect
        self._card.paint(self._kit.rgba(LIGHT if url else CLEAR))
        if url is None:
            return
        import segno  # 35 ms that the first frame need not wait for

        rows = [list(row) for row in segno.make_qr(url, error="m").matrix]
        count = len(rows)
        module = min(width, height) // (count + 2 * QUIET_MODULES)
        start = left + (width - module * count) // 2
        top = bottom + height - (height - module * count) // 2
        self._modules.add(Color(*self._kit.rgba(ON_LIGHT)))
        for number, row in enumerate(rows):
            y = top - module * (number + 1)
            column = 0
            while column < count:
                run = 0
                while column + run < count and row[column + run]:
                    run += 1
                if run:
                    self._modules.add(
                        Rectangle(pos=(start + module * column, y), size=(module * run, module))
                    )
                column += run + 1


class NoSlipPage(Page):
    """The number is as big as on the ticket screen; the acknowledgement repeats it.

    "Print again" comes and goes with the printer, in a place kept for it: nothing else moves under
    a finger.
    """

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self._header = HeaderBand(self)
        row = [name for name in (CONTROL_LISTEN, CONTROL_PERSON) if name in kit.served]
        # A row below leaves "print again" a place of its own above it: the middle moves up.
        self._up = 24 if row and self.large else 0
        if self.large:
            up = self._up
            self._title = self.add_text(Style(80, True), MARGIN, 293, WIDTH)
            self._why = self.add_text(Style(50, colour=MUTED), MARGIN, 371, WIDTH)
            self._plate = Plate(self, (MARGIN, 424, WIDTH, 460), px=336, baseline=834, words=516)
            self._code = Code(self, (MARGIN, 932 - up, 420, 420))
            self._scan = self.add_lines(Style(64, True), 516, 1008, 62, 516)
            self._how = self.add_lines(Style(48, colour=MUTED), 516, 1075, 64, 516)
            ack: Box = (MARGIN, 1400, WIDTH, 160) if row else (MARGIN, 1424, WIDTH, 200)
            again: Box = (MARGIN, 1592 if row else _ROW[0], WIDTH, _ROW[1])
            stay = Style(44, colour=MUTED, align="centre")
            self._stay = self.add_text(stay, 540, 1668 if row else 1693, WIDTH)
            caption, value = Style(48, colour=MUTED), Style(96, True)
            px, icon_px, again_px = 84, 96, 56
        else:
            self._why = self.add_text(Style(60, colour=MUTED), MARGIN_SMALL, 166, WIDTH_SMALL)
            self._plate = Plate(self, (32, 186, 780, 344), px=300, baseline=504, words=250)
            self._code = Code(self, (874, 186, 344, 344))
            self._how = self.add_lines(Style(60), MARGIN_SMALL, 600, 0, WIDTH_SMALL)
            caption, value = Style(60, colour=MUTED), Style(80, True)
            ack, again = (MARGIN_SMALL, 640, 780, 128), (844, 640, 404, 128)
            px, icon_px, again_px, row = 72, 84, 62, []
        self._columns = WaitColumn(self, caption, value), WaitColumn(self, caption, value)
        self._lines = [Figure(kit, Style(48), Style(48, True)) for _ in "ab"]
        for line in self._lines:
            self.add_widget(line)
        look, acknowledge = PRIMARY, CONTROL_ACKNOWLEDGE
        self._ack = self.add_control(
            PushButton(kit, acknowledge, ack, look, px=px, icon="check", icon_px=icon_px, gap=20)
        )
        icon = _ICONS[CONTROL_REPRINT] if self.large else ""
        self._again_place = Widget(size=(0, 0))  # before the row, for keys and for reading
        self.add_widget(self._again_place)
        self._again = PushButton(kit, CONTROL_REPRINT, again, SECONDARY, px=again_px, icon=icon)
        each = (WIDTH - GAP * (len(row) - 1)) / max(len(row), 1)
        boxes = self.for_hand(
            *((MARGIN + n * (each + GAP), _ROW[0], each, _ROW[1]) for n in range(len(row)))
        )
        self._row = [self._secondary(name, box) for name, box in zip(row, boxes, strict=True)]

    def _secondary(self, control_id: str, box: Box) -> PushButton:
        icon = _ICONS[control_id]
        return self.add_control(PushButton(self.kit, control_id, box, SECONDARY, px=56, icon=icon))

    def update(self, view: NoSlipView) -> None:
        """Write the number, why there is no slip, and how to keep the number."""
        self.language = view.language
        title = self.say("noprint.title")
        self._header.write(view.header, view.language, title)
        told = "told" if view.staff_told else "untold"
        why = "noprint.ready" if view.may_reprint else f"noprint.{view.cause}.{told}"
        self._why.write(self.say(why))
        self._plate.write(view.service_name[view.language], view.number, view.issued_clock)
        self._code.show(view.qr_url)
        words = wait_words(self.kit.catalogue, view.language, view.wait, large=self.large)
        people, span = figures(self, view.wait, words)
        if self.large:
            self._write_large(title, view.qr_url is not None)
            covered = bool(self._row) and view.may_reprint
            self._stay.write("" if covered else self.say("noprint.stay"))
            self._write_waits(people, span, beside_code=view.qr_url is not None)
        else:
            self._how.write(self.say("noprint.how" if view.qr_url else "noprint.keep.how"))
            shown = "" if view.qr_url else people, "" if view.qr_url else span
            self._write_columns(*shown, (844, 844), ((240, 320), (420, 500)), 404)
        self._ack.write(self.say("noprint.ack", number=view.number))
        self._again.write(self.say("noprint.reprint"))
        self.present(self._again, self._again_place, view.may_reprint)
        for button in self._row:
            button.write(self.say(_KEYS[button.control_id]))

    def _write_large(self, title: str, has_code: bool) -> None:
        self._title.write(title)
        scan = self.say("noprint.qr" if has_code else "noprint.keep")
        key = "noprint.how" if has_code else "noprint.keep.how"
        how = say(self.kit.catalogue, self.language, key, large=True)  # it has its lines
        x, room = (516, 516) if has_code else (MARGIN, WIDTH)
        narrow = "\n" in scan
        self._scan.place(x, (978 if narrow else 1008) - self._up, 62, room)
        self._scan.write(scan, Style(54 if narrow else 64, True))
        how_at = (1098 if narrow else 1075) - self._up
        close = 56 if self.kit.modes.simple else 51
        self._how.place(x, how_at, close if narrow else 64, room)
        self._how.write(how, Style(42 if narrow else 48, colour=MUTED))

    def _write_waits(self, people: str, span: str, *, beside_code: bool) -> None:
        keys = ("noprint.ahead", people), ("noprint.wait", span)
        first = (1290 if self.language == "zh_CN" else 1322) - self._up
        for line, (key, value), baseline in zip(
            self._lines, keys, (first, first + 60), strict=True
        ):
            shown = beside_code and bool(value)
            line.write(f"{self.say(key)} " if shown else "", value if shown else "", "")
            line.place(516, baseline)
        shown_below = ("", "") if beside_code else (people, span)
        lines = 1240 - self._up, 1348 - self._up
        self._write_columns(*shown_below, (MARGIN, 412), (lines, lines), 600)

    def _write_columns(
        self,
        people: str,
        span: str,
        at: tuple[float, float],
        baselines: tuple[tuple[float, float], tuple[float, float]],
        room: float,
    ) -> None:
        ahead = self.say("ticket.ahead") if people else ""
        wait = self.say("ticket.wait") if span else ""
        self._columns[0].write(ahead, people, at[0], baselines[0], room)
        self._columns[1].write(wait, span, at[1], baselines[1], room)
