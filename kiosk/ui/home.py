"""The first screen: one question, at most four services, one person."""

from kivy.uix.widget import Widget

from kiosk.ui import WindowError
from kiosk.ui.controls import SECONDARY, Icon, PushButton
from kiosk.ui.kit import Box, Kit
from kiosk.ui.page import (
    HEADER,
    HEADER_SMALL,
    MARGIN,
    MARGIN_SMALL,
    WIDTH,
    WIDTH_SMALL,
    HeaderBand,
    Page,
)
from kiosk.ui.text import Style, Text
from kiosk.ui.tiles import PersonButton, ServiceButton
from kiosk.ui.tokens import MUTED, NOTICE, ON_NOTICE
from kiosk.ui.waits import NOBODY, WaitWords, wait_words
from kiosk.view import (
    CONTROL_ACCESS,
    CONTROL_BACK,
    CONTROL_CHECK_IN,
    CONTROL_FEEDBACK,
    CONTROL_HELP,
    CONTROL_LANGUAGE,
    CONTROL_LISTEN,
    HomeView,
    ServiceTile,
)

MOST_SERVICES = 4
BAND = 148
BAND_SMALL = 80
GAP_SMALL = 16
_ICONS = {
    CONTROL_ACCESS: "wheelchair",
    CONTROL_BACK: "back",
    CONTROL_FEEDBACK: "speech",
    CONTROL_HELP: "bell",
    CONTROL_CHECK_IN: "clock",
    CONTROL_LISTEN: "sound",
}
_KEYS = {
    CONTROL_CHECK_IN: "check_in",
    CONTROL_LISTEN: "access.audio",
    CONTROL_LANGUAGE: "lang.name",
    CONTROL_ACCESS: "access",
    CONTROL_BACK: "back",
    CONTROL_FEEDBACK: "feedback",
    CONTROL_HELP: "help",
}
_SHARES = {
    CONTROL_LANGUAGE: 0.88,
    CONTROL_ACCESS: 1.02,
    CONTROL_FEEDBACK: 1.25,
    CONTROL_HELP: 0.85,
}
"""Of the row's width on the large kiosk."""
_ROW_WIDTHS = {CONTROL_CHECK_IN: 0, CONTROL_HELP: 264, CONTROL_LISTEN: 452}
"""Above the services on the small kiosk; check-in has the rest."""


def notice_icon(view: HomeView) -> str:
    """The icon beside the word on the first screen."""
    if view.online and not view.notice:
        return "clock"
    return "warn" if view.online else "offline"


def question(page: Page, view: HomeView) -> str:
    """What the screen asks: which service, or which of a group."""
    return view.group[page.language] if view.group else page.say("home.title")


def notice_words(page: Page, view: HomeView) -> str:
    """The word on the first screen: of the moment, that the branch is away, that it closes."""
    if view.notice or not view.online:
        return page.say(view.notice or "offline.title")
    return page.say("home.closing", m=view.left_min) if view.left_min else ""


def by_kind(view: HomeView, most: int, screen: str) -> tuple[list[ServiceTile], list[ServiceTile]]:
    """The services and the way to a person. Raises WindowError where there are too many for
    ``screen``.
    """
    services = [tile for tile in view.tiles if not tile.priority]
    persons = [tile for tile in view.tiles if tile.priority]
    if len(services) > most or len(persons) > 1:
        raise WindowError(
            f"{screen} has {len(services)} services and {len(persons)} ways to a person;"
            f" it shows at most {most} and 1"
        )
    return services, persons


