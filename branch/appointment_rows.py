"""The rows of a file of appointments, and of the CSV files that they come from. Pure.

A row says nothing of who has the appointment: a code, a service, a local time, perhaps a counter.
"""

import csv
import json
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

import msgspec

from sync.codes import CODE_DIGITS, RETURN_FIRST, SLIP_FIRST, is_code, token_of

CODES = 800_000
"""Six digits, the first one 0 to 7."""
COLUMNS = ("service", "at", "counter", "code")
NEEDED = ("service", "at")
OUR_PREFIX = "L1:"
"""What stands before a code in a QR code: a kiosk's reader knows it by this."""
MAX_COUNTER_DIGITS = 4


class AppointmentRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``at`` is the branch's local time (ISO), ``counter`` 0 is any."""

    code: str
    service: str
    at: str
    counter: int = 0


@dataclass(frozen=True, slots=True)
class Appointment:
    """``at_ms`` is the slot (Unix ms), ``counter`` the one that expects the visitor, 0: any."""

    service: str
    at_ms: int
    counter: int = 0


class WrongField(ValueError):
    """``key`` of a row is wrong; the message says what was expected."""

    def __init__(self, key: str, expected: str) -> None:
        super().__init__(expected)
        self.key = key


@dataclass(frozen=True, slots=True)
class Offered:
    """What an appointment can be for: letters of services, numbers of counters; the branch's time
    zone, None: the machine's.
    """

    services: Collection[str]
    counters: Collection[int]
    tz: tzinfo | None = None

    def check(self, row: AppointmentRow) -> Appointment:
        """The appointment of a row. Raises WrongField."""
        if not is_code(row.code) or row.code[0] in (SLIP_FIRST, RETURN_FIRST):
            raise WrongField("code", "expected six digits, the first one 0 to 7")
        if row.service not in self.services:
            listed = ", ".join(self.services)
            raise WrongField(
                "service", f"{row.service!r} is not one of the services; expected {listed}"
            )
        if row.counter and row.counter not in self.counters:
            listed = ", ".join(map(str, self.counters))
            raise WrongField(
                "counter", f"{row.counter} is not one of the counters; expected {listed}"
            )
        try:
            at = datetime.fromisoformat(row.at)
        except ValueError:
            raise WrongField(
                "at", f"{row.at!r}; expected a local time like 2026-11-30T10:30"
            ) from None
        local = at if at.tzinfo else at.replace(tzinfo=self.tz)
        return Appointment(row.service, round(local.timestamp() * 1000), row.counter)


_decoder = msgspec.json.Decoder(list[AppointmentRow])


def decode_rows(raw: bytes, offered: Offered) -> list[tuple[AppointmentRow, Appointment]]:
    """The rows of a file, each checked. Raises ValueError with the key and the reason."""
    try:
        rows = _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise ValueError(f"not a list of appointments: {error}") from error
    found: list[tuple[AppointmentRow, Appointment]] = []
    codes = set[str]()
    for number, row in enumerate(rows):
        try:
            made = offered.check(row)
        except WrongField as error:
            raise ValueError(f"[{number}].{error.key}: {error}") from None
        if row.code in codes:
            raise ValueError(f"[{number}].code: is there already")
        codes.add(row.code)
        found.append((row, made))
    return found


def encode_rows(rows: Sequence[AppointmentRow]) -> bytes:
    """The file, a row a line, in the order of the slots."""
    ordered = sorted(rows, key=lambda row: (row.at, row.code))
    lines = (json.dumps(_fields(row), ensure_ascii=False) for row in ordered)
    return ("[\n" + ",\n".join(lines) + "\n]\n").encode()


def _fields(row: AppointmentRow) -> dict[str, str | int]:
    made: dict[str, str | int] = {"code": row.code, "service": row.service, "at": row.at}
    if row.counter:
        made["counter"] = row.counter
    return made


def new_code(taken: Collection[str], choose: Callable[[int], int]) -> str:
    """A code that is not ``taken``; ``choose`` draws a number below its argument. Raises
    ValueError where half of all codes are taken: the next one could be guessed.
    """
    if len(taken) >= CODES // 2:
        raise ValueError(f"{len(taken)} codes are taken; remove appointments that are over")
    while True:
        code = f"{choose(CODES):0{CODE_DIGITS}}"
        if code not in taken:
            return code


def parse_csv(
    text: str,
    offered: Offered,
    taken: Collection[str],
    now_ms: int,
    choose: Callable[[int], int],
) -> list[AppointmentRow]:
    """The new rows of a CSV file with a header: service and at, counter and code if wanted. Raises
    ValueError: line, column, what was expected; one wrong line refuses the whole file.
    """
    codes, made = set(taken), list[AppointmentRow]()
    for line, fields in _records(text):
        at_line = f"line {line}: column "
        counter, code = fields.get("counter", ""), fields.get("code", "")
        if counter and not (counter.isdecimal() and len(counter) <= MAX_COUNTER_DIGITS):
            raise ValueError(f"{at_line}counter: {counter!r}; expected a counter's number or none")
        row = AppointmentRow(
            code or new_code(codes, choose), fields["service"], fields["at"], int(counter or 0)
        )
        try:
            check_new(row, offered, codes, now_ms)
        except WrongField as error:
            raise ValueError(f"{at_line}{error.key}: {error}") from None
        codes.add(row.code)
        made.append(row)
    if not made:
        raise ValueError("line 2: there is no appointment; expected a line for each")
    return made


def check_new(
    row: AppointmentRow, offered: Offered, taken: Collection[str], now_ms: int
) -> Appointment:
    """A row that is to be added. Raises WrongField."""
    appointment = offered.check(row)
    if row.code in taken:
        raise WrongField("code", f"{row.code!r} is there already; expected one that is not")
    if appointment.at_ms < now_ms:
        raise WrongField("at", f"{row.at!r} is over; expected a time to come")
    return appointment


def _records(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and fields of each record. Raises ValueError."""
    reader = csv.reader(text.splitlines(), strict=True)
    header: list[str] = []
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if not any(stripped):
                continue
            if not header:
                header = _header(stripped, reader.line_num)
                continue
            if len(stripped) != len(header):
                raise ValueError(
                    f"line {reader.line_num}: {len(stripped)} columns; expected {len(header)}:"
                    f" {', '.join(header)}"
                )
            yield reader.line_num, dict(zip(header, stripped, strict=True))
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num}: not CSV: {error}") from error
    if not header:
        raise ValueError(f"line 1: empty; expected the header {','.join(NEEDED)}")


def _header(names: list[str], line: int) -> list[str]:
    for name in names:
        if name not in COLUMNS or names.count(name) > 1:
            twice = "is there twice" if name in COLUMNS else "is unknown"
            raise ValueError(
                f"line {line}: column {name!r} {twice}; expected {', '.join(COLUMNS)}."
                " Names, phones and ID numbers do not belong here"
            )
    for name in NEEDED:
        if name not in names:
            raise ValueError(f"line {line}: there is no column {name!r}; expected one")
    return names


def by_token(rows: Sequence[tuple[AppointmentRow, Appointment]]) -> dict[str, Appointment]:
    """The appointments by their code's token."""
    return {token_of(row.code): appointment for row, appointment in rows}
