"""The witness counts what is right as right, and finds each kind of wrong that is planted."""

import hashlib
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simulator.prove.witness import Verdict, Witness

DATE = "2026-11-23"
KIOSK, BRANCH = "kiosk-1", "branch-1"


class Files:
    """Two small databases as the programs would leave them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.branch_path, self.journal_path = folder / "branch.db", folder / "journal.db"
        self.branch = sqlite3.connect(self.branch_path)
        self.journal = sqlite3.connect(self.journal_path)
        self.branch.executescript(
            "CREATE TABLE event (node, epoch, seq, id, type, place, digest, raw);"
            "CREATE TABLE ticket (id, number, business_date, paper, outcome);"
            "CREATE TABLE node (node, epoch, hw, digest);"
            "CREATE TABLE quarantine (node, digest, raw);"
        )
        self.journal.executescript(
            "CREATE TABLE event (epoch, seq, id, type, digest, raw);"
            "CREATE TABLE meta (name, value);"
            f"INSERT INTO meta VALUES ('node', '{KIOSK}');"
        )
        self.tops: dict[str, tuple[int, str]] = {}

    def event(self, node: str, type_: str, data: dict[str, Any], sub: str | None = None) -> str:
        """One event, in the journal of a kiosk and in the branch's ledger."""
        seq, prev = self.tops.get(node, (0, "0" * 16))
        seq += 1
        id_ = f"{node[0]}{seq:026d}aa{seq:07x}"
        fields = {
            "type": type_, "id": id_, "src": node, "epoch": 1, "seq": seq, "prev": prev,
            "sub": sub or id_, "data": data,
        }  # fmt: skip
        raw = json.dumps(fields).encode()
        digest = hashlib.blake2b(raw, digest_size=8).hexdigest()
        place = self.branch.execute("SELECT count(*) FROM event").fetchone()[0] + 1
        self.branch.execute(
            "INSERT INTO event VALUES (?, 1, ?, ?, ?, ?, ?, ?)",
            (node, seq, id_, type_, place, digest, raw),
        )
        if node == KIOSK:
            self.journal.execute(
                "INSERT INTO event VALUES (1, ?, ?, ?, ?, ?)", (seq, id_, type_, digest, raw)
            )
        self.tops[node] = (seq, digest)
        return id_

    def ticket(self, number: str, paper: str = "printed") -> str:
        """A ticket, and what became of its paper."""
        data = {"number": number, "business_date": DATE, "request": f"touch-{number}"}
        id_ = self.event(KIOSK, "ticket.issued", data)
        outcome = "open"
        if paper == "printed":
            self.event(KIOSK, "ticket.printed", {}, id_)
        elif paper == "voided":
            self.event(KIOSK, "ticket.voided", {}, id_)
            paper, outcome = "pending", "voided"
        elif paper != "pending":
            self.event(KIOSK, "ticket.print_failed", {"paper": paper}, id_)
        self.branch.execute(
            "INSERT INTO ticket VALUES (?, ?, ?, ?, ?)", (id_, number, DATE, paper, outcome)
        )
        return id_

    def call(self, id_: str, key: str) -> None:
        """A teller calls the ticket to counter 1."""
        self.event(BRANCH, "ticket.called", {"counter": 1, "key": key}, id_)

    def close(self) -> None:
        """Write the marks and end; the second time changes nothing."""
        marks, self.tops = self.tops, {}
        for node, (seq, digest) in marks.items():
            self.branch.execute("INSERT INTO node VALUES (?, 1, ?, ?)", (node, seq, digest))
        for db in (self.branch, self.journal):
            db.commit()


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def an_honest_day(files: Files) -> Witness:
    """A printed and called ticket, one only on the screen, one void that nobody saw."""
    witness = Witness()
    printed = files.ticket("A1001")
    files.ticket("B1001", "unknown")
    files.ticket("C1001", "voided")
    files.call(printed, "1-1")
    for number in ("A1001", "B1001", "C1001"):
        witness.tapped(f"touch-{number}")
    witness.shown(KIOSK, "A1001")
    witness.slip("A1001", slip_lines(printed), complete=True)
    witness.shown(KIOSK, "B1001")
    witness.ended(KIOSK)
    witness.shown(KIOSK, "B1001")
    witness.told("1-1", 1, "A1001")
    return witness


