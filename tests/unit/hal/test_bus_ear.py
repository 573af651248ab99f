"""What the host hears on a bus, and who it was: pure parts of the driver."""

from hypothesis import given, strategies as st

from firmware.pad import link as wire
from hal.drivers.bus_blame import MAX_SPEAKERS, Speakers
from hal.drivers.bus_ear import KEPT, Answer, Ear

UNIQUE_ID = b"\xab\x01"
TAG = wire.tag_of(UNIQUE_ID)
PING = wire.encode(wire.PING, 77, 1, wire.pack_ping(0, 0, 0, 0, 0))
HELLO = wire.encode(wire.HELLO, 78, 1, wire.pack_hello(wire.Hello(UNIQUE_ID, "0.1.0", "bench")))
DONE = wire.encode(wire.DONE, 79, 1, wire.pack_done(wire.OK))


def answer(data: bytes = b"", turn: int = 1, tag: int = TAG, more: bool = False) -> bytes:
    return wire.burst(data, wire.END, 5, turn, more, tag)


@given(st.binary(max_size=60), st.lists(st.integers(1, 40), max_size=12))
def test_an_answer_is_heard_in_any_pieces_behind_anything(junk, cuts):
    ear = Ear()
    whole = junk + answer(PING, turn=9, more=True) + answer(turn=10)
    heard = []
    at = 0
    for cut in [*cuts, len(whole)]:
        heard += ear.feed(whole[at : at + cut])
        at += cut
    assert heard == [Answer(5, 9, TAG, True, PING), Answer(5, 10, TAG, False, b"")]
    strays = ear.strays()
    assert strays.strip(b"\0") == junk.strip(b"\0")
    assert ear.strays() == b""


def test_its_own_echo_is_passed_over():
    ear = Ear()
    poll = wire.burst(PING, wire.POLL, 5, 1, 16, TAG)
    assert ear.feed(poll + answer()) == [Answer(5, 1, TAG, False, b"")]
    assert ear.strays() == b""


def test_what_never_ends_is_kept_in_bounds():
    ear = Ear()
    for _ in range(200):
        assert ear.feed(b"\x55" * 100) == []
    assert len(ear.strays()) <= 4 * KEPT
    assert ear.feed(b"\x55" * 3 * KEPT + answer(PING)) == [Answer(5, 1, TAG, False, PING)]


def test_who_spoke_is_known_by_boot_id_or_hello():
    speakers = Speakers()
    assert speakers.who(PING) == (None, "")
    assert speakers.who(HELLO) == (None, "ab01")
    speakers.heard(Answer(5, 1, TAG, False, b""))
    speakers.heard(Answer(5, 2, TAG, False, PING))
    assert speakers.who(b"\x55\x00" + PING) == ((5, TAG), "")
    assert speakers.who(HELLO) == ((5, TAG), "ab01")  # another boot, the same pad
    assert speakers.who(DONE) == (None, "")  # its boot id is the host's
    assert speakers.name(TAG) == "ab01"
    assert speakers.name(TAG ^ 1) == ""
    session = wire.Session(bytes(32), wire.FROM_PAD)
    speakers.heard(Answer(6, 3, 9, False, session.seal(wire.PRESS, 500, 1, b"")))
    assert speakers.who(session.seal(wire.PING, 500, 2, b"")) == ((6, 9), "")
    bad_hello = wire.encode(wire.HELLO, 91, 1, b"\x02")
    assert speakers.who(bad_hello) == (None, "")


def test_what_is_remembered_is_bounded():
    speakers = Speakers()
    for number in range(MAX_SPEAKERS + 5):
        hello = wire.Hello(number.to_bytes(2, "big"), "0.1.0", "bench")
        data = wire.encode(wire.HELLO, number, 1, wire.pack_hello(hello))
        speakers.heard(Answer(5, 1, number, False, data))
    ping = wire.encode(wire.PING, 1, 1, b"")
    assert speakers.who(ping) == (None, "")
    assert speakers.name(wire.tag_of(b"\x00\x01")) == ""
