"""The pad's core under CPython: its two tables, row by row, and what holds on any path."""

import pytest
from hypothesis import assume, given, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from firmware.pad import boot, link, pad
from tests.firmware.core_bench import ALL, BOOT, HOST, WINDOW_MS, Bench


@pytest.fixture
def bench() -> Bench:
    return Bench().greet()


# --- ticks ---------------------------------------------------------------------------------


@given(st.integers(0, pad.TICKS_MASK), st.integers(0, pad.TICKS_HALF - 1))
def test_ticks_measure_across_the_wrap(start, delta):
    end = pad.ticks_add(start, delta)
    assert end == (start + delta) % (1 << 30)
    assert pad.ticks_diff(end, start) == delta
    assert pad.ticks_diff(start, end) == -delta


# --- the face ------------------------------------------------------------------------------


def test_armed_lights_all_and_one_press_counts(bench):
    assert bench.pad.leds == 0
    bench.arm(nonce=7)
    assert bench.pad.leds == ALL
    bench.press(4)
    assert bench.pad.leds == 0b01000
    assert bench.presses() == {1: (7, 4)}


def test_a_second_press_is_ignored_while_thanks_show(bench):
    bench.arm()
    bench.press(4)
    bench.press(1)
    assert bench.presses() == {1: (7, 4)}
    assert bench.pad.ignored == 1


def test_thanks_last_two_seconds_when_acknowledged_at_once(bench):
    bench.arm()
    bench.press(2)
    bench.acknowledge(1)
    bench.run(pad.THANKS_MS - 200)
    assert bench.pad.leds == 0b00010
    bench.run(200)
    assert bench.pad.leds == 0


def test_thanks_wait_for_the_acknowledgement_but_not_for_ever(bench):
    bench.arm()
    bench.press(2)
    bench.run(pad.THANKS_MS + 1_000)
    assert bench.pad.leds == 0b00010
    bench.acknowledge(1)
    assert bench.pad.leds == 0
    bench.arm(nonce=8)
    bench.press(3)
    bench.run(pad.THANKS_MAX_MS - 200)
    assert bench.pad.face == pad.PRESSED
    bench.run(200)
    assert (bench.pad.face, bench.pad.leds) == (pad.IDLE, 0)
    assert bench.pad.kept == 1


def test_only_a_safe_press_has_a_steady_lamp(bench):
    bench.arm()
    bench.press(2)  # 100 ms
    lit = []
    for _ in range(8):
        lit.append(bench.pad.leds)
        assert not bench.pad.accepted
        bench.run(250)
    assert lit == [0b10, 0] * 4
    bench.run(350)
    bench.pad.store.saved()
    bench.turn()
    assert not bench.pad.accepted  # shown for more than its two seconds: over at once
    assert bench.pad.face == pad.IDLE
    bench.arm()
    bench.press(2)
    bench.pad.store.saved()
    for _ in range(7):
        bench.run(250)
        assert (bench.pad.leds, bench.pad.accepted) == (0b10, True)


def test_the_window_ends_exactly(bench):
    bench.arm(window_ms=2_000)
    bench.run(1_999)
    assert bench.pad.face == pad.ARMED
    bench.run(1)
    assert (bench.pad.face, bench.pad.leds) == (pad.IDLE, 0)
    bench.press(5)
    assert bench.presses() == {1: (0, 5)}


def test_disarm_ends_the_window_but_not_the_thanks(bench):
    bench.arm()
    bench.disarm()
    assert bench.pad.leds == 0
    bench.disarm()
    bench.arm(nonce=9)
    bench.press(1)
    bench.disarm()
    assert bench.pad.leds == 0b00001
    assert [link.unpack_done(frame.body) for frame in bench.of(link.DONE)] == [link.OK] * 5
    assert [frame.seq for frame in bench.of(link.DONE)] == [1, 2, 3, 4, 5]


def test_arming_anew_replaces_nonce_window_and_thanks(bench):
    bench.arm(nonce=1, window_ms=1_000)
    bench.arm(nonce=2, window_ms=5_000)
    bench.run(1_500)
    bench.press(3)
    bench.arm(nonce=3)
    assert bench.pad.leds == ALL
    bench.press(5)
    assert bench.presses() == {1: (2, 3), 2: (3, 5)}


