"""Slips as bytes: golden bytes, python-escpos as oracle, and what may never be sent."""

import string
from collections.abc import Callable
from typing import Any

import pytest
from escpos.constants import QR_ECLEVEL_M
from escpos.printer import Dummy
from hypothesis import given, strategies as st

from hal.api import Align, Feed, Pair, Qr, Rule, Slip, SlipItem, Text
from hal.drivers.escpos_codes import (
    PADDING,
    PAPER_58,
    QR_CAPACITY_M,
    Profile,
    cells,
    encode,
    wrap,
)
from hal.sim.paper import qr_modules
from hal.sim.printer import SimPrinter
from kiosk.slip import build_slip

printable = st.text(
    st.characters(exclude_categories=("C", "Z")) | st.sampled_from(" \u3000，。A1"), max_size=120
)
one_line = printable.filter(lambda text: cells(text) <= Profile().columns)
sizes = st.integers(1, 8)
items = st.one_of(
    st.builds(Text, printable, sizes, sizes, st.booleans(), st.sampled_from(Align)),
    st.builds(Pair, printable, printable, sizes, sizes, st.booleans()),
    st.builds(Rule),
    st.builds(Feed, st.integers(0, 255)),
    st.builds(
        Qr, st.text(string.ascii_letters + "/:.?=", min_size=1, max_size=213), st.integers(1, 16)
    ),
)
slips = st.builds(Slip, st.lists(items, max_size=12).map(tuple))


def paper(slip: Slip, profile: Profile = Profile()) -> SimPrinter:  # noqa: B008 - frozen
    sim = SimPrinter(dots_wide=profile.dots_wide)
    sim.receive(encode(slip, profile))
    assert not sim.refused
    return sim


def lines(*slip_items: SlipItem, profile: Profile = Profile()) -> tuple[str, ...]:  # noqa: B008
    printed = paper(Slip(slip_items), profile).slips
    return printed[0].lines if printed else ()


def body(*slip_items: SlipItem) -> bytes:
    """The bytes between the settings and the cut."""
    head = len(b"\x1b@\x1c.\x1dP..\x1dL..\x1dW..")
    return encode(Slip(slip_items))[head:-4]


# --- golden --------------------------------------------------------------------------------

SAMPLE: dict[str, Any] = {
    "zh_CN": {"branch_name": "示例银行 滨江支行", "service_name": "现金业务"},
    "en": {"branch_name": "Sample Bank Riverside", "service_name": "Cash"},
}


@pytest.mark.parametrize("language", SAMPLE)
def test_golden_slip(language: str, golden: Callable[[str, bytes], None]):
    data = encode(
        build_slip(
            **SAMPLE[language],
            language=language,
            number="A042",
            waiting=6,
            wait_min=(15, 25),
            issued_at_text="2026-11-23 10:24",
            reference="7f3a-9c21",
            public_url="https://q.example/t/7f3a9c21",
            complaints_phone="400-000-0000",
            cover_holds=True,
            missed_returns=True,
        )
    )
    dump = "".join(data[at : at + 32].hex(" ") + "\n" for at in range(0, len(data), 32))
    golden(f"slip_{language}.hex", dump.encode())


def test_the_bytes_of_one_line_each():
    assert body(Text("A1")) == b"\x1b3\x22A1\n"
    assert body(Text("A1", 8, 8, bold=True, align=Align.CENTRE)) == (
        b"\x1ba\x01\x1b3\xd0\x1d!\x77\x1bE\x01A1\n"
    )
    assert body(Text("在A，")) == b"\x1b3\x22\x1c&\xd4\xda\x1c.A\x1c&\xa3\xac\x1c.\n"
    assert body(Feed(3)) == b"\x1b3\x22\x1bd\x03"
    assert body(Rule()) == b"\x1b3\x22" + b"-" * 44 + b"\n"


# --- oracle --------------------------------------------------------------------------------


def test_python_escpos_sends_the_same_qr_code():
    oracle = Dummy()
    oracle.qr("https://q.example/1", ec=QR_ECLEVEL_M, size=7, model=2, native=True)
    ours = body(Qr("https://q.example/1", 7))
    white = b"\x1bJ\x1c"
    assert ours == b"\x1ba\x01" + white + oracle.output + white


@pytest.mark.parametrize(("width", "height"), [(1, 2), (2, 1), (3, 5), (8, 8)])
def test_python_escpos_sends_the_same_size(width: int, height: int):
    oracle = Dummy()
    oracle.set(custom_size=True, width=width, height=height, align="center", bold=True)
    ours = body(Text("x", width, height, bold=True, align=Align.CENTRE))
    for command in (b"\x1d!", b"\x1bE", b"\x1ba"):
        at = oracle.output.index(command)
        assert oracle.output[at : at + 3] in ours


