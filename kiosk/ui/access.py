"""What would make it easier: four switches, and how the screens will look."""

from typing import Any

from kivy.graphics import Color, InstructionGroup

from kiosk.ui.controls import PRIMARY, SECONDARY, Control, Icon, PushButton
from kiosk.ui.drawing import Panel, disc
from kiosk.ui.kit import Box, Kit
from kiosk.ui.page import MARGIN, MARGIN_SMALL, WIDTH, WIDTH_SMALL, HeaderBand, Page
from kiosk.ui.text import Style, Text
from kiosk.ui.tokens import (
    ACTION,
    CAPITAL_EM,
    CARD,
    CONTRAST,
    DROP,
    INK,
    LIP,
    MUTED,
    ON_ACTION,
    ON_STUB,
    RULE,
    STUB,
)
from kiosk.view import (
    CONTROL_CONTRAST,
    CONTROL_FEEDBACK,
    CONTROL_GO,
    CONTROL_LEFT,
    CONTROL_LISTEN,
    CONTROL_LOW,
    CONTROL_PERSON,
    CONTROL_SIMPLE,
    AccessView,
    Modes,
)

SWITCHES = (CONTROL_SIMPLE, CONTROL_LOW, CONTROL_CONTRAST, CONTROL_LEFT)
_ICONS = {
    CONTROL_SIMPLE: "textsize",
    CONTROL_LOW: "wheelchair",
    CONTROL_CONTRAST: "contrast",
    CONTROL_LEFT: "hand",
}
_STATES = {CONTROL_LEFT: ("access.left.on", "access.left.off")}
SWITCH, SWITCH_SMALL = (132, 76), (108, 62)
"""Width and height of what slides."""


class ModeSwitch(Control):
    """A row that is on or off; the word says it too. The whole row is the target.

    Not named Switch: the library styles its own class of that name.
    """

    def __init__(self, kit: Kit, control_id: str, box: Box) -> None:
        super().__init__(kit, control_id, box, SECONDARY)
        self._large = kit.metrics.large
        self._size = SWITCH if self._large else SWITCH_SMALL
        self._icon = Icon(kit, INK)
        self._name = Text(kit, Style(60, True))
        self._state = Text(kit, Style(48 if self._large else 60, self._large, INK, "right"))
        for widget in (self._icon, self._name, self._state):
            self.add_widget(widget)
        self._knob = InstructionGroup()
        self.canvas.add(self._knob)

    def show(self, name: str, state: str, spoken: str, *, is_on: bool) -> None:
        """Write the row."""
        self.label, self.spoken = name, spoken
        x, y, width, height = self.box
        middle = y + (height - DROP) / 2
        baseline = middle + CAPITAL_EM / 2 * 60
        if self._large:
            self._icon.show(_ICONS[self.control_id], x + 40, middle - 42, 84)
            left, switch = x + 168, x + width - 40 - self._size[0]
            self._state.place(switch - 24, baseline - 4, 160)
            self._name.place(left, baseline, switch - 24 - 110 - left)
            self._state.write(state)
        else:
            left, switch = x + 20, x + width - 20 - self._size[0]
            self._state.place(switch - 16, baseline, switch - 16 - left)
            self._state.write(state)
            taken = self._state.width / self.kit.metrics.scale
            self._name.place(left, baseline, switch - 32 - taken - left)
        self._name.write(name)
        self._draw_switch(switch, middle, is_on=is_on)

    def _draw_switch(self, x: float, middle: float, *, is_on: bool) -> None:
        kit, metrics = self.kit, self.kit.metrics
        self._knob.clear()
        wide, high = self._size
        radius = high / 2

        def pill(role: str, inset: float) -> None:
            panel = Panel(kit.rgba(role), metrics.px(radius - inset))
            panel.place(
                metrics.rect(
                    x + inset,
                    middle - radius + inset,
                    wide - 2 * inset,
                    high - 2 * inset,
                )
            )
            self._knob.add(panel.group)

        pill(ACTION if is_on else LIP, 0)
        if not is_on:
            pill(CARD, 4)
        # The knob of the hand's switch is where the hand is.
        right = is_on != (self.control_id == CONTROL_LEFT)
        centre = x + (wide - radius if right else radius)
        self._knob.add(Color(*kit.rgba(ON_ACTION if is_on else LIP)))
        self._knob.add(disc(metrics.x(centre), metrics.y(middle), (radius - 8) * metrics.scale))


