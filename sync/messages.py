"""Every message of the feed as a strict msgspec Struct. Pure: bytes in, values out.

An event is one JSON object tagged by ``type``::

    {"type": "ticket.issued", "v": 1, "id": "0198…", "src": "kiosk-1", "epoch": 1, "seq": 7,
    "prev": "9f…",
     "ts": 1763860000000, "clk": {"boot": "…", "mono_ms": 81234, "quality": "ntp", "err_ms": 20},
     "sub": "0198…", "data": {…}}

Types are strict, fields that this version does not know are ignored and counted, a type that it
does not
know decodes as :class:`UnknownEvent` (to be kept, not understood). New fields get defaults; never
retype,
never reorder.
"""

from typing import Any, Literal, TypeVar

import msgspec

from sync.errors import BadMessage

VERSION = 1
MAX_MESSAGE_BYTES = 256 * 1024
"""100 events a batch of at most ~1 KiB each, doubled; a longer message is refused before it is
parsed.
"""
MAX_BATCH = 100

_T = TypeVar("_T")

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
    chains the rows.
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


# --- payloads ------------------------------------------------------------------------------


class IssuedData(msgspec.Struct, frozen=True, kw_only=True):
    """``request`` is the touch's request id: one touch, one ticket, however often it arrives."""

    number: str
    service: str
    segment: str
    language: str
    business_date: str
    band: int
    request: str


class PrintedData(msgspec.Struct, frozen=True, kw_only=True):
    attempt: int
    took_ms: int


class PrintFailedData(msgspec.Struct, frozen=True, kw_only=True):
    """``paper`` says what is known: ``not_printed`` or ``unknown`` (a slip may have come out)."""

    attempt: int
    paper: Literal["not_printed", "unknown"]
    cause: str


class VoidedData(msgspec.Struct, frozen=True, kw_only=True):
    reason: str


class CalledData(msgspec.Struct, frozen=True, kw_only=True):
    counter: int
    wait_ms: int
    key: str


class AtCounterData(msgspec.Struct, frozen=True, kw_only=True):
    counter: int
    key: str


class EndedData(msgspec.Struct, frozen=True, kw_only=True):
    """``nonce`` arms the counter's pad for this visit; 0 when no rating is asked for."""

    counter: int
    key: str
    service_ms: int
    nonce: int


class AbandonedData(msgspec.Struct, frozen=True, kw_only=True):
    wait_ms: int


class PadRef(msgspec.Struct, frozen=True, kw_only=True):
    """Where a press came from; (unique_id, boot_id, seq) makes a repeat harmless."""

    unique_id: str
    boot_id: int
    seq: int
    firmware: str = ""
    interpreter: str = ""


class RatingData(msgspec.Struct, frozen=True, kw_only=True):
    counter: int
    score_1to5: int
    nonce: int
    delay_ms: int
    pad: PadRef


class UnsolicitedData(msgspec.Struct, frozen=True, kw_only=True):
    counter: int
    score_1to5: int
    pad: PadRef
    reason: Literal["not_armed", "stale_nonce"] = "not_armed"


class DeviceData(msgspec.Struct, frozen=True, kw_only=True):
    device: str
    kind: str
    state: str
    detail: str = ""


# --- events --------------------------------------------------------------------------------


class TicketIssued(Event, frozen=True, kw_only=True, tag="ticket.issued"):
    data: IssuedData


class TicketPrinted(Event, frozen=True, kw_only=True, tag="ticket.printed"):
    data: PrintedData


class TicketPrintFailed(Event, frozen=True, kw_only=True, tag="ticket.print_failed"):
    data: PrintFailedData


class TicketVoided(Event, frozen=True, kw_only=True, tag="ticket.voided"):
    data: VoidedData


class TicketCalled(Event, frozen=True, kw_only=True, tag="ticket.called"):
    data: CalledData


class TicketRecalled(Event, frozen=True, kw_only=True, tag="ticket.recalled"):
    data: AtCounterData


class TicketMissed(Event, frozen=True, kw_only=True, tag="ticket.missed"):
    data: AtCounterData


class TicketAbandoned(Event, frozen=True, kw_only=True, tag="ticket.abandoned"):
    data: AbandonedData


class ServiceStarted(Event, frozen=True, kw_only=True, tag="service.started"):
    data: AtCounterData


