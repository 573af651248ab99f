"""A teller cannot make a rating: only a served visit arms the pad, for one press, in its window.

Each test is one way to get a rating that no visitor gave, or to spoil one that a visitor gave. It
ends as docs/pad.md says: a press that counts is a "rating" in the branch's ledger, any other is
"unsolicited" there, counted apart, or it is not there at all.
"""

import asyncio
from pathlib import Path

import msgspec
import pytest

from hal.sim.pad import ALL_DARK, ALL_LIT
from tests.system.rating_house import RatingHouse, until

pytestmark = [pytest.mark.broker, pytest.mark.micropython]

UNASKED_S = 1.1
"""The pad keeps one press a second that nobody asked for."""
SUBMITTED, UNSOLICITED = "rating.submitted", "rating.unsolicited"


async def test_only_a_served_visit_arms_the_pad(tmp_path: Path) -> None:
    async with RatingHouse(tmp_path) as house:
        await house.ticket()
        await house.call()
        await house.miss()  # nobody came: nobody is asked
        await house.ticket()
        await house.call()
        await house.begin()
        await asyncio.sleep(0.5)
        assert house.pad.leds() == ALL_DARK
        assert house.arm_frames() == []
        await house.finish()
        await house.lamps(ALL_LIT)
        await house.press(4)
        await house.accepted(4)
        await house.ledger(("rating", 4))
        assert house.events() == [SUBMITTED]


async def test_an_early_press_is_kept_apart(tmp_path: Path) -> None:
    """Before the visit is served the lamps are dark; the teller presses all the same."""
    async with RatingHouse(tmp_path) as house:
        await house.ticket()
        await house.press(5)
        await house.ledger(("unsolicited", 5))
        await house.call()
        await house.begin()
        await asyncio.sleep(UNASKED_S)
        await house.press(5)
        await house.ledger(("unsolicited", 5), ("unsolicited", 5))
        assert house.pad.leds() == ALL_DARK
        # The visitor's own press still counts.
        await house.finish()
        await house.lamps(ALL_LIT)
        await house.press(1)
        await house.accepted(1)
        await house.ledger(("unsolicited", 5), ("unsolicited", 5), ("rating", 1))
        assert house.events() == [UNSOLICITED, UNSOLICITED, SUBMITTED]


async def test_a_second_press_changes_nothing(tmp_path: Path) -> None:
    """While thanks are shown it is ignored, afterwards it is one that nobody asked for."""
    async with RatingHouse(tmp_path) as house:
        await house.serve()
        await house.press(2)
        await house.accepted(2)
        await house.press(5)
        await house.ledger(("rating", 2))
        await house.lamps(ALL_DARK)
        await house.press(5)
        await house.ledger(("rating", 2), ("unsolicited", 5))
        assert house.events() == [SUBMITTED, UNSOLICITED]


async def test_a_press_after_the_next_call_is_nobody_s(tmp_path: Path) -> None:
    """The visitor left without a press: his visit stays unrated."""
    async with RatingHouse(tmp_path) as house:
        await house.serve()
        await house.ticket()
        assert house.pad.leds() == ALL_LIT
        await house.call()
        await house.lamps(ALL_DARK)
        await house.press(5)
        await house.ledger(("unsolicited", 5))
        assert house.events() == [UNSOLICITED]


async def test_a_press_after_the_window_is_nobody_s(tmp_path: Path) -> None:
    async with RatingHouse(tmp_path, window_s=1.0) as house:
        await house.serve()
        await house.lamps(ALL_DARK)
        await house.press(5)
        await house.ledger(("unsolicited", 5))
        assert house.events() == [UNSOLICITED]


async def test_a_replayed_command_does_not_arm_again(tmp_path: Path) -> None:
    """The server's command, said again on the broker: with its key, and with another one."""
    async with RatingHouse(tmp_path) as house:
        arm = await house.serve()
        await house.press(2)
        await house.accepted(2)
        await house.lamps(ALL_DARK)
        frames = len(house.arm_frames())
        for key in (arm.key, "arm:1:another"):
            await house.command(msgspec.structs.replace(arm, key=key))
            assert house.pad.leds() == ALL_DARK
        assert len(house.arm_frames()) == frames, "nothing of it reached the pad"
        # Nor for a visit without a press, once the next is called.
        arm = await house.serve()
        await house.ticket()
        await house.call()
        await house.lamps(ALL_DARK)
        await house.command(msgspec.structs.replace(arm, key="arm:1:a-third"))
        assert house.pad.leds() == ALL_DARK
        await house.press(5)
        await house.ledger(("rating", 2), ("unsolicited", 5))


async def test_a_replayed_frame_does_not_arm_again(tmp_path: Path) -> None:
    """Somebody at the cable says what the kiosk said: the pad refuses it, and says so."""
    async with RatingHouse(tmp_path) as house:
        await house.serve()
        await house.press(2)
        await house.accepted(2)
        await house.lamps(ALL_DARK)
        frames = house.arm_frames()
        assert frames
        before = house.refused_by_pad
        for frame in frames:
            house.cable.say(b"\0" + frame)
        await until(lambda: house.refused_by_pad >= before + len(frames))
        assert house.pad.leds() == ALL_DARK
        await house.press(5)
        await house.ledger(("rating", 2), ("unsolicited", 5))
        assert house.events() == [SUBMITTED, UNSOLICITED]


async def test_a_visit_that_nobody_served_has_no_rating(tmp_path: Path) -> None:
    """Somebody arms the pad with a nonce of his own: it lights, and the branch knows of no such
    visit.
    """
    async with RatingHouse(tmp_path) as house:
        arm = await house.serve()
        await house.press(3)
        await house.accepted(3)
        made_up = msgspec.structs.replace(arm, key="arm:1:made-up", nonce=arm.nonce % 1000 + 1)
        await house.command(made_up)
        await house.lamps(ALL_LIT)
        await house.press(5)
        await house.accepted(5)
        await house.ledger(("rating", 3), ("unsolicited", 5))
        assert house.events() == [SUBMITTED, SUBMITTED]
