"""The envelope that every event of the feed travels in. Pure."""

from typing import Literal

import msgspec

VERSION = 1

Digest = str
"""64-bit chain digest as 16 hex digits."""


class Clk(msgspec.Struct, frozen=True, kw_only=True):
    """How the event's time was known: ``mono_ms`` is CLOCK_BOOTTIME of boot ``boot``; durations
    use only that.
    """

    boot: str
    mono_ms: int
    quality: Literal["ntp", "srv", "rtc", "none"] = "none"
    err_ms: int | None = None


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """The envelope. ``id`` is a UUIDv7, ``seq`` is gapless from 1 in each ``epoch``, ``prev``
    chains the rows. ``origin`` is the node that recorded the event, where ``src`` only forwards
    it.
    """

    v: int = VERSION
    id: str
    src: str
    epoch: int
    seq: int
    prev: Digest
    ts: int
    clk: Clk
    sub: str | None = None
    origin: str = ""