def test_python_escpos_knows_our_cut():
    oracle = Dummy()
    oracle.cut(mode="PART", feed=False)
    assert oracle.output == b"\x1dVB\x00"
    assert encode(Slip(()))[-4:-1] == b"\x1dVB"


# --- layout --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "columns", "expected"),
    [
        ("", 10, [""]),
        ("take a seat", 6, ["take a", "seat"]),
        ("请留意大屏。", 10, ["请留意大", "屏。"]),
        ("A0421234567", 4, ["A042", "1234", "567"]),
        ("no  gap", 3, ["no ", "gap"]),
        ("等 15-25 分钟", 9, ["等 15-25", "分钟"]),
    ],
)
def test_lines_break_where_people_break_them(text: str, columns: int, expected: list[str]):
    assert wrap(text, columns) == expected


def test_a_pair_stands_at_both_edges_counted_in_cells():
    assert lines(Pair("取号时间", "10:24")) == ("取号时间" + " " * 31 + "10:24",)
    assert lines(Pair("前面", "6 人", 2, 2)) == ("前面" + " " * 14 + "6 人",)


def test_a_pair_too_long_for_one_line_takes_more_and_loses_nothing():
    left, right = "取号时间" * 4, "2026-11-23 10:24 Monday"
    assert lines(Pair(left, right)) == (left, " " * 21 + right)


def test_a_number_too_wide_for_the_paper_is_narrowed_not_broken():
    sim = paper(Slip((Text("AB1042", 8, 8),)), PAPER_58)
    assert sim.slips[0].number == "AB1042"
    assert sim.slips[0].lines == ("AB1042",)


@given(one_line)
def test_text_that_fits_one_line_comes_out_as_asked(text: str):
    assert lines(Text(text)) == ((text,) if text else ())


@given(printable, sizes, sizes, st.sampled_from([Profile(), PAPER_58]))
def test_no_character_is_lost_or_clipped_at_any_size(
    text: str, width: int, height: int, profile: Profile
):
    sim = paper(Slip((Text(text, width, height),)), profile)
    printed = "".join(line for piece in sim.slips for line in piece.lines)
    assert printed.replace(" ", "") == text.replace(" ", "")
    for piece in sim.slips:
        for mark in piece.marks:
            last = mark.cells[-1]  # type: ignore[union-attr]
            assert last.x + last.dots <= profile.dots_wide - profile.margin_dots


@given(slips)
def test_any_slip_is_one_piece_of_paper_without_a_refusal(slip: Slip):
    sim = paper(slip)
    assert len(sim.slips) <= 1
    assert all(piece.complete for piece in sim.slips)


@given(slips)
def test_no_slip_holds_a_real_time_command_by_accident(slip: Slip):
    data = encode(slip)
    assert not any(bytes([0x10, n]) in data for n in (0x04, 0x05, 0x14))


# --- refusals ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "char", ["\x00", "\x10", "\x1b", "\n", "\x7f", "\x85", "\u2028", "\ud800"]
)
def test_control_characters_are_refused_by_name(char: str):
    for item in (Text(f"a{char}b"), Pair(f"a{char}b", ""), Pair("", f"a{char}b"), Qr(f"a{char}b")):
        with pytest.raises((ValueError, UnicodeEncodeError)):
            encode(Slip((item,)))
    with pytest.raises(ValueError, match=f"U\\+{ord(char):04X}"):
        encode(Slip((Text(f"a{char}b"),)))


@given(st.characters(categories=("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")))
def test_no_unprintable_character_reaches_the_printer(char: str):
    with pytest.raises(ValueError, match="cannot be printed"):
        encode(Slip((Text(char),)))


@pytest.mark.parametrize(
    ("item", "says"),
    [
        (Text("x", width=9), "1..8, got 9"),
        (Text("x", height=0), "1..8, got 0"),
        (Feed(256), "0..255, got 256"),
        (Qr("x", 17), "1..16, got 17"),
        (Qr(""), "1..213 bytes"),
        (Qr("x" * 214), "got 214"),
    ],
)
def test_values_out_of_range_are_refused(item: SlipItem, says: str):
    with pytest.raises(ValueError, match=says.replace(".", r"\.")):
        encode(Slip((item,)))


def test_qr_capacities_are_those_of_the_symbols():
    for version, room in enumerate(QR_CAPACITY_M, start=1):
        assert len(qr_modules(b"x" * room, "m")) == 17 + 4 * version
        assert len(qr_modules(b"x" * (room + 1), "m")) > 17 + 4 * version


def test_a_qr_code_too_wide_gets_smaller_modules():
    sim = paper(Slip((Qr("x" * 213, 16),)), PAPER_58)
    mark = sim.slips[0].marks[0]
    assert mark.module_dots == 384 // 57  # type: ignore[union-attr]


def test_padding_outlasts_the_longest_block():
    assert len(PADDING) > QR_CAPACITY_M[-1] + 8
