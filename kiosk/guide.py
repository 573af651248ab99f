"""The audio guide: four keys and speech in the place of touch and sight. Pure.

What is on the screen comes from its description (kiosk/ui/describe.py): what it says of itself,
and its controls in the order of reading. The visitor stands on the introduction or on a control.

    key        pressed                                   held
    next       the next control, after the last the      louder, step by step
               introduction again
    previous   the other way                             softer
    select     presses the control                       says what the keys do
    repeat     says the same again                       another speed: usual, fast, slow

The first key of a visit starts the guide and does nothing else. It ends with the visit; volume and
speed are the next visitor's own. Whatever is said ends what was being said.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from hal.body import GuideKey
from kiosk.catalogue import Catalogue
from kiosk.view import CONTROL_LANGUAGE, Screen

VOLUMES = (0.15, 0.3, 0.5, 0.75, 1.0)
"""Steps 1 to 5."""
DEFAULT_STEP = 3
SPEEDS = (("guide.usual", 1.0), ("guide.fast", 1.5), ("guide.slow", 0.75))
NUMBER = re.compile(r"(?<![A-Za-z0-9])([A-Z])([0-9]{3,4})(?![A-Za-z0-9])")
"""A ticket's number is said letter by letter and digit by digit."""


@dataclass(frozen=True, slots=True)
class Stop:
    """A control as it is said."""

    id: str
    label: str
    spoken: str
    enabled: bool


@dataclass(frozen=True, slots=True)
class Scene:
    """A screen as it is heard; ``spoken`` is what it says of itself."""

    screen: str
    language: str
    spoken: str
    stops: tuple[Stop, ...]

    def find(self, control: str) -> Stop | None:
        """The control of that id, if it is there."""
        return next((stop for stop in self.stops if stop.id == control), None)

    @classmethod
    def of(cls, description: Mapping[str, Any]) -> "Scene":
        """What a screen description says of a screen."""
        return cls(
            description["screen"],
            description["language"],
            description["spoken"],
            tuple(
                Stop(control["id"], control["label"], control["spoken"], control["enabled"])
                for control in description["controls"]
            ),
        )


@dataclass(frozen=True, slots=True)
class Guide:
    """The state. ``at`` is the control the visitor stands on, "" for the introduction; ``chosen``
    the one that was pressed last, until what came of it was said.
    """

    on: bool = False
    scene: Scene | None = None
    at: str = ""
    chosen: Stop | None = None
    step: int = DEFAULT_STEP
    default_step: int = DEFAULT_STEP
    speed: int = 0


# --- events --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pressed:
    """A key was pressed and let go."""

    key: GuideKey


@dataclass(frozen=True, slots=True)
class Held:
    """A key is being held."""

    key: GuideKey


@dataclass(frozen=True, slots=True)
class Listened:
    """Somebody touched "listen": the whole screen is read."""


@dataclass(frozen=True, slots=True)
class Shown:
    """The screen has changed."""

    scene: Scene


@dataclass(frozen=True, slots=True)
class Ended:
    """The visit is over."""


Event = Pressed | Held | Listened | Shown | Ended

# --- effects -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Say:
    """Say this, at once; ``parts`` are language and text, in order."""

    parts: tuple[tuple[str, str], ...]
    volume: float
    speed: float


@dataclass(frozen=True, slots=True)
class Focus:
    """Mark this control on the screen, "" for none."""

    control: str


@dataclass(frozen=True, slots=True)
class Press:
    """Press this control as a finger would."""

    control: str


Effect = Say | Focus | Press
Effects = tuple[Effect, ...]
Parts = tuple[tuple[str, str], ...]
"""Language and text, in order."""


def step(guide: Guide, event: Event, words: Catalogue) -> tuple[Guide, Effects]:
    """What ``event`` makes of the guide, and what is to be said, marked and pressed."""
    if isinstance(event, Shown):
        before, guide = guide.scene, replace(guide, scene=event.scene)
        if not guide.on or before is None:
            return guide, ()
        return _shown(guide, before, _Voice(guide, event.scene, words))
    if guide.scene is None:
        return guide, ()
    voice = _Voice(guide, guide.scene, words)
    if isinstance(event, Ended):
        after = Guide(False, guide.scene, step=guide.default_step, default_step=guide.default_step)
        return after, (Focus(""), voice.say(voice.text("guide.end"))) if guide.on else ()
    if not guide.on:
        guide = replace(guide, on=True, at=_first(guide.scene))
        first = voice.everything() if isinstance(event, Listened) else voice.welcome(guide.at)
        return guide, (Focus(guide.at), voice.say(first))
    if isinstance(event, Listened):
        return guide, (voice.say(voice.everything()),)
    if isinstance(event, Pressed):
        return _pressed(guide, event.key, voice)
    return _held(guide, event.key, voice)


