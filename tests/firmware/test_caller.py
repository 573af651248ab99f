"""The teller's side of a pad: keys and digits, alone and beside the visitor's."""

import pytest
from hypothesis import given, strategies as st

from firmware.pad import caller, link, pad
from tests.firmware.core_bench import BOOT, HOST, Bench

TELLER = [1 << (link.KEYS + key) for key in range(5)]


class CallerBench(Bench):
    """A pad of the given roles, greeted."""

    def __init__(self, roles: int = link.CALLER) -> None:
        super().__init__()
        self.pad = pad.Pad(BOOT, link.Hello(b"pad", "0.1.0", "core", roles), self.now)
        self.greet()

    def teller(self, action: int) -> None:
        self.keys |= TELLER[action - 1]
        self.run(40)
        self.keys &= ~TELLER[action - 1]
        self.run(40)

    def actions(self) -> list[tuple[int, int]]:
        """(sequence, action) of all KEY frames, each once."""
        seen = {frame.seq: link.unpack_key(frame.body)[0] for frame in self.of(link.KEY)}
        return sorted(seen.items())

    def deny(self, seq: int, code: bytes = b"E-02", boot_id: int = BOOT) -> None:
        self.host(link.DENY, link.pack_deny(code), boot_id=boot_id, seq=seq)
        self.turn()

    def show(self, number: bytes = b"A042", waiting: int = 7, stars: int = 4) -> int:
        self.seq += 1
        self.host(link.SHOW, link.pack_show(number, waiting, stars), seq=self.seq)
        self.turn()
        return link.unpack_done(self.of(link.DONE)[-1].body)


@pytest.fixture
def bench() -> CallerBench:
    return CallerBench()


def test_each_key_is_its_action(bench):
    for action in (link.NEXT, link.RECALL, link.NO_SHOW, link.FINISH, link.PAUSE):
        bench.teller(action)
        bench.acknowledge(bench.actions()[-1][0])
    assert [action for _, action in bench.actions()] == [1, 2, 3, 4, 5]
    assert bench.presses() == {}


def test_an_action_is_repeated_until_taken(bench):
    bench.teller(link.NEXT)
    bench.run(1_000)
    assert len(bench.of(link.KEY)) == 4
    assert len(bench.actions()) == 1
    bench.acknowledge(bench.actions()[0][0])
    bench.run(2_000)
    assert len(bench.of(link.KEY)) == 4
    assert bench.pad.take_tone() == pad.SILENCE


def test_an_action_nobody_takes_is_dropped_with_a_tone_and_not_sent_late(bench):
    bench.teller(link.NEXT)
    bench.run(caller.LIFE_MS)
    assert [bench.pad.take_tone(), bench.pad.take_tone()] == [pad.ERROR_TONE, pad.SILENCE]
    assert bench.pad.digits == caller.NO_ANSWER
    bench.sent.clear()
    bench.run(5_000)
    assert bench.of(link.KEY) == []


def test_a_denied_action_is_over_at_once_with_a_tone_and_its_code(bench):
    bench.show()
    bench.teller(link.NEXT)
    ((seq, _),) = bench.actions()
    bench.deny(seq + 1)
    bench.deny(seq, boot_id=BOOT + 1)
    assert (bench.pad.digits, bench.pad.take_tone(), bench.pad.ignored) == (b"A042", 0, 2)
    bench.deny(seq)
    assert bench.pad.digits == b"E-02"
    assert [bench.pad.take_tone(), bench.pad.take_tone()] == [pad.ERROR_TONE, pad.SILENCE]
    bench.sent.clear()
    bench.run(caller.CODE_MS - 50)
    assert bench.pad.digits == b"E-02"
    bench.run(100)
    assert bench.pad.digits in (b"A042", b"   7")
    assert (bench.of(link.KEY), bench.pad.unknown) == ([], 0)


def test_a_code_gives_way_to_the_next_key(bench):
    bench.show()
    for action in (link.NEXT, link.RECALL):
        bench.teller(action)
        assert bench.pad.digits == b"A042"
        bench.deny(bench.actions()[-1][0])
        assert bench.pad.digits == b"E-02"


def test_a_code_is_shown_before_anything_else_is_known(bench):
    bench.teller(link.NEXT)
    bench.deny(bench.actions()[0][0], b"E-01")
    assert bench.pad.digits == b"E-01"
    bench.run(caller.CODE_MS)
    assert bench.pad.digits == caller.DASHES


def test_the_end_of_a_code_is_not_slept_over(bench):
    bench.teller(link.NEXT)
    bench.deny(bench.actions()[0][0])
    bench.run(caller.CODE_MS - 100)
    assert bench.pad.rest_ms(bench.now) <= 200


def test_pressed_while_no_host_is_there_it_is_not_sent_late():
    bench = CallerBench()
    bench.answers_pings = False
    bench.run(pad.HOST_SILENT_MS + pad.BEAT_MS)
    assert bench.pad.greeting == pad.CALLING
    bench.teller(link.NEXT)
    bench.run(caller.LIFE_MS)
    bench.greet()
    bench.run(1_000)
    assert bench.actions() == []


