"""Every message of the feed as a strict msgspec Struct. Pure: bytes in, values out.

The events themselves are in :mod:`sync.events`. Types are strict, fields that this version does
not know are ignored and counted, a type that it does not know decodes as :class:`UnknownEvent` (to
be kept, not understood). New fields get defaults; never retype, never reorder.
"""

from typing import Any, Literal, TypeVar

import msgspec

from sync.alerts import Alert as Alert
from sync.codes import AskCode as AskCode, CodeAnswer as CodeAnswer
from sync.configuration import AppliedConfig as AppliedConfig, DesiredConfig as DesiredConfig
from sync.counter_messages import CounterCommand as CounterCommand, CounterResult as CounterResult
from sync.errors import BadMessage
from sync.events import (
    EVENT_TYPES as EVENT_TYPES,
    VERSION as VERSION,
    AbandonedData as AbandonedData,
    AnyEvent as AnyEvent,
    AtCounterData as AtCounterData,
    CalledData as CalledData,
    Clk as Clk,
    ClockJumped as ClockJumped,
    ClockJumpedData as ClockJumpedData,
    CounterClosed as CounterClosed,
    CounterOpened as CounterOpened,
    CounterPaused as CounterPaused,
    DeviceChanged as DeviceChanged,
    DeviceData as DeviceData,
    Digest as Digest,
    EndedData as EndedData,
    Event as Event,
    IssuedData as IssuedData,
    NotOpenData as NotOpenData,
    OpenedData as OpenedData,
    PadRef as PadRef,
    ParkedData as ParkedData,
    Payload as Payload,
    PrintedData as PrintedData,
    PrintFailedData as PrintFailedData,
    RatingData as RatingData,
    RatingSubmitted as RatingSubmitted,
    RatingUnsolicited as RatingUnsolicited,
    RejoinedData as RejoinedData,
    ReturnedData as ReturnedData,
    ServiceEnded as ServiceEnded,
    ServiceStarted as ServiceStarted,
    TaggedData as TaggedData,
    TechnicianData as TechnicianData,
    TechnicianEntered as TechnicianEntered,
    TicketAbandoned as TicketAbandoned,
    TicketCalled as TicketCalled,
    TicketIssued as TicketIssued,
    TicketMissed as TicketMissed,
    TicketParked as TicketParked,
    TicketPrinted as TicketPrinted,
    TicketPrintFailed as TicketPrintFailed,
    TicketRecalled as TicketRecalled,
    TicketRejoined as TicketRejoined,
    TicketReturned as TicketReturned,
    TicketTagged as TicketTagged,
    TicketTransferred as TicketTransferred,
    TicketUnparked as TicketUnparked,
    TicketVoided as TicketVoided,
    TransferredData as TransferredData,
    UnknownEvent as UnknownEvent,
    UnparkedData as UnparkedData,
    UnsolicitedData as UnsolicitedData,
    VoidedData as VoidedData,
)
from sync.feedback import (
    AnswerData as AnswerData,
    AssistanceData as AssistanceData,
    AssistanceRequested as AssistanceRequested,
    ComplaintAnswered as ComplaintAnswered,
    ComplaintData as ComplaintData,
    ComplaintOpened as ComplaintOpened,
    ComplaintReopened as ComplaintReopened,
    ComplaintTaken as ComplaintTaken,
    FeedbackGiven as FeedbackGiven,
    OfComplaintData as OfComplaintData,
    ReasonData as ReasonData,
    SuggestionData as SuggestionData,
    SuggestionMade as SuggestionMade,
)
from sync.pad_messages import (
    ShowPad as ShowPad,
    TellerAnswer as TellerAnswer,
    TellerKey as TellerKey,
)

MAX_MESSAGE_BYTES = 256 * 1024
"""100 events a batch of at most ~1 KiB each, doubled; a longer message is refused before it is
parsed.
"""
MAX_BATCH = 100

_T = TypeVar("_T")


# --- session -------------------------------------------------------------------------------


