"""Presence and backlight over every kind of pins there is; far end: gpiozero's mock pins. On a
board with the parts wired up, `-m hardware` would run the same over its own.
"""

import asyncio

import pytest

from hal.api import HealthState
from hal.body import Backlight, PresenceSensor
from hal.drivers import gpio
from hal.drivers.gpio import GpioBacklight, GpioPresence
from hal.errors import DeviceRefused, LinkUnavailable
from hal.registry import backend
from hal.sim.gpio import SimBoard

PIR, LAMP = 17, 18


class Heard:
    def __init__(self, sensor: GpioPresence) -> None:
        self.changes: list[bool] = []
        self._news = asyncio.Event()
        sensor.on_change(self._take)

    def _take(self, present: bool) -> None:
        self.changes.append(present)
        self._news.set()

    async def until(self, *changes: bool) -> None:
        async with asyncio.timeout(5):
            while tuple(self.changes) != changes:
                self._news.clear()
                await self._news.wait()


@pytest.fixture
def board() -> SimBoard:
    return SimBoard()


async def test_presence_begins_at_once_and_ends_after_a_while(board: SimBoard):
    sensor = GpioPresence(PIR, name="presence", hold_s=0.05, factory=board.factory)
    heard = Heard(sensor)
    await sensor.open()
    assert (sensor.present, sensor.health.state) == (False, HealthState.OK)
    board.somebody_comes(PIR)
    await heard.until(True)
    board.somebody_goes(PIR)
    await heard.until(True, False)
    assert not sensor.present
    await sensor.close()
    await sensor.close()


async def test_a_sensor_that_jumps_is_one_person(board: SimBoard):
    sensor = GpioPresence(PIR, name="presence", hold_s=0.2, factory=board.factory)
    heard = Heard(sensor)
    await sensor.open()
    for _ in range(20):
        board.somebody_comes(PIR)
        await asyncio.sleep(0)
        board.somebody_goes(PIR)
    await heard.until(True, False)
    assert sensor.health.counters == {"changes": 2}
    await sensor.close()


async def test_who_is_there_at_the_start_is_seen(board: SimBoard):
    board.somebody_comes(PIR)
    sensor = GpioPresence(PIR, name="presence", factory=board.factory)
    await sensor.open()
    assert sensor.present
    await sensor.close()
    assert not sensor.present


async def test_light_follows_what_is_asked(board: SimBoard):
    lamp = GpioBacklight(LAMP, name="backlight", factory=board.factory)
    with pytest.raises(DeviceRefused, match="not open"):
        await lamp.set_level(0.5)
    await lamp.open()
    assert board.light(LAMP) == 1.0
    await lamp.set_level(0.25)
    assert (board.light(LAMP), lamp.level) == (0.25, 0.25)
    for level in (-0.1, 1.1):
        with pytest.raises(ValueError, match="expected 0 to 1"):
            await lamp.set_level(level)
    await lamp.close()
    await lamp.close()
    assert lamp.health.state is HealthState.UNKNOWN


async def test_a_pin_has_one_owner(board: SimBoard):
    lamp = GpioBacklight(LAMP, name="backlight", factory=board.factory)
    await lamp.open()
    with pytest.raises(LinkUnavailable, match="presence at gpio:18"):
        await GpioPresence(LAMP, name="presence", factory=board.factory).open()
    await lamp.close()
    with pytest.raises(ValueError, match="expected 0 to 27"):
        GpioPresence(40, name="presence", factory=board.factory)


async def test_a_machine_without_pins_says_so_and_takes_no_others(monkeypatch):
    monkeypatch.setattr(gpio, "CHIP", 99)
    with pytest.raises(LinkUnavailable, match=r"lobby-kiosk\[gpio\]"):
        await GpioPresence(PIR, name="presence").open()


def test_they_are_what_the_registry_and_the_protocols_say(board: SimBoard):
    sensor: PresenceSensor = backend("presence", "gpio")(PIR, name="p", factory=board.factory)
    lamp: Backlight = backend("backlight", "gpio")(LAMP, name="b", factory=board.factory)
    assert (sensor.present, lamp.level) == (False, 1.0)
