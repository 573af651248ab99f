"""The audio guide beside a real controller and the real keys' driver, on virtual time: holding,
interrupting, what ends it, and devices that go.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest

from hal.api import Health, HealthState, Speech
from hal.body import GuideKey
from hal.errors import DeviceSilent
from hal.link import memory_pair
from hal.registry import backend
from hal.sim.keypad import SimSerialKeys, press
from kiosk.catalogue import Catalogue
from kiosk.config import KeyCodesConfig, KeysConfig, SpeakerConfig
from kiosk.errors import KioskError
from kiosk.guiding import CHECK_LOST_S, HELD_S, REST_S, GuideKeeper, build_guide
from kiosk.spoken import introduction
from kiosk.view import HomeView, IdleView, NoSlipView, OutOfServiceView, TicketView, View
from sync.messages import DeviceChanged
from tests.unit.kiosk.bench import KIOSK, Bench, until, virtual

PREVIOUS, NEXT, SELECT, REPEAT = GuideKey
WORDS = Catalogue.load()
CONTROLS = {
    HomeView: ("service.A", "service.B", "language"),
    IdleView: ("stay", "finish"),
    TicketView: ("no_slip", "done"),
    NoSlipView: ("acknowledge",),
    OutOfServiceView: ("language",),
}


@dataclass
class Ear:
    """A speaker in virtual time: a tenth of a second a character, as loud as asked."""

    said: list[tuple[str, float, float, bool]] = field(default_factory=list)
    """Text, volume, speed, and whether it came to its end."""
    health: Health = field(default_factory=lambda: Health(HealthState.OK))
    broken: bool = False
    speaking: bool = False

    async def open(self) -> None:
        if (await self.check()).state is not HealthState.OK:
            raise DeviceSilent("it hangs")

    async def say(
        self,
        speeches: Sequence[Speech],
        *,
        volume: float = 1.0,
        chime: bool = True,
        speed: float = 1.0,
    ) -> None:
        assert not chime
        if (await self.check()).state is not HealthState.OK:
            raise DeviceSilent("it hangs")
        text = " ".join(speech.text for speech in speeches)
        self.said.append((text, volume, speed, False))
        if "missing voice" in text:
            raise ValueError("no such voice")
        self.speaking = True
        try:
            await asyncio.sleep(len(text) / 10 / speed)
        finally:
            self.speaking = False
        self.said[-1] = (text, volume, speed, True)

    async def check(self) -> Health:
        self.health = Health(HealthState.LOST, "silent") if self.broken else Health(HealthState.OK)
        return self.health

    async def close(self) -> None:
        """Nothing is held."""

    @property
    def texts(self) -> list[str]:
        return [text for text, *_ in self.said]


class House:
    """A kiosk on the bench, its guide, four keys and an ear. Its screen has a few controls."""

    def __init__(self, folder: Path, *, plugged_in: bool = True) -> None:
        self.bench = Bench(folder)
        self._plugged_in = plugged_in
        self.ear = Ear()
        self.focused = ""
        self._seen = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator["House"]:
        async with self.bench:
            await self.bench.start()
            near, self.far = memory_pair("keys")
            await self.far.open()
            if not self._plugged_in:
                await self.far.close()
            self.keys = SimSerialKeys(self.far)
            pad = backend("keypad", "serial")(near, name="keys")
            self.guide = GuideKeeper(
                pad, self.ear, catalogue=WORDS, screen=self, kiosk=self.bench.kiosk
            )
            looking = asyncio.create_task(self._look())
            await self.guide.start()
            yield self
            await self.guide.stop()
            await self.guide.stop()
            looking.cancel()
            await self.bench.stop()

    def focus(self, control: str) -> None:
        self.focused = control

    def press(self, control: str) -> bool:
        self.bench.tap(control)
        return True

    async def key(self, *keys: GuideKey, hold_s: float = 0.05) -> None:
        for key in keys:
            await press(self.keys, key, hold_s)
            await asyncio.sleep(0.1)

    async def choose(self, control: str) -> None:
        for _ in range(9):
            if self.focused == control:
                break
            await self.key(NEXT)
        assert self.focused == control, self.ear.texts
        await self.key(SELECT)

    @property
    def guided(self) -> bool:
        return self.bench.kiosk.visit.guided

    def rows(self, device: str) -> list[tuple[str, str]]:
        """State and detail of the device's rows in the journal."""
        return [
            (event.data.state, event.data.detail)
            for event in self.bench.events("device.changed")
            if isinstance(event, DeviceChanged) and event.data.device == device
        ]

    async def _look(self) -> None:
        """A frame each 50 ms, as far as the screen changed."""
        while True:
            for view in self.bench.views[self._seen :]:
                self.guide.described(described(view))
            self._seen = len(self.bench.views)
            await asyncio.sleep(0.05)


