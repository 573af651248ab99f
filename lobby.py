"""The command `lobby`: one thin dispatcher.

It imports nothing of ours until a sub-command runs, so that a branch server needs no Kivy and
`lobby --help` needs nothing at all.
"""

from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

DISTRIBUTION = "lobby-kiosk"

app = typer.Typer(
    name="lobby",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_PASSED_ON = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
"""Of a command whose own module reads its arguments."""

ConfigFile = Annotated[
    Path,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="The TOML file that describes this installation; deploy/ has samples.",
    ),
]


def _version() -> str:
    return version(DISTRIBUTION)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lobby {_version()}")
        raise typer.Exit


@app.callback()
def lobby(
    wanted: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and end."
        ),
    ] = False,
) -> None:
    """The open system that a bank branch puts in its lobby.

    \b
    Examples:
      lobby demo                           a whole branch on this machine
      lobby kiosk --config kiosk.toml      touch screen, printer, rating pads
      lobby branch --config branch.toml    queue, lobby board, teller pages
      lobby appointments list -c b.toml    who is expected, by code
      lobby hq --config hq.toml            every branch's ledger in one database
      lobby replay day.csv --counters 9    a recorded day through the same programs
      lobby bench                          figures against their anchors
      lobby prove kills                    what survives when programs are killed
      lobby doctor --config kiosk.toml     what is broken here, and what to do
      lobby contract --out contract        the feed, for other programs
      lobby flash list                     pads at this machine's ports
    """


@app.command()
def kiosk(
    config: ConfigFile,
    supervised: Annotated[
        bool,
        typer.Option(
            "--supervised",
            help="Start it anew when it ends or its screen is frozen, where systemd does not.",
        ),
    ] = False,
) -> None:
    """Run a lobby kiosk: touch screen, ticket printer, rating pads.

    \b
    Examples:
      lobby kiosk --config /etc/lobby/kiosk.toml
      lobby kiosk --config /etc/lobby/kiosk.toml --supervised
    """
    from kiosk.cli import main as run

    raise typer.Exit(run(config, _version(), supervised=supervised))


branch_app = typer.Typer(
    invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]}
)
app.add_typer(branch_app, name="branch")


@branch_app.callback()
def branch(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            "-c",
            metavar="FILE",
            help="The TOML file that describes this installation; deploy/ has samples.",
        ),
    ] = None,
) -> None:
    """Run a branch server: queue, lobby board, teller pages; or keep its accounts.

    \b
    Examples:
      lobby branch --config /etc/lobby/branch.toml
      lobby branch account add teller-1 --role teller --config /etc/lobby/branch.toml
    """
    if context.invoked_subcommand is not None:
        return
    if config is None:
        raise typer.BadParameter("missing; lobby branch --config FILE", param_hint="--config")
    from branch.cli import main as run

    raise typer.Exit(run(config, _version()))


@branch_app.command(context_settings=_PASSED_ON)
def account(context: typer.Context) -> None:
    """Who may sign in to the branch server's pages and API: add, token, list, reset, remove.

    \b
    Examples:
      lobby branch account add chief --role admin -c /etc/lobby/branch.toml
      lobby branch account list -c /etc/lobby/branch.toml
    """
    from branch.access.cli_account import app as run

    run(context.args, prog_name="lobby branch account")


@app.command(context_settings=_PASSED_ON)
def appointments(context: typer.Context) -> None:
    """Make and keep the file of appointments: add, import, list, show, cancel.

    \b
    Examples:
      lobby appointments add --service B --at 2026-11-30T10:30 -c /etc/lobby/branch.toml
      lobby appointments import monday.csv -c /etc/lobby/branch.toml > codes.csv
    """
    from branch.cli_appointments import app as run

    run(context.args, prog_name="lobby appointments")


@app.command()
def hq(config: ConfigFile) -> None:
    """Run head office's ingest: every branch's ledger in one database.

    \b
    Example:
      lobby hq --config /etc/lobby/hq.toml
    """
    from branch.hq.cli import main as run

    raise typer.Exit(run(config, _version()))


