"""Service standards measured while serving: which are broken, and when the next one will be. Pure:
the queue and the time are arguments.

    standard      broken                                            from when on
    max wait      somebody waits longer than that                   issue (or slot) + served + max
    max service   a customer is at a counter longer than that       start of service + max
    max idle      an open counter is free, and somebody whom it     the later of both + max
                  may serve has been in line, both so long
    max line      more than that wait for the service               now

Each is a function of the queue as it stands and the time, so a restart finds the same ones. Only
the line has a memory: once broken, it is mended when a fifth less than the standard wait, so that
one customer more or less is not an alert each time.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from branch.queue import Counter, Engine, TicketPhase
from branch.standards_config import StandardsConfig
from sync.alerts import AlertData

MS_PER_MIN = 60_000
WAIT, SERVICE, IDLE, LINE = "wait", "service", "idle", "line"


@dataclass(frozen=True, slots=True)
class Standard:
    """One service's limits in ms and people; 0 for none."""

    max_wait_ms: int = 0
    max_service_ms: int = 0
    max_idle_ms: int = 0
    max_line: int = 0

    @property
    def mended_line(self) -> int:
        """With so many waiting, a line that was too long is not any more."""
        return self.max_line - max(1, self.max_line // 5)


def standards_of(config: StandardsConfig, letters: Collection[str]) -> dict[str, Standard]:
    """Each service's own limits over those of the branch."""
    found = {}
    for letter in letters:
        own = config.services.get(letter)

        def limit(name: str, own: object = own) -> float:
            mine: float | None = getattr(own, name, None)
            return getattr(config, name) if mine is None else mine

        found[letter] = Standard(
            max_wait_ms=round(limit("max_wait_min") * MS_PER_MIN),
            max_service_ms=round(limit("max_service_min") * MS_PER_MIN),
            max_idle_ms=round(limit("max_idle_min") * MS_PER_MIN),
            max_line=int(limit("max_line")),
        )
    return found


_NONE = Standard()


class Standards:
    """``standards`` by service; a service that is not there has none."""

    def __init__(self, standards: Mapping[str, Standard], engine: Engine) -> None:
        self._standards = standards
        self._engine = engine

    def of(self, service: str) -> Standard:
        """The limits of one service."""
        return self._standards.get(service, _NONE)

    def breaches(self, now_ms: int, known: Collection[str]) -> tuple[list[AlertData], int | None]:
        """What is broken now, and when (Unix ms) the next standard will be if nothing happens
        until then, None if none will. ``known`` are the breaches that have an alert.
        """
        broken = list(self._lines(now_ms, known))
        upcoming: int | None = None
        for one in (*self._waits(), *self._services(), *self._idle()):
            if one.since_ms <= now_ms:
                broken.append(one)
            elif upcoming is None or one.since_ms < upcoming:
                upcoming = one.since_ms
        return broken, upcoming

    def _waits(self) -> Iterator[AlertData]:
        for line in self._engine.lines.by_key.values():
            for ticket in line:
                limit_ms = self.of(ticket.service).max_wait_ms
                if limit_ms:
                    yield AlertData(
                        kind=WAIT,
                        breach=f"{WAIT}:{ticket.id}",
                        since_ms=self._engine.waiting_from_ms(ticket) + limit_ms,
                        service=ticket.service,
                        ticket=ticket.id,
                        number=ticket.number,
                        limit_ms=limit_ms,
                    )

    def _services(self) -> Iterator[AlertData]:
        for counter in self._engine.counters.values():
            ticket = counter.ticket
            if ticket is None or ticket.phase is not TicketPhase.SERVING:
                continue
            limit_ms = self.of(ticket.service).max_service_ms
            if limit_ms and ticket.started_at is not None:
                yield AlertData(
                    kind=SERVICE,
                    breach=f"{SERVICE}:{ticket.id}:{counter.number}",
                    since_ms=ticket.started_at + limit_ms,
                    service=ticket.service,
                    counter=counter.number,
                    ticket=ticket.id,
                    number=ticket.number,
                    limit_ms=limit_ms,
                )

    def _idle(self) -> Iterator[AlertData]:
        for counter in self._engine.counters.values():
            if not counter.idle:
                continue
            first = min(self._idle_for(counter), default=None)
            if first is not None:
                since_ms, service, limit_ms = first
                yield AlertData(
                    kind=IDLE,
                    breach=f"{IDLE}:{counter.number}",
                    since_ms=since_ms,
                    service=service,
                    counter=counter.number,
                    limit_ms=limit_ms,
                )

    def _idle_for(self, counter: Counter) -> Iterator[tuple[int, str, int]]:
        serves = self._engine.selection.services(counter)
        for (service, _, held_for), line in self._engine.lines.by_key.items():
            limit_ms = self.of(service).max_idle_ms
            if service not in serves or not limit_ms:
                continue
            for ticket in line:
                from_ms = max(counter.since, ticket.in_line_since)
                if held_for not in (0, counter.number) and self._staffed(held_for):
                    from_ms = max(from_ms, ticket.held_until)
                yield from_ms + limit_ms, service, limit_ms

    def _staffed(self, number: int) -> bool:
        held_by = self._engine.counters.get(number)
        return held_by is not None and held_by.staffed

    def _lines(self, now_ms: int, known: Collection[str]) -> Iterator[AlertData]:
        for service, standard in self._standards.items():
            if not standard.max_line:
                continue
            breach, people = f"{LINE}:{service}", self._engine.waiting([service])
            limit = standard.mended_line if breach in known else standard.max_line
            if people > limit:
                yield AlertData(
                    kind=LINE,
                    breach=breach,
                    since_ms=now_ms,
                    service=service,
                    limit_people=standard.max_line,
                    people=people,
                )
