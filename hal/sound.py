"""Sound as samples (16 bits, one channel): WAV in and out, a chime, silence, gain. No I/O."""

import math
import struct
from array import array
from collections.abc import Iterable
from dataclasses import dataclass

RATE_HZ = 22_050
"""What espeak-ng speaks with."""
CHIME_TONES_HZ = (659.26, 523.25)
"""E5, then C5: two tones that fall, as in a station."""
CHIME_TONE_S = 0.45
CHIME_PEAK = 0.5
_ATTACK_S = 0.01
_FALLS_TO_THIRD_S = 0.18
_FULL = 32_767
_PCM, _MONO, _BITS = 1, 1, 16
_TO_THE_END = 0x7FFF0000
"""A program that writes WAV into a pipe does not know its length and writes about this."""


class NotSound(ValueError):
    """Bytes that are no WAV of 16 bits and one channel; the message says what they are."""


@dataclass(frozen=True, slots=True)
class Sound:
    """Samples at a rate, and what is said in them, for whoever records it."""

    samples: "array[int]"
    rate_hz: int = RATE_HZ
    said: str = ""

    @property
    def length_s(self) -> float:
        """How long it plays."""
        return len(self.samples) / self.rate_hz

    @property
    def peak(self) -> float:
        """The largest deflection, 0 to 1."""
        return max(map(abs, self.samples), default=0) / _FULL

    def at_volume(self, volume: float) -> "Sound":
        """The same at ``volume`` 0 to 1 times the deflection. Raises ValueError."""
        if not 0.0 <= volume <= 1.0:
            raise ValueError(f"volume {volume}; expected 0 to 1")
        scaled = array("h", (round(sample * volume) for sample in self.samples))
        return Sound(scaled, self.rate_hz, self.said)


def silence(length_s: float, rate_hz: int = RATE_HZ) -> Sound:
    """Nothing, for so long."""
    return Sound(array("h", bytes(2 * round(length_s * rate_hz))), rate_hz)


def chime(rate_hz: int = RATE_HZ) -> Sound:
    """Two tones, each struck and fading."""
    samples = array("h")
    for tone_hz in CHIME_TONES_HZ:
        for index in range(round(CHIME_TONE_S * rate_hz)):
            at_s = index / rate_hz
            strength = min(1.0, at_s / _ATTACK_S) * 3.0 ** (-at_s / _FALLS_TO_THIRD_S)
            wave = math.sin(2 * math.pi * tone_hz * at_s)
            samples.append(round(_FULL * CHIME_PEAK * strength * wave))
    return Sound(samples, rate_hz)


def joined(parts: Iterable[Sound], said: str = "") -> Sound:
    """One after the other. Raises NotSound where the rates differ, ValueError for no part."""
    parts = list(parts)
    if not parts:
        raise ValueError("nothing to play")
    rates = {part.rate_hz for part in parts}
    if len(rates) > 1:
        raise NotSound(f"sounds of {sorted(rates)} Hz; expected one rate for all voices")
    samples = array("h")
    for part in parts:
        samples.extend(part.samples)
    return Sound(samples, rates.pop(), said)


def to_wav(sound: Sound) -> bytes:
    """A WAV file; what is said stands in its comment (LIST INFO ICMT), before the samples."""
    comment = sound.said.encode() + b"\0"
    comment += b"\0" * (len(comment) % 2)
    info = b"INFOICMT" + struct.pack("<I", len(comment)) + comment
    shape = struct.pack(
        "<HHIIHH", _PCM, _MONO, sound.rate_hz, 2 * sound.rate_hz, _BITS // 8, _BITS
    )
    data = struct.pack(f"<{len(sound.samples)}h", *sound.samples)
    body = b"WAVE" + b"".join(
        name + struct.pack("<I", len(chunk)) + chunk
        for name, chunk in ((b"fmt ", shape), (b"LIST", info), (b"data", data))
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def from_wav(raw: bytes) -> Sound:
    """Read a WAV file; one that was written into a pipe goes to its end. Raises NotSound."""
    if raw[:4] != b"RIFF" or raw[8:12] != b"WAVE":
        raise NotSound(f"no WAV: {len(raw)} bytes that begin with {raw[:12]!r}")
    at, rate_hz, said = 12, 0, ""
    while at + 8 <= len(raw):
        name, size = raw[at : at + 4], struct.unpack_from("<I", raw, at + 4)[0]
        chunk = raw[at + 8 : at + 8 + size]
        if len(chunk) < size and not (name == b"data" and size >= _TO_THE_END):
            raise NotSound(f"cut off: {len(chunk)} of {size} bytes of {name!r}")
        if name == b"fmt ":
            shape = struct.unpack_from("<HHIIHH", chunk)
            if (shape[0], shape[1], shape[5]) != (_PCM, _MONO, _BITS):
                raise NotSound(f"format {shape}; expected PCM, one channel, 16 bits")
            rate_hz = shape[2]
        elif chunk[:8] == b"INFOICMT":
            said = chunk[12:].rstrip(b"\0").decode()
        elif name == b"data":
            if not rate_hz:
                raise NotSound("samples before their format")
            count = len(chunk) // 2
            return Sound(
                array("h", struct.unpack(f"<{count}h", chunk[: 2 * count])), rate_hz, said
            )
        at += 8 + size + size % 2
    raise NotSound("no samples")


def tone_share(sound: Sound, tone_hz: float, first_s: float) -> float:
    """How much of the power of the first seconds is this tone, 0 to 1 (Goertzel)."""
    samples = sound.samples[: round(first_s * sound.rate_hz)]
    power = sum(sample * sample for sample in samples)
    if not power:
        return 0.0
    turn = 2 * math.cos(2 * math.pi * tone_hz / sound.rate_hz)
    before = last = 0.0
    for sample in samples:
        before, last = last, sample + turn * last - before
    found = before * before + last * last - turn * before * last
    return 2 * found / (power * len(samples))
