"""Many pads on one bus: every press once, and whatever goes wrong has a name. On virtual time."""

import asyncio

import pytest

from firmware.pad import link as wire
from hal.api import PadPress
from hal.drivers import pad_bus
from hal.drivers.bus_seat import GONE_S
from hal.drivers.pad_commands import COMMAND_RETRY_S
from hal.errors import LinkUnavailable
from hal.sim.bus import Babbler
from tests.unit.hal.bus_bench import BusBench, on_bus

WINDOW_MS = 10_000


async def rated(bench: BusBench, address: int, score: int) -> list[PadPress]:
    """Arm, press, take and acknowledge at one address; all that comes for a while."""
    driver = bench.drivers[address]
    await driver.arm(address, WINDOW_MS)
    await bench.pads[address - 1].press(score)
    taken: list[PadPress] = []
    while True:
        try:
            async with asyncio.timeout(3):
                press = await driver.next_press()
        except TimeoutError:
            return taken
        await driver.acknowledge(press)
        taken.append(press)


@pytest.mark.parametrize(
    "how", [{}, {"noise": 0.05}, {"loss": 0.05}], ids=["good", "noise of 5 %", "loss of 5 %"]
)
def test_eight_presses_at_once_count_once_each(rng, how):
    async def scenario(bench: BusBench) -> None:
        await bench.full()
        scores = {address: 1 + address % 5 for address in bench.links}
        rounds = await asyncio.gather(*[rated(bench, n, scores[n]) for n in scores])
        for (address, score), taken in zip(scores.items(), rounds, strict=True):
            (press,) = taken
            assert (press.nonce, press.score_1to5) == (address, score)
            assert press.unique_id == f"ab{address:02x}"
        if not how:
            assert bench.hub.collisions == 0
            assert bench.row == ("ok", "")
        for driver in bench.drivers.values():
            assert driver.health.counters["forged"] == 0

    on_bus(scenario, rng, 8, **how)


def test_a_spoilt_burst_costs_a_round_and_arrives_once(rng):
    async def scenario(bench: BusBench) -> None:
        await bench.full()
        now_s = asyncio.get_running_loop().time
        for _ in range(5):
            began_s = now_s()
            bench.hub.noise = 1.0
            arming = asyncio.create_task(bench.drivers[1].arm(7, WINDOW_MS))
            await asyncio.sleep(0.07)
            bench.hub.noise = 0.0
            await arming
            assert now_s() - began_s < COMMAND_RETRY_S, "the command itself was not repeated"
        assert bench.pads[0].core.refused == 0, "nothing was taken twice"
        assert bench.drivers[1].health.counters["replayed"] == 0

    on_bus(scenario, rng, 1)


def test_a_press_at_sixteen_pads_costs_a_round_of_the_bus(rng):
    async def one(bench: BusBench, address: int) -> tuple[float, float]:
        """ms from the press to the host, and to the steady lamp."""
        now_s = asyncio.get_running_loop().time
        driver, pad = bench.drivers[address], bench.pads[address - 1]
        await driver.arm(address, WINDOW_MS)
        await asyncio.sleep(0.2 + rng.random() / 10)
        pad.down(3)
        await bench.until(lambda: pad.core.kept)
        began_s = now_s()
        press = await driver.next_press()
        taken_s = now_s()
        await driver.acknowledge(press)
        await bench.until(lambda: pad.core.accepted)
        pad.up(3)
        return (taken_s - began_s) * 1000, (now_s() - began_s) * 1000

    async def scenario(bench: BusBench) -> None:
        await bench.full()
        await asyncio.sleep(1)
        waits_ms = [await one(bench, address) for address in bench.links]
        # One round: 16 turns of 30 bytes and the pad's 2 ms; one turn more may be a silent one.
        round_ms = 16 * (30 * 10 / 115.2 + 2)
        assert max(taken_ms for taken_ms, _ in waits_ms) < 2 * round_ms
        assert max(accepted_ms for _, accepted_ms in waits_ms) < 3 * round_ms

    on_bus(scenario, rng, 16)


def test_no_pad_waits_for_another(rng):
    async def scenario(bench: BusBench) -> None:
        await bench.full()
        # One pad is kept busy with commands; the others go on being polled.
        busy = asyncio.create_task(commands(bench))
        await asyncio.sleep(1)
        before = {n: bench.bus._seats[n].answered_at_s for n in bench.links}
        gaps = dict.fromkeys(bench.links, 0.0)
        end_s = asyncio.get_running_loop().time() + 3
        while asyncio.get_running_loop().time() < end_s:
            await asyncio.sleep(0.001)
            now_s = asyncio.get_running_loop().time()
            for n in bench.links:
                seen = bench.bus._seats[n].answered_at_s
                gaps[n] = max(gaps[n], now_s - before[n])
                before[n] = seen
        busy.cancel()
        assert max(gaps.values()) < 3 * pad_bus.ROUND_S

    async def commands(bench: BusBench) -> None:
        while True:
            await bench.drivers[1].arm(1, WINDOW_MS)

    on_bus(scenario, rng, 8)