class ServiceEnded(Event, frozen=True, kw_only=True, tag="service.ended"):
    data: EndedData


class RatingSubmitted(Event, frozen=True, kw_only=True, tag="rating.submitted"):
    data: RatingData


class RatingUnsolicited(Event, frozen=True, kw_only=True, tag="rating.unsolicited"):
    data: UnsolicitedData


class DeviceChanged(Event, frozen=True, kw_only=True, tag="device.changed"):
    data: DeviceData


AnyEvent = (
    TicketIssued
    | TicketPrinted
    | TicketPrintFailed
    | TicketVoided
    | TicketCalled
    | TicketRecalled
    | TicketMissed
    | TicketAbandoned
    | ServiceStarted
    | ServiceEnded
    | RatingSubmitted
    | RatingUnsolicited
    | DeviceChanged
)

EVENT_TYPES: dict[str, type[Event]] = {
    str(cls.__struct_config__.tag): cls for cls in AnyEvent.__args__
}

Payload = (
    IssuedData
    | PrintedData
    | PrintFailedData
    | VoidedData
    | CalledData
    | AtCounterData
    | EndedData
    | AbandonedData
    | RatingData
    | UnsolicitedData
    | DeviceData
)


class UnknownEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event of a type that this version does not know: its envelope, and its data as they
    came.
    """

    type: str
    v: int
    id: str
    src: str
    epoch: int
    seq: int
    prev: Digest
    ts: int
    clk: Clk
    sub: str | None = None
    data: msgspec.Raw


# --- session -------------------------------------------------------------------------------


class Hello(msgspec.Struct, frozen=True, kw_only=True, tag="hello", tag_field="type"):
    """A device after each connect. ``digest`` is the chain digest at ``top_seq``; ``connect``
    counts connects.
    """

    v: int = VERSION
    node: str
    epoch: int
    top_seq: int
    acked: int
    digest: Digest
    boot: str
    connect: int
    version: str
    ts: int
    mono_ms: int


class Welcome(msgspec.Struct, frozen=True, kw_only=True, tag="welcome", tag_field="type"):
    """The server's answer: everything up to ``hw`` of ``epoch`` is committed. ``connect`` echoes
    the hello's.
    """

    v: int = VERSION
    epoch: int
    connect: int
    hw: int
    digest: Digest
    server_gen: str
    server_ts: int
    verdict: Literal["ok", "fork", "unknown", "revoked"] = "ok"


class Ack(msgspec.Struct, frozen=True, kw_only=True, tag="ack", tag_field="type"):
    """Everything of ``epoch`` up to ``hw`` is committed; ``gaps`` lists missing runs [first, last]
    above it.
    """

    v: int = VERSION
    epoch: int
    hw: int
    server_gen: str
    gaps: list[tuple[int, int]] = []


class State(msgspec.Struct, frozen=True, kw_only=True, tag="state", tag_field="type"):
    """Birth, heartbeat and will of a node (the will has status ``lost`` and the same connect
    number).
    """

    v: int = VERSION
    node: str
    status: Literal["online", "lost", "stopped"]
    connect: int
    version: str = ""
    server_gen: str = ""


class ArmPad(msgspec.Struct, frozen=True, kw_only=True, tag="pad.arm", tag_field="type"):
    """Allow one press on a counter's pad for one ticket. ``key`` makes a repeat harmless."""

    v: int = VERSION
    key: str
    counter: int
    ticket: str
    nonce: int
    window_ms: int


class DisarmPad(msgspec.Struct, frozen=True, kw_only=True, tag="pad.disarm", tag_field="type"):
    v: int = VERSION
    key: str
    counter: int


Command = ArmPad | DisarmPad


class CommandResult(msgspec.Struct, frozen=True, kw_only=True, tag="result", tag_field="type"):
    v: int = VERSION
    key: str
    ok: bool
    error: str = ""


# --- displays ------------------------------------------------------------------------------


class QueueState(msgspec.Struct, frozen=True, kw_only=True, tag="queue", tag_field="type"):
    """One service's queue now. The interval is None when unknown, 0-0 when a window is free."""

    v: int = VERSION
    service: str
    waiting: int
    wait_low_min: int | None = None
    wait_high_min: int | None = None
    ts: int


