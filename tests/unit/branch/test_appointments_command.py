"""`lobby appointments`: what it writes is what a server reads, and what it says is of use."""

import errno
import itertools
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import segno
from PIL import Image
from typer.testing import CliRunner

from branch.appointment_rows import (
    AppointmentRow,
    Offered,
    WrongField,
    decode_rows,
    encode_rows,
    new_code,
    parse_csv,
)
from branch.appointments import AppointmentBook
from lobby import app
from sync.codes import token_of
from tests.unit.branch.test_config import GOOD

HEAD = 'appointments = "appointments.json"\n'
SOON = f"{datetime.now() + timedelta(days=2):%Y-%m-%dT10:30}"  # noqa: DTZ005 - local, as typed
GONE = "2020-01-01T09:00"
OFFERED = Offered(("A", "B"), (1, 2), UTC)
NOW_MS = 1_700_000_000_000
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "branch.toml").write_text(HEAD + GOOD, "utf-8")
    return tmp_path / "appointments.json"


@pytest.fixture
def run(file: Path) -> Run:
    def invoke(*words: str) -> tuple[int, str, str]:
        config = str(file.with_name("branch.toml"))
        done = CliRunner().invoke(app, ["appointments", *words, "-c", config])
        return done.exit_code, done.stdout, done.stderr

    return invoke


def codes(file: Path) -> list[str]:
    return [row["code"] for row in json.loads(file.read_text("utf-8"))]


def drawing() -> Callable[[int], int]:
    """Codes in their order, from 000000 on."""
    count = itertools.count()
    return lambda below: next(count) % below


def modules(lines: list[str]) -> list[list[int]]:
    """The dark modules of a drawn QR code, without its quiet zone."""
    halves = {"█": (0, 0), "▀": (0, 1), "▄": (1, 0), " ": (1, 1)}
    rows = [[halves[letter][half] for letter in line] for line in lines for half in (0, 1)]
    size = len(rows[0]) - 8
    return [row[4:-4] for row in rows[4 : 4 + size]]


def test_an_appointment_is_made_shown_listed_and_cancelled(run: Run, file: Path) -> None:
    png = file.with_name("b.png")
    status, shown, said = run("add", "--service", "A", "--at", SOON, "--png", str(png))
    assert status == 0, said
    (code,) = codes(file)
    assert code[0] in "01234567"
    assert f"{code[:3]} {code[3:]}" in shown
    for words in (SOON.replace("T", " "), "到店后", "Type the six digits"):
        assert words in shown
    expected = [
        [int(dark) for dark in row] for row in segno.make_qr(f"L1:{code}", error="m").matrix
    ]
    drawn = [line for line in shown.splitlines() if set(line) <= set("█▀▄ ") and "█" in line]
    assert modules(drawn) == expected
    with Image.open(png) as picture:
        grey = picture.convert("L")
        side = len(expected)
        assert picture.width == picture.height == 12 * (side + 8)
        read = [
            [int(grey.getpixel((12 * (x + 4) + 6, 12 * (y + 4) + 6)) == 0) for x in range(side)]
            for y in range(side)
        ]
    assert read == expected
    assert run("show", f"{code[:3]} {code[3:]}")[1] == shown
    assert run("show", f"L1:{code}")[1] == shown

    # A server that runs has it, without a restart.
    book = AppointmentBook(str(file), "AB", (1,), None)
    found = book.find(token_of(code))
    assert found is not None
    assert found.service == "A"
    status, listed, _ = run("list")
    assert listed.splitlines() == ["code,service,at,counter,qr", f"{code},A,{SOON},,L1:{code}"]
    assert run("list", "--date", SOON[:10])[1] == listed
    assert run("list", "--date", "2020-01-01")[1].count("\n") == 1
    assert run("cancel", "999999")[0] == 2
    status, _, said = run("cancel", code)
    assert (status, "1 cancelled, 0 left" in said, codes(file)) == (0, True, [])
    os.utime(file, ns=(1, 1))
    assert book.find(token_of(code)) is None


def test_days_gone_by_are_hidden_and_cleared_away(run: Run, file: Path) -> None:
    rows = [AppointmentRow("000001", "A", GONE), AppointmentRow("000002", "A", SOON, 1)]
    file.write_bytes(encode_rows(rows))
    file.chmod(0o604)
    assert run("list")[1].splitlines()[1:] == [f"000002,A,{SOON},1,L1:000002"]
    assert len(run("list", "--all")[1].splitlines()) == 3
    assert run("cancel", "--before", "2021-01-01")[0] == 0
    assert codes(file) == ["000002"]
    assert file.stat().st_mode & 0o777 == 0o604
    assert "1 号窗口  Counter 1" in run("show", "000002")[1]
    for words, why in (
        (("cancel", "--before", "May"), "--before: 'May'; expected a day like 2026-11-30"),
        (("cancel", "12"), "'12'; expected six digits"),
        (("show", "000009"), "there is no code 000009"),
        (("cancel",), "expected a code or --before DATE"),
    ):
        status, _, said = run(*words)
        assert (status, why in " ".join(said.split())) == (2, True), said


