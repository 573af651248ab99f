"""A complaint from the kiosk to its receipt and to the lobby manager's desk, on virtual time."""

import asyncio
from pathlib import Path

import pytest

from branch.view import CommandRefused
from hal.api import Qr, Text
from kiosk.presenter import complaint_page
from kiosk.receipt import TOPICS, build_receipt
from kiosk.view import HomeView, Screen, SheetView
from sync.feedback import REASONS, complaint_number
from sync.messages import ComplaintData, ComplaintOpened, SuggestionMade
from tests.unit.kiosk.bench import Bench, until, virtual

PHONE = "400-000-0000"


def complain(bench: Bench, topic: str = "fees") -> None:
    for control in ("feedback", "complaint", f"why.{topic}"):
        bench.tap(control)


def line(bench: Bench) -> str:
    """The first line that is read on the receipt's screen."""
    sheet = bench.showing(SheetView)
    assert sheet.screen is Screen.RECEIPT
    return sheet.lines[0].key


@virtual
async def test_a_complaint_has_a_receipt_and_is_answered_at_the_hall(tmp_path: Path) -> None:
    async with Bench(tmp_path, with_branch=True) as bench:
        await bench.start()
        await until(lambda: bench.showing(HomeView).online)
        complain(bench)
        await until(lambda: line(bench) == "receipt.printed")
        (event,) = bench.events("complaint.opened")
        assert isinstance(event, ComplaintOpened)
        assert event.data.number == complaint_number(event.id)
        assert (event.data.topic, event.data.due_date) == ("fees", "2026-12-08")
        assert bench.showing(SheetView).plate == event.data.number
        (slip,) = bench.paper.slips
        assert slip.complete
        text = "\n".join(slip.lines)
        for said in (event.data.number, "2026-12-08", "收费问题", "投诉回执"):
            assert said in text
        desk = bench.branch.hall
        await until(lambda: len(desk.view().complaints) == 1, within_s=2)
        (open_,) = desk.view().complaints
        assert (open_.number, open_.taken, open_.overdue) == (event.data.number, False, False)
        for _ in range(2):
            desk.take_complaint(open_.id, "k1", "m-1")
        assert desk.view().complaints[0].owner == "m-1"
        late = ComplaintData(
            number="0000-0001", topic="slow", business_date="2026-11-07", due_date="2026-11-22",
            request="t-late",
        )  # fmt: skip
        old = bench.journal.append("complaint.opened", late)
        bench.kiosk.outbox.appended()
        await until(lambda: len(desk.view().complaints) == 2, within_s=2)
        first, second = desk.view().complaints
        assert (first.id, first.overdue, second.id) == (old.id, True, open_.id)
        desk.answer_complaint(old.id, "k0", "m-1")
        for _ in range(2):
            desk.answer_complaint(open_.id, "k2", "m-1", "explained")
        assert desk.view().complaints == ()
        assert {(one.id, one.outcome) for one in desk.complaint_list().answered} == {
            (old.id, ""), (open_.id, "explained"),
        }  # fmt: skip
        with pytest.raises(CommandRefused, match="answered"):
            desk.take_complaint(open_.id, "k3", "m-2")
        with pytest.raises(CommandRefused, match="no such complaint"):
            desk.answer_complaint("nobody", "k4", "m-2")
        tags = [str(event.__struct_config__.tag) for event in bench.store.events()]
        assert [tags.count(f"complaint.{what}") for what in ("taken", "answered")] == [1, 2]
        await bench.stop()


@virtual
async def test_without_paper_number_and_date_stay_until_they_are_acknowledged(
    tmp_path: Path,
) -> None:
    async with Bench(tmp_path) as bench:
        await bench.start()
        await bench.port.unplug()
        complain(bench, "attitude")
        await until(lambda: line(bench) == "receipt.failed", within_s=60)
        await asyncio.sleep(3600)
        sheet = bench.showing(SheetView)
        assert sheet.plate
        assert sheet.lines[1].key == "receipt.due"
        bench.tap("acknowledge")
        bench.showing(HomeView)
        await bench.stop()
        assert len(bench.events("complaint.opened")) == 1


@virtual
async def test_a_printed_receipt_leaves_the_screen_by_itself(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        await bench.start()
        complain(bench)
        await until(lambda: line(bench) == "receipt.printed")
        await until(lambda: isinstance(bench.view, HomeView), within_s=60)
        await bench.stop()


@virtual
async def test_a_complaint_that_cannot_be_kept_is_not_registered(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        await bench.start()
        bench.refuse_writes()
        complain(bench)
        sheet = bench.showing(SheetView)
        assert (sheet.screen, sheet.title.key) == (Screen.HELP, "help.unreached")
        bench.refuse_writes(False)
        await bench.stop()
        assert bench.events("complaint.opened") == []
        assert not bench.paper.slips


@virtual
async def test_a_suggestion_is_journalled_and_thanked_for(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        await bench.start()
        for control in ("feedback", "suggestion", "suggest.seats"):
            bench.tap(control)
        assert bench.showing(SheetView).screen is Screen.THANKS
        (event,) = bench.events("suggestion.made")
        assert isinstance(event, SuggestionMade)
        assert (event.data.topic, event.data.direction) == ("seats", "more")
        assert event.data.business_date == "2026-11-23"
        await until(lambda: isinstance(bench.view, HomeView), within_s=60)
        await bench.stop()
        assert not bench.events("feedback.given")


def test_what_stands_on_the_receipt_in_both_languages() -> None:
    for language, topics in TOPICS.items():
        assert set(topics) == set(REASONS)
        for topic in topics.values():
            slip = build_receipt(
                branch_name="B", number="4071-5523", topic=topic, opened_text="2026-11-23 09:00",
                due_date="2026-12-08", complaints_phone=PHONE, language=language,
                public_url="https://q.example.com/c/8000000000000072",
            )  # fmt: skip
            assert any(isinstance(item, Text) and PHONE in item.text for item in slip.items)
            (code,) = [item for item in slip.items if isinstance(item, Qr)]
            assert code.text == "https://q.example.com/c/8000000000000072"
    complaint = "01a205ea-bef2-7000-8000-000000000072"
    assert complaint_page("https://q.example.com/", complaint) == (
        "https://q.example.com/c/8000000000000072"
    )
    assert complaint_page("", complaint) is None
    with pytest.raises(ValueError, match="no receipt in language 'de'"):
        build_receipt(
            branch_name="B", number="1", topic="t", opened_text="", due_date="",
            complaints_phone="", language="de",
        )  # fmt: skip
