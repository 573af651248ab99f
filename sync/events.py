"""The events of the feed: one envelope, one payload a type. Pure.

An event is one JSON object tagged by ``type``::

    {"type": "ticket.issued", "v": 1, "id": "0198…", "src": "kiosk-1", "epoch": 1, "seq": 7,
    "prev": "9f…",
     "ts": 1763860000000, "clk": {"boot": "…", "mono_ms": 81234, "quality": "ntp", "err_ms": 20},
     "sub": "0198…", "data": {…}}

New fields get defaults; never retype, never reorder.
"""

from typing import Literal

import msgspec

from sync.alerts import (
    AlertCleared,
    AlertData,
    AlertRaised,
    AlertReopened,
    AlertTaken,
    ClearedData,
    OfAlertData,
    ReissuedData,
    TicketReissued,
)
from sync.envelope import VERSION as VERSION, Clk as Clk, Digest as Digest, Event as Event
from sync.feedback import FeedbackEvent, FeedbackPayload

# --- payloads ------------------------------------------------------------------------------


class IssuedData(msgspec.Struct, frozen=True, kw_only=True):
    """``request`` is the touch's request id: one touch, one ticket, however often it arrives.

    ``services``: what else the visit is for, in order. ``appointment_ms``: the slot (Unix ms), 0
    for none. ``wanted_counter``: waits for this counter for ``hold_ms``, then for anyone; 0 for
    none. ``counter``: a walk-in, served there at once, without a slip and without a call; 0 for
    all others. ``code``: the token of the code that the visitor checked in with
    (:mod:`sync.codes`), "" for none. ``waited_ms``: so long before its issue the visitor was here
    already and tried the self-service machine; more than 15 minutes count as 15.
    """

    number: str
    service: str
    segment: str
    language: str
    business_date: str
    band: int
    request: str
    services: list[str] = []
    appointment_ms: int = 0
    wanted_counter: int = 0
    hold_ms: int = 0
    counter: int = 0
    code: str = ""
    waited_ms: int = 0


class PrintedData(msgspec.Struct, frozen=True, kw_only=True):
    """``attempt`` counts from 1; ``took_ms`` ends at the printer's own answer."""

    attempt: int
    took_ms: int


class PrintFailedData(msgspec.Struct, frozen=True, kw_only=True):
    """``paper`` says what is known: ``not_printed`` or ``unknown`` (a slip may have come out)."""

    attempt: int
    paper: Literal["not_printed", "unknown"]
    cause: str


class VoidedData(msgspec.Struct, frozen=True, kw_only=True):
    """``reason``: why nobody can hold the ticket."""

    reason: str


class CalledData(msgspec.Struct, frozen=True, kw_only=True):
    """``key`` is the teller's request: a repeat of it is the same call. ``reason``: why this one
    before an older one, "" for the oldest; ``score_ms`` is its score (minutes times 60,000).
    """

    counter: int
    wait_ms: int
    key: str
    reason: str = ""
    score_ms: int = 0


class AtCounterData(msgspec.Struct, frozen=True, kw_only=True):
    """``key`` is the teller's request, as in a call."""

    counter: int
    key: str


class EndedData(msgspec.Struct, frozen=True, kw_only=True):
    """``nonce`` arms the counter's pad for this visit; 0 when no rating is asked for.
    ``service_ms`` is this counter's part, ``visit_ms`` that of every counter of the visit.
    """

    counter: int
    key: str
    service_ms: int
    nonce: int
    visit_ms: int = 0


class ParkedData(msgspec.Struct, frozen=True, kw_only=True):
    """``for_ms``: back in the line by itself after so long, 0: when somebody says so. ``note`` is
    for the tellers, never a name. ``service_ms`` is what the counter has done so far. ``counter``
    0: the lobby, for a ticket that waits.
    """

    counter: int
    key: str
    for_ms: int = 0
    note: str = ""
    service_ms: int = 0


class UnparkedData(msgspec.Struct, frozen=True, kw_only=True):
    """``counter`` that took it back, 0: the time was over (``reason`` due) or the lobby did. It
    waits for ``to_counter`` for ``hold_ms``, then for anyone; 0: for anyone.
    """

    counter: int
    key: str
    reason: str = ""
    to_counter: int = 0
    hold_ms: int = 0


