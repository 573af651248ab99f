"""Every screen of the kiosk, and every state of it that lays out differently: one moment, 10:24.

The window tests and ``lobby prove kiosk`` show these.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from kiosk.code_views import code_said_view, code_view
from kiosk.codes import MOST_TRIES, CodeSaid
from kiosk.feedback import LowPress, Receipt, Sheet, Talk, Told
from kiosk.sheets import Known, Promise, sheet_view
from kiosk.view import (
    PLAIN,
    AccessView,
    AttractView,
    ClosedView,
    DayHours,
    Document,
    Header,
    HomeView,
    IdleView,
    Modes,
    NoSlipView,
    OutOfServiceView,
    Printing,
    SelfTestRow,
    ServiceTile,
    TechnicianView,
    TicketView,
    TriageView,
    View,
    Wait,
    Words,
)
from kiosk.visit import Phase, Visit
from simulator.prove.kiosk_measure import Limits
from sync.offer import MOST_LINE_WIDTH, MOST_LINES, MOST_TITLE_WIDTH

LARGE = ((1080, 1920), 0.2479)
SMALL = ((1280, 800), 0.16996)
SIZES = {"large": LARGE, "small": SMALL}

HEADER = Header(
    branch=Words(zh_CN="示例银行·滨江支行", en="Sample Bank – Riverside"),
    date=Words(zh_CN="11月23日 星期一", en="Mon 23 November"),
    clock="10:24",
)
CASH = Words(zh_CN="现金业务", en="Cash")
WAIT = Wait(6, 15, 25)
COVERED = Wait(6, 15, 25, covered=True)


def _tile(
    letter: str, zh: str, zh_examples: str, en: str, en_examples: str, wait: Wait
) -> ServiceTile:
    short = {"en": "Cards"} if letter == "B" else {}
    names, examples = Words(zh_CN=zh, en=en), Words(zh_CN=zh_examples, en=en_examples)
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
    Words(zh_CN="长者·需要人工", en="A person, please"),
    Words(zh_CN="取优先号，工作人员来帮您", en="Seniors welcome. Priority ticket."),
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
        Words(zh_CN="对公业务", en="Business"),
        Words(zh_CN="企业开户、对账", en="Company accounts"),
        Wait(),
        closed="closed.full",
    ),
    _tile("D", "理财与贷款", "咨询、签约", "Advice", "Savings, loans", Wait()),
)


WITHIN = (
    _tile("E", "开卡", "借记卡、社保卡", "New card", "Debit, social security", Wait(4, 10, 20)),
    _tile("F", "挂失补办", "卡、存折", "Lost card", "Card or passbook", Wait(1, 5, 10)),
    _tile("G", "改密码", "忘记也可以", "PIN", "Also if you forgot it", Wait(0, 0, 0)),
    _tile("H", "查账", "流水、余额", "Statements", "Balance, history", Wait(2, 8, 8)),
)


def _unknown(tile: ServiceTile) -> ServiceTile:
    return replace(tile, wait=Wait())


def _grouped(tile: ServiceTile) -> ServiceTile:
    """As one that opens others: free, of one length, of two, unknown."""
    waits = {"A": Wait(None, 0, 0), "B": Wait(None, 5, 40), "C": Wait(None, 8, 8)}
    return replace(tile, group=True, wait=waits.get(tile.letter, Wait()))


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


WEEK = (
    DayHours(Words(zh_CN="周一至周五", en="Mon–Fri"), "09:00–12:00  13:30–17:00"),
    DayHours(Words(zh_CN="周六", en="Sat"), "10:00–15:00"),
    DayHours(Words(zh_CN="周日", en="Sun"), ""),
)


def closed(language: str, **changes: Any) -> ClosedView:
    values = {
        "opens": Words(zh_CN="12月10日 周四 09:00", en="Thu 10 Dec 09:00"),
        "days": WEEK,
        "elsewhere": Words(
            zh_CN="自助区 24 小时开放，可存取款", en="24 h machines: cash in and out"
        ),
        **changes,
    }
    return ClosedView(language, HEADER, **values)


FRAUD = Words(zh_CN="验证码，谁也不给", en="Keep your codes secret")
FRAUD_LINES = (
    Words(zh_CN="银行和警察都不会向您要验证码。", en="No bank and no police officer"),
    Words(zh_CN="有人催您转账，先停一停，", en="ever asks for your code."),
    Words(zh_CN="问问家人，或者问问大堂经理。", en="Pressed to pay? Ask us first."),
)
WIDEST = Words(zh_CN="宽" * (MOST_TITLE_WIDTH // 2), en="Widest of all: a title")
WIDEST_LINE = Words(zh_CN="宽" * (MOST_LINE_WIDTH // 2), en="As wide a line as anybody may have")


def attract(
    language: str, title: dict[str, str], lines: tuple[Words, ...], icon: str = "warn"
) -> AttractView:
    return AttractView(language, HEADER, title, tuple(line[language] for line in lines), icon)


def gallery(language: str) -> dict[str, View]:
    """Every screen, and every state of it that lays out differently."""
    return {
        "home": home(language),
        "home-odd": home(language, tiles=(*ODD_TILES, PERSON)),
        "home-closed": home(
            language,
            tiles=(*(replace(tile, closed="closed.closed") for tile in TILES), PERSON),
        ),
        "home-code": home(language, notice="code.choose"),
        "home-two": home(language, tiles=TILES[:2]),
        "home-hours": home(
            language,
            tiles=(
                replace(TILES[0], closed="closed.opens", opens="13:30"),
                *(replace(tile, closed="closed.today") for tile in TILES[1:]),
                PERSON,
            ),
            left_min=12,
        ),
        "home-groups": home(language, tiles=(*map(_grouped, TILES), PERSON)),
        "home-within": home(language, tiles=(*WITHIN, PERSON), group=TILES[1].name),
        "home-within-offline": replace(
            home_offline(language),
            tiles=tuple(map(_unknown, (*WITHIN[:2], PERSON))),
            group=TILES[1].name,
        ),
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
        "attract": attract(language, FRAUD, FRAUD_LINES),
        "attract-widest": attract(language, WIDEST, (WIDEST_LINE,) * MOST_LINES),
        "attract-promises": attract(language, {}, FRAUD_LINES[:1], "check"),
        "closed": closed(language),
        "closed-bare": closed(language, opens={}, days=WEEK[:1], elsewhere={}),
        "out-of-service": out_of_service(language),
        "out-of-service-fault": out_of_service(language, "journal_unreadable"),
    }


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


MODES = {
    "plain": Modes(),
    "contrast": Modes(contrast=True),
    "simple": Modes(simple=True),
    "low": Modes(low=True),
    "low+contrast": Modes(low=True, contrast=True),
    "simple+low+contrast": Modes(simple=True, low=True, contrast=True),
    "left": Modes(left=True),
    "simple+left": Modes(simple=True, left=True),
    "low+left": Modes(low=True, left=True),
}
MIRRORED = frozenset(
    {
        "home", "home-offline", "home-within", "access", "triage", "code", "code-early",
        "code-other_day", "code-unknown", "feedback", "suggestion", "help-unreached", "ticket",
        "ticket-unknown", "no-slip", "no-slip-again", "closed", "out-of-service",
    }
)  # fmt: skip
"""One screen of each row that the left hand has another way round: shown in large print and with
low controls too, where the others are as for the right one.
"""
SIMPLE_CAPITAL_MM = 8.7
SIMPLE_HOME_CAPITAL_MM = 10.4
"""On the large kiosk; the small one has no room for more than the smallest legal size."""


SIMPLE_TILES = (
    ServiceTile(
        "A",
        Words(zh_CN="存钱 取钱", en="Cash"),
        Words(zh_CN="现金、存折都可以", en="In or out, passbook too"),
        WAIT,
    ),
    ServiceTile(
        "B",
        Words(zh_CN="卡和账户", en="Cards & accounts"),
        Words(zh_CN="挂失、改密码、查账", en="Lost card, PIN, balance"),
        Wait(9, 25, 40),
        short={"en": "Cards"},
    ),
    PERSON,
)
SIMPLE_HOURS = (
    replace(SIMPLE_TILES[0], closed="closed.opens", opens="13:30"),
    replace(SIMPLE_TILES[1], closed="closed.today"),
    PERSON,
)
SIMPLE_ODD = (replace(SIMPLE_TILES[0], closed="closed.full"), SIMPLE_TILES[1], PERSON)


def access(language: str, chosen: Modes, **changes: Any) -> AccessView:
    return AccessView(language, HEADER, chosen, TILES[0], **changes)


DOCUMENTS = (
    Document(
        "id",
        Words(zh_CN="本人身份证", en="Your ID card"),
        Words(zh_CN="原件，复印件不行", en="original, no copy"),
    ),
    Document(
        "card",
        Words(zh_CN="银行卡或存折", en="Card or passbook"),
        Words(zh_CN="挂失可不带", en="not if lost"),
    ),
    Document(
        "phone",
        Words(zh_CN="手机", en="Phone"),
        Words(zh_CN="要收验证码", en="for a code by text"),
    ),
)


def triage(language: str, modes: Modes = PLAIN, **changes: Any) -> TriageView:
    values = {"documents": DOCUMENTS, "machine_min": 5, "modes": modes, **changes}
    return TriageView(language, HEADER, TILES[1], **values)


CODE_STATES = (
    "on_time", "early", "late", "other_day", "used", "unknown", "offline", "unreached",
    "waiting", "breached", "parked", "called", "over", "refused", "return",
    "machine",
)  # fmt: skip
_WITH_NUMBER = ("used", "waiting", "breached", "parked", "called", "over", "refused", "return")


def _number(state: str) -> str:
    if state == "return":
        return "912345"
    return "A1042" if state in _WITH_NUMBER else ""


def codes(language: str, modes: Modes) -> dict[str, View]:
    """The pad, and every word on a code."""
    visit = Visit(Phase.CODE, language, language, person="P", modes=modes, code="482")
    found: dict[str, View] = {
        "code": code_view(visit, HEADER, reader=False, person=True),
        "code-reader": code_view(replace(visit, code=""), HEADER, reader=True, person=False),
        "code-asking": code_view(
            replace(visit, code="482915", phase=Phase.LOOKING), HEADER, reader=True, person=True
        ),
    }
    for state in CODE_STATES:
        said = CodeSaid(
            state, "482915", "A", _number(state), clock="10:30",
            day="2026-11-30",
            counter=13 if state in ("early", "called") else 0,
            waited_min=131, limit_min=120, low_min=100, high_min=120,
        )  # fmt: skip
        found[f"code-{state}"] = code_said_view(visit, said, HEADER, CASH, person=True)
    last = replace(visit, tries=MOST_TRIES)
    unknown = CodeSaid("unknown", "482915")
    found["code-unknown-last"] = code_said_view(last, unknown, HEADER, Words(en=""), person=True)
    return found


def idle(language: str, left_s: int, behind: HomeView | TriageView | None = None) -> IdleView:
    behind = behind or home(language)
    return IdleView(language, HEADER, behind, left_s, 20, behind.modes)


ROWS = (
    SelfTestRow("printer", "fault", "paper_out"),
    SelfTestRow("pad-12", "warning", "firmware_old"),
    *(
        SelfTestRow(name, "ok")
        for name in ("disk", "clock", "broker", "card", "caller-3", "pad-4")
    ),
)

BODY_ROWS = (
    SelfTestRow("keys", "fault", "not_keys"),
    SelfTestRow("speaker", "warning", "device_missing"),
    *(SelfTestRow(name, "ok") for name in ("keys", "speaker")),
)


def technician(language: str) -> dict[str, View]:
    """The technician's screens; they are drawn plain whatever the visitor before wanted."""
    shown = {
        "technician-code": TechnicianView(language, HEADER, "code"),
        "technician-code-typed": TechnicianView(
            language, HEADER, "code", digits=12, word="tech.wrong"
        ),
        "technician-code-wait": TechnicianView(language, HEADER, "code", wait_s=900),
        "technician-menu": TechnicianView(language, HEADER, "menu", rows=ROWS),
        "technician-menu-busy": TechnicianView(language, HEADER, "menu", busy=True),
        "technician-grid": TechnicianView(
            language, HEADER, "grid", touched=frozenset({"1", "7", "18"})
        ),
    }
    for word in ("prints", "out", "none"):
        shown[f"technician-menu-{word}"] = TechnicianView(
            language,
            HEADER,
            "menu",
            rows=BODY_ROWS if word == "none" else ROWS,
            word=f"tech.slip.{word}",
        )
    return dict(shown)