def test_a_repeated_command_is_answered_again_and_changes_nothing(bench):
    bench.arm(nonce=7)
    bench.press(4)
    bench.host(link.ARM, link.pack_arm(7, WINDOW_MS), seq=1)
    bench.turn()
    assert bench.pad.face == pad.PRESSED
    assert len(bench.of(link.DONE)) == 2
    bench.arm(nonce=8)
    bench.host(link.ARM, link.pack_arm(7, WINDOW_MS), seq=1)
    bench.press(2)
    assert bench.presses()[2] == (8, 2)
    assert len(bench.of(link.DONE)) == 3


def test_a_new_session_of_the_host_may_start_at_any_sequence(bench):
    bench.arm()
    bench.host(link.ARM, link.pack_arm(50, WINDOW_MS), boot_id=HOST + 1, seq=1)
    bench.turn()
    bench.press(2)
    assert bench.presses() == {1: (50, 2)}


# --- keys ----------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [1, 2, 3, 4, 5])
def test_every_key_gives_its_score(bench, key):
    bench.arm()
    bench.press(key)
    assert bench.presses() == {1: (7, key)}


def test_a_press_needs_four_equal_samples(bench):
    bench.arm()
    for _ in range(20):
        for level in (1, 1, 1, 0):
            bench.keys = level
            bench.run(pad.SAMPLE_MS)
    assert bench.presses() == {}
    bench.keys = 1
    bench.run(3 * pad.SAMPLE_MS)
    assert bench.presses() == {}
    bench.run(pad.SAMPLE_MS)
    assert bench.presses() == {1: (7, 1)}


def test_samples_closer_than_5_ms_do_not_count(bench):
    bench.arm()
    for _ in range(100):
        bench.pad.sample(1, bench.now)
    assert bench.pad.kept == 0


def test_two_keys_at_once_are_nobody_s_opinion(bench):
    bench.arm()
    bench.keys = 0b10001
    bench.run(100)
    bench.keys = 0
    bench.run(100)
    assert bench.presses() == {}
    assert (bench.pad.face, bench.pad.ignored) == (pad.ARMED, 2)
    bench.press(5)
    assert bench.presses() == {1: (7, 5)}


@pytest.mark.parametrize(("first", "second"), [(1, 5), (5, 1)])
def test_a_key_pressed_as_another_is_let_go_counts(bench, first, second):
    bench.arm(nonce=1)
    bench.keys = 1 << (first - 1)
    bench.run(60)
    bench.arm(nonce=2)
    bench.keys = 1 << (second - 1)
    bench.run(60)
    assert bench.presses() == {1: (1, first), 2: (2, second)}


def test_a_key_held_half_a_minute_is_stuck_reported_and_left_out(bench):
    bench.keys = 0b00100
    bench.run(pad.STUCK_MS)
    assert bench.pad.stuck == 0
    bench.run(2_100)
    assert bench.pad.stuck == 0b00100
    bench.run(pad.BEAT_MS)
    assert link.unpack_ping(bench.of(link.PING)[-1].body)[:2] == (link.FLAG_STUCK_KEY, 0b00100)
    bench.arm()
    bench.press(1)
    assert bench.presses()[2] == (7, 1)
    bench.keys = 0
    bench.run(40)
    assert bench.pad.stuck == 0


# --- presses nobody asked for, and the store --------------------------------------------------


def test_unasked_presses_are_kept_with_nonce_0_one_a_second(bench):
    bench.press(1)
    bench.press(2)
    bench.run(pad.UNSOLICITED_GAP_MS)
    bench.press(3)
    assert bench.presses() == {1: (0, 1), 2: (0, 3)}
    assert bench.pad.ignored == 1


def test_the_store_is_bounded_and_unasked_presses_take_half(bench):
    bench.answers_pings = True
    for _ in range(pad.MAX_UNSOLICITED_KEPT + 3):
        bench.press(1)
        bench.run(pad.UNSOLICITED_GAP_MS)
    assert (bench.pad.kept, bench.pad.dropped) == (pad.MAX_UNSOLICITED_KEPT, 3)
    for nonce in range(1, pad.MAX_KEPT - pad.MAX_UNSOLICITED_KEPT + 1):
        bench.arm(nonce)
        bench.press(5)
    assert (bench.pad.kept, bench.pad.dropped) == (pad.MAX_KEPT, 3)
    bench.arm(99)
    bench.press(5)
    assert (bench.pad.kept, bench.pad.dropped) == (pad.MAX_KEPT, 4)
    assert bench.pad.leds == ALL  # no thanks for what would be lost
    bench.run(pad.BEAT_MS)
    flags, _, kept, dropped, _ = link.unpack_ping(bench.of(link.PING)[-1].body)
    assert (flags, kept, dropped) == (link.FLAG_STORE_FULL, pad.MAX_KEPT, 4)