class BoardCall(msgspec.Struct, frozen=True, kw_only=True):
    number: str
    counter: int
    ts: int


class BoardState(msgspec.Struct, frozen=True, kw_only=True, tag="board", tag_field="type"):
    """Newest call first."""

    v: int = VERSION
    zone: str
    calls: list[BoardCall]
    ts: int


SessionMessage = Hello | Welcome | Ack | State | Command | CommandResult | QueueState | BoardState

_event_decoder = msgspec.json.Decoder(AnyEvent)
_unknown_decoder = msgspec.json.Decoder(UnknownEvent)
_batch_decoder = msgspec.json.Decoder(list[msgspec.Raw])
_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}
_encoder = msgspec.json.Encoder()


def encode(message: msgspec.Struct) -> bytes:
    """The message as compact JSON."""
    return _encoder.encode(message)


def decode_event(raw: bytes | memoryview | msgspec.Raw) -> AnyEvent | UnknownEvent:
    """Read one event. Raises BadMessage with the field's path and what was expected."""
    if len(raw) > MAX_MESSAGE_BYTES:
        raise BadMessage(f"an event of {len(raw)} bytes; at most {MAX_MESSAGE_BYTES} are taken")
    try:
        event: AnyEvent = _event_decoder.decode(raw)
    except msgspec.ValidationError as error:
        unknown = _unknown_type(raw)
        if unknown is None:
            raise BadMessage(f"not an event: {error}") from error
        return _checked(unknown)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadMessage(f"not JSON: {error}") from error
    return _checked(event)


def split_batch(raw: bytes) -> list[bytes]:
    """The events of one ``evt`` message, undecoded: a single object or an array of 1 to 100.
    Raises BadMessage.
    """
    if len(raw) > MAX_MESSAGE_BYTES:
        raise BadMessage(f"a message of {len(raw)} bytes; at most {MAX_MESSAGE_BYTES} are taken")
    if raw[:1] != b"[":
        return [raw]
    try:
        parts = _batch_decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadMessage(f"not a batch of events: {error}") from error
    if not 1 <= len(parts) <= MAX_BATCH:
        raise BadMessage(f"a batch of {len(parts)} events; 1 to {MAX_BATCH} are taken")
    return [bytes(part) for part in parts]


def decode(raw: bytes, expected: type[_T]) -> _T:
    """Read a session or display message of the ``expected`` type. Raises BadMessage."""
    if len(raw) > MAX_MESSAGE_BYTES:
        raise BadMessage(f"a message of {len(raw)} bytes; at most {MAX_MESSAGE_BYTES} are taken")
    decoder = _decoders.get(expected)
    if decoder is None:
        decoder = _decoders[expected] = msgspec.json.Decoder(expected)
    try:
        value: _T = decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        name = getattr(expected, "__name__", str(expected))
        raise BadMessage(f"not a {name}: {error}") from error
    return value


def unknown_fields(raw: bytes, message: msgspec.Struct) -> int:
    """How many fields of ``raw`` the ``message`` decoded from it does not know, nested ones
    included.
    """
    if len(encode(message)) == len(raw):
        return 0
    return _count_unknown(msgspec.json.decode(raw), msgspec.to_builtins(message))


def _count_unknown(seen: Any, known: Any) -> int:
    if isinstance(seen, dict) and isinstance(known, dict):
        return sum(
            1 if key not in known else _count_unknown(value, known[key])
            for key, value in seen.items()
        )
    if isinstance(seen, list) and isinstance(known, list):
        return sum(_count_unknown(a, b) for a, b in zip(seen, known, strict=False))
    return 0


def _unknown_type(raw: bytes | memoryview | msgspec.Raw) -> UnknownEvent | None:
    """The event if its type is one that this version does not know, None if something else is
    wrong with it.
    """
    try:
        event = _unknown_decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return None if event.type in EVENT_TYPES else event


_E = TypeVar("_E", bound="Event | UnknownEvent")


def _checked(event: _E) -> _E:
    if event.seq < 1 or event.epoch < 1:
        raise BadMessage(f"seq {event.seq}, epoch {event.epoch}: both count from 1")
    if len(event.prev) != 16 or not set(event.prev) <= set("0123456789abcdef"):
        raise BadMessage(f"prev {event.prev!r}: expected 16 hex digits")
    return event
