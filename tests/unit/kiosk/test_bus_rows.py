"""A bus of pads in the kiosk: its row, its pads' rows, presses in the journal. On virtual time."""

import asyncio
from pathlib import Path
from random import Random

from hal.registry import backend
from hal.sim.bus import BusHub, CoreStation
from sync.messages import DeviceChanged
from tests.unit.kiosk.bench import Bench, until, virtual
from tests.unit.kiosk.test_presses import SUBMITTED, arm


def rows(bench: Bench, device: str) -> list[tuple[str, str, str]]:
    """(kind, state, detail) of every change of a device, as journalled."""
    changes = [
        event for event in bench.events("device.changed") if isinstance(event, DeviceChanged)
    ]
    return [
        (change.data.kind, change.data.state, change.data.detail)
        for change in changes
        if change.data.device == device
    ]


@virtual
async def test_a_bus_has_a_row_and_its_pads_have_theirs(tmp_path: Path) -> None:
    rng = Random(5)
    hub = BusHub(rng)
    async with Bench(tmp_path, pads=(1, 2)) as bench:
        bus = backend("pad_bus", "rs485")(hub.link, name="bus-1")
        seats = iter([bus.seat(1), bus.seat(2)])
        bench.wire = lambda _: next(seats)
        bench.buses = {"bus-1": bus}
        pad = CoreStation(
            hub.wire(),
            address=1,
            now_ms=bench.mono_ms,
            boot_ids=lambda: rng.getrandbits(32),
            random=rng.randbytes,
        )
        await pad.start()
        await bench.start()
        await until(lambda: ("pad", "ok", "") in rows(bench, "pad-1"))
        assert rows(bench, "bus-1") == [("bus", "ok", "")]
        assert rows(bench, "pad-2") == [("pad", "lost", "unavailable")]
        await bench.kiosk.presses.arm(arm())
        await pad.press(4)
        await until(lambda: len(bench.events(SUBMITTED)) == 1)
        await until(lambda: pad.core.kept == 0)
        await hub.unplug()
        await until(lambda: rows(bench, "bus-1")[-1] == ("bus", "lost", "link"))
        await until(lambda: rows(bench, "pad-1")[-1] == ("pad", "lost", "link"))
        hub.plug_in()
        await until(lambda: rows(bench, "bus-1")[-1] == ("bus", "ok", ""))
        await until(lambda: rows(bench, "pad-1")[-1] == ("pad", "ok", ""))
        before = len(rows(bench, "bus-1"))
        await bench.stop()
        assert bus.health.state.value == "unknown", "closed with the kiosk"
        await pad.stop()
        await asyncio.sleep(1)
        await hub.close()
    assert before == 3
