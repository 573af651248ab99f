"""What stands on the manager's page: every kind of alert in both languages, in the order of
urgency, with what can be done.
"""

from dataclasses import replace
from typing import Any

import pytest

from branch.alert_book import BY_HAND
from branch.hall_view import (
    AlertLine,
    ComplaintLine,
    HallCounter,
    HallService,
    HallTicket,
    HallView,
)
from branch.web.hall_page import ICONS, URGENCY, Card, hall_page
from branch.web.hall_words import HALL_WORDS, REFUSED, hall_words
from sync.alerts import AlertData

MIN = 60_000


def line(kind: str, *, age_min: int = 1, is_open: bool = True, **about: Any) -> AlertLine:
    taken = about.pop("taken_by", None)
    data = AlertData(kind=kind, breach=f"{kind}:{about}", since_ms=0, **about)
    return AlertLine(
        id=data.breach, about=data, age_ms=age_min * MIN, open=is_open, taken=taken is not None,
        taken_by=taken or "", by_hand=kind in BY_HAND, clock="10:24",
    )  # fmt: skip


def view(*alerts: AlertLine, **more: Any) -> HallView:
    fields: dict[str, Any] = {
        "tickets": (), "segments": ("ordinary", "vip"),
        "counters": (
            HallCounter(1, "open", "A035", 0, "AB"), HallCounter(2, "paused", "", 0, "A"),
            HallCounter(3, "open", "", 0, "B"), HallCounter(5, "closed", "", 0, "A"),
            HallCounter(6, "elastic", "", 0, "AB"),
        ),
        "services": (
            HallService("A", "现金", "Cash", 6, 26 * MIN, 30 * MIN),
            HallService("B", "非现金", "Accounts", 0, 0, 0),
        ),
        **more,
    }  # fmt: skip
    return HallView(7, "滨江支行", "Riverside", "10:24", alerts, **fields)


WAIT: dict[str, Any] = {"service": "A", "limit_ms": 30 * MIN}


def test_the_most_urgent_is_on_top_and_what_was_seen_to_at_the_bottom() -> None:
    alerts = [line(kind, service="A", score_1to5=1) for kind in reversed(URGENCY)]
    alerts.append(line("unhappy", counter=9, is_open=False, score_1to5=2))
    page = hall_page(view(*alerts), hall_words("zh"), "1")
    assert [card.kind for card in page.cards] == [*URGENCY, "unhappy"]
    assert set(ICONS) == set(URGENCY)
    assert (page.needed, page.heading) == (9, "要您处理的 9 件")
    last = page.cards[-1]
    assert (last.seen, last.taken, [a.name for a in last.acts]) == (True, "已处理", ["reopen"])
    quiet = hall_page(view(), hall_words("en"), "1")
    assert (quiet.needed, quiet.heading) == (0, "Nothing needs you now")


@pytest.mark.parametrize(
    ("alert", "zh", "en"),
    [
        (
            line("service", counter=2, number="B017", limit_ms=15 * MIN),
            ("2 号窗口办理超时", "B017 办了 16 分，标准 15 分"),
            ("Counter 2: service over standard", "B017 served for 16 min, standard 15 min"),
        ),
        (
            line("idle", counter=3, service="B", limit_ms=3 * MIN),
            ("3 号窗口空着没叫号", "有人等非现金，已空 4 分"),
            ("Counter 3 is free and calls nobody", "Somebody waits for Accounts; free for 4 min"),
        ),
        (
            line("line", service="A", people=26, limit_people=25),
            ("现金排队太长", "26 人在等，标准 25 人"),
            ("Cash: the line is too long", "26 waiting, standard 25"),
        ),
        (
            line("unhappy", counter=1, number="A034", score_1to5=1),
            ("1 号窗口，不满意", "A034，很不满意"),
            ("Counter 1, unhappy", "A034, very unhappy"),
        ),
        (
            line("help", node="kiosk-1", number="P003", service="X"),
            ("1 号取号机，请人工", "P003，X"),
            ("Kiosk 1: a person, please", "P003, X"),
        ),
        (
            line("help", node="kiosk-1", detail="home"),
            ("1 号取号机，请人工", "按了求助"),
            ("Kiosk 1: a person, please", "Help was pressed"),
        ),
        (
            line("help", node="kiosk-1", detail="complaint"),
            ("1 号取号机，请人工", "在意见建议页按了求助"),
            ("Kiosk 1: a person, please", "Help was pressed on the feedback screen"),
        ),
        (
            line("help", node="kiosk-1", detail="reason", counter=2, number="A034", service="A"),
            ("1 号取号机，请人工", "评了 2 号窗口，想当面说 A034"),
            ("Kiosk 1: a person, please", "rated counter 2, wants to talk A034"),
        ),
        (
            line("no_slip", node="front-door", number="A041"),
            ("front-door，没拿到小票", "A041，号有效"),
            ("front-door: no slip", "A041, the number is valid"),
        ),
        (
            line("device", node="kiosk-1", device="printer", detail="paper_out"),
            ("1 号取号机：缺纸", "打印机"),
            ("Kiosk 1: out of paper", "Printer"),
        ),
        (
            line("device", node="kiosk-2", device="pad-3", detail="silent"),
            ("3 号窗口的评价器：没有应答", "2 号取号机"),
            ("Pad of counter 3: does not answer", "Kiosk 2"),
        ),
        (
            line("device", node="branch-1", detail="display_lost 4"),
            ("服务器：4 号窗口的显示屏没有连上", ""),
            ("Server: display of counter 4 not connected", ""),
        ),
        (
            line("device", node="kiosk-1", device="bus-1", detail="own_code"),
            ("1 号取号机：own_code", "评价器总线"),
            ("Kiosk 1: own_code", "Bus of the pads"),
        ),
        (
            line("device", node="kiosk-1", device="scanner", detail="lost"),
            ("1 号取号机：失去联系", "scanner"),
            ("Kiosk 1: not reachable", "scanner"),
        ),
    ],
)
def test_each_kind_in_words(alert: AlertLine, zh: tuple[str, str], en: tuple[str, str]) -> None:
    for lang, expected in (("zh", zh), ("en", en)):
        (card,) = hall_page(view(alert), hall_words(lang), "1").cards
        assert (card.title, card.note) == expected


