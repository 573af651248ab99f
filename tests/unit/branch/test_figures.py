"""Every figure of the page against the raw events, recomputed by code of its own."""

import csv
import io
import os
import random
import sqlite3
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from litestar import Litestar
from litestar.testing import AsyncTestClient, TestClient

from branch.config import ServiceConfig
from branch.day_book import DayBook
from branch.figures import day_figures, share, spread
from branch.figures_csv import BOM, FIGURE_COLUMNS, TICKET_COLUMNS, safe
from branch.figures_rows import read_day
from branch.store import Store
from branch.web.app import create_app
from simulator.replay import MEMORY_DISK
from sync import messages as m
from sync.clock import Clock
from sync.identity import CHAIN_START, chain
from sync.ledger import event_row, event_table, last_place
from sync.messages import EVENT_TYPES, AnyEvent, encode
from tests.ui.web_branch import ToyBranch
from tests.unit.branch.bench import CONFIG
from tests.unit.branch.events import DATE, START_MS
from tests.unit.branch.figures_day import PEOPLE, play
from tests.unit.branch.figures_forecasts import around, of_any_kind
from tests.unit.branch.figures_oracle import Page, page_of, read
from tests.unit.branch.queue_world import PLAIN, World, random_step
from tests.unit.kiosk.bench import Bench, virtual

NEXT_DATE = "2025-10-10"
SHANGHAI = timezone(timedelta(hours=8))
TELLERS = ("t-0000000001", "t-0000000002", "")
BRANCH = msgspec.structs.replace(
    CONFIG,
    services=[
        ServiceConfig("A", "现金", "Cash"), ServiceConfig("B", "对公", "Business"),
        ServiceConfig("D", "理财", "Advice"),
    ],
)  # fmt: skip
SERVICES = "".join(service.letter for service in BRANCH.services)
"""The world serves A, B and C: one has no tickets, one is not configured any more."""


def append(store: Store, events: list[AnyEvent]) -> None:
    """Into the ledger and the tables, as they come."""
    with store.transaction() as connection:
        place = last_place(connection)
        for number, event in enumerate(events, start=1):
            raw = encode(event)
            row = event_row(event.src, event, chain(raw), raw, START_MS, place + number)
            connection.execute(event_table.insert().values(row))
        store.project(connection, events)


def history(rng: random.Random, steps: int) -> list[AnyEvent]:
    """A random history of the queue, with tellers, two business dates and presses."""
    world = World(PLAIN)
    for step in range(steps):
        random_step(world, rng, busy=0.15)
        counter = rng.randint(1, 4)
        slot = world.engine.counters[counter]
        if step % 5 == 0:
            world.call_next(counter)
        elif step % 7 == 0 and slot.ticket is not None:
            world.attempt(world.at("service.ended", counter, slot.ticket.id))
        elif step % 11 == 0:
            world.attempt(_walk_in(world, counter))
    events: list[AnyEvent] = []
    nonces: list[tuple[int, int]] = []
    for event in world.log:
        match event:
            case m.TicketIssued():
                date = DATE if rng.random() < 0.9 else NEXT_DATE
                data = msgspec.structs.replace(event.data, business_date=date)
                events.append(msgspec.structs.replace(event, data=data))
            case m.CounterOpened():
                opened = msgspec.structs.replace(event.data, teller=rng.choice(TELLERS))
                events.append(msgspec.structs.replace(event, data=opened))
            case m.ServiceEnded():
                nonce = rng.choice((0, len(events) + 1, len(events) + 1))
                ended = msgspec.structs.replace(event.data, nonce=nonce)
                events.append(msgspec.structs.replace(event, data=ended))
                nonces.append((nonce, event.data.counter))
            case _:
                events.append(event)
        if nonces and rng.random() < 0.4:
            events.append(_press(rng, *rng.choice(nonces[-2:]), event.ts, len(events)))
    return events


def _walk_in(world: World, counter: int) -> Any:
    data = m.IssuedData(
        number="AW001", service="C", segment="", language="en", business_date=DATE, band=0,
        request=f"w{len(world.log)}", counter=counter,
    )  # fmt: skip
    return world.event("ticket.issued", data, "self")


