"""One rating a visit, and what a teller sees of the pad meanwhile."""

import asyncio
from pathlib import Path

from branch.pads import ANSWER_S
from sync.messages import encode
from tests.unit.branch.bench import BranchBench, on_virtual_time, settle


async def served(bench: BranchBench, number: str, counter: int = 1) -> int:
    """A visit until its end; returns the nonce that its pad was armed with."""
    await bench.kiosk.tickets(number)
    await bench.branch.call_next(counter, f"c-{number}")
    await bench.branch.finish(counter, f"f-{number}")
    await settle()
    (arm,) = [c for c in bench.kiosk.commands if c.key == f"arm:{counter}:f-{number}"]
    return int(arm.nonce)


def press(bench: BranchBench, counter: int, nonce: int, score: int = 5) -> None:
    bench.kiosk.send(encode(bench.kiosk.stream.rated(counter, nonce, score)))


@on_virtual_time
async def test_a_visit_has_one_rating(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        nonce = await served(bench, "A001")
        other = await served(bench, "A002", counter=2)
        assert bench.branch.counter(1).pad == "armed"
        press(bench, 1, nonce, 4)
        await settle()
        assert bench.branch.counter(1).pad == "rated"
        press(bench, 1, nonce, 1)  # a second press
        press(bench, 1, nonce + 1)  # a nonce that nobody gave
        press(bench, 1, other)  # another counter's
        press(bench, 2, other, 9)  # no such key
        bench.kiosk.send(encode(bench.kiosk.stream.unsolicited(2, 2)))
        bench.kiosk.send(encode(bench.kiosk.stream.unsolicited(2, 0)))
        await settle()
        assert bench.branch.counter(2).pad == "armed"
        press(bench, 2, other, 2)
        await settle()
        bench.kiosk.send()  # everything again
        await settle()
        kinds = bench.rows("rating ORDER BY event_id", "kind, score_1to5, ticket IS NOT NULL")
        assert kinds == [
            ("rating", 4, 1), ("repeated", 1, 0), ("unsolicited", 5, 0), ("unsolicited", 5, 0),
            ("invalid", 9, 0), ("unsolicited", 2, 0), ("invalid", 0, 0), ("rating", 2, 1),
        ]  # fmt: skip
        assert bench.rows("rating", "DISTINCT interpreter") == [("micropython 1.25",)]


@on_virtual_time
async def test_a_rating_may_come_after_a_restart(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        nonce = await served(bench, "A001")
        await bench.restart()
        press(bench, 1, nonce)
        await settle()
        assert bench.rows("rating", "kind") == [("rating",)]
        assert bench.branch.counter(1).pad == "ready"


# --- pads -----------------------------------------------------------------------------------


@on_virtual_time
async def test_a_pad_is_armed_for_a_while(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        branch = bench.branch
        assert [branch.counter(n).pad for n in (1, 2, 3)] == ["ready", "ready", "none"]
        await served(bench, "A001")
        assert branch.counter(1).pad == "armed"
        await asyncio.sleep(bench.config.rating_window_s - 0.3)
        assert branch.counter(1).pad == "armed"
        await asyncio.sleep(0.3)
        assert branch.counter(1).pad == "ready"
        # Armed again, then the next customer is called before the window is over.
        await served(bench, "A002")
        await bench.kiosk.tickets("A003")
        await branch.call_next(1, "next")
        await settle()
        assert branch.counter(1).pad == "ready"
        assert [c.key.split(":")[0] for c in bench.kiosk.commands][-2:] == ["arm", "disarm"]


@on_virtual_time
async def test_a_counter_without_a_pad_asks_for_nothing(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        await bench.kiosk.tickets("B001", "B002", service="B")
        for n in range(2):
            await bench.branch.call_next(3, f"c{n}")
            await bench.branch.finish(3, f"f{n}")
        await settle()
        assert bench.kiosk.commands == []
        assert bench.branch.counter(3).pad == "none"
        assert bench.rows("visit") == []


@on_virtual_time
async def test_a_silent_kiosk_has_lost_its_pads(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        bench.kiosk.answers = False
        nonce = await served(bench, "A001")
        assert bench.branch.counter(1).pad == "armed"
        await asyncio.sleep(ANSWER_S)
        assert bench.branch.counter(1).pad == "lost"
        press(bench, 1, nonce)  # it was armed after all
        await settle()
        assert bench.branch.counter(1).pad == "rated"
        bench.kiosk.answers = True
        await served(bench, "A002")
        assert bench.branch.counter(1).pad == "armed"
        # An answer that was under way when the server stopped is nobody's.
        bench.kiosk.answers = False
        await served(bench, "A003", counter=2)


@on_virtual_time
async def test_only_the_last_command_tells_how_the_pad_is(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        bench.kiosk.answers = False
        await served(bench, "A001")
        await bench.kiosk.tickets("A002")
        await bench.branch.call_next(1, "next")
        await settle()
        bench.kiosk.answer("disarm:1:next")
        bench.kiosk.answer("nobody's")
        await asyncio.sleep(ANSWER_S)  # the arm command was never answered
        assert bench.branch.counter(1).pad == "ready"


@on_virtual_time
async def test_a_refused_command_is_a_lost_pad(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        bench.kiosk.answers = False
        await served(bench, "A001")
        bench.kiosk.answer("arm:1:f-A001", ok=False)
        await settle()
        assert bench.branch.counter(1).pad == "lost"
        assert bench.branch.counter(2).pad == "ready"


@on_virtual_time
async def test_without_a_broker_the_pad_is_lost_and_service_goes_on(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        await bench.kiosk.tickets("A001", "A002")
        bench.transport.lose()
        assert bench.branch.health()["mqtt"] == "offline"
        await bench.branch.call_next(1, "c")
        await bench.branch.finish(1, "f")
        assert bench.branch.counter(1).pad == "lost"
        assert (await bench.branch.call_next(1, "c2")).number == "A002"
        await bench.transport.start()
        assert bench.branch.health()["mqtt"] == "online"


@on_virtual_time
async def test_pads_come_and_go_with_their_kiosk(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        bench.kiosk.state("online", connect=1)
        await settle()
        assert bench.branch.counter(1).pad == "ready"
        bench.kiosk.state("lost", connect=1)
        await settle()
        assert [bench.branch.counter(n).pad for n in (1, 2, 3)] == ["lost", "lost", "none"]
        assert bench.branch.health()["nodes"] == {"kiosk-1": "lost"}
        bench.kiosk.state("online", connect=2)
        await settle()
        assert [bench.branch.counter(n).pad for n in (1, 2, 3)] == ["ready", "ready", "none"]
        # A pad that did not answer stays lost: a heartbeat of its kiosk says nothing of it.
        bench.kiosk.answers = False
        await served(bench, "A001")
        await asyncio.sleep(ANSWER_S)
        bench.kiosk.state("online", connect=2)
        await settle()
        assert bench.branch.counter(1).pad == "lost"
