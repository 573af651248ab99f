"""Every command of a counter, however it came: carried out once by its key.

The answer to a repeat is that of the first one, over HTTP and MQTT alike and after a restart: an
event in the ledger says that the command was carried out, a row of ``command`` that it was not.
"""

from collections.abc import Callable

from branch.answers import Answers, Done, Intent, Refused
from branch.commands import (
    AnyCommand,
    CallNext,
    Finish,
    Miss,
    Recall,
    Start,
    events_of,
    name_of,
    said_as,
)
from branch.desk import Desk
from branch.pads import PadControl
from branch.queue import Engine
from branch.typed import refuse_key
from branch.view import CommandRefused
from branch.visits import Visits


class Intents:
    """``now_ms`` is the branch's time (Unix ms)."""

    def __init__(
        self,
        engine: Engine,
        answers: Answers,
        visits: Visits,
        desk: Desk,
        pads: PadControl,
        now_ms: Callable[[], int],
    ) -> None:
        self._engine = engine
        self._answers = answers
        self._visits = visits
        self._desk = desk
        self._pads = pads
        self._now_ms = now_ms

    def carry_out(
        self,
        counter: int,
        command: AnyCommand,
        key: str,
        turn: int | None = None,
        expires_ms: int = 0,
    ) -> None:
        """Do it, unless it was done or refused before. ``turn`` is the counter's that it is meant
        for, None any; ``expires_ms`` (Unix ms, 0 never) is when it is too late. Raises
        CommandRefused, NotStored.
        """
        refuse_key(key)
        if self.event_of(counter, command, key):
            return
        intent = (counter, name_of(command), key)
        before = self._answers.of(intent)
        if before is not None:
            if before.code:
                raise CommandRefused(before.code, before.message)
            return
        try:
            self._in_time(counter, turn, expires_ms)
            self._do(counter, command, key)
        except CommandRefused as refused:
            self._keep(intent, Refused(refused.code, str(refused)))
            raise
        if not self.event_of(counter, command, key):
            self._keep(intent, Refused("", ""))

    def done(self, counter: int, command: AnyCommand, key: str) -> Done:
        """What the command did; empty where there was nothing to do. Raises SQLAlchemyError."""
        event = self.event_of(counter, command, key)
        return self._answers.done(event) if event else Done("", "", "")

    def event_of(self, counter: int, command: AnyCommand, key: str) -> str:
        """The id of the event that the command made, "" for none."""
        at, its_key = said_as(counter, command, key)
        found = (self._engine.memory.keys.get((name, at, its_key)) for name in events_of(command))
        return next(filter(None, found), "")

    def _in_time(self, counter: int, turn: int | None, expires_ms: int) -> None:
        now = self._engine.counters[counter].turn
        if turn not in (None, now):
            raise CommandRefused("expired", f"meant for turn {turn}; it is {now} now")
        late_ms = self._now_ms() - expires_ms
        if expires_ms and late_ms > 0:
            raise CommandRefused("expired", f"it came {late_ms / 1000:.1f} s after expires_ms")

    def _do(self, counter: int, command: AnyCommand, key: str) -> None:
        match command:
            case CallNext():
                self._visits.call_next(counter, key)
            case Recall():
                self._visits.recall(counter, key)
            case Start():
                self._visits.start(counter, key)
            case Miss():
                self._visits.miss(counter, key)
            case Finish():
                self._visits.finish(counter, key)
            case _:
                self._desk.carry_out(counter, command, key)
                if self._engine.counters[counter].ticket is not None:
                    self._pads.disarm(counter, key)

    def _keep(self, intent: Intent, answer: Refused) -> None:
        self._answers.keep(intent, answer, self._now_ms())
