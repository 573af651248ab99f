"""Scripted visitors at the real kiosk: one that goes as it must, and one that is given away."""

import pytest

from simulator.prove.visits import played
from simulator.prove.visits_oracle import judge
from simulator.prove.visits_scripts import SCRIPTS, SPOILS

pytestmark = [pytest.mark.window, pytest.mark.broker, pytest.mark.timeout(120)]

BY_NAME = {script.name: script for script in SCRIPTS}


async def test_an_ordinary_visitor_has_a_slip_after_one_tap_and_is_called(tmp_path):
    script = BY_NAME["ordinary"]
    (visit,) = await played(tmp_path, tmp_path, [script])
    assert judge(visit, ends=script.ends, segment=script.segment) == []
    assert visit.ticket_taps == 1
    pictures = [step.picture for step in visit.steps if step.picture]
    assert pictures == ["ordinary-1.png", "ordinary-2.png"]
    assert all((tmp_path / picture).stat().st_size > 10_000 for picture in pictures)


async def test_a_private_client_who_is_given_away_is_noticed(tmp_path):
    script = BY_NAME[SPOILS["secret"]]
    (visit,) = await played(tmp_path, tmp_path, [script], spoiled=frozenset({"secret"}))
    assert judge(visit, ends=script.ends, segment=script.segment) == [
        "vip: the slip says 'vip'",
        "vip: the screen says 'vip'",
    ]
    assert [row["segment"] for row in visit.tickets] == ["vip"]
