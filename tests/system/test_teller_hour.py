"""A teller's hour at the page, by keyboard alone, and what the ledger has of it."""

import asyncio
import logging
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.system.teller_house import Teller, TellerHouse

pytestmark = [pytest.mark.broker, pytest.mark.browser, pytest.mark.timeout(120)]

COMMANDS = {
    "counter.opened", "counter.paused", "counter.closed", "ticket.called", "ticket.recalled",
    "ticket.missed", "ticket.parked", "ticket.unparked", "ticket.transferred", "ticket.returned",
    "ticket.rejoined", "ticket.tagged", "ticket.issued", "service.started", "service.ended",
}  # fmt: skip
"""Every event that a teller's command makes."""
log = logging.getLogger(__name__)
HANGS_S = 15.0
"""A page that is not back by then will not come back; how long it took is logged."""
"""A page is back at its ticket this soon after the server is."""


async def test_an_hour_by_keyboard_alone(tmp_path: Path) -> None:
    async with TellerHouse(tmp_path) as house:
        await house.issue("A001", "A002", "A003", "A004", "B005", "A006", "A007", ago_s=240)
        teller = await house.teller(2)
        colleague = await house.teller(3, "en")
        began_s = time.monotonic()
        await _the_usual(teller)
        await _aside_and_back(teller)
        await _sent_to_a_colleague(teller, colleague)
        await _out_of_turn(house, teller)
        await _break_and_end(teller)
        took_s = time.monotonic() - began_s
        assert not house.errors
        _count(house, teller, colleague)
        log.info("the hour took %.1f s", took_s)


async def _the_usual(teller: Teller) -> None:
    """Called and served; called twice; did not come."""
    await teller.serve("A001")
    await teller.call("A002")
    await asyncio.sleep(0.1)  # the branch's gap between two calls
    await teller.key("F2")
    await teller.reads("#facts", "已叫 2 次")
    teller.meant("ticket.recalled", "A002")
    await teller.ready()
    await teller.start()
    await teller.finish()
    await teller.call("A003")
    await teller.key("F4")
    await teller.state("free")
    teller.meant("ticket.missed", "A003")


async def _aside_and_back(teller: Teller) -> None:
    """Parked with a note, missed and back, both called again in their old places."""
    await teller.call("A004")
    await teller.start()
    await teller.key("F6", "Tab")  # minutes: until taken back
    await teller.key("ArrowDown", "ArrowDown", "ArrowDown")
    await teller.key("Enter")
    await teller.state("free")
    await teller.reads("#done", "A004 已暂存")
    teller.meant("ticket.parked", "A004", for_ms=0, note="document missing")
    await teller.key("F3")  # the only one who was missed stands there already
    await teller.key("Enter")
    await teller.reads("#done", "A003 回到队里")
    teller.meant("ticket.rejoined", "A003")
    await teller.ready()
    await teller.serve("A003")
    await teller.key("Shift+F6", "Enter")
    await teller.reads("#done", "A004 回到队里")
    teller.meant("ticket.unparked", "A004")
    await teller.ready()
    await teller.call("A004")
    assert "缺证件" in await teller.reads("#message", "2 号窗口留言")
    await teller.start()
    await teller.finish()


async def _sent_to_a_colleague(teller: Teller, colleague: Teller) -> None:
    """To a counter, with a note, and back from there; then to a service, for anyone."""
    await teller.call("B005")
    await teller.start()
    await teller.key("F7", "c", "Tab")
    await teller.types("3")  # the list of counters goes to the one that begins so
    await teller.key("Tab", "Space", "Tab")
    await teller.key("ArrowDown")
    await teller.key("Enter")
    await teller.state("free")
    sent = {"service": "C", "to_counter": 3, "back": True, "note": "has the form"}
    teller.meant("ticket.transferred", "B005", **sent)
    await colleague.call("B005")
    assert "has the form" in await colleague.reads("#message", "Note from counter 2")
    await colleague.start()
    await colleague.reads("#primary", "back to counter 2")
    await colleague.key("Enter")
    await colleague.state("free")
    colleague.meant("ticket.returned", "B005", to_counter=2)
    await teller.serve("B005")
    await teller.call("A006")
    await teller.start()
    await teller.key("F7", "b", "Enter")
    await teller.state("free")
    teller.meant("ticket.transferred", "A006", service="B", to_counter=0, back=False, note="")
    await colleague.serve("A006")


async def _out_of_turn(house: TellerHouse, teller: Teller) -> None:
    """Somebody before others, by rule or by the teller's word: the page says why."""
    await house.issue("A008", segment="elderly")
    await house.issue("A009", "A010", "A011", "A012", "B013", "B014", "A015", "A016")
    await teller.reads("#next li:first-child .mark", "优先：长者")
    await teller.call("A008", "segment")
    await teller.reads(".why", "优先客户")
    await teller.start()
    await teller.finish()
    await teller.key("F8")
    await teller.types("a010")
    await teller.key("Tab", "2", "Enter")
    await teller.state("calling")
    await teller.reads(".why", "急事")
    teller.meant("ticket.called", "A010", reason="urgent")
    await teller.start()
    await teller.finish()
    await teller.key("Shift+F7")
    await teller.types("A009")
    await teller.key("Tab", "End", "Enter")
    await teller.reads("#done", "A009 稍后再叫")
    teller.meant("ticket.parked", "A009", for_ms=0)
    await teller.ready()
    await teller.key("Shift+F8")
    await teller.types("A012")
    await teller.key("Tab", "ArrowDown", "ArrowDown", "ArrowDown", "Enter")
    await teller.reads("#done", "A012 的类别已改")
    teller.meant("ticket.tagged", "A012", segment="elderly")
    await teller.ready()
    await teller.serve("A012", "segment")
    await teller.key("F10", "b", "Enter")
    await teller.state("serving")
    teller.meant("ticket.issued", "BW001", service="B", segment="ordinary")
    await teller.key("F6", "Enter")
    await teller.state("free")
    teller.meant("ticket.parked", "BW001", for_ms=0)
    await teller.key("F8")
    await teller.types("bw001")
    await teller.key("Tab", "3", "Enter")
    await teller.state("calling")
    teller.meant("ticket.called", "BW001", reason="agreed")
    await teller.start()
    await teller.finish()