def described(view: View) -> dict[str, object]:
    controls = [
        {"id": name, "label": name, "spoken": f"{name}.", "enabled": True}
        for name in CONTROLS[type(view)]
    ]
    return {
        "screen": view.screen.value,
        "language": view.language,
        "spoken": introduction(WORDS, view),
        "controls": controls,
    }


@virtual
async def test_a_visit_by_keys_and_the_next_visitor_begins_anew(tmp_path: Path) -> None:
    async with House(tmp_path).running() as house:
        await asyncio.sleep(1)
        assert house.ear.said == []
        await house.key(NEXT)
        await house.key(NEXT, hold_s=2 * HELD_S + 0.1)
        assert [volume for _, volume, _, _ in house.ear.said] == [0.5, 0.75, 1.0]
        await house.key(REPEAT, hold_s=3 * HELD_S)
        assert house.ear.said[-1][1:3] == (1.0, 1.5), "held for long it is one step"
        await house.choose("service.A")
        await until(lambda: "请取小票" in house.ear.texts[-1])
        assert house.ear.said[-1][1:3] == (1.0, 1.5)
        await house.choose("done")
        await until(lambda: "引导结束" in house.ear.texts[-1])
        assert not house.guided
        count = len(house.ear.said)
        await asyncio.sleep(300)
        assert len(house.ear.said) == count, "the next visitor has not asked for it"
        await house.key(REPEAT)
        assert house.ear.said[-1][1:3] == (0.5, 1.0)


@virtual
async def test_new_words_and_keys_end_the_old_ones_at_once(tmp_path: Path) -> None:
    async with House(tmp_path).running() as house:
        await house.key(NEXT)
        await asyncio.sleep(1)
        assert house.ear.speaking
        await house.keys.move(NEXT, down=True)
        await until(lambda: not house.ear.speaking, 0.05)
        await asyncio.sleep(0.3)
        assert len(house.ear.said) == 1, "it is silent while the key is down"
        await house.keys.move(NEXT, down=False)
        await asyncio.sleep(30)
        assert [done for *_, done in house.ear.said] == [False, True]


@virtual
async def test_the_warning_comes_late_is_said_and_put_off_by_any_key(tmp_path: Path) -> None:
    async with House(tmp_path).running() as house:
        await house.key(NEXT)
        await asyncio.sleep(80)
        await house.key(NEXT)
        await asyncio.sleep(89)
        house.bench.showing(HomeView)
        await asyncio.sleep(2)
        assert house.bench.showing(IdleView).left_s > 55
        assert house.focused == "stay"
        assert "60" in house.ear.texts[-1]
        await asyncio.sleep(25)
        assert "40" in house.ear.texts[-1]
        await house.key(REPEAT)
        assert house.bench.showing(IdleView).left_s > 55
        await house.key(SELECT)
        house.bench.showing(HomeView)
        await asyncio.sleep(90 + 62)
        house.bench.showing(HomeView)
        assert "引导结束" in house.ear.texts[-1]


@virtual
async def test_where_no_clock_runs_it_ends_after_a_while(tmp_path: Path) -> None:
    async with House(tmp_path).running() as house:
        house.bench.paper.paper_out()
        await house.key(NEXT)
        await house.choose("service.A")
        await until(lambda: "小票没打出来" in house.ear.texts[-1])
        number = house.bench.showing(NoSlipView).number
        await asyncio.sleep(REST_S - 1)
        assert house.guided
        await asyncio.sleep(2)
        await until(lambda: not house.guided, 0.1)
        assert "引导结束" in house.ear.texts[-1]
        assert house.bench.showing(NoSlipView).number == number, "the number stays"
        await house.key(NEXT)
        await asyncio.sleep(1)
        assert "小票没打出来" in house.ear.texts[-1], "whoever comes back is told again"
        await house.choose("acknowledge")
        await until(lambda: isinstance(house.bench.view, HomeView))


@virtual
async def test_without_sound_the_keys_go_on_and_the_loss_is_a_row(tmp_path: Path) -> None:
    async with House(tmp_path).running() as house:
        await asyncio.sleep(1)
        house.ear.broken = True
        await house.key(NEXT)
        await house.choose("service.A")
        await until(lambda: isinstance(house.bench.view, TicketView))
        await asyncio.sleep(3)
        house.ear.broken = False
        await asyncio.sleep(CHECK_LOST_S + 1)
        assert house.rows("speaker") == [("ok", ""), ("lost", "silent"), ("ok", "")]


