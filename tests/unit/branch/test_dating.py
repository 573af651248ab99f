"""One scale of time at the branch: wrong wall clocks move neither waits nor the order."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import text

from branch.dating import Dating
from branch.store import Store
from sync.clock import Clock, kept
from sync.messages import Clk, ClockJumpedData, Hello, IssuedData, PrintedData, encode
from sync.timekeeping import Machine
from sync.topics import HELLO
from tests.unit.branch.bench import BranchBench, Device, on_virtual_time, settle
from tests.unit.branch.events import DATE, START_MS, Stream

TEN_YEARS_MS = 3652 * 86_400_000
HOUR_MS = 3_600_000
YEARS = pytest.mark.parametrize("off_ms", [-TEN_YEARS_MS, 0, TEN_YEARS_MS])


@dataclass
class Server:
    """The server's clocks, moved by hand or by the loop."""

    off_ms: int = START_MS
    boot: str = "server-1"
    machine: Machine = Machine()  # noqa: RUF009 - frozen
    mono_began_s: float = 0.0

    def mono_ms(self) -> int:
        return round((asyncio.get_running_loop().time() - self.mono_began_s) * 1000)

    def clock(self) -> Clock:
        bits = iter(range(1, 1_000_000))
        plain = Clock(
            lambda: self.off_ms + self.mono_ms(), self.mono_ms, self.boot, lambda _: next(bits)
        )
        return kept(plain, lambda _: self.machine)


class Kiosk:
    """A device whose boot began ``ahead_ms`` before the server's, with a wall clock of its
    own.
    """

    def __init__(
        self, device: Device, *, ahead_ms: int, off_ms: int = 0, boot: str = "k", quality: str = ""
    ) -> None:
        self.device, self.ahead_ms, self.off_ms, self.boot = device, ahead_ms, off_ms, boot
        self.quality = quality or "none"

    def mono_ms(self) -> int:
        return round(asyncio.get_running_loop().time() * 1000) + self.ahead_ms

    def ts(self) -> int:
        return START_MS + self.off_ms + self.mono_ms() - self.ahead_ms

    def greet(self, mono_ms: int | None = None) -> None:
        hello = Hello(
            node=self.device.node, epoch=1, top_seq=0, acked=0, digest="0" * 16, boot=self.boot,
            connect=1, version="1", ts=self.ts(),
            mono_ms=self.mono_ms() if mono_ms is None else mono_ms,
        )  # fmt: skip
        self.device.transport.publish(HELLO, HELLO.of(node=self.device.node), encode(hello))

    def issue(self, number: str) -> str:
        """Journalled now, not sent."""
        stream = self.device.stream
        clk = Clk(boot=self.boot, mono_ms=self.mono_ms(), quality=self.quality)  # type: ignore[arg-type]
        data = IssuedData(
            number=number, service="A", segment="", language="en", business_date=DATE, band=1,
            request=number,
        )  # fmt: skip
        when: dict[str, Any] = {"ts": self.ts(), "clk": clk}
        issued = stream.make("ticket.issued", data, "self", **when)
        stream.make("ticket.printed", PrintedData(attempt=1, took_ms=1), issued.id, **when)
        return str(issued.id)


class Bench(BranchBench):
    """A branch on a server whose clocks the test has."""

    def __init__(self, folder: Path, server: Server | None = None) -> None:
        super().__init__(folder)
        self.server = server or Server()
        self.clock = self.server.clock()

    async def __aenter__(self) -> "Bench":
        await super().__aenter__()
        return self

    async def reboot(self, off_ms: int, boot: str = "server-2") -> None:
        """The machine starts again, its wall clock ``off_ms`` from the old count."""
        await self.stop()
        now_s = asyncio.get_running_loop().time()
        self.server = Server(off_ms + round(now_s * 1000), boot, mono_began_s=now_s)
        self.clock = self.server.clock()
        await self.start()

    def issued_at(self, number: str) -> int:
        ((at,),) = self.rows(f"ticket WHERE number = '{number}'", "issued_at")
        assert isinstance(at, int)
        engine = {t.number: t.issued_at for t in self.branch.engine.tickets.values()}
        assert engine[number] == at
        return at

    def wait_ms(self) -> int:
        """Of the last call."""
        raws = self.rows("event WHERE type = 'ticket.called' ORDER BY place", "raw")
        return int(msgspec.json.decode(raws[-1][0])["data"]["wait_ms"])


