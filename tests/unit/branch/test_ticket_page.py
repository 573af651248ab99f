"""A ticket's page: where it stands, one rating and one reason, and nobody else's ticket."""

import asyncio
from pathlib import Path

import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient
from msgspec.structs import replace

from branch.commands import PauseCounter
from branch.queue import QueueTicket
from branch.standards_config import StandardsConfig
from branch.ticket_page import TicketState
from branch.view import CommandRefused
from branch.web.app import create_app
from branch.web.ticket_words import TICKET_WORDS
from sync.feedback import REASONS
from sync.identity import page_key, uuid7
from sync.messages import ComplaintData, IssuedData, SuggestionData
from tests.unit.branch.bench import CONFIG, BranchBench, on_virtual_time, settle
from tests.unit.branch.events import DATE

Client = AsyncTestClient[Litestar]


async def issued(bench: BranchBench, number: str) -> str:
    """A ticket with its slip, under an id as a kiosk makes it; returns its page's key."""
    stream = bench.kiosk.stream
    own = uuid7(1_763_860_000_000, 0xABC_0000_7F3A_9C21 * (int(number[1:]) + 1))
    data = IssuedData(
        number=number, service="A", segment="", language="en", business_date=DATE, band=1,
        request=f"touch-{number}",
    )  # fmt: skip
    stream.make("ticket.issued", data, own, id=own)
    stream.printed(own)
    bench.kiosk.send(*stream.raws[-2:])
    await settle()
    return page_key(own)


def client_of(bench: BranchBench) -> Client:
    return AsyncTestClient[Litestar](
        create_app(bench.branch, version="1", tickets=bench.branch.tickets)
    )