PRESS = LowPress("id-1", "A034", 1, 2)
NAMELESS = LowPress("id-1", "", 12, 1)
KNOWN = Known(
    "400-000-0000",
    (
        *(Promise(Words(tile.name), 30, 128, 118) for tile in TILES[:3]),
        Promise(Words(TILES[3].name), 30),
    ),
)
_RECEIPT = Talk(Sheet.RECEIPT, number="4071-5523", due_date="2026-12-08")
SHEETS = {
    "feedback": Talk(Sheet.MENU),
    "suggestion": Talk(Sheet.SUGGESTION),
    "complaint": Talk(Sheet.COMPLAINT),
    "commitments": Talk(Sheet.COMMITMENTS),
    "help-reached": Talk(Sheet.HELP, told=Told.REACHED),
    "help": Talk(Sheet.HELP),
    "help-unreached": Talk(Sheet.HELP, told=Told.UNREACHED),
    "receipt": replace(_RECEIPT, receipt=Receipt.PRINTED),
    "receipt-waits": Talk(Sheet.RECEIPT),
    "receipt-printing": replace(_RECEIPT, receipt=Receipt.PRINTING),
    "receipt-failed": replace(_RECEIPT, receipt=Receipt.FAILED),
    "reason": Talk(Sheet.REASON, press=PRESS),
    "reason-nameless": Talk(Sheet.REASON, press=NAMELESS),
    "thanks": Talk(Sheet.THANKS),
}


