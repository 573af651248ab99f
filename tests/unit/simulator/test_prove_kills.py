"""``lobby prove kills`` in its shortest form, on real processes, a real broker and real files."""

import asyncio
from pathlib import Path

import pytest

from simulator.errors import NotStarted
from simulator.prove.kills import BRANCH_POINTS, KIOSK_POINTS
from simulator.prove.proof import ProveOptions, prove
from simulator.prove.stand import BRANCH, Place, Stand
from sync.crashpoint import CRASH_POINTS

ROUNDS = 12


def test_a_few_kills_lose_nothing(tmp_path: Path) -> None:
    proof = prove("kills", ProveOptions(rounds=ROUNDS, seed=1, folder=tmp_path), lambda _: None)
    assert proof.violations == []
    assert proof.clean
    assert proof.details["kills"] >= ROUNDS
    assert proof.shown > 0
    assert proof.stored >= proof.shown


def test_every_crash_point_is_one_of_a_program_of_the_stand() -> None:
    assert sorted(KIOSK_POINTS + BRANCH_POINTS) == sorted(CRASH_POINTS)


def test_a_second_program_of_a_name_is_refused(tmp_path: Path) -> None:
    async def two() -> None:
        async with Stand(tmp_path, seed=1, kiosks=()) as stand:
            await stand.start(BRANCH)
            with pytest.raises(NotStarted, match="runs already"):
                await stand.start(BRANCH)
            await stand.stop(BRANCH)

    asyncio.run(two())


def test_what_a_program_said_last_is_heard_whatever_it_did_not_read(tmp_path: Path) -> None:
    async def talk() -> None:
        async with Stand(tmp_path, seed=1, kiosks=()) as stand:
            for turn in range(8):
                program = await stand.start(BRANCH)
                program.tell(do="stop")
                for number in range(300):
                    key = f"{turn}-{number}"
                    program.tell(do="teller", command="call", counter=1, key=key)
                    if number % 50 == turn:
                        await asyncio.sleep(0.002)
                await program.ended()
                assert program.stopped

    asyncio.run(talk())


def test_a_program_behind_a_prefix_works_in_its_own_folder(tmp_path: Path) -> None:
    async def one() -> None:
        elsewhere = tmp_path / "elsewhere"
        places = {"kiosk-1": Place(prefix=("nice",), data_dir=elsewhere)}
        async with Stand(tmp_path, seed=1, kiosks=("kiosk-1",), places=places) as stand:
            await stand.start(BRANCH)
            await stand.start("kiosk-1")
            await asyncio.sleep(0.2)
            assert await stand.settle()
            assert stand.judge().clean
            assert stand.witness.slips
        assert (elsewhere / "journal.db").exists()

    asyncio.run(one())


def test_a_kiosk_dies_where_it_was_told_to_and_its_number_is_shown_again(tmp_path: Path) -> None:
    async def one() -> None:
        async with Stand(tmp_path, seed=1, kiosks=("kiosk-1",)) as stand:
            await stand.start(BRANCH)
            kiosk = await stand.start("kiosk-1", crash="kiosk.printing:3", wait_up=False)
            await kiosk.ended()
            assert stand.crashes("kiosk-1") == ["kiosk.printing"]
            assert len(stand.witness.slips) == 2
            assert await stand.settle()
            assert stand.judge().clean
            assert stand.witness.seen_again == 1

    asyncio.run(one())