def test_a_pad_that_leaves_and_comes_back_is_noticed_and_found(rng):
    async def scenario(bench: BusBench) -> None:
        await bench.full()
        await bench.pads[1].stop()
        took_s = await bench.until(lambda: bench.pad_row(2) == ("lost", "link"))
        assert took_s < GONE_S + 1
        assert bench.pad_row(1) == ("ok", "")
        assert bench.row == ("ok", "")
        await bench.pads[1].start()
        await bench.until(lambda: bench.pad_row(2) == ("ok", ""), 6)
        assert len(await rated(bench, 2, 4)) == 1

    on_bus(scenario, rng, 3)


def test_an_address_where_nobody_stands_is_an_error_of_open_until_somebody_does(rng):
    async def scenario(bench: BusBench) -> None:
        await bench.add(1)
        await bench.driver(1)
        with pytest.raises(LinkUnavailable, match=r"no pad answers at address 2; is it plugged"):
            await bench.driver(2)
        await bench.add(2)
        await asyncio.sleep(pad_bus.ABSENT_S + 0.5)
        await bench.driver(2)
        await bench.until(lambda: bench.pad_row(2) == ("ok", ""))

    on_bus(scenario, rng, 2)


def test_the_adapter_is_unplugged_and_plugged_in_again(rng):
    async def scenario(bench: BusBench) -> None:
        await bench.full()
        await bench.hub.unplug()
        await bench.until(lambda: bench.row == ("lost", "link"))
        await bench.until(lambda: {bench.pad_row(n) for n in bench.links} == {("lost", "link")})
        with pytest.raises(LinkUnavailable, match="is not open"):
            await bench.links[1].open()
        await asyncio.sleep(60)
        bench.hub.plug_in()
        await bench.until(lambda: bench.row == ("ok", ""))
        await bench.until(lambda: {bench.pad_row(n) for n in bench.links} == {("ok", "")}, 20)
        assert bench.bus.health.counters["reopened"] == 1
        assert len(await rated(bench, 3, 5)) == 1

    on_bus(scenario, rng, 3)


def test_an_adapter_that_is_not_there_at_the_start(rng):
    async def scenario(bench: BusBench) -> None:
        await asyncio.sleep(0.01)
        await bench.hub.unplug()
        for _ in range(2):
            with pytest.raises(LinkUnavailable):
                await bench.links[1].open()
            assert bench.row == ("lost", "link")
        bench.hub.plug_in()
        await bench.add(1)
        await asyncio.sleep(0.01)
        await bench.driver(1)
        await bench.until(lambda: bench.pad_row(1) == ("ok", ""))
        assert bench.row == ("ok", "")

    on_bus(scenario, rng, 1)


def test_a_second_pad_of_the_same_address_is_named_and_disturbs_nobody(rng):
    async def scenario(bench: BusBench) -> None:
        await bench.full()
        spoilt = bench.bus.health.counters["spoilt"]
        second = await bench.add(2, "cd02")
        await bench.until(lambda: bench.row == ("warning", "address_twice"), 2 * pad_bus.RIVALS_S)
        await bench.until(lambda: bench.pad_row(2) == ("warning", "address_twice"), 1)
        assert bench.pad_row(1) == ("ok", "")
        assert "two pads have the address 2: ab02 and cd02" in bench.notes[-1]
        assert bench.bus.health.counters["spoilt"] == spoilt
        await second.press(1)  # of nobody
        (press,) = await rated(bench, 2, 4)
        assert (press.unique_id, press.score_1to5) == ("ab02", 4)
        await second.stop()
        await bench.until(lambda: bench.row == ("ok", ""), 2 * pad_bus.RIVALS_S)
        await bench.until(lambda: bench.pad_row(2) == ("ok", ""), 1)

    on_bus(scenario, rng, 3)


def test_two_pads_of_the_same_address_from_the_start_are_named_and_none_is_taken(rng):
    async def scenario(bench: BusBench) -> None:
        await bench.add(1, "ab01")
        second = await bench.add(1, "cd01")
        await bench.add(2)
        await bench.driver(2)
        with pytest.raises(LinkUnavailable, match="several pads have the address 1; give each"):
            await bench.driver(1)
        assert bench.pad_row(1) == ("fault", "address_twice")
        assert bench.row == ("warning", "address_twice")
        assert "ab01" in bench.notes[0]
        assert "cd01" in bench.notes[0]
        await bench.until(lambda: bench.pad_row(2) == ("ok", ""))
        await second.stop()
        await asyncio.sleep(3)
        await bench.driver(1)
        await bench.until(lambda: bench.pad_row(1) == ("ok", ""))
        identity = bench.drivers[1].identity
        assert identity is not None
        assert identity.unique_id == "ab01"
        assert bench.row == ("ok", "")

    on_bus(scenario, rng, 2)


