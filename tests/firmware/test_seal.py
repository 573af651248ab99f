"""Sealed frames under CPython: the standard library's hmac as oracle, and what nobody may pass."""

import hashlib
import hmac
import struct

import pytest
from hypothesis import given, strategies as st

from firmware.pad import link, seal

KEY = bytes(range(32))
U32 = st.integers(0, link.U32_MAX)
BODY = st.binary(max_size=link.MAX_SEALED_BODY)


def pair(key: bytes = KEY) -> tuple[link.Session, link.Session]:
    """A pad's and a host's end of one session."""
    return link.Session(key, link.FROM_PAD), link.Session(key, link.FROM_HOST)


def sealed(wire: bytes) -> link.Sealed:
    (result,) = link.Decoder().feed(wire)
    assert isinstance(result, link.Sealed)
    return result


@given(st.binary(max_size=64), st.binary(max_size=20), st.binary(max_size=300))
def test_hmac_agrees_with_the_oracle(key, prefix, data):
    expected = hmac.new(key, prefix + data, hashlib.sha256).digest()
    assert seal.Hmac(key).digest(prefix, data) == expected


@given(st.integers(0, 63), U32, U32, BODY)
def test_what_was_sealed_is_opened_once_and_only_by_the_other_end(kind, boot_id, seq, body):
    pad, host = pair()
    frame = sealed(pad.seal(kind, boot_id, seq, body))
    assert frame.kind == kind
    assert pad.open(frame) is None
    assert host.open(frame) == link.Frame(kind, boot_id, seq, body)
    assert host.open(frame) is None
    assert (pad.forged, host.forged, host.replayed) == (1, 0, 1)


@given(BODY, st.data())
def test_no_changed_byte_is_opened(body, data):
    pad, host = pair()
    raw = bytearray(sealed(pad.seal(link.PRESS, 1, 2, body)).raw)
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    assert host.open(link.Sealed(bytes(raw))) is None
    assert host.heard == 0


def test_every_end_of_the_mac_counts():
    pad, host = pair()
    raw = sealed(pad.seal(link.PRESS, 1, 2, b"x")).raw
    for at in range(len(raw) - link.MAC_SIZE, len(raw)):
        forged = raw[:at] + bytes([raw[at] ^ 0x80]) + raw[at + 1 :]
        assert host.open(link.Sealed(forged)) is None
    assert host.open(link.Sealed(raw)) is not None


def test_counters_rise_and_gaps_are_allowed():
    pad, host = pair()
    frames = [sealed(pad.seal(link.PING, 1, seq, b"")) for seq in range(5)]
    assert [host.open(frames[at]) is not None for at in (0, 3, 1, 2, 3, 4)] == [
        True,
        True,
        False,
        False,
        False,
        True,
    ]
    assert host.replayed == 3


def test_another_key_or_nonce_opens_nothing():
    nonces = [bytes([number] * 8) for number in range(3)]
    keys = {
        seal.session_key(KEY, nonces[0], nonces[1], b"pad"),
        seal.session_key(KEY[::-1], nonces[0], nonces[1], b"pad"),
        seal.session_key(KEY, nonces[2], nonces[1], b"pad"),
        seal.session_key(KEY, nonces[0], nonces[2], b"pad"),
        seal.session_key(KEY, nonces[0], nonces[1], b"pat"),
    }
    assert len(keys) == 5
    first, *others = keys
    frame = sealed(link.Session(first, link.FROM_PAD).seal(link.PRESS, 1, 2, b""))
    for key in others:
        assert link.Session(key, link.FROM_HOST).open(frame) is None


def test_a_session_is_worn_where_small_integers_end_and_closed_at_the_last_counter():
    pad, host = pair()
    pad.sent = seal.WORN - 1
    assert [end.worn for end in (pad, host)] == [False, False]
    host.open(sealed(pad.seal(link.PING, 1, 1)))
    assert [end.worn for end in (pad, host)] == [True, True]
    pad.sent = link.U32_MAX
    with pytest.raises(link.BadBody, match="used up"):
        pad.seal(link.PING, 1, 2)


def test_a_body_too_long_for_a_seal_is_refused():
    pad, host = pair()
    longest = bytes(link.MAX_SEALED_BODY)
    wire = pad.seal(link.PRESS, 1, 1, longest)
    assert len(wire) == link.MAX_WIRE
    opened = host.open(sealed(wire))
    assert opened is not None
    assert opened.body == longest
    with pytest.raises(link.BadBody, match="at most 232 bytes, got 233"):
        pad.seal(link.PRESS, 1, 1, bytes(233))


def test_a_sealed_frame_has_room_for_its_counter_and_mac():
    raw = struct.pack("<BII", link.PRESS | link.SEALED, 1, 2) + bytes(link.COUNTER_SIZE + 7)
    buffer = bytearray(link.MAX_WIRE)
    buffer[1 : 1 + len(raw)] = raw
    size = link.cobs_encode(buffer, len(raw))
    assert link.Decoder().feed(bytes(buffer[:size]) + b"\0") == [link.Wrong(link.TOO_SHORT)]


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_same_is_equality(one, other):
    assert seal.same(one, other) == (one == other)
    assert seal.same(one, one)
