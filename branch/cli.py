"""``lobby branch``: builds the branch server from its configuration and runs it until it is told
to stop.
"""

import asyncio
import contextlib
import signal
import sys
from pathlib import Path

import structlog
from sqlalchemy.exc import SQLAlchemyError

from branch.config import BranchConfig, read
from branch.errors import BranchError, StoreUnusable
from branch.service import BranchService
from branch.store import Store, cause
from branch.web.app import create_app
from branch.web.server import bind, serve
from sync.clock import system_clock
from sync.errors import SyncError
from sync.logs import configure_logging
from sync.messages import State, encode
from sync.mqtt import MqttTransport, Will
from sync.settings import SettingsError
from sync.topics import SRV_STATE

log = structlog.get_logger()


async def run(config_path: Path, version: str) -> None:
    """Serve until SIGINT or SIGTERM. Raises SettingsError, StoreUnusable, CannotListen."""
    config = read(config_path)
    http = config.http
    listener = bind(http.host, http.port, allow_other=http.port_search)
    port = listener.getsockname()[1]
    # Each part is closed whatever happens to those after it.
    async with contextlib.AsyncExitStack() as open_parts:
        open_parts.callback(listener.close)
        store = Store(config.database)
        open_parts.callback(store.close)
        service = _service(config, store, version)
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        open_parts.push_async_callback(service.close)
        await service.open()
        log.info("branch.ready", url=f"http://{http.host}:{port}/", database=store.name)
        _say_where(config, port)
        await serve(create_app(service, version=version), listener, stop=stop)


def _service(config: BranchConfig, store: Store, version: str) -> BranchService:
    will = State(node=config.node, status="lost", connect=0, server_gen=store.server_gen)
    transport = MqttTransport(
        host=config.broker.host,
        port=config.broker.port,
        client_id=config.node,
        will=Will(SRV_STATE, SRV_STATE.of(), encode(will)),
    )
    try:
        return BranchService(
            config, store=store, transport=transport, clock=system_clock(), version=version
        )
    except SQLAlchemyError as error:
        raise StoreUnusable(f"{store.name}: the ledger cannot be read: {cause(error)}") from error


def _say_where(config: BranchConfig, port: int) -> None:
    host = config.http.host
    moved = "" if port == config.http.port else f" (port {config.http.port} was taken)"
    print(f"board    http://{host}:{port}/{moved}", flush=True)
    for counter in config.counters:
        print(f"teller   http://{host}:{port}/counter/{counter.number}", flush=True)


def main(config_path: Path, version: str) -> int:
    """Run; returns the exit status: 0, or 2 with one sentence on standard error for what the
    operator can mend.
    """
    configure_logging()
    try:
        asyncio.run(run(config_path, version))
    except (SettingsError, SyncError, BranchError) as error:
        print(f"lobby branch: {error}", file=sys.stderr, flush=True)
        return 2
    return 0
