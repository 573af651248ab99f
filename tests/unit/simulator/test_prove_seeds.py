"""``lobby prove seeds``: clean with the product as it is, not without the chain."""

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from branch.store import Store
from simulator.errors import BadInput
from simulator.prove import seeds
from simulator.prove.proof import ProveOptions
from simulator.prove.seed_oracle import Oracle
from sync.clock import system_clock
from sync.inbox import Inbox
from sync.journal import Journal
from sync.messages import DeviceData, IssuedData, PrintedData

IGNORED: list[str] = []
CLEAN_FROM, CLEAN = 500, 25
WITHOUT_FROM, WITHOUT = 500, 10
FAULTS = (
    "messages_lost", "messages_doubled", "messages_reordered", "cuts", "connections_lost",
    "broker_restarts", "kills", "stops", "cards_put_back", "disks_put_back", "epochs_begun",
)  # fmt: skip

_ONE = """
import sys
from pathlib import Path
from simulator.prove import seeds
seeds.quiet()
outcome = seeds.live(int(sys.argv[1]), Path(sys.argv[2]))
print(outcome.digest, sorted(outcome.figures.items()))
"""


def test_some_seeds_are_clean(tmp_path: Path) -> None:
    said: list[str] = []
    options = ProveOptions(CLEAN, CLEAN_FROM, tmp_path)
    proof = seeds.run(options, said.append)
    assert proof.clean, proof.violations
    assert all(line.endswith(" 0 violations") for line in said), said  # a slow machine says more
    assert (proof.rounds, proof.details["seeds_violated"]) == (CLEAN, 0)
    # The faults did happen, or a clean result says nothing.
    for fault in FAULTS:
        assert proof.details[fault] > 0, fault
    assert proof.shown > 10 * CLEAN
    assert proof.stored > 0


def test_without_the_chain_events_are_lost(tmp_path: Path) -> None:
    said: list[str] = []
    options = ProveOptions(WITHOUT, WITHOUT_FROM, tmp_path, without=frozenset({"chain"}))
    proof = seeds.run(options, said.append)
    assert not proof.clean
    assert proof.lost > 0
    first = proof.violations[0].split(":")[0].removeprefix("seed ")
    assert said[1].strip() == (
        f"again: lobby prove seeds --rounds 1 --seed {first} --without chain"
    )


def test_the_command_that_is_printed_replays_the_seed(tmp_path: Path) -> None:
    without = frozenset({"chain"})
    many = seeds.run(
        ProveOptions(WITHOUT, WITHOUT_FROM, tmp_path, without=without), IGNORED.append
    )
    bad = next(v for v in many.violations if "not in the ledger" in v)
    seed = int(bad.split(":")[0].removeprefix("seed "))
    one = seeds.run(ProveOptions(1, seed, tmp_path, without=without), IGNORED.append)
    assert one.violations == [v for v in many.violations if v.startswith(f"seed {seed}:")]


def test_other_promises_cannot_be_switched_off(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"--without fsync: expected chain"):
        seeds.run(ProveOptions(1, 1, tmp_path, without=frozenset({"fsync"})), IGNORED.append)


