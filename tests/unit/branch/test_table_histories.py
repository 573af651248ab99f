"""The ticket table after any history: what the oracle says of each ticket stands in its row."""

import random
from pathlib import Path

from sqlalchemy import text

from branch.store import Store
from tests.unit.branch.queue_world import PLAIN, World, random_step

OUTCOME = {"done": "served", "missed": "missed", "voided": "voided", "abandoned": "abandoned"}
SHOWN = "outcome, counter, called_at IS NULL, started_at IS NULL, service, segment"


def test_the_table_is_what_the_log_says(tmp_path: Path) -> None:
    legs = 0
    for seed in range(25):
        rng = random.Random(seed)
        world = World(PLAIN)
        for _ in range(120):
            random_step(world, rng)
        store = Store(f"sqlite:///{tmp_path}/{seed}.db")
        with store.transaction() as connection:
            for first in range(0, len(world.log), 7):  # in bursts, as they come
                store.project(connection, world.log[first : first + 7])
        with store.reading() as connection:
            rows = connection.execute(text(f"SELECT id, {SHOWN} FROM ticket")).all()
            found = {row[0]: tuple(row[1:]) for row in rows}
            ended_by = connection.execute(
                text("SELECT ticket, ended_by, ended_at - called_at FROM leg")
            ).all()
        store.close()
        expected = {}
        for ticket in world.oracle.tickets.values():
            at = ticket.phase in ("called", "serving", "done", "missed")
            started = any(
                e.__struct_config__.tag == "service.started" and e.sub == ticket.id
                for e in world.log[_last_call(world, ticket.id) :]
            )
            expected[ticket.id] = (
                OUTCOME.get(ticket.phase, "open"), ticket.counter if at else None, not at,
                not (at and started), ticket.service, ticket.segment,
            )  # fmt: skip
        assert found == expected
        assert all(ms >= 0 for _, _, ms in ended_by)
        left = [e for e in world.log if e.__struct_config__.tag in
                ("ticket.transferred", "ticket.returned", "ticket.rejoined")]  # fmt: skip
        assert len([1 for _, how, _ in ended_by if how != "parked"]) == len(left)
        legs += len(ended_by)
    assert legs > 50


def _last_call(world: World, ticket: str) -> int:
    """Where in the log the ticket was last called; its end if it never was."""
    places = [
        place for place, e in enumerate(world.log)
        if e.sub == ticket and e.__struct_config__.tag == "ticket.called"
    ]  # fmt: skip
    return places[-1] if places else len(world.log)