def slip_lines(id_: str) -> list[str]:
    return ["Sample Bank", "A1001", f"Reference  {id_[-8:-4]}-{id_[-4:]}"]


def judge(files: Files, witness: Witness) -> Verdict:
    for db in (files.branch, files.journal):
        db.commit()
    return witness.judge(files.branch_path, {KIOSK: files.journal_path})


def test_an_honest_day_is_clean(files: Files) -> None:
    witness = an_honest_day(files)
    files.close()
    verdict = judge(files, witness)
    assert verdict.violations == []
    assert (verdict.shown, verdict.stored) == (2, 3)
    assert (verdict.lost, verdict.doubled, verdict.ghosts, verdict.wrong) == (0, 0, 0, 0)
    assert verdict.figures["shown_again"] == 1
    assert verdict.figures["voided"] == 1


def sql(statement: str) -> Callable[[Files, Witness], None]:
    def plant(files: Files, _witness: Witness) -> None:
        files.close()
        files.branch.execute(statement)

    return plant


def shown_but_never_stored(files: Files, witness: Witness) -> None:
    witness.shown(KIOSK, "D1001")


def slip_but_never_stored(files: Files, witness: Witness) -> None:
    witness.slip("D1001", slip_lines("x" * 20 + "0123abcd"), complete=True)


def journalled_but_never_stored(files: Files, witness: Witness) -> None:
    files.close()
    files.branch.execute("DELETE FROM event WHERE node = 'kiosk-1' AND seq = 5")
    files.branch.execute("UPDATE node SET hw = 4 WHERE node = 'kiosk-1'")


def told_but_never_recorded(files: Files, witness: Witness) -> None:
    witness.told("1-2", 1, "B1001")


def number_given_twice(files: Files, witness: Witness) -> None:
    files.ticket("A1001")


def number_shown_to_two(files: Files, witness: Witness) -> None:
    witness.shown(KIOSK, "A1001")


def slips_of_two_tickets(files: Files, witness: Witness) -> None:
    witness.slip("A1001", slip_lines("x" * 20 + "0123abcd"), complete=True)


def reprinted_twice(files: Files, witness: Witness) -> None:
    ((number, reference),) = witness.slips
    for _ in range(2):
        witness.slip(number, slip_lines(reference), complete=True)


def touch_of_two_tickets(files: Files, witness: Witness) -> None:
    data = {"number": "A1002", "business_date": DATE, "request": "touch-A1001"}
    files.event(KIOSK, "ticket.issued", data)


def called_twice(files: Files, witness: Witness) -> None:
    (id_,) = files.branch.execute("SELECT id FROM ticket WHERE number = 'A1001'").fetchone()
    files.call(id_, "1-2")


def key_of_two_events(files: Files, witness: Witness) -> None:
    (id_,) = files.branch.execute("SELECT id FROM ticket WHERE number = 'B1001'").fetchone()
    files.call(id_, "1-1")


def never_seen_but_callable(files: Files, witness: Witness) -> None:
    files.ticket("A1002", "unknown")
    witness.tapped("touch-A1002")


def void_but_held(files: Files, witness: Witness) -> None:
    (id_,) = files.branch.execute("SELECT id FROM ticket WHERE number = 'C1001'").fetchone()
    witness.slip("C1001", slip_lines(id_), complete=True)


def nothing_became_of_it(files: Files, witness: Witness) -> None:
    files.ticket("A1002", "pending")
    witness.tapped("touch-A1002")


def printed_without_paper(files: Files, witness: Witness) -> None:
    files.ticket("A1002")
    witness.tapped("touch-A1002")
    witness.shown(KIOSK, "A1002")


def denied_but_held(files: Files, witness: Witness) -> None:
    id_ = files.ticket("A1002", "not_printed")
    witness.tapped("touch-A1002")
    witness.shown(KIOSK, "A1002")
    witness.slip("A1002", slip_lines(id_), complete=True)


