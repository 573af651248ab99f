"""Complaints from their receipt to their answer: the manager's list, the customer's page."""

from pathlib import Path

import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from branch.hall_view import ComplaintList
from branch.web.app import create_app
from branch.web.complaint_words import COMPLAINT_WORDS
from branch.web.hall_words import HALL_WORDS
from sync.feedback import OUTCOMES, REASONS
from sync.identity import page_key, uuid7
from sync.messages import ComplaintData
from tests.unit.branch.bench import BranchBench, settle

Client = AsyncTestClient[Litestar]
DUE, PAST = "2030-01-01", "2020-01-01"


async def complained(bench: BranchBench, n: int, due: str = DUE, topic: str = "fees") -> str:
    """A complaint, under an id as a kiosk makes it; returns the id."""
    own = uuid7(1_763_860_000_000, 0xABC_0000_7F3A_9C21 * (n + 1))
    data = ComplaintData(
        number=f"0000-{n:04}", topic=topic, business_date="2026-11-23", due_date=due,
        request=f"t-{n}",
    )  # fmt: skip
    bench.kiosk.stream.make("complaint.opened", data, id=own)
    bench.kiosk.send(bench.kiosk.stream.raws[-1])
    await settle()
    return own


def client_of(bench: BranchBench) -> Client:
    hall = bench.branch.hall
    return AsyncTestClient[Litestar](
        create_app(bench.branch, version="1", hall=hall, complaints=hall.complaint_pages)
    )


def told(bench: BranchBench) -> list[str]:
    """What staff did with complaints, as the ledger has it."""
    tags = [str(event.__struct_config__.tag) for event in bench.store.events()]
    return [tag for tag in tags if tag.startswith("complaint.") and tag != "complaint.opened"]


