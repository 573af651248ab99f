"""The pad's link under CPython: properties of codec and decoder; the cobs library as oracle."""

import contextlib

import pytest
from cobs import cobs
from hypothesis import given, strategies as st

from firmware.pad import link

U32 = st.integers(0, link.U32_MAX)
BODY = st.binary(max_size=link.MAX_BODY) | st.integers(0, link.MAX_BODY).map(bytes)
FRAME = st.builds(link.Frame, st.integers(0, link.SEALED - 1), U32, U32, BODY)
NO_ZERO = st.binary(max_size=600).map(lambda data: data.replace(b"\0", b"\1"))


def wire(frame: link.Frame) -> bytes:
    return link.encode(frame.kind, frame.boot_id, frame.seq, frame.body)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    ends = sorted(cut % (len(data) + 1) for cut in cuts)
    return [data[start:end] for start, end in zip([0, *ends], [*ends, len(data)], strict=True)]


@given(st.binary(min_size=1, max_size=link.MAX_RAW))
def test_cobs_agrees_with_the_oracle(raw):
    buffer = bytearray(1) + raw
    size = link.cobs_encode(buffer, len(raw))
    assert bytes(buffer[:size]) == cobs.encode(raw)
    assert link.cobs_decode(buffer, size) == len(raw)
    assert buffer[1:size] == raw


@given(st.binary(min_size=1, max_size=link.MAX_FRAME).map(lambda data: data.replace(b"\0", b"\1")))
def test_cobs_refuses_what_the_oracle_refuses(encoded):
    buffer = bytearray(encoded)
    size = link.cobs_decode(buffer, len(encoded))
    try:
        expected = cobs.decode(encoded)
    except cobs.DecodeError:
        assert size == -1
    else:
        assert bytes(buffer[1 : 1 + size]) == expected


@given(st.lists(FRAME, max_size=5), st.lists(st.integers(min_value=0), max_size=20))
def test_what_was_encoded_is_decoded_in_pieces_of_any_size(frames, cuts):
    decoder = link.Decoder()
    data = b"".join(wire(frame) for frame in frames)
    results = [result for piece in pieces(data, cuts) for result in decoder.feed(piece)]
    assert results == frames
    assert (decoder.pending, decoder.bad, decoder.frames) == (0, 0, len(frames))


@given(FRAME, st.data())
def test_a_truncated_frame_is_not_wrong_yet_and_never_a_frame(frame, data):
    whole = wire(frame)
    cut = data.draw(st.integers(0, len(whole) - 1))
    decoder = link.Decoder()
    assert decoder.feed(whole[:cut]) == []
    assert decoder.pending == cut
    assert decoder.feed(whole[cut:]) == [frame]


@given(NO_ZERO, FRAME, FRAME)
def test_junk_costs_at_most_the_frame_it_is_glued_to(junk, first, second):
    decoder = link.Decoder()
    results = decoder.feed(junk + wire(first) + wire(second))
    assert results[-1] == second
    assert len(results) == 2
    assert decoder.feed(junk + b"\0" + wire(first))[-1] == first


@given(FRAME, st.data())
def test_no_flipped_bit_passes(frame, data):
    damaged = bytearray(wire(frame))
    at = data.draw(st.integers(0, len(damaged) - 2))
    damaged[at] ^= 1 << data.draw(st.integers(0, 7))
    assert not [r for r in link.Decoder().feed(damaged) if isinstance(r, link.Frame)]


@given(st.binary(max_size=2000), FRAME)
def test_random_bytes_neither_crash_nor_stop_the_decoder(junk, frame):
    decoder = link.Decoder()
    results = decoder.feed(junk)
    assert decoder.bad + decoder.frames == len(results)
    assert decoder.pending <= link.MAX_FRAME
    assert decoder.feed(b"\0" + wire(frame))[-1] == frame


def test_a_flood_without_delimiter_is_counted_once_and_holds_no_memory():
    decoder = link.Decoder()
    results = decoder.feed(b"\xaa" * 100_000)
    assert results == [link.Wrong(link.OVERSIZE)]
    assert (decoder.oversize, decoder.pending) == (1, 0)
    frame = link.Frame(1, 2, 3, b"")
    assert decoder.feed(b"\0" + wire(frame)) == [frame]


def test_the_longest_frame_fits_and_one_byte_more_does_not():
    longest = link.Frame(0x3F, link.U32_MAX, link.U32_MAX, b"\xff" * link.MAX_BODY)
    assert len(wire(longest)) == link.MAX_WIRE
    assert link.Decoder().feed(wire(longest)) == [longest]
    with pytest.raises(link.BadBody, match="at most 240 bytes, got 241"):
        link.encode(1, 1, 1, bytes(link.MAX_BODY + 1))


