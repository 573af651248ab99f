"""``lobby flash`` and ``lobby provision``: the technician's tool on the terminal.

Here: building, looking, batches. cli_pads has what changes one pad, cli_records the rest.
"""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from firmware.flash import cli_pads, cli_records
from firmware.flash.bundle import build, bytes_table, read_bundle
from firmware.flash.cli_line import line_command
from firmware.flash.cli_records import keys_app, provision_app
from firmware.flash.errors import FlashError, NoPad
from firmware.flash.options import (
    DEFAULT_DATA,
    SETTINGS,
    STATUSES,
    BundleDir,
    Code,
    Data,
    Dry,
    Json,
    KioskKeys,
    Operator,
    Port,
    Ports,
    Role,
    Trust,
    drawn,
    hand_keys,
    port_of,
    say,
)
from firmware.flash.ports import BY_PATH, find_ports
from firmware.flash.registry import checked_operator
from firmware.flash.rows import rows
from firmware.flash.uf2 import find_drives
from firmware.flash.work import Outcome, Place, Workshop

app = typer.Typer(
    name="lobby flash", no_args_is_help=True, add_completion=False,
    pretty_exceptions_enable=False, context_settings=SETTINGS, epilog=STATUSES,
    help="Build firmware, and bring it onto pads.",
)  # fmt: skip


