"""Presses: journalled once, then acknowledged; never the other way round."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from firmware.pad import link as wire
from hal.api import ByteLink, Health, HealthState, PadIdentity, PadPress
from hal.errors import DeviceSilent
from hal.sim.pad import ALL_DARK
from kiosk.errors import KioskError
from kiosk.presses import REMEMBERED_VISITS, PressKeeper
from sync.journal import Journal
from sync.messages import ArmPad, DisarmPad, RatingSubmitted, RatingUnsolicited
from tests.unit.kiosk.bench import Bench, until, virtual

SUBMITTED, UNSOLICITED = "rating.submitted", "rating.unsolicited"


class DropsAcks:
    """A line on which the host's acknowledgements never arrive."""

    def __init__(self, inner: ByteLink) -> None:
        self.inner = inner
        self.address = inner.address
        self.dropped = 0

    async def open(self) -> None:
        await self.inner.open()

    async def read(self, limit: int = 4096) -> bytes:
        return await self.inner.read(limit)

    async def write(self, data: bytes) -> None:
        kinds = [f.kind for f in wire.Decoder().feed(data) if isinstance(f, wire.Frame)]
        if wire.ACK in kinds:
            self.dropped += 1
            return
        await self.inner.write(data)

    async def close(self) -> None:
        await self.inner.close()


def arm(counter: int = 1, nonce: int = 77, key: str = "k") -> ArmPad:
    return ArmPad(key=key, counter=counter, ticket="ticket-1", nonce=nonce, window_ms=10_000)


@virtual
async def test_armed_pressed_journalled_acknowledged(tmp_path: Path) -> None:
    async with Bench(tmp_path, pads=(1,)) as bench:
        await bench.pads[1].start()
        await bench.start()
        await bench.kiosk.presses.arm(arm())
        await bench.pads[1].press(4)
        await until(lambda: bench.story() == [SUBMITTED])
        (event,) = bench.events(SUBMITTED)
        assert isinstance(event, RatingSubmitted)
        assert (event.sub, event.data.nonce, event.data.score_1to5, event.data.counter) == (
            "ticket-1", 77, 4, 1,
        )  # fmt: skip
        await until(lambda: bench.pads[1].core.kept == 0)
        await bench.kiosk.presses.arm(arm(nonce=78))
        await bench.kiosk.presses.disarm(DisarmPad(key="d", counter=1))
        await bench.pads[1].press(1)
        await until(lambda: bench.story() == [SUBMITTED, UNSOLICITED])
        (unasked,) = bench.events(UNSOLICITED)
        assert isinstance(unasked, RatingUnsolicited)
        assert (unasked.sub, unasked.data.score_1to5) == (None, 1)
        await bench.stop()


@virtual
async def test_a_visit_has_one_window(tmp_path: Path) -> None:
    async with Bench(tmp_path, pads=(1, 2)) as bench:
        for pad in bench.pads.values():
            await pad.start()
        await bench.start()
        presses = bench.kiosk.presses
        await presses.arm(arm(nonce=70))
        await presses.arm(arm(counter=2, nonce=71, key="other counter"))
        await bench.pads[1].press(4)
        await until(lambda: bench.story() == [SUBMITTED])
        await presses.arm(arm(nonce=72))
        await presses.arm(arm(nonce=73))
        await presses.disarm(DisarmPad(key="d", counter=1))
        for nonce in (70, 72, 73):  # pressed, followed by the next, disarmed
            with pytest.raises(KioskError, match="counter 1: this visit was asked for its rating"):
                await presses.arm(arm(nonce=nonce, key=f"again-{nonce}"))
        assert bench.pads[1].leds() == ALL_DARK
        await presses.disarm(DisarmPad(key="d", counter=2))
        assert bench.pads[2].leds() == ALL_DARK
        await bench.stop()


