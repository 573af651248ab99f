"""The first screen in simple mode: two services and a person, nothing to compare, no hurry."""

from kivy.uix.widget import Widget

from kiosk.ui.choices import ChoiceTile, PersonChoice
from kiosk.ui.controls import SECONDARY, Icon, PushButton
from kiosk.ui.home import by_kind, notice_icon, notice_words
from kiosk.ui.kit import Box, Kit
from kiosk.ui.page import GAP, MARGIN, MARGIN_SMALL, WIDTH, WIDTH_SMALL, HeaderBand, Page
from kiosk.ui.text import Style
from kiosk.ui.tokens import INK
from kiosk.ui.waits import wait_words
from kiosk.view import (
    CONTROL_ACCESS,
    CONTROL_EVERYTHING,
    CONTROL_EXIT,
    CONTROL_HELP,
    CONTROL_LANGUAGE,
    HomeView,
)

SERVICES = 2
GAP_SMALL = 16
_KEYS = {
    CONTROL_EVERYTHING: "simple.all",
    CONTROL_LANGUAGE: "lang.name",
    CONTROL_EXIT: "low.exit",
    CONTROL_ACCESS: "access",
    CONTROL_HELP: "help",
}
_SHARES = {
    CONTROL_EVERYTHING: 1.5,
    CONTROL_LANGUAGE: 1.1,
    CONTROL_EXIT: 0.9,
    CONTROL_HELP: 0.8,
}
"""Of the last row's width: "all services" is the longest of them in every language."""


class SimpleHomePage(Page):
    """Two services and a person; with low controls side by side below the middle."""

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self._low = kit.modes.low
        self._header = HeaderBand(self)
        if self.large:
            self._title = self.add_text(Style(120, True), MARGIN, 350, WIDTH)
            self._hint = self.add_text(Style(60), MARGIN, 438, WIDTH)
        else:
            self._hint = self.add_text(Style(60), MARGIN_SMALL, 176, WIDTH_SMALL)
        self._sign = Icon(kit, INK)
        self.add_widget(self._sign)
        boxes, person, row = self._boxes()
        narrow = self._low or not self.large
        name_px = (64 if self._low else 108) if self.large else (60 if self._low else 72)
        # Places of their own: the order of the keys stays when a service comes or goes.
        self._choices, self._persons = Widget(size=(0, 0)), Widget(size=(0, 0))
        self.add_widget(self._choices)
        self.add_widget(self._persons)
        self._tiles = [
            ChoiceTile(
                kit,
                box,
                stub=(148 if narrow else 200) if self.large else 92 if self._low else 108,
                letter_px=(112 if narrow else 160) if self.large else 96,
                name_px=name_px,
                more_px=0 if narrow else 60,
            )
            for box in boxes
        ]
        self._person = PersonChoice(
            kit,
            person,
            name_px=(84 if self._low else 108) if self.large else name_px,
            more_px=(60 if self.large else 0),
            icon_px=(120 if self.large else 0 if self._low else 80),
        )
        self._row = [*self._add_help(), *self._add_row(row)]

    def _add_help(self) -> list[PushButton]:
        """Above the last row on the large kiosk; the small one has it in that row."""
        if not self.large or CONTROL_HELP not in self.kit.served:
            return []
        box: Box = (MARGIN, 1552, WIDTH, 144)
        button = PushButton(self.kit, CONTROL_HELP, box, SECONDARY, px=72, icon="bell", icon_px=84)
        return [self.add_control(button)]

    def _boxes(self) -> tuple[list[Box], Box, Box]:
        """Of the services, of the person and of the whole last row."""
        if self.large and self._low:
            tiles: list[Box] = [(MARGIN + 504 * n, 976, 480, 264) for n in range(SERVICES)]
            return tiles, (MARGIN, 1264, WIDTH, 264), (MARGIN, 1720, WIDTH, 144)
        if self.large:
            tiles = [(MARGIN, 492 + 352 * n, WIDTH, 328) for n in range(SERVICES)]
            return tiles, (MARGIN, 1196, WIDTH, 328), (MARGIN, 1728, WIDTH, 144)
        if self._low:
            tiles = [(MARGIN_SMALL + 396 * n, 412, 380, 172) for n in range(SERVICES)]
            return tiles, (824, 412, 424, 172), (MARGIN_SMALL, 604, WIDTH_SMALL, 164)
        tiles = [(MARGIN_SMALL + 616 * n, 204, 600, 184) for n in range(SERVICES)]
        return tiles, (MARGIN_SMALL, 408, WIDTH_SMALL, 184), (MARGIN_SMALL, 612, WIDTH_SMALL, 156)

    def _add_row(self, box: Box) -> list[PushButton]:
        # "Listen" is on the sheet before, and goes on here: large print has no room for a fourth.
        wanted = [CONTROL_EVERYTHING, CONTROL_LANGUAGE, CONTROL_EXIT]
        if not self.large:
            wanted.append(CONTROL_HELP)
        offered = self.kit.served | {CONTROL_EVERYTHING, CONTROL_LANGUAGE, CONTROL_EXIT}
        ids = [name for name in wanted if name in offered]
        x, y, width, height = box
        gap = GAP if self.large else GAP_SMALL
        shares = [_SHARES[name] for name in ids]
        each = (width - gap * (len(ids) - 1)) / sum(shares)
        boxes: list[Box] = []
        for share in shares:
            boxes.append((x, y, each * share, height))
            x += each * share + gap
        return [
            self.add_control(PushButton(self.kit, name, place, SECONDARY, px=60))
            for name, place in zip(ids, self.for_hand(*boxes), strict=True)
        ]

    def update(self, view: HomeView) -> None:
        """Write the two services; raise :class:`WindowError` if there are more."""
        services, persons = by_kind(view, SERVICES, "simple mode")
        self.language = view.language
        self._header.write(view.header, view.language, self.say("simple.title"))
        if self.large:
            self._title.write(self.say("simple.title"))
        self._write_hint(view)
        for control in self._tiles[len(services) :]:
            self._choices.remove_widget(control)
        for tile, control in zip(services, self._tiles, strict=False):
            if control.parent is None:
                self._choices.add_widget(control)
            words = wait_words(self.kit.catalogue, view.language, tile.wait, large=self.large)
            reason = self.why(tile) if tile.closed else words.spoken
            control.show(tile, view.language, reason, short=not self.large or self._low)
        promise = self.say("simple.person.promise")
        if not view.online:
            promise = self.say("person.home.unreached")
        if persons and self._person.parent is None:
            self._persons.add_widget(self._person)
        elif not persons and self._person.parent is not None:
            self._persons.remove_widget(self._person)
        if persons:
            self._person.show(persons[0], view.language, self.say("simple.person"), promise)
        for button in self._row:
            wide = self.large and button.control_id == CONTROL_HELP
            button.write(self.say("help.call" if wide else _KEYS[button.control_id]))

    def _write_hint(self, view: HomeView) -> None:
        notice = notice_words(self, view)
        left, baseline = (MARGIN, 438) if self.large else (MARGIN_SMALL, 176)
        room = WIDTH if self.large else WIDTH_SMALL
        self._sign.opacity = 1.0 if notice else 0.0
        if notice:
            self._sign.show(notice_icon(view), left, baseline - 56, 64)
            left, room = left + 84, room - 84
        self._hint.place(left, baseline, room)
        self._hint.write(notice or self.say("simple.hint"))