def test_a_press_is_repeated_with_the_same_name_until_acknowledged(bench):
    bench.arm()
    bench.press(3)
    bench.run(20_000)
    repeats = bench.of(link.PRESS)
    assert {(frame.boot_id, frame.seq) for frame in repeats} == {(BOOT, 1)}
    assert 10 < len(repeats) < 16
    ages = [link.unpack_press(frame.body)[2] for frame in repeats]
    assert ages == sorted(ages)
    assert ages[-1] > 17_000
    bench.acknowledge(1)
    bench.run(5_000)
    assert len(bench.of(link.PRESS)) == len(repeats)
    bench.acknowledge(1)
    assert bench.pad.ignored == 1


def test_acknowledging_one_press_keeps_the_others(bench):
    for nonce in (1, 2, 3):
        bench.arm(nonce)
        bench.press(nonce)
    bench.acknowledge(2)
    bench.sent.clear()
    bench.run(3_000)
    assert bench.presses() == {1: (1, 1), 3: (3, 3)}


def test_a_press_grows_old_but_never_young_again(bench):
    bench.answers_pings = False
    bench.arm()
    bench.press(3)
    for _ in range(7):  # of 15 hours in one step: more than once around the wrap of 12 days
        for _ in range(32):
            bench.now = pad.ticks_add(bench.now, 54_000_000)
            bench.turn()
        bench.greet()
    ages = [link.unpack_press(frame.body)[2] for frame in bench.of(link.PRESS)]
    assert ages == sorted(ages)
    assert pad.AGE_MAX_MS <= ages[-1] < 1.3 * pad.AGE_MAX_MS


# --- the greeting --------------------------------------------------------------------------


def test_hello_is_repeated_fast_then_slowly():
    bench = Bench()
    bench.turn()
    bench.run(pad.HELLO_FAST_MS * pad.FAST_HELLOS)
    assert len(bench.of(link.HELLO)) == pad.FAST_HELLOS
    bench.sent.clear()
    bench.run(20_000)
    assert len(bench.of(link.HELLO)) == 10
    assert link.unpack_hello(bench.sent[0].body) == link.Hello(b"pad", "0.1.0", "core")


def test_before_the_greeting_presses_wait_and_commands_are_ignored():
    bench = Bench()
    bench.press(2)
    bench.arm()
    assert (bench.pad.leds, bench.pad.ignored) == (0, 1)
    assert [frame.kind for frame in bench.sent] == [link.HELLO, link.HELLO]
    assert bench.presses() == {}
    bench.greet()
    assert bench.presses() == {1: (0, 2)}


def test_a_host_of_another_version_is_not_served():
    bench = Bench()
    for body in (link.pack_hello_ack(link.REFUSED), link.pack_hello_ack(link.OK, protocol=1)):
        bench.turn()
        bench.host(link.HELLO_ACK, body, boot_id=BOOT, seq=1)
        bench.sent.clear()
        bench.run(20_000)
        assert (bench.pad.greeting, len(bench.sent)) == (pad.CALLING, 10)


def test_who_brings_hello_at_once(bench):
    bench.sent.clear()
    bench.host(link.WHO)
    bench.turn()
    assert [frame.kind for frame in bench.sent] == [link.HELLO]
    assert bench.pad.greeting == pad.CALLING
    bench.greet()
    bench.host(link.HELLO_ACK, link.pack_hello_ack(), boot_id=BOOT, seq=1)
    assert bench.pad.greeting == pad.GREETED


def test_a_silent_host_is_greeted_again_and_the_face_stays(bench):
    bench.arm(window_ms=60_000)
    bench.answers_pings = False
    bench.sent.clear()
    bench.run(pad.HOST_SILENT_MS - 1)
    assert bench.of(link.HELLO) == []
    bench.run(1)
    assert len(bench.of(link.HELLO)) == 1
    assert bench.pad.leds == ALL
    bench.greet()
    bench.press(2)
    assert bench.presses() == {1: (7, 2)}


def test_an_answered_heartbeat_keeps_the_greeting(bench):
    bench.sent.clear()
    bench.run(60_000)
    assert {frame.kind for frame in bench.sent} == {link.PING}
    assert len(bench.sent) == 30


