"""Power cuts on real recordings: clean as the product is, and full of losses where it syncs less.

The figures of a run are in its report; here it is only short.
"""

import random
import sqlite3
from pathlib import Path

import pytest

from simulator.errors import BadInput
from simulator.prove.disk import VARIANTS
from simulator.prove.disk_replay import Boundary
from simulator.prove.powercut import _choose, check_image, make_images, make_recording, run
from simulator.prove.powercut_check import Promises, check_branch, check_kiosk
from simulator.prove.powercut_program import JOURNAL, STORE, run_branch, run_kiosk
from simulator.prove.proof import Proof, ProveOptions

SEED = 11


def prove(folder: Path, *without: str) -> Proof:
    return run(ProveOptions(60, SEED, folder, without=frozenset(without)), lambda _: None)


def test_nothing_that_was_told_is_lost(tmp_path):
    proof = prove(tmp_path)
    assert proof.clean, proof.violations
    assert proof.shown == proof.stored > 1000
    for side in ("kiosk", "branch"):
        table = proof.details[side]
        assert sum(table["images_by_variant"].values()) == table["images"] >= 24
        assert set(table["images_by_variant"]) == set(VARIANTS)
        assert table["corrupt"] == 0


def test_without_fsync_it_finds_losses(tmp_path):
    proof = prove(tmp_path, "fsync")
    assert not proof.clean
    for side in ("kiosk", "branch"):
        assert proof.details[side]["rows_lost"] > 0
    assert proof.lost == proof.shown - proof.stored > 0
    assert proof.doubled > 0
    assert any("told and lost: " in sentence for sentence in proof.violations)


def test_another_promise_to_switch_off_is_refused(tmp_path):
    with pytest.raises(BadInput, match="powercut knows fsync"):
        prove(tmp_path, "chain")


# --- what is recorded --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def kiosk_recording(tmp_path_factory):
    return make_recording("kiosk", tmp_path_factory.mktemp("rec"), SEED, without_fsync=False)


def test_the_recording_holds_what_a_kiosk_does_to_its_journal(kiosk_recording):
    calls = {boundary.call for boundary in kiosk_recording.boundaries}
    assert {
        f"fdatasync {JOURNAL}-wal", f"fdatasync {JOURNAL}", f"unlink {JOURNAL}-wal",
        f"ftruncate {JOURNAL}", f"ftruncate {JOURNAL}-wal", f"pwrite64 {JOURNAL}", "fdatasync .",
        f"fallocate {JOURNAL}.reserve", f"create {JOURNAL}.lock", "told",
    } <= calls  # fmt: skip
    promises = Promises.read(kiosk_recording.told)
    assert promises.epoch == 2
    assert promises.connect == 6
    assert promises.may_go
    assert len(promises.numbers) == 60


def test_images_are_different_and_as_many_as_wanted(kiosk_recording):
    images = list(make_images(kiosk_recording, 200, SEED))
    assert 200 <= len(images) <= 320
    told = {(*sorted(image.files.items()), image.told) for image in images}
    assert len(told) >= len(images) * 0.99  # rubbish in -shm is not part of a difference
    assert images[-1].boundary > len(kiosk_recording.boundaries) * 0.9
    again = list(make_images(kiosk_recording, 200, SEED))
    assert again == images


def test_an_image_of_rubbish_is_corrupt_and_all_is_lost(kiosk_recording, tmp_path):
    *_, last = make_images(kiosk_recording, 10, SEED)
    pages = random.Random(SEED).randbytes(8192)
    last.files.clear()
    last.files[JOURNAL] = (b"SQLite format 3\0" + pages, 8208)
    found = check_image(last, tmp_path)
    assert found.corrupt
    assert len(found.lost) == found.shown > 0
    assert found.stored == 0


