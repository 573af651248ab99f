"""The guide's keys on a pad: told at once or not at all."""

import pytest
from hypothesis import given, strategies as st

from firmware.pad import link, pad, strokes
from tests.firmware.core_bench import BOOT, HOST, Bench

PREVIOUS, NEXT, SELECT, REPEAT = 1, 2, 3, 4
DOWN, UP = True, False
LAMPS = 0b1111


class KeysBench(Bench):
    """A pad in the role of keys, greeted; the host acknowledges strokes while ``takes``."""

    def __init__(self, *, greeted: bool = True) -> None:
        super().__init__()
        hello = link.Hello(b"pad", "0.1.0", "core", link.GUIDE)
        self.pad = pad.Pad(BOOT, hello, self.now)
        self.takes = True
        self._taken = 0
        if greeted:
            self.greet()

    def turn(self) -> None:
        super().turn()
        for frame in self.of(link.STROKE)[self._taken :]:
            self._taken += 1
            if self.takes:
                self.host(link.ACK, boot_id=BOOT, seq=frame.seq)
                super().turn()

    def strokes(self) -> list[tuple[int, int, bool]]:
        """(sequence, key, down) of all STROKE frames, repeats left out."""
        seen: dict[int, tuple[int, bool]] = {}
        for frame in self.of(link.STROKE):
            key, down, _ = link.unpack_stroke(frame.body)
            assert seen.setdefault(frame.seq, (key, down)) == (key, down)
        return [(seq, *seen[seq]) for seq in seen]

    def moves(self) -> list[tuple[int, bool]]:
        return [(key, down) for _, key, down in self.strokes()]

    def tones(self) -> int:
        """How many error tones were due since the last call."""
        found = self.pad.take_tone()
        assert self.pad.take_tone() == pad.SILENCE
        assert found in (pad.SILENCE, pad.ERROR_TONE)
        return int(found == pad.ERROR_TONE)


@pytest.fixture
def bench() -> KeysBench:
    return KeysBench()


def test_each_key_is_told_down_and_up_once_in_order(bench):
    for key in (PREVIOUS, NEXT, SELECT, REPEAT):
        bench.press(key)
    assert bench.moves() == [(key, down) for key in (1, 2, 3, 4) for down in (DOWN, UP)]
    assert [seq for seq, _, _ in bench.strokes()] == [strokes.FIRST_SEQ + n for n in range(1, 9)]
    assert len(bench.of(link.STROKE)) == 8
    assert (bench.presses(), bench.pad.kept, bench.tones(), bench.pad.ignored) == ({}, 0, 0, 0)


def test_a_stroke_is_told_within_the_debouncing(bench):
    bench.keys = 1 << (SELECT - 1)
    bench.run(pad.SAMPLE_MS * pad.SAMPLES_TO_SETTLE)
    (frame,) = bench.of(link.STROKE)
    assert link.unpack_stroke(frame.body) == (SELECT, DOWN, 0)


def test_two_keys_at_a_time_are_two_strokes_each(bench):
    bench.keys = 0b1010
    bench.run(60)
    bench.keys = 0b1000
    bench.run(60)
    bench.keys = 0
    bench.run(60)
    assert bench.moves() == [(NEXT, DOWN), (REPEAT, DOWN), (NEXT, UP), (REPEAT, UP)]


def test_the_next_stroke_waits_for_the_one_before(bench):
    bench.takes = False
    bench.press(NEXT)
    bench.run(250)
    assert bench.moves() == [(NEXT, DOWN)]
    assert [link.unpack_stroke(f.body)[2] for f in bench.of(link.STROKE)] == [0, 100, 200, 300]
    bench.acknowledge(strokes.FIRST_SEQ + 1)
    assert bench.moves() == [(NEXT, DOWN), (NEXT, UP)]
    bench.acknowledge(strokes.FIRST_SEQ + 1)
    assert bench.pad.ignored == 1, "the ACK of a stroke that is over"


def test_what_nobody_takes_is_dropped_after_a_second_with_a_tone_and_never_told_later(bench):
    bench.takes = False
    bench.press(SELECT)
    assert bench.tones() == 0
    bench.run(strokes.LIFE_MS)
    assert bench.tones() == 1
    ages = [link.unpack_stroke(f.body)[2] for f in bench.of(link.STROKE) if f.body[1]]
    assert max(ages) < strokes.LIFE_MS
    bench.sent.clear()
    bench.takes = True
    bench._taken = 0
    bench.run(10_000)
    assert bench.moves() == [(SELECT, UP)], "a host that has it held lets it go"


def test_keys_that_pile_up_are_dropped_and_ups_do_not(bench):
    bench.takes = False
    for _ in range(30):
        bench.press(NEXT)
        assert len(bench.pad._strokes._strokes) <= strokes.MAX_STROKES + 1
    assert bench.tones() == 1
    bench.sent.clear()
    bench._taken = 0
    bench.takes = True
    bench.run(3_000)
    downs = [down for _, down in bench.moves()]
    assert downs == [down for at, down in enumerate(downs) if not at or down != downs[at - 1]]
    assert not downs[-1]
    assert sum(downs) <= strokes.MAX_STROKES // 2


