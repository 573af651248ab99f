"""Cards at the kiosk: the segment is told, nothing else is kept."""

import asyncio
import json
from pathlib import Path

import pytest

from hal.api import Health, HealthState
from hal.drivers.card import SerialCardReader
from hal.drivers.card_codes import read_of
from hal.link import memory_pair
from hal.sim.card import SimSerialReader
from kiosk.cards import SALT_FILE, TABLE_FILE, CardKeeper, salt_in
from kiosk.cli_cards import add, next_token
from kiosk.errors import KioskError
from sync.messages import TicketIssued
from tests.unit.kiosk.bench import Bench, until, virtual

CARD = "6222021234567890123"


class Heard:
    def __init__(self) -> None:
        self.segments: list[str] = []
        self.codes: list[str] = []
        self.healths: list[Health] = []
        self.news = asyncio.Event()

    def segment(self, segment: str) -> None:
        self.segments.append(segment)
        self.news.set()

    def code(self, code: str) -> None:
        self.codes.append(code)
        self.news.set()


async def test_a_known_card_names_its_segment_and_a_code_is_handed_on(tmp_path: Path):
    salt = salt_in(tmp_path)
    link, far = memory_pair()
    await far.open()
    sim, heard = SimSerialReader(far), Heard()
    probe = SerialCardReader(link, name="card", salt=salt)
    await probe.open()
    await sim.swipe(CARD)
    token = (await probe.next_read()).token
    await probe.close()
    (tmp_path / TABLE_FILE).write_text(json.dumps({token: "vip"}))
    await far.close()
    await far.open()
    keeper = CardKeeper(
        SerialCardReader(link, name="card", salt=salt),
        tmp_path,
        heard.segment,
        code=heard.code,
        told=heard.healths.append,
    )
    await keeper.start()
    assert heard.healths[-1].state is HealthState.OK
    for text in ("6222021234567890124", CARD, "L1:abc"):
        await sim.swipe(text)
    async with asyncio.timeout(5):
        while not heard.codes:
            heard.news.clear()
            await heard.news.wait()
    assert (heard.segments, heard.codes) == (["vip"], ["abc"])
    (tmp_path / TABLE_FILE).write_text("{")  # the last good table stays
    await sim.swipe(CARD)
    await sim.swipe("L1:def")
    async with asyncio.timeout(5):
        while len(heard.codes) < 2:
            heard.news.clear()
            await heard.news.wait()
    assert heard.segments == ["vip", "vip"]
    await keeper.stop()


async def test_the_branch_s_table_stands_above_the_local_one(tmp_path: Path):
    salt = salt_in(tmp_path)
    link, far = memory_pair()
    await far.open()
    sim, heard = SimSerialReader(far), Heard()
    token = read_of(bytearray(CARD.encode()), salt).token
    (tmp_path / TABLE_FILE).write_text(json.dumps({token: "vip"}))
    pushed: list[dict[str, str] | None] = [{token: "corporate"}]
    keeper = CardKeeper(
        SerialCardReader(link, name="card", salt=salt),
        tmp_path,
        heard.segment,
        code=heard.code,
        pushed=lambda: pushed[0],
    )
    await keeper.start()
    for table, expected in (({token: "corporate"}, ["corporate"]), ({}, []), (None, ["vip"])):
        pushed[0], heard.segments, heard.codes = table, [], []
        await sim.swipe(CARD)
        await sim.swipe("L1:then")
        async with asyncio.timeout(5):
            while not heard.codes:
                heard.news.clear()
                await heard.news.wait()
        assert heard.segments == expected
    await keeper.stop()


async def test_a_card_at_the_reader_becomes_a_line_of_the_table(tmp_path: Path):
    salt, table = salt_in(tmp_path), tmp_path / "table.json"
    for text, segment in ((CARD, "corporate"), ("another", "vip"), (CARD, "vip")):
        link, far = memory_pair()
        await far.open()
        reader = SerialCardReader(link, name="card", salt=salt)
        reading = asyncio.create_task(next_token(reader))
        await SimSerialReader(far).swipe(text)
        said = add(table, await reading, segment)
    token = read_of(bytearray(CARD.encode()), salt).token
    assert json.loads(table.read_text())[token] == "vip"
    assert said == f"{table}: 2 cards; this one was corporate, is vip now"
    assert CARD not in table.read_text() + said
    before = table.read_bytes()
    for text, says in (
        ("L1:482915", "a code of the branch"),
        ("", "no card was read within 0 s"),
    ):
        link, far = memory_pair()
        await far.open()
        reader = SerialCardReader(link, name="card", salt=salt)
        if text:
            await SimSerialReader(far).swipe(text)
        with pytest.raises(KioskError, match=says):
            await next_token(reader, wait_s=5 if text else 0)
    with pytest.raises(KioskError, match="segment 'V I P'"):
        add(table, token, "V I P")
    assert table.read_bytes() == before
    table.write_text("{")
    with pytest.raises(KioskError, match="not a table"):
        add(table, token, "vip")


async def test_without_a_reader_there_is_nothing_to_do(tmp_path: Path):
    keeper = CardKeeper(None, tmp_path, lambda _: None)
    await keeper.start()
    await keeper.stop()


def test_the_salt_is_made_once_and_for_its_owner_only(tmp_path: Path):
    salt = salt_in(tmp_path)
    assert len(salt) == 32
    assert salt_in(tmp_path) == salt
    assert (tmp_path / SALT_FILE).stat().st_mode & 0o777 == 0o600
    (tmp_path / SALT_FILE).write_bytes(b"short")
    with pytest.raises(KioskError, match="5 bytes; expected 32"):
        salt_in(tmp_path)


@virtual
async def test_a_vip_s_card_gives_a_vip_s_ticket_and_neither_slip_nor_event_names_it(
    tmp_path: Path,
):
    async with Bench(tmp_path) as bench:
        await bench.start()
        salt = salt_in(tmp_path)
        link, far = memory_pair("card")
        await far.open()
        token = read_of(bytearray(CARD.encode()), salt).token
        (tmp_path / TABLE_FILE).write_text(json.dumps({token: "vip"}))
        reader = SerialCardReader(link, name="card", salt=salt)
        keeper = CardKeeper(reader, tmp_path, bench.kiosk.identify)
        await keeper.start()
        await SimSerialReader(far).swipe(CARD)
        await until(lambda: bench.kiosk.visit.segment == "vip")
        bench.tap("service.A")
        slip = await bench.paper.next_slip()
        (issued,) = bench.events("ticket.issued")
        assert isinstance(issued, TicketIssued)
        assert issued.data.segment == "vip"
        for told in (repr(bench.events()), "".join(slip.lines), str(slip.qr)):
            assert token not in told
            assert CARD not in told
        assert "vip" not in "".join(slip.lines).lower()
        await keeper.stop()
        await bench.stop()
