"""The bytes of the Alpha sign protocol."""

import pytest
from hypothesis import given, strategies as st

from hal.drivers.alpha_codes import MOST_BYTES, Answers, ask_text, checksum, dim, packet, text


def test_a_packet_byte_by_byte() -> None:
    body = text("A035", blink=True)
    assert body == b"AA\x1b c\x1c1A035"
    # 02 + 41 41 1B 20 63 1C 31 41 30 33 35 + 03 = 0x24B, added by hand.
    assert packet(0x1F, body) == b"\x00" * 5 + b"\x01Z1F\x02" + body + b"\x03" + b"024B" + b"\x04"


def test_the_other_commands() -> None:
    assert ask_text() == b"BA"
    assert text("", blink=False) == b"AA\x1b b\x1c1"
    assert [dim(p) for p in (100, 93, 80, 72, 50, 1)] == [
        b"E/0000", b"E/0000", b"E/0001", b"E/0002", b"E/0004", b"E/0004",
    ]  # fmt: skip


@given(st.binary(max_size=40), st.lists(st.integers(1, 9), max_size=20), st.binary(max_size=30))
def test_answers_are_found_in_any_pieces_behind_rubbish(
    rubbish: bytes, cuts: list[int], body: bytes
) -> None:
    body = bytes(b for b in body if b > 4)
    part = b"\x02" + body + b"\x03"
    stream = rubbish + b"\x04" + b"\x00" * 20 + b"\x01000" + part + checksum(part) + b"\x04"
    answers, found = Answers(), list[bytes]()
    for cut in cuts:
        found += answers.feed(stream[:cut])
        stream = stream[cut:]
    found += answers.feed(stream)
    assert found[-1:] == [body]


def test_a_wrong_checksum_is_no_answer_and_rubbish_does_not_pile_up() -> None:
    answers = Answers()
    assert answers.feed(b"\x01000\x02AA\x030000\x04") == []
    for _ in range(100):
        assert answers.feed(b"\x01" * 100) == []
    assert len(answers._rest) <= MOST_BYTES
    answers.clear()
    assert answers._rest == b""


@pytest.mark.parametrize("station", [0, 256, -1])
def test_a_station_that_there_cannot_be(station: int) -> None:
    with pytest.raises(ValueError, match="expected 1 to 255"):
        packet(station, b"")
