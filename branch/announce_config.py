"""branch.toml: [announcements], and what is checked of it. Pure."""

from collections.abc import Iterator, Sequence

import msgspec

from branch.queue.calendar import ServiceDay
from branch.spoken import TEXTS, spoken_call
from sync.hours import minute_of_day


class SoundHours(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From ``begins`` to ``ends`` ("HH:MM", past midnight too) the volume is this; 0 is quiet."""

    begins: str
    ends: str
    volume: float = 0.0


class AnnouncementsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How calls are said. ``sayings`` of each call, ``repeat_s`` apart; what could not begin
    within ``max_age_s`` is not said any more. The first of ``hours`` that holds sets the volume.
    ``texts`` and ``voices`` are by language.
    """

    enabled: bool = False
    backend: str = "espeak"
    address: str = "alsa:default"
    languages: list[str] = msgspec.field(default_factory=lambda: ["zh", "en"])
    chime: bool = True
    volume: float = 0.8
    hours: list[SoundHours] = []
    sayings: int = 1
    repeat_s: float = 10.0
    max_age_s: float = 45.0
    pause_s: float = 0.5
    texts: dict[str, str] = {}
    voices: dict[str, str] = {}


def volume_at(config: AnnouncementsConfig, minute: float) -> float:
    """The volume, 0 to 1, at this minute of the day; 0 is quiet."""
    for hours in config.hours:
        span = ServiceDay(minute_of_day(hours.begins), minute_of_day(hours.ends))
        if span.left_min(minute):
            return hours.volume
    return config.volume


def announcement_problems(config: AnnouncementsConfig) -> Iterator[tuple[str, str]]:
    """(key, what is wrong with it) of all that cannot be said."""
    known = ", ".join(sorted(TEXTS))
    if not config.languages:
        yield "announcements.languages", f"none; expected at least one of {known}"
    for name, languages in (
        ("languages", config.languages), ("texts", config.texts), ("voices", config.voices)
    ):  # fmt: skip
        for language in languages:
            if language not in TEXTS:
                yield f"announcements.{name}", f"{language!r}; expected one of {known}"
    if len(set(config.languages)) != len(config.languages):
        yield "announcements.languages", "one of them is there twice"
    if not 0.0 < config.volume <= 1.0:
        yield "announcements.volume", f"{config.volume}; expected more than 0, at most 1"
    if not 1 <= config.sayings <= 3:
        yield "announcements.sayings", f"{config.sayings}; expected 1 to 3"
    for name, most in (("repeat_s", 120), ("max_age_s", 600), ("pause_s", 10)):
        value = getattr(config, name)
        if not 0 <= value <= most:
            yield f"announcements.{name}", f"{value}; expected 0 to {most} s"
    yield from _hours(config.hours)
    yield from _texts(config.texts)


def _hours(hours: Sequence[SoundHours]) -> Iterator[tuple[str, str]]:
    for index, one in enumerate(hours):
        try:
            ServiceDay(minute_of_day(one.begins), minute_of_day(one.ends))
        except ValueError as error:
            yield f"announcements.hours[{index}]", f"begins, ends: {error}"
        if not 0.0 <= one.volume <= 1.0:
            yield (
                f"announcements.hours[{index}].volume",
                f"{one.volume}; expected 0 (quiet) to 1",
            )


def _texts(texts: dict[str, str]) -> Iterator[tuple[str, str]]:
    for language, text in texts.items():
        if language not in TEXTS:
            continue
        try:
            spoken_call("A005", 2, language, text)
        except (KeyError, ValueError, IndexError, AttributeError):
            yield (
                f"announcements.texts.{language}",
                f"{text!r}; expected words with {{number}} and {{counter}}",
            )
        else:
            if not {"{number}", "{counter}"} <= set(_names(text)):
                yield f"announcements.texts.{language}", "without {number} or {counter}"


def _names(text: str) -> Iterator[str]:
    for name in ("{number}", "{counter}"):
        if name in text:
            yield name
