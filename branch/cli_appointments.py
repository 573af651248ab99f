"""``lobby appointments``: adds, lists, cancels and imports appointments; prints their codes.

What is for a program (codes, rows) goes to standard output, all else to standard error.
"""

import csv
import fcntl
import os
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from branch.appointment_rows import (
    OUR_PREFIX,
    Appointment,
    AppointmentRow,
    Offered,
    WrongField,
    check_new,
    decode_rows,
    encode_rows,
    new_code,
    parse_csv,
)
from branch.config import BranchConfig, read
from branch.errors import BranchError
from sync.codes import is_code
from sync.settings import SettingsError

BORDER_MODULES = 4
SCALE_PX = 12
"""A QR code of version 1 is 348 pixels wide then."""
CSV_HEADER = ("code", "service", "at", "counter", "qr")
FIRST_MODE = 0o640
"""Of a file that is made: a code lets its holder in."""

app = typer.Typer(
    name="appointments",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

ConfigFile = Annotated[
    Path, typer.Option("--config", "-c", metavar="FILE", help="The branch server's branch.toml.")
]
Png = Annotated[
    Path | None,
    typer.Option("--png", metavar="FILE", help="Write the QR code there as a picture."),
]
Code = Annotated[str, typer.Argument(metavar="CODE", help="The six digits.")]


class AppointmentError(BranchError):
    """What was asked for cannot be done; the message says why."""


class AppointmentFile:
    """The file that branch.toml names. Raises AppointmentError, SettingsError, OSError."""

    def __init__(self, config_path: Path) -> None:
        self.config: BranchConfig = read(config_path)
        if not self.config.appointments:
            raise AppointmentError(
                f"{config_path}: appointments: none; name the file there, like"
                ' appointments = "appointments.json"'
            )
        self.path = Path(self.config.appointments)
        self.offered = Offered(
            [service.letter for service in self.config.services],
            [counter.number for counter in self.config.counters],
        )

    def rows(self) -> list[tuple[AppointmentRow, Appointment]]:
        """What is in it; nothing where it is not there yet."""
        try:
            return decode_rows(self.path.read_bytes(), self.offered)
        except FileNotFoundError:
            return []
        except ValueError as error:
            raise AppointmentError(f"{self.path}: {error}; correct it first") from error

    @contextmanager
    def changed(self) -> Iterator[list[AppointmentRow]]:
        """The rows, written back whole and durably if they were changed; one command at a time."""
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            rows = [row for row, _ in self.rows()]
            before = list(rows)
            yield rows
            if rows != before:
                self._write(encode_rows(rows))
                os.fsync(folder)
        finally:
            os.close(folder)

    def _write(self, data: bytes) -> None:
        fresh = self.path.with_name(self.path.name + ".part")
        like = self.path if self.path.exists() else self.path.parent
        mode = like.stat().st_mode & 0o777 if like is self.path else FIRST_MODE
        with fresh.open("wb") as file:
            os.fchmod(file.fileno(), mode)
            if os.geteuid() == 0:  # the server must go on reading it
                os.fchown(file.fileno(), like.stat().st_uid, like.stat().st_gid)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.path)


@app.callback()
def appointments() -> None:
    """Make and keep the file of appointments that visitors check in to.

    Run it as the server's user. A running server knows of each change at once, without a restart.

    \b
    Examples:
      lobby appointments add --service B --at 2026-11-30T10:30 -c /etc/lobby/branch.toml
      lobby appointments import monday.csv -c /etc/lobby/branch.toml > codes.csv
      lobby appointments list -c /etc/lobby/branch.toml
    """


