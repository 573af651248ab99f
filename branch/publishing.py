"""The server's word to everybody: that it is there, and what the displays show."""

import asyncio
import contextlib
from collections.abc import Callable

import structlog

from branch.caller_displays import CallerDisplays
from branch.displays import Displays
from branch.store import Store
from sync.messages import State, encode
from sync.topics import SRV_STATE
from sync.transport import Transport

PUBLISH_EVERY_S = 30.0
"""Displays are published again at this pace: their messages expire after 90 s."""
SETTLE_S = 0.05
"""The first change of a burst is published at once, those after it together."""

log = structlog.get_logger()


class Publishing:
    """``start`` tells this start of the server from others; ``look`` is called before each
    round.
    """

    def __init__(
        self,
        node: str,
        store: Store,
        transport: Transport,
        displays: Displays,
        callers: CallerDisplays,
        *,
        version: str,
        start: int,
        look: Callable[[], None],
    ) -> None:
        self._node = node
        self._store = store
        self._transport = transport
        self._displays = displays
        self._callers = callers
        self._version = version
        self._start_number = start
        self._look = look
        self._dirty = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to publish."""
        self._task = asyncio.create_task(self._keep_publishing())

    async def stop(self) -> None:
        """Publish nothing more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._callers.stop()

    def changed(self) -> None:
        """Something that is shown has changed."""
        self._dirty.set()

    def connected(self) -> None:
        """The channel is up: say that we are there, and all there is to show."""
        self.announce("online")
        self._dirty.set()

    def announce(self, status: str) -> None:
        """Say how the server is."""
        state = State(
            node=self._node,
            status=status,  # type: ignore[arg-type]
            connect=self._start_number,
            version=self._version,
            server_gen=self._store.server_gen,
        )
        self._transport.publish(SRV_STATE, SRV_STATE.of(), encode(state))

    async def _keep_publishing(self) -> None:
        loop = asyncio.get_running_loop()
        announced_s = loop.time()
        while True:
            self._dirty.clear()
            try:
                self._look()
                if self._transport.connected:
                    if loop.time() - announced_s >= PUBLISH_EVERY_S:
                        announced_s = loop.time()
                        self.announce("online")  # a device that missed our start learns of it
                    for topic, name, payload in self._displays.messages():
                        self._transport.publish(topic, name, payload)
                    self._callers.tell()
            except Exception:
                # The next change is another try; a dead task would leave the boards stale.
                log.exception("displays.not_published")
            await asyncio.sleep(SETTLE_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PUBLISH_EVERY_S):
                    await self._dirty.wait()
