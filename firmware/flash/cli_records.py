"""Commands that touch no pad: label, log, the keys' way to a kiosk, codes and signing keys."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from firmware.flash.errors import BadUse
from firmware.flash.handover import read_sealed, write_sealed
from firmware.flash.keys import PadKeys, make_signing_key
from firmware.flash.label import label_text, write_label
from firmware.flash.options import DEFAULT_DATA, SETTINGS, Data, Dry, Json, drawn, say
from firmware.flash.registry import Registry

keys_app = typer.Typer(
    no_args_is_help=True, add_completion=False, context_settings=SETTINGS,
    help="Take pads' keys, and the marks of revoked pads, to a kiosk.",
)  # fmt: skip
provision_app = typer.Typer(
    name="lobby provision", no_args_is_help=True, add_completion=False,
    pretty_exceptions_enable=False, context_settings=SETTINGS,
    help="Keys and codes that firmware and pads are trusted by.",
)  # fmt: skip

KioskFolder = Annotated[
    Path, typer.Option("--to", metavar="DIR", help="The kiosk's data_dir/pads.")
]


def label_command(
    unique_id: Annotated[str, typer.Argument(metavar="UNIQUE_ID")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR")] = Path(),
    data: Data = DEFAULT_DATA,
    dry_run: Dry = False,
    as_json: Json = False,
) -> None:
    """Write a pad's label: a QR code (PNG) and its text.

    \b
    Example:
      lobby flash label e6614c311b4c6f2c --out labels
    """
    row = Registry(data / "registry.db").pad(unique_id)
    if row is None:
        raise BadUse(f"no pad {unique_id} in the registry", "provision it first, see `list`")
    files = [] if dry_run else [str(path) for path in write_label(row, out)]
    text = label_text(row)
    say({"text": text, "files": files}, as_json, "\n".join(files) or text)


def log_command(
    last: Annotated[int, typer.Option(min=1, help="How many rows.")] = 20,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """What was done to which pad, by whom, oldest first; --json has the registry too.

    \b
    Examples:
      lobby flash log --last 50
      lobby flash log --json
    """
    registry = Registry(data / "registry.db")
    rows = registry.log(last)
    if as_json:
        tests = {row.unique_id: registry.tests(row.unique_id) for row in registry.pads()}
        table = {
            "log": rows,
            "pads": [asdict(row) for row in registry.pads()],
            "selftests": {name: parts for name, parts in tests.items() if parts},
        }
        say(table, True, "")
        return
    shown = [(_when(row["at_s"]), *list(row.values())[1:]) for row in rows]
    drawn(("at (UTC)", *list(rows[0])[1:]) if rows else ("nothing yet",), shown)


def _when(at_s: int) -> str:
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d %H:%M:%S}"


@keys_app.command("install")
def keys_install_command(
    to: KioskFolder, data: Data = DEFAULT_DATA, dry_run: Dry = False, as_json: Json = False
) -> None:
    """On the kiosk itself: bring keys and marks of revoked pads into its folder.

    \b
    Example:
      lobby flash keys install --to /var/lib/lobby/pads
    """
    table = PadKeys(data / "pads").table()
    changed = PadKeys(to).install(table, dry_run=dry_run)
    say({"changed": changed}, as_json, "\n".join(changed) or f"{to}: nothing to change")


@keys_app.command("export")
def keys_export_command(
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="A new file.")],
    data: Data = DEFAULT_DATA,
    dry_run: Dry = False,
    as_json: Json = False,
) -> None:
    """Write every key and mark into one sealed file, and print the code that opens it.

    Carry the file on a stick; tell the code by word.

    \b
    Example:
      lobby flash keys export --out pads.sealed
    """
    table = PadKeys(data / "pads").table()
    value = {"file": str(out), "keys": len(table.keys), "revoked": len(table.revoked)}
    text = f"{out}: {len(table.keys)} keys, {len(table.revoked)} revoked"
    if dry_run:
        say(value, as_json, text)
        return
    code = write_sealed(table, out)
    say(value | {"code": code}, as_json, f"{text}; code {code}")


@keys_app.command("import")
def keys_import_command(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="What export wrote.")],
    to: KioskFolder,
    code: Annotated[
        str,
        typer.Option(
            "--code", envvar="LOBBY_KEYS_CODE", prompt="Code", help="As export printed it."
        ),
    ],
    dry_run: Dry = False,
    as_json: Json = False,
) -> None:
    """On the kiosk: open a sealed file, and bring keys and marks into the kiosk's folder.

    \b
    Example:
      lobby flash keys import pads.sealed --code 7K2M-9QRS-4TVW-X3YZ --to /var/lib/lobby/pads
    """
    changed = PadKeys(to).install(read_sealed(source, code), dry_run=dry_run)
    say({"changed": changed}, as_json, "\n".join(changed) or f"{to}: nothing to change")


@provision_app.callback()
def provision_root() -> None:
    """Keys and codes that firmware and pads are trusted by."""


@provision_app.command("signing-key")
def signing_key_command(
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Outside the project.")],
    as_json: Json = False,
) -> None:
    """Make the key pair of firmware: FILE (mode 600, keep it off every kiosk) and FILE.pub.

    \b
    Example:
      lobby provision signing-key --out ~/keys/lobby-firmware
    """
    public = make_signing_key(out)
    value = {"private": str(out), "public": str(public)}
    say(value, as_json, f"private key {out} (mode 600), public key {public}")


@provision_app.command("pairing-code")
def pairing_code_command(
    counter: Annotated[int, typer.Option(min=0, help="0: any, for a workshop's batch.")],
    minutes: Annotated[int, typer.Option(min=1, max=60, help="How long it is valid.")] = 10,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Make a code that lets one pad take one counter.

    \b
    Examples:
      lobby provision pairing-code --counter 5
      lobby provision pairing-code --counter 0 --minutes 60
    """
    code = Registry(data / "registry.db").new_code(counter, minutes * 60)
    value = {"code": code, "counter": counter, "minutes": minutes}
    say(value, as_json, f"{code} for counter {counter or 'any'}, {minutes} minutes")