class HomePage(Page):
    """Two of these are built: one with the notice band under the header, one without."""

    def __init__(self, kit: Kit, *, band: bool) -> None:
        super().__init__(kit)
        self._band = band
        self._header = HeaderBand(self)
        if band:
            self._add_band()
        row = self._row_places()
        self._row = [self._row_button(*place) for place in row]
        # Places of their own, so that keys reach services and person before the row below.
        self._services, self._persons = Widget(size=(0, 0)), Widget(size=(0, 0))
        self.add_widget(self._services)
        self.add_widget(self._persons)
        self._tiles = [ServiceButton(kit, box) for box in self._tile_boxes()]
        self._person = PersonButton(kit, self._person_box())
        self._hint: Text | None = None
        if self.large:
            title, up = Style(80 if band else 88, True), 40 if self._row else 0
            self._title = self.add_text(title, MARGIN, (430 if band else 302) - up, WIDTH)
            self._hint = self.add_text(Style(48, colour=MUTED), MARGIN, 375 - up, WIDTH)
        elif [name for name, _ in row] == [CONTROL_HELP]:
            (x, y, room, _), _ = self.for_hand(*_beside(200 if band else 122))
            self._hint = self.add_text(Style(60, colour=MUTED), x, y + 80, room)
        self._bottom = [self._bottom_button(*place) for place in self._bottom_places()]

    def _row_places(self) -> list[tuple[str, Box]]:
        """Above the services: check-in, and on the small kiosk what has no room below them."""
        if self.large:
            checks_in = CONTROL_CHECK_IN in self.kit.served
            top = 428 if self._band else 362
            return [(CONTROL_CHECK_IN, (MARGIN, top, WIDTH, 100))] if checks_in else []
        ids = [name for name in _ROW_WIDTHS if name in self.kit.served]
        top = 200 if self._band else 122
        if ids == [CONTROL_HELP]:  # beside the hint
            _, box = self.for_hand(*_beside(top))
            return [(CONTROL_HELP, box)]
        # The first one has the room that the others leave.
        wide = WIDTH_SMALL - sum(_ROW_WIDTHS[name] + GAP_SMALL for name in ids[1:])
        left = float(MARGIN_SMALL)
        boxes: list[Box] = []
        for name in ids:
            width = _ROW_WIDTHS[name] if boxes else wide
            boxes.append((left, top, width, 118))
            left += width + GAP_SMALL
        return list(zip(ids, self.for_hand(*boxes), strict=True))

    def _row_button(self, control_id: str, box: Box) -> PushButton:
        px, icon_px = (48, 56) if self.large else (62, 64)
        icon = _ICONS[control_id]
        return self.add_control(
            PushButton(
                self.kit, control_id, box, SECONDARY, px=px, icon=icon, icon_px=icon_px, gap=20
            )
        )

    def _add_band(self) -> None:
        kit = self.kit
        bold, plain = Style(48, True, ON_NOTICE), Style(42, colour=ON_NOTICE)
        self._sign = Icon(kit, ON_NOTICE)
        if self.large:
            self.add_rectangle(NOTICE, (0, HEADER, 1080, BAND))
            self._notice = self.add_text(bold, 176, 235, WIDTH + MARGIN - 176)
            self._more = self.add_text(plain, 176, 290, WIDTH + MARGIN - 176)
            self._sign_at = (MARGIN + 8, HEADER + 34, 80)
        else:
            self.add_rectangle(NOTICE, (0, HEADER_SMALL, 1280, BAND_SMALL))
            room = WIDTH_SMALL - 84
            self._notice = self.add_text(Style(62, True, ON_NOTICE), MARGIN_SMALL + 84, 170, room)
            self._sign_at = (MARGIN_SMALL, HEADER_SMALL + 8, 64)
        self.add_widget(self._sign)

    def _tile_boxes(self) -> list[Box]:
        if self.large:
            top, step, height = (474, 240, 216) if self._band else (424, 252, 228)
            if self._row:
                top, step, height = (550, 224, 204) if self._band else (484, 238, 218)
            return [(MARGIN, top + step * n, WIDTH, height) for n in range(MOST_SERVICES)]
        top, step, height = (334, 167, 151) if self._band else (256, 172, 156)
        return [
            (MARGIN_SMALL + 616 * column, top + step * row, 600, height)
            for row in range(2)
            for column in range(2)
        ]

    def _person_box(self) -> Box:
        if self.large:
            return (MARGIN, 1450, WIDTH, 228) if self._band else (MARGIN, 1452, WIDTH, 232)
        return (MARGIN_SMALL, 668, 600, 118) if self._band else (MARGIN_SMALL, 612, 600, 156)

    def _bottom_places(self) -> list[tuple[str, Box]]:
        """What this release serves shares the row; feedback has no room on the small kiosk."""
        if self.large:
            wanted = [CONTROL_LANGUAGE, CONTROL_ACCESS, CONTROL_FEEDBACK, CONTROL_HELP]
            left, width, gap = float(MARGIN), WIDTH, GAP_SMALL
            top, height = 1744.0, 128.0
        else:
            wanted = [CONTROL_LANGUAGE, CONTROL_ACCESS]
            _, top, _, height = self._person_box()
            left, width, gap = MARGIN_SMALL + 616, 600, GAP_SMALL
        ids = [name for name in wanted if name in self.kit.served]
        if not self.large and len(ids) == len(wanted):
            return [(ids[0], (left, top, 264, height)), (ids[1], (left + 280, top, 320, height))]
        shares = [_SHARES[name] if self.large else 1.0 for name in ids]
        each = (width - gap * (len(ids) - 1)) / max(sum(shares), 1.0)
        boxes: list[Box] = []
        for share in shares:
            boxes.append((left, top, each * share, height))
            left += each * share + gap
        return list(zip(ids, self.for_hand(*boxes), strict=True))

    def _bottom_button(self, control_id: str, box: Box) -> PushButton:
        px = 48 if self.large and control_id in _ICONS else 56 if self.large else 60
        icon, icon_px = _ICONS.get(control_id, ""), 48 if self.large else 72
        gap = 10 if self.large else 20
        look = SECONDARY
        return self.add_control(
            PushButton(self.kit, control_id, box, look, px=px, icon=icon, icon_px=icon_px, gap=gap)
        )

    def update(self, view: HomeView) -> None:
        """Write services, queues and band; raise :class:`WindowError` if there are too many."""
        services, persons = by_kind(view, MOST_SERVICES, "the first screen")
        self.language = view.language
        title = question(self, view)
        self._header.write(view.header, view.language, title)
        for button in self._row:
            button.write(self._row_words(button.control_id))
        if self.large:
            self._title.write(title)
        if self._hint is not None:
            grouped = any(tile.group for tile in services)
            hint = self.say("home.hint.groups" if grouped else "home.hint")
            self._hint.write("" if self._band and self.large else hint)
        if self._band:
            self._write_band(view)
        for number, control in enumerate(self._tiles):
            self.present(control, self._services, number < len(services))
            if number < len(services):
                tile = services[number]
                control.show(tile, view.language, self._words(tile))
        self.present(self._person, self._persons, bool(persons))
        if persons:
            self._write_person(persons[0], online=view.online)
        for button in self._bottom:
            if button.control_id in (CONTROL_ACCESS, CONTROL_BACK):
                name = CONTROL_BACK if view.group else CONTROL_ACCESS
                button.become(name, _ICONS[name])
            button.write(self.say(_KEYS[button.control_id]))

    def _row_words(self, control_id: str) -> str:
        key = _KEYS[control_id]
        short = f"{key}.short"
        crowded = not self.large and CONTROL_LISTEN in self.kit.served
        return self.say(short if crowded and control_id == CONTROL_CHECK_IN else key)

    def _write_band(self, view: HomeView) -> None:
        self._sign.show(notice_icon(view), *self._sign_at)
        self._notice.write(notice_words(self, view))
        if self.large:
            self._more.write("" if view.online else self.say("offline.body"))
            self._notice.place(176, 260 if view.online else 235, WIDTH + MARGIN - 176)

    def _write_person(self, tile: ServiceTile, *, online: bool) -> None:
        promise = tile.examples[self.language]
        if not online:
            promise = self.say("person.home.unreached")
        said = promise.rstrip(".。").replace("\n", " ")
        spoken = self.kit.catalogue.text(
            self.language, "spoken.tile", name=tile.name[self.language], wait=said
        )
        self._person.show(tile, self.language, promise, spoken)

    def _words(self, tile: ServiceTile) -> WaitWords:
        if tile.closed:
            reason = self.why(tile)
            return WaitWords(NOBODY, reason, "", reason)
        return wait_words(self.kit.catalogue, self.language, tile.wait, large=self.large)


def _beside(top: float) -> tuple[Box, Box]:
    """The small kiosk's hint and help, where nothing else shares their row."""
    wide = _ROW_WIDTHS[CONTROL_HELP]
    room = WIDTH_SMALL - wide - 2 * GAP_SMALL
    left = MARGIN_SMALL + WIDTH_SMALL - wide
    return (MARGIN_SMALL, top, room, 118), (left, top, wide, 118)
