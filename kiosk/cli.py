"""``lobby kiosk``: builds the kiosk from its configuration and runs its window."""

import asyncio
import gc
import signal
import sys
from pathlib import Path
from typing import Any

import structlog

from hal.api import (
    CallerPad,
    CardReader,
    RatingPad,
    TicketPrinter,
)
from hal.body import Backlight, PresenceSensor
from hal.errors import HalError
from hal.link import link_to
from hal.registry import backend
from kiosk.buses import Buses
from kiosk.cards import salt_in
from kiosk.catalogue import Catalogue
from kiosk.config import KioskConfig, read
from kiosk.controller import KioskController
from kiosk.errors import KioskError
from kiosk.guiding import GuideKeeper, build_guide
from kiosk.heartbeat import STOPPING, heartbeat
from kiosk.pad_keys import FOLDER, PadKeys
from kiosk.supervisor import Supervisor
from kiosk.view import CONTROL_CHECK_IN, CONTROL_LISTEN
from sync.clock import Clock, system_clock
from sync.errors import SyncError
from sync.journal import Journal
from sync.logs import configure_logging
from sync.messages import State, encode
from sync.mqtt import MqttTransport, Will
from sync.settings import SettingsError
from sync.topics import STATE

RESTART_STATUS = 75
"""Of sysexits.h: temporary. Whoever started the kiosk is to start it again."""

log = structlog.get_logger()


async def run(config_path: Path, version: str) -> int:
    """Run until SIGTERM or until a technician asks for a restart; returns the exit status.
    Raises SettingsError, SyncError, HalError, KioskError.
    """
    config = read(config_path)
    clock = system_clock()
    data_dir = Path(config.data_dir)
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KioskError(
            f"{config_path}: data_dir: {data_dir} cannot be made ({error.strerror});"
            " give the kiosk a folder that it may write"
        ) from error
    journal = Journal(data_dir / "journal.db", node=config.node, clock=clock)
    buses = Buses(config)
    printer, pads, callers = build_devices(config, clock, buses)

    from kiosk.ui.touch_map import TouchMap
    from kiosk.ui.window import KioskWindow

    touch = config.screen.touch
    window: KioskWindow | None = None
    controller: KioskController | None = None
    keeper: GuideKeeper | None = None
    catalogue = Catalogue.load()

    status = 0

    def restart() -> None:
        nonlocal status
        status = RESTART_STATUS
        if window is not None:
            window.stop()

    def tapped(control: str, touch: str) -> None:
        if control == CONTROL_LISTEN and keeper is not None:
            keeper.listen()
        elif controller is not None:
            controller.tap(control, touch)

    def described(description: dict[str, Any]) -> None:
        if keeper is not None:
            keeper.described(description)

    served = {CONTROL_CHECK_IN} if config.check_in else set()
    if config.speaker is not None:
        served.add(CONTROL_LISTEN)
    window = KioskWindow(
        size=(config.screen.width, config.screen.height),
        pixel_pitch_mm=config.screen.pixel_pitch_mm,
        catalogue=catalogue,
        on_control=tapped,
        on_description=described,
        served=served,
        fullscreen=config.screen.fullscreen,
        title="Lobby",
        touch_map=TouchMap.of(
            touch.matrix, touch.rotation, invert_x=touch.invert_x, invert_y=touch.invert_y
        ),
        touch_device=touch.device,
    )
    presence, backlight = build_body(config)
    controller = KioskController(
        config,
        journal=journal,
        printer=printer,
        pads=pads,
        callers=callers,
        card_reader=build_card_reader(config),
        presence=presence,
        backlight=backlight,
        buses=buses.by_name,
        transport=transport_for(config),
        clock=clock,
        show=window.show,
        version=version,
        restart=restart,
    )
    keeper = build_guide(config, catalogue, window, controller)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, window.stop)
    running = asyncio.create_task(window.run())
    heart, notifier = heartbeat(window.frame, _keep_what_is_there)
    beating: asyncio.Task[None] | None = None
    bench = None
    try:
        await controller.start()
        await keeper.start()
        if config.bench is not None:
            from kiosk.ui.bench import start_bench

            bench = await start_bench(window, Path(config.bench.socket))
            log.warning("kiosk.bench_open", socket=config.bench.socket)
        beating = asyncio.create_task(heart.run())
        log.info("kiosk.ready", node=config.node, services=len(config.services))
        await running
    finally:
        running.cancel()  # only still running if the start failed
        if beating is not None:
            beating.cancel()
        notifier.say(STOPPING)
        notifier.close()
        if bench is not None:
            await bench.close()
        await keeper.stop()
        await controller.stop()
        journal.close()
        await asyncio.gather(running, return_exceptions=True)
    return status