@app.command()
def demo(
    minutes: Annotated[
        float | None,
        typer.Option(
            min=0.1, help="Branch minutes to play; on a terminal until Ctrl-C if not given."
        ),
    ] = None,
    speed: Annotated[
        float, typer.Option(min=0.01, help="Branch seconds a second, for arrivals and services.")
    ] = 60.0,
    seed: Annotated[int, typer.Option(help="Seed of the people's habits.")] = 1,
    headless: Annotated[
        bool, typer.Option("--headless", help="Show the kiosk on a virtual screen, not on yours.")
    ] = False,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the pictures go.")] = Path(
        "out/demo"
    ),
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the report (JSON) there.")
    ] = None,
) -> None:
    """Play a branch: real broker, server, kiosk window and pad firmware; simulated people.

    Exit status 0 only if an independent count finds nothing lost, doubled or ghost.

    \b
    Examples:
      lobby demo
      lobby demo --headless --minutes 120 --speed 60 --report r.json
    """
    import os
    import sys

    from simulator.cli import run_demo
    from simulator.demo import DemoOptions

    if minutes is None and not sys.stdout.isatty():
        minutes = 120.0
    options = DemoOptions(
        minutes=minutes,
        speed=speed,
        seed=seed,
        headless=headless or not os.environ.get("DISPLAY"),
        out=out,
    )
    raise typer.Exit(run_demo(options, _version(), report))


@app.command()
def replay(
    csv: Annotated[
        Path, typer.Argument(metavar="CSV", help="The recorded day, one row a person.")
    ],
    date: Annotated[
        str | None, typer.Option(help="Which date of the file; needed if it has several.")
    ] = None,
    stretch: Annotated[
        float, typer.Option(min=0.01, help="Multiplies arrival times, services and patience.")
    ] = 1.0,
    counters: Annotated[int, typer.Option(min=1, max=99, help="Open windows.")] = 4,
    discipline: Annotated[
        str, typer.Option(help="fifo, or headstart: VIP counts as having come 1.5 min earlier.")
    ] = "fifo",
    speed: Annotated[
        str, typer.Option(help="max (virtual time), or how many times as fast as life.")
    ] = "max",
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write one row a ticket there (CSV).")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the report (JSON) there.")
    ] = None,
    names: Annotated[
        list[str] | None,
        typer.Option(
            "--map", metavar="OURS=THEIRS", help="A column that has another name in the file."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of ids and nonces.")] = 1,
) -> None:
    """Replay a recorded day through the real kiosk controller, sync and branch server.

    \b
    Examples:
      lobby replay day.csv --counters 9
      lobby replay calls.csv --date 1999-02-08 --stretch 3 --counters 9 --out tickets.csv
      lobby replay mine.csv --map service=type --map arrive_s=came --discipline headstart
    """
    from simulator.cli import parse_speed, run_replay
    from simulator.replay import ReplayOptions

    if discipline not in ("fifo", "headstart"):
        raise typer.BadParameter(f"{discipline!r}; expected fifo or headstart")
    try:
        pace = parse_speed(speed)
    except ValueError as error:
        raise typer.BadParameter(f"--speed {error}") from error
    options = ReplayOptions(
        stretch=stretch, counters=counters, discipline=discipline, speed=pace, seed=seed
    )
    status = run_replay(
        csv,
        date=date,
        names=names or [],
        options=options,
        out=out,
        report_file=report,
        version=_version(),
    )
    raise typer.Exit(status)


@app.command()
def bench(
    cases: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CASE]...", help="ticket, sync, pad, calling, wait, kiosk; all if not given."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the table as JSON.")] = False,
    short: Annotated[
        bool, typer.Option("--short", help="Of calling only the full hall; of kiosk few rounds.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Exit status 1 where a target is missed.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the table (JSON) there.")
    ] = None,
) -> None:
    """Measure the product's own paths against their anchors: ratios of the same run.

    \b
    Examples:
      lobby bench
      lobby bench ticket --json
      lobby bench calling --short --check
    """
    from simulator.cli import run_bench

    raise typer.Exit(
        run_bench(cases or [], as_json=as_json, report_file=report, short=short, check=check)
    )


