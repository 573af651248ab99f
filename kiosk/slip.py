"""What stands on a ticket's slip, as lines for any printer. Pure."""

from dataclasses import dataclass

from hal.api import Align, Pair, Qr, Rule, Slip, SlipItem, Text

NUMBER_SIZE = 8
"""384 x 192 dots for four characters: read at arm's length."""
LARGE = 2
QR_MODULE_DOTS = 7
"""0.875 mm a module: twice what a phone needs at 15 cm."""


@dataclass(frozen=True, slots=True)
class _Words:
    copy: str
    ahead: str
    people: str  # {n}
    unknown: str
    wait: str
    minutes: str  # {range}
    no_wait: str
    cover: str
    issued: str
    reference: str
    code: str
    scan: str
    order: str
    missed: str
    help: str
    complaints: str


_WORDS = {
    "zh_CN": _Words(
        copy="补打",
        ahead="前面",
        people="{n} 人",
        unknown="未知",
        wait="大约等",
        minutes="{range} 分钟",
        no_wait="现在不用等",
        cover="10 次里有 8 次，在这个时间内叫到。",
        issued="取号时间",
        reference="凭证",
        code="查询码",
        scan="扫码看排队进度、提意见",
        order="号码可能不按顺序叫，请留意大屏和广播。",
        missed="过号了？30 分钟内回来，位置还在。",
        help="需要帮助，请找大堂经理。",
        complaints="投诉电话",
    ),
    "en": _Words(
        copy="Printed again",
        ahead="Ahead of you",
        people="{n}",
        unknown="unknown",
        wait="Wait about",
        minutes="{range} min",
        no_wait="No wait",
        cover="8 times out of 10, called within this time.",
        issued="Issued",
        reference="Reference",
        code="Code at the kiosk",
        scan="Scan to follow your place or send feedback",
        order="Numbers may be called out of order.",
        missed="Missed your call? Come back within 30 min.",
        help="Need help? Ask any member of staff.",
        complaints="Complaints",
    ),
}


def build_slip(
    *,
    branch_name: str,
    service_name: str,
    number: str,
    waiting: int | None,
    wait_min: tuple[int, int] | None,
    issued_at_text: str,
    reference: str,
    public_url: str | None,
    complaints_phone: str,
    language: str,
    cover_holds: bool = False,
    missed_returns: bool = False,
    copy: bool = False,
    code: str = "",
) -> Slip:
    """The slip of one ticket, in ``language`` (zh_CN or en). Raises ValueError for another.

    ``waiting`` None: people ahead unknown, then no wait is printed either. ``wait_min`` is the
    interval as the screen shows it; (0, 0) with nobody ahead is "No wait". ``public_url`` is the
    whole address behind the QR code, None prints none. An empty ``complaints_phone`` prints no
    such line. ``cover_holds`` says that the interval was measured to hold 8 times out of 10,
    ``missed_returns`` that the branch calls a missed ticket again: neither is promised unless
    true. ``code`` is what to type at a kiosk to see how the wait goes, "" prints none. ``copy``
    says that another slip of this number may be out: staff who see two know why.
    """
    words = _WORDS.get(language)
    if words is None:
        raise ValueError(f"no slip in language {language!r}; there are {', '.join(_WORDS)}")
    items: list[SlipItem] = [
        Text(branch_name, LARGE, LARGE, bold=True, align=Align.CENTRE),
        Text(service_name, LARGE, LARGE, align=Align.CENTRE),
        Text(number, NUMBER_SIZE, NUMBER_SIZE, bold=True, align=Align.CENTRE),
        *([Text(words.copy, bold=True, align=Align.CENTRE)] if copy else []),
        Rule(),
        *_wait_lines(words, waiting, wait_min, cover_holds=cover_holds),
        Rule(),
        Pair(words.issued, issued_at_text),
        Pair(words.reference, reference),
        *([Pair(words.code, f"{code[:3]} {code[3:]}")] if code else []),
    ]
    if public_url:
        items += [Qr(public_url, QR_MODULE_DOTS), Text(words.scan, align=Align.CENTRE)]
    items += [Rule(), Text(words.order)]
    if missed_returns:
        items.append(Text(words.missed))
    items.append(Text(words.help))
    if complaints_phone:
        items.append(Text(f"{words.complaints} {complaints_phone}", height=LARGE))
    return Slip(tuple(items))


def build_test_slip(zh: str, en: str) -> Slip:
    """A slip that nobody can take for a ticket; every kind of line is on it, for the eye."""
    return Slip(
        (
            Text("打印测试 TEST", LARGE, LARGE, bold=True, align=Align.CENTRE),
            Text(zh, align=Align.CENTRE),
            Text(en, align=Align.CENTRE),
            Rule(),
            Pair("0123456789", "ABCXYZ"),
            Qr("TEST", QR_MODULE_DOTS),
            Rule(),
            Text("不是号码 This is not a ticket", align=Align.CENTRE),
        )
    )


def _wait_lines(
    words: _Words, waiting: int | None, wait_min: tuple[int, int] | None, *, cover_holds: bool
) -> list[SlipItem]:
    if waiting is None:
        return [Pair(words.ahead, words.unknown, LARGE, LARGE)]
    if waiting == 0 and wait_min == (0, 0):
        return [Text(words.no_wait, LARGE, LARGE, bold=True)]
    lines: list[SlipItem] = [Pair(words.ahead, words.people.format(n=waiting), LARGE, LARGE)]
    if wait_min is not None:
        low, high = wait_min
        # A hyphen: the en dash of the screen is missing from some printers' code pages.
        span = f"{low}-{high}" if low != high else f"{low}"
        lines.append(Pair(words.wait, words.minutes.format(range=span), LARGE, LARGE))
        if cover_holds:
            lines.append(Text(words.cover))
    return lines
