"""Announcements by espeak-ng and a player: text in, WAV out, and played before ``say`` returns.

Both are programs of their own (espeak-ng is GPL, and a crash of either costs one announcement). An
address says how to play: ``alsa:NAME`` is aplay on that sound device, ``program:PATH`` is any
program that takes a WAV on its standard input and ends with status 0 once it was heard.
"""

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import AsyncIterator, Mapping, Sequence

from hal.api import Health, HealthState, Speech
from hal.errors import DeviceRefused, DeviceSilent, HalError, LinkUnavailable
from hal.sound import NotSound, Sound, chime, from_wav, joined, silence, to_wav

VOICES = {"zh": "cmn-latn-pinyin", "en": "en-us"}
"""``cmn`` of espeak-ng 1.51 reads 号 as "hao four": it takes its own pinyin for English
(espeak-ng #1236). This one reads it as pinyin.
"""
SPEED_WPM = 140
SPEEDS = 0.5, 2.0
"""Times that; beyond it espeak-ng cannot be understood."""
SYNTHESIS_S = 10.0
GRACE_S = 5.0
"""A player may take so much longer than the sound."""
HEARD_SHARE = 0.8
"""A sound device cannot play faster than time: who ends sooner has not played it."""
SILENCE_S = 0.2
PAUSE_S = 0.3
"""Between chime and languages, and at the end: a device easily cuts off the last of it."""
LAST_WORDS = 200
LETTER_A = re.compile(r"\bA\b")
"""Alone it is the article to espeak-ng, as in "about"; our texts have no such article."""
LETTER_SOUND = {"en": "[['eI]]"}
PACKAGES = {"aplay": "alsa-utils", "espeak-ng": "espeak-ng"}


