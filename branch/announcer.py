"""Says the calls: from committed events to the hall's loudspeaker, one after the other.

Calls never wait for sound: what cannot be said is dropped, and the loss is an alert until a sound
was played again.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo

import structlog

from branch.announce_config import AnnouncementsConfig, volume_at
from branch.announcements import Announcement, Announcements, Rules
from branch.queue import QueueTicket, TicketPhase
from branch.spoken import spoken_call
from hal.api import Health, HealthState, Speaker, Speech
from hal.errors import HalError
from hal.registry import backend
from sync.clock import Clock
from sync.messages import AnyEvent, TicketCalled, TicketRecalled, UnknownEvent

CHECK_S = 60.0
CHECK_LOST_S = 10.0
"""How often an idle speaker is asked to play silence, and how often a lost one."""
ALERT = "audio_lost"

log = structlog.get_logger()


class Announcer:
    """``tickets`` are the queue's; ``say`` belongs into the service's ``listeners``."""

    def __init__(
        self,
        config: AnnouncementsConfig,
        speaker: Speaker,
        tickets: Mapping[str, QueueTicket],
        clock: Clock,
        *,
        tz: tzinfo | None = None,
        check_s: float = CHECK_S,
        check_lost_s: float = CHECK_LOST_S,
    ) -> None:
        self._config = config
        self._speaker = speaker
        self._tickets = tickets
        self._clock = clock
        self._tz = tz
        self._check_s, self._check_lost_s = check_s, check_lost_s
        self._line = Announcements(
            Rules(
                config.sayings,
                round(config.repeat_s * 1000),
                round(config.max_age_s * 1000),
                round(config.pause_s * 1000),
            )
        )
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.lost = ""
        """Why there is no sound, empty while there is."""

    def say(self, event: AnyEvent | UnknownEvent) -> None:
        """An event that the queue has taken: a call is said, any other word on a called ticket
        that ends the call makes it pointless.
        """
        ticket = self._tickets.get(event.sub or "")
        if isinstance(event, TicketCalled | TicketRecalled) and ticket is not None:
            self._line.called(ticket.id, ticket.number, event.data.counter, self._clock.mono_ms())
            self._news.set()
        elif event.sub and (ticket is None or ticket.phase is not TicketPhase.CALLED):
            self._line.settled(event.sub)

    async def open(self) -> None:
        """Begin; a speaker that is not there is an alert, not an error."""
        self._task = asyncio.create_task(self._keep_saying(), name="announcer")

    async def close(self) -> None:
        """Fall silent."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._speaker.close()

    def health(self) -> dict[str, object]:
        """The speaker's row of ``/healthz``."""
        health: Health = self._speaker.health
        return {
            "state": health.state.value,
            "detail": health.detail,
            **health.counters,
            "waiting": self._line.waiting,
            "dropped": {why.value: n for why, n in sorted(self._line.dropped.items())},
            "lost": self.lost,
        }

    def alerts(self) -> list[str]:
        """``audio_lost`` while nothing can be heard."""
        return [ALERT] if self.lost else []

    async def _keep_saying(self) -> None:
        await self._noted(self._speaker.open)
        while True:
            self._news.clear()
            try:
                volume = volume_at(self._config, self._minute())
                one = self._line.next(self._clock.mono_ms(), quiet=not volume)
                if one is None:
                    await self._wait()
                else:
                    await self._say(one, volume)
            except Exception:
                # A call that breaks the loop must not silence those after it.
                log.exception("speaker.broken")
                await asyncio.sleep(1.0)

    async def _say(self, one: Announcement, volume: float) -> None:
        config = self._config
        speeches = [
            Speech(
                name,
                spoken_call(one.number, one.counter, name, config.texts.get(name, "")),
            )
            for name in config.languages
        ]
        try:
            await self._noted(
                lambda: self._speaker.say(speeches, volume=volume, chime=config.chime)
            )
        finally:
            self._line.ended(self._clock.mono_ms())

    async def _wait(self) -> None:
        """Until something is called or due; meanwhile the speaker is looked after."""
        wait_ms = self._line.wait_ms(self._clock.mono_ms())
        check_s = self._check_lost_s if self.lost else self._check_s
        wait_s = check_s if wait_ms is None else min(wait_ms / 1000, check_s)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._news.wait()
            return
        if wait_s == check_s:
            health = await self._speaker.check()
            self._learn("" if health.state is HealthState.OK else health.detail)

    async def _noted(self, work: Callable[[], object]) -> None:
        try:
            await work()  # type: ignore[misc]
        except HalError as error:
            self._learn(self._speaker.health.detail or "lost", str(error))
        else:
            self._learn("")

    def _learn(self, lost: str, error: str = "") -> None:
        before, self.lost = self.lost, lost
        if lost and lost != before:
            log.error("speaker.lost", detail=lost, error=error)
        elif before and not lost:
            log.info("speaker.back", after=before)

    def _minute(self) -> float:
        now = datetime.fromtimestamp(self._clock.wall_ms() / 1000, self._tz)
        return now.hour * 60 + now.minute + now.second / 60


def build_speaker(config: AnnouncementsConfig) -> Speaker:
    """The speaker that the configuration names. Raises UnknownBackend, ValueError."""
    made: Speaker = backend("speaker", config.backend)(config.address, voices=config.voices)
    return made
