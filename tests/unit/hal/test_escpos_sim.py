"""The simulated printer: it takes what a printer takes and refuses what a printer refuses."""

import io
import json
from pathlib import Path

import pytest
from hypothesis import given, strategies as st
from PIL import Image

from hal.api import Qr, Slip, Text
from hal.drivers.escpos_codes import CLEAR_BUFFERS, encode
from hal.sim.paper import TextLine
from hal.sim.printer import RECEIVE_BUFFER, SimPrinter
from hal.sim.printer_ports import SlipTray

CUT = b"\x1dVB\x00"
BOTH = "号码 A042，请稍候"
FRAGMENTS = (
    *(b"\x1b", b"\x1c&", b"\x1c.", b"\x1d(k", b"\x1d!\x77", b"\x10", b"\x10\x14", CUT),
    *(b"\x10\x04\x01", b"\x1dr\x01", b"\x1b@", b"\x1ba\x01", b"\x1da\xff", b"\n", b"A042"),
    *(CLEAR_BUFFERS, BOTH.encode("gb18030"), encode(Slip((Text(BOTH), Qr("x"))))),
)
wild = st.lists(
    st.one_of(
        st.binary(max_size=20),
        st.sampled_from(FRAGMENTS),
    ),
    max_size=30,
).map(b"".join)


def printed(data: bytes) -> SimPrinter:
    sim = SimPrinter()
    sim.receive(data + CUT)
    return sim


@given(wild)
def test_no_bytes_make_it_fall_over(data: bytes):
    sim = SimPrinter()
    sim.receive(data)
    sim.power_cycle()
    sim.receive(b"\x1b@still here\n" + CUT)
    assert sim.slips[-1].lines[-1] == "still here"
    for slip in sim.slips:
        assert slip.width == 576


@given(wild, st.data())
def test_splitting_gives_the_same_paper_and_the_same_answers(data: bytes, draw: st.DataObject):
    whole, parts = SimPrinter(), SimPrinter()
    expected = whole.receive(data)
    said, at = b"", 0
    while at < len(data):
        size = draw.draw(st.integers(1, len(data) - at))
        said += parts.receive(data[at : at + size])
        at += size
    assert said == expected
    assert list(parts.slips) == list(whole.slips)
    assert list(parts.refused) == list(whole.refused)


def test_chinese_without_kanji_mode_comes_out_wrong():
    assert printed("现金\n".encode("gb18030")).slips[0].lines != ("现金",)
    sim = printed(b"\x1c&" + "现金\n".encode("gb18030"))
    assert sim.slips[0].lines == ("现金",)


def test_an_unknown_command_is_refused_and_its_parameters_print_as_garbage():
    sim = printed(b"ok\n\x1bz7\n\x01")
    assert [(r.offset, r.data) for r in sim.refused] == [(3, b"\x1bz"), (7, b"\x01")]
    assert sim.slips[0].lines == ("ok", "7")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x1d!\x88", "size beyond"),
        (b"\x1bM\x01", "no such font"),
        (b"\x1dr\x09", "no such status"),
        (b"text" + CUT, "beginning of a line"),
        (b"text\x1ba\x01", "beginning of a line"),
        (b"\x1d(k\x03\x001Q0", "needs data"),
        (b"\x1d(k\x04\x001A1\x00", "model 2"),
        (b"\x1d(k\x03\x001C\x11", "1..16"),
        (b"\x1d(k\x03\x001C\x10\x1d(k\xd7\x001P0" + b"x" * 212 + b"\x1d(k\x03\x001Q0", "wider"),
        (b"\x1d(A\x02\x00\x00\x01", "unknown command"),
        (b"\x1c&\x81\x30\x81", ""),  # half a character: waits
        (b"\x1c&\xfe\x39\xfe\x39", "GB18030"),
    ],
)
def test_what_a_printer_refuses(data: bytes, reason: str):
    sim = SimPrinter()
    sim.receive(data)
    assert [reason in refusal.reason for refusal in sim.refused] == ([True] if reason else [])


