"""branch.toml: [windows], the displays above the counters, and what is checked of it. Pure."""

from collections.abc import Iterator, Sequence

import msgspec

LONGEST_TEXT = 8


class WindowDisplay(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The display above one counter: its line, and its ``station`` (1 to 255) on it. Displays with
    the same ``address`` hang on one line.
    """

    counter: int
    address: str
    station: int = 1


class WindowsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How numbers are shown: a call blinks for ``blink_s``; ``paused_text`` stands above a paused
    counter without a customer; ``refresh_s`` is how often each display is told again, ``retry_s``
    how often one that does not answer; ``brightness`` in percent.
    """

    backend: str = "alpha"
    blink_s: float = 10.0
    paused_text: str = "----"
    brightness: int = 100
    refresh_s: float = 60.0
    retry_s: float = 2.0
    displays: list[WindowDisplay] = []


def window_problems(config: WindowsConfig, counters: Sequence[int]) -> Iterator[tuple[str, str]]:
    """(key, what is wrong with it) of all that cannot be shown."""
    for name, least, most in (
        ("blink_s", 0, 120), ("brightness", 1, 100), ("refresh_s", 5, 3600), ("retry_s", 0.1, 60)
    ):  # fmt: skip
        value = getattr(config, name)
        if not least <= value <= most:
            yield f"windows.{name}", f"{value}; expected {least:g} to {most:g}"
    text = config.paused_text
    if len(text) > LONGEST_TEXT or not text.isascii() or not (text == "" or text.isprintable()):
        yield "windows.paused_text", f"{text!r}; expected at most {LONGEST_TEXT} ASCII characters"
    places = [(one.address, one.station) for one in config.displays]
    for index, one in enumerate(config.displays):
        key = f"windows.displays[{index}]"
        if one.counter not in counters:
            yield f"{key}.counter", f"{one.counter} is not one of the counters"
        if not 1 <= one.station <= 255:
            yield f"{key}.station", f"{one.station}; expected 1 to 255"
        if places.index((one.address, one.station)) != index:
            yield f"{key}.station", f"{one.station} of {one.address} is there already"
