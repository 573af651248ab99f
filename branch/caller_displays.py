"""What the tellers' digits show: told to the kiosk that has the pad, at each change."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from branch.queue import Engine
from sync.messages import encode
from sync.pad_messages import ShowPad
from sync.topics import CMD, RES
from sync.transport import Transport

PACE_S = 0.5
"""The least time between two messages to one counter: a busy hall changes many times a second."""
NO_STARS = 0
"""Nobody has stars yet."""


@dataclass(slots=True)
class _Told:
    """What a counter's kiosk was last told, and when (the loop's clock)."""

    shown: ShowPad | None = None
    at_s: float = -PACE_S


class CallerDisplays:
    """One row for each counter with a teller's pad. Nothing waits for the kiosk's answers: the
    next change is told anyway, and a kiosk that comes back is told everything.
    """

    def __init__(
        self, nodes: Mapping[int, str], engine: Engine, transport: Transport, start: int
    ) -> None:
        """``nodes`` are the kiosks by counter, ``start`` tells this start of the server from
        others.
        """
        self._nodes = nodes
        self._engine = engine
        self._transport = transport
        self._start = start
        self._count = 0
        self._told = {counter: _Told() for counter in nodes}
        self._timer: asyncio.TimerHandle | None = None

    def tell(self) -> None:
        """Tell what has changed; what is too early for its counter is told a little later."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        loop = asyncio.get_running_loop()
        rests_s = []
        for counter, told in self._told.items():
            shown = self._now(counter)
            if shown == told.shown:
                continue
            early_s = told.at_s + PACE_S - loop.time()
            if early_s > 0:
                rests_s.append(early_s)
            elif self._send(counter, shown):
                told.shown, told.at_s = shown, loop.time()
        if rests_s:
            self._timer = loop.call_later(min(rests_s), self.tell)

    def forgotten(self, node: str) -> None:
        """A kiosk has come: what it was told before it may not have."""
        mine = [counter for counter, its in self._nodes.items() if its == node]
        for counter in mine:
            self._told[counter].shown = None
        if mine and self._timer is None:
            # After whatever the kiosk is being told just now.
            self._timer = asyncio.get_running_loop().call_later(0, self.tell)

    def stop(self) -> None:
        """Tell nothing more."""
        if self._timer is not None:
            self._timer.cancel()

    def _now(self, counter: int) -> ShowPad:
        slot = self._engine.counters[counter]
        return ShowPad(
            key="",
            counter=counter,
            number=slot.ticket.number if slot.ticket else "",
            waiting=self._engine.waiting(slot.services),
            stars=NO_STARS,
            paused=slot.paused,
        )

    def _send(self, counter: int, shown: ShowPad) -> bool:
        node = self._nodes[counter]
        self._count += 1
        key = f"show:{counter}:{self._start}:{self._count}"
        command = ShowPad(
            key=key,
            counter=counter,
            number=shown.number,
            waiting=shown.waiting,
            stars=shown.stars,
            paused=shown.paused,
        )
        return self._transport.publish(
            CMD,
            CMD.of(node=node),
            encode(command),
            response_topic=RES.of(node=node),
            correlation=key.encode(),
        )