async def second_kiosk(bench: BranchBench) -> Device:
    device = Device(bench.broker, "kiosk-2")
    await device.transport.start()
    return device


@YEARS
@on_virtual_time
async def test_a_kiosk_years_off_waits_its_turn(tmp_path: Path, off_ms: int) -> None:
    async with Bench(tmp_path) as bench:
        wrong = Kiosk(bench.kiosk, ahead_ms=HOUR_MS, off_ms=off_ms)
        right = Kiosk(await second_kiosk(bench), ahead_ms=7, boot="r")
        wrong.greet()
        right.greet()
        await settle()
        for kiosk, number in ((wrong, "A101"), (right, "A201"), (wrong, "A102"), (right, "A202")):
            kiosk.issue(number)
            kiosk.device.send(*kiosk.device.stream.raws[-2:])
            await asyncio.sleep(10)
        called, waits = [], []
        for key in range(4):
            called.append((await bench.branch.call_next(1, f"c{key}")).number)
            waits.append(bench.wait_ms())
            await bench.branch.finish(1, f"f{key}")
        assert called == ["A101", "A201", "A102", "A202"]
        assert waits == pytest.approx([40_000, 30_000, 20_000, 10_000], abs=20)


@YEARS
@on_virtual_time
async def test_a_server_whose_clock_jumps_counts_on(tmp_path: Path, off_ms: int) -> None:
    async with Bench(tmp_path) as bench:
        kiosk = Kiosk(bench.kiosk, ahead_ms=HOUR_MS)
        kiosk.greet()
        await settle()
        kiosk.issue("A101")
        kiosk.device.send()
        await asyncio.sleep(30)
        bench.server.off_ms += off_ms
        await asyncio.sleep(30)
        assert (await bench.branch.call_next(1, "c")).waited_min == 1
        assert bench.wait_ms() == pytest.approx(60_000, abs=20)
        bench.server.off_ms -= 2 * off_ms
        await asyncio.sleep(20)
        await bench.branch.start(1, "s")
        await asyncio.sleep(5)
        bench.server.off_ms += off_ms
        await bench.branch.finish(1, "f")
        ((called, started, ended),) = bench.rows("ticket", "called_at, started_at, ended_at")
        assert (started - called, ended - started) == (20_000, 5_000)
        await asyncio.sleep(31)
        jumps = bench.ledger().count("clock.jumped")
        assert jumps == (3 if off_ms else 0)