class TransferredData(msgspec.Struct, frozen=True, kw_only=True):
    """From ``counter`` to the line of ``service``, with the wait of its issue. ``to_counter``: for
    this counter only for ``hold_ms``, then for anyone; 0: for anyone. ``back``: it returns to
    ``counter`` after that. ``reason``: transfer, or next_service (the visit's own next one).
    """

    counter: int
    key: str
    service: str
    to_counter: int = 0
    hold_ms: int = 0
    back: bool = False
    note: str = ""
    service_ms: int = 0
    reason: str = "transfer"


class ReturnedData(msgspec.Struct, frozen=True, kw_only=True):
    """Back from ``counter`` to the visit's first counter, ``to_counter``, and to its ``service``
    there; for ``hold_ms``, then for anyone.
    """

    counter: int
    key: str
    service: str
    to_counter: int
    hold_ms: int = 0
    note: str = ""
    service_ms: int = 0


class RejoinedData(msgspec.Struct, frozen=True, kw_only=True):
    """The missed customer is here after all: in the old place, ``penalty_ms`` of wait less."""

    counter: int
    key: str
    penalty_ms: int = 0


class TaggedData(msgspec.Struct, frozen=True, kw_only=True):
    """The waiting ticket is of ``segment`` from now on. ``appointment_ms``: its code is known now,
    and this is its slot (Unix ms); 0: the slot stays as it is.
    """

    counter: int
    key: str
    segment: str
    appointment_ms: int = 0


class OpenedData(msgspec.Struct, frozen=True, kw_only=True):
    """``teller`` is an opaque id, "" where tellers do not sign in."""

    counter: int
    key: str
    teller: str = ""


class NotOpenData(msgspec.Struct, frozen=True, kw_only=True):
    """Why the counter calls nobody; ``reason`` is for people."""

    counter: int
    key: str
    reason: str = ""


class AbandonedData(msgspec.Struct, frozen=True, kw_only=True):
    """``reason``: left (the holder went), day_end (the branch closed its day)."""

    wait_ms: int
    reason: str = "left"


class PadRef(msgspec.Struct, frozen=True, kw_only=True):
    """Where a press came from; (unique_id, boot_id, seq) makes a repeat harmless."""

    unique_id: str
    boot_id: int
    seq: int
    firmware: str = ""
    interpreter: str = ""


class RatingData(msgspec.Struct, frozen=True, kw_only=True):
    """``nonce`` is that of the service's end; ``delay_ms`` runs from there to the press."""

    counter: int
    score_1to5: int
    nonce: int
    delay_ms: int
    pad: PadRef


class UnsolicitedData(msgspec.Struct, frozen=True, kw_only=True):
    """A press that no visit had asked for."""

    counter: int
    score_1to5: int
    pad: PadRef
    reason: Literal["not_armed", "stale_nonce"] = "not_armed"


class DeviceData(msgspec.Struct, frozen=True, kw_only=True):
    """``detail`` says which fault, in the device's own words."""

    device: str
    kind: str
    state: str
    detail: str = ""


class TechnicianData(msgspec.Struct, frozen=True, kw_only=True):
    """``wrong``: codes that were refused since the last right one, or since the program began."""

    wrong: int


class ClockJumpedData(msgspec.Struct, frozen=True, kw_only=True):
    """The wall clock moved against CLOCK_BOOTTIME: ``before_ms`` is what it should have shown,
    ``after_ms`` what it showed (Unix ms).
    """

    before_ms: int
    after_ms: int


# --- events --------------------------------------------------------------------------------


class TicketIssued(Event, frozen=True, kw_only=True, tag="ticket.issued"):
    """A visitor was given a number; the event's ``id`` is the ticket's identity for good."""

    data: IssuedData


class TicketPrinted(Event, frozen=True, kw_only=True, tag="ticket.printed"):
    """The printer confirmed the slip."""

    data: PrintedData


class TicketPrintFailed(Event, frozen=True, kw_only=True, tag="ticket.print_failed"):
    """The slip did not come out, or nobody knows whether it did."""

    data: PrintFailedData