@app.command("add")
def add(
    config: ConfigFile,
    service: Annotated[str, typer.Option(metavar="LETTER", help="The service, like B.")],
    at: Annotated[str, typer.Option(metavar="TIME", help="Local time, like 2026-11-30T10:30.")],
    counter: Annotated[
        int, typer.Option(min=0, help="The counter that expects the visitor; 0 is any.")
    ] = 0,
    png: Png = None,
) -> None:
    """Add one appointment; its code is made, and printed with its QR code for the customer.

    \b
    Examples:
      lobby appointments add --service B --at 2026-11-30T10:30 -c branch.toml
      lobby appointments add --service B --at 2026-11-30T10:30 --png b.png -c branch.toml
    """

    def work(file: AppointmentFile) -> None:
        with file.changed() as rows:
            codes = {row.code for row in rows}
            row = AppointmentRow(new_code(codes, secrets.randbelow), service, at, counter)
            try:
                check_new(row, file.offered, codes, _now_ms())
            except WrongField as error:
                raise AppointmentError(f"--{error.key}: {error}") from None
            rows.append(row)
        _show(file.config, row, png)

    _run(config, work)


@app.command("import")
def import_(
    config: ConfigFile,
    file: Annotated[
        Path, typer.Argument(metavar="CSV", help="With a header: service,at,counter.")
    ],
) -> None:
    """Add the appointments of a CSV file, all of them or none; their codes are printed as CSV.

    Columns: service and at; counter and code (your own six digits) may be left out. Nothing of a
    person belongs into the file: the codes come in the order of its lines.

    \b
    Example, of the file and of the command:
      service,at,counter
      B,2026-11-30T10:30,3
      A,2026-11-30T11:00,
    \b
      lobby appointments import monday.csv -c branch.toml > codes.csv
    """

    def work(there: AppointmentFile) -> None:
        try:
            text = file.read_text("utf-8-sig")
        except UnicodeError as error:
            raise AppointmentError(
                f"{file}: not UTF-8 text ({error}); save it as UTF-8"
            ) from error
        with there.changed() as rows:
            codes = {row.code for row in rows}
            try:
                new = parse_csv(text, there.offered, codes, _now_ms(), secrets.randbelow)
            except ValueError as error:
                raise AppointmentError(f"{file}: {error}; nothing was added") from error
            rows += new
        _table(new)
        _say(f"{len(new)} appointments added to {there.path}")

    _run(config, work)


