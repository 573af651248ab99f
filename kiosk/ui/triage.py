"""Before the ticket: what to bring, then the counter, or a machine beside it at equal size."""

from kiosk.ui.controls import PRIMARY, SECONDARY, Control, Icon, PushButton
from kiosk.ui.drawing import Panel
from kiosk.ui.kit import Box, Kit
from kiosk.ui.page import GAP, MARGIN, MARGIN_SMALL, WIDTH, WIDTH_SMALL, HeaderBand, Page
from kiosk.ui.text import Lines, Style, Text
from kiosk.ui.tokens import CAPITAL_EM, CLEAR, INK, MUTED, ON_STUB, RULE, STUB
from kiosk.ui.waits import say, wait_words
from kiosk.view import (
    CONTROL_BACK,
    CONTROL_COUNTER,
    CONTROL_MACHINE,
    CONTROL_PERSON,
    Document,
    TriageView,
)

MOST_DOCUMENTS = 3
_ICONS = {CONTROL_COUNTER: "slip", CONTROL_MACHINE: "machine"}


class Way(Control):
    """One way to do it: its name, how long it takes, and who helps."""

    def __init__(self, kit: Kit, control_id: str, box: Box) -> None:
        super().__init__(kit, control_id, box, SECONDARY)
        large = kit.metrics.large
        self._large = large
        self._icon = Icon(kit, INK)
        self._name = Text(kit, Style(72 if large else 66, True))
        self._time = Text(kit, Style(56 if large else 60, True))
        self._people = Text(kit, Style(44, colour=MUTED))
        self._how = Lines(kit, Style(42, colour=MUTED))
        for widget in (self._icon, self._name, self._time, self._people, self._how):
            self.add_widget(widget)
        if large:
            x, y, width, height = box
            rule = Panel(kit.rgba(RULE), 1)
            rule.place(kit.metrics.rect(x + 40, y + height - 170, width - 80, 3))
            self.canvas.add(rule.group)

    def show(self, name: str, time: str, people: str, how: str, spoken: str) -> None:
        """Write the way; on the small kiosk only its name and time."""
        self.label, self.spoken = name, spoken
        x, y, width, height = self.box
        left, room = x + 40, width - 60
        if not self._large:
            self._name.place(x + 28, y + 76, width - 44)
            self._time.place(x + 28, y + 150, width - 44)
            self._name.write(name)
            self._time.write(time)
            return
        self._icon.show(_ICONS[self.control_id], left - 8, y + 36, 96)
        self._name.place(left, y + 226, room)
        self._time.place(left, y + 314, room)
        self._people.place(left, y + 380, room)
        self._how.place(left, y + height - 104, 56, room)
        self._name.write(name)
        self._time.write(time)
        self._people.write(people)
        self._how.write(how)


class Row:
    """One document: an icon, a name, a note."""

    def __init__(self, page: Page, top: float, height: float) -> None:
        self._page = page
        left, width = (MARGIN, WIDTH) if page.large else (MARGIN_SMALL, WIDTH_SMALL)
        side = 72.0 if page.large else 52.0
        self._icon = Icon(page.kit, INK)
        page.add_widget(self._icon)
        self._icon_at = left + 16, top + (height - side) / 2, side
        size = 56 if page.large else 60
        self._baseline = top + height / 2 + CAPITAL_EM / 2 * size
        self._left = left + (124.0 if page.large else 88.0)
        self._right = left + width
        self._name = page.add_text(Style(size, True), self._left, self._baseline)
        self._note = page.add_text(
            Style(46 if page.large else 60, False, MUTED, "right"), self._right, self._baseline
        )
        self._rule = page.add_panel(CLEAR, (left, top + height, width, 3), 1)

    def show(self, document: Document | None, language: str) -> None:
        """Write one document, or nothing."""
        page = self._page
        self._icon.opacity = 1.0 if document else 0.0
        self._rule.paint(page.kit.rgba(RULE if document and page.large else CLEAR))
        name = document.name[language] if document else ""
        note = document.note[language] if document else ""
        if document:
            self._icon.show(document.icon, *self._icon_at)
        self._name.place(self._left, self._baseline, self._right - self._left)
        self._name.write(name)
        taken = self._name.width / page.kit.metrics.scale
        self._note.place(
            self._right, self._baseline, max(self._right - self._left - taken - 24, 1)
        )
        self._note.write(note)


