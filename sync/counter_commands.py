"""What a counter can be told to do: one value a command, over HTTP and over MQTT. Pure.

Unlike in other messages, a field that is not known is an error here: a misspelt one would make
another command of it.
"""

from typing import Annotated

import msgspec

Number = Annotated[str, msgspec.Meta(min_length=1, max_length=8, description="As on the slip")]
Note = Annotated[
    str, msgspec.Meta(max_length=80, description="For the next teller. Never a name or an account")
]
Letter = Annotated[str, msgspec.Meta(pattern="^[A-Z]$")]
Minutes = Annotated[float, msgspec.Meta(ge=0, le=480)]
Code = Annotated[str, msgspec.Meta(max_length=16)]


class Command(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True):
    """One command of a counter; its key makes a repeat harmless."""


class CallNext(Command, frozen=True, kw_only=True, tag="call-next"):
    """Call the next ticket."""


class Recall(Command, frozen=True, kw_only=True, tag="recall"):
    """Call the called ticket again."""


class Start(Command, frozen=True, kw_only=True, tag="start"):
    """The customer is at the window."""


class Miss(Command, frozen=True, kw_only=True, tag="miss"):
    """The called customer did not come."""


class Finish(Command, frozen=True, kw_only=True, tag="finish"):
    """The visit's next part, or its end and the rating."""


class Transfer(Command, frozen=True, kw_only=True, tag="transfer"):
    """The current ticket goes to the line of ``service``. ``counter``: to this one for a while,
    then to anyone. ``back``: it returns here after that.
    """

    service: Letter
    counter: int = 0
    back: bool = False
    note: Note = ""


class Park(Command, frozen=True, kw_only=True, tag="park"):
    """Set the current ticket aside: back by itself after ``minutes``, 0: when it is taken back."""

    minutes: Minutes = 0
    note: Note = ""


class Postpone(Command, frozen=True, kw_only=True, tag="postpone"):
    """A customer who waits wants to be called later: out of the line for ``minutes``, then back in
    the old place; 0: until the ticket is unparked.
    """

    number: Number
    minutes: Minutes = 10


class Unpark(Command, frozen=True, kw_only=True, tag="unpark"):
    """The parked ticket waits again, for this counter first."""

    number: Number


class CallTicket(Command, frozen=True, kw_only=True, tag="call-ticket"):
    """Call this waiting or parked ticket out of turn: ``reason`` is frail, urgent, agreed, mistake
    or manager.
    """

    number: Number
    reason: Code


class Rejoin(Command, frozen=True, kw_only=True, tag="rejoin"):
    """The customer of a missed ticket is here after all."""

    number: Number


class TagTicket(Command, frozen=True, kw_only=True, tag="tag"):
    """The waiting ticket is of another segment."""

    number: Number
    segment: Code


class ServeNow(Command, frozen=True, kw_only=True, tag="walk-in"):
    """Somebody without a ticket is at the window and is served now."""

    service: Letter
    segment: Code = "ordinary"


class OpenCounter(Command, frozen=True, kw_only=True, tag="open"):
    """The counter calls customers. ``teller`` is an opaque id."""

    teller: Code = ""


class PauseCounter(Command, frozen=True, kw_only=True, tag="pause"):
    """The counter calls nobody for a while."""

    reason: Note = ""


class CloseCounter(Command, frozen=True, kw_only=True, tag="close"):
    """The counter calls nobody until it is opened."""

    reason: Note = ""


DeskCommand = (
    Transfer
    | Park
    | Postpone
    | Unpark
    | CallTicket
    | Rejoin
    | TagTicket
    | ServeNow
    | OpenCounter
    | PauseCounter
    | CloseCounter
)
"""Those that carry something, or are about the counter itself."""
AnyCommand = CallNext | Recall | Start | Miss | Finish | DeskCommand