def test_a_key_dropped_while_it_is_held_is_not_told_up(bench):
    bench.takes = False
    bench.press(PREVIOUS)
    bench.press(NEXT)
    bench.keys = 0b1001
    bench.run(60)
    bench.keys = 0b1000
    bench.run(strokes.LIFE_MS + 100)
    bench.takes = True
    bench.keys = 0
    bench.run(500)
    assert bench.moves() == [(PREVIOUS, DOWN), (PREVIOUS, UP)], "the other was never told"


def test_an_up_is_given_up_too(bench):
    bench.takes = False
    bench.press(SELECT)
    bench.run(strokes.UP_LIFE_MS + strokes.LIFE_MS)
    bench.sent.clear()
    bench.run(3_000)
    assert bench.of(link.STROKE) == []
    assert not bench.pad._strokes.waiting


def test_a_key_that_nobody_hears_is_a_tone_at_once():
    lonely = KeysBench(greeted=False)
    lonely.press(NEXT)
    assert (lonely.tones(), lonely.pad.leds) == (1, 0)
    lonely.greet()
    lonely.run(3_000)
    assert lonely.strokes() == []
    assert lonely.pad.leds == LAMPS


def test_a_host_that_is_lost_takes_its_strokes_along(bench):
    bench.takes = False
    bench.answers_pings = False
    bench.run(pad.HOST_SILENT_MS - 300)
    bench.press(SELECT, hold_ms=500)
    assert bench.pad.greeting == pad.CALLING
    bench.takes = True
    bench.sent.clear()
    bench._taken = 0
    bench.greet()
    bench.run(3_000)
    assert bench.strokes() == []
    assert bench.tones() == 1


def test_a_key_held_before_anybody_hears_is_no_stroke():
    lonely = KeysBench(greeted=False)
    lonely.keys = 0b0010
    lonely.run(60)
    lonely.greet()
    lonely.run(3_000)
    lonely.keys = 0
    lonely.run(60)
    assert lonely.strokes() == []


def test_a_stuck_key_is_told_up_and_left_out(bench):
    bench.keys = 1 << (NEXT - 1)
    bench.run(pad.STUCK_MS + 100)
    assert bench.moves() == [(NEXT, DOWN), (NEXT, UP)]
    bench.press(SELECT)
    bench.keys = 0
    bench.run(100)
    assert bench.moves()[2:] == [(SELECT, DOWN), (SELECT, UP)]


def test_lamps_say_that_the_keys_are_heard_and_which_is_held(bench):
    assert bench.pad.leds == LAMPS
    bench.keys = 1 << (SELECT - 1)
    bench.run(60)
    assert bench.pad.leds == 0b1011
    bench.keys = 0
    bench.run(60)
    assert bench.pad.leds == LAMPS
    bench.answers_pings = False
    bench.run(pad.HOST_SILENT_MS + pad.BEAT_MS)
    assert bench.pad.leds == 0


def test_the_role_takes_no_command_of_the_others(bench):
    bench.arm()
    assert link.unpack_done(bench.of(link.DONE)[-1].body) == link.REFUSED
    bench.press(5)
    assert (bench.moves(), bench.pad.ignored) == ([], 1)
    assert (bench.pad.text, bench.pad.digits) == (pad.NO_TEXT, b"")
    assert bench.pad.kept == 0


def test_firmware_waits_while_a_key_is_used():
    seen = []

    class Slots:
        switched = False

        def take(self, kind: int, body: bytes, rating: bool) -> bytes:
            seen.append(rating)
            return link.pack_progress(link.GO_ON)

    used = KeysBench()
    used.pad._keyed = True
    used.pad.updates = Slots()
    for seq, keys in ((1, 0), (2, 0b100), (3, 0)):
        used.keys = keys
        used.run(60)
        used.host(link.ABANDON, boot_id=HOST, seq=seq)
    assert seen == [False, True, False]


@given(st.integers(1, 4), st.booleans(), st.integers(0, link.U32_MAX))
def test_stroke_bodies_come_back(key, down, age_ms):
    assert link.unpack_stroke(link.pack_stroke(key, down, age_ms)) == (key, down, age_ms)


@pytest.mark.parametrize(
    "body", [b"\x00\x01" + bytes(4), b"\x05\x01" + bytes(4), b"\x01\x02" + bytes(4), bytes(5)]
)
def test_stroke_bodies_that_cannot_be(body):
    with pytest.raises(link.BadBody, match="STROKE"):
        link.unpack_stroke(body)
    with pytest.raises(link.BadBody, match="STROKE"):
        link.pack_stroke(5, True, 0)