@virtual
async def test_a_press_repeated_over_a_restart_is_journalled_once(tmp_path: Path) -> None:
    async with Bench(tmp_path, pads=(1,)) as bench:
        lines: list[DropsAcks] = []

        def drop(near: ByteLink) -> ByteLink:
            lines.append(DropsAcks(near))
            return lines[-1]

        bench.wire = drop
        await bench.pads[1].start()
        await bench.start()
        await bench.kiosk.presses.arm(arm())
        await bench.pads[1].press(4)
        await asyncio.sleep(60)
        assert lines[-1].dropped > 2
        assert bench.story() == [SUBMITTED]
        for stop in (bench.kill, bench.stop):
            await stop()
            await bench.start()
            await asyncio.sleep(60)
            assert lines[-1].dropped > 2, "acknowledged again, for it is in the journal"
            assert bench.pads[1].core.kept == 1
            assert bench.story() == [SUBMITTED]
        await bench.stop()
        bench.wire = lambda near: near
        await bench.start()
        await until(lambda: bench.pads[1].core.kept == 0)
        assert bench.story() == [SUBMITTED]
        await bench.stop()


@virtual
async def test_nothing_is_acknowledged_before_it_is_durable(tmp_path: Path) -> None:
    async with Bench(tmp_path, pads=(1,)) as bench:
        await bench.pads[1].start()
        await bench.start()
        bench.refuse_writes()
        for key in (1, 2, 3):
            await bench.pads[1].press(key)
            await asyncio.sleep(2)
        await asyncio.sleep(600)
        assert bench.pads[1].core.kept == 3
        await bench.stop()  # the disk is still full: the pad keeps them over the restart
        await bench.start()
        await until(lambda: bench.pads[1].core.kept == 0)
        kept = bench.events(UNSOLICITED)
        scores = [e.data.score_1to5 for e in kept if isinstance(e, RatingUnsolicited)]
        assert sorted(scores) == [1, 2, 3]
        await bench.stop()


@virtual
async def test_a_counter_without_a_pad_is_named(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        await bench.start()
        with pytest.raises(KioskError, match=r"counter 7 .*kiosk\.toml"):
            await bench.kiosk.presses.arm(arm(counter=7))
        with pytest.raises(KioskError, match="counter 7"):
            await bench.kiosk.presses.disarm(DisarmPad(key="d", counter=7))
        await bench.stop()


class OddPad:
    """A driver with a defect: its presses come from a list, some of them are errors."""

    identity: PadIdentity | None = None
    health = Health(HealthState.OK)

    def __init__(self, presses: list[PadPress | Exception]) -> None:
        self.presses = presses
        self.acknowledged: list[int] = []
        self.fails_to_acknowledge = 0

    async def open(self) -> None:
        pass

    async def arm(self, nonce: int, window_ms: int) -> None:
        raise DeviceSilent("nobody there")

    async def disarm(self) -> None:
        pass

    async def next_press(self) -> PadPress:
        if not self.presses:
            await asyncio.Event().wait()
        press = self.presses.pop(0)
        if isinstance(press, Exception):
            raise press
        return press

    async def acknowledge(self, press: PadPress) -> None:
        if self.fails_to_acknowledge:
            self.fails_to_acknowledge -= 1
            raise DeviceSilent("went away")
        self.acknowledged.append(press.seq)

    def on_health(self, listener: Callable[[Health], None]) -> None:
        pass

    async def close(self) -> None:
        pass


def press(seq: int, nonce: int = 0) -> PadPress:
    return PadPress("c001", 5, seq, nonce, 3, 0)


@virtual
async def test_a_fault_costs_a_pause_not_the_pad(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    async with bench:
        journal = Journal(tmp_path / "journal.db", node="kiosk-1", clock=bench.clock())
        pad = OddPad([press(1), RuntimeError("a defect"), press(2), press(3), press(3)])
        pad.fails_to_acknowledge = 1
        keeper = PressKeeper(journal, {1: pad}, bench.clock(), lambda: None)
        await keeper.start()
        await until(lambda: pad.acknowledged == [2, 3, 3])
        assert bench.story() == [UNSOLICITED] * 3
        with pytest.raises(DeviceSilent):
            await keeper.arm(arm(nonce=1))
        for nonce in range(2, REMEMBERED_VISITS + 10):
            with pytest.raises(DeviceSilent):
                await keeper.arm(arm(nonce=nonce))
        assert len(keeper._visits) == REMEMBERED_VISITS
        await keeper.stop()
        journal.close()
