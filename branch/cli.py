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

from branch.access.accounts import Accounts
from branch.alert_spool import AlertSpool
from branch.announcer import Announcer, build_speaker
from branch.config import BranchConfig, read
from branch.configuration import Wanted, read_wanted
from branch.database import cause
from branch.errors import BranchError, StoreUnusable
from branch.relay import Relay
from branch.service import BranchService
from branch.store import Store
from branch.web.app import create_app
from branch.web.server import bind, serve
from branch.web.sign_in import SignIn
from branch.webhook import Webhook, read_secret
from hal.errors import UnknownBackend
from sync.clock import system_clock
from sync.errors import SyncError
from sync.journal import Journal
from sync.logs import configure_logging
from sync.messages import State, encode
from sync.mqtt import MqttTransport, Will
from sync.settings import SettingsError
from sync.topics import HQ_FEED, SRV_STATE, STATE

log = structlog.get_logger()


async def run(config_path: Path, version: str) -> None:
    """Serve until SIGINT or SIGTERM. Raises SettingsError, StoreUnusable, CannotListen."""
    config = read(config_path)
    wanted = read_wanted(config.updates, str(config_path), config.services)
    http = config.http
    listener = bind(http.host, http.port, allow_other=http.port_search)
    port = listener.getsockname()[1]
    # Each part is closed whatever happens to those after it.
    async with contextlib.AsyncExitStack() as open_parts:
        open_parts.callback(listener.close)
        store = Store(config.database)
        open_parts.callback(store.close)
        sign_in = build_sign_in(config, config_path, open_parts)
        relay = build_relay(config, store, version, open_parts)
        service = build_service(config, store, version, relay, wanted)
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        if relay is not None:
            service.head_office = relay.health
            open_parts.push_async_callback(relay.close)
        open_parts.push_async_callback(service.close)
        await announce(config, service, open_parts)
        await show_windows(config, service, open_parts)
        await call_webhook(config, service, store, open_parts)
        await service.open()
        if relay is not None:
            await relay.open()
        log.info("branch.ready", url=f"http://{http.host}:{port}/", database=store.name)
        _say_where(config, port)
        app = create_app(
            service,
            version=version,
            sign_in=sign_in,
            hall=service.hall,
            figures=service.day_book,
            tickets=service.tickets,
            complaints=service.hall.complaint_pages,
        )
        await serve(app, listener, stop=stop)


def build_sign_in(
    config: BranchConfig, config_path: Path, open_parts: contextlib.AsyncExitStack
) -> SignIn | None:
    """Who may do what, unless the configuration opens everything; its file is closed with
    ``open_parts``. Raises AccessUnusable.
    """
    if not config.access.enabled:
        log.warning("access.off", hint="whoever reaches the port may call, see and change all")
        return None
    accounts = Accounts(Path(config.access.accounts))
    open_parts.callback(accounts.close)
    if not accounts.all():
        print(
            "nobody can sign in yet; make the first account:"
            f" lobby branch account add NAME --role admin --config {config_path}",
            file=sys.stderr,
            flush=True,
        )
    return SignIn(accounts, config.access, system_clock())


async def announce(
    config: BranchConfig, service: BranchService, open_parts: contextlib.AsyncExitStack
) -> None:
    """Let the calls be said, if the configuration wants it. Raises SettingsError."""
    wanted = config.announcements
    if not wanted.enabled:
        return
    try:
        speaker = build_speaker(wanted)
    except (UnknownBackend, ValueError) as error:
        raise SettingsError(f"announcements: backend, address: {error}") from error
    announcer = Announcer(wanted, speaker, service.engine.tickets, system_clock())
    service.listeners.append(announcer.say)
    service.speaker, service.own_alerts = announcer.health, announcer.alerts
    open_parts.push_async_callback(announcer.close)
    await announcer.open()


async def show_windows(
    config: BranchConfig, service: BranchService, open_parts: contextlib.AsyncExitStack
) -> None:
    """Let the displays above the counters show the calls, where the configuration has any. Raises
    SettingsError.
    """
    if not config.windows.displays:
        return
    from branch.window_displays import WindowDisplays  # and with it whatever drives a line

    try:
        windows = WindowDisplays(config.windows, service.engine.counters, service.now_ms)
    except (UnknownBackend, ValueError) as error:
        raise SettingsError(f"windows: backend, displays: {error}") from error
    service.listeners.append(windows.told)
    others = service.own_alerts
    service.windows = windows.health
    service.own_alerts = lambda: [*others(), *windows.alerts()]
    open_parts.push_async_callback(windows.close)
    await windows.open()


async def call_webhook(
    config: BranchConfig,
    service: BranchService,
    store: Store,
    open_parts: contextlib.AsyncExitStack,
) -> None:
    """Post the alerts, if the configuration wants it. Raises SettingsError, SQLAlchemyError."""
    if config.webhook is None:
        return
    secret = read_secret(Path(config.webhook.secret_file))
    spool = AlertSpool(store, config.node, "webhook")
    webhook = Webhook(config.webhook, secret, spool, system_clock())
    service.listeners.append(webhook.note)
    service.webhook = webhook.health
    open_parts.push_async_callback(webhook.close)
    await webhook.open()


def build_relay(
    config: BranchConfig, store: Store, version: str, open_parts: contextlib.AsyncExitStack
) -> Relay | None:
    """What forwards the ledger to head office (not open), if the configuration names one; its
    journal is closed with ``open_parts``. Raises JournalUnusable.
    """
    if config.hq is None:
        return None
    journal = Journal(config.hq.journal, node=config.node, clock=system_clock())
    open_parts.callback(journal.close)
    lost = State(node=config.node, status="lost", connect=0, version=version)
    transport = MqttTransport(
        host=config.hq.host,
        port=config.hq.port,
        client_id=f"{config.node}-relay",
        will=Will(STATE, STATE.of(node=config.node, root=HQ_FEED), encode(lost)),
    )
    return Relay(store, journal, transport, version=version)


def build_service(
    config: BranchConfig,
    store: Store,
    version: str,
    relay: Relay | None = None,
    wanted: Wanted | None = None,
) -> BranchService:
    """The server on its MQTT channel, with its will (not open). Raises StoreUnusable."""
    clock = system_clock()
    start = clock.wall_ms()
    will = State(node=config.node, status="lost", connect=start, server_gen=store.server_gen)
    transport = MqttTransport(
        host=config.broker.host,
        port=config.broker.port,
        client_id=config.node,
        will=Will(SRV_STATE, SRV_STATE.of(), encode(will)),
    )
    try:
        return BranchService(
            config,
            store=store,
            transport=transport,
            clock=clock,
            version=version,
            start=start,
            on_commit=relay.committed if relay else lambda: None,
            wanted=wanted,
        )
    except SQLAlchemyError as error:
        raise StoreUnusable(f"{store.name}: the ledger cannot be read: {cause(error)}") from error


def _say_where(config: BranchConfig, port: int) -> None:
    host = config.http.host
    moved = "" if port == config.http.port else f" (port {config.http.port} was taken)"
    print(f"board    http://{host}:{port}/{moved}", flush=True)
    print(f"manager  http://{host}:{port}/hall", flush=True)
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