def _press(rng: random.Random, nonce: int, counter: int, ts: int, number: int) -> AnyEvent:
    if rng.random() < 0.1:
        counter = rng.choice((1, 2, 3, 4))
    ts += rng.choice((0, 1_000, 8_000, 16 * 3_600_000))
    score = rng.choice((1, 2, 3, 4, 4, 5, 5, 5, 5, 0, 6))
    pad = m.PadRef(unique_id="pad", boot_id=1, seq=number, interpreter="x")
    kind, data = "rating.submitted", m.RatingData(
        counter=counter, score_1to5=score, nonce=nonce, delay_ms=1, pad=pad
    )  # fmt: skip
    if rng.random() < 0.2:
        kind = "rating.unsolicited"
        data = m.UnsolicitedData(counter=counter, score_1to5=score, pad=pad)  # type: ignore[assignment]
    return EVENT_TYPES[kind](  # type: ignore[return-value, call-arg]
        id=f"press-{number:06}", src="kiosk-9", epoch=1, seq=number + 1, prev=CHAIN_START, ts=ts,
        clk=m.Clk(boot="b", mono_ms=0), sub=None, data=data,
    )  # fmt: skip


def book_of(store: Store, tz: tzinfo = UTC) -> DayBook:
    clock = Clock(wall_ms=lambda: START_MS, mono_ms=lambda: 0, boot="b", random_bits=lambda _: 1)
    return DayBook(BRANCH, store, clock, tz)


def app_of(store: Store, tz: tzinfo = UTC) -> Litestar:
    return create_app(ToyBranch(), version="1", max_streams=0, figures=book_of(store, tz))


def shown(page: Page) -> dict[str, Any]:
    """What the page shows, by the names of the oracle."""
    tables: dict[str, Any] = {"apart": {}, **page.tables}
    return {"counts": page.counts, **tables}


def agree(
    client: TestClient[Litestar], file: Path, date: str, tz: tzinfo, services: str = SERVICES
) -> dict[str, Any]:
    """The page, the JSON and the CSV of a day say what the raw events say; returns the oracle's
    figures.
    """
    answer = client.get("/branch", params={"date": date, "lang": "en"})
    assert answer.status_code == 200
    page, wanted = Page(answer.text), page_of(read(file), date, services, tz)
    rated = wanted.pop("rated")
    if wanted["counts"] == dict.fromkeys(wanted["counts"], "0"):
        assert "No tickets on this day." in page.ids["empty"]
        assert page.tables.get("apart", {}) == wanted["apart"]
    else:
        found = shown(page)
        assert found.keys() == wanted.keys()
        for name, rows in wanted.items():
            assert found[name] == rows, name
        percent, interval, _, n, served, participation, _ = rated
        assert f"n={n} " in page.ids["satisfied"] + " "
        assert interval == "–" or f"95 % interval {interval} " in page.ids["satisfied"] + " "
        assert page.ids["satisfied"].split(" n=")[0].strip().endswith(percent.split(" ")[0])
        how = f"{n} rated of {served} served"
        assert page.ids["participation"].strip() == f"Participation {participation} {how}"
        assert page.charts["hours"][::2] == [row[0] for row in wanted["tickets-hours"].values()]
    _json_and_csv(client, date, wanted, rated)
    return {**wanted, "rated": rated}


