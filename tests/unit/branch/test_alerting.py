"""Alerts of a real server on a real file: in time, once, over restarts and a broken channel."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from branch.alert_book import HOLD_MS
from branch.errors import NotStored
from branch.standards_config import StandardsConfig
from sync.envelope import Event
from sync.messages import DeviceData, encode
from sync.topics import EVT
from sync.transport import Message
from tests.unit.branch.bench import CONFIG, BranchBench, on_virtual_time, settle
from tests.unit.branch.hall_bench import HALL, Listener, device, hall, unhappy

SOON_S = 5.0
PRESS_S = 2.0


def now_s() -> float:
    return asyncio.get_running_loop().time()


@on_virtual_time
async def test_a_broken_standard_is_told_in_time_and_once(tmp_path: Path) -> None:
    async with hall(tmp_path) as (bench, listener):
        issued_s = now_s()
        await bench.kiosk.tickets("A001")
        await asyncio.sleep(3600)
        ((told_s, word),) = listener.words
        assert issued_s + 600 <= told_s <= issued_s + 600 + SOON_S
        assert (word.state, word.number, word.service, word.limit_ms) == (
            "raised", "A001", "A", 600_000,
        )  # fmt: skip
        called_s = now_s()
        await bench.branch.call_next(1, "k1")
        await settle()
        told_s, over = listener.words[-1]
        assert told_s <= called_s + SOON_S
        assert (over.state, over.reason, over.alert) == ("cleared", "ended", word.id)
        await bench.branch.start(1, "k2")
        await asyncio.sleep(301)
        assert listener.said[2:] == [("raised", "service")]
        await bench.branch.finish(1, "k3")
        await asyncio.sleep(3600)
        assert listener.said[2:] == [("raised", "service"), ("cleared", "service")]
        assert bench.branch.hall.view().alerts == ()


@on_virtual_time
async def test_the_branch_s_defaults_see_an_idle_counter_and_a_long_line(tmp_path: Path) -> None:
    config = msgspec.structs.replace(CONFIG, standards=StandardsConfig(max_line=2))
    async with hall(tmp_path, config) as (bench, listener):
        began_s = now_s()
        await bench.kiosk.tickets("A001", "A002", "A003")
        await settle()
        assert listener.said == [("raised", "line")]
        await asyncio.sleep(180)
        assert listener.said == [("raised", "line"), ("raised", "idle"), ("raised", "idle")]
        assert listener.words[1][0] <= began_s + 180 + SOON_S
        await bench.branch.call_next(1, "k1")
        await bench.branch.call_next(2, "k2")
        await settle()
        assert sorted(listener.said[3:]) == [
            ("cleared", "idle"), ("cleared", "idle"), ("cleared", "line")
        ]  # fmt: skip


@on_virtual_time
async def test_a_vip_in_line_is_told_within_seconds_until_the_call(tmp_path: Path) -> None:
    async with hall(tmp_path) as (bench, listener):
        issued_s = now_s()
        await bench.kiosk.tickets("A001", segment="vip")
        await bench.kiosk.tickets("A002")
        await settle()
        ((told_s, word),) = listener.words
        assert told_s <= issued_s + SOON_S
        assert (word.state, word.kind, word.number, word.service) == ("raised", "vip", "A001", "A")
        (alert,) = bench.branch.hall.view().alerts
        assert (alert.about.number, alert.by_hand) == ("A001", True)
        assert "vip" not in repr(bench.branch.board())
        await bench.branch.call_next(1, "k1")
        await settle()
        assert listener.said == [("raised", "vip"), ("cleared", "vip")]
        assert bench.branch.hall.view().alerts == ()


@on_virtual_time
async def test_an_unhappy_press_is_told_within_two_seconds(tmp_path: Path) -> None:
    async with hall(tmp_path) as (bench, listener):
        await unhappy(bench, "A001", 2)
        pressed_s = now_s()
        await settle()
        ((told_s, word),) = listener.words
        assert told_s <= pressed_s + PRESS_S
        assert (word.kind, word.counter, word.number, word.score_1to5) == ("unhappy", 1, "A001", 2)
        bench.kiosk.send()  # everything again
        await unhappy(bench, "A002", 3)
        bench.kiosk.send(encode(bench.kiosk.stream.unsolicited(1, 1)))
        bench.kiosk.send(encode(bench.kiosk.stream.rated(1, 12345, 1)))  # of no visit
        await asyncio.sleep(60)
        assert listener.said == [("raised", "unhappy")]


@on_virtual_time
async def test_recovered_closes_it_and_can_be_taken_back(tmp_path: Path) -> None:
    async with hall(tmp_path) as (bench, listener):
        await unhappy(bench, "A001")
        await settle()
        (alert,) = bench.branch.hall.view().alerts
        bench.branch.hall.take(alert.id, "k1", "m-1")
        for _ in range(2):
            bench.branch.hall.settle(alert.id, "k2", "m-1")
        await settle()
        (seen,) = bench.branch.hall.view().alerts
        assert (seen.open, seen.taken_by) == (False, "m-1")
        bench.branch.hall.settle(alert.id, "k2b", "m-2")  # somebody else was quicker
        await bench.restart()
        bench.branch.hall.settle(alert.id, "k2", "m-1")
        for _ in range(2):
            bench.branch.hall.reopen(alert.id, "k3", "m-1")
        await settle()
        assert listener.said == [
            ("raised", "unhappy"), ("cleared", "unhappy"), ("reopened", "unhappy"),
        ]  # fmt: skip
        assert [word.reason for _, word in listener.words] == ["", "recovered", ""]
        assert bench.alerts() == [
            "alert.raised", "alert.taken", "alert.cleared", "alert.reopened",
        ]  # fmt: skip
        bench.branch.hall.settle(alert.id, "k4", "m-1")
        await asyncio.sleep(24 * 3600)
        await bench.kiosk.tickets("A002")
        await settle()
        assert bench.branch.hall.view().alerts == ()


@on_virtual_time
async def test_an_unhappy_press_that_nobody_saw_to_ends_with_the_day(tmp_path: Path) -> None:
    async with hall(tmp_path) as (bench, listener):
        await unhappy(bench, "A001")
        await asyncio.sleep(24 * 3600)
        assert [(w.state, w.reason) for _, w in listener.words] == [
            ("raised", ""), ("cleared", "day_end"),
        ]  # fmt: skip
        await bench.restart()
        await asyncio.sleep(60)
        assert len(listener.words) == 2


@on_virtual_time
async def test_a_restart_says_nothing_twice(tmp_path: Path) -> None:
    async with hall(tmp_path) as (bench, listener):
        await bench.kiosk.tickets("A001")
        device(bench, "printer", "fault", "paper_out")
        await asyncio.sleep(700)
        assert sorted(listener.said) == [("raised", "device"), ("raised", "wait")]
        for _ in range(3):
            await bench.restart()
            await asyncio.sleep(30)
        assert len(listener.words) == 2
        assert {alert.about.kind for alert in bench.branch.hall.view().alerts} == {
            "wait", "device",
        }  # fmt: skip
        await bench.branch.call_next(1, "k1")
        await settle()
        assert listener.said[2:] == [("cleared", "wait")]


@on_virtual_time
async def test_what_broke_while_the_server_was_away_is_told_at_its_start(tmp_path: Path) -> None:
    async with hall(tmp_path) as (bench, listener):
        await bench.kiosk.tickets("A001")
        await bench.stop()
        await asyncio.sleep(900)
        began_s = now_s()
        await bench.start()
        await settle()
        ((told_s, word),) = listener.words
        assert told_s <= began_s + SOON_S
        assert word.ts - word.since_ms >= 290_000


@on_virtual_time
async def test_a_device_s_fault_is_one_alert_until_it_works_for_a_while(tmp_path: Path) -> None:
    async with hall(tmp_path) as (bench, listener):
        device(bench, "printer", "fault", "paper_out")
        faulty_s = now_s()
        await settle()
        ((told_s, word),) = listener.words
        assert told_s <= faulty_s + SOON_S
        assert (word.node, word.device, word.detail) == ("kiosk-1", "printer", "paper_out")
        device(bench, "printer", "ok")
        await asyncio.sleep(HOLD_MS / 1000 - 1)
        device(bench, "printer", "lost", "silent")
        await asyncio.sleep(60)
        assert len(listener.words) == 1
        device(bench, "printer", "warning", "paper_near_end")
        await asyncio.sleep(HOLD_MS / 1000 + SOON_S)
        assert listener.said == [("raised", "device"), ("cleared", "device")]


@on_virtual_time
async def test_a_kiosk_that_vanishes_and_what_it_says_of_itself(tmp_path: Path) -> None:
    async with hall(tmp_path) as (bench, listener):
        bench.kiosk.state("online")
        await settle()
        bench.kiosk.state("lost")
        lost_s = now_s()
        await asyncio.sleep(SOON_S)
        ((told_s, word),) = listener.words
        assert told_s <= lost_s + SOON_S
        assert (word.node, word.device, word.detail) == ("kiosk-1", "", "lost")
        await bench.restart()
        await asyncio.sleep(60)
        assert len(listener.words) == 1  # nothing was heard of it since
        bench.kiosk.state("online", connect=2)
        await asyncio.sleep(HOLD_MS / 1000 + SOON_S)
        assert listener.said == [("raised", "device"), ("cleared", "device")]


@on_virtual_time
async def test_the_server_s_own_alerts_are_alerts_of_the_hall(tmp_path: Path) -> None:
    async with hall(tmp_path) as (bench, listener):
        own = ["audio_lost"]
        bench.branch.own_alerts = lambda: own
        await asyncio.sleep(SOON_S)
        ((_, word),) = listener.words
        assert (word.node, word.detail) == ("branch-1", "audio_lost")
        own.clear()
        await asyncio.sleep(HOLD_MS / 1000 + SOON_S)
        assert listener.said == [("raised", "device"), ("cleared", "device")]


@on_virtual_time
async def test_who_asks_for_a_person_is_told_until_somebody_is_there(tmp_path: Path) -> None:
    async with hall(tmp_path) as (bench, listener):
        await bench.kiosk.tickets("A001", segment="priority")
        await bench.kiosk.tickets("A002", segment="priority")
        await settle()
        assert listener.said == [("raised", "help"), ("raised", "help")]
        first = min(bench.branch.hall.view().alerts, key=lambda a: a.about.number)
        bench.branch.hall.settle(first.id, "k1", "")
        await settle()
        assert listener.words[-1][1].reason == "answered"
        await bench.branch.call_next(1, "k2")  # A001: its alert is closed already
        await bench.branch.call_next(2, "k3")
        await settle()
        assert listener.said[2:] == [("cleared", "help"), ("cleared", "help")]
        assert [word.number for _, word in listener.words[2:]] == ["A001", "A002"]


@on_virtual_time
async def test_a_number_without_a_slip_is_told_once_the_printer_works(tmp_path: Path) -> None:
    async with hall(tmp_path) as (bench, listener):
        stream = bench.kiosk.stream
        device(bench, "printer", "fault", "paper_out")
        ticket = stream.issued("A001").id
        bench.kiosk.send(stream.raws[-1], encode(stream.print_failed(ticket)))
        await settle()
        assert listener.said == [("raised", "device")]
        device(bench, "printer", "ok")
        await asyncio.sleep(HOLD_MS / 1000 + SOON_S)
        assert listener.said[1:] == [("raised", "no_slip"), ("cleared", "device")]
        bench.kiosk.send(encode(stream.printed(ticket)))
        await settle()
        assert listener.said[3:] == [("cleared", "no_slip")]


@on_virtual_time
async def test_what_could_not_be_stored_is_told_when_it_can(tmp_path: Path) -> None:
    async with hall(tmp_path) as (bench, listener):
        await bench.kiosk.tickets("A001")
        await asyncio.sleep(300)
        await bench.kiosk.tickets(*(f"A{number:03}" for number in range(2, 61)))
        await asyncio.sleep(310)
        (alert,) = bench.branch.hall.view().alerts
        assert listener.said == [("raised", "wait")]
        bench.limit_disk(full=True)
        await asyncio.sleep(400)
        assert len(listener.words) < 60
        with pytest.raises(NotStored):
            take_until_full(bench, alert.id)
        bench.limit_disk(full=False)
        await asyncio.sleep(SOON_S)
        assert listener.said == [("raised", "wait")] * 60
        assert len({word.breach for _, word in listener.words}) == 60


@on_virtual_time
async def test_a_word_that_did_not_come_back_is_published_again(tmp_path: Path) -> None:
    bench = BranchBench(tmp_path, HALL)
    async with bench:
        listener = await Listener.on(bench.broker)
        await bench.transport.stop()
        await unhappy_offline(bench)
        assert listener.words == []
        await bench.transport.start()
        await settle()
        assert listener.said == [("raised", "unhappy")]
        # The server dies before it has heard that the broker has the word.
        spool = bench.branch.hall.alerting._spool
        spool._place = 0
        with bench.store.transaction() as connection:
            connection.exec_driver_sql("UPDATE about SET value = '0' WHERE name = 'alerts_mqtt'")
        await bench.restart()
        assert [word.id for _, word in listener.words] == [listener.words[0][1].id] * 2
        await bench.restart()
        assert len(listener.words) == 2
        with bench.store.transaction() as connection:
            connection.exec_driver_sql("UPDATE about SET value = '0' WHERE name = 'alerts_mqtt'")
        await bench.stop()
        await asyncio.sleep(3601)  # by now its message would have expired
        await bench.start()
        assert len(listener.words) == 2


@on_virtual_time
async def test_a_word_that_the_line_swallowed_goes_again_with_the_next_connect(
    tmp_path: Path,
) -> None:
    async with hall(tmp_path) as (bench, listener):
        alerting = bench.branch.hall.alerting
        data = DeviceData(device="printer", kind="printer", state="fault", detail="paper_out")
        accept(bench, bench.kiosk.stream.make("device.changed", data))
        bench.transport.publish = lambda *_, **__: True  # type: ignore[method-assign]
        alerting.look()  # handed over, and lost
        del bench.transport.publish
        await settle()
        assert (listener.words, alerting._spool.waiting) == ([], 1)
        await bench.transport.stop()
        await bench.transport.start()
        await settle()
        assert listener.said == [("raised", "device")]
        assert alerting._spool.waiting == 0


def take_until_full(bench: BranchBench, alert: str) -> None:
    """The last page of the file may have room for a few."""
    for number in range(60):
        bench.branch.hall.take(alert, f"k{number}", "")


async def unhappy_offline(bench: BranchBench) -> None:
    """A press that the ledger has, while the server's channel is down."""
    bench.kiosk.answers = False
    stream = bench.kiosk.stream
    ticket = stream.issued("A001")
    events = [ticket, stream.printed(ticket.id)]
    accept(bench, *events)
    await bench.branch.call_next(1, "c")
    await bench.branch.finish(1, "f")
    ((nonce,),) = bench.rows("visit", "nonce")
    accept(bench, stream.rated(1, nonce, 1))
    await settle()


def accept(bench: BranchBench, *events: Event) -> None:
    """The server takes these as if they had come over the channel."""
    payloads = [encode(event) for event in events]
    bench.branch.ingest.receive(
        [
            Message(EVT.of(node="kiosk-1"), payload, False, None, None, lambda: None)
            for payload in payloads
        ]
    )
