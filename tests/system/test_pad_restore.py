"""A board at its prompt, as the kiosk meets it: put back, left alone, or named."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from firmware.flash.bundle import Bundle
from firmware.flash.repl import RawRepl
from hal.api import Health, HealthState, PadIdentity
from hal.sim.repl_pad import ReplPad
from kiosk.config import PadConfig, UpdatesConfig
from kiosk.desired import Desired, DesiredKeeper
from kiosk.pad_restore import Met, PadRestorer
from simulator.firmware_builds import build_firmware
from sync.configuration import Configuration
from tests.unit.kiosk.bench import KIOSK

pytestmark = pytest.mark.micropython

UNIQUE_ID = "e661640843735001"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return build_firmware(tmp_path_factory.mktemp("firmware"), "1.5.0")


class SomePad:
    """What the restorer asks of a driver."""

    def __init__(self, identity: PadIdentity | None = None) -> None:
        self.identity = identity
        self.health = Health(HealthState.OK)


class Place:
    """A kiosk's data folder, a board, and the restorer between them."""

    def __init__(self, folder: Path, bundle: Bundle | None, **board: Any) -> None:
        self.folder = folder / "data"
        self.board = ReplPad(folder, "board", **({"unique_id": UNIQUE_ID} | board))
        self.bundle = bundle
        self.devices: list[tuple[str, str, Health]] = []

    def restorer(self, **options: Any) -> PadRestorer:
        defaults: dict[str, Any] = {"unique_id": UNIQUE_ID, "chip": "linux", "restore": True}
        pad = PadConfig(3, f"serial:{self.board.port}", **(defaults | options))
        config = msgspec.structs.replace(
            KIOSK, data_dir=str(self.folder), pads=[pad], updates=UpdatesConfig("a", "b")
        )
        keeper = DesiredKeeper(self.folder, "kiosk-1", config.updates)
        bundles = {"linux": self.bundle} if self.bundle else {}
        keeper.now = Desired(Configuration(node="kiosk-1", version=1, issued_ms=0), "", bundles)
        pads: Any = {3: SomePad()}
        return PadRestorer(
            config,
            pads,
            keeper,
            now_s=time.monotonic,
            device=lambda *row: self.devices.append(row),
        )

    def met(self, **options: Any) -> Met:
        restorer = self.restorer(**options)
        return restorer._met(restorer._configs[3])


@contextmanager
def place(folder: Path, bundle: Bundle | None, **board: Any) -> Iterator[Place]:
    here = Place(folder, bundle, **board)
    here.board.start()
    try:
        yield here
    finally:
        here.board.stop()


Eventually = Callable[..., None]


def test_a_blank_board_gets_everything_and_runs_it(tmp_path, bundle, eventually: Eventually):
    with place(tmp_path, bundle) as here:
        assert here.met() is Met.RESTORED
        eventually(lambda: here.board.resets == 1, within_s=10)
        key = here.folder / "pads" / f"{UNIQUE_ID}.key"
        assert key.stat().st_mode & 0o777 == 0o600
        assert len(key.read_bytes()) == 32
        # Its program has the line now: no prompt answers.
        eventually(lambda: here.board._leds.exists(), within_s=10)
        assert here.met() is Met.NOTHING
        assert len(key.read_bytes()) == 32


def test_only_what_is_allowed_is_touched(tmp_path, bundle):
    with place(tmp_path, bundle) as here:
        assert here.met(restore=False) is Met.BLANK
        assert here.met(unique_id="e661640843735002") is Met.OTHER_PAD
        assert here.met(chip="rp2") is Met.NO_FIRMWARE_HERE
        (here.folder / "pads").mkdir(parents=True)
        (here.folder / "pads" / f"{UNIQUE_ID}.revoked").touch()
        assert here.met() is Met.BLANK
        assert not list((here.folder / "pads").glob("*.key"))
        with RawRepl(here.board.port) as repl:
            assert repl.value("os.listdir('/')") in (["host"], [])
        assert here.board.resets == 0


def test_a_good_pad_at_its_prompt_is_a_technician_s(tmp_path, bundle, eventually: Eventually):
    with place(tmp_path, bundle) as here:
        assert here.met() is Met.RESTORED
        eventually(lambda: here.board.resets == 1, within_s=10)
        here.board.replug(holding=(1, 2))
        # On trial still: a restore that was cut before its last step would look the same.
        with RawRepl(here.board.port) as repl:
            repl.run("import slots, sys\nslots.Slots('', sys.platform).confirm()")
        key = (here.folder / "pads" / f"{UNIQUE_ID}.key").read_bytes()
        assert here.met() is Met.AT_PROMPT
        assert (here.folder / "pads" / f"{UNIQUE_ID}.key").read_bytes() == key


def test_a_restore_that_is_cut_is_done_again(tmp_path, bundle, rng, eventually: Eventually):
    with place(tmp_path, bundle) as here:
        seen = set()
        for cut in sorted(rng.randrange(2_000, 60_000) for _ in range(3)):
            here.board.stop()
            here.board.die_after = cut
            here.board.start()
            seen.add(here.met())
        here.board.stop()
        here.board.die_after = -1
        here.board.start()
        assert Met.NOT_RESTORED in seen
        assert here.met() in (Met.RESTORED, Met.NOTHING)
        eventually(lambda: here.board._leds.exists(), within_s=10)


def test_the_place_of_a_pad_that_is_well_is_kept(tmp_path, bundle):
    here = Place(tmp_path, bundle)
    restorer = here.restorer()
    well: Any = SomePad(PadIdentity(UNIQUE_ID, 1, 2, "1.5.0", "", roles=2))
    restorer._remember(3, well)
    restorer._remember(3, well)
    assert restorer._place(3) == {"counter": 3, "role": "caller"}
    # It lost its config.json: its row says so, and what it was stays known.
    lost: Any = SomePad(PadIdentity(UNIQUE_ID, 2, 2, "1.5.0", "", roles=1))
    for _ in range(2):
        restorer._remember(3, lost)
    assert restorer.health_of(3, Health(HealthState.OK)).detail == "lost_roles"
    assert restorer.health_of(3, Health(HealthState.LOST, "silent")).detail == "silent"
    assert restorer._place(3)["role"] == "caller"
    assert [row[2].detail for row in here.devices] == ["lost_roles"]
    restorer._remember(3, well)
    assert restorer.health_of(3, Health(HealthState.OK)).detail == ""
    other: Any = SomePad(PadIdentity("aa", 1, 2, "1.5.0", "", roles=1))
    restorer._remember(3, other)
    assert restorer._place(3)["role"] == "caller"
    (here.folder / "pads" / f"{UNIQUE_ID}.json").write_text("[]")
    assert restorer._place(3) == {}
