"""What visitors say besides a rating: calls for help, reasons, suggestions, complaints. Pure.

Everything is a code out of a short list: a public screen takes no words of a visitor's own, so no
event here can hold a person's data. A reader keeps a code that it does not know.
"""

from datetime import date, timedelta

import msgspec

from sync.envelope import Event

REASONS = (
    "waiting", "windows", "attitude", "slow", "error", "fees", "environment", "other",
)  # fmt: skip
"""Why a visitor was not satisfied; what a complaint is about."""
SUGGESTIONS = (
    ("waits", "shorter"), ("counters", "more"), ("hours", "longer"), ("machines", "more"),
    ("words", "clearer"), ("seats", "more"), ("fees", "lower"), ("access", "easier"),
)  # fmt: skip
"""What could be better, and in which direction."""
OUTCOMES = ("corrected", "improved", "explained", "unfounded", "referred")
"""How a complaint was answered."""
ANSWER_DAYS = 15
"""By regulation a complaint is answered in so many days."""


# --- payloads ------------------------------------------------------------------------------


class AssistanceData(msgspec.Struct, frozen=True, kw_only=True):
    """``place`` is the screen that it was asked for on (home, feedback, reason, receipt …).
    ``request`` is the touch. ``counter``: about a rating at this one, 0: about none.
    """

    place: str
    request: str
    counter: int = 0


class ReasonData(msgspec.Struct, frozen=True, kw_only=True):
    """``channel``: kiosk or page (the slip's, on a phone). ``counter`` 0: not known."""

    reason: str
    channel: str
    request: str
    counter: int = 0


class SuggestionData(msgspec.Struct, frozen=True, kw_only=True):
    """``topic`` and ``direction`` as in SUGGESTIONS."""

    topic: str
    direction: str
    business_date: str
    request: str


class ComplaintData(msgspec.Struct, frozen=True, kw_only=True):
    """``number`` stands on the receipt; the answer is promised until ``due_date`` (ISO)."""

    number: str
    topic: str
    business_date: str
    due_date: str
    request: str


class OfComplaintData(msgspec.Struct, frozen=True, kw_only=True):
    """``complaint`` is the id of the event that opened it; ``key`` is the request, ``by`` the
    opaque id of who made it, "" where nobody signs in.
    """

    complaint: str
    number: str
    key: str
    by: str = ""


class AnswerData(msgspec.Struct, frozen=True, kw_only=True):
    """As OfComplaintData; ``outcome`` is one of OUTCOMES, "": nobody said which."""

    complaint: str
    number: str
    key: str
    by: str = ""
    outcome: str = ""


# --- events --------------------------------------------------------------------------------


class AssistanceRequested(Event, frozen=True, kw_only=True, tag="assistance.requested"):
    """Somebody at the kiosk asks for a person to come; ``sub`` is the ticket if it is known."""

    data: AssistanceData


class FeedbackGiven(Event, frozen=True, kw_only=True, tag="feedback.given"):
    """Why the visit of ticket ``sub`` was rated low; the first one of a ticket counts."""

    data: ReasonData


class SuggestionMade(Event, frozen=True, kw_only=True, tag="suggestion.made"):
    """A visitor says what could be better."""

    data: SuggestionData


class ComplaintOpened(Event, frozen=True, kw_only=True, tag="complaint.opened"):
    """A visitor complains; the event's ``id`` is the complaint's."""

    data: ComplaintData


class ComplaintTaken(Event, frozen=True, kw_only=True, tag="complaint.taken"):
    """Somebody of the staff owns the complaint from now on."""

    data: OfComplaintData


class ComplaintAnswered(Event, frozen=True, kw_only=True, tag="complaint.answered"):
    """The complaint is answered."""

    data: AnswerData


class ComplaintReopened(Event, frozen=True, kw_only=True, tag="complaint.reopened"):
    """The answer is taken back: the complaint waits for one again."""

    data: OfComplaintData


def due_date(business_date: str, days: int = ANSWER_DAYS) -> str:
    """The last day for the answer, both as ISO dates."""
    return (date.fromisoformat(business_date) + timedelta(days=days)).isoformat()


def complaint_number(event_id: str) -> str:
    """The number on the receipt, eight digits out of the random end of the event's id:
    ``4071-5523``. It needs no counter that kiosks would have to share.
    """
    digits = f"{int(event_id[-12:], 16) % 100_000_000:08}"
    return f"{digits[:4]}-{digits[4:]}"


FeedbackEvent = (
    AssistanceRequested
    | FeedbackGiven
    | SuggestionMade
    | ComplaintOpened
    | ComplaintTaken
    | ComplaintAnswered
    | ComplaintReopened
)
FeedbackPayload = (
    AssistanceData | ReasonData | SuggestionData | ComplaintData | OfComplaintData | AnswerData
)
