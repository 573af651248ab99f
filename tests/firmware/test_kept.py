"""Presses on flash: images, when one is saved, and what a power cut leaves."""

import pytest
from hypothesis import given, strategies as st

from firmware.pad import kept, link, pad, state
from hal.sim.pad import micropython_path
from tests.firmware.core_bench import BOOT, HELLO, Bench
from tests.firmware.test_two_interpreters import run

CUTS = 200
U30 = st.integers(0, (1 << 30) - 1)
PRESS = st.builds(
    kept.Kept,
    st.integers(0, link.U32_MAX),
    st.integers(1, link.U32_MAX),
    st.integers(0, link.U32_MAX),
    st.integers(1, 5),
    U30,
)


def names(store: kept.Store) -> list[tuple[int, int, int, int]]:
    return [(press.boot_id, press.seq, press.nonce, press.score) for press in store.presses]


def filled(presses: list[kept.Kept]) -> kept.Store:
    store = kept.Store()
    for press in presses:
        store.add(press)
    return store


# --- the image -----------------------------------------------------------------------------


@given(st.lists(PRESS, max_size=40), U30, U30)
def test_an_image_comes_back_with_its_ages(presses, now_ms, later_ms):
    store = filled(presses)
    store.limit_ages(now_ms)
    image = store.image(now_ms)
    assert len(image) <= kept.MAX_IMAGE
    again = kept.Store()
    assert again.load(image, later_ms)
    assert names(again) == names(store)
    for before, after in zip(store.presses, again.presses, strict=True):
        age_ms = pad.ticks_diff(now_ms, before.pressed_at)
        assert pad.ticks_diff(later_ms, after.pressed_at) == max(age_ms, 0)
        assert after.saved
        assert after.restored


@given(st.lists(PRESS, max_size=4), st.data())
def test_no_damaged_image_is_taken(presses, data):
    image = bytearray(filled(presses).image(0))
    if data.draw(st.booleans()):
        image[data.draw(st.integers(0, len(image) - 1))] ^= data.draw(st.integers(1, 255))
    else:
        image = image[: data.draw(st.integers(0, len(image) - 1))]
    store = kept.Store()
    assert not store.load(bytes(image), 0)
    assert not store.presses


# --- when ------------------------------------------------------------------------------------


def test_a_press_that_the_host_takes_at_once_is_never_saved():
    store = filled([kept.Kept(1, 1, 7, 3, 1_000)])
    assert store.save_in_ms(1_100, 2_000) == kept.SAVE_ARMED_MS - 100
    store.forget(1, 1, 1_200)
    assert store.save_in_ms(1_200, 100_000) == 100_000


@pytest.mark.parametrize(
    ("nonce", "wait_ms"), [(7, kept.SAVE_ARMED_MS), (0, kept.SAVE_UNASKED_MS)]
)
def test_a_press_costs_at_most_two_saves(nonce, wait_ms):
    store = filled([kept.Kept(1, 1, nonce, 3, 0)])
    assert store.save_in_ms(wait_ms - 1, 100_000) == 1
    assert store.save_in_ms(wait_ms, 100_000) == 0
    store.saved()
    assert store.save_in_ms(wait_ms, 100_000) == 100_000
    store.forget(1, 1, 10_000)
    assert store.save_in_ms(10_000, 100_000) == kept.CLEAN_MS
    assert store.save_in_ms(10_000 + kept.CLEAN_MS, 100_000) == 0
    store.saved()
    assert store.save_in_ms(10_000 + kept.CLEAN_MS, 100_000) == 100_000


def test_one_save_holds_all_that_waits():
    store = filled([kept.Kept(1, seq, 7, 3, 100 * seq) for seq in range(1, 5)])
    assert store.save_in_ms(600, 2_000) == 0
    store.saved()
    assert store.save_in_ms(60_000, 2_000) == 2_000


# --- on a disk -------------------------------------------------------------------------------