def _pressed(guide: Guide, key: GuideKey, voice: "_Voice") -> tuple[Guide, Effects]:
    scene = voice.scene
    if key is GuideKey.REPEAT:
        return guide, (voice.say(voice.here(guide.at)),)
    if key is GuideKey.SELECT:
        stop = scene.find(guide.at)
        if stop is None:
            return guide, (voice.say(voice.text("guide.first")),)
        if not stop.enabled:
            return guide, (voice.say(voice.stop(stop) + voice.text("guide.closed")),)
        chosen = voice.say(voice.text("guide.chosen", name=stop.label))
        return replace(guide, chosen=stop), (chosen, Press(stop.id))
    places = ["", *(stop.id for stop in scene.stops)]
    way = 1 if key is GuideKey.NEXT else -1
    at = places[(places.index(guide.at) + way) % len(places)]
    return replace(guide, at=at, chosen=None), (Focus(at), voice.say(voice.here(at)))


def _held(guide: Guide, key: GuideKey, voice: "_Voice") -> tuple[Guide, Effects]:
    if key is GuideKey.SELECT:
        said = voice.text("guide.keys")
    elif key is GuideKey.REPEAT:
        guide = replace(guide, speed=(guide.speed + 1) % len(SPEEDS))
        said = voice.text(SPEEDS[guide.speed][0])
    else:
        wanted = guide.step + (1 if key is GuideKey.NEXT else -1)
        guide = replace(guide, step=min(max(wanted, 1), len(VOLUMES)))
        said = voice.text("guide.volume", n=guide.step, most=len(VOLUMES))
    return guide, (replace(voice, guide=guide).say(said),)


def _shown(guide: Guide, before: Scene, voice: "_Voice") -> tuple[Guide, Effects]:
    scene = voice.scene
    if scene.screen != before.screen:
        at = _first(scene)
        return replace(guide, at=at, chosen=None), (Focus(at), voice.say(voice.entered(at)))
    effects: Effects = ()
    if guide.at and scene.find(guide.at) is None:
        guide, effects = replace(guide, at=""), (Focus(""),)
    if (scene.spoken, scene.language) != (before.spoken, before.language):
        return replace(guide, chosen=None), (*effects, voice.say(voice.introduction()))
    now = guide.chosen and scene.find(guide.chosen.id)
    if now and now != guide.chosen:  # a switch went over
        return replace(guide, chosen=None), (*effects, voice.say(voice.stop(now)))
    return guide, effects


def _first(scene: Scene) -> str:
    """Where somebody stands at first: on the way back from a warning, else before the list."""
    return scene.stops[0].id if scene.screen == Screen.IDLE and scene.stops else ""


@dataclass(frozen=True, slots=True)
class _Voice:
    """Puts a screen into words."""

    guide: Guide
    scene: Scene
    words: Catalogue

    def say(self, parts: Parts) -> Say:
        spelt = tuple(
            (language, spell(text, self.words.text(language, "spoken.digits")))
            for language, text in parts
        )
        return Say(spelt, VOLUMES[self.guide.step - 1], SPEEDS[self.guide.speed][1])

    def text(self, key: str, **values: object) -> Parts:
        language = self.scene.language
        return ((language, self.words.text(language, key, **values)),)

    def welcome(self, at: str) -> Parts:
        return self.text("guide.keys") + self.entered(at)

    def introduction(self) -> Parts:
        count = len(self.scene.stops)
        said = ((self.scene.language, self.scene.spoken),)
        return said + (self.text("guide.count", n=count) if count else ())

    def entered(self, at: str) -> Parts:
        """What a new screen says, and the control on which the visitor stands there."""
        stop = self.scene.find(at)
        if stop is None:
            return self.introduction()
        return ((self.scene.language, self.scene.spoken), *self.stop(stop))

    def here(self, at: str) -> Parts:
        stop = self.scene.find(at)
        return self.introduction() if stop is None else self.stop(stop)

    def stop(self, stop: Stop) -> Parts:
        """A control, and the how many-th of how many it is. The language switch is named in the
        language that it leads to.
        """
        language = self.scene.language
        if stop.id == CONTROL_LANGUAGE:
            languages = self.words.languages
            language = languages[(languages.index(language) + 1) % len(languages)]
        n, most = self.scene.stops.index(stop) + 1, len(self.scene.stops)
        return ((language, stop.spoken), *self.text("guide.place", n=n, most=most))

    def everything(self) -> Parts:
        parts: Parts = ((self.scene.language, self.scene.spoken),)
        for stop in self.scene.stops:
            parts += self.stop(stop)
        return parts


def spell(text: str, digits: str) -> str:
    """``text`` with each ticket number in it letter by letter: "A042" as "A, zero, four, two".
    ``digits`` are the words from zero to nine, with spaces between.
    """
    names = digits.split()

    def one_by_one(found: re.Match[str]) -> str:
        return ", ".join((found[1], *(names[int(digit)] for digit in found[2])))

    return NUMBER.sub(one_by_one, text)