class EspeakSpeaker:
    """Implements :class:`hal.api.Speaker`. ``voices`` stand above VOICES; ``grace_s`` is how much
    longer than the sound a player may take. Raises ValueError for an address of no known kind.
    """

    def __init__(
        self,
        address: str,
        *,
        voices: Mapping[str, str] | None = None,
        speed_wpm: int = SPEED_WPM,
        grace_s: float = GRACE_S,
    ) -> None:
        self.address = address
        self._player = player_command(address)
        self._paced = address.startswith("alsa:")
        self._voices = {**VOICES, **(voices or {})}
        self._speed_wpm = speed_wpm
        self._grace_s = grace_s
        self._lock = asyncio.Lock()
        self._running: asyncio.subprocess.Process | None = None
        self._said = self._failed = 0
        self._state, self._detail = HealthState.UNKNOWN, ""

    async def open(self) -> None:
        """Let every voice speak into nowhere and play silence: all of it is there and works."""
        async with self._one_at_a_time():
            for language, voice in self._voices.items():
                await self._spoken(Speech(language, "0"), voice, self._speed_wpm)
            await self._play(silence(SILENCE_S))

    async def say(
        self,
        speeches: Sequence[Speech],
        *,
        volume: float = 1.0,
        chime: bool = True,
        speed: float = 1.0,
    ) -> None:
        """As :class:`hal.api.Speaker` says; ValueError too for a language without a voice."""
        if not 0.0 <= volume <= 1.0:
            raise ValueError(f"volume {volume}; expected 0 to 1")
        slowest, fastest = SPEEDS
        if not slowest <= speed <= fastest:
            raise ValueError(f"speed {speed}; expected {slowest:g} to {fastest:g}")
        unknown = [s.language for s in speeches if s.language not in self._voices]
        if unknown or not speeches:
            raise ValueError(f"languages {unknown}; there are voices for {sorted(self._voices)}")
        async with self._one_at_a_time():
            sound = await self._composed(speeches, chime, round(self._speed_wpm * speed))
            await self._play(sound.at_volume(volume))
            self._said += 1

    async def check(self) -> Health:
        with contextlib.suppress(HalError):
            async with self._one_at_a_time():
                await self._play(silence(SILENCE_S))
        return self.health

    @property
    def health(self) -> Health:
        return Health(self._state, self._detail, {"said": self._said, "failed": self._failed})

    async def close(self) -> None:
        if self._running is not None:
            _end(self._running)

    # --- one announcement -------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def _one_at_a_time(self) -> AsyncIterator[None]:
        """The device for one announcement; what comes of it is the health."""
        async with self._lock:
            try:
                yield
            except HalError as error:
                self._failed += 1
                refused = isinstance(error, DeviceRefused)
                self._state = HealthState.FAULT if refused else HealthState.LOST
                raise
            self._state, self._detail = HealthState.OK, ""

    async def _composed(
        self, speeches: Sequence[Speech], with_chime: bool, speed_wpm: int
    ) -> Sound:
        """One sound of everything: no other announcement fits between its parts."""
        spoken = [
            await self._spoken(speech, self._voices[speech.language], speed_wpm)
            for speech in speeches
        ]
        rate_hz = spoken[0].rate_hz
        parts = [chime(rate_hz)] if with_chime else []
        for sound in spoken:
            parts += [sound, silence(PAUSE_S, rate_hz)]
        said = "\n".join(f"{speech.language} {speech.text}" for speech in speeches)
        try:
            return joined(parts, said)
        except NotSound as error:
            raise self._refused("voice", str(error)) from error

    async def _spoken(self, speech: Speech, voice: str, speed_wpm: int) -> Sound:
        text = LETTER_A.sub(LETTER_SOUND.get(speech.language, "A"), speech.text)
        command = ("espeak-ng", "-v", voice, "-s", str(speed_wpm), "-b", "1")
        status, wav, words = await self._run(
            (*command, "--stdin", "--stdout"), text.encode(), SYNTHESIS_S
        )
        if status != 0:
            raise self._refused("voice", f"espeak-ng cannot speak with voice {voice!r}: {words}")
        try:
            sound = from_wav(wav)
        except NotSound as error:
            raise self._refused("voice", f"espeak-ng, voice {voice!r}: {error}") from error
        if sound.peak == 0.0:
            raise self._refused("voice", f"espeak-ng has no sound for {speech.text!r}")
        return sound

    async def _play(self, sound: Sound) -> None:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        status, _, words = await self._run(
            self._player, to_wav(sound), sound.length_s + self._grace_s
        )
        took_s = loop.time() - began_s
        if status != 0 and "open error" in words:  # aplay's words for a device that is not there
            self._detail = "device_missing"
            raise LinkUnavailable(
                f"{self.address}: no such sound device ({words}); see `aplay -L` for the names"
            )
        if status != 0:
            raise self._refused("player", f"{self.address}: ended with status {status}: {words}")
        if self._paced and took_s < HEARD_SHARE * sound.length_s:
            raise self._refused(
                "not_played",
                f"{self.address}: {sound.length_s:.1f} s of sound were over after {took_s:.1f} s;"
                " nobody has heard them. Is this a sound device?",
            )

    async def _run(
        self, command: Sequence[str], data: bytes, within_s: float
    ) -> tuple[int, bytes, str]:
        """Status, output and last words of a program. Raises LinkUnavailable, DeviceSilent."""
        name = command[0]
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            self._detail = "espeak_missing" if name == "espeak-ng" else "player_missing"
            package = PACKAGES.get(name)
            mend = f"apt-get install {package}" if package else "see that it exists and may run"
            raise LinkUnavailable(f"{name}: {error.strerror or error}; {mend}") from error
        self._running = process
        try:
            async with asyncio.timeout(within_s):
                out, err = await process.communicate(data)
        except TimeoutError:
            self._detail = "silent"
            raise DeviceSilent(f"{name} did not end within {within_s:.1f} s") from None
        finally:
            _end(process)
            # Not wait(): a pipe that nobody reads on is paused when full, and asyncio calls no
            # process ended before its pipes are.
            await process.communicate()
            self._running = None
        return await process.wait(), out, err.decode("utf-8", "replace").strip()[-LAST_WORDS:]

    def _refused(self, detail: str, message: str) -> DeviceRefused:
        self._detail = detail
        return DeviceRefused(message)


def player_command(address: str) -> tuple[str, ...]:
    """The program that plays at this address. Raises ValueError."""
    kind, _, name = address.partition(":")
    if kind == "alsa" and name:
        return ("aplay", "-q", "-D", name, "-")
    if kind == "program" and name:
        return (name,)
    raise ValueError(f"{address!r}; expected alsa:DEVICE, like alsa:default, or program:PATH")


def _end(process: asyncio.subprocess.Process) -> None:
    """Kill a program that still runs, with whatever it has started."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
