"""``lobby flash line``: where a pad finds its kiosk."""

from typing import Annotated

import typer

from firmware.flash import pads
from firmware.flash.kiosk_line import check_line, set_line
from firmware.flash.options import (
    DEFAULT_DATA,
    Data,
    Dry,
    Json,
    KioskKeys,
    Operator,
    Port,
    Ports,
    port_of,
    say,
)
from firmware.flash.ports import BY_PATH
from firmware.flash.registry import checked_operator
from firmware.flash.work import Workshop
from firmware.pad.state import BAUD


def line_command(
    port: Port,
    line: Annotated[str, typer.Option(help="usb, uart or bus.")],
    operator: Operator,
    address: Annotated[int, typer.Option(help="On a bus: 1 to 31, each pad its own.")] = 0,
    baud: Annotated[int, typer.Option(min=300, max=1_000_000, help="As in kiosk.toml.")] = BAUD,
    kiosk_keys: KioskKeys = None,
    ports: Ports = BY_PATH,
    data: Data = DEFAULT_DATA,
    dry_run: Dry = False,
    as_json: Json = False,
) -> None:
    """Say where a pad finds its kiosk: USB, its UART, or an address on an RS-485 bus.

    \b
    Example:
      lobby flash line usb-1 --line bus --address 5
    """
    check_line(line, address)
    shop = Workshop(data, checked_operator(operator), kiosk_keys)
    found_port = port_of(shop, port, ports)
    where = f"{line} {address}" if address else line
    if dry_run:
        say([f"write the line {where}"], as_json, f"write the line {where}")
        return
    # No restart: on its new line the pad would not answer at this port.
    with shop.prompt(found_port, "line", restart=False) as repl:
        found = pads.look(repl)
        set_line(repl, line, address, baud)
    shop.note("line", found_port, found.unique_id, where)
    table = {"unique_id": found.unique_id, "line": line, "address": address, "baud": baud}
    say(table, as_json, f"{found.unique_id} speaks on {where} after its next start")
