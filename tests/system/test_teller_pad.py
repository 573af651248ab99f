"""A teller's pad end to end: real firmware on a pty, real kiosk, real mosquitto, real server."""

import asyncio
import contextlib
import os
import signal
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC
from pathlib import Path

import pytest

from hal.sim.pad import ALL_LIT, PtyPad
from hal.sim.printer import SimPrinter
from hal.sim.printer_ports import TcpPrinter
from kiosk.cli import build_devices, transport_for
from kiosk.config import BranchName, KioskConfig, PadConfig, PrinterConfig, ServiceConfig
from kiosk.controller import KioskController
from kiosk.pad_keys import FOLDER
from kiosk.view import Printing, TicketView, View
from simulator.mosquitto import Mosquitto, free_port
from simulator.parts import Part, Parts, lobby_command
from sync.clock import system_clock
from sync.journal import Journal
from sync.messages import State, decode
from sync.mqtt import MqttTransport
from sync.pad_messages import TellerAnswer
from sync.settings import BrokerConfig
from sync.topics import ANSWER, SRV_STATE
from sync.transport import Message

pytestmark = [pytest.mark.broker, pytest.mark.micropython, pytest.mark.timeout(90)]

NEXT, RECALL, NO_SHOW, FINISH, PAUSE = range(1, 6)
SOON_S = 20.0
BRANCH = """
node = "branch-1"
rating_window_s = 60.0
[branch]
zh = "示例支行"
en = "Example branch"
[http]
port = {http}
[broker]
host = "{host}"
port = {port}
[[services]]
letter = "A"
zh = "现金"
en = "Cash"
[[counters]]
number = 1
services = ["A"]
pad_node = "kiosk-1"
caller_node = "kiosk-1"
"""


async def until(condition: Callable[[], object], within_s: float = SOON_S) -> None:
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - several programs, no common event
            await asyncio.sleep(0.02)


class Stand:
    """One counter with two pads, a kiosk in this process, the server in another."""

    kiosk: KioskController

    def __init__(self, folder: Path, broker: Mosquitto) -> None:
        self.broker = broker
        self.parts = Parts(folder)
        self.folder = folder
        self.visitors = PtyPad(folder, "visitors", key=os.urandom(32))
        self.teller = PtyPad(folder, "teller", key=os.urandom(32), roles=("caller",))
        self.answers: list[TellerAnswer] = []
        self.starts: list[State] = []
        self.views: list[View] = []
        toml = BRANCH.format(host=broker.host, port=broker.port, http=free_port(broker.host))
        (folder / "branch.toml").write_text(toml, "utf-8")

    async def start_branch(self, crash: str = "") -> Part:
        """Start the server; with ``crash`` it kills itself at that place of its program."""
        known = len(self.starts)
        part = await self.parts.start(
            "branch", *lobby_command("branch", "--config", str(self.folder / "branch.toml")),
            env={"LOBBY_CRASH_AT": crash},
        )  # fmt: skip
        await until(lambda: len(self.starts) > known and self.starts[-1].status == "online")
        return part

    async def take(self, touch: str) -> str:
        """Take a ticket and its slip; its number."""
        self.kiosk.tap("service.A", touch)
        await until(self.printed)
        ticket = self.kiosk.visit.ticket
        assert ticket is not None
        self.kiosk.tap("done", "ok")
        await until(lambda: not self.kiosk.outbox.unacknowledged)
        return ticket.number

    def printed(self) -> bool:
        """Whether the screen says that the slip is out."""
        view = self.views[-1]
        return isinstance(view, TicketView) and view.printing is Printing.DONE

    def ledger(self) -> list[str]:
        """The server's own events."""
        with contextlib.closing(sqlite3.connect(self.folder / "branch.db", timeout=10)) as db:
            rows = db.execute("SELECT type FROM event WHERE node = 'branch-1' ORDER BY seq")
            return [row[0] for row in rows]

    async def shows(self, *digits: str, within_s: float = SOON_S) -> None:
        """Wait until the teller reads one of these."""
        await until(lambda: self.teller.digits() in digits, within_s)

    def hear(self, messages: list[Message]) -> None:
        for message in messages:
            if message.topic == SRV_STATE.of():
                self.starts.append(decode(message.payload, State))
            else:
                self.answers.append(decode(message.payload, TellerAnswer))
            message.done()


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    async with AsyncExitStack() as way_down:
        broker = await asyncio.to_thread(Mosquitto, tmp_path)
        way_down.push_async_callback(asyncio.to_thread, broker.stop)
        stand = Stand(tmp_path, broker)
        way_down.push_async_callback(stand.parts.stop_all)
        spy = MqttTransport(host=broker.host, port=broker.port, client_id="spy")
        spy.listen(on_up=lambda: None, on_down=lambda _: None, on_messages=stand.hear)
        spy.subscribe(ANSWER.of(node="kiosk-1"), SRV_STATE.of())
        await spy.start()
        way_down.push_async_callback(spy.stop)
        keys = tmp_path / "kiosk" / FOLDER
        keys.mkdir(parents=True)
        for pad in (stand.visitors, stand.teller):
            pad.share_key(keys)
            await pad.start()
            way_down.push_async_callback(pad.stop)
        printer_port = TcpPrinter(SimPrinter())
        await printer_port.plug_in()
        way_down.push_async_callback(printer_port.unplug)
        config = KioskConfig(
            node="kiosk-1",
            production=False,
            branch=BranchName("示例支行", "Example branch"),
            services=[ServiceConfig("A", "现金", "Cash")],
            printer=PrinterConfig(address=printer_port.address),
            data_dir=str(tmp_path / "kiosk"),
            broker=BrokerConfig(broker.host, broker.port),
            pads=[
                PadConfig(1, stand.visitors.address),
                PadConfig(1, stand.teller.address, roles=["caller"]),
            ],
        )
        clock = system_clock()
        journal = Journal(tmp_path / "kiosk" / "journal.db", node="kiosk-1", clock=clock)
        way_down.callback(journal.close)
        printer, pads, callers = build_devices(config, clock)
        stand.kiosk = KioskController(
            config,
            journal=journal,
            printer=printer,
            pads=pads,
            callers=callers,
            transport=transport_for(config),
            clock=clock,
            show=stand.views.append,
            version="test",
            tz=UTC,
        )
        await stand.kiosk.start()
        way_down.push_async_callback(stand.kiosk.stop)
        yield stand


