"""Check-in at the branch: a real server on a real file, asked as kiosks ask."""

import asyncio
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from branch.appointments import AppointmentBook, read_appointments
from branch.config import BranchConfig, CounterConfig
from branch.queue import TicketPhase
from branch.standards_config import StandardsConfig
from simulator.broker import LocalBroker
from sync.codes import AskCode, CodeAnswer, ticket_code, token_of
from sync.messages import Answer, decode, encode
from sync.settings import SettingsError
from sync.topics import ANSWER, ASK
from sync.transport import Message
from tests.unit.branch.bench import CONFIG, BranchBench, Device, on_virtual_time, settle
from tests.unit.branch.events import START_MS

CODE, TOKEN = "482915", token_of("482915")
MIN = 60_000


def at(minutes: float) -> str:
    """Local time so many minutes after the start."""
    start = datetime.fromtimestamp(START_MS / 1000, UTC)
    return (start + timedelta(minutes=minutes)).isoformat()


def booked(folder: Path, minutes: float = 30, **more: Any) -> BranchConfig:
    """A branch with one appointment for B."""
    line = {"code": CODE, "service": "B", "at": at(minutes), **more}
    (folder / "appointments.json").write_text(json.dumps([line]))
    return msgspec.structs.replace(
        CONFIG,
        appointments=str(folder / "appointments.json"),
        counters=[*CONFIG.counters, CounterConfig(4, ["A"], "kiosk-2")],
        standards=StandardsConfig(max_wait_min=10.0, max_idle_min=0.0, max_line=0),
    )


class Asker:
    """A kiosk's questions and the answers that came."""

    def __init__(self, broker: LocalBroker, node: str = "kiosk-1") -> None:
        self.node = node
        self.answers: list[CodeAnswer] = []
        self.transport = broker.transport()
        self.transport.listen(
            on_up=lambda: None, on_down=lambda _: None, on_messages=self._receive
        )
        self.transport.subscribe(ANSWER.of(node=node))

    def _receive(self, messages: list[Message]) -> None:
        for message in messages:
            answer: Answer = decode(message.payload, Answer)  # type: ignore[arg-type]
            assert isinstance(answer, CodeAnswer)
            self.answers.append(answer)

    async def ask(self, code: str, key: str = "q", **more: Any) -> CodeAnswer:
        before = len(self.answers)
        ask = AskCode(key=key, code=token_of(code), **more)
        self.transport.publish(ASK, ASK.of(node=self.node), encode(ask))
        await settle()
        (answer,) = self.answers[before:]
        assert answer.key == key
        return answer


async def asker(bench: BranchBench) -> Asker:
    found = Asker(bench.broker)
    await found.transport.start()
    return found


async def checked_in(device: Device, number: str, **more: Any) -> str:
    """A kiosk issues a ticket for the code; returns its id."""
    now = round(asyncio.get_running_loop().time() * 1000)
    more = {"segment": "appointment", "code": TOKEN, **more}
    first = len(device.stream.raws)
    ticket: str = device.stream.issued(number, "B", at=now, **more).id
    device.stream.printed(ticket, now)
    device.send(*device.stream.raws[first:])
    await settle()
    return ticket


@on_virtual_time
async def test_early_on_time_late_and_another_day(tmp_path: Path) -> None:
    async with BranchBench(tmp_path, booked(tmp_path, counter=3)) as bench:
        kiosk = await asker(bench)
        early = await kiosk.ask(CODE)
        assert early == CodeAnswer(
            key="q", state="early", service="B", at_ms=START_MS + 30 * MIN, counter=3,
            hold_ms=600_000,
        )  # fmt: skip
        for minutes, state in ((25.1, "on_time"), (39.9, "on_time"), (40.2, "late")):
            await asyncio.sleep(minutes * 60 - asyncio.get_running_loop().time())
            assert (await kiosk.ask(CODE)).state == state
        assert (await kiosk.ask("482916")).state == "unknown"
        await asyncio.sleep(24 * 3600)
        assert (await kiosk.ask(CODE)).state == "other_day"