def _json_and_csv(
    client: TestClient[Litestar], date: str, wanted: dict[str, Any], rated: list[str]
) -> None:
    day = client.get("/api/branch", params={"date": date}).json()
    assert {name: str(day[name]) for name in wanted["counts"]} == wanted["counts"]
    text = client.get("/branch.csv", params={"date": date}).text
    assert text.startswith(BOM)
    rows = list(csv.DictReader(io.StringIO(text.removeprefix(BOM))))
    cells = {(r["scope"], r["key"], r["measure"]): r for r in rows}
    assert len(cells) == len(rows), "a figure twice"
    assert {r["date"] for r in rows} == {date}
    satisfied = cells["branch", "", "satisfied"]
    assert satisfied["n"] == rated[3]
    told = f"{satisfied['value']}%" if satisfied["value"] else "–"
    assert told == rated[0].split(" ")[0]
    assert (f"{satisfied['low']}–{satisfied['high']}" if satisfied["low"] else "–") == rated[1]
    for scope, table in (("service", "waits-services"), ("hour", "waits-hours")):
        for key, row in wanted[table].items():
            if key:
                assert cells[scope, key, "wait_mean"]["n"] == row[0]
                assert _clock(cells[scope, key, "wait_p90"]["value"]) == row[3]
                assert _clock(cells[scope, key, "wait_mean"]["value"]) == row[1]
    for key, row in wanted["services-services"].items():
        scope = "service" if key else "branch"
        assert _clock(cells[scope, key, "service_p50"]["value"]) == row[2]
    for key, row in wanted["apart"].items():
        kinds = ("unsolicited", "repeated", "invalid")
        assert [cells["counter", key, f"presses_{kind}"]["value"] for kind in kinds] == row


def _clock(seconds: str) -> str:
    if not seconds:
        return "–"
    whole, _, part = seconds.partition(".")
    total = int(whole) + (part >= "500")
    if total < 3600:
        return f"{total // 60}:{total % 60:02}"
    return f"{total // 3600}:{total // 60 % 60:02}:{total % 60:02}"


@pytest.mark.timeout(120)
@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.integers(0, 10**9), st.integers(0, 140), st.sampled_from([UTC, SHANGHAI]))
def test_every_figure_is_that_of_the_raw_events(seed: int, steps: int, tz: tzinfo) -> None:
    rng = random.Random(seed)
    memory = MEMORY_DISK if os.access(MEMORY_DISK, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="lobby-figures-", dir=memory) as folder:
        file = Path(folder) / "branch.db"
        store = Store(f"sqlite:///{file}")
        store.forecasts = of_any_kind(rng)
        events = history(rng, steps)
        while events:
            burst, events = events[:7], events[7:]
            append(store, burst)
        with TestClient(app_of(store, tz)) as client:
            for date in (DATE, NEXT_DATE, "2025-10-11"):
                agree(client, file, date, tz)
        store.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    found = Store(f"sqlite:///{tmp_path}/branch.db")
    yield found
    found.close()


@pytest.fixture
async def client(store: Store) -> AsyncIterator[AsyncTestClient[Litestar]]:
    async with AsyncTestClient(app_of(store)) as client:
        yield client


Client = AsyncTestClient[Litestar]


@pytest.mark.timeout(120)
def test_a_long_history_has_everything(tmp_path: Path) -> None:
    """Most figures of a random history are small: this one has more than thirty of each."""
    rng = random.Random(7)
    file = tmp_path / "branch.db"
    store = Store(f"sqlite:///{file}")
    store.forecasts = of_any_kind(rng)
    append(store, history(rng, 1_500))
    with TestClient(app_of(store)) as client:
        found = agree(client, file, DATE, UTC)
    store.close()
    assert int(found["rated"][3]) > 30
    assert "too few" not in found["rated"][0]
    assert int(found["cover"][""][2]) > 30
    assert len(found["tickets-hours"]) > 3
    assert found["apart"]
    assert len(found["rated-tellers"]) > 3


@pytest.mark.parametrize(
    ("count", "n", "percent", "low", "high"),
    [(3, 3, 100.0, 43.9, 100.0), (1, 1, 100.0, 20.7, 100.0), (45, 50, 90.0, 78.6, 95.7),
     (180, 200, 90.0, 85.1, 93.4), (37, 40, 92.5, 80.1, 97.4), (0, 5, 0.0, 0.0, 43.4),
     (590, 641, 92.0, 89.7, 93.9), (1, 2_000, 0.1, 0.0, 0.3)],
)  # fmt: skip
def test_wilson_by_worked_examples(
    count: int, n: int, percent: float, low: float, high: float
) -> None:
    found = share(count, n)
    assert (found.percent, found.low, found.high) == (percent, low, high)


def test_nothing_has_no_figure() -> None:
    assert share(0, 0).percent is share(0, 0).low is None
    assert spread([]).mean_ms is spread([]).p90_ms is None
    assert (spread([3, 4]).mean_ms, spread([3, 4]).p50_ms, spread([3, 4]).p90_ms) == (4, 3, 4)


