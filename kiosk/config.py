"""kiosk.toml: read, checked, frozen. One clear message with the file and the key for whatever is
wrong.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NoReturn

import msgspec

from hal.registry import BACKENDS
from kiosk.body_config import (
    BacklightConfig,
    PresenceConfig,
    TouchConfig,
    body_problems,
    touch_problems,
)
from kiosk.business_day import day_start
from kiosk.guide import VOLUMES
from kiosk.places import check_places
from kiosk.technician import is_hash
from kiosk.view import LANGUAGES
from sync.offer import (
    Content,
    Document,
    Opening,
    Service,
    content_problems,
    opening_problems,
    service_problems,
    text_problems,
)
from sync.settings import BrokerConfig, SettingsError, load
from sync.topics import NODE_PATTERN

TICKET_SCREEN_S = (5.0, 120.0)
"""Long enough to read a number, short enough not to keep the next visitor waiting."""
MAX_URL = 200
"""With the ticket's reference it still fits a QR code that a phone reads from a slip."""

UNIQUE_ID_PATTERN = re.compile(r"^(?:[0-9a-f]{2}){1,16}$")
HASH_PATTERN = re.compile(r"^[0-9a-f]{16}$")
VERSION_PATTERN = re.compile(r"^\d+\.\d+\.\d+$")

DocumentConfig = Document
ServiceConfig = Service

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
    it. ``ask_reason``: it stands where who has pressed a pad can see it.
    """

    width: int = 1080
    height: int = 1920
    pixel_pitch_mm: float = 0.2479
    fullscreen: bool = True
    language: str = "zh_CN"
    ask_reason: bool = True
    touch: TouchConfig = TouchConfig()


class PrinterConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The slip printer: a backend of the hardware registry, its address, and what it is: paper
    of 80 or 58 mm, with characters of its own (generic, tm-t88) or drawn dot by dot (raster).
    """

    address: str
    backend: str = "escpos"
    profile: str = "generic-80"


class CardReaderConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A card or QR reader: ``serial`` on a port of its own, ``hid`` at ``evdev:/dev/input/…``."""

    address: str
    backend: str = "serial"


class PadConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One pad and the counter on which it stands. Its key lies in ``data_dir/pads``.

    ``roles``: ``rating`` for the visitors' keys, ``caller`` for the teller's keys and digits. A
    counter has one pad for each, or one with both. ``address`` is a line of its own, or a bus and
    the pad's address on it (``rs485:/dev/NAME#5``).

    ``unique_id`` (hex) names the one pad that may stand there, empty: any whose key is there.
    ``allow_unkeyed`` takes a pad without a key; refused in production. A pad with a version below
    ``oldest_firmware``, or with a manifest's hash that is not one of ``firmware_hashes`` (16 hex
    digits; none: any), works, and is named in the health row. ``chip`` is what firmware has to be
    built for. ``restore`` puts firmware, configuration and a fresh key onto the pad of
    ``unique_id`` when it answers with an empty flash.
    """

    counter: int
    address: str
    backend: str = "serial"
    unique_id: str = ""
    allow_unkeyed: bool = False
    oldest_firmware: str = ""
    chip: str = "rp2"
    restore: bool = False
    firmware_hashes: list[str] = []
    roles: list[Literal["rating", "caller"]] = msgspec.field(default_factory=lambda: ["rating"])


class KeyCodesConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Linux key codes of each key of the audio guide; none: the usual ones."""

    previous: list[int] = []
    next: list[int] = []
    select: list[int] = []
    repeat: list[int] = []


class KeysConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The four tactile keys of the audio guide: ``keyboard`` at ``evdev:/dev/input/…``, ``pad``
    for a pad of ours in the role keys, or ``serial`` for a board that sends letters, each on a
    port of its own. ``codes`` are for a keyboard with other codes than usual; ``unique_id`` and
    ``allow_unkeyed`` for a pad, as in PadConfig.
    """

    address: str
    backend: str = "keyboard"
    codes: KeyCodesConfig = KeyCodesConfig()
    unique_id: str = ""
    allow_unkeyed: bool = False


class SpeakerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the audio guide speaks through: ``alsa:NAME`` or ``program:PATH``. ``volume`` is the
    step, 1 to 5, at which each visit begins; ``voices`` are espeak-ng's by language (zh, en).
    """

    address: str
    backend: str = "espeak"
    volume: int = 3
    voices: dict[str, str] = {}


class UpdatesConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose configuration and whose firmware is taken (files with public keys; without the latter
    no firmware), and the pace: ``at_once`` pads, each after nobody used it for ``quiet_s``.
    """

    config_key: str
    firmware_key: str = ""
    at_once: int = 1
    quiet_s: float = 60.0


class TechnicianConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The menu behind a code; ``code_hash`` is made by ``lobby provision technician-code``."""

    code_hash: str


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
    numbers: Literal["own", "server"] = "own"
    day_starts_at: str = "00:00"
    opening: Opening = Opening()
    content: Content = Content()
    screen: ScreenConfig = ScreenConfig()
    broker: BrokerConfig = BrokerConfig()
    pads: list[PadConfig] = []
    card_reader: CardReaderConfig | None = None
    presence: PresenceConfig | None = None
    backlight: BacklightConfig | None = None
    keys: KeysConfig | None = None
    speaker: SpeakerConfig | None = None
    updates: UpdatesConfig | None = None
    ticket_screen_s: float = 15.0
    technician: TechnicianConfig | None = None
    check_in: bool = True
    """Whether the first screen asks for codes: of appointments and of slips."""
    bench: BenchConfig | None = None


def read(path: Path) -> KioskConfig:
    """Read and check kiosk.toml. Raises SettingsError: one sentence with file, key and what to
    do.
    """
    config = load(path, KioskConfig)
    _check(config, path)
    folder = path.resolve().parent
    bench = config.bench and BenchConfig(socket=str(folder / config.bench.socket))
    updates = config.updates and msgspec.structs.replace(
        config.updates,
        config_key=str(folder / config.updates.config_key),
        firmware_key=config.updates.firmware_key and str(folder / config.updates.firmware_key),
    )
    return msgspec.structs.replace(
        config, data_dir=str(folder / config.data_dir), bench=bench, updates=updates
    )


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
    if config.numbers == "server" and not config.show_band:
        refuse("show_band", 'expected true with numbers = "server": A0042 and A1042 differ by it')
    try:
        day_start(config.day_starts_at)
    except ValueError as error:
        refuse("day_starts_at", str(error))
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
    if config.technician is not None and not is_hash(config.technician.code_hash):
        refuse(
            "technician.code_hash",
            "not a code's hash; `lobby provision technician-code` prints one",
        )
    _check_screen(config.screen, refuse)
    _check_branch(config.branch, refuse)
    for key, problem in (
        *service_problems(config.services),
        *opening_problems(config.opening),
        *content_problems(config.content),
    ):
        refuse(key, problem)
    _check_devices(config, refuse)
    _check_updates(config, refuse)
    for key, problem in body_problems(config.presence, config.backlight):
        refuse(key, problem)


def _check_updates(config: KioskConfig, refuse: _Refuse) -> None:
    updates = config.updates
    for index, pad in enumerate(config.pads):
        if pad.restore and not (pad.unique_id and updates and updates.firmware_key):
            refuse(
                f"pads[{index}].restore",
                "needs the pad's unique_id, and [updates] with firmware_key: nothing else says"
                " what belongs there",
            )
    if updates is None:
        return
    if not 1 <= updates.at_once <= 8:
        refuse("updates.at_once", f"{updates.at_once}; expected 1 to 8 pads")
    if not 0 <= updates.quiet_s <= 3600:
        refuse("updates.quiet_s", f"{updates.quiet_s:g}; expected 0 to 3600 seconds")


def _check_screen(screen: ScreenConfig, refuse: _Refuse) -> None:
    if screen.language not in LANGUAGES:
        refuse("screen.language", f"{screen.language!r}; expected {' or '.join(LANGUAGES)}")
    if screen.width < 480 or screen.height < 480:
        refuse("screen", f"{screen.width}x{screen.height}; too small for a kiosk")
    if not 0.02 <= screen.pixel_pitch_mm <= 2:
        refuse("screen.pixel_pitch_mm", f"{screen.pixel_pitch_mm}; expected 0.02 to 2 mm")
    for key, problem in touch_problems(screen.touch):
        refuse(key, problem)


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


def _check_devices(config: KioskConfig, refuse: _Refuse) -> None:
    roles: dict[tuple[int, str], int] = {}
    for index, pad in enumerate(config.pads):
        if not 1 <= pad.counter <= 99:
            refuse(f"pads[{index}].counter", f"{pad.counter}; expected 1 to 99")
        if not pad.roles:
            refuse(f"pads[{index}].roles", 'none; expected "rating", "caller" or both')
        for role in pad.roles:
            taken_by = roles.setdefault((pad.counter, role), index)
            if taken_by != index:
                refuse(
                    f"pads[{index}].roles",
                    f"counter {pad.counter} has a {role} pad already, pads[{taken_by}]",
                )
            if pad.roles.count(role) > 1:
                refuse(f"pads[{index}].roles", f"{role!r} is there twice")
        _check_trust(f"pads[{index}]", pad, config.production, refuse)
        if pad.oldest_firmware and not VERSION_PATTERN.match(pad.oldest_firmware):
            refuse(
                f"pads[{index}].oldest_firmware",
                f"{pad.oldest_firmware!r}; expected a version like 0.2.0",
            )
        for firmware_hash in pad.firmware_hashes:
            if not HASH_PATTERN.match(firmware_hash):
                refuse(
                    f"pads[{index}].firmware_hashes",
                    f"{firmware_hash!r}; expected 16 hex digits, as `lobby flash build` prints",
                )
    devices: dict[str, tuple[str, PrinterConfig | PadConfig | CardReaderConfig | KeysConfig]] = {
        "printer": ("printer", config.printer),
        **({"card_reader": ("card", config.card_reader)} if config.card_reader else {}),
        **({"keys": ("keypad", config.keys)} if config.keys else {}),
        **{f"pads[{i}]": ("pad", pad) for i, pad in enumerate(config.pads)},
    }
    for key, (kind, device) in devices.items():
        if device.backend not in BACKENDS[kind]:
            known = " or ".join(sorted(BACKENDS[kind]))
            refuse(f"{key}.backend", f"{device.backend!r}; expected {known}")
    profiles = BACKENDS["printer_profile"]
    if config.printer.profile not in profiles:
        refuse(
            "printer.profile",
            f"{config.printer.profile!r}; expected {' or '.join(sorted(profiles))}",
        )
    if config.speaker is not None:
        _check_speaker(config.speaker, refuse)
    if config.keys is not None:
        _check_keys(config.keys, config.production, refuse)
    check_places({key: device.address for key, (_, device) in devices.items()}, refuse)


def _check_trust(key: str, pad: PadConfig | KeysConfig, production: bool, refuse: _Refuse) -> None:
    if pad.unique_id and not UNIQUE_ID_PATTERN.match(pad.unique_id):
        refuse(
            f"{key}.unique_id", f"{pad.unique_id!r}; expected 1 to 16 bytes as hex, 0-9 and a-f"
        )
    if pad.allow_unkeyed and production:
        refuse(
            f"{key}.allow_unkeyed",
            "not allowed while production = true: anybody on the line could press its keys; give"
            " the pad a key with `lobby flash provision`",
        )


def _check_keys(keys: KeysConfig, production: bool, refuse: _Refuse) -> None:
    _check_trust("keys", keys, production, refuse)
    if keys.backend == "pad" and not keys.address.startswith(("serial:", "tcp:")):
        refuse("keys.address", f"{keys.address!r}; a pad of ours is at serial:/dev/NAME")
    for name, given in (("unique_id", keys.unique_id), ("allow_unkeyed", keys.allow_unkeyed)):
        if given and keys.backend != "pad":
            refuse(f"keys.{name}", 'only for a pad of ours; write backend = "pad" or remove it')


def _check_speaker(speaker: SpeakerConfig, refuse: _Refuse) -> None:
    if speaker.backend not in BACKENDS["speaker"]:
        known = " or ".join(sorted(BACKENDS["speaker"]))
        refuse("speaker.backend", f"{speaker.backend!r}; expected {known}")
    if not 1 <= speaker.volume <= len(VOLUMES):
        refuse("speaker.volume", f"{speaker.volume}; expected 1 to {len(VOLUMES)}")
    kind, _, name = speaker.address.partition(":")
    if kind not in ("alsa", "program") or not name:
        refuse("speaker.address", f"{speaker.address!r}; expected alsa:DEVICE or program:PATH")


def _check_text(key: str, text: str, refuse: _Refuse) -> None:
    for where, problem in text_problems(key, text):
        refuse(where, problem)
