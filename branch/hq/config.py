"""hq.toml: read, checked, frozen."""

from pathlib import Path

import msgspec

from branch.config import HIGHEST_PORT, NODE_EXPECTED, HttpConfig
from sync.session import WINDOW
from sync.settings import BrokerConfig, SettingsError, load
from sync.topics import NODE_PATTERN

HIGHEST_RATE = 100_000


class SyncConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a branch may send: events under way, and events a second (0: no limit)."""

    window: int = WINDOW
    rate_per_s: int = 0


class HealthConfig(HttpConfig, frozen=True, forbid_unknown_fields=True):
    """Where ``/healthz`` is served."""

    port: int = 8090


class HqConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything of hq.toml. A file name for ``database`` is relative to the file's folder; a
    password belongs into ~/.pgpass, never into the URL.
    """

    node: str
    database: str = "hq.db"
    http: HealthConfig = HealthConfig()
    broker: BrokerConfig = BrokerConfig()
    sync: SyncConfig = SyncConfig()


def read(path: Path) -> HqConfig:
    """Read and check hq.toml. Raises SettingsError."""
    config = load(path, HqConfig)
    if not NODE_PATTERN.match(config.node):
        raise SettingsError(f"{path}: node: {config.node!r}; {NODE_EXPECTED}, like hq-1")
    for key, value, lowest, highest in (
        ("http.port", config.http.port, 0, HIGHEST_PORT),
        ("broker.port", config.broker.port, 1, HIGHEST_PORT),
        ("sync.window", config.sync.window, 1, WINDOW),
        ("sync.rate_per_s", config.sync.rate_per_s, 0, HIGHEST_RATE),
    ):
        if not lowest <= value <= highest:
            raise SettingsError(f"{path}: {key}: {value}; expected {lowest} to {highest}")
    database = config.database
    if not database:
        raise SettingsError(f"{path}: database: empty; expected a file name or a database's URL")
    if "://" not in database:
        database = f"sqlite:///{path.resolve().parent / database}"
    elif "password=" in database or (
        "@" in database and ":" in database.partition("://")[2].partition("@")[0]
    ):
        raise SettingsError(
            f"{path}: database: a password stands in the URL; put it into ~/.pgpass and leave it"
            " out here"
        )
    return msgspec.structs.replace(config, database=database)