def _keep_what_is_there() -> None:
    """After the first frame: what has come up by then stays, no collection need look at it."""
    gc.freeze()
    gc.enable()


def build_devices(
    config: KioskConfig, clock: Clock, buses: Buses | None = None
) -> tuple[TicketPrinter, dict[int, RatingPad], dict[int, CallerPad]]:
    """The printer, the visitors' pads and the tellers', by counter, as configured (not opened); a
    pad with both roles is in both. ``buses`` has the links of pads on a bus. Raises
    UnknownBackend.
    """
    buses = buses or Buses(config)
    printer: TicketPrinter = backend("printer", config.printer.backend)(
        link_to(config.printer.address),
        name="printer",
        profile=backend("printer_profile", config.printer.profile),
    )
    pads: dict[int, RatingPad] = {}
    callers: dict[int, CallerPad] = {}
    for pad in config.pads:
        link, trouble = buses.link(pad)
        device = backend("pad", pad.backend)(
            link,
            name=f"pad-{pad.counter}" if "rating" in pad.roles else f"caller-{pad.counter}",
            now_ms=clock.mono_ms,
            key_of=PadKeys(Path(config.data_dir) / FOLDER, pad.unique_id),
            allow_unkeyed=pad.allow_unkeyed,
            oldest_firmware=pad.oldest_firmware,
            firmware_hashes=frozenset(pad.firmware_hashes),
            trouble=trouble,
        )
        if "rating" in pad.roles:
            pads[pad.counter] = device
        if "caller" in pad.roles:
            callers[pad.counter] = device
    return printer, pads, callers


def build_card_reader(config: KioskConfig) -> CardReader | None:
    """The card reader as configured (not opened), if there is one. Raises KioskError."""
    wanted = config.card_reader
    if wanted is None:
        return None
    reader: CardReader = backend("card", wanted.backend)(
        link_to(wanted.address), name="card", salt=salt_in(Path(config.data_dir))
    )
    return reader


def build_body(config: KioskConfig) -> tuple[PresenceSensor | None, Backlight | None]:
    """The presence sensor and the light as configured (not opened), where there are any. Raises
    UnknownBackend.
    """
    presence: PresenceSensor | None = None
    backlight: Backlight | None = None
    if (sensor := config.presence) is not None:
        presence = backend("presence", sensor.backend)(
            sensor.pin, name="presence", hold_s=sensor.hold_s, active_high=sensor.active_high
        )
    if (lamp := config.backlight) is not None:
        backlight = backend("backlight", lamp.backend)(lamp.pin, name="backlight")
    return presence, backlight


def transport_for(config: KioskConfig) -> MqttTransport:
    """The kiosk's MQTT channel, with its will."""
    will = State(node=config.node, status="lost", connect=0)
    return MqttTransport(
        host=config.broker.host,
        port=config.broker.port,
        client_id=config.node,
        will=Will(STATE, STATE.of(node=config.node), encode(will)),
    )


def main(config_path: Path, version: str, *, supervised: bool = False) -> int:
    """Run; returns the exit status: 0, or 2 with one sentence on standard error for what the
    operator can mend. ``supervised``: in a child that is started anew when it ends or is frozen.
    """
    configure_logging()
    if supervised:
        command = (sys.executable, "-m", "kiosk", str(config_path))
        return asyncio.run(Supervisor(command).run())
    try:
        return asyncio.run(run(config_path, version))
    except (SettingsError, SyncError, HalError, KioskError) as error:
        print(f"lobby kiosk: {error}", file=sys.stderr, flush=True)
        return 2
