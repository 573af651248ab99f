"""Every screen of the kiosk, and every state of it that lays out differently: one moment, 10:24.

The window tests and ``lobby prove kiosk`` show these.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from kiosk.view import (
    Header,
    HomeView,
    NoSlipView,
    OutOfServiceView,
    Printing,
    ServiceTile,
    TicketView,
    View,
    Wait,
)
from simulator.prove.kiosk_measure import Limits

LARGE = ((1080, 1920), 0.2479)
SMALL = ((1280, 800), 0.16996)
SIZES = {"large": LARGE, "small": SMALL}

HEADER = Header(
    branch={"zh_CN": "示例银行·滨江支行", "en": "Sample Bank – Riverside"},
    date={"zh_CN": "11月23日 星期一", "en": "Mon 23 November"},
    clock="10:24",
)
CASH = {"zh_CN": "现金业务", "en": "Cash"}
WAIT = Wait(6, 15, 25)
COVERED = Wait(6, 15, 25, covered=True)


def _tile(
    letter: str, zh: str, zh_examples: str, en: str, en_examples: str, wait: Wait
) -> ServiceTile:
    short = {"en": "Cards"} if letter == "B" else {}
    names, examples = {"zh_CN": zh, "en": en}, {"zh_CN": zh_examples, "en": en_examples}
    return ServiceTile(letter, names, examples, wait, short=short)


TILES = (
    _tile("A", "现金业务", "存取款、换零、存折", "Cash", "Deposit, withdraw", WAIT),
    _tile(
        "B",
        "非现金业务",
        "开卡、挂失、改密码",
        "Cards & accounts",
        "Open, replace, PIN",
        Wait(9, 25, 40),
    ),
    _tile("C", "对公业务", "企业开户、对账", "Business", "Company accounts", Wait(2, 5, 8)),
    _tile("D", "理财与贷款", "咨询、签约", "Advice", "Savings, loans", Wait(0, 0, 0)),
)
PERSON = ServiceTile(
    "P",
    {"zh_CN": "长者·需要人工", "en": "A person, please"},
    {"zh_CN": "取优先号，工作人员来帮您", "en": "Seniors welcome. Priority ticket."},
    Wait(0, 0, 0),
    priority=True,
)
ODD_TILES = (
    _tile("A", "现金业务", "存取款、换零、存折", "Cash", "Deposit, withdraw", Wait(12, 20, 20)),
    _tile(
        "B", "非现金业务", "开卡、挂失、改密码", "Cards & accounts", "Open, replace, PIN", Wait(9)
    ),
    ServiceTile(
        "C",
        {"zh_CN": "对公业务", "en": "Business"},
        {"zh_CN": "企业开户、对账", "en": "Company accounts"},
        Wait(),
        closed="closed.full",
    ),
    _tile("D", "理财与贷款", "咨询、签约", "Advice", "Savings, loans", Wait()),
)


def _unknown(tile: ServiceTile) -> ServiceTile:
    return replace(tile, wait=Wait())


def home(language: str, **changes: Any) -> HomeView:
    return HomeView(language, HEADER, **{"tiles": (*TILES, PERSON), **changes})


def home_offline(language: str) -> HomeView:
    return home(language, tiles=tuple(map(_unknown, (*TILES, PERSON))), online=False)


def ticket(
    language: str,
    printing: Printing = Printing.DONE,
    wait: Wait = COVERED,
    number: str = "A042",
) -> TicketView:
    return TicketView(language, HEADER, CASH, number, "10:24", wait, printing)


def no_slip(
    language: str,
    url: str | None = "https://q.example.com/t/7KQ2M9XA",
    *,
    told: bool = True,
    cause: str = "paper_out",
    wait: Wait = WAIT,
    again: bool = False,
) -> NoSlipView:
    return NoSlipView(language, HEADER, CASH, "A042", "10:24", wait, cause, told, url, again)


def out_of_service(language: str, code: str = "storage_full") -> OutOfServiceView:
    return OutOfServiceView(language, HEADER, code, machine="K1", told_clock="10:21")


def gallery(language: str) -> dict[str, View]:
    """Every screen, and every state of it that lays out differently."""
    return {
        "home": home(language),
        "home-odd": home(language, tiles=(*ODD_TILES, PERSON)),
        "home-two": home(language, tiles=TILES[:2]),
        "home-offline": home_offline(language),
        "home-notice": home(language, notice="ticket.printing"),
        "ticket": ticket(language),
        "ticket-printing": ticket(language, Printing.RUNNING, WAIT),
        "ticket-unknown": ticket(language, wait=Wait()),
        "ticket-nobody": ticket(language, wait=Wait(0, 0, 0), number="A1042"),
        "ticket-ahead": ticket(language, wait=Wait(12)),
        "no-slip": no_slip(language),
        "no-slip-no-code": no_slip(language, None, told=False, cause="other"),
        "no-slip-unknown": no_slip(language, wait=Wait()),
        "no-slip-again": no_slip(language, cause="other", again=True),
        "no-slip-no-code-again": no_slip(language, None, told=False, cause="other", again=True),
        "out-of-service": out_of_service(language),
        "out-of-service-fault": out_of_service(language, "journal_unreadable"),
    }


LANGUAGES = ("zh_CN", "en")


@dataclass(frozen=True, slots=True)
class Shot:
    """One screen to measure, and what its mode promises."""

    name: str
    mode: str
    language: str
    view: View
    limits: Limits

    @property
    def file(self) -> str:
        """The name of its marked picture, without suffix."""
        return f"{self.name}-{self.mode}-{self.language}"


def shots() -> Iterator[Shot]:
    """Every screen in every mode and language."""
    for language in LANGUAGES:
        for name, view in gallery(language).items():
            limits = Limits(person=isinstance(view, HomeView) and name != "home-two")
            yield Shot(name, "plain", language, view, limits)