class Hello(msgspec.Struct, frozen=True, kw_only=True, tag="hello", tag_field="type"):
    """A device after each connect. ``digest`` is the chain digest at ``top_seq``; ``connect``
    counts connects; ``first_seq`` is the oldest event that the device still has. ``ts`` is its
    wall clock at ``mono_ms`` of boot ``boot``, as good as ``quality`` and ``err_ms`` say.
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
    first_seq: int = 1
    quality: Literal["ntp", "srv", "rtc", "none"] = "none"
    err_ms: int | None = None


class LastNumber(msgspec.Struct, frozen=True, kw_only=True):
    """The highest display number that the server knows of, in a band of a service."""

    business_date: str
    service: str
    band: int
    last: int


class Welcome(msgspec.Struct, frozen=True, kw_only=True, tag="welcome", tag_field="type"):
    """The server's answer: everything up to ``hw`` of ``epoch`` is committed. ``connect`` and
    ``hello_mono_ms`` echo the hello's. ``window`` is the most events under way, ``rate_per_s`` the
    most a second (0: as many as go). ``numbers`` are those of the node's own bands on its newest
    business dates: a restored device goes on above them. ``quality`` and ``err_ms`` say how well
    the server knows ``server_ts``.
    """

    v: int = VERSION
    epoch: int
    connect: int
    hw: int
    digest: Digest
    server_gen: str
    server_ts: int
    verdict: Literal["ok", "fork", "unknown", "revoked"] = "ok"
    hello_mono_ms: int = 0
    window: int = 200
    rate_per_s: int = 0
    numbers: list[LastNumber] = []
    quality: Literal["ntp", "srv", "rtc", "none"] = "none"
    err_ms: int | None = None


class Ack(msgspec.Struct, frozen=True, kw_only=True, tag="ack", tag_field="type"):
    """Everything of ``epoch`` up to ``hw`` is committed; ``gaps`` lists missing runs [first, last]
    above it. ``digest`` is the chain digest at ``hw``, "" from a server that does not say.
    """

    v: int = VERSION
    epoch: int
    hw: int
    server_gen: str
    gaps: list[tuple[int, int]] = []
    digest: str = ""


class State(msgspec.Struct, frozen=True, kw_only=True, tag="state", tag_field="type"):
    """Birth, heartbeat and will of a node (the will has status ``lost`` and the same connect
    number). ``alerts`` are what staff must know now: ``storage_low``, ``storage_full``, ``fork``,
    ``not_authorised``.
    """

    v: int = VERSION
    node: str
    status: Literal["online", "lost", "stopped"]
    connect: int
    version: str = ""
    server_gen: str = ""
    alerts: list[str] = []


class ArmPad(msgspec.Struct, frozen=True, kw_only=True, tag="pad.arm", tag_field="type"):
    """Allow one press on a counter's pad for one ticket. ``key`` makes a repeat harmless."""

    v: int = VERSION
    key: str
    counter: int
    ticket: str
    nonce: int
    window_ms: int


class DisarmPad(msgspec.Struct, frozen=True, kw_only=True, tag="pad.disarm", tag_field="type"):
    """End the pad's window: the next customer was called."""

    v: int = VERSION
    key: str
    counter: int


Command = ArmPad | DisarmPad | ShowPad


class CommandResult(msgspec.Struct, frozen=True, kw_only=True, tag="result", tag_field="type"):
    """What became of the command ``key``; ``error`` says why it was not carried out."""

    v: int = VERSION
    key: str
    ok: bool
    error: str = ""


class AskNumber(msgspec.Struct, frozen=True, kw_only=True, tag="number.ask", tag_field="type"):
    """A device asks for a display number of band 0. The same ``key`` gets the same number.
    ``floor`` is the highest band 0 number that the device has seen.
    """

    v: int = VERSION
    key: str
    service: str
    business_date: str
    floor: int = 0


class NumberGrant(msgspec.Struct, frozen=True, kw_only=True, tag="number.grant", tag_field="type"):
    """``number`` belongs to the asking node for good; 0 is a refusal, for ``reason``."""

    v: int = VERSION
    key: str
    service: str
    business_date: str
    number: int
    reason: str = ""


Ask = AskNumber | TellerKey | AskCode
Answer = NumberGrant | TellerAnswer | CodeAnswer


# --- displays ------------------------------------------------------------------------------


class QueueState(msgspec.Struct, frozen=True, kw_only=True, tag="queue", tag_field="type"):
    """One service's queue now. The interval is None when unknown, 0-0 when a window is free.
    ``joining``: closing (a new ticket would not be called before closing time), full (the day's
    limit is given), closed (outside its hours). ``promise_min`` is the longest promised wait, 0
    for none; of the ``promised`` customers of today so many were ``kept`` waiting no longer.
    """

    v: int = VERSION
    service: str
    waiting: int
    wait_low_min: int | None = None
    wait_high_min: int | None = None
    ts: int
    joining: Literal["open", "closing", "full", "closed"] = "open"
    promise_min: int = 0
    promised: int = 0
    kept: int = 0


class BoardCall(msgspec.Struct, frozen=True, kw_only=True):
    """A ticket's number and the counter that it was called to."""

    number: str
    counter: int
    ts: int


class BoardState(msgspec.Struct, frozen=True, kw_only=True, tag="board", tag_field="type"):
    """Newest call first."""

    v: int = VERSION
    zone: str
    calls: list[BoardCall]
    ts: int


SessionMessage = (
    Hello
    | Welcome
    | Ack
    | State
    | Command
    | CommandResult
    | AskNumber
    | NumberGrant
    | DesiredConfig
    | AppliedConfig
    | TellerKey
    | TellerAnswer
    | AskCode
    | CodeAnswer
    | CounterCommand
    | CounterResult
    | QueueState
    | BoardState
    | Alert
)

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


def decode_envelope(raw: bytes | memoryview | msgspec.Raw) -> UnknownEvent:
    """Read an event whose payload does not matter, or cannot be read. Raises BadMessage."""
    if len(raw) > MAX_MESSAGE_BYTES:
        raise BadMessage(f"an event of {len(raw)} bytes; at most {MAX_MESSAGE_BYTES} are taken")
    try:
        event: UnknownEvent = _unknown_decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadMessage(f"not an event: {error}") from error
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
    known = encode(message)
    if len(known) == len(raw):
        return 0
    return _count_unknown(msgspec.json.decode(raw), msgspec.json.decode(known))


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
