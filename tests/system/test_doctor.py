"""``lobby doctor`` on things that are really broken: no broker, a printer without paper or gone, a
full disk, a damaged database, a clock nobody keeps.
"""

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

import branch.doctor
import kiosk.doctor
from hal.api import Health, HealthState
from hal.sim.pad import PtyPad
from hal.sim.printer import SimPrinter
from hal.sim.printer_ports import TcpPrinter
from hal.sim.speaker import SpeakerBench
from simulator.mosquitto import Mosquitto, free_port
from sync import checks
from sync.checks import Check, Grade
from sync.clock import system_clock
from sync.journal import Journal
from sync.messages import DeviceData
from sync.timekeeping import Machine

pytestmark = pytest.mark.broker

KIOSK = """
node = "kiosk-1"
production = false
data_dir = "data"
[branch]
zh = "示例支行"
en = "Example branch"
[[services]]
letter = "A"
zh = "现金"
en = "Cash"
[broker]
port = {broker}
[printer]
address = "{printer}"
{more}
"""
BRANCH = """
node = "branch-1"
[branch]
zh = "示例支行"
en = "Example branch"
[[services]]
letter = "A"
zh = "现金"
en = "Cash"
[[counters]]
number = 1
services = ["A"]
[broker]
port = {broker}
[http]
port = {http}
"""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    mosquitto = Mosquitto(tmp_path_factory.mktemp("broker"))
    yield mosquitto
    mosquitto.stop()


@pytest.fixture
async def printer() -> AsyncIterator[tuple[SimPrinter, TcpPrinter]]:
    sim = SimPrinter()
    port = TcpPrinter(sim)
    await port.plug_in()
    yield sim, port
    await port.unplug()


def kiosk_file(folder: Path, broker: int, printer: str, more: str = "") -> Path:
    (folder / "data").mkdir(exist_ok=True)
    path = folder / "kiosk.toml"
    path.write_text(KIOSK.format(broker=broker, printer=printer, more=more), "utf-8")
    return path


async def rows(path: Path) -> dict[str, Check]:
    return {check.name: check for check in await kiosk.doctor.examine(path)}


async def test_a_kiosk_that_is_well(tmp_path, broker, printer):
    found = await rows(kiosk_file(tmp_path, broker.port, printer[1].address))
    assert list(found) == ["configuration", "disk", "clock", "journal", "broker", "printer"]
    well = {name for name, check in found.items() if check.grade is Grade.OK}
    assert well >= {"configuration", "disk", "journal", "broker", "printer"}
    assert list((tmp_path / "data").iterdir()) == [], "a doctor leaves nothing behind"


@pytest.mark.parametrize(
    ("break_it", "grade", "says", "remedy"),
    [
        (SimPrinter.paper_out, Grade.FAULT, "paper_out", "new roll"),
        (SimPrinter.paper_near_end, Grade.WARNING, "paper_near_end", "before it ends"),
        (SimPrinter.open_cover, Grade.FAULT, "cover_open", "close the printer's cover"),
    ],
)
async def test_the_printer_says_what_it_lacks(
    tmp_path, broker, printer, break_it, grade, says, remedy
):
    break_it(printer[0])
    check = (await rows(kiosk_file(tmp_path, broker.port, printer[1].address)))["printer"]
    assert check.grade is grade
    assert says in check.found
    assert remedy in check.remedy


async def test_what_is_not_there(tmp_path, printer):
    more = '[[pads]]\ncounter = 1\naddress = "serial:/dev/nothing"\n' + (
        '[card_reader]\naddress = "serial:/dev/nothing-else"\n'
    )
    await printer[1].unplug()
    found = await rows(kiosk_file(tmp_path, free_port(), printer[1].address, more))
    for name in ("broker", "printer", "pad-1", "card"):
        assert found[name].grade is Grade.FAULT, name
        assert found[name].remedy, name
    assert "start mosquitto" in found["broker"].remedy
    assert checks.status_of(found.values()) == 1


async def test_keys_and_speaker(tmp_path, broker, printer):
    ear = SpeakerBench(tmp_path)
    ear.plug_in()
    master, slave = os.openpty()
    keys = f'[keys]\nbackend = "serial"\naddress = "serial:{os.ttyname(slave)}"\n'
    speaker = f'[speaker]\naddress = "{ear.address}"\n'
    path = kiosk_file(tmp_path, broker.port, printer[1].address, keys + speaker)
    found = await rows(path)
    assert (found["keys"].grade, found["speaker"].grade) == (Grade.OK, Grade.OK)
    assert ear.heard() == [], "it is tried with silence"
    ear.break_it("missing")
    for fd in (master, slave):
        os.close(fd)
    found = await rows(path)
    for name, remedy in (("keys", "plug it in"), ("speaker", "alsa-utils")):
        assert found[name].grade is Grade.FAULT, name
        assert remedy in found[name].remedy
    journal = Journal(tmp_path / "data/journal.db", node="kiosk-1", clock=system_clock())
    with journal.transaction() as transaction:
        data = DeviceData(device="speaker", kind="speaker", state="lost", detail="silent")
        transaction.append("device.changed", data)
    found = await rows(path)
    assert found["speaker"].found == "lost, silent (the kiosk runs)"
    assert found["keys"].grade is Grade.FAULT
    journal.close()


async def test_a_pad_that_says_nothing(tmp_path, broker, printer):
    master, slave = os.openpty()
    more = f'[[pads]]\ncounter = 1\naddress = "serial:{os.ttyname(slave)}"\n'
    found = await rows(kiosk_file(tmp_path, broker.port, printer[1].address, more))
    assert found["pad-1"].grade is Grade.FAULT
    for fd in (master, slave):
        os.close(fd)


