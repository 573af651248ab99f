"""What stands on the slip."""

from typing import Any

import pytest

from hal.api import Pair, Qr, Text
from kiosk.slip import build_slip

TICKET: dict[str, Any] = {
    "branch_name": "示例银行 滨江支行",
    "service_name": "现金业务",
    "number": "A042",
    "waiting": 6,
    "wait_min": (15, 25),
    "issued_at_text": "2026-11-23 10:24",
    "reference": "7f3a-9c21",
    "public_url": None,
    "complaints_phone": "400-000-0000",
    "language": "zh_CN",
}


def words(**changes: Any) -> list[str]:
    items = build_slip(**{**TICKET, **changes}).items
    texts = [item.text for item in items if isinstance(item, Text)]
    return texts + [f"{item.left} {item.right}" for item in items if isinstance(item, Pair)]


def test_the_number_is_the_largest_thing_on_it():
    items = build_slip(**TICKET).items
    largest = max((i for i in items if isinstance(i, Text)), key=lambda i: i.width * i.height)
    assert (largest.text, largest.width, largest.height) == ("A042", 8, 8)


def test_both_languages_say_the_same_things():
    chinese, english = build_slip(**TICKET), build_slip(**{**TICKET, "language": "en"})
    assert [type(item) for item in chinese.items] == [type(item) for item in english.items]
    assert "大约等 15-25 分钟" in words()
    assert "Wait about 15-25 min" in words(language="en")
    assert "取号时间 2026-11-23 10:24" in words()


@pytest.mark.parametrize("wait", [None, (15, 25)])
def test_people_ahead_unknown_leaves_the_wait_out(wait: tuple[int, int] | None):
    text = words(waiting=None, wait_min=wait)
    assert "前面 未知" in text
    assert not any("大约等" in line for line in text)


def test_nobody_ahead_and_a_window_free_is_no_wait():
    assert "No wait" in words(waiting=0, wait_min=(0, 0), language="en")
    assert "前面 0 人" in words(waiting=0, wait_min=(1, 3))


def test_an_interval_with_equal_ends_is_one_figure():
    assert "大约等 5 分钟" in words(wait_min=(5, 5))
    assert not any("大约等" in line for line in words(wait_min=None))


def test_the_promise_of_the_interval_is_printed_only_where_it_was_measured():
    claim = "10 次里有 8 次，在这个时间内叫到。"
    assert claim not in words()
    assert claim in words(cover_holds=True)
    assert claim not in words(cover_holds=True, waiting=None)


def test_a_qr_code_only_where_an_address_is_configured():
    assert not any(isinstance(item, Qr) for item in build_slip(**TICKET).items)
    assert not any("扫码" in line for line in words())
    items = build_slip(**{**TICKET, "public_url": "https://q.example/t/7f3a9c21"}).items
    assert [i.text for i in items if isinstance(i, Qr)] == ["https://q.example/t/7f3a9c21"]


def test_the_code_for_the_kiosk_is_printed_where_it_is_asked_for():
    assert "查询码 812 345" in words(code="812345")
    assert "Code at the kiosk 812 345" in words(code="812345", language="en")
    assert not any("查询码" in line for line in words())


def test_no_complaints_phone_no_line():
    assert "投诉电话 400-000-0000" in words()
    assert not any("投诉电话" in line for line in words(complaints_phone=""))


def test_an_unknown_language_is_refused():
    with pytest.raises(ValueError, match="'fr'; there are zh_CN, en"):
        build_slip(**{**TICKET, "language": "fr"})


def test_a_missed_ticket_is_promised_a_return_only_where_the_branch_gives_it() -> None:
    claim = "过号了？30 分钟内回来，位置还在。"
    assert claim in words(missed_returns=True)
    assert claim not in words()


@pytest.mark.parametrize(("language", "mark"), [("zh_CN", "补打"), ("en", "Printed again")])
def test_a_copy_says_so_under_its_number(language: str, mark: str) -> None:
    items = build_slip(**{**TICKET, "language": language, "copy": True}).items
    texts = [item.text for item in items if isinstance(item, Text)]
    assert texts[texts.index("A042") + 1] == mark
    assert mark not in words(language=language)
