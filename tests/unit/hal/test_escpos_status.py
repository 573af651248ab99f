"""What the printer says: cut into answers however the bytes arrive."""

import pytest
from hypothesis import given, strategies as st

from hal.drivers.escpos_status import (
    BLOCK_LIMIT,
    AnswerDecoder,
    Kind,
    cause_of,
    cause_of_automatic,
    is_near_end,
)

FINE = bytes([0x12, 0x12, 0x12, 0x12])


@pytest.mark.parametrize(
    ("data", "kinds"),
    [
        (FINE, [Kind.REAL_TIME] * 4),
        (b"\x12\x00\x12", [Kind.REAL_TIME, Kind.IN_ORDER, Kind.REAL_TIME]),
        (b"\x03\x0f", [Kind.IN_ORDER, Kind.IN_ORDER]),
        (b"\x37\x25\x00\x12", [Kind.CLEARED, Kind.REAL_TIME]),
        (b"\x37\x22\x31\x32\x33\x34\x00", [Kind.OTHER]),
        (b"\x14\x00\x00\x0f\x00", [Kind.AUTOMATIC, Kind.IN_ORDER]),
        (b"\x11\x13\x12", [Kind.OTHER, Kind.OTHER, Kind.REAL_TIME]),
        (b"\x37" + b"\x41" * (BLOCK_LIMIT - 1) + b"\x12", [Kind.OTHER, Kind.REAL_TIME]),
    ],
)
def test_answers_are_told_apart(data: bytes, kinds: list[Kind]):
    assert [answer.kind for answer in AnswerDecoder().feed(data)] == kinds


@given(st.binary(max_size=300), st.data())
def test_splitting_changes_nothing_and_noise_never_raises(data: bytes, draw: st.DataObject):
    whole = AnswerDecoder().feed(data)
    parts, decoder, at = [], AnswerDecoder(), 0
    while at < len(data):
        size = draw.draw(st.integers(1, len(data) - at))
        parts += decoder.feed(data[at : at + size])
        at += size
    assert parts == whole
    rest = len(data) - sum(len(answer.data) for answer in whole)
    assert 0 <= rest < BLOCK_LIMIT


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (FINE, ""),
        (bytes([0x1A, 0x16, 0x12, 0x12]), "cover_open"),
        (bytes([0x1A, 0x36, 0x12, 0x72]), "cover_open"),  # the sensor sees no paper either
        (bytes([0x1A, 0x32, 0x12, 0x7E]), "paper_out"),
        (bytes([0x12, 0x12, 0x12, 0x72]), "paper_out"),
        (bytes([0x1A, 0x52, 0x1A, 0x12]), "cutter"),
        (bytes([0x1A, 0x52, 0x32, 0x12]), "error"),
        (bytes([0x1A, 0x52, 0x52, 0x12]), "error"),
        (bytes([0x1A, 0x12, 0x12, 0x12]), "offline"),
        (bytes([0x12, 0x12, 0x12, 0x1E]), ""),
    ],
)
def test_the_cause_is_named(status: bytes, cause: str):
    assert cause_of(status) == cause


def test_near_end_is_seen():
    assert is_near_end(bytes([0x12, 0x12, 0x12, 0x1E]))
    assert not is_near_end(FINE)


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (b"\x10\x00\x00\x0f", ""),
        (b"\x10\x00\x03\x0f", ""),  # near the end of the roll it still prints
        (b"\x38\x00\x0f\x0f", "cover_open"),
        (b"\x18\x00\x0f\x0f", "paper_out"),
        (b"\x18\x08\x00\x0f", "cutter"),
        (b"\x18\x20\x00\x0f", "error"),
        (b"\x18\x40\x00\x0f", "error"),
        (b"\x18\x00\x00\x0f", "offline"),
    ],
)
def test_what_it_says_unasked_is_named(status: bytes, cause: str):
    assert cause_of_automatic(status) == cause
