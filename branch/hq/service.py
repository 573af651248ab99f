"""The same ingest as at a branch, with branches for devices.

Each branch forwards its whole ledger (branch/relay.py) as an event stream of its own on
``hq/1/{branch}/…``.
"""

import asyncio

import structlog

from branch.hq.config import HqConfig
from branch.hq.store import HqStore
from branch.ingest import Ingest, Pace
from sync.clock import Clock
from sync.messages import State, encode
from sync.topics import HQ_FEED, SRV_STATE
from sync.transport import Transport

ANNOUNCE_EVERY_S = 30.0

log = structlog.get_logger()


class HqService:
    """Takes the branches' streams. ``start`` tells this start from others."""

    def __init__(
        self,
        config: HqConfig,
        *,
        store: HqStore,
        transport: Transport,
        clock: Clock,
        version: str,
        start: int,
    ) -> None:
        self._config = config
        self._store = store
        self._transport = transport
        self._version = version
        self._start_number = start
        self._announcing: asyncio.Task[None] | None = None
        self.ingest = Ingest(
            store,
            transport,
            clock,
            lambda _events, _rated: None,
            lambda _result: None,
            own_node=config.node,
            root=HQ_FEED,
            pace=Pace(config.sync.window, config.sync.rate_per_s),
        )
        transport.listen(
            on_up=lambda: self._announce("online"),
            on_down=lambda reason: log.warning("feed.down", reason=reason),
            on_messages=self.ingest.receive,
        )
        self.ingest.subscribe()

    async def open(self) -> None:
        """Join the feed."""
        await self._transport.start()
        self._announcing = asyncio.create_task(self._keep_announcing())

    async def close(self) -> None:
        """Leave the feed in good order."""
        if self._announcing is not None:
            self._announcing.cancel()
            await asyncio.gather(self._announcing, return_exceptions=True)
        self.ingest.close()
        if self._transport.connected:
            self._announce("stopped")
        await self._transport.stop()

    async def _keep_announcing(self) -> None:
        """A branch that missed our start learns of it."""
        while True:
            await asyncio.sleep(ANNOUNCE_EVERY_S)
            if self._transport.connected:
                self._announce("online")

    def health(self) -> dict[str, object]:
        """What ``/healthz`` tells. Raises SQLAlchemyError."""
        counters = self.ingest.counters
        return {
            "ok": not self._store.failure,
            "store": self._store.failure or "ok",
            "mqtt": "online" if self._transport.connected else "offline",
            "version": self._version,
            "events": counters.events,
            "duplicates": counters.duplicates,
            "quarantined": counters.quarantined,
            "bad_messages": counters.bad_messages,
            "failed_commits": counters.failed_commits,
            "branches": self._store.branches(),
        }

    def _announce(self, status: str) -> None:
        state = State(
            node=self._config.node,
            status=status,  # type: ignore[arg-type]
            connect=self._start_number,
            version=self._version,
            server_gen=self._store.server_gen,
        )
        self._transport.publish(SRV_STATE, SRV_STATE.of(root=HQ_FEED), encode(state))
