"""Five keys of a teller's pad: one effect each, none for a late one, the truth for every other."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from branch.commands import OpenCounter, PauseCounter
from branch.queue import ImpossibleEvent
from branch.teller_keys import GUARD_MS, KEY_LENGTH, REMEMBERED
from branch.view import CommandRefused, CounterState
from sync.messages import NotOpenData, OpenedData
from sync.pad_messages import KEY_LIFE_MS, TellerAction
from tests.unit.branch.bench import BranchBench, on_virtual_time, settle
from tests.unit.branch.events import Stream
from tests.unit.branch.tellers import WITH_CALLERS, Tellers

CALLED, STARTED, ENDED = "ticket.called", "service.started", "service.ended"
ACTIONS: tuple[TellerAction, ...] = ("next", "recall", "no_show", "finish", "pause")


@on_virtual_time
async def test_a_visit_by_keys(tmp_path: Path) -> None:
    async with BranchBench(tmp_path, WITH_CALLERS) as bench, Tellers(bench) as tellers:
        await bench.kiosk.tickets("A001", "A002", "A003", "A004")
        visit: tuple[TellerAction, ...] = ("next", "recall", "next", "finish", "next", "no_show")
        for action in visit:
            await asyncio.sleep(20)  # nobody is called again sooner
            assert await tellers.press(action) == "ok"
        assert bench.ledger() == [
            CALLED, "ticket.recalled", STARTED, ENDED, CALLED, "ticket.missed",
        ]  # fmt: skip
        assert [c.ticket for c in bench.kiosk.commands if c.__struct_config__.tag == "pad.arm"]
        for _ in range(3):
            assert await tellers.press("next") == "ok"
        assert bench.ledger()[6:] == [CALLED, STARTED, ENDED, CALLED], "ends and calls on"
        assert bench.branch.counter(1).number == "A004"
        for _ in range(2):
            assert await tellers.press("next") == "ok"
        assert bench.ledger()[10:] == [STARTED, ENDED], "done, though nobody is left to call"
        assert await tellers.press("next") == "nobody_waiting"


@on_virtual_time
async def test_what_the_state_does_not_allow(tmp_path: Path) -> None:
    async with BranchBench(tmp_path, WITH_CALLERS) as bench, Tellers(bench) as tellers:
        no_ticket = {"recall": "no_ticket", "no_show": "no_ticket", "finish": "no_ticket"}
        for action, reason in {"next": "nobody_waiting", **no_ticket}.items():
            assert await tellers.press(action) == reason  # type: ignore[arg-type]
        await bench.kiosk.tickets("A001")
        await tellers.press("pause")
        for action, reason in {"next": "paused", **no_ticket}.items():
            assert await tellers.press(action) == reason  # type: ignore[arg-type]
        await tellers.press("pause")
        await tellers.press("next")
        await tellers.press("next")
        assert await tellers.press("recall") == "already_serving"
        assert await tellers.press("no_show") == "already_serving"
        assert bench.ledger() == ["counter.paused", "counter.opened", CALLED, STARTED]


@on_virtual_time
async def test_a_second_next_at_once_is_an_impatient_finger(tmp_path: Path) -> None:
    async with BranchBench(tmp_path, WITH_CALLERS) as bench, Tellers(bench) as tellers:
        await bench.kiosk.tickets("A001", "A002")
        for _ in range(2):
            assert await tellers.press("next") == "ok"
            assert await tellers.told(tellers.key("next")) == "too_soon"
        assert bench.ledger() == [CALLED, STARTED]
        assert GUARD_MS == 400


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("restarts", [False, True])
def test_a_key_that_comes_again_is_carried_out_once(
    tmp_path: Path, action: TellerAction, restarts: bool
) -> None:
    @on_virtual_time
    async def play() -> None:
        async with BranchBench(tmp_path, WITH_CALLERS) as bench, Tellers(bench) as tellers:
            await bench.kiosk.tickets("A001", "A002", "A003")
            if action not in ("next", "pause"):
                await tellers.press("next")
            await asyncio.sleep(20)
            key = tellers.key(action)
            assert await tellers.told(key) == "ok"
            ledger = bench.ledger()
            await asyncio.sleep(1)
            if restarts:
                await bench.restart()
            for age_ms in (1_030, KEY_LIFE_MS + 1):
                later = msgspec.structs.replace(key, age_ms=age_ms, mono_ms=tellers.mono_ms)
                assert await tellers.told(later) == "ok", "it was done, in time"
            assert bench.ledger() == ledger

    play()


@on_virtual_time
async def test_the_server_dies_between_the_two_commands_of_one_key(tmp_path: Path) -> None:
    async with BranchBench(tmp_path, WITH_CALLERS) as bench, Tellers(bench) as tellers:
        await bench.kiosk.tickets("A001", "A002", "A003")
        await tellers.press("next")
        await tellers.press("next")
        await asyncio.sleep(1)
        key = tellers.key("next")
        await bench.branch.finish(1, key.key)
        await bench.restart()
        assert await tellers.told(key) == "ok"
        assert await tellers.told(key) == "ok"
        assert bench.ledger() == [CALLED, STARTED, ENDED, CALLED]
        assert bench.branch.counter(1).number == "A002"


@on_virtual_time
async def test_the_second_command_of_a_key_is_overtaken_by_the_page(tmp_path: Path) -> None:
    async with BranchBench(tmp_path, WITH_CALLERS) as bench, Tellers(bench) as tellers:
        await bench.kiosk.tickets("A001", "A002", "A003")
        await tellers.press("next")
        key = tellers.key("next")
        await bench.branch.finish(1, key.key)
        await bench.branch.call_next(1, "page")
        assert await tellers.told(key) == "ok"
        assert bench.ledger() == [CALLED, ENDED, CALLED]


@on_virtual_time
async def test_what_was_refused_stays_refused(tmp_path: Path) -> None:
    """A broker may deliver twice: the teller was told "nobody", nobody is called behind that."""
    async with BranchBench(tmp_path, WITH_CALLERS) as bench, Tellers(bench) as tellers:
        key = tellers.key("next")
        assert await tellers.told(key) == "nobody_waiting"
        await bench.kiosk.tickets("A001")
        assert await tellers.told(key) == "nobody_waiting"
        for _ in range(REMEMBERED):
            tellers.send(tellers.key("recall"))
        await settle()
        assert await tellers.told(key) == "ok", "only so many are remembered"


@on_virtual_time
async def test_a_late_key_calls_nobody(tmp_path: Path) -> None:
    async with BranchBench(tmp_path, WITH_CALLERS) as bench, Tellers(bench) as tellers:
        await bench.kiosk.tickets("A001")
        assert await tellers.press("next", age_ms=KEY_LIFE_MS + 1) == "expired"
        assert bench.ledger() == []
        assert await tellers.press("next", age_ms=KEY_LIFE_MS) == "ok"


@on_virtual_time
async def test_a_line_that_stood_still_is_seen_by_the_branch_s_own_time(tmp_path: Path) -> None:
    """The kiosk said 30 ms when it sent the key; it lay on the way for 5 s."""
    async with BranchBench(tmp_path, WITH_CALLERS) as bench, Tellers(bench) as tellers:
        await bench.kiosk.tickets("A001")
        held_up = tellers.mono_ms - 5_000
        assert await tellers.press("recall", mono_ms=held_up) == "no_ticket", "an unknown boot"
        tellers.hello()
        await settle()
        assert await tellers.press("next", mono_ms=held_up) == "expired"
        assert bench.ledger() == []
        assert await tellers.press("next") == "ok"
        await asyncio.sleep(10)
        boot, mono_ms = bench.clock.boot, bench.clock.mono_ms() - 6_000
        said = await tellers.press("recall", boot=boot, mono_ms=mono_ms)
        assert said == "expired", "a kiosk on the server's machine"


@on_virtual_time
async def test_two_tellers_at_the_same_instant(tmp_path: Path) -> None:
    async with BranchBench(tmp_path, WITH_CALLERS) as bench, Tellers(bench) as tellers:
        await bench.kiosk.tickets("A001", "A002")
        keys = [tellers.key("next", counter) for counter in (1, 2)]
        for key in keys:
            tellers.send(key)
        await settle()
        assert [answer.ok for answer in tellers.answers] == [True, True]
        assert {bench.branch.counter(c).number for c in (1, 2)} == {"A001", "A002"}


@on_virtual_time
async def test_only_the_kiosk_that_has_the_pad_may_press(tmp_path: Path) -> None:
    async with BranchBench(tmp_path, WITH_CALLERS) as bench, Tellers(bench) as tellers:
        await bench.kiosk.tickets("A001")
        assert await tellers.press("next", 3) == "not_here", "the counter has no such pad"
        assert await tellers.press("next", 9) == "not_here", "there is no such counter"
        async with Tellers(bench, "kiosk-2") as others:
            assert await others.press("next") == "not_here"
        for name in ("", "x" * (KEY_LENGTH + 1)):
            tellers.send(tellers.key("next", key=name))
        await settle()
        assert (bench.ledger(), bench.branch.ingest.counters.bad_messages) == ([], 2)


@on_virtual_time
async def test_a_full_disk_is_told_and_changes_nothing(tmp_path: Path) -> None:
    async with BranchBench(tmp_path, WITH_CALLERS) as bench, Tellers(bench) as tellers:
        await bench.kiosk.tickets("A001")
        await tellers.press("next")
        bench.limit_disk(full=True)
        reason = "ok"
        while reason == "ok":  # the last page has room for a few
            ledger = bench.ledger()
            reason = await tellers.press("pause")
        assert (reason, bench.ledger()) == ("not_stored", ledger)
        assert await tellers.press("finish") == "not_stored"
        bench.limit_disk(full=False)
        assert await tellers.press("finish") == "ok"
        assert bench.ledger() == [*ledger, ENDED]


@on_virtual_time
async def test_a_paused_counter_calls_nobody_and_finishes_its_customer(tmp_path: Path) -> None:
    async with BranchBench(tmp_path, WITH_CALLERS) as bench, Tellers(bench) as tellers:
        await bench.kiosk.tickets("A001", "A002")
        await tellers.press("next")
        await asyncio.sleep(10)
        assert await tellers.press("pause") == "ok"
        view = bench.branch.counter(1)
        assert (view.state, view.since_ms > 10_000) == (CounterState.CALLING, True)
        await tellers.press("next")
        assert await tellers.press("next") == "ok", "ends, and calls nobody"
        assert bench.ledger() == [CALLED, "counter.paused", STARTED, ENDED]
        await bench.restart()
        assert bench.branch.counter(1).state is CounterState.PAUSED
        with pytest.raises(CommandRefused, match="paused"):
            await bench.branch.call_next(1, "page")
        await asyncio.sleep(7)
        assert (await bench.branch.perform(1, OpenCounter(), "o")).state is CounterState.FREE
        for _ in range(2):
            assert (await bench.branch.perform(1, OpenCounter(), "o")).since_ms < 1_000
            assert (
                await bench.branch.perform(1, OpenCounter(), "again")
            ).state is CounterState.FREE
        with pytest.raises(CommandRefused, match="paused"):
            await bench.branch.call_next(1, "page")  # a repeat has the first one's answer
        assert (await bench.branch.call_next(1, "new")).number == "A002"
        await bench.branch.perform(2, PauseCounter(), "p")
        await bench.branch.perform(2, PauseCounter(), "p2")
        assert bench.ledger()[4:] == ["counter.opened", CALLED, "counter.paused"]


@on_virtual_time
async def test_the_queue_itself_calls_nobody_to_a_paused_counter(tmp_path: Path) -> None:
    async with BranchBench(tmp_path, WITH_CALLERS) as bench:
        (ticket,) = await bench.kiosk.tickets("A001")
        engine = bench.branch.engine
        await bench.branch.perform(1, PauseCounter(), "p")
        server = Stream("branch-1")
        with pytest.raises(ImpossibleEvent, match="counter 1 is paused"):
            engine.check(server.called(ticket, 1))
        for event_type, data in (
            ("counter.paused", NotOpenData(counter=9, key="k")),
            ("counter.opened", OpenedData(counter=9, key="k")),
        ):
            with pytest.raises(ImpossibleEvent, match="counter 9 is not configured"):
                engine.check(server.make(event_type, data))


@on_virtual_time
async def test_a_paused_counter_is_not_a_free_one(tmp_path: Path) -> None:
    async with BranchBench(tmp_path, WITH_CALLERS) as bench:
        assert bench.branch.board().services[0].wait_min == (0, 0)
        for counter in (1, 2):
            await bench.branch.perform(counter, PauseCounter(), "p")
        assert bench.branch.board().services[0].wait_min != (0, 0)


@on_virtual_time
async def test_a_counter_that_was_paused_and_is_gone(tmp_path: Path) -> None:
    async with BranchBench(tmp_path, WITH_CALLERS) as bench:
        await bench.branch.perform(3, PauseCounter(), "p")
        await bench.restart(bench.without_counter(3))
        assert (bench.branch.counters(), bench.branch.skipped_events) == ((1, 2), 0)
