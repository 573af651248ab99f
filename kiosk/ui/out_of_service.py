"""No number can be recorded, so none is issued: what to do first, then why."""

from kiosk.ui.controls import ON_INK, OUTLINE_ON_INK, Icon, PushButton
from kiosk.ui.kit import Box, Kit
from kiosk.ui.page import MARGIN, MARGIN_SMALL, WIDTH, WIDTH_SMALL, HeaderBand, Page
from kiosk.ui.text import Style
from kiosk.ui.tokens import DARK, MIST, ON_DARK
from kiosk.view import CONTROL_LANGUAGE, CONTROL_PERSON, OutOfServiceView

_WORDS = {"storage_full": "oos.storage"}  # any other code is a fault of the machine
_RING = 9


class OutOfServicePage(Page):
    """Dark, so that it is seen from afar; no queue figures."""

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit, DARK)
        self._header = HeaderBand(self, plain=True)
        person = CONTROL_PERSON in kit.served
        self._arrow = Icon(kit, ON_DARK)
        self._call: PushButton | None = None
        # Without the button to call somebody the rest takes its room.
        self._down = 0 if person else 80
        if self.large:
            down = self._down
            self._add_pause(48, 296 + down, 200)
            self._title = self.add_lines(Style(120, True, ON_DARK), MARGIN, 667, 150, WIDTH)
            self._why = self.add_lines(Style(56, colour=ON_DARK), MARGIN, 952, 86, WIDTH)
            top = 1200 + 2 * down
            self._add_outline((MARGIN, top, WIDTH, 210))
            self._where = self.add_text(Style(60, True, ON_DARK), 242, top + 99, 760)
            self._or = self.add_text(Style(46, colour=ON_DARK), 242, top + 164, 760)
            self._arrow.show("arrow", 88, top + 57, 96)
            call: Box = (MARGIN, 1456, WIDTH, 216)
            words, language = self.for_hand((MARGIN, 1744, 640, 128), (720, 1744, 312, 128))
            self._told = self.add_text(Style(42, colour=MIST), words[0], 1795, words[2])
            self._code = self.add_text(Style(42, colour=MIST), words[0], 1856, words[2])
        else:
            self._why = self.add_lines(
                Style(60, colour=ON_DARK), MARGIN_SMALL, 186, 80, WIDTH_SMALL
            )
            self._add_outline((MARGIN_SMALL, 400, WIDTH_SMALL, 188))
            self._where = self.add_text(Style(66, True, ON_DARK), 200, 482, 1020)
            self._or = self.add_text(Style(60, colour=ON_DARK), 200, 558, 1020)
            self._arrow.show("arrow", 72, 446, 96)
            call = (MARGIN_SMALL, 616, 880, 152)
            language = (936, 616, 312, 152)
            words = call
            if not person:  # which is at the left already
                words, language = self.for_hand(words, language)
            self._code = self.add_text(Style(60, colour=MIST), words[0], 714, words[2])
        self.add_widget(self._arrow)
        if person:
            px, icon_px = (76, 96) if self.large else (66, 80)
            self._call = self.add_control(
                PushButton(kit, CONTROL_PERSON, call, ON_INK, px=px, icon="staff", icon_px=icon_px)
            )
        self._language = self.add_control(
            PushButton(
                kit, CONTROL_LANGUAGE, language, OUTLINE_ON_INK, px=56 if self.large else 60
            )
        )

    def _add_pause(self, x: float, y: float, size: float) -> None:
        self.add_panel(ON_DARK, (x, y, size, size), size / 2)
        hole = size - 2 * _RING
        self.add_panel(DARK, (x + _RING, y + _RING, hole, hole), hole / 2)
        bars = Icon(self.kit, ON_DARK)
        bars.show("pause", x + 42, y + 42, size - 84)
        self.add_widget(bars)

    def _add_outline(self, box: Box) -> None:
        x, y, width, height = box
        self.add_panel(ON_DARK, box)
        self.add_panel(DARK, (x + 4, y + 4, width - 8, height - 8), 24)

    def update(self, view: OutOfServiceView) -> None:
        """Write the reason, where to go, and the technician's code."""
        self.language = view.language
        title = self.say("oos.title")
        code = f"{view.machine} {view.code.upper().replace('_', '-')}".strip()
        aside = "" if self.large or self._call is None else code
        self._header.write(view.header, view.language, title, aside)
        why = f"{self.say(_WORDS.get(view.code, 'oos.fault'))}\n{self.say('oos.held')}"
        self._why.write(why)
        if self.large:
            self._write_large(title, why.count("\n") + 1)
            told = self.say("oos.told", time=view.told_clock) if view.told_clock else ""
            self._told.write(told)
        self._code.write("" if aside else code)
        self._where.write(self.say("oos.where"))
        self._or.write(self.say("oos.where.or"))
        if self._call is not None:
            self._call.write(self.say("oos.call"))
        self._language.write(self.say("lang.name"))

    def _write_large(self, title: str, why_lines: int) -> None:
        three = title.count("\n") == 2
        first = self._down + (614 if three else 667)
        self._title.place(MARGIN, first, 106 if three else 150, WIDTH)
        self._title.write(title, Style(88 if three else 120, True, ON_DARK))
        step = 86 if why_lines < 4 else 70
        self._why.place(MARGIN, 952 + self._down * 5 / 4, step, WIDTH)
