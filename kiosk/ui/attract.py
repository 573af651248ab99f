"""Nobody is there: one public text, large, and that a touch begins."""

from typing import Any

from kiosk.ui.controls import PRIMARY, Icon, PushButton
from kiosk.ui.kit import Box, Kit
from kiosk.ui.page import MARGIN, MARGIN_SMALL, WIDTH, WIDTH_SMALL, HeaderBand, Page
from kiosk.ui.text import Style
from kiosk.ui.tokens import INK
from kiosk.view import CONTROL_ANYWHERE, AttractView


class AttractPage(Page):
    """A touch anywhere goes to the first screen when it goes down, so that its release, which
    falls on another page, presses nothing. The button is for the eyes, and for keys.
    """

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self._header = HeaderBand(self)
        if self.large:
            self._icon = Icon(kit, INK)
            self.add_widget(self._icon)
            self._title = self.add_text(Style(88, True), MARGIN, 640, WIDTH)
            self._lines = self.add_lines(Style(60), MARGIN, 780, 104, WIDTH)
            begin: Box = (MARGIN, 1560, WIDTH, 232)
        else:
            self._lines = self.add_lines(Style(66), MARGIN_SMALL, 208, 88, WIDTH_SMALL)
            begin = (MARGIN_SMALL, 616, WIDTH_SMALL, 152)
        px = 84 if self.large else 66
        self._begin = self.add_control(PushButton(kit, CONTROL_ANYWHERE, begin, PRIMARY, px=px))

    def on_touch_down(self, touch: Any) -> bool:
        """Begin at once, wherever it is."""
        now_s = self.kit.now_s()
        if self.kit.guard.admit(now_s):
            touch_id = self.kit.guard.accept(now_s, now_s)
            if touch_id is not None:
                touch.ud["accepted"] = (CONTROL_ANYWHERE, touch_id)
                self.kit.on_control(CONTROL_ANYWHERE, touch_id)
        return True

    def update(self, view: AttractView) -> None:
        """Write one text."""
        self.language = view.language
        title = view.title[view.language] if view.title else self.say("attract.commitments")
        self._header.write(view.header, view.language, title)
        if self.large:
            self._title.write(title)
            self._icon.show(view.icon, MARGIN, 264, 240)
        self._lines.write("\n".join(view.lines))
        self._begin.write(self.say("attract.begin"))