def test_status_tells_each_fault():
    sim = SimPrinter()
    ask = b"".join(bytes([0x10, 0x04, n]) for n in (1, 2, 3, 4))
    assert sim.receive(ask) == bytes([0x12, 0x12, 0x12, 0x12])
    sim.paper_near_end()
    assert sim.receive(ask) == bytes([0x12, 0x12, 0x12, 0x1E])
    sim.paper_out()
    assert sim.receive(ask) == bytes([0x1A, 0x32, 0x12, 0x7E])
    sim.load_paper()
    sim.open_cover()
    assert sim.receive(ask) == bytes([0x1A, 0x16, 0x12, 0x12])
    sim.close_cover()
    sim.jam_cutter()
    assert sim.receive(b"x\n" + CUT + ask) == bytes([0x1A, 0x52, 0x1A, 0x12])


def test_gs_r_is_answered_in_order_and_not_while_offline():
    sim = SimPrinter()
    sim.tear_mid_slip(after_lines=1)
    assert sim.receive(b"\x1dr\x01one\ntwo\n\x1dr\x01\x10\x04\x02") == b"\x00\x32"
    sim.load_paper()
    assert sim.receive(b"") == b"\x00"


def test_without_a_clear_the_rest_of_a_torn_slip_is_printed_as_a_ghost():
    sim = SimPrinter()
    sim.tear_mid_slip(after_lines=1)
    sim.receive(b"one\ntwo\n" + CUT)
    sim.load_paper()
    assert [(s.lines, s.complete) for s in sim.slips] == [(("one",), False), (("two",), True)]


def test_with_a_clear_it_is_forgotten():
    sim = SimPrinter()
    sim.tear_mid_slip(after_lines=1)
    assert sim.receive(b"one\ntwo\n" + CUT + CLEAR_BUFFERS) == b"\x37\x25\x00"
    sim.load_paper()
    assert [s.lines for s in sim.slips] == [("one",)]


def test_the_receive_buffer_ends_somewhere_and_says_so():
    sim = SimPrinter()
    sim.open_cover()
    sim.receive(b"A\n" * RECEIVE_BUFFER)
    assert sim.overflowed == RECEIVE_BUFFER
    sim.close_cover()
    sim.receive(CUT)
    assert len(sim.slips[0].lines) == RECEIVE_BUFFER // 2


def test_dle_enq_repeats_the_cut_of_a_freed_cutter():
    sim = SimPrinter()
    sim.jam_cutter()
    sim.receive(b"one\n" + CUT + b"\x10\x05\x01")
    assert not sim.slips
    sim.free_cutter()
    sim.receive(b"\x10\x05\x01")
    assert [(s.lines, s.complete) for s in sim.slips] == [(("one",), True)]


def test_automatic_status_is_sent_when_switched_on_and_at_each_change():
    sim = SimPrinter()
    assert sim.receive(b"\x1da\xff") == b"\x10\x00\x00\x0f"
    sim.open_cover()
    sim.close_cover()
    assert sim.receive(b"") == b"\x38\x00\x00\x0f\x10\x00\x00\x0f"


def test_the_picture_has_black_where_text_is_and_nothing_is_clipped():
    sim = printed(b"\x1ba\x01\x1d!\x11gjy\n\x1d!\x00\x1c&" + "请留意".encode("gb18030") + b"\n")
    slip = sim.slips[0]
    picture = Image.open(io.BytesIO(slip.png()))
    assert picture.size == (576, slip.height)
    for line in slip.marks:
        assert isinstance(line, TextLine)
        left, right = line.cells[0].x, line.cells[-1].x + line.cells[-1].dots
        assert abs(left - (576 - right)) <= 1
        ink = (
            picture.crop((left, line.y, right, line.y + line.height))
            .convert("L")
            .point(lambda level: 255 - level)
        )
        box = ink.getbbox()
        assert box is not None
        assert box[3] - box[1] > line.height * 0.6


def test_the_tray_has_a_line_and_a_picture_for_each_slip(tmp_path: Path):
    sim = SimPrinter(on_slip=SlipTray(tmp_path, draw=True).take)
    sim.receive(encode(Slip((Text("A042", 8, 8), Qr("https://q.example")))))
    sim.receive(encode(Slip((Text("A043", 8, 8),))))
    rows = [json.loads(line) for line in (tmp_path / "slips.jsonl").read_text().splitlines()]
    assert [(row["number"], row["qr"], row["complete"]) for row in rows] == [
        ("A042", "https://q.example", True),
        ("A043", None, True),
    ]
    with Image.open(tmp_path / rows[0]["png"]) as picture:
        assert picture.width == 576
