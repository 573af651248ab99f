"""Where devices may be: places of their own, and pads on a bus."""

from typing import NoReturn

import pytest

from kiosk.places import check_places

A = "/dev/serial/by-path/a"
B = "/dev/serial/by-path/b"


class Refused(Exception):
    pass


def refuse(key: str, problem: str) -> NoReturn:
    raise Refused(f"{key}: {problem}")


def places(printer: str, *pads: str) -> dict[str, str]:
    return {"printer": printer} | {f"pads[{at}]": pad for at, pad in enumerate(pads)}


def test_a_bus_is_shared_by_pads_and_a_port_by_nobody() -> None:
    check_places(
        places("tcp://p:9100", f"rs485:{A}#5", f"rs485:{A}?baud=115200#6", f"serial:{B}"), refuse
    )
    check_places(places("tcp://p:9100"), refuse)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (places(f"serial:{A}", f"serial:{A}"), r"pads\[0\].address: .* is the address of printer"),
        (places("bt:1"), "printer.address: .* expected serial:/dev/NAME or tcp://host:port"),
        (places("usb:1"), "printer.address: .* expected usb:/dev/usb/lpN"),
        (places("evdev:/dev/input/event3"), "printer.address: .* only tactile keys and a card"),
        (places(f"rs485:{A}#1"), "printer.address: .* only pads stand on a bus, give it a port"),
        (places("tcp://p:1", f"rs485:{A}"), r"pads\[0\].address: .* the pad's address on the bus"),
        (places("tcp://p:1", f"rs485:{A}#x"), "expected #N at the end"),
        (places("tcp://p:1", f"rs485:{A}#0"), "1 to 31"),
        (places("tcp://p:1", f"rs485:{A}#32"), "1 to 31"),
        (places("tcp://p:1", "rs485:a#3"), "expected rs485:/dev/NAME, with the device's whole"),
        (places("tcp://p:1", f"serial:{A}#3"), "only a pad on a bus .* has an address behind #"),
        (places("tcp://p:1", f"rs485:{A}#3", f"rs485:{A}#3"), r"is the address of pads\[0\] too"),
        (
            places(f"serial:{A}", f"rs485:{A}#3"),
            "printer has that port as serial; a bus is rs485",
        ),
        (places("tcp://p:1", f"rs485:{A}#3", f"serial:{A}"), r"pads\[0\] has that port as rs485;"),
        (
            places("tcp://p:1", f"rs485:{A}#3", f"rs485:{A}?baud=9600#4"),
            r"pads\[1\].address: .*: 9600 baud, but 115200 for pads\[0\] on the same bus",
        ),
    ],
    ids=str,
)
def test_what_is_wrong_is_named(wrong: dict[str, str], says: str) -> None:
    with pytest.raises(Refused, match=says):
        check_places(wrong, refuse)
