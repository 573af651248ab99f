"""The kiosk and its branch: figures, a cut broker, ratings from the pad to the database."""

import asyncio
import sqlite3
from pathlib import Path

from kiosk.figures import STALE_MS
from kiosk.view import HomeView, TicketView, Wait
from sync.messages import DeviceChanged, QueueState, RatingSubmitted, RatingUnsolicited, encode
from sync.topics import QUEUE
from tests.unit.kiosk.bench import Bench, until, virtual

SUBMITTED, UNSOLICITED = "rating.submitted", "rating.unsolicited"


def waits(bench: Bench) -> dict[str, Wait]:
    return {tile.letter: tile.wait for tile in bench.showing(HomeView).tiles}


def ratings(bench: Bench) -> list[tuple[str, int, str | None]]:
    """(kind, score, ticket) as the branch's database has them."""
    with sqlite3.connect(bench.folder / "branch.db") as db:
        rows = db.execute("SELECT kind, score_1to5, ticket FROM rating ORDER BY at").fetchall()
    db.close()
    return rows


async def serve(bench: Bench, key: str, counter: int = 1) -> str:
    """Call, serve and finish the next ticket; returns its id."""
    await bench.branch.call_next(counter, f"call-{key}")
    ticket = bench.branch.engine.counters[counter].ticket
    assert ticket is not None
    await bench.branch.finish(counter, f"finish-{key}")
    return ticket.id


# --- figures -------------------------------------------------------------------------------


@virtual
async def test_figures_are_shown_until_they_are_old_or_the_line_is_cut(tmp_path: Path) -> None:
    async with Bench(tmp_path, with_branch=True) as bench:
        await bench.start()
        await until(lambda: waits(bench)["A"] != Wait())
        assert bench.showing(HomeView).online
        assert waits(bench)["A"] == Wait(0, 0, 0)
        for _ in range(3):
            await bench.take("A")
        await asyncio.sleep(1)
        assert waits(bench)["A"].ahead == 3
        assert waits(bench)["B"].ahead == 0
        bench.tap("service.A")
        await until(lambda: isinstance(bench.view, TicketView))
        ticket = bench.showing(TicketView)
        assert ticket.wait.ahead == 3
        await until(lambda: bench.kiosk.visit.phase.value == "ticket")
        assert any("3 人" in line for line in bench.paper.slips[-1].lines)
        bench.tap("done")

        bench.transport.lose()
        assert waits(bench) == {"A": Wait(), "B": Wait(), "P": Wait()}
        assert not bench.showing(HomeView).online
        await bench.take("A")
        assert any("未知" in line for line in bench.paper.slips[-1].lines)
        await bench.transport.start()
        await until(lambda: waits(bench)["A"].ahead == 5)
        await bench.stop()


@virtual
async def test_a_server_that_says_nothing_more_is_not_believed(tmp_path: Path) -> None:
    async with Bench(tmp_path, with_branch=True) as bench:
        await bench.start()
        await bench.take("A")
        await until(lambda: waits(bench)["A"].ahead == 1)
        await bench.branch._publishing.stop()
        await asyncio.sleep(STALE_MS / 1000 - 1)
        assert waits(bench)["A"].ahead == 1
        await asyncio.sleep(2)
        assert waits(bench)["A"] == Wait(), "noticed at once, not at the next touch"
        await bench.stop()


@virtual
async def test_a_service_closes_with_the_branch_s_word_and_opens_without_it(
    tmp_path: Path,
) -> None:
    def closed(bench: Bench) -> dict[str, str]:
        return {tile.letter: tile.closed for tile in bench.showing(HomeView).tiles}

    letters = ("closing", "A"), ("closed", "P")
    async with Bench(tmp_path, with_branch=True) as bench:
        await bench.start()
        await until(lambda: waits(bench)["A"] != Wait())
        await bench.branch._publishing.stop()
        for joining, letter in letters:
            state = QueueState(service=letter, waiting=3, ts=0, joining=joining)  # type: ignore[arg-type]
            topic = QUEUE.of(service=letter)
            bench.branch_transport.publish(QUEUE, topic, encode(state))
        await until(lambda: closed(bench)["A"])
        assert closed(bench) == {"A": "closed.closing", "B": "", "P": ""}
        assert waits(bench)["A"].ahead == 3, "its line is as long as it is"
        bench.tap("service.A")
        assert bench.kiosk.visit.phase.value == "home", "a finger on its way gets no ticket"
        assert (await bench.take("P")).number == "P001"

        await asyncio.sleep(STALE_MS / 1000 + 1)
        assert waits(bench)["A"] == Wait()
        assert closed(bench)["A"] == "", "an old word closes nothing"
        await bench.stop()


