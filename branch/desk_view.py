"""What a teller may choose from at one moment, as values: tickets by where they are, services,
counters, segments. Pure.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NamedService:
    """A service of the branch; ``here``: this counter serves it."""

    letter: str
    zh: str
    en: str
    here: bool


@dataclass(frozen=True, slots=True)
class OtherCounter:
    """A counter that a customer may be sent to: the letters it serves, and its window state."""

    counter: int
    services: str
    window: str


@dataclass(frozen=True, slots=True)
class ListedTicket:
    """A ticket that is not at a counter. ``waited_min`` is whole minutes since its issue.

    ``minutes``: until a parked one comes back by itself (None: when it is taken back), since a
    missed one was given up. ``counter``: whose teller parked or missed it, 0 the lobby.
    """

    number: str
    service_zh: str
    service_en: str
    waited_min: int
    segment: str = ""
    note: str = ""
    counter: int = 0
    minutes: int | None = None
    here: bool = True  # this counter may serve it


@dataclass(frozen=True, slots=True)
class DeskView:
    """The choices of one counter's teller. ``waiting`` has those that the counter may call first,
    in the order of calling; ``parked`` and ``missed`` the counter's own first.
    """

    services: tuple[NamedService, ...] = ()
    counters: tuple[OtherCounter, ...] = ()  # without the teller's own
    segments: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()  # the branch's list: no other is taken
    waiting: tuple[ListedTicket, ...] = ()
    parked: tuple[ListedTicket, ...] = ()
    missed: tuple[ListedTicket, ...] = ()  # who may still come back
