"""A keyed pad and whoever speaks on its line: who is believed, and what forged frames cost."""

import hashlib
import random

import pytest
from hypothesis import given, strategies as st

from firmware.pad import link, pad
from tests.firmware.core_bench import ALL, BOOT, HOST, WINDOW_MS

KEY = bytes(range(32))
UNIQUE_ID = b"keyed"


class KeyedBench:
    """A keyed pad, its clock, and a host that plays by the rules until a test does not."""

    def __init__(self, key: bytes = KEY) -> None:
        rng = random.Random(7)
        self.now = pad.TICKS_MASK - 3_000
        self.key = key
        hello = link.Hello(UNIQUE_ID, "0.1.0", "core")
        self.pad = pad.Pad(BOOT, hello, self.now, KEY, rng.randbytes)
        self.decoder = link.Decoder()
        self.buffer = bytearray(link.MAX_WIRE)
        self.keys = 0
        self.hello: link.Hello | None = None
        self.plain: list[link.Frame] = []
        self.sealed: list[link.Sealed] = []
        self.heard: list[link.Frame] = []
        self.said: list[link.Sealed] = []
        self.session: link.Session | None = None

    def turn(self) -> None:
        self.pad.sample(self.keys, self.now)
        while size := self.pad.due(self.buffer, self.now):
            (frame,) = self.decoder.feed(memoryview(self.buffer)[:size])
            if isinstance(frame, link.Frame):
                self.plain.append(frame)
                if frame.kind == link.HELLO:
                    self.hello = link.unpack_hello(frame.body)
            else:
                assert isinstance(frame, link.Sealed)
                self.sealed.append(frame)
                opened = self.session.open(frame) if self.session else None
                if opened is not None:
                    self.heard.append(opened)
                    if opened.kind == link.PING:
                        self.say(link.PONG, b"", boot_id=BOOT, seq=opened.seq)

    def run(self, ms: int) -> None:
        self.turn()
        while ms > 0:
            step = min(ms, max(self.pad.rest_ms(self.now), 1))
            ms -= step
            self.now = pad.ticks_add(self.now, step)
            self.turn()

    def plain_frame(self, kind: int, body: bytes = b"", *, boot_id: int = BOOT) -> None:
        self.pad.received(link.Frame(kind, boot_id, 1, body), self.now)
        self.turn()

    def challenge(self, host_nonce: bytes, *, adopt: bool = False) -> link.Session:
        assert self.hello is not None
        nonce = self.hello.nonce
        key = link.session_key(self.key, host_nonce, nonce, UNIQUE_ID)
        session = link.Session(key, link.FROM_HOST)
        if adopt:
            self.session = session
        self.plain_frame(link.CHALLENGE, link.pack_challenge(host_nonce, nonce))
        return session

    def say(self, kind: int, body: bytes = b"", *, boot_id: int = HOST, seq: int = 1) -> None:
        assert self.session is not None
        (frame,) = link.Decoder().feed(self.session.seal(kind, boot_id, seq, body))
        assert isinstance(frame, link.Sealed)
        self.said.append(frame)
        self.pad.received(frame, self.now)

    def greet(self, host_nonce: bytes = b"hostnonc") -> "KeyedBench":
        self.turn()
        self.challenge(host_nonce, adopt=True)
        self.say(link.WELCOME, boot_id=BOOT)
        self.turn()
        return self

    def press(self, key: int) -> None:
        for mask in (1 << (key - 1), 0):
            self.keys = mask
            self.run(60)


@pytest.fixture
def bench() -> KeyedBench:
    return KeyedBench().greet()


def test_hello_says_that_there_is_a_key_and_gives_a_nonce():
    bench = KeyedBench()
    bench.turn()
    assert bench.hello is not None
    assert bench.hello.flags & link.KEYED
    assert bench.hello.nonce != bytes(8)
    assert [frame.kind for frame in bench.plain] == [link.HELLO]


def test_both_nonces_and_the_key_make_the_session(bench):
    assert bench.pad.greeting == pad.GREETED
    bench.say(link.ARM, link.pack_arm(7, WINDOW_MS))
    bench.press(4)
    kinds = [frame.kind for frame in bench.heard]
    assert kinds == [link.PROOF, link.DONE, link.PRESS]
    assert link.unpack_press(bench.heard[-1].body)[:2] == (7, 4)
    assert [frame.kind for frame in bench.plain] == [link.HELLO]


def test_a_host_with_another_key_is_not_believed():
    bench = KeyedBench(key=bytes(32)).greet()
    assert (bench.pad.greeting, bench.heard) == (pad.CALLING, [])
    bench.say(link.ARM, link.pack_arm(7, WINDOW_MS))
    bench.turn()
    assert (bench.pad.leds, bench.pad.refused) == (0, 2)


def test_plain_commands_and_acknowledgements_are_refused(bench):
    bench.say(link.ARM, link.pack_arm(7, WINDOW_MS))
    bench.press(4)
    refused = bench.pad.refused
    for kind, body in (
        (link.ARM, link.pack_arm(9, WINDOW_MS)),
        (link.DISARM, b""),
        (link.ACK, b""),
        (link.PONG, b""),
        (link.WELCOME, b""),
    ):
        bench.plain_frame(kind, body)
    assert bench.pad.refused == refused + 5
    assert (bench.pad.kept, bench.pad.face) == (1, pad.PRESSED)