async def test_where_a_ticket_stands_from_its_issue_to_its_one_rating(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench, client_of(bench) as client:
        first, second = await issued(bench, "A001"), await issued(bench, "A002")

        async def state(key: str) -> dict[str, object]:
            answer = await client.get(f"/api/t/{key}")
            assert answer.status_code == 200, answer.text
            return dict(answer.json())

        found = await state(second)
        assert (found["number"], found["state"], found["ahead"]) == ("A002", "waiting", 1)
        assert found["wait_min"] is None or found["wait_min"][0] <= found["wait_min"][1]  # type: ignore[index]
        assert (await client.post(f"/api/t/{first}/rating", json={"score_1to5": 1})).json()[
            "code"
        ] == "not_served"
        await bench.branch.call_next(1, "c1")
        found = await state(first)
        assert (found["state"], found["counter"], found["ahead"]) == ("called", 1, None)
        assert (await state(second))["ahead"] == 0
        await bench.branch.start(1, "s1")
        assert (await state(first))["state"] == "serving"
        await bench.branch.finish(1, "f1")
        found = await state(first)
        assert (found["state"], found["may_rate"], found["may_say_why"]) == ("served", True, False)
        why = await client.post(f"/api/t/{first}/reason", json={"reason": "fees"})
        assert (why.status_code, why.json()["code"]) == (409, "not_low")

        rated = await client.post(f"/api/t/{first}/rating", json={"score_1to5": 2})
        assert (rated.json()["may_rate"], rated.json()["may_say_why"]) == (False, True)
        again = await client.post(f"/api/t/{first}/rating", json={"score_1to5": 5})
        assert (again.status_code, again.json()["code"]) == (409, "rated")
        wrong = await client.post(f"/api/t/{first}/reason", json={"reason": "none of them"})
        assert (wrong.status_code, wrong.json()["code"]) == (409, "unknown_reason")
        said = await client.post(f"/api/t/{first}/reason", json={"reason": "fees"})
        assert said.json()["may_say_why"] is False
        again = await client.post(f"/api/t/{first}/reason", json={"reason": "slow"})
        assert (again.status_code, again.json()["code"]) == (409, "said")
        assert bench.rows("rating", "score_1to5, kind") == [(2, "rating")]
        assert bench.rows("reason", "reason, channel, counter") == [("fees", "page", 1)]
        ((nonce,),) = bench.rows("visit", "nonce")
        stream = bench.kiosk.stream
        stream.rated(1, nonce, 5)  # the pad's press comes late: it is not counted twice
        bench.kiosk.send(stream.raws[-1])
        await settle()
        assert sorted(bench.rows("rating", "score_1to5, kind")) == [(2, "rating"), (5, "repeated")]
        for wrong_score in (0, 6):
            answer = await client.post(f"/api/t/{second}/rating", json={"score_1to5": wrong_score})
            assert answer.status_code == 400


MIN_S = 60
NUMBERS = ("A001", "A002", "A003", "A004", "A005")


@on_virtual_time
async def test_a_wait_that_is_longer_than_was_said_is_said_with_what_is_expected_now(
    tmp_path: Path,
) -> None:
    standards = StandardsConfig(max_wait_min=20.0, max_idle_min=0.0, max_line=0)
    async with BranchBench(tmp_path, replace(CONFIG, standards=standards)) as bench:
        keys = {number: await issued(bench, number) for number in NUMBERS}
        for counter in (1, 2):
            await bench.branch.call_next(counter, f"c{counter}")
        held = {ticket.number: ticket for ticket in bench.branch.engine.tickets.values()}
        free, last = held["A003"], held["A005"]

        def state(ticket: QueueTicket) -> TicketState:
            return bench.branch.tickets.state(keys[ticket.number])

        at_first = state(last)
        assert (at_first.late, at_first.said_min, at_first.promised_min) == ("", (2, 15), 20)
        assert at_first.wait_min == (1, 15), "some ms have gone by"
        now = bench.branch.waits.left_min(last)
        assert now == at_first.said_min, "the forecast of one in line is that of one who joins"
        await asyncio.sleep(8 * MIN_S)
        early = state(free)
        assert (early.late, early.said_min, early.waited_min) == ("slip", (0, 6), 8)
        # Nobody was served since: it is as long as it was then, and not 0 of what was printed.
        assert early.wait_min == bench.branch.waits.left_min(free) == (0, 6)
        assert (state(last).late, state(last).wait_min) == ("", (0, 7))
        await asyncio.sleep(6 * MIN_S)
        assert (state(last).late, state(last).wait_min) == ("", (0, 1))
        await asyncio.sleep(1 * MIN_S)
        assert (state(last).late, state(last).wait_min) == ("slip", now)
        await asyncio.sleep(5 * MIN_S)
        broken = state(last)
        assert (broken.late, broken.waited_min, broken.wait_min) == ("promise", 20, now)
        assert state(free).late == "promise"
        for counter in (1, 2):
            await bench.branch.perform(counter, PauseCounter(), "p")
        for counter in (1, 2):
            await bench.branch.finish(counter, f"f{counter}")
        assert (state(last).late, state(last).wait_min) == ("promise", None)


async def test_the_page_in_both_languages_says_nothing_of_a_person(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench, client_of(bench) as client:
        key = await issued(bench, "A001")
        for lang, words in (("zh", "正在等候"), ("en", "Waiting")):
            page = await client.get(f"/t/{key}?lang={lang}")
            assert page.status_code == 200
            assert words in page.text
            assert "vip" not in page.text
            assert page.headers["cache-control"] == "no-store"
        unknown = await client.get("/t/0000000000000000?lang=en")
        assert (unknown.status_code, "This ticket was not found" in unknown.text) == (404, True)
        for texts in TICKET_WORDS.values():
            assert all(f"why.{reason}" in texts.texts for reason in REASONS)


async def test_guessing_is_slowed_down_and_wildcards_are_no_keys(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench, client_of(bench) as client:
        key = await issued(bench, "A001")
        for bad in ("%" * 16, "_" * 16, key[:-1], key + "0", key[:15] + "%", "٣" * 16):
            assert (await client.get(f"/api/t/{bad}")).status_code == 404, bad
        answers = [(await client.get(f"/api/t/{n:016x}")).status_code for n in range(30)]
        assert set(answers[:20]) == {404}
        assert answers[-1] == 429
        refused = await client.get(f"/api/t/{key}")
        assert (refused.status_code, refused.headers["retry-after"].isdigit()) == (429, True)


async def test_a_ticket_that_the_queue_has_forgotten_cannot_be_rated(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        key = await issued(bench, "A001")
        await bench.branch.call_next(1, "c1")
        await bench.branch.finish(1, "f1")
        bench.branch.engine.tickets.clear()
        assert bench.branch.tickets.state(key).state == "served"
        with pytest.raises(CommandRefused, match="ended long ago"):
            bench.branch.tickets.rate(key, 3)


async def test_what_customers_said_is_counted_on_the_day_s_page(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        app = create_app(bench.branch, version="1", figures=bench.branch.day_book)
        for number, reason in (("A001", "slow"), ("A002", "fees"), ("A003", "fees")):
            key = await issued(bench, number)
            await bench.branch.call_next(1, f"c{number}")
            await bench.branch.finish(1, f"f{number}")
            bench.branch.tickets.rate(key, 1)
            bench.branch.tickets.say_why(key, reason)
        stream = bench.kiosk.stream
        stream.make(
            "suggestion.made",
            SuggestionData(topic="seats", direction="more", business_date=DATE, request="t-8"),
        )
        stream.make(
            "complaint.opened",
            ComplaintData(
                number="4071-5523", topic="own code", business_date=DATE,
                due_date="2026-12-08", request="t-9",
            ),
        )  # fmt: skip
        bench.kiosk.send(*stream.raws[-2:])
        await settle()
        day = bench.branch.day_book.figures(DATE)
        assert [(one.kind, one.code, one.n) for one in day.voices] == [
            ("complaint", "own code", 1), ("reason", "fees", 2), ("reason", "slow", 1),
            ("suggestion", "seats", 1),
        ]  # fmt: skip
        assert "reason,fees,said,times,2" in bench.branch.day_book.figures_csv(DATE)
        async with AsyncTestClient[Litestar](app) as client:
            text = (await client.get(f"/branch?date={DATE}&lang=en")).text
            for said in ("Reason of a low rating", "More seats", "own code"):
                assert said in text
