"""kiosk.toml: read, checked, frozen. One clear message with the file and the key for whatever is
wrong.
"""

from pathlib import Path

import msgspec

from hal.link import parse_address
from kiosk.view import LANGUAGES
from sync.settings import SettingsError, load
from sync.topics import NODE_PATTERN


class BranchName(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The branch's name as the header and the slip show it."""

    zh: str
    en: str
    complaints_phone: str = ""
    public_url: str = ""
    """Base address that a customer's phone can reach; empty: no QR code is shown or printed."""


class ScreenConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The touch screen. ``pixel_pitch_mm`` is the width of one pixel: every size is computed from
    it.
    """

    width: int = 1080
    height: int = 1920
    pixel_pitch_mm: float = 0.2479
    fullscreen: bool = True
    language: str = "zh_CN"


class BrokerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where mosquitto listens."""

    host: str = "127.0.0.1"
    port: int = 1883


class ServiceConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One service; ``letter`` starts its numbers. ``priority`` marks the "a person, please"
    button.
    """

    letter: str
    zh: str
    en: str
    examples_zh: str = ""
    examples_en: str = ""
    priority: bool = False


class PrinterConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The slip printer: a backend of the hardware registry and its address."""

    address: str
    backend: str = "escpos"


class PadConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One rating pad and the counter on which it stands."""

    counter: int
    address: str
    backend: str = "serial"


class BenchConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The screen description for tests and simulated people; refused in production."""

    socket: str


class KioskConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything of kiosk.toml. Paths in the file are relative to its folder; ``read`` makes them
    absolute.
    """

    node: str
    production: bool
    branch: BranchName
    services: list[ServiceConfig]
    printer: PrinterConfig
    data_dir: str = "data"
    band: int = 1
    show_band: bool = False
    screen: ScreenConfig = ScreenConfig()
    broker: BrokerConfig = BrokerConfig()
    pads: list[PadConfig] = []
    ticket_screen_s: float = 15.0
    bench: BenchConfig | None = None


def read(path: Path) -> KioskConfig:
    """Read and check kiosk.toml. Raises SettingsError: one sentence with file, key and what to
    do.
    """
    config = load(path, KioskConfig)
    _check(config, path)
    folder = path.resolve().parent
    bench = config.bench and BenchConfig(socket=str(folder / config.bench.socket))
    return msgspec.structs.replace(config, data_dir=str(folder / config.data_dir), bench=bench)


def _check(config: KioskConfig, path: Path) -> None:
    def refuse(key: str, problem: str) -> None:
        raise SettingsError(f"{path}: {key}: {problem}")

    if not NODE_PATTERN.match(config.node):
        refuse("node", f"{config.node!r}; expected a-z, 0-9 and '-', at most 32, like kiosk-1")
    if not 1 <= config.band <= 9:
        refuse("band", f"{config.band}; expected 1 to 9 (0 is the server's own)")
    if config.screen.language not in LANGUAGES:
        refuse("screen.language", f"{config.screen.language!r}; expected {' or '.join(LANGUAGES)}")
    if config.screen.width < 480 or config.screen.height < 480:
        refuse("screen", f"{config.screen.width}x{config.screen.height}; too small for a kiosk")
    if not 0.02 <= config.screen.pixel_pitch_mm <= 2:
        refuse("screen.pixel_pitch_mm", f"{config.screen.pixel_pitch_mm}; expected 0.02 to 2 mm")
    if not config.services:
        refuse("services", "none; a kiosk without a service has nothing to offer")
    letters = [service.letter for service in config.services]
    for index, letter in enumerate(letters):
        if len(letter) != 1 or not "A" <= letter <= "Z":
            refuse(f"services[{index}].letter", f"{letter!r}; expected one of A to Z")
        if letters.index(letter) != index:
            refuse(f"services[{index}].letter", f"{letter!r} is taken by another service")
    if sum(not service.priority for service in config.services) > 4:
        refuse("services", "more than four ordinary ones; the home screen has four tiles")
    if sum(service.priority for service in config.services) > 1:
        refuse("services", "more than one with priority; the home screen has one such button")
    counters = [pad.counter for pad in config.pads]
    for index, pad in enumerate(config.pads):
        if counters.index(pad.counter) != index:
            refuse(f"pads[{index}].counter", f"{pad.counter} has a pad already")
    addresses = {f"pads[{i}].address": pad.address for i, pad in enumerate(config.pads)}
    for key, address in {"printer.address": config.printer.address, **addresses}.items():
        try:
            parse_address(address)
        except ValueError as error:
            refuse(key, str(error))
    if config.production and config.bench is not None:
        refuse("bench", "not allowed while production = true: it lets a program tap the screen")
