"""branch.toml: read, checked, frozen."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from branch.access.config import AccessConfig, access_problems
from branch.announce_config import AnnouncementsConfig, announcement_problems
from branch.calling_config import (
    SEGMENTS as SEGMENTS,
    CounterConfig as CounterConfig,
    QueueConfig as QueueConfig,
    SegmentConfig as SegmentConfig,
    ServiceConfig as ServiceConfig,
    calling_problems,
)
from branch.service_tree import served, tree_problems
from branch.standards_config import (
    StandardsConfig,
    WebhookConfig,
    standards_problems,
    webhook_problems,
)
from branch.typed import NOTES, note_problems
from branch.window_config import WindowsConfig, window_problems
from sync.settings import BrokerConfig, SettingsError, load
from sync.topics import NODE_PATTERN

HIGHEST_PORT = 65_535
RATING_WINDOW_MAX_S = 90.0
"""The design's limit: a later press may be another customer's."""
SERVICE_MAX_S = 4 * 3600.0
HIGHEST_COUNTER = 99
NODE_EXPECTED = "expected a-z, 0-9 and '-', at most 32, not pub or srv"


class BranchName(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The branch's name and what the board's bottom strip says."""

    zh: str
    en: str
    hours: str = ""
    complaints_phone: str = ""


class HttpConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the pages are served. ``port_search`` lets a demo take the next free port."""

    host: str = "127.0.0.1"
    port: int = 8080
    port_search: bool = False


class UpdatesConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What kiosks are told to have. ``config_key`` is the private key that signs it,
    ``firmware_key`` the public one of whoever makes firmware, ``bundles`` the folders of firmware
    for pads, one a chip. ``offer`` is the file of what they offer; empty: their own kiosk.toml.
    """

    config_key: str
    firmware_key: str = ""
    bundles: list[str] = []
    offer: str = ""


class CardsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose cards name a segment: ``table`` is the file of tokens, told to ``kiosks`` (nodes with
    a reader) under the key of [updates].
    """

    table: str
    kiosks: list[str]


class CommandsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who may command the counters besides the pages: with ``mqtt`` whoever may publish to the
    server's ``cmd``.
    """

    mqtt: bool = True


class HqLinkConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Head office's broker, and the file that keeps what it has not got."""

    host: str
    port: int = 1883
    journal: str = "hq-outbox.db"


class BranchConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything of branch.toml. Paths in the file are relative to its folder; ``read`` makes them
    absolute.
    """

    node: str
    branch: BranchName
    services: list[ServiceConfig]
    counters: list[CounterConfig]
    database: str = "branch.db"
    http: HttpConfig = HttpConfig()
    broker: BrokerConfig = BrokerConfig()
    commands: CommandsConfig = CommandsConfig()
    queue: QueueConfig = QueueConfig()
    segments: list[SegmentConfig] = msgspec.field(default_factory=lambda: list(SEGMENTS))
    announcements: AnnouncementsConfig = AnnouncementsConfig()
    windows: WindowsConfig = WindowsConfig()
    standards: StandardsConfig = StandardsConfig()
    webhook: WebhookConfig | None = None
    rating_window_s: float = 10.0
    notes: list[str] = msgspec.field(default_factory=lambda: list(NOTES))
    """What a teller may write to the next one, or give as the reason of a pause."""
    hq: HqLinkConfig | None = None
    updates: UpdatesConfig | None = None
    cards: CardsConfig | None = None
    appointments: str = ""
    """The file of appointments that visitors check in to, "" for none."""
    access: AccessConfig = AccessConfig()


def read(path: Path) -> BranchConfig:
    """Read and check branch.toml. Raises SettingsError: one sentence with file, key and what to
    do.
    """
    config = load(path, BranchConfig)
    check(config, str(path))
    database = config.database
    if "://" not in database:
        database = f"sqlite:///{path.resolve().parent / database}"
    hq = config.hq
    if hq is not None:
        journal = str(path.resolve().parent / hq.journal)
        hq = msgspec.structs.replace(hq, journal=journal)
    folder = path.resolve().parent
    updates = config.updates and UpdatesConfig(
        config_key=str(folder / config.updates.config_key),
        firmware_key=str(folder / config.updates.firmware_key),
        bundles=[str(folder / bundle) for bundle in config.updates.bundles],
        offer=config.updates.offer and str(folder / config.updates.offer),
    )
    access = msgspec.structs.replace(config.access, accounts=str(folder / config.access.accounts))
    webhook = config.webhook and msgspec.structs.replace(
        config.webhook, secret_file=str(folder / config.webhook.secret_file)
    )
    cards = config.cards and msgspec.structs.replace(
        config.cards, table=str(folder / config.cards.table)
    )
    return msgspec.structs.replace(
        config, database=database, hq=hq, updates=updates, access=access, webhook=webhook,
        cards=cards,
        appointments=str(folder / config.appointments) if config.appointments else "",
    )  # fmt: skip


def check(config: BranchConfig, path: str) -> None:
    """See that the parts fit together. Raises SettingsError."""
    problems = (
        *_plain(config),
        *_services(config),
        *_counters(config),
        *_calling(config),
        *tree_problems(config.services),
        *announcement_problems(config.announcements),
        *access_problems(config.access),
        *window_problems(config.windows, [counter.number for counter in config.counters]),
        *standards_problems(config.standards, [s.letter for s in config.services]),
        *webhook_problems(config.webhook),
        *_cards(config),
        *note_problems(config.notes),
    )
    for key, problem in problems:
        raise SettingsError(f"{path}: {key}: {problem}")


def _plain(config: BranchConfig) -> Iterator[tuple[str, str]]:
    if not NODE_PATTERN.match(config.node):
        yield "node", f"{config.node!r}; {NODE_EXPECTED}, like branch-1"
    if not config.database:
        yield "database", "empty; expected a file name or the URL of a database"
    if config.updates and config.updates.bundles and not config.updates.firmware_key:
        yield "updates.firmware_key", "missing; without it nobody can check the bundles"
    if not 0 < config.rating_window_s <= RATING_WINDOW_MAX_S:
        yield (
            "rating_window_s",
            f"{config.rating_window_s}; expected more than 0, at most {RATING_WINDOW_MAX_S:g}",
        )
    for name, host, port, lowest in (
        ("http", config.http.host, config.http.port, 0),
        ("broker", config.broker.host, config.broker.port, 1),
        *([("hq", config.hq.host, config.hq.port, 1)] if config.hq else []),
    ):
        if not host:
            yield f"{name}.host", "empty; expected an address like 127.0.0.1"
        if not lowest <= port <= HIGHEST_PORT:
            yield f"{name}.port", f"{port}; expected {lowest} to {HIGHEST_PORT}"


def _calling(config: BranchConfig) -> Iterator[tuple[str, str]]:
    return calling_problems(config.services, config.counters, config.queue, config.segments)


def _services(config: BranchConfig) -> Iterator[tuple[str, str]]:
    if not config.services:
        yield "services", "none; a branch without a service has nothing to offer"
    letters = [service.letter for service in config.services]
    served_by_any = {
        letter for counter in config.counters for letter in served(config.services, counter)
    }
    for index, service in enumerate(config.services):
        key, letter = f"services[{index}]", service.letter
        if len(letter) != 1 or not "A" <= letter <= "Z":
            yield f"{key}.letter", f"{letter!r}; expected one of A to Z"
        if letters.index(letter) != index:
            yield f"{key}.letter", f"{letter!r} is there already"
        if not 0 < service.mean_service_s <= SERVICE_MAX_S:
            yield (
                f"{key}.mean_service_s",
                f"{service.mean_service_s}; expected more than 0, at most {SERVICE_MAX_S:g} s",
            )
        if config.counters and letter not in served_by_any:
            yield f"{key}.letter", f"{letter!r} is served by no counter"


def _cards(config: BranchConfig) -> Iterator[tuple[str, str]]:
    cards = config.cards
    if cards is None:
        return
    if config.updates is None:
        yield "cards", "needs [updates]: kiosks take only what its config_key has signed"
    if not cards.kiosks:
        yield "cards.kiosks", "none; name the kiosks that have a reader"
    for node in cards.kiosks:
        if not NODE_PATTERN.match(node):
            yield "cards.kiosks", f"{node!r}; {NODE_EXPECTED}, like kiosk-1"


def _counters(config: BranchConfig) -> Iterator[tuple[str, str]]:
    if not config.counters:
        yield "counters", "none; a branch without a counter can call nobody"
    letters = [service.letter for service in config.services]
    numbers = [counter.number for counter in config.counters]
    for index, counter in enumerate(config.counters):
        key = f"counters[{index}]"
        if not 1 <= counter.number <= HIGHEST_COUNTER:
            yield f"{key}.number", f"{counter.number}; expected 1 to {HIGHEST_COUNTER}"
        if numbers.index(counter.number) != index:
            yield f"{key}.number", f"{counter.number} is there already"
        if not counter.services:
            yield f"{key}.services", "none; a counter without a service can call nobody"
        for letter in counter.services:
            if letter not in letters:
                yield f"{key}.services", f"{letter!r} is not one of the services"
            if counter.services.count(letter) > 1:
                yield f"{key}.services", f"{letter!r} is there twice"
        for name, node in (("pad_node", counter.pad_node), ("caller_node", counter.caller_node)):
            if node and not NODE_PATTERN.match(node):
                yield f"{key}.{name}", f"{node!r}; {NODE_EXPECTED}, like kiosk-1"
            if node == config.node:
                yield f"{key}.{name}", f"{node!r} is this server; name a kiosk"
