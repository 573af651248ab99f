"""Rating pads as the server sees them: armed and disarmed through the kiosk that they are plugged
into.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import structlog

from branch.config import BranchConfig
from sync.clock import Clock
from sync.messages import ArmPad, Command, CommandResult, DisarmPad, encode
from sync.topics import CMD, RES
from sync.transport import Transport

ANSWER_S = 5.0
"""A kiosk answers a command within this time, or the pad is shown as lost."""

log = structlog.get_logger()


class PadState(StrEnum):
    """What a teller sees of the pad."""

    NONE = "none"
    READY = "ready"
    ARMED = "armed"
    RATED = "rated"
    LOST = "lost"


@dataclass(slots=True)
class _Pad:
    node: str
    state: PadState
    ticket: str = ""
    command: str = ""  # key of the last command: only its answer tells how the pad is
    window: asyncio.TimerHandle | None = None


class PadControl:
    """One row a counter. Commands are fire-and-wait: a kiosk that is away costs a rating, never a
    customer.
    """

    def __init__(
        self,
        config: BranchConfig,
        transport: Transport,
        clock: Clock,
        changed: Callable[[], None],
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._changed = changed
        self._window_ms = int(config.rating_window_s * 1000)
        self._pads = {
            c.number: _Pad(c.pad_node, PadState.READY if c.pad_node else PadState.NONE)
            for c in config.counters
        }
        self._pending: dict[str, tuple[int, asyncio.TimerHandle]] = {}

    async def stop(self) -> None:
        """Stop waiting for answers and windows."""
        for _, timer in self._pending.values():
            timer.cancel()
        for pad in self._pads.values():
            if pad.window is not None:
                pad.window.cancel()

    def node_of(self, counter: int) -> str:
        """The kiosk that the counter's pad is plugged into, "" without a pad."""
        return self._pads[counter].node

    def state(self, counter: int) -> str:
        """For the teller's page."""
        return self._pads[counter].state.value

    def arm(self, counter: int, ticket: str, nonce: int, key: str) -> None:
        """Ask for one press for ``ticket``."""
        pad = self._pads[counter]
        pad.ticket = ticket
        if pad.window is not None:
            pad.window.cancel()
        loop = asyncio.get_running_loop()
        pad.window = loop.call_later(self._window_ms / 1000, self._window_over, counter, ticket)
        command = ArmPad(
            key=f"arm:{counter}:{key}",
            counter=counter,
            ticket=ticket,
            nonce=nonce,
            window_ms=self._window_ms,
        )
        self._send(counter, command, PadState.ARMED)

    def disarm(self, counter: int, key: str) -> None:
        """End the window: the next customer was called."""
        pad = self._pads[counter]
        if pad.state is PadState.NONE or not pad.ticket:
            return
        pad.ticket = ""
        self._send(
            counter, DisarmPad(key=f"disarm:{counter}:{key}", counter=counter), PadState.READY
        )

    def rated(self, ticket: str) -> None:
        """The rating of ``ticket`` has arrived."""
        for counter, pad in self._pads.items():
            if pad.ticket == ticket:
                self._become(counter, PadState.RATED)

    def answered(self, result: CommandResult) -> None:
        """A kiosk answered a command."""
        counter, timer = self._pending.pop(result.key, (0, None))
        if timer is None:
            return
        timer.cancel()
        if not result.ok:
            log.warning("pad.command_failed", counter=counter, error=result.error)
            self._lose(counter, result.key)

    def node_changed(self, node: str, online: bool) -> None:
        """A kiosk has connected or is gone, and its pads with it."""
        for counter, pad in self._pads.items():
            if not pad.node or pad.node != node:
                continue
            if not online:
                self._become(counter, PadState.LOST)
            elif pad.state is PadState.LOST:
                self._become(counter, PadState.READY)

    def _send(self, counter: int, command: Command, expected: PadState) -> None:
        node = self._pads[counter].node
        self._pads[counter].command = command.key
        sent = self._transport.publish(
            CMD,
            CMD.of(node=node),
            encode(command),
            response_topic=RES.of(node=node),
            correlation=command.key.encode(),
        )
        if not sent:
            self._become(counter, PadState.LOST)
            return
        loop = asyncio.get_running_loop()
        timer = loop.call_later(ANSWER_S, self._silent, counter, command.key)
        self._forget(command.key)
        self._pending[command.key] = (counter, timer)
        self._become(counter, expected)

    def _silent(self, counter: int, key: str) -> None:
        del self._pending[key]
        log.warning("pad.command_unanswered", counter=counter, after_s=ANSWER_S)
        self._lose(counter, key)

    def _forget(self, key: str) -> None:
        _, timer = self._pending.pop(key, (0, None))
        if timer is not None:
            timer.cancel()

    def _lose(self, counter: int, key: str) -> None:
        if self._pads[counter].command == key:
            self._become(counter, PadState.LOST)

    def _window_over(self, counter: int, ticket: str) -> None:
        pad = self._pads[counter]
        if pad.ticket == ticket and pad.state is PadState.ARMED:
            self._become(counter, PadState.READY)

    def _become(self, counter: int, state: PadState) -> None:
        if self._pads[counter].state is not state:
            self._pads[counter].state = state
            self._changed()