@virtual
async def test_without_the_branch_every_service_gives_tickets(tmp_path: Path) -> None:
    async with Bench(tmp_path, with_branch=True) as bench:
        await bench.start()
        await until(lambda: waits(bench)["A"] != Wait())
        state = QueueState(service="A", waiting=0, ts=0, joining="full")
        bench.branch_transport.publish(QUEUE, QUEUE.of(service="A"), encode(state))
        await until(lambda: bench.showing(HomeView).tiles[0].closed == "closed.full")
        bench.transport.lose()
        assert bench.showing(HomeView).tiles[0].closed == ""
        assert (await bench.take("A")).number.startswith("A")
        await bench.stop()


@virtual
async def test_the_clock_on_the_screen_is_right_on_the_minute(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        await bench.start()
        drawn = len(bench.views)
        await asyncio.sleep(3.5 * 60)
        clocks = [v.header.clock for v in bench.views[drawn:]]
        assert clocks == ["09:01", "09:02", "09:03"]
        await bench.stop()


# --- the line ------------------------------------------------------------------------------


@virtual
async def test_a_cut_line_delays_and_doubles_nothing(tmp_path: Path) -> None:
    async with Bench(tmp_path, with_branch=True) as bench:
        await bench.start()
        numbers = [(await bench.take("A")).number]
        for _ in range(3):
            bench.transport.lose()
            numbers += [(await bench.take(letter)).number for letter in "AB"]
            await asyncio.sleep(100)
            await bench.transport.start()
            await until(lambda: not bench.kiosk.outbox.unacknowledged)
        tickets = bench.branch.engine.tickets
        assert sorted(t.number for t in tickets.values()) == sorted(numbers)
        assert len(numbers) == len(set(numbers)) == 7
        with sqlite3.connect(tmp_path / "branch.db") as db:
            stored = {row[0] for row in db.execute("SELECT id FROM event WHERE node = 'kiosk-1'")}
        db.close()
        assert stored == {event.id for event in bench.events()}
        await bench.stop()


@virtual
async def test_what_was_issued_alone_arrives_after_a_restart(tmp_path: Path) -> None:
    async with Bench(tmp_path, with_branch=True) as bench:
        await bench.branch_transport.stop()
        await bench.start()
        for _ in range(3):
            await bench.take("A")
        await bench.stop()
        await bench.start()
        await bench.branch_transport.start()
        await bench.take("A")
        await until(lambda: not bench.kiosk.outbox.unacknowledged)
        assert bench.branch.engine.waiting(["A"]) == 4
        await bench.stop()


# --- ratings -------------------------------------------------------------------------------


@virtual
async def test_one_press_for_one_visit(tmp_path: Path) -> None:
    async with Bench(tmp_path, with_branch=True, pads=(1,)) as bench:
        await bench.pads[1].start()
        await bench.start()
        await bench.take("A")
        await until(lambda: bench.branch.engine.waiting(["A"]) == 1)
        ticket = await serve(bench, "1")
        await until(lambda: any(bench.pads[1].leds()))
        await asyncio.sleep(3)
        await bench.pads[1].press(4)
        await until(lambda: ratings(bench) == [("rating", 4, ticket)])
        (event,) = bench.events(SUBMITTED)
        assert isinstance(event, RatingSubmitted)
        assert event.sub == ticket
        assert 2_800 <= event.data.delay_ms <= 3_500
        assert event.data.pad.interpreter.startswith("cpython")
        await asyncio.sleep(60)
        assert bench.pads[1].core.kept == 0, "the pad was told, and has forgotten it"
        await bench.pads[1].press(1)  # somebody leans on it
        await until(lambda: len(ratings(bench)) == 2)
        assert ratings(bench)[1] == ("unsolicited", 1, None)
        assert isinstance(bench.events(UNSOLICITED)[0], RatingUnsolicited)
        await bench.stop()


@virtual
async def test_a_press_from_before_a_restart_still_finds_its_visit(tmp_path: Path) -> None:
    """The kiosk has forgotten the nonce; the server has not."""
    async with Bench(tmp_path, with_branch=True, pads=(1,)) as bench:
        await bench.pads[1].start()
        await bench.start()
        await bench.take("A")
        await until(lambda: bench.branch.engine.waiting(["A"]) == 1)
        ticket = await serve(bench, "1")
        await until(lambda: any(bench.pads[1].leds()))
        await bench.kill()
        await bench.pads[1].press(5)
        await bench.start()
        await until(lambda: ratings(bench) == [("rating", 5, ticket)])
        (event,) = bench.events(SUBMITTED)
        assert isinstance(event, RatingSubmitted)
        assert (event.sub, event.data.delay_ms) == (None, 0)
        await bench.stop()


@virtual
async def test_a_press_on_a_full_disk_is_kept_by_the_pad(tmp_path: Path) -> None:
    async with Bench(tmp_path, with_branch=True, pads=(1,)) as bench:
        await bench.pads[1].start()
        await bench.start()
        await bench.take("A")
        await until(lambda: bench.branch.engine.waiting(["A"]) == 1)
        ticket = await serve(bench, "1")
        await until(lambda: any(bench.pads[1].leds()))
        bench.refuse_writes()
        await asyncio.sleep(2)
        await bench.pads[1].press(2)
        await asyncio.sleep(300)
        assert bench.story(SUBMITTED) == []
        assert bench.pads[1].core.kept == 1
        bench.refuse_writes(False)
        await until(lambda: ratings(bench) == [("rating", 2, ticket)])
        await until(lambda: bench.pads[1].core.kept == 0)
        (event,) = bench.events(SUBMITTED)
        assert isinstance(event, RatingSubmitted)
        assert 1_800 <= event.data.delay_ms <= 2_500, "when it was pressed, not when it was kept"
        await bench.stop()


@virtual
async def test_a_pad_missing_at_the_start_is_found(tmp_path: Path) -> None:
    async with Bench(tmp_path, with_branch=True, pads=(1, 2)) as bench:
        await bench.pads[1].start()
        await bench.pads[1].stop()  # unplugged: its port is gone
        await bench.pads[2].start()
        await bench.start()
        await bench.take("A")
        await until(lambda: bench.branch.engine.waiting(["A"]) == 1)
        await serve(bench, "1")
        await asyncio.sleep(10)
        assert bench.branch.counter(1).pad == "lost", "the teller sees it"
        await bench.pads[1].start()
        await asyncio.sleep(5)
        await bench.take("A")
        await until(lambda: bench.branch.engine.waiting(["A"]) == 1)
        ticket = await serve(bench, "2")
        await until(lambda: any(bench.pads[1].leds()))
        await bench.pads[1].press(3)
        await until(lambda: ratings(bench) == [("rating", 3, ticket)])
        told = [
            (e.data.device, e.data.state)
            for e in bench.events()
            if isinstance(e, DeviceChanged) and e.data.kind == "pad"
        ]
        assert [row for row in told if row[0] == "pad-1"] == [("pad-1", "lost"), ("pad-1", "ok")]
        assert [row for row in told if row[0] == "pad-2"] == [("pad-2", "ok")]
        await bench.pads[1].stop()
        await asyncio.sleep(5)
        newest = bench.events("device.changed")[-1]
        assert isinstance(newest, DeviceChanged)
        assert (newest.data.device, newest.data.state) == ("pad-1", "lost")
        await bench.stop()