def test_a_seed_is_the_same_in_every_process(tmp_path: Path) -> None:
    """Whatever the order of sets and dictionaries is there."""
    printed = {
        subprocess.run(
            [sys.executable, "-c", _ONE, "503", str(tmp_path)],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            check=True,
            capture_output=True,
            text=True,
            timeout=30,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(printed) == 1
    assert "('message_hops', " in printed.pop()


def test_two_processes_report_what_one_does(tmp_path: Path) -> None:
    reports = []
    for jobs in (1, 2):
        table = seeds.run(ProveOptions(6, 40, tmp_path, jobs), IGNORED.append).table()
        table["details"].pop("seeds_per_s")
        reports.append(json.dumps(table, sort_keys=True))
    assert reports[0] == reports[1]


def test_nothing_stays_behind(tmp_path: Path) -> None:
    seeds.live(1, tmp_path)
    assert list(tmp_path.iterdir()) == []


# --- the oracle ---------------------------------------------------------------------------------


def _ledgers(folder: Path) -> tuple[Oracle, Path, Path]:
    """Four events of a kiosk, journalled, and committed at a server."""
    clock = system_clock()
    oracle = Oracle("branch")
    journal = Journal(folder / "journal.db", node="kiosk-1", clock=clock)
    store = Store(f"sqlite:///{folder / 'branch.db'}")
    issued = IssuedData(
        number="A1001", service="A", segment="normal", language="en",
        business_date="2026-01-01", band=1, request="r",
    )  # fmt: skip
    with journal.transaction() as transaction:
        ticket = transaction.append("ticket.issued", issued, sub="self").id
        transaction.append("ticket.printed", PrintedData(attempt=1, took_ms=9), sub=ticket)
        for detail in "ab":
            device = DeviceData(device="printer", kind="printer", state="ok", detail=detail)
            transaction.append("device.changed", device)
    for event in transaction.events:
        said = msgspec.to_builtins(event)
        oracle.said(
            "kiosk-1", event.id, {name: said.get(name) for name in ("type", "ts", "sub", "data")}
        )
    raws = [raw for _, raw in journal.after(0, 100)]
    with store.transaction() as connection:
        taken = Inbox().accept(connection, "kiosk-1", raws, clock.wall_ms())
        store.project(connection, taken.new)
    oracle.acknowledged(folder / "branch.db", "kiosk-1", 1, 4)
    journal.close()
    store.close()
    return oracle, folder / "branch.db", folder / "journal.db"


_GHOST = (
    "INSERT INTO event SELECT node, epoch, 9, 'ghost', type, sub, ts, received_at, 99, digest,"
    " CAST(replace(raw, id, 'ghost') AS BLOB) FROM event WHERE seq = 4"
)
_ASIDE = "INSERT INTO quarantine SELECT node, digest, 0, 'odd', raw FROM event WHERE seq = 4"


@pytest.mark.parametrize(
    ("file", "harm", "expected"),
    [
        ("server", "DELETE FROM event WHERE seq = 4", "1 committed, but no longer in the ledger"),
        ("server", _GHOST, "1 in the ledger, but nobody journalled them: ghost"),
        ("server", "UPDATE event SET ts = 1 WHERE seq = 2", "1 say something else"),
        ("server", "UPDATE event SET sub = NULL WHERE seq = 2", "1 say something else"),
        ("server", "UPDATE event SET digest = 'x' WHERE seq = 2", "1/3 has another link"),
        ("server", "UPDATE event SET seq = 7 WHERE seq = 4", "1/7 after 3"),
        ("server", "UPDATE event SET epoch = 2 WHERE seq = 1", "1/2 is the first"),
        ("server", "UPDATE node SET hw = 3", "1 journals whose end is not the server's mark"),
        ("server", "UPDATE node SET digest = 'x'", "1 journals whose end is not the server's"),
        ("server", "UPDATE ticket SET paper = 'pending'", "1 tickets of the table"),
        ("server", "UPDATE ticket SET number = 'A1002'", "1 tickets of the table"),
        ("server", "DELETE FROM ticket", "1 tickets of the table"),
        ("server", "INSERT INTO ticket SELECT 'x', number, business_date, service, segment,"
         " node, issued_at, paper, outcome, counter, called_at, started_at, ended_at FROM ticket",
         "1 tickets of the table"),
        ("server", _ASIDE, "1 set aside without a restore"),
        ("journal", "UPDATE event SET digest = 'x' WHERE seq = 2", "of the journal of kiosk-1"),
        ("journal", "UPDATE event SET epoch = 2", "1 more new epochs than restores"),
    ],
)  # fmt: skip
def test_the_oracle_sees(tmp_path: Path, file: str, harm: str, expected: str) -> None:
    oracle, server, journal = _ledgers(tmp_path)
    journals = {"kiosk-1": journal}
    assert oracle.judge(server, journals).sentences == []
    db = sqlite3.connect(server if file == "server" else journal)
    with db:
        db.execute(harm)
    db.close()
    said = " | ".join(oracle.judge(server, journals).sentences)
    assert expected in said


def test_the_oracle_owes_what_no_file_has_to_nobody(tmp_path: Path) -> None:
    """Put back on one side the event must come again, put back on both it is gone."""
    oracle, server, journal = _ledgers(tmp_path)
    db = sqlite3.connect(server)
    with db:
        db.execute("DELETE FROM event WHERE seq = 4")
    db.close()
    oracle.server_restored(server, [journal])
    assert len(oracle.missing(server)) == 1
    db = sqlite3.connect(journal)
    with db:
        db.execute("DELETE FROM event WHERE seq = 4")
    db.close()
    assert len(oracle.card_restored("kiosk-1", journal)) == 3
    assert oracle.missing(server) == set()
    assert oracle.judge(server, {"kiosk-1": journal}).lost == 0


def test_the_oracle_sees_an_ack_before_its_commit(tmp_path: Path) -> None:
    oracle, server, _ = _ledgers(tmp_path)
    oracle.acknowledged(server, "kiosk-1", 1, 5)
    oracle.acknowledged(server, "kiosk-1", 2, 1)
    oracle.acknowledged(server, "kiosk-2", 1, 1)
    assert len(oracle.early_acks) == 3
