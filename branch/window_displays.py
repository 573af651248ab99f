"""The number displays above the counters: told of each call at once, of everything again from time
to time.

One task a line, the newest change first. A display that does not answer costs the others of its
line a try now and then; calls never wait for any of them.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from branch.queue import Counter, CounterState, TicketPhase
from branch.window_config import WindowsConfig
from hal.api import ByteLink, CounterDisplay, DisplayLine, HealthState
from hal.errors import HalError
from hal.link import link_to
from hal.registry import backend
from sync.messages import AnyEvent, UnknownEvent

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Shown:
    """What stands above a counter."""

    number: str
    blink: bool


@dataclass(slots=True)
class _Place:
    """One display: what it was told last (None: nothing that is known to be there), and when it is
    told again (the loop's clock).
    """

    counter: int
    display: CounterDisplay
    told: Shown | None = None
    due_s: float = 0.0
    trouble: str = ""
    changed: int = 0  # rises over all displays: the newest change is shown first


def shown_at(counter: Counter, now_ms: int, config: WindowsConfig) -> Shown:
    """What should stand above it now (Unix ms)."""
    ticket = counter.ticket
    if ticket is not None:
        fresh = now_ms - ticket.called_last_at < config.blink_s * 1000
        return Shown(ticket.number, fresh and ticket.phase is TicketPhase.CALLED)
    paused = counter.state is CounterState.PAUSED
    return Shown(config.paused_text if paused else "", blink=False)


class WindowDisplays:
    """``counters`` are the queue's, ``now_ms`` the branch's time (Unix ms); ``told`` belongs into
    the service's ``listeners``. ``link`` makes the link of an address.
    """

    def __init__(
        self,
        config: WindowsConfig,
        counters: Mapping[int, Counter],
        now_ms: Callable[[], int],
        *,
        link: Callable[[str], ByteLink] = link_to,
    ) -> None:
        """Raises UnknownBackend, ValueError for an address of no known kind."""
        self._config = config
        self._counters = counters
        self._now_ms = now_ms
        self._places: dict[DisplayLine, list[_Place]] = {}
        self._news: dict[DisplayLine, asyncio.Event] = {}
        self._changes = 0
        self._tasks: list[asyncio.Task[None]] = []
        make = backend("window_display", config.backend)
        lines: dict[str, DisplayLine] = {}
        for one in config.displays:
            line = lines.get(one.address)
            if line is None:
                line = lines[one.address] = make(link(one.address))
                self._places[line], self._news[line] = [], asyncio.Event()
            display = line.display(one.station, brightness=config.brightness)
            self._places[line].append(_Place(one.counter, display))

    async def open(self) -> None:
        """Begin to show; a display that is not there is an alert, not an error."""
        for line in self._places:
            self._tasks.append(asyncio.create_task(self._keep_showing(line), name="windows"))

    async def close(self) -> None:
        """Show nothing more: a number that stands there is nobody's call any longer."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for line, places in self._places.items():
            for place in places:
                if not place.trouble:
                    with contextlib.suppress(HalError):
                        await place.display.show("")
            await line.close()

    def told(self, event: AnyEvent | UnknownEvent) -> None:
        """An event that the queue has taken: the displays of its counters may change."""
        self._changes += 1
        for line, places in self._places.items():
            for place in places:
                if self._wanted(place) != place.told:
                    place.changed = self._changes
                    self._news[line].set()

    def health(self) -> dict[str, object]:
        """The rows of ``/healthz``, by counter."""
        return {
            str(place.counter): {
                "state": place.display.health.state.value,
                "detail": place.display.health.detail,
                **place.display.health.counters,
            }
            for place in self._all()
        }

    def alerts(self) -> list[str]:
        """``display_lost N`` for each counter whose display does not show what it should."""
        return [f"display_lost {place.counter}" for place in self._all() if place.trouble]

    def _all(self) -> list[_Place]:
        return sorted(
            (place for places in self._places.values() for place in places),
            key=lambda place: place.counter,
        )

    def _wanted(self, place: _Place) -> Shown:
        return shown_at(self._counters[place.counter], self._now_ms(), self._config)

    async def _keep_showing(self, line: DisplayLine) -> None:
        loop, news = asyncio.get_running_loop(), self._news[line]
        places = self._places[line]
        while True:
            news.clear()
            try:
                place = self._next(places, loop.time())
                if place is not None:
                    await self._show(place, loop)
                    continue
            except Exception:
                # One display's surprise must not darken the others of its line.
                log.exception("windows.broken")
                await asyncio.sleep(self._config.retry_s)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._wait_s(places, loop.time())):
                    await news.wait()

    def _next(self, places: list[_Place], now_s: float) -> _Place | None:
        """The display to tell now: one with news that is not known to be lost, the newest news
        first; else one whose time has come.
        """
        fresh = [p for p in places if not p.trouble and p.told != self._wanted(p)]
        if fresh:
            return max(fresh, key=lambda p: p.changed)
        due = [p for p in places if p.due_s <= now_s]
        return min(due, key=lambda p: p.due_s, default=None)

    def _wait_s(self, places: list[_Place], now_s: float) -> float:
        wait_s = min(place.due_s for place in places) - now_s
        now_ms = self._now_ms()
        for place in places:
            ticket = self._counters[place.counter].ticket
            if place.told and place.told.blink and ticket is not None:
                rest_ms = ticket.called_last_at + self._config.blink_s * 1000 - now_ms
                wait_s = min(wait_s, rest_ms / 1000 + 0.01)
        return max(0.0, wait_s)

    async def _show(self, place: _Place, loop: asyncio.AbstractEventLoop) -> None:
        wanted = self._wanted(place)
        try:
            await place.display.show(wanted.number, blink=wanted.blink)
        except HalError as error:
            detail = place.display.health.detail
            if detail != place.trouble:
                log.error("window.lost", counter=place.counter, detail=detail, error=str(error))
            place.told, place.trouble = None, detail or HealthState.LOST.value
            place.due_s = loop.time() + self._config.retry_s
            return
        if place.trouble:
            log.info("window.back", counter=place.counter, after=place.trouble)
        place.told, place.trouble = wanted, ""
        place.due_s = loop.time() + self._config.refresh_s
