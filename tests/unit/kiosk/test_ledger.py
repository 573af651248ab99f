"""What is owed on a disk with room for tickets and ratings alone."""

import asyncio
from pathlib import Path

from kiosk.ledger import RETRY_S, Ledger
from simulator.vtime import virtual_clock
from sync.journal import Journal
from sync.journal_space import SpaceLevel
from sync.messages import DeviceChanged, DeviceData, PrintedData, VoidedData
from tests.unit.kiosk.bench import virtual


def device(name: str, state: str) -> DeviceData:
    return DeviceData(device=name, kind="printer", state=state)


def level(journal: Journal) -> SpaceLevel:
    return journal.space


@virtual
async def test_a_device_s_state_holds_up_no_ticket(tmp_path: Path) -> None:
    in_the_way = tmp_path / "j.db.reserve"
    in_the_way.mkdir()  # no reserve can be made, as on a disk without room
    journal = Journal(tmp_path / "j.db", node="kiosk-1", clock=virtual_clock(0, seed=1))
    assert level(journal) == SpaceLevel.ESSENTIAL_ONLY
    told: list[int] = []
    ledger = Ledger(journal, lambda: told.append(journal.top_seq))
    ledger.note("device.changed", device("printer", "failed"))
    ledger.note("ticket.printed", PrintedData(attempt=1, took_ms=1), "t")
    ledger.note("device.changed", device("pad-1", "failed"))
    ledger.note("device.changed", device("printer", "ok"))
    ledger.note("ticket.voided", VoidedData(reason="restart"), "u")
    assert (ledger.owed, ledger.pay(), journal.top_seq) == (2, True, 2)
    assert level(journal) == SpaceLevel.ESSENTIAL_ONLY
    journal._db.execute("PRAGMA query_only = 1")
    ledger.note("ticket.voided", VoidedData(reason="restart"), "v")
    assert (ledger.owed, ledger.pay()) == (3, False)
    journal._db.execute("PRAGMA query_only = 0")
    assert ledger.pay()
    assert (ledger.owed, journal.top_seq) == (2, 3)
    in_the_way.rmdir()
    await asyncio.sleep(2 * RETRY_S)
    assert ledger.owed == 0
    kept = [
        event.data
        for event in journal.events_of("device.changed", 0)
        if isinstance(event, DeviceChanged)
    ]
    assert kept == [device("pad-1", "failed"), device("printer", "ok")]
    assert level(journal) == SpaceLevel.AMPLE
    assert told == [1, 2, 3, 4, 5]
    ledger.close()
    journal.close()