def test_a_saver_waits_for_an_idle_line_and_saves_once(tmp_path):
    store = filled([kept.Kept(1, 1, 7, 3, 0)])
    saver = state.Saver(str(tmp_path), store, 0)
    assert saver.turn(100, 2_000) == kept.SAVE_ARMED_MS - 100
    saver.heard(kept.SAVE_ARMED_MS - 5)
    assert saver.turn(kept.SAVE_ARMED_MS, 2_000) == state.IDLE_LINE_MS - 5
    assert (tmp_path / state.PRESSES_FILE).exists() is False
    assert saver.turn(kept.SAVE_ARMED_MS + 15, 2_000) == 0
    assert (saver.saves, saver.turn(kept.SAVE_ARMED_MS + 15, 2_000)) == (1, 2_000)
    again = kept.Store()
    assert not state.Saver(str(tmp_path), again, 0).damaged
    assert names(again) == names(store)


def test_a_quiet_week_does_not_look_like_a_busy_line(tmp_path):
    store = kept.Store()
    saver = state.Saver(str(tmp_path), store, 0)
    now_ms = 0
    for _ in range(30):
        now_ms = pad.ticks_add(now_ms, 60_000_000)
        saver.turn(now_ms, 2_000)
    store.add(kept.Kept(1, 1, 7, 3, now_ms))
    now_ms = pad.ticks_add(now_ms, kept.SAVE_ARMED_MS)
    assert saver.turn(now_ms, 2_000) == 0
    assert saver.saves == 1


def test_flash_that_takes_nothing_is_counted_and_tried_again(tmp_path):
    store = filled([kept.Kept(1, 1, 7, 3, 0)])
    folder = tmp_path / "gone"
    saver = state.Saver(str(folder), store, 0)
    assert saver.turn(1_000, 2_000) == 0
    assert (saver.failures, store.presses[0].saved) == (1, False)
    assert saver.turn(1_001, 2_000) == 2_000
    folder.mkdir()
    assert saver.turn(1_000 + state.SAVE_AGAIN_MS, 2_000) == 0
    assert saver.saves == 1


def test_a_damaged_file_is_said_and_not_taken(tmp_path):
    (tmp_path / state.PRESSES_FILE).write_bytes(b"LP\x01\x01rubbish")
    store = kept.Store()
    assert state.Saver(str(tmp_path), store, 0).damaged
    assert not store.presses


def test_a_key_of_another_size_is_no_key(tmp_path):
    assert state.key(str(tmp_path)) is None
    for size, found in ((31, False), (32, True), (33, False)):
        (tmp_path / state.KEY_FILE).write_bytes(bytes(size))
        assert (state.key(str(tmp_path)) is not None) == found


# --- in the pad --------------------------------------------------------------------------------


def test_a_press_comes_after_a_power_cut_under_its_old_name():
    bench = Bench().greet()
    bench.arm(nonce=9)
    bench.press(2)
    bench.run(1_000)
    image = bench.pad.store.image(bench.now)
    after = Bench(start=5_000)
    after.pad = pad.Pad(BOOT + 1, HELLO, 5_000)
    after.pad.store.load(image, 5_000)
    after.turn()
    after.host(link.HELLO_ACK, link.pack_hello_ack(), boot_id=BOOT + 1, seq=1)
    after.turn()
    (frame,) = after.of(link.PRESS)
    nonce, score, age_ms, boot_id, flags = link.unpack_press(frame.body)
    assert (frame.boot_id, frame.seq, boot_id) == (BOOT + 1, 1, BOOT)
    assert (nonce, score, flags) == (9, 2, link.RESTORED)
    assert 1_000 <= age_ms < 1_200
    after.host(link.ACK, boot_id=BOOT + 1, seq=1)  # the same number, this boot: not this press
    assert after.pad.kept == 1
    after.host(link.ACK, boot_id=BOOT, seq=1)
    assert after.pad.kept == 0


@pytest.mark.micropython
def test_littlefs_gives_back_the_old_presses_or_the_new_wherever_power_fails(seed):
    lines = run(micropython_path(), "power", str(seed), str(CUTS))
    # The collector closes the files that a cut left open, and says that their flash is gone.
    assert set(lines) - {"OSError: [Errno 5] EIO"} == {f"cuts {CUTS} True True"}
