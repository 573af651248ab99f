"""Turns on a bus: golden bursts and random days under both interpreters; the station's table."""

import json

import pytest
from hypothesis import given, strategies as st

from firmware.pad import link, state
from firmware.pad.station import ANSWER_MS, LATE_MS, MAX_ANSWER, READ_SIZE, REST_MS, Station
from hal.sim.pad import FIRMWARE_ROOT
from tests.firmware.test_two_interpreters import same_under_both
from tests.golden import make_pad_bus

UNIQUE_ID = b"pad"
TAG = link.tag_of(UNIQUE_ID)
FRAME = link.encode(link.PONG, 7, 1)


def poll(data: bytes = b"", turn: int = 1, bits: int = 16, tag: int = TAG, **other: int) -> bytes:
    return link.burst(data, other.get("kind", link.POLL), other.get("address", 5), turn, bits, tag)


class Seat:
    """A station at address 5, and a program that looks at the line all the time."""

    def __init__(self, address: int = 5) -> None:
        self.station = Station(address, UNIQUE_ID, 0)
        self.waiting: list[bytes] = []
        self.buffer = bytearray(MAX_ANSWER)
        self.now = 0

    def hear(self, data: bytes, after_ms: int = 1) -> list[object]:
        self.now += after_ms
        self.station.look(self.now)
        return list(self.station.feed(data))

    def due(self, buffer: bytearray, now_ms: int) -> int:
        frame = self.waiting.pop(0) if self.waiting else b""
        buffer[: len(frame)] = frame
        return len(frame)

    def answer(self) -> tuple[int, int, int, bytes] | None:
        """(turn, more, tag, data) of what it says now."""
        size = self.station.answer_into(self.buffer, self.due, self.now)
        trailer = link.Trailer()
        if not size:
            return None
        assert trailer.read(self.buffer, size)
        assert (trailer.kind, trailer.address, self.buffer[0]) == (link.END, 5, 0)
        assert size == 1 + trailer.size + link.TRAILER_SIZE
        return trailer.turn, trailer.bits, trailer.tag, bytes(self.buffer[1 : 1 + trailer.size])


def test_golden_file_is_what_the_code_writes(golden):
    golden("pad_bus.json", make_pad_bus.content())


@pytest.mark.micropython
def test_golden_bursts():
    lines = same_under_both("bursts", str(make_pad_bus.GOLDEN))
    assert not [line for line in lines if "False" in line]
    assert lines.count("damaged and taken 0") == len(make_pad_bus.BURSTS)


@pytest.mark.micropython
def test_random_days_of_a_station(seed):
    assert same_under_both("station", str(seed))[-1] == "answers True"


def test_documented_examples_are_the_golden_bursts():
    document = (FIRMWARE_ROOT / "docs/protocol-pad.md").read_text(encoding="utf-8")
    for vector in json.loads(make_pad_bus.GOLDEN.read_text())["bursts"]:
        row = f"| {vector['name']} | `{vector['wire']}` |"
        assert row in document or vector["name"] == "longest", row


@given(st.binary(max_size=link.MAX_BURST), st.binary(max_size=40))
def test_a_burst_is_read_whatever_stands_before_it(data, junk):
    wire = junk + link.burst(data, link.END, 31, 255, 1, 0xFFFF)
    trailer = link.Trailer()
    assert trailer.read(bytearray(wire), len(wire))
    assert wire[len(wire) - link.TRAILER_SIZE - trailer.size : -link.TRAILER_SIZE] == data


def test_a_size_beyond_what_was_heard_or_allowed_is_refused():
    buffer = bytearray(poll(b"x" * 20))
    trailer = link.Trailer()
    assert trailer.read(buffer, len(buffer))
    assert not trailer.read(buffer[10:], len(buffer) - 10)
    long = bytearray(link.burst(bytes(link.MAX_BURST + 1), link.POLL, 5, 1, 16, TAG))
    assert not trailer.read(long, len(long))
    assert not trailer.read(bytearray(link.TRAILER_SIZE), link.TRAILER_SIZE)
    wrong = bytearray(poll(b"x"))
    wrong[1] ^= 1
    assert not trailer.read(wrong, len(wrong))
    assert not trailer.read(bytearray(b"\x0e" + b"\x01" * 12), 13)
    assert not trailer.read(bytearray(b"\x20" + b"\x01" * 12 + b"\x00"), 14)


def test_it_is_silent_until_it_is_polled_and_then_says_one_burst():
    seat = Seat()
    seat.waiting = [FRAME]
    assert seat.answer() is None
    assert seat.hear(poll(FRAME)) == [link.Frame(link.PONG, 7, 1, b"")]
    assert seat.answer() == (1, 0, TAG, FRAME)
    assert seat.answer() is None