def test_a_csv_file_is_taken_whole_or_not_at_all(run: Run, file: Path) -> None:
    sheet = file.with_name("monday.csv")
    sheet.write_text(f"\ufeffat, service ,counter\n{SOON},A,1\n\n{SOON},A,\n", "utf-8")
    status, out, said = run("import", str(sheet))
    assert (status, "2 appointments added" in said) == (0, True), said
    before = file.read_bytes()
    made = out.splitlines()
    assert made[0] == "code,service,at,counter,qr"
    assert sorted(line[:6] for line in made[1:]) == sorted(codes(file))
    assert made[1][7:].startswith(f"A,{SOON},1,L1:")
    # What came out goes in again: refused at the first code, the file stays as it was.
    sheet.write_text("\n".join(line.rsplit(",", 1)[0] for line in made), "utf-8")
    status, out, said = run("import", str(sheet))
    assert (status, out) == (2, "")
    assert said.count("\n") == 1
    assert f"{sheet}: line 2: column code: '{made[1][:6]}' is there already" in said
    assert file.read_bytes() == before
    sheet.write_bytes("service,at\n现".encode("gb18030"))
    assert "not UTF-8 text" in run("import", str(sheet))[2]
    assert "No such file" in run("import", str(file.with_name("none.csv")))[2]
    assert file.read_bytes() == before


def test_what_is_wrong_is_said_and_nothing_is_written(run: Run, file: Path) -> None:
    for words, why in (
        (("--service", "Z", "--at", SOON), "--service: 'Z' is not one of the services; expected"),
        (("--service", "A", "--at", GONE), f"--at: '{GONE}' is over; expected a time to come"),
        (("--service", "A", "--at", "noon"), "expected a local time like 2026-11-30T10:30"),
        (("--service", "A", "--at", SOON, "--counter", "77"), "--counter: 77 is not one of the"),
    ):
        status, out, said = run("add", *words)
        assert (status, out, why in said) == (2, "", True), said
    assert not file.exists()
    file.write_text("[{]", "utf-8")
    assert "correct it first" in run("add", "--service", "A", "--at", SOON)[2]
    assert file.read_text("utf-8") == "[{]"
    file.with_name("branch.toml").write_text(GOOD, "utf-8")
    assert "appointments: none; name the file there" in run("list")[2]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "line 1: empty; expected the header service,at"),
        ("\n \nservice,at\n", "line 2: there is no appointment; expected a line for each"),
        ("service\nA", "line 1: there is no column 'at'; expected one"),
        ("service,at,name\n", r"line 1: column 'name' is unknown; .*do not belong here"),
        ("service,at,at\n", "line 1: column 'at' is there twice"),
        ("service,at\nA\n", "line 2: 1 columns; expected 2: service, at"),
        ('service,at\n"A', "line 2: not CSV: unexpected end of data"),
        ("service,at\nA,2030-01-01T09:00\nC,2030-01-01T09:00",
         "line 3: column service: 'C' is not one of the services; expected A, B"),
        ("service,at\nA,1 May", "line 2: column at: '1 May'; expected a local time like"),
        ("service,at\nA,2020-01-01T09:00", "line 2: column at: .* is over"),
        ("service,at,counter\nA,2030-01-01T09:00,x", "column counter: 'x'; expected a counter's"),
        ("service,at,counter\nA,2030-01-01T09:00,99999", "column counter: '99999'; expected a"),
        ("service,at,counter\nA,2030-01-01T09:00,7", "column counter: 7 is not one of .* 1, 2"),
        ("service,at,code\nA,2030-01-01T09:00,812345", "column code: expected six digits, the"),
        ("service,at,code\nA,2030-01-01T09:00,000001\nA,2030-01-01T09:00,000001",
         "line 3: column code: '000001' is there already"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_named_with_its_column(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_csv(text, OFFERED, (), NOW_MS, drawing())


def test_codes_are_drawn_until_one_is_free() -> None:
    drawn = iter((482_915, 482_915, 7))
    rows = parse_csv(
        "service,at,counter\nB,2030-01-01T09:00+08:00,2\nA,2030-01-01T09:00,\n",
        OFFERED, (), NOW_MS, lambda _: next(drawn),
    )  # fmt: skip
    assert [row.code for row in rows] == ["482915", "000007"]
    raw = encode_rows(rows)
    assert raw.count(b"\n") == 4
    (first, made), (_, other) = decode_rows(raw, OFFERED)
    assert (first.code, other.at_ms - made.at_ms) == ("000007", -8 * 3_600_000)
    with pytest.raises(ValueError, match="400000 codes are taken; remove appointments"):
        new_code([str(n) for n in range(400_000)], lambda _: 0)


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ({}, "not a list of appointments"),
        ([{"code": "1", "service": "A", "at": SOON}], r"\[0\].code: expected six digits"),
        ([{"code": "000001", "service": "A", "at": SOON}] * 2, r"\[1\].code: is there already"),
    ],
)
def test_a_wrong_file_is_named_with_its_key(rows: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        decode_rows(json.dumps(rows).encode(), OFFERED)
    assert WrongField("at", "x").key == "at"


def test_a_full_disk_is_said_of_the_file_and_changes_nothing(
    run: Run, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("add", "--service", "A", "--at", SOON)[0] == 0
    before = file.read_bytes()

    def full(_fd: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # as the kernel: it names no file

    monkeypatch.setattr(os, "fsync", full)
    status, _, said = run("add", "--service", "A", "--at", SOON)
    assert status == 2
    assert f"{file}: No space left on device" in said
    assert file.read_bytes() == before
