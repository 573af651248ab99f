"""A wait in words: an interval, or that it is unknown; never a zero that means "not known".
Pure.
"""

from collections.abc import Callable
from dataclasses import dataclass

from kiosk.catalogue import Catalogue
from kiosk.view import Wait

Parts = tuple[str, str, str]
NOBODY: Parts = ("", "", "")


@dataclass(frozen=True, slots=True)
class WaitWords:
    """What is known of one queue, in one language and for one size of kiosk.

    ``ahead`` is what stands before, in and after the figure of people ahead, empty if it is not
    shown; ``line`` is the sentence beside it; ``span`` the bare interval, "" if unknown;
    ``spoken`` says the same aloud.
    """

    ahead: Parts
    line: str
    span: str
    spoken: str
    is_unknown: bool = False


def say(catalogue: Catalogue, language: str, key: str, *, large: bool, **values: object) -> str:
    """The text of ``key``, on the small kiosk its shorter ``key.small`` where there is one."""
    small = f"{key}.small"
    return catalogue.text(language, small if not large and catalogue.has(small) else key, **values)


def wait_words(catalogue: Catalogue, language: str, wait: Wait, *, large: bool) -> WaitWords:
    """Word ``wait``; the figures are shown as they come, rounding is the estimator's."""

    def words(key: str, **values: object) -> str:
        return say(catalogue, language, key, large=large, **values)

    low, high = wait.low_min, wait.high_min
    if wait.ahead is None and low is not None and high is not None:
        return _span_words(words, low, high)
    if wait.ahead is None:
        line = words("wait.unknown")
        spoken = catalogue.text(language, "wait.unknown").replace("\n", " ")
        return WaitWords(NOBODY, line, "", spoken, True)
    if wait.ahead == 0 and low == high == 0:
        line = words("wait.none")
        return WaitWords(NOBODY, line, line, line)
    before, after = catalogue.around(language, "wait.ahead", "n")
    ahead = (before, str(wait.ahead), after)
    if low is None or high is None:
        return WaitWords(ahead, "", "", words("spoken.ahead", n=wait.ahead))
    if low == high:
        spoken = words("spoken.about", n=wait.ahead, a=low)
        return WaitWords(ahead, words("wait.about", a=low), words("ticket.about", a=low), spoken)
    spoken = words("spoken.range", n=wait.ahead, a=low, b=high)
    line, span = words("wait.range", a=low, b=high), words("ticket.range", a=low, b=high)
    return WaitWords(ahead, line, span, spoken)


def _span_words(words: Callable[..., str], low: int, high: int) -> WaitWords:
    """A group of services: how long at least and at most, and nobody in particular ahead."""
    if low == high == 0:
        line = words("wait.none")
        return WaitWords(NOBODY, line, line, line)
    if low == high:
        about = words("ticket.about", a=low)
        return WaitWords(NOBODY, words("wait.about", a=low), about, about)
    line, spoken = words("wait.range", a=low, b=high), words("spoken.span", a=low, b=high)
    return WaitWords(NOBODY, line, words("ticket.range", a=low, b=high), spoken)
