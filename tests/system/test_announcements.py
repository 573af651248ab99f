"""A branch that is heard: real server and database, real espeak-ng, a player with an ear."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest

from branch.announce_config import AnnouncementsConfig, SoundHours
from branch.announcer import Announcer
from hal.drivers.speaker import EspeakSpeaker
from hal.sim.speaker import Heard, SpeakerBench
from tests.unit.branch.bench import CONFIG, BranchBench

SPEED = 20.0
SOUND = AnnouncementsConfig(enabled=True, languages=["zh", "en"], pause_s=0.0)


class Hall(BranchBench):
    """A branch with a loudspeaker, on real time."""

    def __init__(self, folder: Path, sound: AnnouncementsConfig) -> None:
        super().__init__(folder, msgspec.structs.replace(CONFIG, announcements=sound))
        self.speaker = SpeakerBench(folder, SPEED)

    async def start(self) -> None:
        await super().start()
        self.announcer = Announcer(
            self.config.announcements,
            EspeakSpeaker(self.speaker.address, grace_s=2.0),
            self.branch.engine.tickets,
            self.clock,
            check_lost_s=0.2,
        )
        self.branch.listeners.append(self.announcer.say)
        self.branch.speaker = self.announcer.health
        self.branch.own_alerts = self.announcer.alerts
        await self.announcer.open()

    async def stop(self) -> None:
        await self.announcer.close()
        await super().stop()

    def issue(self, *numbers: str) -> None:
        """Tickets that are printed and sent."""
        first = len(self.kiosk.stream.raws)
        for at, number in enumerate(numbers):
            ticket = self.kiosk.stream.issued(number, at=at).id
            self.kiosk.stream.printed(ticket, at)
        self.kiosk.send(*self.kiosk.stream.raws[first:])

    def numbers(self) -> list[str]:
        """What was heard whole, as its English says it: number, counter."""
        whole = (heard for heard in self.speaker.heard() if heard.complete)
        return [heard.said.rpartition("Ticket ")[2] for heard in whole]

    @property
    def health(self) -> dict[str, object]:
        return self.branch.health()


@contextlib.asynccontextmanager
async def hall(folder: Path, **sound: object) -> AsyncIterator[Hall]:
    made = Hall(folder, msgspec.structs.replace(SOUND, **sound))
    made.speaker.plug_in()
    async with made:
        yield made


async def true(condition: Callable[[], object], within_s: float = 20.0) -> None:
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - another process plays it
            await asyncio.sleep(0.02)


def spoken(branch: Hall) -> dict[str, object]:
    """What health says of the loudspeaker."""
    speaker = branch.health["speaker"]
    assert isinstance(speaker, dict)
    return speaker


def apart(heard: list[Heard]) -> bool:
    return all(a.ended_ms <= b.began_ms for a, b in itertools.pairwise(heard))


A1 = "A zero zero one, please go to counter one"
A2 = "A zero zero two, please go to counter two"
A3 = "A zero zero three, please go to counter one"


async def test_two_tellers_call_at_the_same_instant(tmp_path: Path) -> None:
    async with hall(tmp_path) as branch:
        branch.issue("A001", "A002")
        await true(lambda: len(branch.branch.engine.tickets) == 2)
        await asyncio.gather(branch.branch.call_next(1, "a"), branch.branch.call_next(2, "b"))
        await branch.branch.call_next(1, "a")  # a repeat of the command is no second call
        await true(lambda: len(branch.speaker.heard()) == 2)
        await branch.branch.start(1, "s")
        heard = branch.speaker.heard()
        assert branch.numbers() == [A1, A2]
        assert apart(heard)
        assert all(one.chime and one.complete for one in heard)
        assert heard[0].said.startswith("zh 请 A 零零一号到 1 号窗口\nen Ticket A zero zero one")
        assert branch.health["alerts"] == []
        # Heard by the far end first, counted when the player has ended.
        await true(lambda: spoken(branch)["said"] == 2)
        assert (spoken(branch)["state"], spoken(branch)["dropped"]) == ("ok", {})


async def test_who_has_come_is_not_called_again_and_a_restart_says_nothing_old(
    tmp_path: Path,
) -> None:
    async with hall(tmp_path, sayings=2, repeat_s=2.0) as branch:
        branch.issue("A001", "A002", "A003")
        await true(lambda: len(branch.branch.engine.tickets) == 3)
        await branch.branch.call_next(1, "a")
        await branch.branch.call_next(2, "b")
        await true(lambda: spoken(branch)["waiting"] == 1)
        await branch.branch.miss(1, "m")  # while it is said: it has no repeat
        await branch.branch.call_next(1, "c")
        await branch.branch.start(1, "s")  # before it was said
        await true(lambda: len(branch.speaker.heard()) == 3)
        assert branch.numbers() == [A1, A2, A2]
        assert spoken(branch)["dropped"] == {"settled": 1}
        await branch.restart()
        await true(lambda: spoken(branch)["state"] == "ok")
        assert spoken(branch)["waiting"] == 0


@pytest.mark.parametrize(
    ("fault", "detail"), [("hang", "silent"), ("die", "player"), ("missing", "player_missing")]
)
async def test_a_lost_speaker_is_an_alert_and_calls_go_on(
    tmp_path: Path, fault: str, detail: str
) -> None:
    async with hall(tmp_path) as branch:
        branch.issue("A001", "A002", "A003")
        await true(lambda: len(branch.branch.engine.tickets) == 3)
        await true(lambda: spoken(branch)["state"] == "ok")
        branch.speaker.break_it(fault)
        await branch.branch.call_next(1, "a")
        await true(lambda: branch.health["alerts"] == ["branch-1: audio_lost"])
        assert spoken(branch)["lost"] == detail
        assert branch.health["ok"]
        await branch.branch.call_next(2, "b")
        await branch.branch.start(2, "s")  # came without having heard it
        await branch.branch.start(1, "t")
        await branch.branch.finish(1, "u")
        branch.speaker.mend()
        await true(lambda: branch.health["alerts"] == [])  # without a call
        await branch.branch.call_next(1, "c")
        await true(lambda: branch.numbers() == [A3])
        assert apart(branch.speaker.heard())


async def test_quiet_hours_have_no_sound(tmp_path: Path) -> None:
    always = [SoundHours("00:00", "24:00")]
    async with hall(tmp_path, hours=always) as branch:
        branch.issue("A001")
        await true(lambda: len(branch.branch.engine.tickets) == 1)
        await branch.branch.call_next(1, "a")
        await true(lambda: spoken(branch)["dropped"] == {"quiet": 1})
        assert branch.speaker.heard() == []
        assert branch.health["alerts"] == []
