"""What stands on the receipt of a complaint, as lines for any printer. Pure."""

from dataclasses import dataclass

from hal.api import Align, Pair, Qr, Rule, Slip, SlipItem, Text
from kiosk.slip import LARGE, QR_MODULE_DOTS

NUMBER_SIZE = 3
"""Nine characters, 324 of the 384 dots of the narrowest paper."""


@dataclass(frozen=True, slots=True)
class _Words:
    title: str
    topic: str
    opened: str
    due: str
    scan: str
    keep: str
    data: str
    complaints: str


_WORDS = {
    "zh_CN": _Words(
        title="投诉回执",
        topic="内容",
        opened="登记时间",
        due="最迟答复",
        scan="扫码看处理结果",
        keep="凭编号查询，请保留。",
        data="不记姓名，不记电话。",
        complaints="投诉电话",
    ),
    "en": _Words(
        title="Complaint receipt",
        topic="About",
        opened="Registered",
        due="Answer by",
        scan="Scan to see the answer",
        keep="Keep it: ask with this number.",
        data="No name and no phone are kept.",
        complaints="Complaints",
    ),
}


TOPICS = {
    "zh_CN": {
        "waiting": "等得太久", "windows": "窗口太少", "attitude": "服务态度", "slow": "办得太慢",
        "error": "办错没办成", "fees": "收费问题", "environment": "大厅环境", "other": "别的原因",
    },
    "en": {
        "waiting": "Long wait", "windows": "Too few counters", "attitude": "Attitude",
        "slow": "Slow service", "error": "Error or not solved", "fees": "Fees",
        "environment": "The hall", "other": "Something else",
    },
}  # fmt: skip
"""What a complaint is about, as the paper says it."""


def build_receipt(
    *,
    branch_name: str,
    number: str,
    topic: str,
    opened_text: str,
    due_date: str,
    complaints_phone: str,
    language: str,
    public_url: str | None = None,
) -> Slip:
    """The receipt in ``language`` (zh_CN or en). ``topic`` is in words, ``due_date`` ISO; an empty
    ``complaints_phone`` prints no such line. ``public_url`` is the whole address behind the QR
    code, None prints none. Raises ValueError for another language.
    """
    words = _WORDS.get(language)
    if words is None:
        raise ValueError(f"no receipt in language {language!r}; there are {', '.join(_WORDS)}")
    items: list[SlipItem] = [
        Text(branch_name, LARGE, LARGE, bold=True, align=Align.CENTRE),
        Text(words.title, LARGE, LARGE, align=Align.CENTRE),
        Text(number, NUMBER_SIZE, NUMBER_SIZE, bold=True, align=Align.CENTRE),
        Rule(),
        Pair(words.topic, topic),
        Pair(words.opened, opened_text),
        Pair(words.due, due_date),
    ]
    if public_url:
        items += [Qr(public_url, QR_MODULE_DOTS), Text(words.scan, align=Align.CENTRE)]
    items += [Rule(), Text(words.keep), Text(words.data)]
    if complaints_phone:
        items.append(Text(f"{words.complaints} {complaints_phone}", height=LARGE))
    return Slip(tuple(items))
