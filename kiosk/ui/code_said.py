"""What is known of a code, in words, and at most four things to do about it."""

from kiosk.ui.controls import PRIMARY, SECONDARY, Icon, Look, PushButton
from kiosk.ui.kit import Box, Kit
from kiosk.ui.page import GAP, MARGIN, MARGIN_SMALL, WIDTH, WIDTH_SMALL, HeaderBand, Page
from kiosk.ui.text import Style
from kiosk.ui.tokens import INK
from kiosk.view import (
    CONTROL_AGAIN,
    CONTROL_BACK,
    CONTROL_COUNTER,
    CONTROL_DONE,
    CONTROL_HELP,
    CONTROL_LATER,
    CONTROL_PERSON,
    CodeSaidView,
)

GAP_SMALL = 16
TITLE, TITLE_STEP = 516.0, 108.0
BODY, BODY_STEP = 657.6, 88.0
"""Below a title of one line."""
_ICONS = {CONTROL_BACK: "back", CONTROL_PERSON: "staff", CONTROL_HELP: "staff"}
_SIGNS = {
    "on_time": "clock", "early": "clock", "late": "clock", "other_day": "clock", "used": "slip",
    "offline": "offline", "unreached": "offline", "waiting": "people", "breached": "hourglass",
    "parked": "pause", "called": "window", "return": "check", "machine": "machine",
}  # fmt: skip
"""The sign above each word; a warning where nothing better fits."""
_BELOW = (CONTROL_BACK, CONTROL_PERSON, CONTROL_HELP)
_LABELS = {
    CONTROL_AGAIN: "code.again",
    CONTROL_BACK: "back",
    CONTROL_DONE: "done",
    CONTROL_LATER: "code.later",
    CONTROL_COUNTER: "code.take",
    CONTROL_PERSON: "person",
    CONTROL_HELP: "person",
}
_OWN_LABELS = {
    ("early", CONTROL_COUNTER): "code.early.take",
    ("early", CONTROL_DONE): "code.early.go",
    ("offline", CONTROL_COUNTER): "code.offline.take",
    ("breached", CONTROL_DONE): "code.breached.stay",
}


class CodeSaidPage(Page):
    """A title, some lines, the choices below the middle. Buttons are built for each kind of word:
    a few, and a visitor meets one of them.
    """

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self._header = HeaderBand(self)
        self._buttons: list[PushButton] = []
        self._built: tuple[str, ...] = ()
        if self.large:
            self._icon = Icon(kit, INK)
            self.add_widget(self._icon)
            self._title = self.add_lines(Style(84, True), MARGIN, TITLE, TITLE_STEP, WIDTH)
            self._body = self.add_lines(Style(56, colour=INK), MARGIN, BODY, BODY_STEP, WIDTH)
        else:
            self._body = self.add_lines(Style(60), MARGIN_SMALL, 190, 76, WIDTH_SMALL)

    def update(self, view: CodeSaidView) -> None:
        """Write what is known; offer what can be done."""
        self.language = view.language
        title = self._words(f"code.{view.state}", view)
        self._header.write(view.header, view.language, title.replace("\n", " "))
        if self.large:
            self._icon.show(_SIGNS.get(view.state, "warn"), MARGIN, 232, 152)
            self._title.write(title)
            below = BODY + TITLE_STEP * title.count("\n")
            self._body.place(MARGIN, below, BODY_STEP, WIDTH)
        self._body.write(self._body_of(view))
        if view.choices != self._built:
            self._rebuild(view.choices)
        for button in self._buttons:
            control = button.control_id
            key = _OWN_LABELS.get((view.state, control), _LABELS[control])
            button.write(self._words(key, view))

    def _body_of(self, view: CodeSaidView) -> str:
        lines = [self._words(f"code.{view.state}.body", view)]
        if view.counter and view.state in ("on_time", "early", "late"):
            lines.insert(0, self._words("code.counter", view))
        elif view.service_name and view.state in ("on_time", "early", "late", "used"):
            lines.insert(0, view.service_name[view.language])
        if view.span and view.state in ("waiting", "breached"):
            lines.insert(0, self._words("code.span", view))
        return "\n".join(line for line in lines if line)

    def _words(self, key: str, view: CodeSaidView) -> str:
        """The text of ``key`` with those of the view's values that it wants."""
        values: dict[str, object] = {
            "number": view.number,
            "clock": view.clock,
            "day": view.day[view.language] if view.day else "",
            "w": view.counter,
            "service": view.service_name[view.language] if view.service_name else "",
            "m": view.waited_min,
            "limit": view.limit_min,
            "span": view.span,
            "later": view.later_min,
        }
        short = f"{key}.small"
        catalogue = self.kit.catalogue
        roomy = self.large and not self.kit.modes.simple
        if not roomy and catalogue.has(short):
            key = short
        wanted = catalogue.placeholders(view.language, key)
        return catalogue.text(view.language, key, **{name: values[name] for name in wanted})

    def _rebuild(self, choices: tuple[str, ...]) -> None:
        for button in self._buttons:
            button.cancel()
            self.remove_widget(button)
        self._built = choices
        above = [name for name in choices if name not in _BELOW]
        below = [name for name in choices if name in _BELOW]
        px, small_px = (72, 56) if self.large else (64, 62)
        self._buttons = [
            self._button(name, box, PRIMARY if not n else SECONDARY, px)
            for n, (name, box) in enumerate(zip(above, self._above(len(above)), strict=True))
        ]
        primary = bool(above)
        self._buttons += [
            self._button(name, box, SECONDARY if primary else PRIMARY, small_px)
            for name, box in zip(below, self._below(len(below)), strict=True)
        ]

    def _button(self, name: str, box: Box, look: Look, px: float) -> PushButton:
        icon = _ICONS.get(name, "")
        button = PushButton(self.kit, name, box, look, px=px, icon=icon, icon_px=60, gap=16)
        return self.add_control(button)

    def _above(self, count: int) -> list[Box]:
        if self.large:
            return [(MARGIN, 1180 + n * (216 + GAP), WIDTH, 216) for n in range(count)]
        each = (WIDTH_SMALL - GAP_SMALL * (count - 1)) / max(count, 1)
        return [(MARGIN_SMALL + n * (each + GAP_SMALL), 412, each, 168) for n in range(count)]

    def _below(self, count: int) -> list[Box]:
        if self.large:
            row: list[Box] = [(MARGIN, 1744, 312, 128), (384, 1744, 648, 128)]
            whole: Box = (MARGIN, 1744, WIDTH, 128)
        else:
            row = [(MARGIN_SMALL, 604, 396, 164), (444, 604, 804, 164)]
            whole = (MARGIN_SMALL, 604, WIDTH_SMALL, 164)
        return [whole] if count == 1 else self.for_hand(*row[:count])
