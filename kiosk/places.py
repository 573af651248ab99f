"""Where the devices of kiosk.toml are: each has a place of its own, pads may share a bus.

A bus is one serial port; what makes two pads of it differ is their address on it.
"""

from collections.abc import Callable
from typing import NoReturn

from hal.link import parse_address

Refuse = Callable[[str, str], NoReturn]

BUS = "rs485"


def check_places(addresses: dict[str, str], refuse: Refuse) -> None:
    """``addresses``: key in the file -> link address. ``refuse`` is told what is wrong, and
    raises.
    """
    taken: dict[str, str] = {}
    lines: dict[str, tuple[str, str, int]] = {}  # port -> key, scheme, baud
    for key, text in addresses.items():
        try:
            address = parse_address(text)
        except ValueError as error:
            refuse(f"{key}.address", str(error))
        on_bus = address.scheme == BUS
        types = address.scheme == "evdev"
        if types and key not in ("card_reader", "keys"):
            refuse(
                f"{key}.address",
                f"{text!r}; only tactile keys and a card reader of the kind hid are a keyboard",
            )
        if address.scheme == "usb" and key != "printer":
            refuse(f"{key}.address", f"{text!r}; only a printer stands there")
        if on_bus and not key.startswith("pads["):
            refuse(f"{key}.address", f"{text!r}; only pads stand on a bus, give it a port")
        place = f"{address.target}:{address.port}#{address.station}"
        if place in taken:
            refuse(f"{key}.address", f"{text!r} is the address of {taken[place]} too")
        taken[place] = key
        port = f"{address.target}:{address.port}"
        if port not in lines:
            lines[port] = (key, address.scheme, address.baud)
            continue
        first, scheme, baud = lines[port]
        if scheme != address.scheme:
            refuse(
                f"{key}.address",
                f"{text!r}: {first} has that port as {scheme}; a bus is {BUS}: for all its pads",
            )
        if baud != address.baud:
            refuse(
                f"{key}.address",
                f"{text!r}: {address.baud} baud, but {baud} for {first} on the same bus",
            )