@app.command("list")
def list_(
    config: ConfigFile,
    date: Annotated[str, typer.Option(metavar="DATE", help="Only this day, YYYY-MM-DD.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
) -> None:
    """List the appointments from today on, in their order, as CSV.

    \b
    Examples:
      lobby appointments list -c branch.toml
      lobby appointments list --date 2026-11-30 -c branch.toml
    """

    def work(file: AppointmentFile) -> None:
        today = f"{_local(_now_ms()):%Y-%m-%d}"
        shown = []
        for row, appointment in sorted(file.rows(), key=lambda one: one[1].at_ms):
            day = f"{_local(appointment.at_ms):%Y-%m-%d}"
            if day == date or (not date and (everything or day >= today)):
                shown.append(row)
        _table(shown)

    _run(config, work)


@app.command("show")
def show(config: ConfigFile, code: Code, png: Png = None) -> None:
    """Print a code with its QR code once more, for the customer.

    \b
    Example:
      lobby appointments show 482915 --png b.png -c branch.toml
    """

    def work(file: AppointmentFile) -> None:
        found = [row for row, _ in file.rows() if row.code == _digits(code)]
        if not found:
            raise AppointmentError(f"{file.path}: there is no code {code}")
        _show(file.config, found[0], png)

    _run(config, work)


@app.command("cancel")
def cancel(
    config: ConfigFile,
    code: Annotated[
        str | None, typer.Argument(metavar="[CODE]", help="The six digits of the one to cancel.")
    ] = None,
    before: Annotated[
        str, typer.Option(metavar="DATE", help="All with a slot before this day, YYYY-MM-DD.")
    ] = "",
) -> None:
    """Cancel one appointment, or clear away those of days gone by.

    Who has checked in already keeps the ticket.

    \b
    Examples:
      lobby appointments cancel 482915 -c branch.toml
      lobby appointments cancel --before 2026-11-01 -c branch.toml
    """
    if (code is None) == (not before):
        raise typer.BadParameter("expected a code or --before DATE")

    def work(file: AppointmentFile) -> None:
        with file.changed() as rows:
            n = len(rows)
            if code is not None:
                rows[:] = [row for row in rows if row.code != _digits(code)]
                if len(rows) == n:
                    raise AppointmentError(f"{file.path}: there is no code {code}")
            else:
                limit_ms = _day_ms(before)
                rows[:] = [r for r in rows if file.offered.check(r).at_ms >= limit_ms]
        _say(f"{n - len(rows)} cancelled, {len(rows)} left in {file.path}")

    _run(config, work)


# --- what is printed ----------------------------------------------------------------------------


def _show(config: BranchConfig, row: AppointmentRow, png: Path | None) -> None:
    """For the customer: service, time, code and QR code, in both languages."""
    import segno  # a server that runs does not need it

    made = segno.make_qr(OUR_PREFIX + row.code, error="m")
    names = {service.letter: (service.zh, service.en) for service in config.services}
    zh, en = names[row.service]
    if png is not None:
        made.save(str(png), kind="png", scale=SCALE_PX, border=BORDER_MODULES)
    when = row.at.replace("T", " ")
    print(f"{config.branch.zh}  {config.branch.en}")
    print(f"预约  Appointment   {when}")
    print(f"{zh}  {en}")
    if row.counter:
        print(f"{row.counter} 号窗口  Counter {row.counter}")
    print(f"\n    {row.code[:3]} {row.code[3:]}\n")
    for line in _drawn([[bool(dark) for dark in line] for line in made.matrix]):
        print(line)
    print("\n到店后在取号机上输入六位数字，或把二维码对准扫码口。")
    print("Type the six digits at the kiosk, or hold the QR code to its reader.")
    if png is not None:
        _say(f"the QR code is in {png}")


def _drawn(matrix: list[list[bool]]) -> Iterator[str]:
    """Two rows of modules a line of text, for a terminal of light letters on dark."""
    width = len(matrix[0]) + 2 * BORDER_MODULES
    light = [False] * width
    side = [False] * BORDER_MODULES
    rows = [light] * BORDER_MODULES + [side + row + side for row in matrix]
    rows += [light] * (BORDER_MODULES + len(rows) % 2)
    for upper, lower in zip(rows[::2], rows[1::2], strict=True):
        yield "".join(
            {(0, 0): "█", (0, 1): "▀", (1, 0): "▄", (1, 1): " "}[dark]
            for dark in zip(upper, lower, strict=True)
        )


def _table(rows: list[AppointmentRow]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(CSV_HEADER)
    for row in rows:
        cells: tuple[Any, ...] = (row.code, row.service, row.at, row.counter or "")
        writer.writerow((*cells, OUR_PREFIX + row.code))


def _digits(code: str) -> str:
    """As somebody writes it: ``482 915`` too. Raises AppointmentError."""
    digits = code.replace(" ", "").removeprefix(OUR_PREFIX)
    if not is_code(digits):
        raise AppointmentError(f"{code!r}; expected six digits")
    return digits


def _day_ms(date: str) -> int:
    try:
        return round(datetime.strptime(date, "%Y-%m-%d").astimezone().timestamp() * 1000)
    except ValueError:
        raise AppointmentError(f"--before: {date!r}; expected a day like 2026-11-30") from None


def _local(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000).astimezone()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def _run(config: Path, work: Callable[[AppointmentFile], None]) -> NoReturn:
    where = config
    try:
        file = AppointmentFile(config)
        where = file.path
        work(file)
    except (SettingsError, BranchError) as error:
        _say(f"lobby appointments: {error}")
        raise typer.Exit(2) from None
    except BrokenPipeError:  # who reads has seen enough
        raise typer.Exit(1) from None
    except OSError as error:  # a full disk names no file
        _say(f"lobby appointments: {error.filename or where}: {error.strerror}")
        raise typer.Exit(2) from None
    raise typer.Exit(0)