@on_virtual_time
async def test_one_code_is_one_ticket_over_kiosks_and_restarts(tmp_path: Path) -> None:
    async with BranchBench(tmp_path, booked(tmp_path)) as bench:
        kiosk = await asker(bench)
        slot = START_MS + 30 * MIN
        first = await checked_in(bench.kiosk, "B001", appointment_ms=slot)
        again = await kiosk.ask(CODE)
        assert (again.state, again.ticket, again.number) == ("used", first, "B001")
        other = Device(bench.broker, "kiosk-2")
        await other.transport.start()
        second = await checked_in(other, "B002", appointment_ms=slot)
        tickets = bench.branch.engine.tickets
        assert (tickets[first].segment, tickets[first].appointment_at) == ("appointment", slot)
        assert tickets[second].segment == "ordinary"
        await bench.restart()
        tickets = bench.branch.engine.tickets
        assert [tickets[one].segment for one in (first, second)] == ["appointment", "ordinary"]
        assert (await kiosk.ask(CODE)).number == "B001"
        assert bench.ledger() == ["ticket.tagged"]


@on_virtual_time
async def test_a_ticket_of_an_offline_kiosk_gets_its_slot_when_it_is_here(tmp_path: Path) -> None:
    async with BranchBench(tmp_path, booked(tmp_path)) as bench:
        (issued,) = [await checked_in(bench.kiosk, "B001", segment="ordinary")]
        ticket = bench.branch.engine.tickets[issued]
        assert (ticket.segment, ticket.appointment_at) == ("appointment", START_MS + 30 * MIN)
        assert ticket.line == ("B", "appointment", 0)
        assert ticket.place[0] == START_MS + 30 * MIN
        other = Device(bench.broker, "kiosk-2")
        await other.transport.start()
        nobody = await checked_in(other, "B002", segment="ordinary", code=token_of("000001"))
        second = await checked_in(other, "B003", segment="ordinary")
        for one in (nobody, second):
            assert bench.branch.engine.tickets[one].segment == "ordinary"
        for _ in range(2):
            await bench.restart()
        again = bench.branch.engine.tickets[issued]
        assert (again.appointment_at, again.place) == (ticket.appointment_at, ticket.place)
        assert bench.ledger() == ["ticket.tagged"]


@on_virtual_time
async def test_a_slot_waits_for_its_ticket_to_be_printed_and_for_room(tmp_path: Path) -> None:
    async with BranchBench(tmp_path, booked(tmp_path)) as bench:
        event = bench.kiosk.stream.issued("B001", "B", at=0, code=TOKEN)
        bench.kiosk.send()
        await settle()
        bench.kiosk.stream.printed(event.id)
        bench.kiosk.send(bench.kiosk.stream.raws[-1])
        await settle()
        assert bench.branch.engine.tickets[event.id].segment == "appointment"
        gone = bench.kiosk.stream.issued("B002", "B", at=0, code=token_of("000001"))
        bench.kiosk.stream.voided(gone.id)
        bench.kiosk.send(*bench.kiosk.stream.raws[2:])
        await settle()
        assert bench.branch.codes._unsettled == {}


@on_virtual_time
async def test_a_slip_s_code_tells_how_its_wait_goes(tmp_path: Path) -> None:
    async with BranchBench(tmp_path, booked(tmp_path)) as bench:
        kiosk = await asker(bench)
        (ticket,) = await bench.kiosk.tickets("A001")
        code = ticket_code(ticket)
        await asyncio.sleep(59)
        found = await kiosk.ask(code)
        assert (found.state, found.number, found.service, found.limit_ms) == (
            "waiting", "A001", "A", 600_000,
        )  # fmt: skip
        assert 59_000 <= found.waited_ms <= 61_000
        await asyncio.sleep(541)
        assert (await kiosk.ask(code)).state == "breached"
        for _ in range(2):  # the answer was lost: the same wish again
            later = await kiosk.ask(code, "k1", action="later", for_ms=600_000)
            assert later.state == "parked"
        assert bench.ledger() == ["ticket.parked"]
        assert (await kiosk.ask(code, "k2", action="later", for_ms=600_000)).state == "refused"
        await asyncio.sleep(601)
        back = await kiosk.ask(code)
        assert (back.state, back.waited_ms >= 1200_000) == ("breached", True)
        await bench.branch.call_next(2, "c1")
        called = await kiosk.ask(code)
        assert (called.state, called.counter) == ("called", 2)
        await bench.branch.finish(2, "c2")
        assert (await kiosk.ask(code)).state == "over"