@pytest.mark.micropython
@pytest.mark.parametrize(("role", "grade"), [("keys", Grade.OK), ("rating", Grade.FAULT)])
async def test_a_pad_for_keys_is_greeted(tmp_path, broker, printer, role, grade):
    pad = PtyPad(tmp_path, "keys", roles=(role,))
    await pad.start()
    more = f'[keys]\nbackend = "pad"\nallow_unkeyed = true\naddress = "{pad.address}"\n'
    found = await rows(kiosk_file(tmp_path, broker.port, printer[1].address, more))
    await pad.stop()
    assert found["keys"].grade is grade
    if grade is Grade.FAULT:
        assert (found["keys"].found, found["keys"].remedy) == (
            "fault, not_keys",
            "lobby flash provision --role keys",
        )


async def test_something_else_listens_at_the_broker_s_port(tmp_path, printer):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        check = (await rows(kiosk_file(tmp_path, port, printer[1].address)))["broker"]
    assert check.grade is Grade.FAULT
    assert "lets nobody in" in check.found


async def test_a_kiosk_that_runs_is_asked_and_not_disturbed(tmp_path, broker, printer):
    path = kiosk_file(tmp_path, broker.port, printer[1].address)
    journal = Journal(tmp_path / "data/journal.db", node="kiosk-1", clock=system_clock())
    for state, detail in (("fault", "paper_out"), ("lost", "unavailable")):
        with journal.transaction() as transaction:
            data = DeviceData(device="printer", kind="printer", state=state, detail=detail)
            transaction.append("device.changed", data)
    before = printer[0].received
    check = (await rows(path))["printer"]
    assert (check.grade, check.found) == (Grade.FAULT, "lost, unavailable (the kiosk runs)")
    assert printer[0].received == before
    journal.close()
    assert (await rows(path))["printer"].grade is Grade.OK


async def test_a_damaged_journal(tmp_path, broker, printer):
    path = kiosk_file(tmp_path, broker.port, printer[1].address)
    Journal(tmp_path / "data/journal.db", node="kiosk-1", clock=system_clock()).close()
    assert (await rows(path))["journal"].grade is Grade.OK
    file = tmp_path / "data/journal.db"
    raw = bytearray(file.read_bytes())
    raw[100:4096] = os.urandom(3996)
    file.write_bytes(raw)
    check = (await rows(path))["journal"]
    assert check.grade is Grade.FAULT
    assert "restore a copy" in check.remedy


@pytest.mark.parametrize(
    ("machine", "grade"),
    [
        (Machine(True, 12, True), Grade.OK),
        (Machine(hardware_clock=True), Grade.WARNING),
        (Machine(hardware_clock=False), Grade.FAULT),
    ],
)
def test_a_clock_that_nobody_keeps(machine, grade):
    check = checks.clock(lambda _: machine)
    assert check.grade is grade
    assert ("timedatectl" in check.remedy) == (grade is not Grade.OK)


def test_a_disk_that_takes_nothing(tmp_path):
    assert checks.disk(tmp_path / "nowhere").grade is Grade.FAULT
    assert checks.disk(Path("/proc")).grade is Grade.FAULT
    assert checks.disk(tmp_path).grade in (Grade.OK, Grade.WARNING)


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="mounts a disk")
def test_a_full_disk_ends_with_1(tmp_path):
    path = kiosk_file(tmp_path, free_port(), "tcp://127.0.0.1:9")
    script = (
        f"mount -t tmpfs -o size=1m tmpfs {tmp_path}/data && "
        f"dd if=/dev/zero of={tmp_path}/data/full bs=4k count=256 2>/dev/null; "
        f"exec {sys.executable} -m lobby doctor --json --config {path}"
    )
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script], capture_output=True, text=True, check=False
    )
    if "unshare" in done.stderr:
        pytest.skip("no mounts here")
    assert done.returncode == 1, done.stderr
    told = json.loads(done.stdout)
    (disk,) = [check for check in told["checks"] if check["name"] == "disk"]
    assert not told["ok"]
    assert disk["grade"] == "fault"
    assert "No space left" in disk["found"]


def test_the_command_names_a_file_that_is_wrong(tmp_path):
    path = tmp_path / "kiosk.toml"
    path.write_text('nod = "kiosk-1"\n')
    command = [sys.executable, "-m", "lobby", "doctor", "--config", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "nod: unknown key; did you mean 'node'?" in done.stdout
    assert "1 checks, 1 faults" in done.stdout


async def test_a_branch_server(tmp_path, broker):
    path = tmp_path / "branch.toml"
    path.write_text(BRANCH.format(broker=broker.port, http=free_port()), "utf-8")
    found = {check.name: check for check in await branch.doctor.examine(path)}
    assert found["database"].grade is Grade.OK
    assert found["broker"].grade is Grade.OK
    assert (found["pages"].grade, found["speaker"].found) == (
        Grade.WARNING,
        "announcements are off",
    )
    more = '[announcements]\nenabled = true\naddress = "file:/nonexistent/x.wav"\n'
    path.write_text(BRANCH.format(broker=free_port(), http=free_port()) + more, "utf-8")
    found = {check.name: check for check in await branch.doctor.examine(path)}
    assert found["broker"].grade is Grade.FAULT
    assert found["speaker"].grade is Grade.FAULT
    (tmp_path / "branch.db").write_bytes(b"no database" * 100)
    found = {check.name: check for check in await branch.doctor.examine(path)}
    assert found["database"].grade is Grade.FAULT


def test_a_row_of_an_unknown_code_points_to_the_runbook():
    check = kiosk.doctor.row("pad-1", Health(HealthState.FAULT, "protocol"))
    assert check.remedy == "see docs/runbook.md"
    assert asyncio.iscoroutinefunction(kiosk.doctor.examine)
