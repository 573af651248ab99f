"""``lobby hq``: builds head office's ingest from its configuration and runs it until it is told to
stop.
"""

import asyncio
import contextlib
import signal
import sys
from pathlib import Path

import structlog
from litestar import Litestar, Response, get
from sqlalchemy.exc import SQLAlchemyError

from branch.database import cause
from branch.errors import BranchError
from branch.hq.config import read
from branch.hq.service import HqService
from branch.hq.store import HqStore
from branch.web.server import bind, serve
from sync.clock import system_clock
from sync.errors import SyncError
from sync.logs import configure_logging
from sync.messages import State, encode
from sync.mqtt import MqttTransport, Will
from sync.settings import SettingsError
from sync.topics import HQ_FEED, SRV_STATE

log = structlog.get_logger()


async def run(config_path: Path, version: str) -> None:
    """Serve until SIGINT or SIGTERM. Raises SettingsError, StoreUnusable, CannotListen."""
    config = read(config_path)
    http = config.http
    listener = bind(http.host, http.port, allow_other=http.port_search)
    port = listener.getsockname()[1]
    async with contextlib.AsyncExitStack() as open_parts:
        open_parts.callback(listener.close)
        store = HqStore(config.database)
        open_parts.callback(store.close)
        clock = system_clock()
        start = clock.wall_ms()
        will = State(node=config.node, status="lost", connect=start, server_gen=store.server_gen)
        transport = MqttTransport(
            host=config.broker.host,
            port=config.broker.port,
            client_id=config.node,
            will=Will(SRV_STATE, SRV_STATE.of(root=HQ_FEED), encode(will)),
        )
        service = HqService(
            config, store=store, transport=transport, clock=clock, version=version, start=start
        )
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        open_parts.push_async_callback(service.close)
        await service.open()
        log.info("hq.ready", url=f"http://{http.host}:{port}/healthz", database=store.name)
        print(f"health   http://{http.host}:{port}/healthz", flush=True)
        await serve(_app(service), listener, stop=stop)


def _app(service: HqService) -> Litestar:
    @get("/healthz", sync_to_thread=False)
    def healthz() -> Response[dict[str, object]]:
        """Whether head office takes events, and where each branch stands."""
        try:
            health = service.health()
        except SQLAlchemyError as error:
            return Response({"ok": False, "store": cause(error)}, status_code=503)
        return Response(health, status_code=200 if health["ok"] else 503)

    return Litestar([healthz], openapi_config=None)


def main(config_path: Path, version: str) -> int:
    """Run; returns the exit status: 0, or 2 with one sentence on standard error for what the
    operator can mend.
    """
    configure_logging()
    try:
        asyncio.run(run(config_path, version))
    except (SettingsError, SyncError, BranchError) as error:
        print(f"lobby hq: {error}", file=sys.stderr, flush=True)
        return 2
    return 0