@on_virtual_time
async def test_a_jump_while_the_program_was_down_is_noted_once(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        await bench.stop()
        bench.server.off_ms += TEN_YEARS_MS
        bench.clock = bench.server.clock()
        await bench.start()
        assert bench.ledger() == ["clock.jumped"]
        assert bench.branch.ingest.clock.wall_ms() == START_MS + bench.server.mono_ms()
        await bench.restart()
        assert bench.ledger() == ["clock.jumped"]


@YEARS
@on_virtual_time
async def test_a_whole_boot_is_dated_again_after_its_first_prompt_greeting(
    tmp_path: Path, off_ms: int
) -> None:
    async with Bench(tmp_path) as bench:
        kiosk = Kiosk(bench.kiosk, ahead_ms=HOUR_MS, off_ms=off_ms)
        other = Kiosk(await second_kiosk(bench), ahead_ms=3, boot="r")
        other.greet()
        await settle()
        kiosk.issue("A101")  # while it is cut off
        await asyncio.sleep(10)
        other.issue("A201")
        other.device.send()
        await asyncio.sleep(10)
        late = kiosk.mono_ms()
        await asyncio.sleep(50)
        kiosk.greet(late)  # this one lay in the broker for 50 s
        await settle()
        kiosk.device.send()
        await settle()
        assert bench.issued_at("A101") == pytest.approx(START_MS + 50_200, abs=200)
        assert bench.branch.engine.up_next(1, START_MS, 2)[0].number == "A201"
        kiosk.greet()
        await settle()
        assert bench.issued_at("A101") == pytest.approx(START_MS + 200, abs=200)
        assert bench.branch.engine.up_next(1, START_MS, 2)[0].number == "A101"
        ((ts,),) = bench.rows("event WHERE node = 'kiosk-1' AND seq = 1", "ts")
        assert ts == pytest.approx(START_MS + off_ms + 200, abs=200)  # what came stays as it came
        await bench.restart()
        assert bench.issued_at("A101") == pytest.approx(START_MS + 200, abs=200)


@on_virtual_time
async def test_a_boot_that_was_over_is_dated_by_its_word_if_that_can_be(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        await asyncio.sleep(100)
        for boot, off_ms, number in (
            ("1", -50_000, "A101"),
            ("2", TEN_YEARS_MS, "A102"),
            ("3", -TEN_YEARS_MS, "A103"),
        ):
            Kiosk(bench.kiosk, ahead_ms=5, off_ms=off_ms, boot=boot).issue(number)
        Kiosk(bench.kiosk, ahead_ms=5, boot="4").greet()
        await asyncio.sleep(10)
        bench.kiosk.send()
        await settle()
        now_ms = bench.branch.ingest.clock.wall_ms()
        assert bench.issued_at("A101") == now_ms - 60_100
        assert bench.issued_at("A102") == bench.issued_at("A103") == now_ms - 100
        sources = dict(bench.rows("boot WHERE node = 'kiosk-1'", "boot, source"))
        assert sources == {"1": "none", "2": "late", "3": "late", "4": "srv"}


@on_virtual_time
async def test_a_better_word_of_a_later_event_dates_the_boot_again(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        await asyncio.sleep(10)
        kiosk = Kiosk(bench.kiosk, ahead_ms=5, off_ms=-TEN_YEARS_MS)
        kiosk.issue("A101")
        await asyncio.sleep(10)
        kiosk.off_ms, kiosk.quality = 0, "ntp"
        kiosk.issue("A102")
        await asyncio.sleep(100)
        bench.kiosk.send(*bench.kiosk.stream.raws[:2])
        await settle()
        assert bench.issued_at("A101") == START_MS + 120_100
        bench.kiosk.send(*bench.kiosk.stream.raws[2:])
        await settle()
        assert bench.issued_at("A102") - bench.issued_at("A101") == 10_000
        assert bench.issued_at("A101") == START_MS + 10_100


@pytest.mark.parametrize("off_ms", [-TEN_YEARS_MS, TEN_YEARS_MS])
@on_virtual_time
async def test_a_server_that_lost_its_clock_in_a_reboot_goes_on_from_its_ledger(
    tmp_path: Path, off_ms: int
) -> None:
    async with Bench(tmp_path) as bench:
        kiosk = Kiosk(bench.kiosk, ahead_ms=HOUR_MS)
        kiosk.greet()
        await settle()
        kiosk.issue("A101")
        kiosk.device.send()
        await asyncio.sleep(10)
        await bench.reboot(START_MS + off_ms)
        assert bench.branch.ingest.clock.wall_ms() < START_MS + 60_000
        assert bench.branch.ingest.clock.stamp().quality == "none"
        kiosk.greet()
        await settle()
        kiosk.issue("A102")
        kiosk.device.send()
        await settle()
        assert bench.issued_at("A102") - bench.issued_at("A101") == pytest.approx(10_200, abs=300)
        await asyncio.sleep(5)
        await bench.branch.call_next(1, "c")
        assert bench.wait_ms() == pytest.approx(15_300, abs=400)


@on_virtual_time
async def test_a_running_kiosk_goes_along_with_a_server_that_was_set_right(
    tmp_path: Path,
) -> None:
    async with Bench(tmp_path) as bench:
        kiosk = Kiosk(bench.kiosk, ahead_ms=HOUR_MS)
        kiosk.greet()
        await settle()
        kiosk.issue("A101")
        kiosk.device.send()
        await asyncio.sleep(10)
        await bench.reboot(START_MS + 24 * HOUR_MS)
        kiosk.greet()
        await settle()
        assert bench.issued_at("A101") == pytest.approx(START_MS + 24 * HOUR_MS + 200, abs=300)
        await asyncio.sleep(5)
        await bench.branch.call_next(1, "c")
        assert bench.wait_ms() == pytest.approx(15_200, abs=400)


@on_virtual_time
async def test_the_server_follows_ntp_and_takes_everything_along(tmp_path: Path) -> None:
    async with Bench(tmp_path, Server(START_MS + TEN_YEARS_MS)) as bench:
        kiosk = Kiosk(bench.kiosk, ahead_ms=HOUR_MS)
        kiosk.greet()
        await settle()
        kiosk.issue("A101")
        kiosk.issue("A102")
        kiosk.device.send()
        await asyncio.sleep(20)
        await bench.branch.call_next(1, "c")
        await asyncio.sleep(20)
        bench.server.off_ms, bench.server.machine = START_MS, Machine(True, 8)
        await asyncio.sleep(60)
        clock = bench.branch.ingest.clock
        assert clock.wall_ms() == START_MS + bench.server.mono_ms()
        assert (clock.stamp().quality, clock.stamp().err_ms) == ("ntp", 8)
        assert bench.issued_at("A102") == pytest.approx(START_MS + 200, abs=200)
        ((called,),) = bench.rows("ticket WHERE number = 'A101'", "called_at")
        assert called - bench.issued_at("A101") == pytest.approx(20_000, abs=20)
        assert bench.branch.counter(1).since_ms == pytest.approx(80_000, abs=20)
        kiosk.issue("A103")
        kiosk.device.send()
        await settle()
        assert bench.issued_at("A103") - bench.issued_at("A102") == pytest.approx(100_000, abs=20)


@on_virtual_time
async def test_a_device_on_the_servers_own_machine_has_its_count(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        await asyncio.sleep(5)
        kiosk = Kiosk(bench.kiosk, ahead_ms=0, off_ms=TEN_YEARS_MS, boot="server-1")
        kiosk.issue("A101")
        await asyncio.sleep(7)
        kiosk.greet()
        kiosk.device.send()
        await settle()
        assert bench.issued_at("A101") == START_MS + 5_100
        assert bench.rows("boot WHERE node = 'kiosk-1'") == []


@on_virtual_time
async def test_what_cannot_be_counted_is_left_alone(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/branch.db")
    dating = Dating(store, Server().clock(), "branch-1")
    jump = ClockJumpedData(before_ms=1, after_ms=2)
    for boot, mono_ms in (("", 5), ("x" * 65, 5), ("k", -1), ("k", 2**60)):
        event = Stream().make(
            "clock.jumped", jump, ts=START_MS, clk=Clk(boot=boot, mono_ms=mono_ms)
        )
        dating.heard([event])
        assert dating.at(event) == START_MS
        assert dating.settle() == {}
    store.close()


@on_virtual_time
async def test_what_cannot_be_written_now_is_written_later(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        refuse = "CREATE TRIGGER full BEFORE INSERT ON boot BEGIN SELECT RAISE(ABORT, 'full'); END"
        with bench.store.transaction() as connection:
            connection.execute(text(refuse))
        kiosk = Kiosk(bench.kiosk, ahead_ms=HOUR_MS)
        kiosk.greet()
        await settle()
        assert bench.kiosk.welcomes
        kiosk.issue("A101")
        kiosk.device.send()
        await settle()
        assert bench.issued_at("A101") == pytest.approx(START_MS + 200, abs=200)
        assert bench.rows("boot WHERE node = 'kiosk-1'") == []
        with bench.store.transaction() as connection:
            connection.execute(text("DROP TRIGGER full"))
        Kiosk(await second_kiosk(bench), ahead_ms=3, boot="r").greet()
        await settle()
        assert sorted(bench.rows("boot WHERE node != 'branch-1'", "boot")) == [("k",), ("r",)]
