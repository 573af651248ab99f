"""The slip for who goes to the self-service machine: until when to be back, and the code. Pure."""

from dataclasses import dataclass

from hal.api import Align, Qr, Rule, Slip, SlipItem, Text
from kiosk.slip import LARGE, QR_MODULE_DOTS

CODE_SIZE = 4


@dataclass(frozen=True, slots=True)
class _Words:
    machine: str
    until: str  # {clock}
    how: str
    no_ticket: str


_WORDS = {
    "zh_CN": _Words(
        machine="请到自助机办理",
        until="改主意了？{clock} 前回来",
        how="在取号机输入，按原来的时间排",
        no_ticket="这不是排队号",
    ),
    "en": _Words(
        machine="Please go to the machine",
        until="Back by {clock}?",
        how="Type this at the kiosk: you queue from your first arrival",
        no_ticket="This is not a queue number",
    ),
}


def build_return_slip(
    *, branch_name: str, service_name: str, code: str, clock: str, language: str, reader: bool
) -> Slip:
    """The slip in ``language`` (zh_CN or en; any other is English). ``reader``: the kiosk reads QR
    codes.
    """
    words = _WORDS.get(language, _WORDS["en"])
    items: list[SlipItem] = [
        Text(branch_name, LARGE, LARGE, bold=True, align=Align.CENTRE),
        Text(service_name, LARGE, LARGE, align=Align.CENTRE),
        Text(words.machine, LARGE, LARGE, align=Align.CENTRE),
        Rule(),
        Text(words.until.format(clock=clock), LARGE, LARGE, bold=True),
        Text(words.how),
        Text(f"{code[:3]} {code[3:]}", CODE_SIZE, CODE_SIZE, bold=True, align=Align.CENTRE),
        *([Qr(f"L1:{code}", QR_MODULE_DOTS)] if reader else []),
        Rule(),
        Text(words.no_ticket),
    ]
    return Slip(tuple(items))