def test_an_impatient_finger_calls_one_customer(bench):
    for _ in range(3):
        bench.teller(link.NEXT)
    assert len(bench.actions()) == 1
    bench.acknowledge(bench.actions()[0][0])
    bench.teller(link.NEXT)
    assert len(bench.actions()) == 2


def test_a_pad_keeps_four_actions_that_nobody_has_answered(bench):
    for action in (link.NEXT, link.RECALL, link.NO_SHOW, link.FINISH, link.PAUSE):
        bench.teller(action)
    assert [action for _, action in bench.actions()] == [1, 2, 3, 4]


def test_two_keys_of_the_teller_at_once_are_no_wish(bench):
    bench.keys = TELLER[0] | TELLER[3]
    bench.run(100)
    bench.keys = 0
    bench.run(100)
    assert bench.actions() == []
    assert bench.pad.ignored == 2


def test_digits_show_the_number_and_now_and_then_who_waits(bench):
    assert bench.pad.digits == caller.DASHES
    assert bench.show() == link.OK
    seen = []
    for _ in range(10):
        seen.append(bench.pad.digits)
        bench.run(1_000)
    assert seen == [b"A042"] * 4 + [b"   7"] + [b"A042"] * 4 + [b"   7"]
    bench.show(waiting=link.WAITING_UNKNOWN)
    bench.run(4_500)
    assert bench.pad.digits == b"A042"
    assert bench.pad.stars == 4


def test_digits_say_that_the_host_is_lost(bench):
    bench.show()
    bench.answers_pings = False
    bench.run(pad.HOST_SILENT_MS + pad.BEAT_MS)
    assert bench.pad.digits == caller.DASHES


def test_roles_take_only_their_own_keys_and_commands():
    rating = CallerBench(link.RATING)
    rating.teller(link.NEXT)
    assert (rating.actions(), rating.pad.digits, rating.pad.ignored) == ([], b"", 1)
    assert rating.show() == link.OK  # it has the teller's stars
    teller = CallerBench(link.CALLER)
    teller.arm()
    assert link.unpack_done(teller.of(link.DONE)[-1].body) == link.REFUSED
    teller.press(3)
    assert (teller.presses(), teller.pad.leds, teller.pad.text) == ({}, 0, pad.NO_TEXT)


def test_both_roles_on_one_board_do_not_disturb_each_other():
    bench = CallerBench(link.RATING | link.CALLER)
    bench.arm(nonce=3)
    bench.keys = TELLER[1]
    bench.run(40)
    bench.press(5)
    bench.keys = 0
    bench.run(40)
    assert [action for _, action in bench.actions()] == [link.RECALL]
    assert bench.presses() == {1: (3, 5)}
    bench.host(link.ACK, boot_id=BOOT, seq=1)
    assert bench.pad.kept == 0
    bench.run(100)
    assert len(bench.actions()) == 1  # the ACK of the press was not the action's


def test_texts_and_tones_follow_the_face():
    bench = CallerBench(link.RATING)
    assert bench.pad.text == pad.HELLO_TEXT
    bench.arm()
    assert bench.pad.text == pad.PLEASE_RATE_TEXT
    bench.press(4)
    assert (bench.pad.text, bench.pad.take_tone()) == (pad.HELLO_TEXT, pad.SILENCE)
    bench.acknowledge(1)
    tones = [bench.pad.take_tone(), bench.pad.take_tone()]
    assert (bench.pad.text, tones) == (pad.THANK_YOU_TEXT, [pad.ACCEPTED_TONE, pad.SILENCE])


def test_a_repeated_show_is_answered_and_does_not_turn_back(bench):
    bench.show(b"A042")
    bench.show(b"A043")
    bench.host(link.SHOW, link.pack_show(b"A042", 1, 1), boot_id=HOST, seq=1)
    bench.turn()
    assert bench.pad.digits == b"A043"


@given(st.integers(1, 5), st.integers(0, link.U32_MAX))
def test_key_bodies_come_back(action, age_ms):
    assert link.unpack_key(link.pack_key(action, age_ms)) == (action, age_ms)


@given(st.binary(min_size=4, max_size=4))
def test_deny_bodies_come_back_or_cannot_be_shown(code):
    body = link.pack_deny(code)
    if all(32 <= byte <= 126 for byte in code):
        assert link.unpack_deny(body) == code
    else:
        with pytest.raises(link.BadBody, match="DENY character"):
            link.unpack_deny(body)


@given(
    st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=4, max_size=4),
    st.integers(0, 255),
    st.integers(0, 5),
)
def test_show_bodies_come_back(number, waiting, stars):
    body = link.pack_show(number.encode(), waiting, stars)
    assert link.unpack_show(body) == (number.encode(), waiting, stars)