@app.command()
def prove(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="kills, powercut, seeds, diskfull, partition, clock, presses …"
        ),
    ],
    rounds: Annotated[
        int, typer.Option(min=0, help="Kills, images, seeds …; 0 is the proof's short form.")
    ] = 0,
    seed: Annotated[int, typer.Option(help="Seed of every choice; the report repeats it.")] = 1,
    jobs: Annotated[int, typer.Option(min=1, help="Processes, where the proof can use them.")] = 1,
    without: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PROMISE",
            help="Switch a promise off, to see the proof fail: chain (seeds), fsync (powercut).",
        ),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the report (JSON) there.")
    ] = None,
) -> None:
    """Break something on purpose and count what became of what customers were shown.

    Exit status 0 if every promise was kept, 1 on any violation, 2 if it could not run.

    \b
    Examples:
      lobby prove kills --rounds 200 --report kills.json
      lobby prove seeds --rounds 10000 --seed 7 --jobs 2
      lobby prove powercut --without fsync
    """
    from simulator.prove.cli import run_prove

    status = run_prove(
        name,
        rounds=rounds,
        seed=seed,
        jobs=jobs,
        without=without or [],
        report_file=report,
    )
    raise typer.Exit(status)


@app.command()
def doctor(
    config: ConfigFile,
    as_json: Annotated[bool, typer.Option("--json", help="Print the checks as JSON.")] = False,
) -> None:
    """Look at everything a kiosk or a branch server needs, and say what to do.

    Exit status 0 if all works, 1 if something does not. A kiosk that runs is not disturbed.

    \b
    Examples:
      lobby doctor --config /etc/lobby/kiosk.toml
      lobby doctor --config /etc/lobby/branch.toml --json
    """
    import asyncio
    import json
    import tomllib

    from sync.checks import status_of, table
    from sync.logs import configure_logging

    configure_logging(quiet=True)
    try:
        is_branch = "counters" in tomllib.loads(config.read_text("utf-8"))
    except (OSError, ValueError):
        is_branch = False  # whoever reads it next says what is wrong with it
    if is_branch:
        from branch.doctor import examine
    else:
        from kiosk.doctor import examine
    checks = asyncio.run(examine(config))
    if as_json:
        rows = [
            {"name": c.name, "grade": c.grade.value, "found": c.found, "remedy": c.remedy}
            for c in checks
        ]
        told = {"config": str(config), "ok": not status_of(checks), "checks": rows}
        typer.echo(json.dumps(told, ensure_ascii=False, indent=2))
    else:
        typer.echo(table(checks))
    raise typer.Exit(status_of(checks))


@app.command()
def contract(
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Where the files go; made if it is not there.")
    ],
) -> None:
    """Write what goes over MQTT for other programs to read: AsyncAPI 3 and JSON Schema 2020-12.

    The same version writes the same bytes: asyncapi.json, and schemas/ with a file a message.

    \b
    Example:
      lobby contract --out contract
    """
    from sync.contract_files import ContractNotWritten, write_contract

    try:
        written = write_contract(out, _version())
    except ContractNotWritten as error:
        typer.echo(f"lobby contract: {error}", err=True)
        raise typer.Exit(2) from error
    typer.echo(f"{len(written)} files in {out}")


@app.command(context_settings=_PASSED_ON)
def cards(context: typer.Context) -> None:
    """Whose card names a segment, such as vip: the table that the branch tells its kiosks.

    \b
    Example:
      lobby cards add --segment vip --table cards.json -c /etc/lobby/kiosk.toml
    """
    from kiosk.cli_cards import app as run

    run(context.args, prog_name="lobby cards")


@app.command(context_settings=_PASSED_ON)
def flash(context: typer.Context) -> None:
    """Build pads' firmware, and bring it onto pads: list, plan, pad, batch, verify, label …

    \b
    Example:
      lobby flash batch --bundle fw/0.1.0 --trust signing.pub --operator m012
    """
    from firmware.flash.cli import main as run

    raise typer.Exit(run(context.args, "flash"))


@app.command(context_settings=_PASSED_ON)
def provision(context: typer.Context) -> None:
    """Make the keys and codes that firmware, pads and technicians are trusted by.

    \b
    Examples:
      lobby provision signing-key --out ~/keys/lobby-firmware
      lobby provision technician-code >> /etc/lobby/kiosk.toml
    """
    if context.args[:1] == ["technician-code"]:
        from kiosk.cli_code import main as make_code

        raise typer.Exit(make_code(context.args[1:]))
    from firmware.flash.cli import main as run

    raise typer.Exit(run(context.args, "provision"))


def main() -> None:
    """Entry point of the distribution."""
    app()


if __name__ == "__main__":
    main()