@on_virtual_time
@pytest.mark.parametrize("for_ms", [0, 4 * MIN, 61 * MIN])
async def test_nobody_is_set_aside_for_longer_than_an_hour(tmp_path: Path, for_ms: int) -> None:
    async with BranchBench(tmp_path, booked(tmp_path)) as bench:
        kiosk = await asker(bench)
        (ticket,) = await bench.kiosk.tickets("A001")
        answer = await kiosk.ask(ticket_code(ticket), "k", action="later", for_ms=for_ms)
        assert answer.state == "refused"
        assert bench.branch.engine.tickets[ticket].phase is TicketPhase.WAITING


@on_virtual_time
async def test_a_question_that_is_none_is_counted_and_not_answered(tmp_path: Path) -> None:
    async with BranchBench(tmp_path, booked(tmp_path)) as bench:
        kiosk = await asker(bench)
        for bad in (
            AskCode(key="", code=TOKEN),
            AskCode(key="k" * 65, code=TOKEN),
            AskCode(key="k", code="482915"),
            AskCode(key="k", code=TOKEN.upper()),
        ):
            kiosk.transport.publish(ASK, ASK.of(node="kiosk-1"), encode(bad))
        await settle()
        assert kiosk.answers == []
        assert bench.branch.ingest.counters.bad_messages == 4


# --- the file -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ({"code": "48291"}, r"\[1\]\.code: expected six digits"),
        ({"code": "812345"}, r"\[1\]\.code: expected six digits, the first one 0 to 7"),
        ({"code": "912345"}, r"\[1\]\.code: expected six digits, the first one 0 to 7"),
        ({"code": "000000"}, r"\[1\]\.code: is there already"),
        ({"service": "Z"}, r"\[1\]\.service: 'Z' is not one of the services"),
        ({"counter": 9}, r"\[1\]\.counter: 9 is not one of the counters"),
        ({"at": "half past ten"}, r"\[1\]\.at: 'half past ten'; expected a local time"),
        ({"name": "x"}, "not a list of appointments: .*unknown field `name`"),
    ],
)
def test_a_wrong_line_refuses_the_file_with_its_key(line: dict[str, Any], says: str) -> None:
    good = {"code": "000000", "service": "B", "at": "2026-11-30T10:30"}
    raw = json.dumps([good, {**good, "code": "000001", **line}]).encode()
    with pytest.raises(ValueError, match=says):
        read_appointments(raw, "AB", [1], UTC)


def test_a_changed_file_is_read_anew_and_a_wrong_one_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "appointments.json"
    with pytest.raises(SettingsError, match=r"appointments\.json: No such file"):
        AppointmentBook(str(path), "AB", [1], UTC)
    book = AppointmentBook("", "AB", [1], UTC)
    assert book.find(TOKEN) is None
    path.write_text(json.dumps([{"code": CODE, "service": "B", "at": "2026-11-30T10:30"}]))
    book = AppointmentBook(str(path), "AB", [1], UTC)
    assert book.find(TOKEN) is not None
    _rewrite(path, "{")
    with capture_logs() as logs:
        for _ in range(2):
            assert book.find(TOKEN) is not None
    (entry,) = logs
    assert (entry["event"], entry["kept"]) == ("appointments.refused", 1)
    _rewrite(path, "[]")
    assert book.find(TOKEN) is None
    path.unlink()
    assert book.find(TOKEN) is None


def _rewrite(path: Path, text: str) -> None:
    path.write_text(text)
    later = path.stat().st_mtime_ns + 1_000_000_000
    os.utime(path, ns=(later, later))