def nobody_asked(files: Files, witness: Witness) -> None:
    del witness.touches["touch-B1001"]


def journal_with_a_gap(files: Files, witness: Witness) -> None:
    files.journal.execute("DELETE FROM event WHERE seq = 3")


PLANTED = [
    ("lost", shown_but_never_stored, "shown, but no ticket"),
    ("lost", slip_but_never_stored, "on a slip, but no ticket"),
    ("lost", journalled_but_never_stored, "events of kiosk-1 not at the branch"),
    ("lost", told_but_never_recorded, "told of, but not the ledger"),
    ("doubled", number_given_twice, "given to two tickets"),
    ("doubled", number_shown_to_two, "shown to two visitors"),
    ("doubled", slips_of_two_tickets, "on slips of two tickets"),
    ("doubled", reprinted_twice, "reprinted more than once"),
    ("doubled", touch_of_two_tickets, "touches that made two tickets"),
    ("doubled", called_twice, "called twice"),
    ("doubled", key_of_two_events, "keys that made two events"),
    (
        "doubled",
        sql("INSERT INTO event SELECT node, 1, 99, id, type, 99, digest, raw FROM event"
            " WHERE node = 'kiosk-1' AND seq = 2"),
        "events stored twice",
    ),
    (
        "doubled",
        sql("INSERT INTO event SELECT node, epoch, seq, 'other', type, 99, digest, raw FROM event"
            " WHERE node = 'kiosk-1' AND seq = 2"),
        "places of the ledger taken twice",
    ),
    ("ghosts", never_seen_but_callable, "callable, but nobody"),
    ("wrong", void_but_held, "voided, but a customer holds"),
    ("wrong", nothing_became_of_it, "neither printed, shown nor voided"),
    ("wrong", printed_without_paper, "no slip came out"),
    ("wrong", denied_but_held, "said not to be printed"),
    ("wrong", nobody_asked, "tickets that nobody asked for"),
    ("wrong", journal_with_a_gap, "the journal of kiosk-1: broken"),
    ("wrong", sql("UPDATE event SET digest = '0' WHERE seq = 3"), "ledger of kiosk-1: broken"),
    ("wrong", sql("UPDATE event SET raw = CAST(replace(CAST(raw AS TEXT),"
                  " 'B1001', 'B1009') AS BLOB)"
                  " WHERE seq = 3"), "ledger of kiosk-1: broken"),
    ("wrong", sql("UPDATE event SET raw = CAST(replace(CAST(raw AS TEXT),"
                  " 'B1001', 'B1009') AS BLOB)"
                  " WHERE seq = 3"), "another content at the branch"),
    ("wrong", sql("UPDATE node SET hw = 3 WHERE node = 'kiosk-1'"), "not the top"),
    ("wrong", sql("UPDATE ticket SET paper = 'printed'"), "rows of the ticket table"),
    ("wrong", sql("DELETE FROM ticket WHERE number = 'B1001'"), "rows of the ticket table"),
    ("wrong", sql("INSERT INTO quarantine VALUES ('kiosk-1', '', '')"), "set aside"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "plant", "sentence"), PLANTED)
def test_each_planted_wrong_is_found(
    files: Files, kind: str, plant: Callable[[Files, Witness], None], sentence: str
) -> None:
    witness = an_honest_day(files)
    plant(files, witness)
    files.close()
    verdict = judge(files, witness)
    assert not verdict.clean
    assert getattr(verdict, kind) >= 1
    assert any(sentence in violation for violation in verdict.violations), verdict.violations


def test_an_incomplete_slip_is_scrap_and_nobodys(files: Files) -> None:
    witness = an_honest_day(files)
    witness.slip("A1001", ["Sample Bank"], complete=False)
    files.close()
    verdict = judge(files, witness)
    assert verdict.clean
    assert verdict.figures["scraps"] == 1


def test_a_pruned_journal_and_a_later_epoch_are_honest(files: Files) -> None:
    """A journal that begins later is a chain of its own; the branch may have more than it."""
    witness = an_honest_day(files)
    files.close()
    files.journal.execute("DELETE FROM event WHERE seq < 3")
    assert judge(files, witness).clean
