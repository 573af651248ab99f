"""Alerts of the hall: their events in the branch's ledger, and the message of the topic. Pure.

An alert is raised once and cleared once; its identity is the id of the event that raised it. Only
a person's own word (recovered, answered) can be taken back: then it is open again.
"""

from typing import Literal

import msgspec

from sync.envelope import VERSION, Event

# --- payloads of the ledger ------------------------------------------------------------------


class AlertData(msgspec.Struct, frozen=True, kw_only=True):
    """``kind``: wait, service, idle, line (a standard is broken), unhappy (a low rating), help (a
    person was asked for), vip (one is in line), no_slip (a number without its paper), device
    (``detail`` says which fault). ``breach`` names what is wrong: the same while it
    lasts. ``since_ms``: from when on it was (Unix ms). ``limit_ms`` and ``limit_people`` are the
    standard, 0 where it has no such one.
    """

    kind: str
    breach: str
    since_ms: int
    service: str = ""
    counter: int = 0
    ticket: str = ""
    number: str = ""
    node: str = ""
    device: str = ""
    detail: str = ""
    limit_ms: int = 0
    limit_people: int = 0
    people: int = 0
    score_1to5: int = 0


class OfAlertData(msgspec.Struct, frozen=True, kw_only=True):
    """``alert`` is the id of the event that raised it; ``key`` is the request, ``by`` the opaque
    id of who made it, "" where nobody signs in.
    """

    alert: str
    breach: str
    key: str = ""
    by: str = ""


class ClearedData(OfAlertData, frozen=True, kw_only=True):
    """``reason``: ended (it is over by itself), recovered or answered (somebody of the staff saw
    to it), day_end. ``lasted_ms`` runs from the breach's own beginning.
    """

    reason: str
    lasted_ms: int


class ReissuedData(msgspec.Struct, frozen=True, kw_only=True):
    """Who lost the slip was shown the same number again. ``times`` counts from 1."""

    key: str
    times: int
    by: str = ""


# --- events ----------------------------------------------------------------------------------


class AlertRaised(Event, frozen=True, kw_only=True, tag="alert.raised"):
    """Something in the hall needs somebody; the event's ``id`` is the alert's."""

    data: AlertData


class AlertCleared(Event, frozen=True, kw_only=True, tag="alert.cleared"):
    """The alert is over."""

    data: ClearedData


class AlertReopened(Event, frozen=True, kw_only=True, tag="alert.reopened"):
    """A person's word that cleared the alert was taken back."""

    data: OfAlertData


class AlertTaken(Event, frozen=True, kw_only=True, tag="alert.taken"):
    """Somebody is on the way."""

    data: OfAlertData


class TicketReissued(Event, frozen=True, kw_only=True, tag="ticket.reissued"):
    """The number was shown again to a customer without a slip."""

    data: ReissuedData


# --- the topic -------------------------------------------------------------------------------


class Alert(msgspec.Struct, frozen=True, kw_only=True, tag="alert", tag_field="type"):
    """What became of one alert. ``id`` is this word's own: a repeat has the same; ``alert`` is
    the alert's. ``reason`` says why it was cleared. The other fields are those of the event
    alert.raised.
    """

    v: int = VERSION
    id: str
    alert: str
    state: Literal["raised", "cleared", "reopened"]
    ts: int
    kind: str
    breach: str
    since_ms: int
    service: str = ""
    counter: int = 0
    ticket: str = ""
    number: str = ""
    node: str = ""
    device: str = ""
    detail: str = ""
    limit_ms: int = 0
    limit_people: int = 0
    people: int = 0
    score_1to5: int = 0
    reason: str = ""