class Preview:
    """One service as the chosen modes will draw it."""

    def __init__(self, page: Page, box: Box) -> None:
        self._page, self._box = page, box
        kit = page.kit
        x, y, width, _ = box
        self._caption: Text | None = None
        self._rule: Panel | None = None
        self._card = page.add_panel(CARD, box)
        large = page.large
        if large:
            self._caption = page.add_text(Style(50), x + 48, y + 80, width - 96)
            self._rule = page.add_panel(RULE, (x + 48, y + 110, width - 96, 3), 1)
            square, px, baseline = (x + 48, y + 140, 104.0), 64, y + 216
        else:
            square, px, baseline = (x + 32, y + 32, 80.0), 64, y + 96
        left, top, side = square
        self._square = Panel(kit.rgba(STUB), kit.metrics.px(20))
        self._square.place(kit.metrics.rect(left, top, side, side))
        page.canvas.add(self._square.group)
        letter = 0.73 * side
        at = left + side / 2, top + side / 2 + CAPITAL_EM / 2 * max(letter, 59)
        self._letter = page.add_text(Style(letter, True, ON_STUB, "centre"), *at)
        self._name = page.add_text(Style(px, True), left + side + 36, baseline, 440)
        self._people = page.add_text(
            Style(56 if large else 60, align="right"), x + width - 48, baseline, 300
        )
        first = y + 330 if large else y + 200
        step = 74 if large else 0
        self._read = page.add_text(Style(50 if large else 60), x + 48, first, width - 96)
        self._moves = page.add_text(Style(50 if large else 60), x + 48, first + step, width - 96)

    def show(self, view: AccessView) -> None:
        """Write the sample, in white on black if that is chosen."""
        page, chosen, language = self._page, view.chosen, view.language
        dark = chosen.contrast

        def rgba(role: str) -> Any:
            return CONTRAST[role] if dark else page.kit.rgba(role)

        self._card.paint(rgba(CARD))
        self._square.paint(rgba(STUB))
        if self._rule is not None:
            self._rule.paint(rgba(RULE))
        size = (84 if chosen.simple else 64) if page.large else 64
        name = view.sample.name[language]
        people = view.sample.wait.ahead
        waiting = "" if people is None else page.say("low.people", n=people)
        moves = page.say("access.moves") if chosen.low else ""
        texts = [
            (self._letter, view.sample.letter, ON_STUB, None),
            (self._name, name, INK, size),
            (self._people, waiting, INK, None),
            (self._moves, moves, INK, None),
        ]
        if self._caption is not None:
            texts += [(self._caption, page.say("access.preview"), INK, None)]
        texts += [
            (self._read, page.say("access.read") if page.large or not moves else "", INK, None)
        ]
        for text, words, role, px in texts:
            text.write(words)
            if px is not None:
                text.write(words, Style(px, True))
            text.paint(rgba(role))


