"""The light behind the screen: full for people, dim for nobody; on gpiozero's mock pins."""

import asyncio
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, strategies as st

from hal.api import Health, HealthState
from hal.drivers.gpio import GpioBacklight, GpioPresence
from hal.errors import LinkUnavailable
from hal.sim.gpio import SimBoard
from kiosk.body_config import BacklightConfig, PresenceConfig, body_problems
from kiosk.cli import build_body
from kiosk.light import LightKeeper, bright_for_s
from tests.unit.kiosk.bench import KIOSK, Bench as KioskBench, virtual

PIR, LAMP = 17, 18
AFTER_S, DIM = 300.0, 0.3
times = st.floats(0, 1e6)


@given(now_s=times, last_s=times, after_s=st.floats(60, 86_400))
def test_the_light_is_full_until_long_enough_after_the_last_sign(now_s, last_s, after_s):
    left_s = bright_for_s(now_s, last_s, after_s, present=False)
    assert left_s is not None
    assert (left_s == 0) == (now_s >= last_s + after_s)
    assert left_s <= max(0.0, last_s + after_s - now_s)
    assert bright_for_s(now_s, last_s, after_s, present=True) is None


class Bench:
    """A board with both parts wired up, or with some of them missing."""

    def __init__(self, *, sensor: bool = True, lamp: bool = True) -> None:
        self.board = SimBoard()
        self.told: dict[str, Health] = {}
        factory = self.board.factory
        presence = GpioPresence(PIR, name="presence", factory=factory) if sensor else None
        backlight = GpioBacklight(LAMP, name="backlight", factory=factory) if lamp else None
        self.keeper = LightKeeper(
            presence,
            backlight,
            dim_after_s=AFTER_S,
            dim_level=DIM,
            now_s=asyncio.get_running_loop().time,
            told=self.told.__setitem__,
        )

    @property
    def light(self) -> float:
        return self.board.light(LAMP)


@virtual
async def test_nobody_there_dims_it_and_somebody_wakes_it():
    bench = Bench()
    await bench.keeper.start()
    assert bench.light == 1
    await asyncio.sleep(AFTER_S - 1)
    assert bench.light == 1
    await asyncio.sleep(2)
    assert bench.light == DIM
    bench.board.somebody_comes(PIR)
    await asyncio.sleep(0.1)
    assert bench.light == 1
    await asyncio.sleep(3 * AFTER_S)  # reads for long and touches nothing
    assert bench.light == 1
    bench.board.somebody_goes(PIR)
    await asyncio.sleep(AFTER_S)
    assert bench.light == 1  # gone only when nothing was seen for a while
    await asyncio.sleep(5)
    assert bench.light == DIM
    await bench.keeper.stop()
    await bench.keeper.stop()


@virtual
async def test_without_a_sensor_touches_keep_it_bright():
    bench = Bench(sensor=False)
    await bench.keeper.start()
    for _ in range(4):
        await asyncio.sleep(AFTER_S - 10)
        assert bench.light == 1
        bench.keeper.touched()
    await asyncio.sleep(AFTER_S + 1)
    assert bench.light == DIM
    bench.keeper.touched()
    await asyncio.sleep(0.1)
    assert bench.light == 1
    await bench.keeper.stop()


@virtual
async def test_without_a_light_there_is_nothing_to_keep():
    bench = Bench(lamp=False)
    await bench.keeper.start()
    bench.keeper.touched()
    assert bench.told["presence"].state is HealthState.OK
    assert "backlight" not in bench.told
    await bench.keeper.stop()


@virtual
async def test_a_board_without_pins_is_told_and_harms_nothing():
    def none() -> None:
        raise LinkUnavailable("gpio: the pins cannot be used")

    told: dict[str, Health] = {}
    keeper = LightKeeper(
        GpioPresence(PIR, name="presence", factory=none),
        GpioBacklight(LAMP, name="backlight", factory=none),
        dim_after_s=AFTER_S,
        dim_level=DIM,
        now_s=asyncio.get_running_loop().time,
        told=told.__setitem__,
    )
    await keeper.start()
    await asyncio.sleep(2 * AFTER_S)  # wants to dim what is not there
    keeper.touched()
    assert {health.state for health in told.values()} == {HealthState.UNKNOWN}
    await keeper.stop()


@pytest.mark.parametrize(
    ("presence", "backlight", "key"),
    [
        (PresenceConfig(28), None, "presence.pin"),
        (PresenceConfig(PIR, backend="i2c"), None, "presence.backend"),
        (PresenceConfig(PIR, hold_s=0), None, "presence.hold_s"),
        (None, BacklightConfig(-1), "backlight.pin"),
        (None, BacklightConfig(LAMP, backend="x"), "backlight.backend"),
        (PresenceConfig(LAMP), BacklightConfig(LAMP), "backlight.pin"),
        (None, BacklightConfig(LAMP, dim_after_min=0), "backlight.dim_after_min"),
        (None, BacklightConfig(LAMP, dim_level=0), "backlight.dim_level"),
        (None, BacklightConfig(LAMP, dim_level=1.1), "backlight.dim_level"),
        (PresenceConfig(PIR), BacklightConfig(LAMP), ""),
        (None, None, ""),
    ],
)
def test_what_cannot_work_is_named(presence, backlight, key):
    assert [found for found, _ in body_problems(presence, backlight)] == ([key] if key else [])


def test_they_are_built_as_configured():
    assert build_body(KIOSK) == (None, None)
    config = msgspec.structs.replace(
        KIOSK, presence=PresenceConfig(PIR), backlight=BacklightConfig(LAMP)
    )
    presence, backlight = build_body(config)
    assert isinstance(presence, GpioPresence)
    assert isinstance(backlight, GpioBacklight)


@virtual
async def test_a_touch_of_the_kiosk_wakes_it(tmp_path: Path):
    async with KioskBench(tmp_path) as bench:
        await bench.start()
        light = bench.kiosk.light
        before_s = light.last_sign_s
        await asyncio.sleep(7)
        bench.kiosk.tap("language", "touch-1")
        assert light.last_sign_s >= before_s + 7