@pytest.mark.parametrize(
    ("kind", "boot_id", "body"),
    [
        (link.HELLO_ACK, BOOT + 1, link.pack_hello_ack()),  # meant for an earlier boot
        (link.PRESS, BOOT, link.pack_press(1, 1, 0)),  # an echo of our own
        (link.ARM, HOST, b"short"),
        (link.DISARM, HOST, b"long"),
        (link.WHO, HOST, b"long"),
        (link.ACK, BOOT, b"long"),
        (link.PONG, BOOT, b"long"),
        (0x2F, BOOT, b""),
    ],
)
def test_what_does_not_fit_is_counted_and_changes_nothing(bench, kind, boot_id, body):
    bench.arm()
    bench.press(1)
    before = (bench.pad.face, bench.pad.greeting, bench.pad.kept, len(bench.sent))
    bench.host(kind, body, boot_id=boot_id, seq=1)
    assert (bench.pad.face, bench.pad.greeting, bench.pad.kept, len(bench.sent)) == before
    assert bench.pad.unknown == 1


@given(st.lists(st.tuples(st.integers(0, 63), st.booleans(), st.binary(max_size=16)), max_size=30))
def test_no_frame_crashes_a_pad(frames):
    bench = Bench().greet()
    for kind, mine, body in frames:
        bench.host(kind, body, boot_id=BOOT if mine else HOST, seq=3)
        bench.run(10)
    assert bench.decoder.bad == 0


def test_safe_mode_is_two_keys_held_at_power_up():
    assert [boot.safe_mode(mask) for mask in (0, 0b100, 0b10001, ALL)] == [
        False,
        False,
        True,
        True,
    ]


# --- any path ------------------------------------------------------------------------------


class AnyPath(RuleBasedStateMachine):
    """Walks both tables. The model knows only what was armed and what was pressed."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench().greet()
        self.nonce = 0
        self.acknowledged: set[int] = set()

    @rule(window_ms=st.integers(1, link.MAX_WINDOW_MS))
    def arm(self, window_ms: int) -> None:
        self.nonce += 1
        self.bench.arm(self.nonce, window_ms)

    @rule()
    def disarm(self) -> None:
        self.bench.disarm()

    @rule(key=st.integers(1, 5))
    def press(self, key: int) -> None:
        self.bench.press(key)

    @rule(mask=st.integers(0, ALL), ms=st.integers(1, 200))
    def fumble(self, mask: int, ms: int) -> None:
        self.bench.keys = mask
        self.bench.run(ms)
        self.bench.keys = 0
        self.bench.run(40)

    @rule(ms=st.integers(1, 20_000))
    def wait(self, ms: int) -> None:
        self.bench.run(ms)

    @rule()
    def host_says_nothing(self) -> None:
        self.bench.answers_pings = not self.bench.answers_pings

    @rule()
    def host_starts_again(self) -> None:
        self.bench.host(link.WHO)
        self.bench.greet()

    @precondition(lambda self: self.bench.pad.kept)
    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        waiting = sorted(set(self.bench.presses()) - self.acknowledged)
        assume(waiting)
        seq = data.draw(st.sampled_from(waiting))
        self.bench.acknowledge(seq)
        self.acknowledged.add(seq)

    @invariant()
    def one_press_for_one_arming(self) -> None:
        nonces = [nonce for nonce, _ in self.bench.presses().values() if nonce]
        assert len(nonces) == len(set(nonces))
        assert all(1 <= nonce <= self.nonce for nonce in nonces)

    @invariant()
    def lamps_say_what_the_face_is(self) -> None:
        lit = self.bench.pad.leds.bit_count()
        assert lit in {pad.IDLE: (0,), pad.ARMED: (5,), pad.PRESSED: (0, 1)}[self.bench.pad.face]
        assert lit == 1 or not self.bench.pad.accepted

    @invariant()
    def nothing_is_forgotten_unacknowledged(self) -> None:
        unacknowledged = set(self.bench.presses()) - self.acknowledged
        assert len(unacknowledged) <= self.bench.pad.kept <= pad.MAX_KEPT

    @invariant()
    def it_never_sleeps_longer_than_a_heartbeat(self) -> None:
        assert 0 <= self.bench.pad.rest_ms(self.bench.now) <= pad.BEAT_MS


TestAnyPath = AnyPath.TestCase