def test_for_whom_a_poll_is():
    mine = [
        poll(),
        poll(bits=0, tag=TAG ^ 0xFFFF),
        poll(bits=4, tag=TAG & 15),
        poll(bits=255),
        poll(kind=link.OTHERS, tag=TAG ^ 1),
    ]
    others = [
        poll(address=6),
        poll(tag=TAG ^ 0x8000),
        poll(bits=1, tag=TAG ^ 1),
        poll(kind=link.OTHERS),
        poll(kind=link.END),
        poll(kind=7),
        poll()[:-1],
    ]
    for data in mine:
        seat = Seat()
        seat.hear(data)
        assert seat.answer() is not None, data.hex()
    for data in others:
        seat = Seat()
        assert not seat.hear(data)
        assert not seat.station.spoken_to
        assert seat.answer() is None, data.hex()
    nobody = Seat(address=0)
    assert not nobody.hear(poll(address=0))
    assert nobody.answer() is None


def test_a_stale_poll_brings_its_frames_and_gets_no_answer():
    seat = Seat()
    seat.hear(poll(turn=1))
    seat.hear(b"\x55")  # somebody else has the turn
    assert seat.answer() is None
    assert seat.hear(poll(FRAME, turn=2), after_ms=LATE_MS + 1)
    assert seat.station.owes
    assert seat.answer() is None
    assert seat.hear(bytes(READ_SIZE - 20) + poll(FRAME, turn=3)[1:])
    assert seat.answer() is None
    assert seat.station.stale == seat.station.bad == 2
    assert not seat.hear(poll(FRAME, turn=3))  # again: taken already
    assert seat.answer() == (3, 0, TAG, b"")
    assert not seat.station.owes


def test_a_repeated_turn_gets_the_same_answer_and_is_taken_once():
    seat = Seat()
    seat.waiting = [FRAME]
    assert len(seat.hear(poll(FRAME))) == 1
    assert seat.answer() == (1, 0, TAG, FRAME)
    seat.waiting = [FRAME, FRAME]
    assert seat.hear(poll(FRAME)) == []
    assert seat.answer() == (1, 0, TAG, FRAME)
    assert len(seat.hear(poll(FRAME, turn=2))) == 1
    assert seat.answer() == (2, 0, TAG, FRAME * 2)


def test_an_answer_is_bounded_in_bytes_and_in_time():
    seat = Seat()
    longest = link.encode(link.REPORT, 1, 1, bytes(link.MAX_BODY))
    seat.waiting = [longest, FRAME, longest]
    seat.hear(poll())
    assert seat.answer() == (1, 1, TAG, longest)
    assert not seat.station.too_late(seat.now + ANSWER_MS)
    assert seat.station.too_late(seat.now + ANSWER_MS + 1)
    assert seat.station.stale == 1
    assert [seat.station.rest_ms(ms) for ms in (0, 3, 500)] == [REST_MS, 3, REST_MS]


def test_a_bus_full_of_others_leaves_room_for_ours():
    seat = Seat()
    for _ in range(300):
        assert not seat.hear(link.burst(FRAME, link.END, 6, 1, 0, 1))
    data = FRAME * 10
    for at in range(0, len(data), 40):
        seat.hear(data[at : at + 40])
    assert len(seat.hear(poll(data)[1 + len(data) :])) == 10


@pytest.mark.parametrize(
    ("config", "line"),
    [
        ("", ("usb", 0, 115_200)),
        ("[1]", ("usb", 0, 115_200)),
        ("{", ("usb", 0, 115_200)),
        ('{"roles": ["rating"]}', ("usb", 0, 115_200)),
        ('{"line": "uart", "baud": 57600}', ("uart", 0, 57_600)),
        ('{"line": "bus", "address": 31}', ("bus", 31, 115_200)),
        ('{"line": "bus"}', ("bus", 0, 115_200)),
        ('{"line": "bus", "address": 32, "baud": 1}', ("bus", 0, 115_200)),
        ('{"line": "bus", "address": "5", "baud": "fast"}', ("bus", 0, 115_200)),
        ('{"line": "wlan", "address": 5}', ("usb", 5, 115_200)),
    ],
)
def test_the_line_is_chosen_by_the_configuration(tmp_path, config, line):
    if config:
        (tmp_path / state.CONFIG_FILE).write_text(config)
    assert state.line(str(tmp_path)) == line


def test_a_configuration_put_aside_still_says_where_the_host_is(tmp_path):
    (tmp_path / state.CONFIG_FILE).write_text('{"line": "bus", "address": 7, "roles": ["caller"]}')
    state.put_aside(str(tmp_path), state.ASIDE)
    assert state.line(str(tmp_path)) == ("bus", 7, 115_200)
    assert state.roles(str(tmp_path)) == link.RATING