async def test_next_finish_and_the_visitor_is_asked(stand: Stand) -> None:
    await stand.start_branch()
    number = await stand.take("one")
    await stand.take("two")
    await stand.shows("    ", "   2")
    await stand.teller.press_teller(NEXT)
    await stand.shows(number)
    await stand.shows("   1", within_s=8)
    await stand.teller.press_teller(FINISH)
    await stand.shows("    ")
    assert await stand.visitors.wait_for_leds(ALL_LIT, SOON_S)
    await stand.visitors.press(5)
    await until(lambda: stand.kiosk.outbox.unacknowledged == 0)
    assert stand.ledger() == ["ticket.called", "service.ended"]
    await stand.teller.press_teller(RECALL)
    await stand.shows("E-03")
    assert [answer.reason for answer in stand.answers] == ["", "", "no_ticket"]


async def test_the_server_is_killed_between_the_call_and_its_answer(stand: Stand) -> None:
    part = await stand.start_branch(crash="service.recorded")
    number = await stand.take("one")
    await stand.take("two")
    await stand.shows("    ", "   2")
    await stand.teller.press_teller(NEXT)
    assert await asyncio.wait_for(part.process.wait(), SOON_S) == -signal.SIGKILL
    assert (stand.ledger(), stand.answers) == (["ticket.called"], [])
    await stand.start_branch()
    await stand.shows(number)
    await asyncio.sleep(5)  # whatever is still on its way has come by then
    assert stand.ledger() == ["ticket.called"]
    assert {answer.reason for answer in stand.answers} <= {""}, "asked again, it was done"
    await stand.teller.press_teller(FINISH)
    await stand.shows("    ")
    assert stand.ledger() == ["ticket.called", "service.ended"]


async def test_a_server_that_stood_still_calls_nobody_afterwards(stand: Stand) -> None:
    part = await stand.start_branch()
    await stand.take("one")
    await stand.shows("    ", "   1")
    part.process.send_signal(signal.SIGSTOP)
    try:
        await stand.teller.press_teller(NEXT)
        await stand.shows("E-04")
    finally:
        part.process.send_signal(signal.SIGCONT)
    await until(lambda: stand.answers)
    await stand.shows("    ", "   1")
    assert {answer.reason for answer in stand.answers} == {"expired"}
    assert stand.ledger() == []
    await stand.teller.press_teller(NEXT)
    await until(lambda: stand.ledger() == ["ticket.called"])


async def test_without_a_server_the_teller_knows_at_once(stand: Stand) -> None:
    await stand.shows("----")
    await asyncio.sleep(1)  # the pad is greeted
    await stand.teller.press_teller(NEXT)
    await stand.shows("E-01", within_s=3)