async def test_an_empty_day_says_so_in_both_languages(client: Client) -> None:
    for lang, words in (("zh", "这一天没有取号记录。"), ("en", "No tickets on this day.")):
        page = await client.get("/branch", params={"lang": lang})
        assert words in page.text
        assert "<table" not in page.text
    day = (await client.get("/api/branch")).json()
    assert (day["date"], day["issued"], day["rated"]["satisfied"]["percent"]) == (DATE, 0, None)


@pytest.mark.parametrize(
    "date", ["yesterday", "2025-02-30", "2025-1-9", "10000-01-01", "<b>", "=1+1"]
)
async def test_what_is_no_date_is_said_plainly(client: Client, date: str) -> None:
    page = await client.get("/branch", params={"date": date, "lang": "en"})
    assert page.status_code == 400
    assert "Write it like 2026-11-23." in page.text
    assert "<b>" not in page.text.split("<main>")[1]
    for path in ("/api/branch", "/branch.csv", "/branch/tickets.csv"):
        answer = await client.get(path, params={"date": date})
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


@pytest.mark.parametrize("date", ["0001-01-01", "1970-01-01", "9999-12-31"])
async def test_days_that_no_branch_has_seen_are_empty(client: Client, date: str) -> None:
    page = await client.get("/branch", params={"date": date, "lang": "en"})
    assert "No tickets on this day." in page.text
    assert "Day before" not in page.text or date > "2000"
    assert (await client.get("/api/branch", params={"date": date})).json()["issued"] == 0


async def test_the_way_to_other_days(client: Client) -> None:
    today = (await client.get("/branch")).text
    assert "date=2025-10-08" in today
    assert "date=2025-10-10" not in today, "tomorrow has no figures"
    assert "date=2025-10-09" in (await client.get("/branch", params={"date": "2025-10-08"})).text


async def test_files_are_for_spreadsheets_and_do_nothing_in_them(
    store: Store, client: Client
) -> None:
    world = World(PLAIN)
    ticket = world.event(
        "ticket.issued",
        m.IssuedData(
            number="=1+1", service="A", segment="@SUM(A1:A9)", language="en", business_date=DATE,
            band=1, request="r",
        ),
        "self",
    )  # fmt: skip
    opened = world.event(
        "counter.opened", m.OpenedData(counter=1, key="o", teller='=HYPERLINK("http://x")')
    )
    opened = msgspec.structs.replace(opened, seq=2, id="e-2")
    kiosk: list[AnyEvent] = [msgspec.structs.replace(ticket, src="kiosk-1"), opened]
    later = START_MS + 1_000
    visit: list[AnyEvent] = [
        m.TicketPrinted(
            data=m.PrintedData(attempt=1, took_ms=1), **_envelope(3, later, ticket.id)
        ),
        m.TicketCalled(
            data=m.CalledData(counter=1, wait_ms=0, key="c"), **_envelope(4, later, ticket.id)
        ),
        m.ServiceEnded(
            data=m.EndedData(counter=1, key="e", service_ms=1, nonce=0),
            **_envelope(5, later, ticket.id),
        ),
    ]
    append(store, [*kiosk, *visit])
    for path, columns in (
        ("/branch.csv", FIGURE_COLUMNS), ("/branch/tickets.csv", TICKET_COLUMNS),
    ):  # fmt: skip
        answer = await client.get(path)
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert answer.headers["content-disposition"].endswith(f'-{DATE}.csv"')
        assert answer.content.startswith(b"\xef\xbb\xbf")
        rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
        assert tuple(rows[0]) == columns
        assert len({len(row) for row in rows}) == 1
        for row in rows:
            assert not any(cell[:1] in ("=", "+", "-", "@") for cell in row), row
    tickets = (await client.get("/branch/tickets.csv")).content.decode("utf-8-sig")
    (told,) = csv.DictReader(io.StringIO(tickets))
    assert (told["ticket"], told["segment"], told["wait_s"]) == ("'=1+1", "'@SUM(A1:A9)", "1.000")
    assert told["issued"] == "2025-10-09T08:53:20.000+00:00"
    page = (await client.get("/branch", params={"lang": "en"})).text
    assert "=HYPERLINK(&#34;http://x&#34;)" in page


