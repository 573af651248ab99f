"""The audio guide at the kiosk: keys in, speech and focus out, beside what touch does.

What to say is kiosk/guide.py's; here are the clock that tells a press from a held key, the speaker
whose new words end the old ones at once, and the two devices' health. A kiosk without sound goes
on: the focus is seen on the screen, and the loss is a row of the kiosk.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import msgspec
import structlog

from hal.api import Health, HealthState, Speaker, Speech
from hal.body import GuideKey, KeyPad
from hal.errors import HalError, LinkUnavailable
from hal.link import link_to
from hal.registry import backend
from kiosk import guide
from kiosk.catalogue import Catalogue
from kiosk.config import KioskConfig
from kiosk.errors import KioskError
from kiosk.pad_keys import FOLDER, PadKeys
from sync.clock import system_clock

HELD_S = 0.8
"""A key that is down for so long is held; each such time again for the volume."""
REPEATED = (GuideKey.NEXT, GuideKey.PREVIOUS)
REST_S = 180.0
"""Without a key for so long the guide ends where no other clock ends the visit."""
CHECK_LOST_S, CHECKS = 10.0, 6
"""How often a lost speaker is asked to play silence; an idle one each sixth time."""

log = structlog.get_logger()


class GuidedScreen(Protocol):
    """What the guide does on the screen."""

    def focus(self, control: str) -> None:
        """Mark a control, "" for none."""

    def press(self, control: str) -> bool:
        """Press a control as a finger would; False if it takes no press now."""


class Guided(Protocol):
    """The visit, as the guide has to do with it."""

    def guide(self, on: bool) -> None:
        """A key was pressed, or none for long."""

    def device_changed(self, device: str, kind: str, health: Health) -> None:
        """Take note of a device's health."""

    @property
    def visit(self) -> Any:
        """Where the visit is: ``guided`` is false once it is over."""


