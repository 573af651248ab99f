"""Numbers of band 0: the kiosk asks the server for one and waits a moment.

A number is asked for under a key, and the server gives one number a key. A key stays open until
its answer is there: what is lost on the way is asked for again by the next ticket of the service,
so it leaves no hole. An answer that comes too late for its ticket is kept for the next one.

A kept number is not used over a new welcome: the server may have been restored since and not know
of it. Its key is open again then, and the number in the answer is the one that counts. What is
kept or open when the program ends or the date changes is a hole that the server's table explains.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from kiosk.numbering import LAST_IN_BAND
from sync.messages import AskNumber, NumberGrant

BUDGET_S = 0.3
"""How long a ticket waits for the server's number before the kiosk gives its own."""
EXHAUSTED = "exhausted"
"""The server's reason when every number of the service is given on this date."""

log = structlog.get_logger()

_Place = tuple[str, str]  # business date, service


@dataclass(slots=True)
class _Key:
    """The key of a service's next number; ``number`` is 0 until the server has given it."""

    key: str
    floor: int
    number: int = 0


class Asker:
    """Asks for one number at a time. ``send`` publishes an ask, False when the server is not
    there; ``last`` gives the highest number of band 0 that was used on a date for a service.
    """

    def __init__(self, send: Callable[[AskNumber], bool], last: Callable[[str, str], int]) -> None:
        self._send = send
        self._last = last
        self._keys: dict[_Place, _Key] = {}
        self._exhausted: set[_Place] = set()
        self._answered = asyncio.Event()
        self.unexpected = 0
        """Answers that nothing waits for: repeated ones, or of another run of the program."""

    async def number(self, business_date: str, service: str, request: str) -> int:
        """A number for ``request``, within BUDGET_S; 0 when there is none."""
        place = (business_date, service)
        self._forget_others(business_date)
        if place in self._exhausted:
            return 0
        key = self._keys.get(place)
        if key is None:
            key = self._keys[place] = _Key(request, self._last(*place))
        if not key.number:
            ask = AskNumber(
                key=key.key, service=service, business_date=business_date, floor=key.floor
            )
            if not self._send(ask):
                return 0
            try:
                async with asyncio.timeout(BUDGET_S):
                    while self._keys.get(place) is key and not key.number:
                        self._answered.clear()
                        await self._answered.wait()
            except TimeoutError:
                log.info("numbers.late", service=service, key=key.key)
        return key.number

    def used(self, business_date: str, service: str) -> None:
        """The number that was got is on a ticket now."""
        self._keys.pop((business_date, service), None)

    def granted(self, grant: NumberGrant) -> None:
        """The server's answer, in time or late."""
        place = (grant.business_date, grant.service)
        key = self._keys.get(place)
        if key is None or key.key != grant.key or key.number:
            self.unexpected += 1
        elif key.floor < grant.number <= LAST_IN_BAND:
            key.number = grant.number
        else:
            log.warning(
                "numbers.refused", service=grant.service, number=grant.number, reason=grant.reason
            )
            del self._keys[place]
            if grant.reason == EXHAUSTED:
                self._exhausted.add(place)
        self._answered.set()

    def welcomed(self) -> None:
        """The server greeted us: it must confirm what it gave before, and may have room again."""
        for key in self._keys.values():
            key.number = 0
        self._exhausted.clear()

    def is_exhausted(self, business_date: str, service: str) -> bool:
        """Whether the server has no number left for the service on this date."""
        return (business_date, service) in self._exhausted

    def _forget_others(self, business_date: str) -> None:
        for places in (self._keys, self._exhausted):
            for place in [place for place in places if place[0] != business_date]:
                places.remove(place) if isinstance(places, set) else places.pop(place)