def sheets(language: str, modes: Modes = PLAIN) -> dict[str, View]:
    """Every sheet of feedback."""
    return {
        name: sheet_view(talk, language, HEADER, modes, KNOWN) for name, talk in SHEETS.items()
    }


def in_modes(language: str, modes: Modes) -> dict[str, View]:
    """The gallery as ``modes`` draw it: simple mode has a first screen of its own."""
    shown = {name: replace(view, modes=modes) for name, view in gallery(language).items()}
    if modes == PLAIN:
        shown |= technician(language)
    if modes.simple:
        tiles = {
            "home": SIMPLE_TILES,
            "home-odd": SIMPLE_ODD,
            "home-offline": SIMPLE_TILES,
            "home-hours": SIMPLE_HOURS,
        }
        for name in [name for name in shown if name.startswith("home")]:
            view = shown.pop(name)
            if isinstance(view, HomeView) and name in tiles:
                shown[name] = replace(view, tiles=tiles[name])
    shown["access"] = access(language, modes, modes=modes)
    shown["access-all"] = access(language, Modes(True, True, True, True), modes=modes)
    shown["access-nobody"] = access(language, Modes(), modes=modes, person=False)
    if not modes.simple:  # it has no steps between
        shown["triage"] = triage(language, modes)
        shown["triage-counter"] = triage(language, modes, machine_min=0, person=False)
        closed = replace(TILES[1], closed="closed.closing")
        shown["triage-closed"] = replace(triage(language, modes), service=closed)
        unknown = _unknown(TILES[1])
        shown["triage-machine"] = replace(triage(language, modes, documents=()), service=unknown)
    shown |= sheets(language, modes)
    shown |= codes(language, modes)
    home_view = shown["home"]
    assert isinstance(home_view, HomeView)
    for left_s in (20, 1):
        shown[f"idle-{left_s}"] = idle(language, left_s, home_view)
    return shown


def shots(size: str, languages: tuple[str, ...]) -> Iterator[Shot]:
    """Every screen in every mode and language."""
    for mode, modes in MODES.items():
        for language in languages:
            for name, view in in_modes(language, modes).items():
                if modes.left and modes != Modes(left=True) and name not in MIRRORED:
                    continue
                capital_mm = 7.3
                if modes.simple and size == "large":
                    is_home = isinstance(view, HomeView)
                    capital_mm = SIMPLE_HOME_CAPITAL_MM if is_home else SIMPLE_CAPITAL_MM
                limits = Limits(
                    capital_mm=capital_mm,
                    text_contrast=7.0 if modes.contrast else 4.5,
                    lower_half=modes.low,
                    person=isinstance(view, HomeView) and name != "home-two",
                    help=isinstance(view, HomeView),
                )
                yield Shot(name, mode, language, view, limits)