async def test_the_overdue_one_is_first_and_an_answer_can_be_taken_back(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench, client_of(bench) as client:
        new, late = await complained(bench, 1), await complained(bench, 2, PAST)

        async def post(name: str, key: str, **values: str) -> None:
            answer = await client.post(
                f"/api/hall/{name}", headers={"Idempotency-Key": key}, json=values
            )
            assert answer.status_code == 200, answer.text

        def listed() -> ComplaintList:
            return bench.branch.hall.complaint_list()

        assert [(one.id, one.overdue) for one in listed().open] == [(late, True), (new, False)]
        assert listed().answered == ()
        for _ in range(2):
            await post("complaint-answer", "k1", complaint=late, outcome="corrected")
        await post("complaint-answer", "k2", complaint=late, outcome="unfounded")  # too late
        found = (await client.get("/api/hall/complaints")).json()
        assert [one["id"] for one in found["open"]] == [new]
        assert [(one["id"], one["outcome"]) for one in found["answered"]] == [(late, "corrected")]
        for _ in range(2):
            await post("complaint-reopen", "k3", complaint=late)
        assert [one.id for one in listed().open] == [late, new]
        # The first answer comes once more, out of a slow network: it was taken back since.
        await post("complaint-answer", "k1", complaint=late, outcome="corrected")
        assert [one.id for one in listed().open] == [late, new]
        await post("complaint-answer", "k4", complaint=late, outcome="explained")
        # So do the undo and the taking.
        await post("complaint-reopen", "k3", complaint=late)
        await post("complaint-take", "k5", complaint=new)
        await post("complaint-answer", "k6", complaint=new)
        await post("complaint-take", "k5", complaint=new)
        assert {one.id: one.outcome for one in listed().answered} == {late: "explained", new: ""}
        assert told(bench) == [
            "complaint.answered", "complaint.reopened", "complaint.answered", "complaint.taken",
            "complaint.answered",
        ]  # fmt: skip
        for name, values, code in (
            ("complaint-answer", {"complaint": new, "outcome": "paid"}, "unknown_outcome"),
            ("complaint-reopen", {"complaint": "nobody"}, "unknown_complaint"),
        ):
            answer = await client.post(
                f"/api/hall/{name}", headers={"Idempotency-Key": "w"}, json=values
            )
            assert (answer.status_code, answer.json()["code"]) == (409, code)


async def test_a_restarted_server_knows_what_was_answered_and_by_which_key(
    tmp_path: Path,
) -> None:
    async with BranchBench(tmp_path) as bench:
        own = await complained(bench, 1)
        hall = bench.branch.hall
        hall.answer_complaint(own, "k1", "m-1", "referred")
        hall.reopen_complaint(own, "k2", "m-1")
    async with BranchBench(tmp_path) as bench:
        hall = bench.branch.hall
        hall.answer_complaint(own, "k1", "m-1", "referred")
        assert [one.id for one in hall.complaint_list().open] == [own]
        hall.answer_complaint(own, "k3", "m-1", "referred")
        (one,) = hall.complaint_list().answered
        assert (one.outcome, one.by) == ("referred", "m-1")


async def test_the_customer_s_page_says_how_it_stands_and_nothing_of_staff(
    tmp_path: Path,
) -> None:
    async with BranchBench(tmp_path) as bench, client_of(bench) as client:
        new, late = await complained(bench, 1), await complained(bench, 2, PAST, "of its own")
        hall = bench.branch.hall

        async def read(complaint: str, lang: str = "en") -> str:
            page = await client.get(f"/c/{page_key(complaint)}?lang={lang}")
            assert page.status_code == 200
            assert page.headers["cache-control"] == "no-store"
            assert "m-7" not in page.text
            return page.text

        page = await read(new)
        for said in ("0000-0001", "Registered", "Fees", f"answered by {DUE}"):
            assert said in page
        assert "已登记，等待处理" in await read(new, "zh")
        page = await read(late)
        assert "The answer is late" in page
        assert "Something else" in page
        hall.take_complaint(new, "k1", "m-7")
        assert "Being looked into" in await read(new)
        hall.answer_complaint(new, "k2", "m-7", "improved")
        assert "We changed how we work" in await read(new)
        assert "已改进做法" in await read(new, "zh")
        hall.answer_complaint(late, "k3", "m-7")
        assert "Not stated" in await read(late)
        hall.reopen_complaint(new, "k4", "m-7")
        assert "Being looked into" in await read(new)


async def test_keys_of_nothing_and_keys_of_tickets_lead_nowhere(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench, client_of(bench) as client:
        key = page_key(await complained(bench, 1))
        for bad in ("%" * 16, "_" * 16, key[:-1], key + "0", key[:15] + "%", "٣" * 16):
            page = await client.get(f"/c/{bad}?lang=en")
            assert (page.status_code, "This complaint was not found" in page.text) == (404, True)
        answers = [(await client.get(f"/c/{n:016x}")).status_code for n in range(30)]
        assert (set(answers[:20]), answers[-1]) == ({404}, 429)
        refused = await client.get(f"/c/{key}")
        assert (refused.status_code, refused.headers["retry-after"].isdigit()) == (429, True)


async def test_a_page_ends_with_its_complaint_s_half_year(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        key = page_key(await complained(bench, 1))
        pages = bench.branch.hall.complaint_pages
        assert pages.state(key).number == "0000-0001"
        now_ms = bench.branch.hall.complaint_pages.now_ms()
        assert bench.branch.hall.complaints.of_key(key, now_ms - 60_000) is not None
        assert bench.branch.hall.complaints.of_key(key, now_ms + 60_000) is None


async def test_a_database_of_before_the_answers_is_opened(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        own = await complained(bench, 1)
        with bench.store.transaction() as connection:
            connection.exec_driver_sql("DROP TABLE complaint_answer")
    async with BranchBench(tmp_path) as bench:
        bench.branch.hall.answer_complaint(own, "k1", "m-1", "corrected")
        assert bench.rows("complaint_answer", "outcome") == [("corrected",)]


def test_every_outcome_and_topic_has_its_words_on_both_pages() -> None:
    for words in (*HALL_WORDS.values(), *COMPLAINT_WORDS.values()):
        assert all(f"outcome.{outcome}" in words.texts for outcome in OUTCOMES)
        assert all(f"topic.{topic}" in words.texts for topic in REASONS)
    with pytest.raises(KeyError):
        COMPLAINT_WORDS["en"]("state.unknown")
