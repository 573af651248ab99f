"""Answers to commands that made no event: on disk before they are told, the newest are kept."""

from pathlib import Path

import pytest

from branch import answers
from branch.answers import Answers, Done, Refused
from branch.store import Store
from tests.unit.branch.bench import BranchBench, on_virtual_time


def test_they_outlive_a_start_and_the_oldest_are_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "REMEMBERED", 5)
    store = Store(f"sqlite:///{tmp_path}/branch.db")
    kept = Answers(store)
    for number in range(8):
        kept.keep((1, "call-next", f"k{number}"), Refused("busy", f"why {number}"), 1_000 + number)
    assert kept.of((1, "call-next", "k2")) is None
    assert kept.of((1, "call-next", "k3")) == Refused("busy", "why 3")
    again = Answers(store)
    assert [again.of((1, "call-next", f"k{n}")) is not None for n in range(8)] == (
        [False] * 3 + [True] * 5
    )
    with store.reading() as connection:
        rows = connection.exec_driver_sql("SELECT count(*) FROM command").scalar_one()
    assert rows == 5, "what is forgotten is no longer on the disk"
    # The same key of another command, or at another counter, is another intent.
    assert again.of((1, "recall", "k7")) is None
    assert again.of((2, "call-next", "k7")) is None
    store.close()


@on_virtual_time
async def test_an_event_says_which_ticket_it_was_about(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        [ticket] = await bench.kiosk.tickets("A001")
        await bench.branch.call_next(1, "k")
        found = Answers(bench.store)
        [(event,)] = bench.rows("event WHERE type = 'ticket.called'", "id")
        assert found.done(event) == Done(event, ticket, "A001")
        assert found.done("of nobody") == Done("of nobody", "", "")