def test_three_pads_of_one_address_are_told_apart_bit_by_bit(rng):
    first = wire.tag_of(b"\xab\x01")
    alike = [
        f"cd{number:02x}"
        for number in range(256)
        if not (wire.tag_of(bytes([0xCD, number])) ^ first) & 0b111
    ]

    async def scenario(bench: BusBench) -> None:
        for unique_id in ("ab01", *alike[:2]):
            await bench.add(1, unique_id)
        with pytest.raises(LinkUnavailable, match="several pads have the address 1"):
            await bench.driver(1)
        assert bench.pad_row(1) == ("fault", "address_twice")
        assert any("pads have the address 1" in note for note in bench.notes)
        for pad in bench.pads[1:]:
            await pad.stop()
        await asyncio.sleep(3)
        await bench.driver(1)
        await bench.until(lambda: bench.pad_row(1) == ("ok", ""))

    on_bus(scenario, rng, 1)


def test_of_two_pads_with_one_address_the_configured_one_is_taken(rng):
    async def scenario(bench: BusBench) -> None:
        bench.links[2] = bench.bus.seat(2, "cd02")
        await bench.add(2, "ab02")
        await bench.add(2, "cd02")
        driver = await bench.driver(2)
        await bench.until(lambda: driver.identity and driver.identity.unique_id == "cd02")
        assert bench.pad_row(2) == ("warning", "address_twice")

    on_bus(scenario, rng, 1)


@pytest.mark.parametrize("says", ["its own answers", "its own frames"])
def test_a_pad_that_does_not_stop_is_found_and_named(rng, says):
    async def scenario(bench: BusBench) -> None:
        await bench.full()
        pad = bench.pads[2]
        boot_id = pad.core.boot_id
        await pad.stop()
        data = wire.burst(b"", wire.END, 3, 1, 0, wire.tag_of(bytes.fromhex("ab03")))
        if says == "its own frames":
            data = wire.encode(wire.PING, boot_id, 1, wire.pack_ping(0, 0, 0, 0, 0))
        mad = Babbler(bench.hub.wire(), rng, data)
        await mad.start()
        took_s = await bench.until(lambda: bench.row == ("fault", "jammed"))
        assert took_s < 2
        await bench.until(lambda: bench.pad_row(3) == ("fault", "babbling"), 2)
        await bench.until(lambda: bench.pad_row(1) == ("lost", "bus_jammed"), 2)
        assert bench.pad_row(4) == ("lost", "bus_jammed")
        assert any("address 3, ab03, speaks without being asked" in note for note in bench.notes)
        await asyncio.sleep(5)
        assert bench.row == ("fault", "jammed")
        await mad.stop()
        await bench.until(lambda: bench.pad_row(1) == ("ok", ""), 10)
        await bench.until(lambda: bench.row == ("ok", ""), 20)
        await pad.start()
        await bench.until(lambda: bench.pad_row(3) == ("ok", ""), 10)
        assert len(await rated(bench, 3, 2)) == 1

    on_bus(scenario, rng, 4)


def test_a_transmitter_that_says_nothing_readable_is_suspected_where_it_began(rng):
    async def scenario(bench: BusBench) -> None:
        await bench.full()
        seat = bench.bus._seats[3]
        answered_s = seat.answered_at_s
        await bench.until(lambda: seat.answered_at_s > answered_s)
        mad = Babbler(bench.hub.wire(), rng)
        await mad.start()
        await bench.until(lambda: bench.row == ("fault", "jammed"))
        await bench.until(lambda: bench.pad_row(3) == ("fault", "babbling_suspected"), 2)
        await mad.stop()
        await bench.until(lambda: {bench.pad_row(n) for n in bench.links} == {("ok", "")}, 20)
        assert bench.bus.health.counters["jams"] == 1

    on_bus(scenario, rng, 4)


def test_a_pad_for_one_line_that_hangs_on_a_bus_is_named_and_costs_little(rng):
    async def scenario(bench: BusBench) -> None:
        await bench.full()
        hello = wire.pack_hello(wire.Hello(b"\xee\x01", "0.1.0", "bench"))
        stranger = Babbler(bench.hub.wire(), rng, wire.encode(wire.HELLO, 77, 1, hello), 0.5)
        await stranger.start()
        await bench.until(lambda: bench.row == ("warning", "babbling"), 20)
        assert any("the pad ee01 speaks without being asked" in note for note in bench.notes)
        assert len(await rated(bench, 1, 2)) == 1
        await stranger.stop()
        await bench.until(lambda: bench.row == ("ok", ""), pad_bus.BLAMED_S + 1)

    on_bus(scenario, rng, 3)


def test_a_bad_cable_has_a_row(rng):
    async def scenario(bench: BusBench) -> None:
        await bench.full()
        bench.hub.noise = 0.2
        await bench.until(lambda: bench.row == ("warning", "noisy"))
        bench.hub.noise = 0.0
        await bench.until(lambda: bench.row == ("ok", ""), 20)

    on_bus(scenario, rng, 2)


def test_addresses_are_checked(rng):
    async def scenario(bench: BusBench) -> None:
        for address in (0, 32, 1):
            with pytest.raises(ValueError, match="expected 1 to 31, each once"):
                bench.bus.seat(address)
        await bench.add(1)
        await bench.links[1].open()
        with pytest.raises(LinkUnavailable, match="already open; a pad has one owner"):
            await bench.links[1].open()
        assert bench.links[1].address == "rs485:near#1"

    on_bus(scenario, rng, 1)
