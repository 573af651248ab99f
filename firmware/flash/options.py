"""What the commands of the technician's tool have in common: options, and how they speak."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from firmware.flash.errors import BadUse, NoPad
from firmware.flash.ports import BY_PATH, by_path_name, find_ports
from firmware.flash.work import Workshop

STATUSES = """
Exit status: 0 done, 1 a pad did not do as expected, 2 a wrong option or file, 3 no pad at the
port, 4 the line died (run it again: it goes on), 5 the port is in use, 6 firmware that must not be
flashed, 7 a code, key or right is missing. A batch ends with the highest of its ports.
"""
SETTINGS = {"help_option_names": ["-h", "--help"]}
DEFAULT_DATA = Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser() / "lobby"

PORT_HELP = "By-path name as `list` shows it, or the pad's unique id."
Port = Annotated[str, typer.Argument(metavar="PORT", help=PORT_HELP)]
Data = Annotated[
    Path,
    typer.Option(
        "--data", metavar="DIR", envvar="LOBBY_FLASH_DATA", help="Registry, keys, locks."
    ),
]
Operator = Annotated[
    str, typer.Option("--operator", envvar="LOBBY_OPERATOR", help="Staff id, e.g. m012; no name.")
]
BundleDir = Annotated[Path, typer.Option("--bundle", metavar="DIR", help="The signed firmware.")]
Trust = Annotated[
    Path, typer.Option("--trust", metavar="FILE", help="Public key that bundles are signed by.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Ports = Annotated[Path, typer.Option("--ports", metavar="DIR", help="Folder of the ports.")]
Dry = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, write nothing.")]
Code = Annotated[str, typer.Option("--code", help="Pairing code, for a pad without a place.")]
Role = Annotated[str, typer.Option(help="rating, caller, both or keys.")]
KioskKeys = Annotated[
    Path | None,
    typer.Option(
        "--kiosk-keys",
        metavar="DIR",
        envvar="LOBBY_KIOSK_KEYS",
        help="On a kiosk: its data_dir/pads; keys are found there, new keys and marks go there.",
    ),
]


def say(value: Any, as_json: bool, text: str) -> None:
    """Print a value as JSON, or its text."""
    print(json.dumps(value, indent=2) if as_json else text)


def hint(text: str) -> None:
    """A word for a person, on standard error: standard output may be JSON."""
    print(text, file=sys.stderr, flush=True)


def drawn(title: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    """Print a table."""
    table = Table(*title, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*[str(cell) for cell in row])
    Console(width=None if sys.stdout.isatty() else 120).print(table, highlight=False)


def port_of(shop: Workshop, named: str, ports: Path = BY_PATH, *, to_come: bool = False) -> Path:
    """The port that a person named: a path, a name of ``list``, or a pad's unique id; a name that
    is ``to_come`` need not be there yet. Raises NoPad.
    """
    path = Path(named)
    if path.parent != Path() or path.exists():
        return by_path_name(path, ports)
    if to_come or (ports / named).exists():
        return ports / named
    outcomes = shop.look_at_all(find_ports(ports))
    found = [item.port for item in outcomes if item.unique_id.startswith(named.lower())]
    if len(found) == 1:
        return found[0]
    raise NoPad(
        f"{named}: {'several pads' if found else 'no pad'} of that name or unique id in {ports}",
        "see `lobby flash list` for ports and unique ids",
    )


def only_port(ports: Path) -> Path:
    """The one port that there is. Raises NoPad, BadUse."""
    found = find_ports(ports)
    if not found:
        raise NoPad(f"no board found in {ports}", "plug one in; for a blank Pico add --uf2 FILE")
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise BadUse(f"several boards: {names}", "name one of them, or use `lobby flash batch`")
    return found[0]


def hand_keys(shop: Workshop) -> None:
    """Bring keys and marks to a kiosk's folder, if one was named. Raises BadUse."""
    for line in shop.hand_keys():
        hint(f"{shop.kiosk_keys}: {line}")