async def _break_and_end(teller: Teller) -> None:
    """A break; a call that is refused in it; the rest of the line; the end."""
    await teller.key("Shift+F2")
    await teller.state("paused")
    teller.meant("counter.paused", "")
    await teller.key("F9")
    await teller.reads("#refusal", "窗口暂停")
    await teller.key("Enter")
    await teller.state("free")
    teller.meant("counter.opened", "")
    await teller.key("?")
    await teller.reads("#ask-keys", "Shift\\+F6")
    await teller.key("Escape")
    await teller.ready()
    await teller.serve("A007")
    await teller.key("Shift+F6", "Enter")
    await teller.reads("#done", "A009 回到队里")
    teller.meant("ticket.unparked", "A009", to_counter=2)
    await teller.ready()
    for number in ("A009", "A011", "B013", "B014", "A015", "A016"):
        await teller.serve(number)
    await teller.key("F9")
    await teller.reads("#refusal", "现在没有人在等")
    await teller.ready()
    for key, state, event in (
        ("Shift+F3", "closed", "counter.closed"),
        ("Shift+F9", "free", "counter.opened"),
        ("Shift+F3", "closed", "counter.closed"),
    ):
        await teller.key(key)
        await teller.state(state)
        teller.meant(event, "")


def _count(house: TellerHouse, *tellers: Teller) -> None:
    """The ledger has what was meant, in that order, each once, and nothing else."""
    numbers, ledger = house.numbers(), house.ledger()
    for teller in tellers:
        own = [e for e in ledger if teller.counter in (e["data"]["counter"], _by_lobby(e))]
        said = [(e["type"], numbers.get(e["sub"] or "", ""), e["data"]) for e in own]
        assert [(t, n) for t, n, _ in said] == [(t, n) for t, n, _ in teller.diary]
        for (event, number, data), (_, _, fields) in zip(said, teller.diary, strict=True):
            assert {k: data[k] for k in fields} == fields, (event, number)
    assert len(ledger) == sum(len(teller.diary) for teller in tellers)
    keys = [e["data"].get("request") or e["data"]["key"] for e in ledger]
    assert len(set(keys)) == len(keys)
    assert {e["type"] for e in ledger} == COMMANDS
    for event in ledger:
        if event["type"] == "ticket.called" and numbers[event["sub"]] in house.issued:
            waited_ms = event["ts"] - house.issued[numbers[event["sub"]]]
            assert abs(event["data"]["wait_ms"] - waited_ms) <= 1000
    ended = Counter(numbers[e["sub"]] for e in ledger if e["type"] == "service.ended")
    assert ended == Counter([*house.issued, "BW001"]), "each visit ends once"
    assert len({n for event, n, _ in tellers[0].diary if event == "service.ended"}) >= 15


def _by_lobby(event: dict[str, Any]) -> int:
    """The counter that said for the lobby "call later", 0 for any other event."""
    key = event["data"].get("key", "")
    return int(key.partition(":")[0]) if event["data"]["counter"] == 0 and ":" in key else 0


async def test_a_killed_server_finds_its_teller_at_the_same_ticket(tmp_path: Path) -> None:
    async with TellerHouse(tmp_path) as house:
        await house.issue("A001", "A002")
        teller = await house.teller(2, "en")
        await teller.call("A001")
        await teller.start()
        await teller.key("F7")
        await teller.types("c")
        await house.kill()
        await teller.reads("#link", "Disconnected")
        await teller.key("Enter")
        await teller.reads("#ask-transfer [role=alert]", "Press again: it counts once")
        await house.start()
        up_s = time.monotonic()
        await teller.reads("#link", "^Connected$")
        back_s = time.monotonic() - up_s
        log.info("back %.2f s after the server", back_s)
        assert back_s < HANGS_S
        assert (await teller.number(), await teller.page.get_attribute("body", "data-state")) == (
            "A001",
            "serving",
        )
        await teller.key("Enter")  # the dialog has stayed, and what was chosen in it
        await teller.state("free")
        teller.meant("ticket.transferred", "A001", service="C")
        await teller.serve("A002")
        assert [e["type"] for e in house.ledger()] == [event for event, _, _ in teller.diary]


async def test_what_was_meant_for_one_customer_does_not_reach_the_next(tmp_path: Path) -> None:
    """Two pages of one counter: one finishes and calls while the other has a dialog open."""
    async with TellerHouse(tmp_path) as house:
        await house.issue("A001", "A002")
        first, second = await house.teller(2, "en"), await house.teller(2)
        await first.call("A001")
        await second.state("calling")
        await first.start()
        await second.state("serving")
        await first.key("F6")
        await second.finish()
        await second.call("A002")
        await first.reads(".current .number", "A002")
        await first.key("Enter")
        await first.reads("#refusal", "The counter has changed since")
        assert await first.page.locator("dialog[open]").count() == 0
        assert await first.number() == "A002"
        assert "ticket.parked" not in [e["type"] for e in house.ledger()]
        await first.ready()
        await first.start()
        assert not house.errors