def test_half_of_the_boundaries_lie_next_to_what_is_more_than_a_write():
    boundaries = [Boundary("sync" if i % 50 == 49 else "write", str(i)) for i in range(1000)]
    chosen = _choose(boundaries, set(), 60)
    assert len(chosen) == 20
    assert sum(i % 50 in (48, 49) for i in chosen) >= 10
    other = _choose(boundaries, chosen, 60)
    assert not chosen & other
    assert _choose(boundaries, set(), 10_000) == set(range(1000))


# --- the judge ---------------------------------------------------------------------------------


def worked(side: str, folder: Path) -> Promises:
    """Run a program here, whole and without a cut; what it told."""
    told: list[bytes] = []

    def tell(**line: object) -> None:
        told.append(repr(line).replace("'", '"').encode())

    {"kiosk": run_kiosk, "branch": run_branch}[side](folder, SEED, tell)
    return Promises.read(b"\n".join(told))


def spoil(path: Path, *statements: str) -> None:
    db = sqlite3.connect(path)
    for statement in statements:
        db.execute(statement)
    db.commit()
    db.close()


def test_files_without_a_cut_are_right(tmp_path):
    for side, check in (("kiosk", check_kiosk), ("branch", check_branch)):
        folder = tmp_path / side
        folder.mkdir()
        promises = worked(side, folder)
        found = check(folder, promises)
        assert (found.lost, found.doubled, found.ghosts, found.corrupt, found.wrong) == (
            [], [], [], "", [],
        )  # fmt: skip
        assert found.stored == found.shown > 50


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("DELETE FROM event WHERE seq = (SELECT max(seq) FROM event)", "lost"),
        ("DELETE FROM event WHERE seq = (SELECT max(seq) - 5 FROM event)", "does not follow"),
        (
            "UPDATE event SET raw = CAST(replace(raw, 'took_ms', 'TOOK_MS') AS BLOB)",
            "is not what",
        ),
        ("UPDATE number SET last = last - 1", "given again"),
        ("UPDATE number SET last = last + 1", "table of numbers"),
        ("UPDATE meta SET value = '2' WHERE name = 'connect'", "connect 3 again"),
        ("UPDATE meta SET value = '1' WHERE name = 'epoch'", "epoch 1, 2 had begun"),
        ("DROP TABLE number", "corrupt"),
    ],
)
def test_a_spoilt_journal_is_noticed(tmp_path, statement, says):
    promises = worked("kiosk", tmp_path)
    spoil(tmp_path / JOURNAL, statement)
    found = check_kiosk(tmp_path, promises)
    said = [*found.wrong, "lost" * bool(found.lost), "given again" * bool(found.doubled)]
    assert any(says in sentence for sentence in [*said, "corrupt" * bool(found.corrupt)]), found


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("DELETE FROM event WHERE node = 'kiosk-1' AND seq = 3", "does not follow"),
        ("UPDATE node SET hw = hw - 1 WHERE node = 'kiosk-2'", "marks"),
        ("DELETE FROM ticket WHERE rowid = 5", "1 tickets in the ledger or table only"),
        ("UPDATE about SET value = 'x' WHERE name = 'server_gen'", "another server_gen"),
        ("DROP TABLE node", "marks"),
    ],
)
def test_a_spoilt_store_is_noticed(tmp_path, statement, says):
    promises = worked("branch", tmp_path)
    spoil(tmp_path / STORE, statement)
    found = check_branch(tmp_path, promises)
    assert any(says in sentence for sentence in found.wrong), found


def test_events_that_nobody_was_told_of(tmp_path):
    promises = worked("kiosk", tmp_path)
    two = set(sorted(promises.kept)[-2:])
    promises.ids -= two
    promises.coming = set()
    assert set(check_kiosk(tmp_path, promises).ghosts) == two


def test_a_commit_that_is_there_in_part(tmp_path):
    promises = worked("branch", tmp_path)
    two = set(sorted(promises.kept)[-2:])
    promises.ids -= two
    promises.coming = two | {"a third"}
    found = check_branch(tmp_path, promises)
    assert found.ghosts == []
    assert any("2 of the 3 events of one commit" in sentence for sentence in found.wrong)
