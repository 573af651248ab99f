"""A pad's line to the kiosk: USB, a UART, or an address on a bus; in its configuration."""

import json
from typing import Any

from firmware.flash.errors import BadUse
from firmware.flash.pads import CONFIG
from firmware.flash.repl import RawRepl
from firmware.pad.state import BAUD, BUS, UART, USB
from firmware.pad.turns import ADDRESSES

LINES = (USB, UART, BUS)


def check_line(line: str, address: int) -> None:
    """Raises BadUse for what a pad would not take."""
    if line not in LINES:
        raise BadUse(f"line {line!r}: expected {', '.join(LINES)}", "choose one of them")
    if (line == BUS) != (address in ADDRESSES) or (line != BUS and address):
        raise BadUse(
            f"line {line}, address {address}: a bus has addresses 1 to {ADDRESSES[-1]}, another"
            " line has none",
            "give --address with --line bus, and only there",
        )


def set_line(repl: RawRepl, line: str, address: int = 0, baud: int = BAUD) -> None:
    """Write it into the pad's configuration; what else that says stays. Raises BadUse."""
    check_line(line, address)
    try:
        found = json.loads(repl.get(CONFIG) or b"{}")
    except ValueError:
        found = {}
    table: dict[str, Any] = found if isinstance(found, dict) else {}
    for name in ("line", "address", "baud"):
        table.pop(name, None)
    if line != USB:
        table["line"] = line
    if line == BUS:
        table["address"] = address
    if baud != BAUD:
        table["baud"] = baud
    repl.put(CONFIG, json.dumps(table).encode())
