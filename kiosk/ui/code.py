"""The pad for six digits: all keys below the middle, so that it is the same for who sits."""

from kiosk.ui.controls import PRIMARY, SECONDARY, PushButton
from kiosk.ui.kit import Box, Kit
from kiosk.ui.page import GAP, MARGIN, MARGIN_SMALL, WIDTH, WIDTH_SMALL, HeaderBand, Page
from kiosk.ui.text import Style, Text
from kiosk.ui.tokens import CARD, INK, MUTED
from kiosk.view import CONTROL_BACK, CONTROL_ERASE, CONTROL_PERSON, DIGIT_PREFIX, CodeView
from sync.codes import CODE_DIGITS

_KEYS = "1234567890"


class CodePage(Page):
    """What is typed stands above, digit by digit."""

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self._header = HeaderBand(self)
        if self.large:
            self._title = self.add_text(Style(88, True), MARGIN, 302, WIDTH)
            self._hint = self.add_lines(Style(48, colour=MUTED), MARGIN, 390, 64, WIDTH)
        else:
            self._hint = self.add_lines(
                Style(60, colour=MUTED), MARGIN_SMALL, 180, 70, WIDTH_SMALL
            )
        self._digits = [self._place(n) for n in range(CODE_DIGITS)]
        self._keys = [self.add_control(self._key(name, box)) for name, box in self._boxes()]
        back: Box = (MARGIN, 1744, 312, 128) if self.large else (MARGIN_SMALL, 674, 396, 118)
        person: Box = (384, 1744, 648, 128) if self.large else (444, 674, 804, 118)
        back, person = self.for_hand(back, person)
        px = 56 if self.large else 62
        self._back = self.add_control(
            PushButton(kit, CONTROL_BACK, back, SECONDARY, px=px, icon="back", icon_px=60, gap=16)
        )
        self._person = PushButton(
            kit, CONTROL_PERSON, person, PRIMARY, px=px, icon="staff", icon_px=72
        )

    def _place(self, number: int) -> Text:
        """The card and the text of one digit."""
        side, top, gap = (144.0, 560.0, 24.0) if self.large else (120.0, 262.0, 20.0)
        whole = CODE_DIGITS * side + (CODE_DIGITS - 1) * gap
        left, width = (MARGIN, WIDTH) if self.large else (MARGIN_SMALL, WIDTH_SMALL)
        x = left + (width - whole) / 2 + number * (side + gap)
        self.add_panel(CARD, (x, top, side, side), 20)
        px = 112 if self.large else 96
        return self.add_text(
            Style(px, True, INK, "centre"), x + side / 2, top + side / 2 + 0.367 * px
        )

    def _key(self, name: str, box: Box) -> PushButton:
        if name == CONTROL_ERASE:
            return PushButton(self.kit, name, box, SECONDARY, px=56 if self.large else 62)
        return PushButton(
            self.kit, f"{DIGIT_PREFIX}{name}", box, SECONDARY, px=88 if self.large else 80
        )

    def _boxes(self) -> list[tuple[str, Box]]:
        """Every key and its place, in the order of reading."""
        if self.large:
            order = [*_KEYS[:9], CONTROL_ERASE, "0"]
            return [
                (name, (MARGIN + n % 3 * (312 + GAP), 984 + n // 3 * 177, 312, 160))
                for n, name in enumerate(order)
            ]
        digits: list[tuple[str, Box]] = [
            (name, (MARGIN_SMALL + n % 6 * 206.0, 408 + n // 6 * 133.0, 186, 118))
            for n, name in enumerate(_KEYS)
        ]
        return [*digits, (CONTROL_ERASE, (856, 541, 392, 118))]

    def update(self, view: CodeView) -> None:
        """Write what is typed, and what to do."""
        self.language = view.language
        title = self.say("code.title")
        self._header.write(view.header, view.language, title)
        if self.large:
            self._title.write(title)
        hint = "code.asking" if view.asking else "code.reader" if view.reader else "code.hint"
        self._hint.write(self.say(hint))
        for place, text in enumerate(self._digits):
            text.write(view.digits[place : place + 1])
        for key in self._keys:
            erases = key.control_id == CONTROL_ERASE
            key.write(self.say("code.erase") if erases else key.control_id[len(DIGIT_PREFIX) :])
        self._back.write(self.say("back"))
        self.present(self._person, self, view.person)
        self._person.write(self.say("person"))
