"""The count of what was heard: it finds an overlap, a call said twice and one nobody made."""

import json
import sqlite3
from pathlib import Path

import msgspec

from hal.sim.speaker import Heard
from simulator.hearing import count_announcements

HEARD = Heard("zh 请 A 零零五号到 2 号窗口\nen Ticket", 0, 1000, 5.0, 0.5, True, True)


def ledger(path: Path) -> Path:
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE ticket (id, number)")
        db.execute("CREATE TABLE event (type, sub, raw)")
        db.execute("INSERT INTO ticket VALUES ('t', 'A005')")
        raw = json.dumps({"data": {"counter": 2}}).encode()
        db.execute("INSERT INTO event VALUES ('ticket.called', 't', ?)", (raw,))
    db.close()
    return path


def later(by_ms: int, said: str = HEARD.said) -> Heard:
    return msgspec.structs.replace(HEARD, began_ms=by_ms, ended_ms=by_ms + 1000, said=said)


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    db = ledger(tmp_path / "branch.db")
    assert count_announcements([HEARD], db) == ({"called": 1, "heard": 1}, [])
    assert count_announcements([], db) == ({"called": 1, "heard": 0}, [])
    _, twice = count_announcements([HEARD, later(1000)], db)
    assert twice == ["A005 to counter 2 was called 1 times, heard 2"]
    other = "zh 请 B 零零一号到 12 号窗口"
    _, wrong = count_announcements([HEARD, later(999, other)], db)
    assert [one.partition(":")[0] for one in wrong] == [
        "announcements overlap", "B001 to counter 12 was called 0 times, heard 1",
    ]  # fmt: skip
