"""What the branch promises, and how much of it was kept today: a line and a bar for each service.

The bar only repeats the figure beside it. On the small kiosk it is a sheet of words.
"""

from kiosk.ui.kit import Kit
from kiosk.ui.page import MARGIN, WIDTH
from kiosk.ui.sheet import SheetPage
from kiosk.ui.text import Style
from kiosk.ui.tokens import ACTION, CLEAR, INK, MUTED, RULE
from kiosk.view import Said, SheetView

MOST = 4
TOP, ROW = 352.0, 216.0
NAME_PX, KEPT_PX, REST_PX = 60, 50, 54
BAR, BAR_TOP = 16.0, 160.0
REST_STEP = 80.0
REST_DROP = 68.0


class _Line:
    """Service left, minutes right, what was kept below, on a bar."""

    def __init__(self, page: "PromisesPage", top: float) -> None:
        self._page, self._top = page, top
        self._name = page.add_text(Style(NAME_PX, True), MARGIN, top + 66, 0.56 * WIDTH)
        within = Style(NAME_PX, True, align="right")
        self._within = page.add_text(within, MARGIN + WIDTH, top + 66, 0.42 * WIDTH)
        self._kept = page.add_text(Style(KEPT_PX, colour=MUTED), MARGIN, top + 138, WIDTH)
        self._track = page.add_panel(CLEAR, (MARGIN, top + BAR_TOP, WIDTH, BAR), BAR / 2)
        self._bar = page.add_panel(CLEAR, (MARGIN, top + BAR_TOP, WIDTH, BAR), BAR / 2)

    def show(self, said: Said | None) -> None:
        """Write one promise, or nothing."""
        page = self._page
        values = dict(said.values) if said is not None else {}
        said_share = values.get("p")
        share = said_share if isinstance(said_share, int) else None
        self._name.write(str(values.get("service", "")))
        self._within.write(page.say("promise.within", m=values["m"]) if values else "")
        known = share is not None
        self._kept.write(page.say("promise.share", n=values["n"], p=share) if known else "")
        self._track.paint(page.kit.rgba(RULE if known else CLEAR))
        self._bar.paint(page.kit.rgba(ACTION if share else CLEAR))
        if share:
            width = max(BAR, WIDTH * share / 100)
            self._bar.place(page.kit.metrics.rect(MARGIN, self._top + BAR_TOP, width, BAR))


class PromisesPage(SheetPage):
    """See the module."""

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        lines = [_Line(self, TOP + n * ROW) for n in range(MOST)] if self.large else []
        self._promises = lines

    def _write_rows(self, view: SheetView) -> float:
        if not self.large:
            return super()._write_rows(view)
        promises = [line for line in view.lines if dict(line.values).get("service")]
        for number, line in enumerate(self._promises):
            line.show(promises[number] if number < len(promises) else None)
        rest = [line for line in view.lines if line not in promises]
        first = TOP + ROW * min(len(promises), MOST) + REST_DROP
        for number, row in enumerate(self._rows):
            row.place(MARGIN, first + number * REST_STEP, WIDTH)
            said = rest[number] if number < len(rest) else None
            text = self.say(said.key, **dict(said.values)) if said is not None else ""
            row.write(text, Style(REST_PX, colour=INK))
        return first + REST_STEP * len(rest)