@app.command("build")
def build_command(
    key: Annotated[Path, typer.Option("--key", metavar="FILE", help="Private signing key.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="A new folder.")],
    chip: Annotated[str, typer.Option(help="rp2, esp32, or linux for a bench.")] = "rp2",
    floor: Annotated[str | None, typer.Option(help="Oldest version that may start later.")] = None,
    as_json: Json = False,
) -> None:
    """Compile, hash and sign the firmware; print the bytes of every file.

    \b
    Example:
      lobby flash build --key ~/keys/lobby-firmware --out fw-0.1.0
    """
    bundle, slot, root = build(out, chip=chip, signing_key=key, floor=floor)
    table = bytes_table(slot, root)
    if as_json:
        value = {"version": bundle.version, "hash": bundle.hash, "chip": chip, "files": table}
        say(value, True, "")
        return
    drawn(("file", "source B", "compiled B"), [*table, ("a slot in all", "", bundle.size)])
    print(f"{bundle.version} for {chip}, floor {bundle.floor}, hash {bundle.hash}: {out}")


@app.command("list")
def list_command(
    kiosk_keys: KioskKeys = None,
    ports: Ports = BY_PATH,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Every port with its pad: role, counter, version, hash, state. Writes to no pad.

    \b
    Examples:
      lobby flash list
      lobby flash list --json
    """
    found = find_ports(ports)
    outcomes = Workshop(data, "", kiosk_keys).look_at_all(found)
    if as_json:
        say([outcome.table() for outcome in outcomes], True, "")
        return
    if not found:
        print(f"No board found in {ports}: plug one in.")
    for drive in find_drives():
        print(f"{drive}: a board in drive mode; bring it up by: lobby flash pad --uf2 FILE …")
    if outcomes:
        title = ("port", "unique id", "role", "counter", "version", "hash", "state")
        drawn(title, [_listed(outcome) for outcome in outcomes])


def _listed(outcome: Outcome) -> tuple[Any, ...]:
    name = outcome.port.name
    if (runs := outcome.greeted) is not None:
        trust = "" if runs.proved else f" ({runs.trust})"
        state = outcome.state + trust
        return name, runs.unique_id, runs.role, runs.counter or "-", runs.version, runs.hash, state
    if (pad := outcome.found) is not None:
        place = pad.role or "-", pad.counter or "-"
        state = f"{outcome.state}, at its prompt"
        return name, pad.unique_id, *place, pad.version or "-", pad.hash or "-", state
    return name, "-", "-", "-", "-", "-", str(outcome.error)


@app.command("plan")
def plan_command(
    bundle: BundleDir, trust: Trust, kiosk_keys: KioskKeys = None, ports: Ports = BY_PATH,
    data: Data = DEFAULT_DATA, as_json: Json = False,
) -> None:  # fmt: skip
    """What a batch would do at each port. Writes to no pad.

    \b
    Example:
      lobby flash plan --bundle fw-0.1.0 --trust fw.pub
    """
    _plan(Workshop(data, "", kiosk_keys), bundle, trust, ports, {}, as_json)


def _plan(
    shop: Workshop, bundle: Path, trust: Path, ports: Path, places: dict[Path, Place],
    as_json: bool,
) -> None:  # fmt: skip
    firmware = read_bundle(bundle, trust)
    found = find_ports(ports)
    plans = shop.plan_all(found, firmware, places)
    lines = [f"{name}: {'; '.join(steps)}" for name, steps in plans.items()]
    say(plans, as_json, "\n".join(lines) or f"No board found in {ports}: plug one in.")


@app.command("batch")
def batch_command(
    bundle: BundleDir,
    trust: Trust,
    operator: Operator,
    first_counter: Annotated[int, typer.Option(help="Of the first port; 0: as they are.")] = 0,
    role: Role = "rating",
    code: Code = "",
    kiosk_keys: KioskKeys = None,
    ports: Ports = BY_PATH,
    data: Data = DEFAULT_DATA,
    dry_run: Dry = False,
    as_json: Json = False,
) -> None:
    """Flash every port at once, one row of progress a port. Run it again to go on.

    Counters are given in the order of the ports; a pad that has one keeps it.

    \b
    With LOBBY_OPERATOR=m012:
      lobby flash batch --bundle fw --trust fw.pub
      lobby flash batch --first-counter 1 --code 7K2M-9QRS --bundle fw --trust fw.pub
    """
    shop = Workshop(data, checked_operator(operator), kiosk_keys)
    found = find_ports(ports)
    places = {}
    if first_counter:
        places = {
            port: Place(first_counter + number, role, code, keep=True)
            for number, port in enumerate(found)
        }
    if dry_run:
        _plan(shop, bundle, trust, ports, places, as_json)
        return
    firmware = read_bundle(bundle, trust)
    if not found:
        raise NoPad(f"no board found in {ports}", "plug the pads in, or name --ports DIR")
    with rows(found, firmware, as_json) as tell:
        outcomes = shop.batch(found, firmware, places, tell)
    hand_keys(shop)
    if as_json:
        say([outcome.table() for outcome in outcomes], True, "")
    else:
        _summary(outcomes)
    raise typer.Exit(max((item.error.status for item in outcomes if item.error), default=0))


def _summary(outcomes: list[Outcome]) -> None:
    for outcome in outcomes:
        if outcome.error is not None:
            print(f"FAILED  {outcome.port.name}: {outcome.error.what}")
            print(f"        {outcome.error.next_step}")
    good = sum(outcome.error is None for outcome in outcomes)
    print(f"{good} of {len(outcomes)} pads done.")


@app.command("verify")
def verify_command(
    port: Port, bundle: BundleDir, trust: Trust, kiosk_keys: KioskKeys = None,
    ports: Ports = BY_PATH, data: Data = DEFAULT_DATA, as_json: Json = False,
) -> None:  # fmt: skip
    """Whether a pad runs this bundle: by its proof under its key, or by hashes at its prompt.

    \b
    Example:
      lobby flash verify usb-1 --bundle fw-0.1.0 --trust fw.pub
    """
    firmware = read_bundle(bundle, trust)
    shop = Workshop(data, "", kiosk_keys)
    found_port = port_of(shop, port, ports)
    found = shop.verify(found_port, firmware)
    say(found.table(), as_json, f"{found_port.name}: runs {found.version} ({found.hash})")


for name, command in (
    ("pad", cli_pads.pad_command),
    ("provision", cli_pads.provision_command),
    ("selftest", cli_pads.selftest_command),
    ("backup", cli_pads.backup_command),
    ("restore", cli_pads.restore_command),
    ("rollback", cli_pads.rollback_command),
    ("label", cli_records.label_command),
    ("log", cli_records.log_command),
):
    app.command(name)(command)
app.add_typer(keys_app, name="keys")


app.command("line")(line_command)


def main(arguments: list[str], program: str = "flash") -> int:
    """Run ``lobby flash`` or ``lobby provision``; the exit status."""
    chosen = app if program == "flash" else provision_app
    try:
        chosen(arguments, prog_name=f"lobby {program}", standalone_mode=True)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except FlashError as error:
        if "--json" in arguments:
            table = {"status": error.status, "what": error.what, "next": error.next_step}
            print(json.dumps({"error": table}, indent=2))
        else:
            print(f"lobby {program}: {error}", file=sys.stderr)
        return error.status
    return 0
