"""Virtual time: it jumps from deadline to deadline, in order, and says when nothing is left."""

import asyncio
import itertools
import math
import socket
import time

import pytest
from hypothesis import given, strategies as st

from simulator import vtime
from simulator.vtime import Deadlock, PacedLoop, virtual_clock


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=30))
def test_sleepers_wake_in_order_and_at_their_time(delays_s: list[float]) -> None:
    woken: list[tuple[float, float]] = []

    async def sleep(delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        woken.append((delay_s, asyncio.get_running_loop().time()))

    async def main() -> None:
        await asyncio.gather(*map(sleep, delays_s))

    vtime.run(main())
    assert [delay_s for delay_s, _ in woken] == sorted(delays_s)
    for delay_s, at_s in woken:
        assert at_s == pytest.approx(delay_s, abs=1e-6)


def test_a_year_costs_nothing() -> None:
    year_s = 365 * 86_400.0

    async def main() -> float:
        for _ in range(365):
            await asyncio.sleep(86_400)
        return asyncio.get_running_loop().time()

    began_s = time.monotonic()
    assert vtime.run(main()) == pytest.approx(year_s)
    assert time.monotonic() - began_s < 5


def test_what_is_ready_comes_before_the_jump() -> None:
    story: list[str] = []

    async def busy() -> None:
        for turn in range(3):
            story.append(f"busy {turn}")
            await asyncio.sleep(0)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(1e-6, story.append, "timer")
        task = asyncio.create_task(busy())
        await asyncio.sleep(1)
        await task

    vtime.run(main())
    assert story == ["busy 0", "busy 1", "busy 2", "timer"]


def test_bytes_that_are_there_come_before_the_jump() -> None:
    async def main() -> float:
        near, far = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=near)
        far.send(b"now")
        async with asyncio.timeout(1000):
            assert await reader.read(3) == b"now"
        writer.close()
        far.close()
        return asyncio.get_running_loop().time()

    assert vtime.run(main()) < 1000


def test_deadlines_follow() -> None:
    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3600):
                await asyncio.Event().wait()
        assert asyncio.get_running_loop().time() == pytest.approx(3600)

    vtime.run(main())


def test_nothing_can_happen_any_more() -> None:
    async def main() -> None:
        await asyncio.sleep(5)
        await asyncio.Event().wait()

    with pytest.raises(Deadlock, match="no timer"):
        vtime.run(main())


@pytest.mark.parametrize("speed", [50.0, 400.0])
def test_speed_n_waits_a_nth(speed: float) -> None:
    virtual_s = speed * 0.2

    async def main() -> float:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        await asyncio.sleep(virtual_s)
        return loop.time() - began_s

    began_s = time.monotonic()
    slept_s = vtime.run(main(), speed=speed)
    took_s = time.monotonic() - began_s
    assert slept_s >= virtual_s * 0.999
    assert 0.2 * 0.999 <= took_s < 2


@pytest.mark.parametrize("speed", [0, -1, math.nan])
def test_a_speed_that_cannot_be(speed: float) -> None:
    with pytest.raises(ValueError, match="more than 0"):
        PacedLoop(speed)


def test_blocking_work_runs_in_the_loop_and_time_stands() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(1, order.append, "timer")
        order.append(await asyncio.to_thread(lambda: "work"))
        assert loop.time() == 0
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(lambda: 1 // 0)
        await asyncio.sleep(2)

    order: list[str] = []
    vtime.run(main())
    assert order == ["work", "timer"]


def test_the_clock_follows_the_loop() -> None:
    async def main(seed: int) -> tuple[list[tuple[int, int]], list[str]]:
        await asyncio.sleep(7)
        clock = virtual_clock(1_000_000, seed)
        seen = []
        for _ in range(3):
            seen.append((clock.wall_ms(), clock.mono_ms()))
            await asyncio.sleep(1.5)
        return seen, [clock.new_id() for _ in range(4)]

    seen, ids = vtime.run(main(seed=3))
    assert seen == [(1_000_000, 0), (1_001_500, 1_500), (1_003_000, 3_000)]
    assert len(set(ids)) == 4
    assert vtime.run(main(seed=3)) == (seen, ids), "chance is the seed's"
    assert vtime.run(main(seed=4))[1] != ids


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), max_size=12))
def test_two_runs_are_the_same_run(plan: list[tuple[int, int]]) -> None:
    """Equal deadlines keep their order: what makes a replay repeatable."""

    def play() -> list[tuple[float, int]]:
        story: list[tuple[float, int]] = []

        async def actor(name: int, delay_s: int, turns: int) -> None:
            for _ in range(turns):
                await asyncio.sleep(delay_s)
                story.append((asyncio.get_running_loop().time(), name))

        async def main() -> None:
            await asyncio.gather(*itertools.starmap(actor, [(i, *p) for i, p in enumerate(plan)]))

        vtime.run(main())
        return story

    assert play() == play()
