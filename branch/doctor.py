"""``lobby doctor`` for a branch server: its database, its line, its loudspeaker."""

import socket
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from branch.announcer import build_speaker
from branch.config import BranchConfig, HttpConfig, read
from branch.database import cause
from hal.api import HealthState
from hal.errors import HalError
from sync import checks
from sync.checks import Check, fault, good
from sync.settings import SettingsError

SQLITE = "sqlite:///"


async def examine(path: Path) -> list[Check]:
    """Every check of the branch server that this file describes."""
    try:
        config = read(path)
    except SettingsError as error:
        return [fault("configuration", str(error), "correct the file; nothing else was looked at")]
    return [
        good("configuration", f"{path}: {config.node}, {len(config.counters)} counters"),
        *_database(config.database),
        checks.clock(),
        await checks.broker(config.broker, config.node),
        _http(config.http),
        await _speaker(config),
    ]


def _database(url: str) -> list[Check]:
    if url.startswith(SQLITE):
        file = Path(url.removeprefix(SQLITE))
        return [checks.disk(file.parent), checks.sqlite_file(file)]
    engine = create_engine(url)
    shown = engine.url.render_as_string(hide_password=True)
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    except SQLAlchemyError as error:
        remedy = "start the database, correct `database` in branch.toml"
        return [fault("database", f"{shown}: {cause(error)}", remedy)]
    finally:
        engine.dispose()
    return [good("database", f"{shown}: answers")]


def _http(config: HttpConfig) -> Check:
    where = f"{config.host}:{config.port}"
    try:
        socket.create_connection((config.host, config.port), timeout=3).close()
    except OSError as error:
        remedy = "start `lobby branch`; without it nobody is called, tickets go on"
        return Check("pages", checks.Grade.WARNING, f"{where}: {error.strerror or error}", remedy)
    return good("pages", f"{where}: somebody listens")


async def _speaker(config: BranchConfig) -> Check:
    wanted = config.announcements
    if not wanted.enabled:
        return good("speaker", "announcements are off")
    remedy = "plug the loudspeaker in; install espeak-ng and alsa-utils; see `aplay -l`"
    try:
        speaker = build_speaker(wanted)
        await speaker.open()
        health = await speaker.check()
    except (HalError, ValueError) as error:
        return fault("speaker", str(error), remedy)
    await speaker.close()
    if health.state is not HealthState.OK:
        return fault("speaker", f"{health.state.value}, {health.detail}", remedy)
    return good("speaker", f"{wanted.address}: played a moment of silence")