def test_a_complaint_is_a_card_until_it_is_answered() -> None:
    new = ComplaintLine("c-1", "4071-5523", "fees", "2026-12-08", False, 60_000, False, "")

    def card(complaint: ComplaintLine, lang: str = "en") -> Card:
        shown = replace(view(), complaints=(complaint,))
        (made,) = hall_page(shown, hall_words(lang), "1").cards
        return made

    made = card(new)
    assert (made.title, made.note) == ("Complaint 4071-5523", "Fees, answer by 2026-12-08")
    assert [act.name for act in made.acts] == ["complaint-take", "complaint-open"]
    assert (made.seen, made.taken, made.acts[0].body) == (False, "", {"complaint": "c-1"})
    taken = card(replace(new, taken=True, owner="m-1"))
    assert (taken.seen, taken.taken) == (True, "m-1 sees to it")
    assert [act.name for act in taken.acts] == ["complaint-open"]
    assert card(replace(new, taken=True)).taken == "Somebody is on the way"
    late = card(replace(new, taken=True, owner="m-1", overdue=True, topic="new one"), "zh")
    assert (late.seen, late.note) == (False, "别的原因，2026-12-08 已过期")


def test_the_waits_of_a_service_are_one_card_that_opens_the_elastic_counter() -> None:
    alerts = [line("wait", number=f"A03{n}", age_min=n, **WAIT) for n in (1, 3, 2)]
    (card,) = hall_page(view(*alerts), hall_words("zh"), "1").cards
    assert card.note == "A033 等了 33 分，承诺 30 分，另有 2 位"
    assert [(act.name, act.label, act.body) for act in card.acts] == [
        ("open-counter", "增开 6 号窗口", {"counter": 6})
    ]
    (other,) = hall_page(
        view(line("wait", number="C001", service="C", limit_ms=MIN)), hall_words("en"), "1"
    ).cards
    assert (other.title, other.acts) == ("C: waits over the promise", [])


def test_who_goes_is_told_and_what_is_left_to_do() -> None:
    def card(**how: Any) -> Any:
        return hall_page(view(line("unhappy", score_1to5=2, **how)), hall_words("en"), "1").cards[
            0
        ]

    assert [(a.name, a.primary) for a in card().acts] == [("take", True), ("settle", False)]
    assert [(a.name, a.primary) for a in card(taken_by="").acts] == [("settle", True)]
    assert card(taken_by="").taken == "Somebody is on the way"
    assert card(taken_by="m-2").taken == "m-2 is on the way"


def test_lists_and_figures() -> None:
    tickets = (
        HallTicket("t1", "A036", "A", "vip", "waiting", 26 * MIN, over=True, reissued=2),
        HallTicket("t2", "B001", "B", "own_kind", "parked", MIN, over=False, reissued=0),
        HallTicket("t3", "A037", "A", "", "called", MIN, over=False, reissued=0),
    )
    page = hall_page(view(tickets=tickets), hall_words("en"), "1")
    assert (page.waiting, page.longest, page.longest_note) == (6, "26", "Cash, longest wait")
    assert (page.open_counters, page.counters_total) == (2, 5)
    assert [(t.segment_name, t.state, t.waits, t.over) for t in page.tickets] == [
        ("VIP", "waiting · shown again 2×", True, True),
        ("own_kind", "set aside", False, False),
        ("", "called", False, False),
    ]
    assert [(c.state, c.detail, c.act.name if c.act else "") for c in page.counters] == [
        ("open", "A035", ""), ("paused", "", "close-counter"), ("open", "free", "close-counter"),
        ("closed", "", "open-counter"), ("in reserve", "", "open-counter"),
    ]  # fmt: skip
    empty = hall_page(view(services=(), counters=()), hall_words("zh"), "1")
    assert (empty.waiting, empty.longest, empty.longest_note) == (0, "", "没有人在等")


def test_both_languages_have_every_word() -> None:
    assert HALL_WORDS["zh"].texts.keys() == HALL_WORDS["en"].texts.keys()
    for words in HALL_WORDS.values():
        assert all(f"refused.{code}" in words.texts for code in REFUSED)
