"""``lobby doctor`` for a kiosk: every device and what it stands on, each with a remedy.

A kiosk that runs holds its ports: then the devices are not touched, and the rows are those that
the kiosk itself last journalled.
"""

import asyncio
import fcntl
import json
import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path

from hal.api import (
    CallerPad,
    CardReader,
    Health,
    HealthState,
    RatingPad,
    Speaker,
    TicketPrinter,
)
from hal.body import KeyPad
from hal.errors import HalError
from hal.link import link_to
from hal.registry import backend
from kiosk.buses import Buses
from kiosk.cards import SALT_BYTES
from kiosk.cli import build_devices
from kiosk.config import KioskConfig, read
from kiosk.errors import KioskError
from kiosk.guiding import build_keypad, build_speaker
from sync import checks
from sync.checks import Check, Grade, fault, good
from sync.clock import system_clock
from sync.settings import SettingsError

ANSWER_S = 6.0
"""A pad greets within 2 s of being asked; a bus of 31 needs some more."""
LOOK_S = 0.1
REMEDIES = {
    "paper_out": "put in a new roll, printed side up, and close the cover",
    "paper_near_end": "put in a new roll before it ends",
    "cover_open": "close the printer's cover until it clicks",
    "cutter": "switch the printer off, take the paper scrap out of its cutter, switch it on",
    "error": "switch the printer off and on; see its lamps",
    "offline": "press the printer's feed or online key",
    "silent": "switch the printer on; look at cable and speed (baud); is it an ESC/POS printer?",
    "link_lost": "look at the cable",
    "unavailable": "plug it in; correct its address in kiosk.toml; is the user in group dialout?",
    "link": "plug it in; correct its address in kiosk.toml",
    "espeak_missing": "apt-get install espeak-ng",
    "player_missing": "apt-get install alsa-utils; correct speaker.address",
    "device_missing": "see `aplay -L` for the names; correct speaker.address",
    "not_played": "is speaker.address a sound device? see `aplay -L`",
    "player": "see `aplay -L` for the names; correct speaker.address",
    "voice": "correct speaker.voices; see `espeak-ng --voices`",
    "key_missing": "lobby flash provision",
    "not_keys": "lobby flash provision --role keys",
    "key_wrong": "lobby flash provision",
}
"""By the code of a health row; docs/runbook.md has those of pads."""
GRADES = {
    HealthState.OK: Grade.OK,
    HealthState.WARNING: Grade.WARNING,
    HealthState.UNKNOWN: Grade.FAULT,
    HealthState.FAULT: Grade.FAULT,
    HealthState.LOST: Grade.FAULT,
}


async def examine(path: Path) -> list[Check]:
    """Every check of the kiosk that this file describes."""
    try:
        config = read(path)
    except SettingsError as error:
        return [fault("configuration", str(error), "correct the file; nothing else was looked at")]
    data_dir = Path(config.data_dir)
    found = [
        good("configuration", f"{path}: {config.node}, {len(config.services)} services"),
        checks.disk(data_dir),
        checks.clock(),
        checks.sqlite_file(data_dir / "journal.db", "journal"),
        await checks.broker(config.broker, config.node),
    ]
    if is_running(data_dir):
        return [*found, *_as_the_kiosk_says(config, data_dir)]
    return [*found, *await _devices(config)]