def _envelope(seq: int, ts: int, sub: str) -> dict[str, Any]:
    return {
        "id": f"e-{seq}", "src": "branch-1", "epoch": 1, "seq": seq, "prev": CHAIN_START,
        "ts": ts, "clk": m.Clk(boot="b", mono_ms=0), "sub": sub,
    }  # fmt: skip


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@a", "\t=1", "\r", "  =1", "＝1"])
def test_formulas_become_text(text: str) -> None:
    assert safe(text) == f"'{text}"


@given(st.text())
def test_any_other_text_stays(text: str) -> None:
    assert safe(text) in (text, f"'{text}")
    assert safe(text).lstrip(" ")[:1] not in ("=", "+", "-", "@")


async def test_the_tickets_file_has_forecast_and_wait(tmp_path: Path) -> None:
    events = history(random.Random(3), 300)
    store = Store(f"sqlite:///{tmp_path}/branch.db")
    store.forecasts = around(events)
    append(store, events)
    ledger = read(tmp_path / "branch.db")
    book = book_of(store)
    text = book.tickets_csv(DATE).removeprefix(BOM)
    day = book.figures(DATE)
    store.close()
    rows = list(csv.DictReader(io.StringIO(text)))
    visits = [v for v in ledger.visits.values() if v.date == DATE]
    assert len(rows) == len(visits)
    waits = sorted(v.first_call - v.issued for v in visits if v.first_call is not None)
    assert sorted(round(float(r["wait_s"]) * 1000) for r in rows if r["wait_s"]) == waits
    held = [r for r in rows if r["outcome"] != "voided"]
    found = Counter(r["inside"] for r in held)
    assert (found["1"], found["0"]) == (
        day.cover.inside.count, day.cover.inside.n - day.cover.inside.count
    )  # fmt: skip
    assert min(found["1"], found["0"]) > 0
    for row in rows:
        if row["inside"]:
            low, wait, high = (float(row[name]) for name in ("p10_s", "wait_s", "p90_s"))
            assert row["inside"] == str(int(low <= wait <= high)), row


def test_an_older_database_gets_its_tables_and_indexes(tmp_path: Path) -> None:
    golden = Path(__file__).parents[2] / "golden" / "branch_v1.sql"
    file = tmp_path / "branch.db"
    with sqlite3.connect(file) as db:
        db.executescript(golden.read_text("utf-8"))
    db.close()
    store = Store(f"sqlite:///{file}")
    with store.reading() as connection:
        plan = connection.exec_driver_sql(
            "EXPLAIN QUERY PLAN SELECT * FROM ticket WHERE business_date = 'x'"
        ).all()
        rows = read_day(connection, DATE, UTC)
    store.close()
    assert "ticket_by_date" in str(plan)
    assert day_figures(DATE, rows, "A", lambda _: 0).date == DATE


@pytest.mark.timeout(120)
@virtual
async def test_a_simulated_day_is_that_of_the_raw_events(tmp_path: Path) -> None:
    async with Bench(tmp_path, with_branch=True, pads=(1, 2)) as bench:
        for pad in bench.pads.values():
            await pad.start()
        await bench.start()
        await play(bench, random.Random(11))
        await bench.stop()
        book = bench.branch.day_book
        services = "".join(book.services)
        app = create_app(ToyBranch(), version="1", max_streams=0, figures=book)
        with TestClient(app) as client:
            found = agree(client, tmp_path / "branch.db", "2026-11-23", UTC, services)
    counts = {name: int(count) for name, count in found["counts"].items()}
    assert counts["issued"] == PEOPLE
    assert counts["served"] > 40
    assert counts["left"] > 1
    assert counts["missed"] > 1
    assert counts["unfinished"] == 0
    assert int(found["rated"][3]) > 10
    assert found["apart"]
    assert {"t-12", "counter 2"} <= set(found["rated-tellers"])
    assert int(found["cover"][""][2]) > 10