@virtual
async def test_unplugged_keys_are_a_row_and_hold_nothing(tmp_path: Path) -> None:
    async with House(tmp_path).running() as house:
        await house.key(NEXT)
        await house.keys.move(NEXT, down=True)
        await asyncio.sleep(0.1)
        await house.far.close()
        await asyncio.sleep(5)
        assert not any("音量" in text for text in house.ear.texts)
        await house.far.open()
        await asyncio.sleep(2)
        await house.key(REPEAT)
        assert house.rows("keys") == [("ok", ""), ("lost", "link"), ("ok", "")]


@virtual
async def test_listen_reads_the_screen_and_goes_on(tmp_path: Path) -> None:
    async with House(tmp_path).running() as house:
        await asyncio.sleep(0.1)
        house.guide.listen()
        await asyncio.sleep(0.1)
        assert "service.B. 第 2 项，共 3 项。" in house.ear.texts[-1]
        assert house.guided
        house.bench.tap("service.A")
        await until(lambda: "请取小票" in house.ear.texts[-1])


@virtual
async def test_a_key_that_breaks_the_screen_and_words_without_a_voice(tmp_path: Path) -> None:
    async with House(tmp_path).running() as house:
        await house.key(NEXT)
        house.guide.described(
            {**described(house.bench.view), "screen": "x", "spoken": "missing voice"}
        )
        await asyncio.sleep(1)
        assert house.ear.texts[-1].startswith("missing voice")

        def fails(control: str) -> None:
            raise RuntimeError("no window")

        works, house.focus = house.focus, fails  # type: ignore[method-assign]
        await house.key(NEXT)
        house.focus = works  # type: ignore[method-assign]
        await house.key(REPEAT)
        assert not house.ear.texts[-1].startswith("missing voice")


def test_it_is_built_as_configured() -> None:
    keys = KeysConfig(address="evdev:/dev/input/by-id/none", codes=KeyCodesConfig(select=[103]))
    with pytest.raises(KioskError, match=r"kiosk.toml: keys: .*two keys"):
        built(keys, None)
    assert built(None, None)._keypad is None
    keys = KeysConfig(
        address="serial:/dev/none", backend="pad", codes=KeyCodesConfig(select=[103])
    )
    with pytest.raises(KioskError, match=r"kiosk.toml: keys: .*only a keyboard"):
        built(keys, None)
    assert built(KeysConfig(address="serial:/dev/none", backend="pad"), None)._keypad is not None
    whole = built(
        KeysConfig(address="serial:/dev/none", backend="serial"),
        SpeakerConfig(address="alsa:default", volume=2),
    )
    assert whole._guide.default_step == 2
    assert whole._speaker is not None


def built(keys: KeysConfig | None, speaker: SpeakerConfig | None) -> GuideKeeper:
    config = msgspec.structs.replace(KIOSK, keys=keys, speaker=speaker)
    return build_guide(config, WORDS, _Nothing(), _Nothing())


class _Nothing:
    """No screen and no kiosk."""

    visit = None

    def focus(self, control: str) -> None: ...

    def press(self, control: str) -> bool:
        return False

    def guide(self, on: bool) -> None: ...

    def device_changed(self, device: str, kind: str, health: Health) -> None: ...


@virtual
async def test_keys_that_are_not_there_at_the_start_are_a_row(tmp_path: Path) -> None:
    async with House(tmp_path, plugged_in=False).running() as house:
        await asyncio.sleep(3)
        await house.far.open()
        await asyncio.sleep(3)
        await house.key(NEXT)
        assert house.guided
        assert house.rows("keys") == [("lost", "link"), ("ok", "")]


@virtual
async def test_a_speaker_that_is_lost_is_looked_for_and_a_rest_says_nothing(
    tmp_path: Path,
) -> None:
    async with House(tmp_path).running() as house:
        house.ear.broken = True
        await asyncio.sleep(70)
        house.ear.broken = False
        await asyncio.sleep(CHECK_LOST_S + 1)
        await house.key(NEXT)
        await house.choose("service.A")
        await until(lambda: "请取小票" in house.ear.texts[-1])
        await house.choose("done")
        await asyncio.sleep(REST_S + 30)
        assert house.ear.texts[-1] == WORDS.text("zh_CN", "guide.end")
        assert house.ear.texts.count(house.ear.texts[-1]) == 1
