"""What the lobby manager's page shows at one moment, and what it can ask for, as values. Pure."""

from dataclasses import dataclass
from typing import Annotated, Protocol

import msgspec

from sync.alerts import AlertData
from sync.counter_commands import Code, Letter, Number

AlertId = Annotated[str, msgspec.Meta(min_length=1, max_length=64, description="Of the alert")]


@dataclass(frozen=True, slots=True)
class AlertLine:
    """One alert; ``open`` is False when somebody has seen to it and what is wrong goes on.
    ``age_ms`` runs from the breach's beginning. ``by_hand``: a person's word closes it.
    """

    id: str
    about: AlertData
    age_ms: int
    open: bool
    taken: bool
    taken_by: str
    by_hand: bool
    clock: str


@dataclass(frozen=True, slots=True)
class HallTicket:
    """A ticket that waits, is parked, or is called; ``over``: longer than the standard."""

    id: str
    number: str
    service: str
    segment: str
    phase: str
    waited_ms: int
    over: bool
    reissued: int


@dataclass(frozen=True, slots=True)
class HallCounter:
    """A counter: ``window`` is open, paused, elastic or closed; ``number`` the ticket at it."""

    counter: int
    window: str
    number: str
    since_ms: int
    services: str


@dataclass(frozen=True, slots=True)
class HallService:
    """A service's line; ``longest_ms`` is the longest wait of those in it, 0 for none."""

    letter: str
    zh: str
    en: str
    waiting: int
    longest_ms: int
    limit_ms: int


@dataclass(frozen=True, slots=True)
class ComplaintLine:
    """A complaint without an answer; ``due_date`` is ISO, ``overdue``: that day is over."""

    id: str
    number: str
    topic: str
    due_date: str
    overdue: bool
    age_ms: int
    taken: bool
    owner: str


@dataclass(frozen=True, slots=True)
class AnsweredLine:
    """A complaint that has its answer; dates are ISO. ``outcome`` "": nobody said which."""

    id: str
    number: str
    topic: str
    due_date: str
    answered_date: str
    outcome: str
    by: str


@dataclass(frozen=True, slots=True)
class ComplaintList:
    """The complaints: those without an answer, first due first, and the last answered ones."""

    open: tuple[ComplaintLine, ...]
    answered: tuple[AnsweredLine, ...]


@dataclass(frozen=True, slots=True)
class HallView:
    """The hall now. ``revision`` rises with each change."""

    revision: int
    branch_zh: str
    branch_en: str
    clock: str
    alerts: tuple[AlertLine, ...]
    tickets: tuple[HallTicket, ...]
    counters: tuple[HallCounter, ...]
    services: tuple[HallService, ...]
    segments: tuple[str, ...]
    complaints: tuple[ComplaintLine, ...] = ()


@dataclass(frozen=True, slots=True)
class ShownTicket:
    """A number to show to the customer on the phone."""

    ticket: str
    number: str
    service: str
    ahead: int
    reissued: int


class HallRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Root of what the page asks for."""


class OfAlert(HallRequest, frozen=True, kw_only=True):
    """About one alert."""

    alert: AlertId


class OfComplaint(HallRequest, frozen=True, kw_only=True):
    """About one complaint."""

    complaint: AlertId


class Answer(HallRequest, frozen=True, kw_only=True):
    """How the complaint was answered; "": not said."""

    complaint: AlertId
    outcome: Annotated[str, msgspec.Meta(max_length=16)] = ""


class OfCounter(HallRequest, frozen=True, kw_only=True):
    """About one counter."""

    counter: int


class Tag(HallRequest, frozen=True, kw_only=True):
    """The waiting ticket is of this segment; tagging it back is the undo."""

    number: Number
    segment: Code


class Issue(HallRequest, frozen=True, kw_only=True):
    """A ticket for somebody who does not use the kiosk."""

    service: Letter
    segment: Code = "ordinary"


class Reissue(HallRequest, frozen=True, kw_only=True):
    """The same number again for somebody who lost the slip."""

    number: Number


class HallDesk(Protocol):
    """What the lobby manager's page needs of the branch server. Every command is idempotent by
    ``key``; ``by`` is the opaque id of who asks, "" where nobody signs in. Raises CommandRefused,
    NotStored.
    """

    def view(self) -> HallView:
        """The hall now."""

    def settle(self, alert: str, key: str, by: str) -> None:
        """Recovered, or answered: somebody saw to it (unknown_alert, not_by_hand)."""

    def reopen(self, alert: str, key: str, by: str) -> None:
        """Take that back (unknown_alert)."""

    def take_complaint(self, complaint: str, key: str, by: str) -> None:
        """I see to it (unknown_complaint, answered)."""

    def complaint_list(self) -> ComplaintList:
        """The open complaints and the last answered ones."""

    def answer_complaint(self, complaint: str, key: str, by: str, outcome: str = "") -> None:
        """It is answered (unknown_complaint, unknown_outcome)."""

    def reopen_complaint(self, complaint: str, key: str, by: str) -> None:
        """The answer is taken back (unknown_complaint)."""

    def take(self, alert: str, key: str, by: str) -> None:
        """I will go (unknown_alert)."""

    def open_counter(self, counter: int, key: str, by: str) -> None:
        """Open it, elastic or not (paused). Raises KeyError for no counter."""

    def close_counter(self, counter: int, key: str, by: str) -> None:
        """Close it (busy). Raises KeyError for no counter."""

    def tag(self, number: str, segment: str, key: str) -> None:
        """Give a waiting ticket a segment (unknown_ticket, wrong_phase, unknown_segment)."""

    def issue(self, service: str, segment: str, key: str, by: str) -> ShownTicket:
        """A ticket of the server's own band (unknown_service, unknown_segment, no_number)."""

    def reissue(self, number: str, key: str, by: str) -> ShownTicket:
        """Show the number again (unknown_ticket, wrong_phase)."""