def test_reset_forgets_a_half_frame_and_an_oversize_run():
    decoder = link.Decoder()
    frame = link.Frame(1, 2, 3, b"x")
    for left_over in (b"\x05abc", b"\xaa" * 1000):
        decoder.feed(left_over)
        decoder.reset()
        assert decoder.feed(wire(frame)) == [frame]


def test_results_compare_by_what_they_say():
    assert link.Frame(1, 2, 3, b"") != link.Frame(1, 2, 3, b"x")
    assert link.Frame(1, 2, 3, b"") != link.Wrong(link.BAD_CRC)
    assert link.Wrong(link.BAD_CRC) != link.Wrong(link.BAD_COBS)
    assert link.Wrong(link.BAD_CRC) != link.BAD_CRC


TEXT = st.text(st.characters(codec="utf-8"), max_size=10)
U8 = st.integers(0, 255)
U16 = st.integers(0, 0xFFFF)


EIGHT = st.binary(min_size=8, max_size=8)
UNIQUE_ID = st.binary(min_size=1, max_size=link.MAX_UNIQUE_ID)
HELLO = st.builds(link.Hello, UNIQUE_ID, TEXT, TEXT, U8, U8, EIGHT, EIGHT, U8)


@given(HELLO)
def test_hello_comes_back(hello):
    body = link.pack_hello(hello)
    assert link.hello_protocol(body) == link.PROTOCOL
    assert link.unpack_hello(body) == hello


@given(EIGHT, EIGHT)
def test_challenge_comes_back(host_nonce, pad_nonce):
    body = link.pack_challenge(host_nonce, pad_nonce)
    assert link.unpack_challenge(body) == (host_nonce, pad_nonce)


@given(
    st.integers(1, link.U32_MAX), st.integers(1, link.MAX_WINDOW_MS), st.integers(1, 5), U32, U8
)
def test_arm_and_press_come_back(nonce, window_ms, score, age_ms, flags):
    assert link.unpack_arm(link.pack_arm(nonce, window_ms)) == (nonce, window_ms)
    press = link.pack_press(nonce, score, age_ms, nonce, flags)
    assert link.unpack_press(press) == (nonce, score, age_ms, nonce, flags)


@given(U8, U16, U8, U16, U16)
def test_the_small_bodies_come_back(a, b, c, d, e):
    assert link.unpack_ping(link.pack_ping(a, b, c, d, e)) == (a, b, c, d, e)
    assert link.unpack_done(link.pack_done(a)) == a
    assert link.unpack_hello_ack(link.pack_hello_ack(a, c)) == (c, a)
    link.check_empty("WHO", b"")


FIXED = bytes([link.PROTOCOL, 1, 0, 5]) + bytes(16)
"""A HELLO up to its texts."""

UNPACKERS = [
    link.unpack_hello,
    link.unpack_hello_ack,
    link.unpack_challenge,
    link.unpack_arm,
    link.unpack_press,
    link.unpack_done,
    link.unpack_ping,
    link.unpack_key,
    link.unpack_show,
    link.unpack_report,
    link.hello_protocol,
]


@pytest.mark.parametrize("unpack", UNPACKERS, ids=lambda unpack: unpack.__name__)
@given(body=st.binary(max_size=link.MAX_BODY) | st.binary(max_size=60).map(lambda b: FIXED + b))
def test_any_bytes_are_a_body_or_bad(unpack, body):
    with contextlib.suppress(link.BadBody):
        unpack(body)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "empty body"),
        (b"\1\5", "HELLO protocol: expected 2..2, got 1"),
        (FIXED[:-1], "HELLO length: expected 20..240, got 19"),
        (FIXED + b"\0\0\0", "unique id length: expected 1..16, got 0"),
        (FIXED + b"\1a\0", "interpreter is missing"),
        (FIXED + b"\x11" + bytes(20), "length of unique id: expected 0..16, got 17"),
        (FIXED + b"\1a\5abc", "HELLO firmware: expected 5 bytes, got 3"),
        (FIXED + b"\1a\0\0more", "HELLO: expected 24 bytes, got 28"),
        (FIXED + b"\1a\1\xff\0", "not UTF-8"),
    ],
)
def test_a_bad_hello_says_what_is_wrong(body, says):
    with pytest.raises(link.BadBody, match=says.replace(".", r"\.")):
        link.unpack_hello(body)
