"""The lobby manager's desk and its API: every action once, under its key, as a real event."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from branch.commands import PauseCounter
from branch.hall import KEYS, SHOWN, _keep
from branch.view import CommandRefused
from branch.web.app import create_app
from branch.web.hall_routes import by
from tests.unit.branch.bench import BranchBench, on_virtual_time, settle
from tests.unit.branch.hall_bench import HALL, hall


def refused(code: str) -> Any:
    return pytest.raises(CommandRefused, check=lambda error: error.code == code)


@on_virtual_time
async def test_the_hall_at_a_glance(tmp_path: Path) -> None:
    async with hall(tmp_path) as (bench, _):
        await bench.kiosk.tickets("A001", "A002", "A003")
        await bench.kiosk.tickets("B001", service="B", segment="elderly")
        await bench.branch.call_next(2, "k1")
        await asyncio.sleep(660)
        view = bench.branch.hall.view()
        assert [(t.number, t.segment, t.phase, t.over) for t in view.tickets] == [
            ("A002", "", "waiting", True), ("A003", "", "waiting", True),
            ("B001", "elderly", "waiting", True), ("A001", "", "called", False),
        ]  # fmt: skip
        assert view.tickets[0].waited_ms == pytest.approx(663_000, abs=1000)
        assert [(c.counter, c.window, c.number) for c in view.counters] == [
            (1, "open", ""), (2, "open", "A001"), (3, "open", ""), (5, "elastic", ""),
        ]  # fmt: skip
        assert [(s.letter, s.waiting, s.longest_ms // 60_000) for s in view.services] == [
            ("A", 2, 11), ("B", 1, 11),
        ]  # fmt: skip
        assert [line.about.number for line in view.alerts] == ["A002", "A003", "B001"]


@on_virtual_time
async def test_an_elastic_counter_is_opened_and_closed_from_the_hall(tmp_path: Path) -> None:
    async with hall(tmp_path) as (bench, _):
        desk = bench.branch.hall
        for _ in range(2):
            desk.open_counter(5, "k1", "m-1")
        assert bench.branch.counter(5).window == "open"
        desk.open_counter(1, "k0", "m-1")  # it is open
        await bench.branch.perform(1, PauseCounter(), "p1")
        with refused("paused"):
            desk.open_counter(1, "k0", "m-1")
        await bench.kiosk.tickets("A001")
        await bench.branch.call_next(5, "k2")
        with refused("busy"):
            desk.close_counter(5, "k3", "m-1")
        await bench.branch.miss(5, "k4")
        for _ in range(2):
            desk.close_counter(5, "k5", "m-1")
        desk.open_counter(5, "k1", "m-1")  # the first request, late
        assert bench.branch.counter(5).window == "elastic"
        with pytest.raises(KeyError):
            desk.open_counter(9, "k6", "")
        assert bench.ledger().count("counter.opened") == 1


@on_virtual_time
async def test_a_tag_and_its_undo(tmp_path: Path) -> None:
    async with hall(tmp_path) as (bench, _):
        await bench.kiosk.tickets("A001", "A002")
        desk = bench.branch.hall
        for _ in range(2):
            desk.tag("A002", "vip", "k1")
        assert [t.segment for t in desk.view().tickets] == ["", "vip"]
        desk.tag("A002", "ordinary", "k2")
        desk.tag("A002", "vip", "k1")  # the first request, late
        assert [t.segment for t in desk.view().tickets] == ["", "ordinary"]
        with refused("unknown_segment"):
            desk.tag("A002", "royal", "k3")
        with refused("unknown_ticket"):
            desk.tag("A099", "vip", "k3")


@on_virtual_time
async def test_a_ticket_for_somebody_without_the_kiosk(tmp_path: Path) -> None:
    async with hall(tmp_path) as (bench, listener):
        await bench.kiosk.tickets("A001")
        desk = bench.branch.hall
        shown = [desk.issue("A", "ordinary", "k1", "m-1") for _ in range(2)]
        assert [(s.number, s.ahead) for s in shown] == [("AW001", 1), ("AW001", 1)]
        await bench.restart()
        desk = bench.branch.hall
        assert desk.issue("A", "ordinary", "k1", "m-1").ticket == shown[0].ticket
        assert desk.issue("A", "corporate", "k2", "m-1").number == "AW002"
        assert desk.issue("B", "ordinary", "k3", "m-1").number == "BW001"
        assert bench.rows("ticket WHERE node = 'branch-1'", "number, paper, segment") == [
            ("AW001", "not_printed", "ordinary"), ("AW002", "not_printed", "corporate"),
            ("BW001", "not_printed", "ordinary"),
        ]  # fmt: skip
        called = [(await bench.branch.call_next(c, f"c{c}")).number for c in (1, 2, 3)]
        assert called == ["A001", "AW001", "BW001"]
        assert listener.words == []  # that it has no slip is no fault
        for wrong, code in (
            (("Z", "ordinary"), "unknown_service"), (("A", "royal"), "unknown_segment"),
        ):  # fmt: skip
            with refused(code):
                desk.issue(*wrong, "k4", "")


@on_virtual_time
async def test_a_ticket_cut_off_before_it_was_shown_is_shown_by_the_repeat(tmp_path: Path) -> None:
    """Killed between its two events: nobody is called by it until the phone has it."""
    async with hall(tmp_path) as (bench, _):
        desk = bench.branch.hall
        record = desk._record

        def dies(event_type: str, data: Any, ticket: Any = None) -> None:
            if event_type == "ticket.print_failed":
                raise KeyboardInterrupt
            record(event_type, data, ticket)

        desk._record = dies
        with pytest.raises(KeyboardInterrupt):
            desk.issue("A", "ordinary", "k1", "")
        await bench.restart()
        with refused("nobody_waiting"):
            await bench.branch.call_next(1, "c1")
        assert bench.branch.hall.issue("A", "ordinary", "k1", "").number == "AW001"
        assert (await bench.branch.call_next(1, "c2")).number == "AW001"
        assert bench.ledger()[:2] == ["ticket.issued", "ticket.print_failed"]
        assert SHOWN in str(bench.rows("event WHERE type = 'ticket.print_failed'", "raw"))


@on_virtual_time
async def test_the_numbers_of_a_day_end(tmp_path: Path) -> None:
    async with hall(tmp_path) as (bench, _):
        desk = bench.branch.hall
        desk._last_walk_in = lambda _service: (999, "2025-10-09")
        with refused("no_number"):
            desk.issue("A", "ordinary", "k1", "")


@on_virtual_time
async def test_a_lost_slip_is_the_same_number_again(tmp_path: Path) -> None:
    async with hall(tmp_path) as (bench, _):
        await bench.kiosk.tickets("A001", "A002", "A003")
        desk = bench.branch.hall
        again = [desk.reissue("A002", "k1", "m-1") for _ in range(2)]
        assert [(s.number, s.ahead, s.reissued) for s in again] == [("A002", 1, 1)] * 2
        assert desk.reissue("A002", "k2", "m-1").reissued == 2
        await bench.restart()
        desk = bench.branch.hall
        assert desk.reissue("A002", "k1", "m-1").reissued == 2
        assert [t.reissued for t in desk.view().tickets] == [0, 2, 0]
        assert bench.ledger() == ["ticket.reissued"] * 2
        await bench.branch.call_next(1, "c1")
        await bench.branch.finish(1, "c2")
        with refused("wrong_phase"):
            desk.reissue("A001", "k3", "")
        with refused("unknown_ticket"):
            desk.reissue("A077", "k3", "")


@on_virtual_time
async def test_words_that_come_too_late(tmp_path: Path) -> None:
    async with hall(tmp_path) as (bench, _):
        await bench.kiosk.tickets("A001")
        await asyncio.sleep(610)
        desk = bench.branch.hall
        (alert,) = desk.view().alerts
        with refused("not_by_hand"):
            desk.settle(alert.id, "k1", "")
        await bench.branch.call_next(1, "c1")
        await settle()
        for say in (desk.settle, desk.take, desk.reopen):
            with refused("unknown_alert"):
                say(alert.id, "k2", "")


def test_the_newest_are_kept() -> None:
    kept: dict[str, int] = {}
    for number in range(KEYS + 3):
        _keep(kept, str(number), number)
    _keep(kept, "5", 5)
    assert len(kept) == KEYS
    assert list(kept)[-1] == "5"
    assert "2" not in kept


def test_who_asks_is_what_the_sign_in_noted() -> None:
    def request(**state: Any) -> Any:
        return SimpleNamespace(scope={"state": state})

    assert by(request()) == ""
    assert by(request(person=SimpleNamespace(account="m-7"))) == "m-7"


# --- over HTTP ----------------------------------------------------------------------------------


async def test_the_hall_over_http(tmp_path: Path) -> None:
    bench = BranchBench(tmp_path, HALL)
    async with bench:
        app = create_app(bench.branch, version="1", hall=bench.branch.hall)
        async with AsyncTestClient[Litestar](app) as client:
            await speak(bench, client)


async def speak(bench: BranchBench, client: AsyncTestClient[Litestar]) -> None:
    stream = bench.kiosk.stream
    stream.printed(stream.issued("A001").id)
    bench.kiosk.send(*stream.raws)
    await settle()

    async def post(action: str, key: str, body: Any) -> Any:
        return await client.post(
            f"/api/hall/{action}", json=body, headers={"Idempotency-Key": key}
        )

    for action, body in (
        ("tag", {"number": "A001", "segment": "vip"}),
        ("open-counter", {"counter": 5}),
        ("close-counter", {"counter": 5}),
        ("reissue", {"number": "A001"}),
        ("issue", {"service": "B"}),
    ):
        for _ in range(2):
            answer = await post(action, f"k-{action}", body)
            assert answer.status_code == 200, (action, answer.text)
    assert answer.json()["number"] == "BW001"
    view = (await client.get("/api/hall")).json()
    assert [(t["number"], t["segment"]) for t in view["tickets"]] == [
        ("A001", "vip"), ("BW001", "ordinary"),
    ]  # fmt: skip
    for action, body, status, code in (
        ("settle", {"alert": "x"}, 409, "unknown_alert"),
        ("take", {"alert": ""}, 400, "bad_request"),
        ("reopen", {}, 400, "bad_request"),
        ("open-counter", {"counter": 77}, 404, "unknown_counter"),
        ("tag", {"number": "A001", "segment": "royal"}, 409, "unknown_segment"),
        ("issue", {"service": "cash"}, 400, "bad_request"),
        ("issue", {"service": "A", "name": "x"}, 400, "bad_request"),
    ):
        answer = await post(action, "k-wrong", body)
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    missing = await client.post("/api/hall/reissue", json={"number": "A001"})
    assert (missing.status_code, missing.json()["code"]) == (400, "idempotency_key")
    described = (await client.get("/schema/openapi.json")).json()["paths"]
    assert {path for path in described if "hall" in path} == {
        "/api/hall", "/events/hall", "/api/hall/complaints",
        *(f"/api/hall/{name}" for name in (
            "take", "settle", "reopen", "open-counter", "close-counter", "tag", "issue", "reissue",
                "complaint-take", "complaint-answer",
                "complaint-reopen",
        )),
    }  # fmt: skip
    page = await client.get("/hall?lang=en")
    assert "Example branch, lobby" in page.text
    await unhappy_now(bench)
    (alert,) = (await client.get("/api/hall")).json()["alerts"]
    assert (await post("take", "k7", {"alert": alert["id"]})).json()["alerts"][0]["taken"]
    assert not (await post("settle", "k8", {"alert": alert["id"]})).json()["alerts"][0]["open"]
    assert (await post("reopen", "k9", {"alert": alert["id"]})).json()["alerts"][0]["open"]


async def unhappy_now(bench: BranchBench) -> None:
    await bench.branch.call_next(1, "c1")
    await bench.branch.finish(1, "f1")
    await settle()
    (arm,) = [c for c in bench.kiosk.commands if c.key == "arm:1:f1"]
    bench.kiosk.stream.rated(1, arm.nonce, 1)
    bench.kiosk.send(bench.kiosk.stream.raws[-1])
    await settle()


async def test_without_a_hall_there_is_no_page(tmp_path: Path) -> None:
    bench = BranchBench(tmp_path)
    async with bench, AsyncTestClient(create_app(bench.branch, version="1")) as client:
        assert (await client.get("/hall")).status_code == 404
