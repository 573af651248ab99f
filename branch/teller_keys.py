"""Five keys of a teller's pad on the state of the counter. What each does::

    key     | free        | called               | being served           | paused and free
    next    | calls       | the customer is here | ends it, then calls    | refused
    recall  | refused     | calls again          | refused                | refused
    no_show | refused     | missed               | refused                | refused
    finish  | refused     | ends it              | ends it, asks to rate  | refused
    pause   | pauses      | pauses after this    | pauses after this      | opens again

They are the commands of the teller's page, with the same refusals. "next" does what the page's
green button does, but that it goes on to the next call where the page asks for another press. A
rating is asked for by "finish": the next call ends its window.

A press is carried out once however often it comes, also over a restart: its commands carry its
name, and the ledger has them. Nothing is done for one older than KEY_LIFE_MS, by its own word and
by the branch's time.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping

import structlog

from branch.commands import ENDINGS
from branch.errors import NotStored
from branch.queue import Counter, TicketPhase
from branch.view import CommandRefused
from sync.errors import BadMessage
from sync.pad_messages import KEY_LIFE_MS, TellerAnswer, TellerKey

GUARD_MS = 400
"""A second "next" that meets a new meaning is an impatient finger, as on the teller's page."""
KEY_LENGTH = 80
REMEMBERED = 256
"""Answers kept for keys that come again; far more than can be under way."""

_EVENTS = {
    "next": ("ticket.called", "service.started"),
    "recall": ("ticket.recalled",),
    "no_show": ("ticket.missed",),
    "finish": ENDINGS,
    "pause": ("counter.paused", "counter.opened"),
}
"""What a key's event can be: with one of them it is done."""

log = structlog.get_logger()

Command = Callable[[int, str], None]


class TellerKeys:
    """``nodes`` are the kiosks that the counters' pads hang on, by counter; ``commands`` are
    call_next, recall, start, miss, finish, pause, open. ``since_ms(node, boot, mono_ms)`` says how
    long ago a boot had counted so far, at least.
    """

    def __init__(
        self,
        nodes: Mapping[int, str],
        counters: Mapping[int, Counter],
        *,
        done: Callable[[str, int, str], bool],
        commands: Mapping[str, Command],
        now_ms: Callable[[], int],
        since_ms: Callable[[str, str, int], int],
    ) -> None:
        self._nodes = nodes
        self._counters = counters
        self._done = done
        self._commands = commands
        self._now_ms = now_ms
        self._since_ms = since_ms
        self._answers: OrderedDict[tuple[str, str], TellerAnswer] = OrderedDict()

    def press(self, node: str, key: TellerKey) -> TellerAnswer:
        """Carry one press out, or say why not; a repeat gets the same answer. Raises BadMessage
        for a key without a name.
        """
        if not 1 <= len(key.key) <= KEY_LENGTH:
            raise BadMessage(f"a teller's key named {key.key[:KEY_LENGTH]!r}; 1 to {KEY_LENGTH}")
        name = (node, key.key)
        answer = self._answers.get(name)
        if answer is None:
            reason = self._carry_out(node, key)
            if reason:
                log.info("teller.refused", counter=key.counter, action=key.action, reason=reason)
            answer = self._answers[name] = TellerAnswer(key=key.key, ok=not reason, reason=reason)
            while len(self._answers) > REMEMBERED:
                self._answers.popitem(last=False)
        return answer

    def _carry_out(self, node: str, key: TellerKey) -> str:
        """Why the press was not carried out, "" if it was."""
        if self._nodes.get(key.counter) != node:
            return "not_here"
        if any(self._done(event, key.counter, key.key) for event in _EVENTS[key.action]):
            return ""
        pressed_ms = key.mono_ms - key.age_ms
        if max(key.age_ms, self._since_ms(node, key.boot, pressed_ms)) > KEY_LIFE_MS:
            return "expired"
        try:
            self._perform(key.action, key.counter, key.key)
        except CommandRefused as refused:
            return refused.code
        except NotStored:
            return "not_stored"
        return ""

    def _perform(self, action: str, counter: int, key: str) -> None:
        match action:
            case "next":
                self._next(counter, key)
            case "no_show":
                self._commands["miss"](counter, key)
            case "pause":
                paused = self._counters[counter].paused
                self._commands["open" if paused else "pause"](counter, key)
            case _:
                self._commands[action](counter, key)

    def _next(self, counter: int, key: str) -> None:
        slot = self._counters[counter]
        ended = any(self._done(event, counter, key) for event in ENDINGS)
        if slot.ticket is not None:
            if ended:
                return  # the call was overtaken: somebody called from the teller's page
            if self._now_ms() - slot.since < GUARD_MS:
                raise CommandRefused("too_soon", f"counter {counter} has only just changed")
            if slot.ticket.phase is TicketPhase.CALLED:
                self._commands["start"](counter, key)
                return
            self._commands["finish"](counter, key)
            ended = True
        try:
            self._commands["call_next"](counter, key)
        except CommandRefused:
            if not ended:
                raise
