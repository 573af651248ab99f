"""The first screen with low controls: what is to read above the middle, what is to press below."""

from kivy.uix.widget import Widget

from kiosk.ui.choices import ChoiceTile, PersonChoice
from kiosk.ui.controls import SECONDARY, Icon, PushButton
from kiosk.ui.drawing import Panel
from kiosk.ui.home import MOST_SERVICES, by_kind, notice_icon, notice_words, question
from kiosk.ui.kit import Box, Kit
from kiosk.ui.page import GAP, MARGIN, MARGIN_SMALL, WIDTH, WIDTH_SMALL, HeaderBand, Page
from kiosk.ui.text import Style, Text
from kiosk.ui.tokens import CAPITAL_EM, CLEAR, INK, MUTED, ON_STUB, RULE, STUB
from kiosk.ui.waits import wait_words
from kiosk.view import (
    CONTROL_BACK,
    CONTROL_CHECK_IN,
    CONTROL_EXIT,
    CONTROL_HELP,
    CONTROL_LANGUAGE,
    HomeView,
    ServiceTile,
)

GAP_SMALL = 16
_KEYS = {
    CONTROL_CHECK_IN: "check_in.short",
    CONTROL_LANGUAGE: "lang.name",
    CONTROL_EXIT: "low.exit",
    CONTROL_BACK: "back",
    CONTROL_HELP: "help",
}
_ICONS = {
    CONTROL_EXIT: "cross",
    CONTROL_BACK: "back",
    CONTROL_HELP: "bell",
    CONTROL_CHECK_IN: "clock",
}


class Row:
    """One service to read: its letter, its name, who waits and for how long."""

    def __init__(self, page: Page, top: float, height: float, *, first: bool) -> None:
        self._page = page
        kit, large = page.kit, page.large
        left, width = (MARGIN, WIDTH) if large else (MARGIN_SMALL, WIDTH_SMALL)
        side = 88.0 if large else 60.0
        self._rule = page.add_panel(CLEAR, (left, top, width, 3), 1)
        self._ruled = large or not first
        self._square = Panel(kit.rgba(CLEAR), kit.metrics.px(20 if large else 14))
        self._square.place(kit.metrics.rect(left, top + (height - side) / 2, side, side))
        page.canvas.add(self._square.group)
        px = 0.73 * side if large else 59
        self._letter = page.add_text(
            Style(px, True, ON_STUB, "centre"),
            left + side / 2,
            top + height / 2 + CAPITAL_EM / 2 * px,
        )
        size = 56 if large else 60
        baseline = top + height / 2 + CAPITAL_EM / 2 * size
        name = 174.0 if large else 112.0
        people = 512.0 if large else 640.0
        self._name = page.add_text(Style(size), name, baseline, people - name - 16)
        self._people = page.add_text(Style(size), people, baseline, 240 if large else 290)
        self._people_at = people, baseline
        self._span = page.add_text(Style(size, True, INK, "right"), left + width, baseline)
        self._wide = left + width - people

    def show(self, tile: ServiceTile | None, language: str) -> None:
        """Write one service, or nothing."""
        page, kit = self._page, self._page.kit
        self._rule.paint(kit.rgba(RULE if tile and self._ruled else CLEAR))
        self._square.paint(kit.rgba(STUB if tile else CLEAR))
        if tile is None:
            for text in (self._letter, self._name, self._people, self._span):
                text.write("")
            return
        words = wait_words(kit.catalogue, language, tile.wait, large=page.large)
        self._letter.write(tile.letter)
        self._name.write(tile.brief(language))
        people, span = "", words.span
        if tile.closed:
            people, span = page.why(tile), ""
        elif words.is_unknown:
            people, span = words.line.replace("\n", " "), ""
        elif any(words.ahead):
            people = page.say("low.people", n=tile.wait.ahead)
        else:
            people, span = words.line, ""
        x, baseline = self._people_at
        taken = self._span_width(span)
        self._people.place(x, baseline, self._wide - taken)
        self._people.write(people)

    def _span_width(self, span: str) -> float:
        self._span.write(span)
        return float(self._span.width) / self._page.kit.metrics.scale + 16 if span else 0.0