class TriagePage(Page):
    """The list is to read, not to tick. Counter first, machine second, same size."""

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self._header = HeaderBand(self)
        if self.large:
            self.add_panel(STUB, (MARGIN, 212, 120, 120), 24)
            at = MARGIN + 60, 272 + CAPITAL_EM / 2 * 88
            self._letter = self.add_text(Style(88, True, ON_STUB, "centre"), *at)
            self._name = self.add_text(Style(72, True), 201, 275, WIDTH + MARGIN - 201)
            self._examples = self.add_text(Style(46, colour=MUTED), 201, 337, WIDTH + MARGIN - 201)
            self._bring = self.add_text(Style(56, True), MARGIN, 446, WIDTH)
            self._choose = self.add_text(Style(56, True), MARGIN, 922, WIDTH)
        top, step = (474.0, 116.0) if self.large else (112.0, 88.0)
        self._rows = [Row(self, top + n * step, step) for n in range(MOST_DOCUMENTS)]
        self._ways = [
            self.add_control(Way(kit, name, box))
            for name, box in zip((CONTROL_COUNTER, CONTROL_MACHINE), self._boxes(), strict=True)
        ]
        back: Box = (MARGIN, 1744, 312, 128) if self.large else (MARGIN_SMALL, 604, 300, 164)
        person: Box = (384, 1744, 648, 128) if self.large else (348, 604, 900, 164)
        back, person = self.for_hand(back, person)
        px = 56 if self.large else 62
        self._back = self.add_control(
            PushButton(kit, CONTROL_BACK, back, SECONDARY, px=px, icon="back", icon_px=60, gap=16)
        )
        self._person = PushButton(
            kit, CONTROL_PERSON, person, PRIMARY, px=px, icon="staff", icon_px=72
        )

    def _boxes(self) -> list[Box]:
        if self.large:
            return [(MARGIN + (480 + GAP) * n, 972, 480, 620) for n in range(2)]
        return [(MARGIN_SMALL + 616 * n, 408, 600, 176) for n in range(2)]

    def update(self, view: TriageView) -> None:
        """Write the list and the ways."""
        self.language = language = view.language
        name = view.service.name[language]
        bring = self.say("docs.title") if view.documents else ""
        self._header.write(view.header, language, bring or name)
        if self.large:
            self._letter.write(view.service.letter)
            self._name.write(name)
            self._examples.write(view.service.examples[language])
            self._bring.write(bring)
            self._choose.write(self.say("choice.title") if view.machine_min else "")
        for number, row in enumerate(self._rows):
            has = number < len(view.documents)
            row.show(view.documents[number] if has else None, language)
        self._write_ways(view)
        self._back.write(self.say("back"))
        self._person.write(self.say("person"))
        if view.person and self._person.parent is None:
            self.add_widget(self._person)
        elif not view.person and self._person.parent is not None:
            self._person.cancel()
            self.remove_widget(self._person)

    def _write_ways(self, view: TriageView) -> None:
        counter, machine = self._ways
        words = wait_words(self.kit.catalogue, view.language, view.service.wait, large=self.large)
        name = self.say("choice.counter")
        line = words.span or words.line
        if words.is_unknown:  # the short form has room beside an equal card
            line = say(self.kit.catalogue, view.language, "wait.unknown", large=False)
        spoken = self.kit.catalogue.text(
            view.language, "spoken.counter", name=name, wait=words.spoken
        )
        people = "".join(words.ahead)
        closed = view.service.closed
        counter.open(not closed)
        if closed:
            line, people, spoken = self.why(view.service), "", self.why(view.service)
        counter.show(name, line, people, self.say("choice.counter.how"), spoken)
        if view.machine_min and machine.parent is None:
            self.add_widget(machine, index=self.children.index(counter))
        elif not view.machine_min and machine.parent is not None:
            machine.cancel()
            self.remove_widget(machine)
        name = self.say("choice.machine")
        time = self.say("choice.machine.time", m=view.machine_min)
        spoken = self.kit.catalogue.text(view.language, "spoken.counter", name=name, wait=time)
        machine.show(name, time, "", self.say("choice.machine.how"), spoken)
