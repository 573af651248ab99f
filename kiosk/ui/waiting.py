"""People ahead and the interval beside a number that was just issued."""

from kiosk.ui.page import Page
from kiosk.ui.text import Style
from kiosk.ui.waits import WaitWords
from kiosk.view import Wait


class WaitColumn:
    """A caption over a value; both may be empty."""

    def __init__(self, page: Page, caption: Style, value: Style) -> None:
        self._caption = page.add_text(caption, 0, 0)
        self._value = page.add_text(value, 0, 0)

    def write(
        self, caption: str, value: str, x: float, baselines: tuple[float, float], room: float
    ) -> None:
        """Draw at reference ``x``; ``baselines`` are the caption's and the value's."""
        for text, words, baseline in (
            (self._caption, caption, baselines[0]),
            (self._value, value, baselines[1]),
        ):
            text.place(x, baseline, room)
            text.write(words)


def figures(page: Page, wait: Wait, words: WaitWords) -> tuple[str, str]:
    """The values of the two columns: people ahead and interval, "" for what is not known."""
    if wait.ahead is None:
        return "", ""
    return page.say("ticket.people", n=wait.ahead), words.span
