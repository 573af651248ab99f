"""The number is valid, the slip did not come: it stays until the customer confirms it."""

from kivy.graphics import Color, InstructionGroup, Rectangle

from kiosk.ui.controls import PRIMARY, SECONDARY, Box, Kit, PushButton
from kiosk.ui.drawing import Panel
from kiosk.ui.page import GAP, MARGIN, MARGIN_SMALL, WIDTH, WIDTH_SMALL, HeaderBand, Page, Plate
from kiosk.ui.text import Figure, Style
from kiosk.ui.tokens import CARD, CLEAR, INK, MUTED, RADIUS
from kiosk.ui.waiting import WaitColumn, figures
from kiosk.ui.waits import wait_words
from kiosk.view import CONTROL_ACKNOWLEDGE, CONTROL_LISTEN, CONTROL_PERSON, NoSlipView

QUIET_MODULES = 4  # ISO/IEC 18004: the white border a reader needs
_ICONS = {CONTROL_LISTEN: "sound", CONTROL_PERSON: "staff"}
_KEYS = {CONTROL_LISTEN: "listen", CONTROL_PERSON: "person"}


class Code:
    """A QR code on a white card, its modules whole pixels."""

    def __init__(self, page: Page, box: Box) -> None:
        self._rect = page.kit.metrics.rect(*box)
        self._card = Panel(CLEAR, page.kit.metrics.px(RADIUS))
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
        self._card.paint(CARD if url else CLEAR)
        if url is None:
            return
        import segno  # 35 ms that the first frame need not wait for

        rows = [list(row) for row in segno.make_qr(url, error="m").matrix]
        count = len(rows)
        module = min(width, height) // (count + 2 * QUIET_MODULES)
        start = left + (width - module * count) // 2
        top = bottom + height - (height - module * count) // 2
        self._modules.add(Color(*INK))
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
    """The number is as big as on the ticket screen; the acknowledgement repeats it."""

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self._header = HeaderBand(self)
        row = [name for name in (CONTROL_LISTEN, CONTROL_PERSON) if name in kit.served]
        # Without the bottom row the plate is as high as the ticket screen's, the rest moves down.
        self._down = 0 if row else 44
        if self.large:
            down = self._down
            self._title = self.add_text(Style(80, True), MARGIN, 293, WIDTH)
            self._why = self.add_text(Style(50, colour=MUTED), MARGIN, 371, WIDTH)
            plate: Box = (MARGIN, 424, WIDTH, 460 if row else 500)
            number_px, number, words = (336, 834, 516) if row else (348, 862, 520)
            self._plate = Plate(self, plate, px=number_px, baseline=number, words=words)
            self._code = Code(self, (MARGIN, 932 + down, 420, 420))
            self._scan = self.add_lines(Style(64, True), 516, 1008, 62, 516)
            self._how = self.add_lines(Style(48, colour=MUTED), 516, 1075, 64, 516)
            ack: Box = (MARGIN, 1424 + (64 if down else 0), WIDTH, 200)
            stay = Style(44, colour=MUTED, align="centre")
            self._stay = self.add_text(stay, 540, ack[1] + 269, WIDTH)
            caption, value = Style(48, colour=MUTED), Style(96, True)
            px, icon_px = 84, 96
        else:
            self._why = self.add_text(Style(60, colour=MUTED), MARGIN_SMALL, 166, WIDTH_SMALL)
            self._plate = Plate(self, (32, 186, 780, 344), px=300, baseline=504, words=250)
            self._code = Code(self, (874, 186, 344, 344))
            self._how = self.add_lines(Style(60), MARGIN_SMALL, 600, 0, WIDTH_SMALL)
            caption, value = Style(60, colour=MUTED), Style(80, True)
            ack = (MARGIN_SMALL, 640, WIDTH_SMALL, 128)
            px, icon_px, row = 72, 84, []
        self._columns = WaitColumn(self, caption, value), WaitColumn(self, caption, value)
        self._lines = [Figure(kit.metrics, kit.fonts, Style(48), Style(48, True)) for _ in "ab"]
        for line in self._lines:
            self.add_widget(line)
        look, acknowledge = PRIMARY, CONTROL_ACKNOWLEDGE
        self._ack = self.add_control(
            PushButton(kit, acknowledge, ack, look, px=px, icon="check", icon_px=icon_px, gap=20)
        )
        each = (WIDTH - GAP * (len(row) - 1)) / max(len(row), 1)
        self._row = [
            self._secondary(name, (MARGIN + n * (each + GAP), 1744, each, 128))
            for n, name in enumerate(row)
        ]

    def _secondary(self, control_id: str, box: Box) -> PushButton:
        icon = _ICONS[control_id]
        return self.add_control(PushButton(self.kit, control_id, box, SECONDARY, px=56, icon=icon))

    def update(self, view: NoSlipView) -> None:
        """Write the number, why there is no slip, and how to keep the number."""
        self.language = view.language
        title = self.say("noprint.title")
        self._header.write(view.header, view.language, title)
        told = "told" if view.staff_told else "untold"
        self._why.write(self.say(f"noprint.{view.cause}.{told}"))
        self._plate.write(view.service_name[view.language], view.number, view.issued_clock)
        self._code.show(view.qr_url)
        words = wait_words(self.kit.catalogue, view.language, view.wait, large=self.large)
        people, span = figures(self, view.wait, words)
        if self.large:
            self._write_large(title, view.qr_url is not None)
            self._write_waits(people, span, beside_code=view.qr_url is not None)
        else:
            self._how.write(self.say("noprint.how" if view.qr_url else "noprint.keep.how"))
            shown = "" if view.qr_url else people, "" if view.qr_url else span
            self._write_columns(*shown, (844, 844), ((240, 320), (420, 500)), 404)
        self._ack.write(self.say("noprint.ack", number=view.number))
        for button in self._row:
            button.write(self.say(_KEYS[button.control_id]))

    def _write_large(self, title: str, has_code: bool) -> None:
        self._title.write(title)
        scan = self.say("noprint.qr" if has_code else "noprint.keep")
        how = self.say("noprint.how" if has_code else "noprint.keep.how")
        x, room, down = (516, 516, self._down) if has_code else (MARGIN, WIDTH, self._down)
        narrow = "\n" in scan
        self._scan.place(x, down + (978 if narrow else 1008), 62, room)
        self._scan.write(scan, Style(54 if narrow else 64, True))
        self._how.place(x, down + (1098 if narrow else 1075), 51 if narrow else 64, room)
        self._how.write(how, Style(42 if narrow else 48, colour=MUTED))
        self._stay.write(self.say("noprint.stay"))

    def _write_waits(self, people: str, span: str, *, beside_code: bool) -> None:
        keys = ("noprint.ahead", people), ("noprint.wait", span)
        first = self._down + (1290 if self.language == "zh_CN" else 1322)
        for line, (key, value), baseline in zip(
            self._lines, keys, (first, first + 60), strict=True
        ):
            shown = beside_code and bool(value)
            line.write(f"{self.say(key)} " if shown else "", value if shown else "", "")
            line.place(516, baseline)
        shown_below = ("", "") if beside_code else (people, span)
        captions, values = 1240 + self._down, 1348 + self._down
        self._write_columns(
            *shown_below, (MARGIN, 412), ((captions, values), (captions, values)), 600
        )

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
