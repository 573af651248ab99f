"""An event that holds a person's data is not kept, its place in the ledger is: an envelope without
content stands there, under the digest of what came, so that the stream goes on and a repeat is
known for one. Pure.
"""

import re

import msgspec

from sync.events import VERSION, AnyEvent, Clk, UnknownEvent
from sync.personal import sent

TYPE = "event.withheld"
_ID = re.compile(r"[0-9a-f-]{1,36}")


def withheld(event: AnyEvent | UnknownEvent, digest: str) -> UnknownEvent:
    """The envelope of ``event`` without its content; ``digest`` stands for an id that is none."""

    def opaque(text: str) -> str:
        return text if _ID.fullmatch(text) and not sent(text.encode()) else digest

    return UnknownEvent(
        type=TYPE,
        v=VERSION,
        id=opaque(event.id),
        src=event.src,
        epoch=event.epoch,
        seq=event.seq,
        prev=event.prev,
        ts=event.ts,
        clk=Clk(boot=opaque(event.clk.boot), mono_ms=event.clk.mono_ms),
        data=msgspec.Raw(b"{}"),
    )


def withheld_bytes(raw: bytes) -> bytes:
    """What is set aside in place of a message that cannot be read."""
    return b"withheld: %d bytes" % len(raw)