class LowHomePage(Page):
    """Nothing above the middle reacts; the same letters, services and person as everywhere."""

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self._close = CONTROL_CHECK_IN in kit.served and not self.large  # three rows, not two
        self._header = HeaderBand(self)
        self._sign = Icon(kit, INK)
        self.add_widget(self._sign)
        self._title: Text | None = None
        self._hint: Text | None = None
        if self.large:
            self._title = self.add_text(Style(88, True), MARGIN, 302, WIDTH)
            self._hint = self.add_text(Style(48, colour=MUTED), MARGIN, 382, WIDTH)
        top, step = (449.0, 124.0) if self.large else (112.0, 71.0)
        self._rows = [Row(self, top + n * step, step, first=n == 0) for n in range(MOST_SERVICES)]
        self._services = Widget(size=(0, 0))
        self.add_widget(self._services)
        self._tiles = [self._tile(box) for box in self._boxes()]
        self._persons = Widget(size=(0, 0))
        self.add_widget(self._persons)
        person: Box = (MARGIN, 1476, WIDTH, 208) if self.large else (MARGIN_SMALL, 600, 600, 168)
        if self._close:
            person = (MARGIN_SMALL, 541, WIDTH_SMALL, 118)
        self._person = PersonChoice(
            kit,
            person,
            name_px=64 if self.large else 62,
            more_px=44 if self.large else 0,
            icon_px=96 if self.large else 72,
        )
        self._bottom = self._add_bottom()
        if not self.large and CONTROL_HELP in kit.served:
            _, top, _, height = self._boxes()[0]
            x = MARGIN_SMALL if kit.modes.left else MARGIN_SMALL + 252 * MOST_SERVICES
            box: Box = (x, top, 208, height)
            self._bottom.append(self._help(box))

    def _help(self, box: Box) -> PushButton:
        button = PushButton(self.kit, CONTROL_HELP, box, SECONDARY, px=60)
        self.add_widget(button, index=self.children.index(self._persons) + 1)
        return button

    def _boxes(self) -> list[Box]:
        if self.large:
            return [
                (MARGIN + 504 * column, 1012 + 232 * row, 480, 208)
                for row in range(2)
                for column in range(2)
            ]
        top, height = (408, 118) if self._close else (412, 168)
        step, wide = (252, 236) if CONTROL_HELP in self.kit.served else (308, 292)
        left = MARGIN_SMALL
        if step < 308 and self.kit.modes.left:
            left += 224  # help stands before the letters, which keep their order
        return [(left + step * n, top, wide, height) for n in range(MOST_SERVICES)]

    def _tile(self, box: Box) -> ChoiceTile:
        if self.large:
            return ChoiceTile(self.kit, box, stub=128, letter_px=108, name_px=54)
        return ChoiceTile(self.kit, box, stub=box[2] - 6, letter_px=112)

    def _add_bottom(self) -> list[PushButton]:
        # "Listen" is on the sheet before, and goes on here: there is no room for it beside help.
        wanted = [CONTROL_CHECK_IN, CONTROL_LANGUAGE, CONTROL_EXIT]
        if self.large:
            wanted.append(CONTROL_HELP)  # the small one has it above, where there is room
        ids = [
            name for name in wanted if name in (CONTROL_LANGUAGE, CONTROL_EXIT, *self.kit.served)
        ]
        left, top, width, height, gap = (
            (MARGIN, 1708.0, WIDTH, 140.0, GAP)
            if self.large
            else (MARGIN_SMALL + 616, 600.0, 600, 168.0, GAP_SMALL)
        )
        if self._close:
            left, top, width, height = MARGIN_SMALL, 674.0, WIDTH_SMALL, 118.0
        each = (width - gap * (len(ids) - 1)) / len(ids)
        boxes = self.for_hand(
            *((left + n * (each + gap), top, each, height) for n in range(len(ids)))
        )
        return [
            self.add_control(
                PushButton(
                    self.kit,
                    name,
                    box,
                    SECONDARY,
                    px=56 if self.large else 60,
                    icon=_ICONS.get(name, "")
                    if len(ids) < (4 if self.large or self._close else 3)
                    else "",
                    icon_px=52,
                    gap=20,
                )
            )
            for name, box in zip(ids, boxes, strict=True)
        ]

    def update(self, view: HomeView) -> None:
        """Write services and queues; raise :class:`WindowError` if there are too many."""
        services, persons = by_kind(view, MOST_SERVICES, "the first screen")
        self.language = view.language
        notice = notice_words(self, view)
        title = notice if notice and not self.large else question(self, view)
        self._header.write(view.header, view.language, title)
        self._write_hint(view, notice)
        for number, control in enumerate(self._tiles):
            tile = services[number] if number < len(services) else None
            self._rows[number].show(tile, view.language)
            self.present(control, self._services, tile is not None)
            if tile is not None:
                words = wait_words(self.kit.catalogue, view.language, tile.wait, large=self.large)
                control.show(
                    tile,
                    view.language,
                    self.why(tile) if tile.closed else words.spoken,
                    short=True,
                )
        self.present(self._person, self._persons, bool(persons))
        if persons:
            name = persons[0].name[view.language]
            promise = persons[0].examples[view.language]
            if not view.online:
                promise = self.say("person.home.unreached")
            self._person.show(persons[0], view.language, name, promise)
        for button in self._bottom:
            if button.control_id in (CONTROL_EXIT, CONTROL_BACK):
                name = CONTROL_BACK if view.group else CONTROL_EXIT
                button.become(name, _ICONS[name])
            button.write(self.say(_KEYS[button.control_id]))

    def _write_hint(self, view: HomeView, notice: str) -> None:
        if self._title is None or self._hint is None:
            return
        self._title.write(question(self, view))
        self._sign.opacity = 1.0 if notice else 0.0
        left, room = (float(MARGIN), float(WIDTH))
        if notice:
            self._sign.show(notice_icon(view), MARGIN, 330, 64)
            left, room = left + 84, room - 84
        self._hint.place(left, 382, room)
        self._hint.write(notice or self.say("low.hint"))
