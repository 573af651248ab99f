"""Numbers from the server at the screen: 300 ms, then the kiosk's own; one touch, one ticket."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from kiosk.flow import Phase
from kiosk.view import HomeView, TicketView
from sync.messages import Ask, AskNumber, NumberGrant, TicketIssued, encode
from sync.topics import ANSWER
from tests.unit.kiosk.bench import KIOSK, Bench, until, virtual

CONFIG = msgspec.structs.replace(KIOSK, numbers="server", show_band=True)


def answer_after(bench: Bench, delay_s: float) -> None:
    """Let the server think for a while before each answer leaves it."""

    def think(node: str, ask: Ask) -> None:
        assert isinstance(ask, AskNumber)
        grant: NumberGrant = bench.branch.grants.ask(node, ask)
        asyncio.get_running_loop().call_later(
            delay_s,
            lambda: bench.branch_transport.publish(ANSWER, ANSWER.of(node=node), encode(grant)),
        )

    bench.branch.ingest.ask = think


async def online(bench: Bench) -> None:
    await bench.start()
    await until(lambda: bench.kiosk.outbox.online)


@pytest.mark.parametrize(("delay_s", "number"), [(0.299, "A0001"), (0.301, "A1001")])
def test_an_answer_in_time_and_one_that_is_late(
    tmp_path: Path, delay_s: float, number: str
) -> None:
    @virtual
    async def play() -> None:
        async with Bench(tmp_path, config=CONFIG, with_branch=True) as bench:
            await online(bench)
            answer_after(bench, delay_s)
            assert (await bench.take("A")).number == number
            await asyncio.sleep(0.1)
            answer_after(bench, 0.01)
            following = "A0002" if number == "A0001" else "A0001"
            assert (await bench.take("A")).number == following
            await bench.stop()

    play()


@virtual
async def test_a_double_touch_while_the_server_thinks_is_one_ticket(tmp_path: Path) -> None:
    async with Bench(tmp_path, config=CONFIG, with_branch=True) as bench:
        await online(bench)
        answer_after(bench, 0.2)
        bench.tap("service.A")
        bench.tap("service.A")
        await asyncio.sleep(0.1)
        assert bench.kiosk.visit.phase is Phase.ISSUING
        bench.tap("service.B")
        bench.tap("language")
        await until(lambda: bench.kiosk.visit.phase is Phase.TICKET)
        assert bench.showing(TicketView).number == "A0001"
        (event,) = bench.events("ticket.issued")
        assert isinstance(event, TicketIssued)
        assert (event.data.band, event.data.language) == (0, "en")
        await bench.stop()


@virtual
async def test_without_the_server_the_number_comes_at_once(tmp_path: Path) -> None:
    async with Bench(tmp_path, config=CONFIG, with_branch=True) as bench:
        await online(bench)
        assert (await bench.take("A")).number == "A0001"
        bench.transport.lose()
        bench.tap("service.A")
        assert bench.kiosk.visit.phase is Phase.PRINTING
        await until(lambda: bench.kiosk.visit.phase is Phase.TICKET)
        assert bench.showing(TicketView).number == "A1001"
        await bench.stop()


@virtual
async def test_a_stop_while_the_server_thinks_gives_no_ticket(tmp_path: Path) -> None:
    async with Bench(tmp_path, config=CONFIG, with_branch=True) as bench:
        await online(bench)
        answer_after(bench, 0.2)
        bench.tap("service.A")
        await asyncio.sleep(0.1)
        await bench.stop()
        await asyncio.sleep(1)
        await online(bench)
        assert not bench.events("ticket.issued")
        answer_after(bench, 0.01)
        assert (await bench.take("A")).number == "A0002", "1 is a hole that the grants explain"
        await bench.stop()


@virtual
async def test_a_tile_is_open_while_the_server_has_numbers(tmp_path: Path) -> None:
    async with Bench(tmp_path, config=CONFIG, with_branch=True) as bench:
        await online(bench)
        with bench.journal.transaction() as transaction:
            for band in (0, 1):
                transaction.keep_number("2026-11-23", "A", band, 998)
        assert (await bench.take("A")).number == "A0999"
        bench.tap("service.A")
        await until(lambda: bench.kiosk.visit.phase is not Phase.ISSUING)
        await until(lambda: bench.kiosk.visit.phase is Phase.TICKET)
        assert bench.showing(TicketView).number == "A1999"
        bench.tap("done")
        tile = bench.showing(HomeView).tiles[0]
        assert (tile.letter, tile.closed) == ("A", "closed.full")
        await bench.stop()