def is_running(data_dir: Path) -> bool:
    """Whether a kiosk has its journal open."""
    try:
        fd = os.open(data_dir / "journal.db.lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def row(name: str, health: Health, *, said: str = "") -> Check:
    """A health row as a check."""
    detail = f"{health.state.value}{f', {health.detail}' if health.detail else ''}{said}"
    grade = GRADES[health.state]
    remedy = "" if grade is Grade.OK else REMEDIES.get(health.detail, "see docs/runbook.md")
    return Check(name, grade, detail, remedy)


# --- a kiosk that runs -------------------------------------------------------------------------


def _as_the_kiosk_says(config: KioskConfig, data_dir: Path) -> list[Check]:
    expected = ["printer", *(_name(pad.counter, pad.roles) for pad in config.pads)]
    named = {"card": config.card_reader, "keys": config.keys, "speaker": config.speaker}
    expected += [name for name, wanted in named.items() if wanted is not None]
    sql = "SELECT raw FROM event WHERE type = 'device.changed' ORDER BY epoch, seq"
    last: dict[str, Health] = {}
    with suppress(sqlite3.Error):
        path = data_dir / "journal.db"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as db:
            for (raw,) in db.execute(sql):
                data = json.loads(raw)["data"]
                last[data["device"]] = Health(HealthState(data["state"]), data.get("detail", ""))
    unsaid = Health(HealthState.UNKNOWN, "the kiosk has said nothing yet")
    return [row(name, last.get(name, unsaid), said=" (the kiosk runs)") for name in expected]


def _name(counter: int, roles: Sequence[str]) -> str:
    return f"pad-{counter}" if "rating" in roles else f"caller-{counter}"


# --- a kiosk that stands still -----------------------------------------------------------------


async def _devices(config: KioskConfig) -> list[Check]:
    buses = Buses(config)
    try:
        printer, pads, callers = build_devices(config, system_clock(), buses)
        reader = _card_reader(config)
        keypad, speaker = build_keypad(config), build_speaker(config)
    except (HalError, KioskError, ValueError) as error:
        return [fault("devices", str(error), "correct kiosk.toml")]
    found = [await _printer(printer)]
    try:
        by_name: dict[str, RatingPad | CallerPad] = {
            **{f"caller-{counter}": pad for counter, pad in callers.items()},
            **{f"pad-{counter}": pad for counter, pad in pads.items()},
        }
        asked = [_pad(name, pad) for name, pad in sorted(by_name.items())]
        found += await asyncio.gather(*asked)
        if reader is not None:
            found.append(await _opened("card", reader, "swipe a card at the kiosk"))
        if keypad is not None and config.keys is not None and config.keys.backend == "pad":
            found.append(await _pad("keys", keypad))
        elif keypad is not None:
            found.append(await _opened("keys", keypad, "press a key at the kiosk"))
        if speaker is not None:
            found.append(await _speaker(speaker))
    finally:
        for bus in buses.by_name.values():
            await bus.close()
    return found


def _card_reader(config: KioskConfig) -> CardReader | None:
    """The reader with a salt of no branch: nothing is read here, and no file is made."""
    wanted = config.card_reader
    if wanted is None:
        return None
    reader: CardReader = backend("card", wanted.backend)(
        link_to(wanted.address), name="card", salt=bytes(SALT_BYTES)
    )
    return reader


async def _printer(printer: TicketPrinter) -> Check:
    try:
        await printer.open()
        health = await printer.check()
    except HalError as error:
        check = row("printer", printer.health)
        return fault("printer", str(error), check.remedy)
    finally:
        await printer.close()
    return row("printer", health)


async def _pad(name: str, pad: RatingPad | CallerPad | KeyPad) -> Check:
    try:
        await pad.open()
        with suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_S):
                while pad.health.state is not HealthState.OK:  # noqa: ASYNC110 - its own time
                    await asyncio.sleep(LOOK_S)
        return row(name, pad.health)
    except HalError as error:
        return fault(name, str(error), REMEDIES["unavailable"])
    finally:
        await pad.close()


async def _opened(name: str, device: CardReader | KeyPad, what_to_do: str) -> Check:
    """A device that says nothing by itself: its line is all that can be asked."""
    try:
        await device.open()
    except HalError as error:
        return fault(name, str(error), REMEDIES["unavailable"])
    finally:
        await device.close()
    return good(name, f"its line is there; {what_to_do} to see that it reads")


async def _speaker(speaker: Speaker) -> Check:
    try:
        await speaker.open()
    except HalError as error:
        return fault("speaker", str(error), row("speaker", speaker.health).remedy)
    finally:
        await speaker.close()
    return row("speaker", speaker.health)