class TicketVoided(Event, frozen=True, kw_only=True, tag="ticket.voided"):
    """The ticket does not count: nobody holds its number."""

    data: VoidedData


class TicketCalled(Event, frozen=True, kw_only=True, tag="ticket.called"):
    """A counter called the ticket."""

    data: CalledData


class TicketRecalled(Event, frozen=True, kw_only=True, tag="ticket.recalled"):
    """The counter called the same ticket again."""

    data: AtCounterData


class TicketMissed(Event, frozen=True, kw_only=True, tag="ticket.missed"):
    """The ticket was called and nobody came."""

    data: AtCounterData


class TicketAbandoned(Event, frozen=True, kw_only=True, tag="ticket.abandoned"):
    """The ticket ended without a service."""

    data: AbandonedData


class TicketParked(Event, frozen=True, kw_only=True, tag="ticket.parked"):
    """The ticket was set aside: it is not called until it is taken back."""

    data: ParkedData


class TicketUnparked(Event, frozen=True, kw_only=True, tag="ticket.unparked"):
    """The parked ticket waits again, in its old place."""

    data: UnparkedData


class TicketTransferred(Event, frozen=True, kw_only=True, tag="ticket.transferred"):
    """The ticket waits for another service or counter; its wait clock goes on."""

    data: TransferredData


class TicketReturned(Event, frozen=True, kw_only=True, tag="ticket.returned"):
    """The ticket goes back to the visit's first counter."""

    data: ReturnedData


class TicketRejoined(Event, frozen=True, kw_only=True, tag="ticket.rejoined"):
    """The missed customer came back in time and waits again."""

    data: RejoinedData


class TicketTagged(Event, frozen=True, kw_only=True, tag="ticket.tagged"):
    """Staff recognised the customer: another segment."""

    data: TaggedData


class CounterOpened(Event, frozen=True, kw_only=True, tag="counter.opened"):
    """The counter calls customers, or another teller sat down at it."""

    data: OpenedData


class CounterPaused(Event, frozen=True, kw_only=True, tag="counter.paused"):
    """The counter calls nobody for a while; its customer is served to the end."""

    data: NotOpenData


class CounterClosed(Event, frozen=True, kw_only=True, tag="counter.closed"):
    """The counter calls nobody until it is opened."""

    data: NotOpenData


class ServiceStarted(Event, frozen=True, kw_only=True, tag="service.started"):
    """The ticket's holder is at the counter."""

    data: AtCounterData


class ServiceEnded(Event, frozen=True, kw_only=True, tag="service.ended"):
    """The visit is over; its rating may follow."""

    data: EndedData


class RatingSubmitted(Event, frozen=True, kw_only=True, tag="rating.submitted"):
    """A visitor pressed the counter's pad, once, for this visit."""

    data: RatingData


class RatingUnsolicited(Event, frozen=True, kw_only=True, tag="rating.unsolicited"):
    """A pad was pressed without a visit to rate; counted apart."""

    data: UnsolicitedData


class DeviceChanged(Event, frozen=True, kw_only=True, tag="device.changed"):
    """A device of the node changed its state."""

    data: DeviceData


class TechnicianEntered(Event, frozen=True, kw_only=True, tag="technician.entered"):
    """The technician's menu was opened by its code; whose hand it was nobody knows."""

    data: TechnicianData


class ClockJumped(Event, frozen=True, kw_only=True, tag="clock.jumped"):
    """The node's wall clock was set."""

    data: ClockJumpedData


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
    | ClockJumped
    | TechnicianEntered
    | TicketParked
    | TicketUnparked
    | TicketTransferred
    | TicketReturned
    | TicketRejoined
    | TicketTagged
    | CounterOpened
    | CounterPaused
    | CounterClosed
    | AlertRaised
    | AlertCleared
    | AlertReopened
    | AlertTaken
    | TicketReissued
    | FeedbackEvent
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
    | ClockJumpedData
    | TechnicianData
    | ParkedData
    | UnparkedData
    | TransferredData
    | ReturnedData
    | RejoinedData
    | TaggedData
    | OpenedData
    | NotOpenData
    | AlertData
    | ClearedData
    | OfAlertData
    | ReissuedData
    | FeedbackPayload
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
    origin: str = ""
    data: msgspec.Raw
