"""The disk that forgets: what an image may hold after each call, and what it must."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given, strategies as st

from simulator.prove.disk import SECTOR_BYTES, VARIANTS, Allocate, Disk, Resize, Write, Zero

CHANCE = random.Random(1)


def durable(disk: Disk) -> dict[str, bytes]:
    return disk.image("dropped", CHANCE)


def live(disk: Disk) -> dict[str, bytes]:
    return {name: bytes(file.live) for name, file in disk.names.items()}


def synced(*names: str) -> Disk:
    """A disk on which these names are certain, each file holding its own name."""
    disk = Disk()
    for name in names:
        file = disk.create(name)
        disk.change(file, Write(0, name.encode()))
        disk.sync_file(file)
    disk.sync_folder()
    return disk


# --- content -----------------------------------------------------------------------------------


def test_a_write_is_certain_after_fsync_only():
    disk = synced("a")
    disk.change(disk.names["a"], Write(0, b"B"))
    assert live(disk) == {"a": b"B"}
    assert durable(disk) == {"a": b"a"}
    disk.sync_file(disk.names["a"])
    assert durable(disk) == {"a": b"B"}
    assert not disk.pending


def test_fsync_keeps_this_file_only():
    disk = synced("a", "b")
    for name in "ab":
        disk.change(disk.names[name], Write(0, b"X"))
    disk.sync_file(disk.names["a"])
    assert durable(disk) == {"a": b"X", "b": b"b"}


@pytest.mark.parametrize(
    ("change", "after"),
    [
        (Write(2, b"XY"), b"01XY456789"),
        (Write(9, b"XY"), b"012345678XY"),
        (Write(12, b"X"), b"0123456789\0\0X"),
        (Resize(3), b"012"),
        (Resize(12), b"0123456789\0\0"),
        (Allocate(0, 4), b"0123456789"),
        (Allocate(8, 4), b"0123456789\0\0"),
        (Zero(8, 4), b"01234567\0\0"),
        (Zero(20, 4), b"0123456789"),
    ],
)
def test_each_change(change, after):
    disk = Disk()
    file = disk.create("a")
    disk.change(file, Write(0, b"0123456789"))
    disk.sync_all()
    disk.change(file, change)
    assert live(disk) == {"a": after}
    assert disk.image("kept", CHANCE) == {"a": after}
    assert durable(disk) == {"a": b"0123456789"}
    disk.sync_file(file)
    assert durable(disk) == {"a": after}


def test_a_truncation_may_be_kept_without_the_write_before_it():
    disk = synced("a")
    disk.change(disk.names["a"], Write(0, b"longer"))
    disk.change(disk.names["a"], Resize(3))
    assert disk.image("reordered", CHANCE) == {"a": b"a\0\0"}


def test_a_later_write_may_be_kept_without_the_earlier_one():
    disk = synced("a")
    disk.change(disk.names["a"], Write(0, b"1"))
    disk.change(disk.names["a"], Write(2, b"2"))
    assert disk.image("reordered", CHANCE) == {"a": b"a\x002"}


def test_a_torn_write_ends_at_a_sector_of_the_file():
    disk = Disk()
    file = disk.create("a")
    disk.change(file, Write(0, b"." * 2000))
    disk.sync_all()
    disk.change(file, Write(100, b"X" * 1500))
    ends = {disk.image("torn", random.Random(seed))["a"].rindex(b"X") + 1 for seed in range(40)}
    assert ends == {SECTOR_BYTES, 2 * SECTOR_BYTES, 3 * SECTOR_BYTES}


def test_a_write_within_a_sector_is_not_torn():
    assert Write(10, b"x" * 502).torn(CHANCE) == Write(10, b"x" * 502)


def test_an_open_file_without_a_name_is_gone_after_the_cut():
    disk = synced("a")
    file = disk.names["a"]
    disk.unlink("a")
    disk.change(file, Write(0, b"X"))
    disk.sync_file(file)
    assert durable(disk) == {"a": b"X"}
    assert disk.image("kept", CHANCE) == {}


# --- names -------------------------------------------------------------------------------------


def test_a_name_is_certain_after_fsync_of_the_folder_only():
    disk = Disk()
    file = disk.create("a")
    disk.change(file, Write(0, b"A"))
    disk.sync_file(file)
    assert durable(disk) == {}
    disk.sync_folder()
    assert durable(disk) == {"a": b"A"}


def test_fsync_of_the_folder_keeps_no_content():
    disk = Disk()
    disk.change(disk.create("a"), Write(0, b"A"))
    disk.sync_folder()
    assert durable(disk) == {"a": b""}


def test_an_unlinked_name_may_be_there_again():
    disk = synced("a", "b")
    disk.unlink("a")
    assert durable(disk) == {"a": b"a", "b": b"b"}
    disk.sync_folder()
    assert durable(disk) == {"b": b"b"}


def test_a_name_made_again_may_be_the_old_file():
    disk = synced("a")
    disk.unlink("a")
    file = disk.create("a")
    disk.change(file, Write(0, b"new"))
    disk.sync_file(file)
    assert durable(disk) == {"a": b"a"}
    assert disk.image("kept", CHANCE) == {"a": b"new"}


def test_a_rename_is_whole_or_not_at_all():
    disk = synced("old", "new")
    disk.rename("old", "new")
    assert live(disk) == {"new": b"old"}
    images = [disk.image(variant, random.Random(s)) for variant in VARIANTS for s in range(20)]
    assert {tuple(sorted(image.items())) for image in images} == {
        (("new", b"new"), ("old", b"old")),
        (("new", b"old"),),
    }


def test_a_rename_to_the_same_file_changes_nothing():
    disk = synced("a")
    disk.link("a", "b")
    disk.sync_folder()
    disk.rename("a", "b")
    assert live(disk) == {"a": b"a", "b": b"a"}


def test_what_is_not_there_cannot_be_renamed_or_unlinked():
    for wrong in (
        lambda d: d.rename("x", "y"),
        lambda d: d.unlink("x"),
        lambda d: d.link("x", "y"),
    ):
        with pytest.raises(KeyError):
            wrong(Disk())


def test_an_unknown_variant_is_refused():
    with pytest.raises(ValueError, match="expected one of dropped"):
        Disk().image("half", CHANCE)


# --- everything at once ------------------------------------------------------------------------

Step = Callable[[Disk], None]
NAMES = st.sampled_from("abc")
CHANGES = st.one_of(
    st.builds(Write, st.integers(0, 1500), st.binary(min_size=1, max_size=1200)),
    st.builds(Resize, st.integers(0, 2000)),
    st.builds(Allocate, st.integers(0, 1500), st.integers(1, 500)),
    st.builds(Zero, st.integers(0, 1500), st.integers(1, 500)),
)


def _change(name: str, change: Write) -> Step:
    return lambda disk: disk.change(disk.names.get(name) or disk.create(name), change)


def _sync(name: str) -> Step:
    return lambda disk: disk.sync_file(disk.names[name]) if name in disk.names else None


def _rename(old: str, new: str) -> Step:
    return lambda disk: disk.rename(old, new) if old in disk.names else None


def _unlink(name: str) -> Step:
    return lambda disk: disk.unlink(name) if name in disk.names else None


STEPS = st.lists(
    st.one_of(
        st.builds(_change, NAMES, CHANGES),
        st.builds(_sync, NAMES),
        st.builds(_rename, NAMES, NAMES),
        st.builds(_unlink, NAMES),
        st.just(Disk.sync_folder),
    ),
    max_size=25,
)


@given(STEPS, st.integers(0, 2**32))
def test_all_kept_is_what_the_program_saw_and_sync_leaves_no_choice(steps, seed):
    disk = Disk()
    for step in steps:
        step(disk)
    assert disk.image("kept", random.Random(seed)) == live(disk)
    disk.sync_all()
    assert not disk.pending
    for variant in VARIANTS:
        assert disk.image(variant, random.Random(seed)) == live(disk)


@given(STEPS, st.integers(0, 2**32))
def test_an_image_changes_nothing_and_is_the_same_by_its_seed(steps, seed):
    disk = Disk()
    for step in steps:
        step(disk)
    before = live(disk), durable(disk), disk.pending
    for variant in VARIANTS:
        first, again = (disk.image(variant, random.Random(seed)) for _ in range(2))
        assert first == again
    assert (live(disk), durable(disk), disk.pending) == before
