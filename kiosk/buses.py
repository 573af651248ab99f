"""The buses of kiosk.toml, and the link to each pad: on a bus or on a line of its own."""

from collections.abc import Callable

import structlog

from hal.api import ByteLink, HealthState, PadBus
from hal.link import link_to, parse_address
from hal.registry import backend
from kiosk.config import KioskConfig, PadConfig
from kiosk.places import BUS

log = structlog.get_logger()

Trouble = Callable[[], tuple[HealthState, str] | None]


class Buses:
    """Every bus that a pad of the configuration stands on (not opened), named bus-1, bus-2 ... in
    the order of the file.
    """

    def __init__(self, config: KioskConfig) -> None:
        self._by_port: dict[str, PadBus] = {}
        self.by_name: dict[str, PadBus] = {}
        for pad in config.pads:
            address = parse_address(pad.address)
            if address.scheme != BUS or address.target in self._by_port:
                continue
            name = f"bus-{len(self.by_name) + 1}"
            bus: PadBus = backend("pad_bus", BUS)(
                link_to(f"serial:{address.target}?baud={address.baud}"),
                name=name,
                baud=address.baud,
                note=lambda said, name=name: log.warning("bus.trouble", bus=name, said=said),
            )
            self._by_port[address.target] = self.by_name[name] = bus

    def link(self, pad: PadConfig) -> tuple[ByteLink, Trouble]:
        """The link to a pad, and what is known of its place. Raises ValueError, UnknownBackend."""
        address = parse_address(pad.address)
        if address.scheme != BUS:
            return link_to(pad.address), _no_trouble
        bus = self._by_port[address.target]
        station = address.station
        return bus.seat(station, pad.unique_id), lambda: bus.trouble(station)


def _no_trouble() -> tuple[HealthState, str] | None:
    return None