class AccessPage(Page):
    """All controls are below the middle already. Choices apply when the visitor is ready."""

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self._header = HeaderBand(self)
        self._feedback: PushButton | None = None
        self._listen: PushButton | None = None  # the small kiosk's row has feedback in its place
        listens = self.large and CONTROL_LISTEN in kit.served
        if self.large:
            self._title = self.add_lines(Style(88, True), MARGIN, 302, 100, WIDTH)
            self._hint = self.add_text(Style(48, colour=MUTED), MARGIN, 375, WIDTH)
            self._preview = Preview(self, (MARGIN, 466, WIDTH, 440))
            step, between = (128, 18) if listens else (142, 20)
            rows: list[Box] = [
                (MARGIN, 970 + step * n, WIDTH, step - between) for n in range(len(SWITCHES) + 1)
            ]
            *switches, row = rows
            self._switches = [
                self.add_control(ModeSwitch(kit, name, box))
                for name, box in zip(SWITCHES, switches, strict=True)
            ]
            if listens:
                self._listen = self.add_control(
                    PushButton(
                        kit, CONTROL_LISTEN, row, SECONDARY, px=60, icon="sound", icon_px=72
                    )
                )
            person: Box = (MARGIN, 1610, WIDTH, 122) if listens else (MARGIN, 1542, WIDTH, 142)
            go: Box = (MARGIN, 1750, WIDTH, 122) if listens else (MARGIN, 1704, WIDTH, 168)
        else:
            self._preview = Preview(self, (MARGIN_SMALL, 132, WIDTH_SMALL, 244))
            self._switches = [
                self.add_control(
                    ModeSwitch(
                        kit, name, (MARGIN_SMALL + 616 * (n % 2), 402 + 133 * (n // 2), 600, 118)
                    )
                )
                for n, name in enumerate(SWITCHES)
            ]
            # Its first screen has no room for feedback.
            person, feedback, go = self.for_hand(
                (MARGIN_SMALL, 668, 400, 118), (448, 668, 340, 118), (804, 668, 444, 118)
            )
            self._feedback = PushButton(kit, CONTROL_FEEDBACK, feedback, SECONDARY, px=60)
        px = 60 if self.large else 62
        icon = "staff" if self.large else ""
        self._person = PushButton(
            kit, CONTROL_PERSON, person, SECONDARY, px=px, icon=icon, icon_px=72
        )
        self._person_at = person
        self._go = PushButton(
            kit,
            CONTROL_GO,
            go,
            PRIMARY,
            px=76 if self.large else 66,
            icon="check",
            icon_px=84 if self.large else 64,
        )
        self.add_widget(self._person)
        if self._feedback is not None and CONTROL_FEEDBACK in kit.served:
            self.add_widget(self._feedback)
        self.add_widget(self._go)

    def update(self, view: AccessView) -> None:
        """Write the switches as they stand."""
        self.language = view.language
        title = self.say("access.title")
        self._header.write(view.header, view.language, title)
        if self.large:
            lines = title.count("\n") + 1
            self._title.place(MARGIN, 302 - 36 * (lines - 1), 92, WIDTH)
            self._title.write(title, Style(88 if lines == 1 else 76, True))
            self._hint.place(MARGIN, 375 + 48 * (lines - 1), WIDTH)
            self._hint.write(self.say("access.hint"))
        self._preview.show(view)
        for switch in self._switches:
            is_on = _is_on(view.chosen, switch.control_id)
            name = self.say(switch.control_id)
            on, off = _STATES.get(switch.control_id, ("access.on", "access.off"))
            state = self.say(on if is_on else off)
            spoken = self.kit.catalogue.text(
                view.language, "spoken.switch", name=name, state=state
            )
            switch.show(name, state, spoken, is_on=is_on)
        if view.person and self._person.parent is None:
            before = self._listen or self._switches[-1]
            self.add_widget(self._person, index=self.children.index(before))
        elif not view.person and self._person.parent is not None:
            self.remove_widget(self._person)
        if self._listen is not None:
            self._listen.write(self.say("access.audio"))
        self._person.write(self.say("person" if self.large else "simple.person"))
        if self._feedback is not None:
            self._feedback.write(self.say("feedback"))
        self._go.write(self.say("access.go"))


def _is_on(chosen: Modes, control_id: str) -> bool:
    return {
        CONTROL_SIMPLE: chosen.simple,
        CONTROL_LOW: chosen.low,
        CONTROL_CONTRAST: chosen.contrast,
        CONTROL_LEFT: chosen.left,
    }[control_id]