class GuideKeeper:
    """Runs the guide of one kiosk. Without keys only "listen" starts it; without a speaker the
    keys move the focus in silence.
    """

    def __init__(
        self,
        keypad: KeyPad | None,
        speaker: Speaker | None,
        *,
        catalogue: Catalogue,
        screen: GuidedScreen,
        kiosk: Guided,
        volume: int = guide.DEFAULT_STEP,
    ) -> None:
        self._keypad = keypad
        self._speaker = speaker
        self._words = catalogue
        self._screen = screen
        self._kiosk = kiosk
        self._guide = guide.Guide(step=volume, default_step=volume)
        self._held: dict[GuideKey, asyncio.TimerHandle] = {}
        self._acted: set[GuideKey] = set()
        self._rest: asyncio.TimerHandle | None = None
        self._saying: asyncio.Task[None] | None = None
        self._lost = ""
        self._tasks: list[asyncio.Task[None]] = []
        if keypad is not None:
            keypad.on_health(lambda health: kiosk.device_changed("keys", "keys", health))

    async def start(self) -> None:
        """Open the devices; one that is not there is a health row and looked for."""
        if self._keypad is not None:
            try:
                await self._keypad.open()
            except LinkUnavailable as error:
                log.warning("keys.unavailable", error=str(error))
            self._kiosk.device_changed("keys", "keys", self._keypad.health)
            self._tasks.append(asyncio.create_task(self._listen(self._keypad), name="keys"))
        if self._speaker is not None:
            task = self._look_after(self._speaker)
            self._tasks.append(asyncio.create_task(task, name="speaker"))

    async def stop(self) -> None:
        """Fall silent and release the devices; stopping twice is harmless."""
        for timer in (*self._held.values(), self._rest):
            if timer is not None:
                timer.cancel()
        self._held.clear()
        tasks = [*self._tasks, *([self._saying] if self._saying else [])]
        self._tasks, self._saying = [], None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._keypad is not None:
            await self._keypad.close()
        if self._speaker is not None:
            await self._speaker.close()

    def described(self, description: Mapping[str, Any]) -> None:
        """The screen has changed (kiosk/ui/describe.py)."""
        if self._guide.on and not self._kiosk.visit.guided:
            self._step(guide.Ended())
        self._step(guide.Shown(guide.Scene.of(description)))

    def listen(self) -> None:
        """Somebody touched "listen"."""
        self._touched()
        self._step(guide.Listened())

    # --- keys -------------------------------------------------------------------------------

    async def _listen(self, keypad: KeyPad) -> None:
        while True:
            stroke = await keypad.next_stroke()
            try:
                if stroke.down:
                    self._down(stroke.key)
                else:
                    self._up(stroke.key)
            except Exception:
                # One key that breaks the screen must not silence those after it.
                log.exception("keys.broken", key=stroke.key.value)

    def _down(self, key: GuideKey) -> None:
        self._hush()
        self._touched()
        self._acted.discard(key)
        self._wait(key)

    def _up(self, key: GuideKey) -> None:
        if (timer := self._held.pop(key, None)) is not None:
            timer.cancel()
        if key not in self._acted:
            self._step(guide.Pressed(key))

    def _wait(self, key: GuideKey) -> None:
        loop = asyncio.get_running_loop()
        self._held[key] = loop.call_later(HELD_S, self._hold, key)

    def _hold(self, key: GuideKey) -> None:
        del self._held[key]
        self._acted.add(key)
        self._step(guide.Held(key))
        if key in REPEATED:
            self._wait(key)

    def _touched(self) -> None:
        """Somebody is there: nothing ends now."""
        self._kiosk.guide(True)
        if self._rest is not None:
            self._rest.cancel()
        self._rest = asyncio.get_running_loop().call_later(REST_S, self._rested)

    def _rested(self) -> None:
        self._rest = None
        if self._guide.on:
            self._kiosk.guide(False)
            self._step(guide.Ended())

    # --- what comes of it -------------------------------------------------------------------

    def _step(self, event: guide.Event) -> None:
        self._guide, effects = guide.step(self._guide, event, self._words)
        for effect in effects:
            match effect:
                case guide.Focus(control):
                    self._screen.focus(control)
                case guide.Press(control):
                    self._screen.press(control)
                case guide.Say():
                    self._say(effect)

    def _say(self, say: guide.Say) -> None:
        """Say it, in the place of whatever is being said."""
        self._hush()
        if self._speaker is not None:
            self._saying = asyncio.create_task(self._spoken(self._speaker, say), name="say")

    def _hush(self) -> None:
        if self._saying is not None:
            self._saying.cancel()
            self._saying = None

    async def _spoken(self, speaker: Speaker, say: guide.Say) -> None:
        speeches = [Speech(language.partition("_")[0], text) for language, text in say.parts]
        try:
            await speaker.say(speeches, volume=say.volume, chime=False, speed=say.speed)
        except HalError as error:
            self._learn(speaker, str(error))
        except ValueError as error:
            log.error("speaker.cannot_say", error=str(error))  # a language without a voice
        else:
            self._learn(speaker)

    async def _look_after(self, speaker: Speaker) -> None:
        """See that there is sound, before somebody needs it."""
        try:
            await speaker.open()
        except HalError as error:
            self._learn(speaker, str(error))
        while True:
            self._learn(speaker)
            for _ in range(CHECKS):
                await asyncio.sleep(CHECK_LOST_S)
                if speaker.health.state is not HealthState.OK:
                    break
            if self._saying is None or self._saying.done():
                await speaker.check()

    def _learn(self, speaker: Speaker, error: str = "") -> None:
        """Take note of the speaker's health; the log has each loss once."""
        health = speaker.health
        lost = health.detail if health.state is not HealthState.OK else ""
        if lost and lost != self._lost:
            log.error("speaker.lost", detail=lost, error=error)
        self._lost = lost
        self._kiosk.device_changed("speaker", "speaker", health)


def build_keypad(config: KioskConfig) -> KeyPad | None:
    """The tactile keys as configured (not opened), if there are any. Raises KioskError."""
    wanted = config.keys
    if wanted is None:
        return None
    codes: dict[str, list[int]] = msgspec.structs.asdict(wanted.codes)
    options: dict[str, Any] = {}
    if wanted.backend == "pad":
        options = {
            "now_ms": system_clock().mono_ms,
            "key_of": PadKeys(Path(config.data_dir) / FOLDER, wanted.unique_id),
            "allow_unkeyed": wanted.allow_unkeyed,
        }
    try:
        keypad: KeyPad = backend("keypad", wanted.backend)(
            link_to(wanted.address),
            name="keys",
            codes={key: numbers for key, numbers in codes.items() if numbers},
            **options,
        )
    except ValueError as error:
        raise KioskError(f"kiosk.toml: keys: {error}") from error
    return keypad


def build_speaker(config: KioskConfig) -> Speaker | None:
    """The audio guide's speaker as configured (not opened), if there is one."""
    wanted = config.speaker
    if wanted is None:
        return None
    speaker: Speaker = backend("speaker", wanted.backend)(wanted.address, voices=wanted.voices)
    return speaker


def build_guide(
    config: KioskConfig, catalogue: Catalogue, screen: GuidedScreen, kiosk: Guided
) -> GuideKeeper:
    """The guide with the devices that there are. Raises KioskError."""
    return GuideKeeper(
        build_keypad(config),
        build_speaker(config),
        catalogue=catalogue,
        screen=screen,
        kiosk=kiosk,
        volume=config.speaker.volume if config.speaker else guide.DEFAULT_STEP,
    )
