"""kiosk.toml: read, checked, frozen. One clear message with the file and the key for whatever is
wrong.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import msgspec

from hal.link import parse_address
from hal.registry import BACKENDS
from kiosk.view import LANGUAGES
from sync.settings import BrokerConfig, SettingsError, load
from sync.topics import NODE_PATTERN

TICKET_SCREEN_S = (5.0, 120.0)
"""Long enough to read a number, short enough not to keep the next visitor waiting."""
MAX_URL = 200
"""With the ticket's reference it still fits a QR code that a phone reads from a slip."""

_Refuse = Callable[[str, str], NoReturn]


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
    spare_bands: list[int] = []
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
    def refuse(key: str, problem: str) -> NoReturn:
        raise SettingsError(f"{path}: {key}: {problem}")

    if not NODE_PATTERN.match(config.node):
        refuse(
            "node",
            f"{config.node!r}; expected a-z, 0-9 and '-', at most 32, like kiosk-1,"
            " not pub or srv",
        )
    if not 1 <= config.band <= 9:
        refuse("band", f"{config.band}; expected 1 to 9 (0 is the server's own)")
    bands = [config.band, *config.spare_bands]
    for index, band in enumerate(config.spare_bands):
        if not 1 <= band <= 9 or bands.index(band) != index + 1:
            refuse(f"spare_bands[{index}]", f"{band}; expected 1 to 9, each band once")
    shortest, longest = TICKET_SCREEN_S
    if not shortest <= config.ticket_screen_s <= longest:
        refuse(
            "ticket_screen_s",
            f"{config.ticket_screen_s:g}; expected {shortest:g} to {longest:g} seconds",
        )
    _check_text("broker.host", config.broker.host, refuse)
    if not 1 <= config.broker.port <= 65_535:
        refuse("broker.port", f"{config.broker.port}; expected 1 to 65535")
    if config.production and config.bench is not None:
        refuse("bench", "not allowed while production = true: it lets a program tap the screen")
    _check_screen(config.screen, refuse)
    _check_branch(config.branch, refuse)
    _check_services(config.services, refuse)
    _check_devices(config, refuse)


def _check_screen(screen: ScreenConfig, refuse: _Refuse) -> None:
    if screen.language not in LANGUAGES:
        refuse("screen.language", f"{screen.language!r}; expected {' or '.join(LANGUAGES)}")
    if screen.width < 480 or screen.height < 480:
        refuse("screen", f"{screen.width}x{screen.height}; too small for a kiosk")
    if not 0.02 <= screen.pixel_pitch_mm <= 2:
        refuse("screen.pixel_pitch_mm", f"{screen.pixel_pitch_mm}; expected 0.02 to 2 mm")


def _check_branch(branch: BranchName, refuse: _Refuse) -> None:
    _check_text("branch.zh", branch.zh, refuse)
    _check_text("branch.en", branch.en, refuse)
    if branch.complaints_phone:
        _check_text("branch.complaints_phone", branch.complaints_phone, refuse)
    url = branch.public_url
    if url:
        _check_text("branch.public_url", url, refuse)
        if not url.startswith(("http://", "https://")) or len(url) > MAX_URL or " " in url:
            refuse(
                "branch.public_url",
                f"{url!r}; expected http:// or https:// and at most {MAX_URL} characters in all",
            )


def _check_services(services: list[ServiceConfig], refuse: _Refuse) -> None:
    if not services:
        refuse("services", "none; a kiosk without a service has nothing to offer")
    letters = [service.letter for service in services]
    for index, service in enumerate(services):
        letter = service.letter
        if len(letter) != 1 or not "A" <= letter <= "Z":
            refuse(f"services[{index}].letter", f"{letter!r}; expected one of A to Z")
        if letters.index(letter) != index:
            refuse(f"services[{index}].letter", f"{letter!r} is taken by another service")
        _check_text(f"services[{index}].zh", service.zh, refuse)
        _check_text(f"services[{index}].en", service.en, refuse)
    if sum(not service.priority for service in services) > 4:
        refuse("services", "more than four ordinary ones; the home screen has four tiles")
    if sum(service.priority for service in services) > 1:
        refuse("services", "more than one with priority; the home screen has one such button")


def _check_devices(config: KioskConfig, refuse: _Refuse) -> None:
    counters = [pad.counter for pad in config.pads]
    for index, pad in enumerate(config.pads):
        if not 1 <= pad.counter <= 99:
            refuse(f"pads[{index}].counter", f"{pad.counter}; expected 1 to 99")
        if counters.index(pad.counter) != index:
            refuse(f"pads[{index}].counter", f"{pad.counter} has a pad already")
    devices: dict[str, tuple[str, PrinterConfig | PadConfig]] = {
        "printer": ("printer", config.printer),
        **{f"pads[{i}]": ("pad", pad) for i, pad in enumerate(config.pads)},
    }
    taken: dict[str, str] = {}
    for key, (kind, device) in devices.items():
        if device.backend not in BACKENDS[kind]:
            known = " or ".join(sorted(BACKENDS[kind]))
            refuse(f"{key}.backend", f"{device.backend!r}; expected {known}")
        try:
            address = parse_address(device.address)
        except ValueError as error:
            refuse(f"{key}.address", str(error))
        place = f"{address.target}:{address.port}"
        if place in taken:
            refuse(f"{key}.address", f"{device.address!r} is the address of {taken[place]} too")
        taken[place] = key


def _check_text(key: str, text: str, refuse: _Refuse) -> None:
    if not text.strip() or not text.isprintable():
        refuse(key, f"{text!r}; expected a text that can be shown and printed")