def test_forged_greetings_cost_a_session_nothing(bench):
    hellos = len(bench.plain)
    bench.plain_frame(link.WHO, boot_id=HOST)
    bench.plain_frame(link.HELLO_ACK, link.pack_hello_ack(link.REFUSED))
    bench.plain_frame(link.HELLO_ACK, link.pack_hello_ack(link.OK))
    bench.challenge(b"attacker")
    bench.plain_frame(link.CHALLENGE, link.pack_challenge(b"attacker", bytes(8)))
    assert len(bench.plain) == hellos + 1  # WHO brings one HELLO
    assert bench.pad.greeting == pad.GREETED
    bench.say(link.ARM, link.pack_arm(7, WINDOW_MS))
    bench.turn()
    assert (bench.pad.greeting, bench.pad.leds) == (pad.GREETED, ALL)


def test_a_recorded_session_is_worth_nothing_after_the_next_greeting(bench):
    bench.say(link.ARM, link.pack_arm(7, WINDOW_MS), seq=1)
    bench.say(link.DISARM, seq=2)
    recorded = list(bench.said)
    assert bench.hello is not None
    old_nonce = bench.hello.nonce
    bench.plain_frame(link.WHO, boot_id=HOST)
    assert bench.hello.nonce != old_nonce
    # The whole old handshake again, then the old frames.
    bench.plain_frame(link.CHALLENGE, link.pack_challenge(b"hostnonc", old_nonce))
    refused = bench.pad.refused
    for frame in recorded:
        bench.pad.received(frame, bench.now)
    assert bench.pad.refused == refused + len(recorded)
    bench.greet(b"hostnonc")  # even if a host should draw the same nonce
    refused = bench.pad.refused
    for frame in recorded:
        bench.pad.received(frame, bench.now)
    assert bench.pad.refused == refused + len(recorded)
    assert bench.pad.leds == 0


def test_a_lost_welcome_is_asked_for_again_under_the_same_session():
    bench = KeyedBench()
    bench.turn()
    bench.challenge(b"hostnonc", adopt=True)
    proofs = len(bench.heard)
    bench.run(pad.HELLO_FAST_MS)
    assert bench.pad.greeting == pad.CALLING
    assert bench.hello is not None
    bench.plain_frame(link.CHALLENGE, link.pack_challenge(b"hostnonc", bench.hello.nonce))
    assert len(bench.heard) > proofs  # its counter rose: the repeat is good too
    bench.say(link.ARM, link.pack_arm(7, WINDOW_MS))  # any good frame does what WELCOME does
    bench.turn()
    assert (bench.pad.greeting, bench.pad.leds) == (pad.GREETED, ALL)


def test_a_host_that_was_silent_goes_on_in_its_session(bench):
    silent, bench.session = bench.session, None
    bench.run(pad.HOST_SILENT_MS + 2_500)
    assert bench.pad.greeting == pad.CALLING
    bench.session = silent
    bench.say(link.ARM, link.pack_arm(7, WINDOW_MS))
    bench.turn()
    assert (bench.pad.greeting, bench.pad.leds) == (pad.GREETED, ALL)


def test_a_worn_counter_ends_in_a_new_greeting(bench):
    bench.session.sent = link.WORN
    bench.say(link.PONG, boot_id=BOOT)
    bench.run(10)
    assert bench.pad.greeting == pad.CALLING
    bench.greet(b"newnonce")
    assert bench.pad.greeting == pad.GREETED
    assert bench.session.sent == 1


def test_a_press_is_repeated_under_a_new_counter_until_acknowledged(bench):
    bench.say(link.ARM, link.pack_arm(7, WINDOW_MS))
    bench.press(4)
    bench.run(1_000)
    presses = [frame for frame in bench.heard if frame.kind == link.PRESS]
    assert len(presses) > 2
    assert {(frame.boot_id, frame.seq) for frame in presses} == {(BOOT, 1)}
    bench.say(link.ACK, boot_id=BOOT, seq=1)
    assert bench.pad.kept == 0


@given(st.lists(st.binary(min_size=link.MIN_SEALED, max_size=60), max_size=20))
def test_no_guess_is_believed(raws):
    bench = KeyedBench().greet()
    for raw in raws:
        bench.pad.received(link.Sealed(raw), bench.now)
    assert (bench.pad.refused, bench.pad.leds) == (len(raws), 0)


def test_the_nonce_is_the_hardware_s():
    drawn: list[bytes] = []

    def chance(size: int) -> bytes:
        drawn.append(hashlib.sha256(bytes([len(drawn)])).digest()[:size])
        return drawn[-1]

    hello = link.Hello(UNIQUE_ID, "0.1.0", "core")
    pad.Pad(BOOT, hello, 0, KEY, chance)
    assert [hello.nonce] == drawn
