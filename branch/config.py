"""branch.toml: read, checked, frozen."""

from pathlib import Path

import msgspec

from sync.settings import SettingsError, load
from sync.topics import NODE_PATTERN


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


class BrokerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where mosquitto listens."""

    host: str = "127.0.0.1"
    port: int = 1883


class ServiceConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One service; ``mean_service_s`` is the expected length of one service, for the wait
    interval.
    """

    letter: str
    zh: str
    en: str
    mean_service_s: float = 300.0


class CounterConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One counter, the services it serves, and the kiosk (node) that its rating pad is plugged
    into.
    """

    number: int
    services: list[str]
    pad_node: str = ""


class QueueConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Calling: head start in minutes by segment; everything else is first come, first served."""

    head_start_min: dict[str, float] = msgspec.field(default_factory=lambda: {"priority": 5.0})


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
    queue: QueueConfig = QueueConfig()
    rating_window_s: float = 10.0


def read(path: Path) -> BranchConfig:
    """Read and check branch.toml. Raises SettingsError: one sentence with file, key and what to
    do.
    """
    config = load(path, BranchConfig)
    check(config, str(path))
    database = config.database
    if "://" not in database:
        database = f"sqlite:///{path.resolve().parent / database}"
    return msgspec.structs.replace(config, database=database)


def check(config: BranchConfig, path: str) -> None:
    """See that the parts fit together. Raises SettingsError."""

    def refuse(key: str, problem: str) -> None:
        raise SettingsError(f"{path}: {key}: {problem}")

    if not NODE_PATTERN.match(config.node):
        refuse("node", f"{config.node!r}; expected a-z, 0-9 and '-', at most 32, like branch-1")
    if not 0 < config.rating_window_s <= 90:
        refuse("rating_window_s", f"{config.rating_window_s}; expected more than 0, at most 90")
    letters = [service.letter for service in config.services]
    for index, letter in enumerate(letters):
        if len(letter) != 1 or not "A" <= letter <= "Z":
            refuse(f"services[{index}].letter", f"{letter!r}; expected one of A to Z")
        if letters.index(letter) != index:
            refuse(f"services[{index}].letter", f"{letter!r} is there already")
        if not config.services[index].mean_service_s > 0:
            refuse(f"services[{index}].mean_service_s", "expected more than 0 seconds")
    if not config.counters:
        refuse("counters", "none; a branch without a counter can call nobody")
    numbers = [counter.number for counter in config.counters]
    for index, counter in enumerate(config.counters):
        if not 1 <= counter.number <= 99:
            refuse(f"counters[{index}].number", f"{counter.number}; expected 1 to 99")
        if numbers.index(counter.number) != index:
            refuse(f"counters[{index}].number", f"{counter.number} is there already")
        for letter in counter.services:
            if letter not in letters:
                refuse(f"counters[{index}].services", f"{letter!r} is not one of the services")
        if counter.pad_node and not NODE_PATTERN.match(counter.pad_node):
            refuse(f"counters[{index}].pad_node", f"{counter.pad_node!r} is not a node's name")
    served = {letter for counter in config.counters for letter in counter.services}
    for index, letter in enumerate(letters):
        if letter not in served:
            refuse(f"services[{index}].letter", f"{letter!r} is served by no counter")
