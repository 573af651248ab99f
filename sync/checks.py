"""What can be asked of any node from outside, each answered with a remedy: folder and disk, clock,
database, broker. For ``lobby doctor``; a running node is not disturbed.
"""

import asyncio
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from enum import StrEnum
from pathlib import Path

import msgspec

from sync.clock import ask_machine
from sync.mqtt import MqttTransport
from sync.settings import BrokerConfig
from sync.timekeeping import Machine

FREE_FAULT_MB, FREE_WARNING_MB = 16, 512
"""Below the first a day's events may find no room; the second is a week to act."""
CONNECT_S = 3.0
MQTT_S = 5.0
PROBE_BYTES = 64 * 1024
MB = 1024 * 1024


class Grade(StrEnum):
    """OK works, WARNING works and wants attention, FAULT does not work."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


class Check(msgspec.Struct, frozen=True):
    """One row: what was looked at, what was found, what to do (empty when nothing is)."""

    name: str
    grade: Grade
    found: str
    remedy: str = ""


def good(name: str, found: str) -> Check:
    """Nothing to do."""
    return Check(name, Grade.OK, found)


def fault(name: str, found: str, remedy: str) -> Check:
    """It does not work."""
    return Check(name, Grade.FAULT, found, remedy)


def status_of(checks: Iterable[Check]) -> int:
    """Exit status: 1 if anything does not work, else 0."""
    return int(any(check.grade is Grade.FAULT for check in checks))


def table(checks: list[Check]) -> str:
    """Rows for a terminal: grade, name, what was found, and the remedy on a line of its own."""
    width = max(len(check.name) for check in checks)
    lines = []
    for check in checks:
        lines.append(f"{check.grade.value:<8} {check.name:<{width}}  {check.found}")
        if check.remedy:
            lines.append(f"{'':<8} {'':<{width}}  -> {check.remedy}")
    faults = sum(check.grade is Grade.FAULT for check in checks)
    warnings = sum(check.grade is Grade.WARNING for check in checks)
    lines.append(f"{len(checks)} checks, {faults} faults, {warnings} warnings")
    return "\n".join(lines)


# --- the machine -------------------------------------------------------------------------------


def disk(folder: Path, name: str = "disk") -> Check:
    """Whether the folder takes a file that stays, and how much room is left."""
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(bytes(PROBE_BYTES))
            probe.flush()
            os.fsync(probe.fileno())
        room = os.statvfs(folder)
    except FileNotFoundError:
        return fault(name, f"{folder}: there is no such folder", "make it, or correct the path")
    except OSError as error:
        return fault(
            name,
            f"{folder}: does not take a file ({error.strerror})",
            "make room, or give this user the right to write there",
        )
    free_mb = room.f_bavail * room.f_frsize // MB
    found = f"{folder}: {free_mb} MB free"
    remedy = "make room: without it no ticket is issued"
    if free_mb < FREE_FAULT_MB or room.f_favail == 0 < room.f_files:
        return fault(name, found, remedy)
    if free_mb < FREE_WARNING_MB:
        return Check(name, Grade.WARNING, found, remedy)
    return good(name, found)


def clock(ask: Callable[[int], Machine] = ask_machine) -> Check:
    """Whether the wall clock is kept by NTP."""
    machine = ask(time.time_ns() // 1_000_000)
    if machine.synchronised:
        return good("clock", f"kept by NTP, at most {machine.err_ms} ms off")
    with_battery = "a battery clock keeps it" if machine.hardware_clock else "no battery clock"
    return Check(
        "clock",
        Grade.WARNING if machine.hardware_clock else Grade.FAULT,
        f"not synchronised, {with_battery}",
        "start chrony or systemd-timesyncd with the branch's time server; see `timedatectl`",
    )


def sqlite_file(path: Path, name: str = "database") -> Check:
    """Whether the pages of a database hang together. It is opened to read only."""
    if not path.exists():
        return good(name, f"{path}: not there yet, made at the first start")
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as db:
            (word,) = db.execute("PRAGMA quick_check(1)").fetchone()
            (rows,) = db.execute("SELECT count(*) FROM event").fetchone()
    except sqlite3.Error as error:
        return fault(
            name, f"{path}: {error}", "stop the program, keep the file aside, restore a copy"
        )
    if word != "ok":
        return fault(name, f"{path}: damaged: {word}", "stop the program, restore a copy")
    return good(name, f"{path}: {rows} events, pages ok")


# --- the line ----------------------------------------------------------------------------------


async def broker(config: BrokerConfig, node: str) -> Check:
    """Whether the broker lets somebody in. It is asked as ``<node>-doctor``: a broker throws out
    whoever has the name of a newcomer.
    """
    where = f"{config.host}:{config.port}"
    try:
        async with asyncio.timeout(CONNECT_S):
            _, writer = await asyncio.open_connection(config.host, config.port)
        writer.close()
    except (OSError, TimeoutError) as error:
        return fault(
            "broker",
            f"{where}: cannot be reached ({str(error) or f'no answer in {CONNECT_S:g} s'})",
            "start mosquitto, look at the cable, correct [broker] host and port; tickets go on",
        )
    transport = MqttTransport(host=config.host, port=config.port, client_id=f"{node}-doctor")
    up = asyncio.Event()
    reasons: list[str] = []
    transport.listen(on_up=up.set, on_down=reasons.append, on_messages=lambda _: None)
    await transport.start()
    try:
        async with asyncio.timeout(MQTT_S):
            await up.wait()
    except TimeoutError:
        why = reasons[-1] if reasons else f"no answer in {MQTT_S:g} s"
        return fault(
            "broker",
            f"{where}: listens, but lets nobody in ({why})",
            "is it mosquitto 2 with MQTT 5? see its log and its access list",
        )
    finally:
        await transport.stop()
    return good("broker", f"{where}: lets {node} in")
