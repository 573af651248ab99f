"""Commands of a counter that come over MQTT, and their answers.

Whoever may publish to the server's ``cmd`` may command every counter: the broker's access list
says who that is. Each command is answered: to its response topic with its correlation data, or to
the server's own ``res``. Nothing that comes here can stop the feed.
"""

import re
from collections.abc import Callable
from typing import get_args

import msgspec
import structlog
from sqlalchemy.exc import SQLAlchemyError

from branch.commands import AnyCommand, name_of
from branch.errors import NotStored
from branch.intents import Intents
from branch.view import CommandRefused, UnknownCounter
from sync.counter_messages import KEY_LENGTH, CounterCommand, CounterResult
from sync.errors import BadMessage
from sync.messages import decode, encode
from sync.personal import sent
from sync.topics import COUNTER_RES, NODE_PATTERN
from sync.transport import Message, Transport

log = structlog.get_logger()

_RESPONSE = re.compile(re.escape(COUNTER_RES.of(branch="x")).replace("x", "([^/]+)") + r"\Z")


class CounterFeed:
    """``counters`` are the configured ones."""

    def __init__(
        self,
        node: str,
        transport: Transport,
        intents: Intents,
        counters: Callable[[], tuple[int, ...]],
    ) -> None:
        self._own = COUNTER_RES.of(branch=node)
        self._transport = transport
        self._intents = intents
        self._counters = counters

    def receive(self, message: Message) -> None:
        """Carry one command out, or say why not, and answer it."""
        result = self._result(message)
        if sent(result.key.encode("utf-8", "replace")):
            result = msgspec.structs.replace(result, key="")
        if not result.ok:
            log.info("command.refused", counter=result.counter, code=result.code)
        self._transport.publish(
            COUNTER_RES,
            self._answered_at(message) or self._own,
            encode(result),
            correlation=message.correlation or result.key.encode(),
        )

    def _answered_at(self, message: Message) -> str:
        """The response topic, "" for none or one that is not for answers: this server may write
        where its clients may not.
        """
        found = _RESPONSE.match(message.response_topic or "")
        return found.group() if found and NODE_PATTERN.match(found.group(1)) else ""

    def _result(self, message: Message) -> CounterResult:
        try:
            asked = decode(message.payload, CounterCommand)
        except BadMessage as error:
            return _unread(message.payload, error)
        code, text = self._carry_out(message, asked)
        result = CounterResult(
            key=asked.key, ok=not code, code=code, message=text, counter=asked.counter,
            command=name_of(asked.command),
        )  # fmt: skip
        if code:
            return result
        try:
            done = self._intents.done(asked.counter, asked.command, asked.key)
        except SQLAlchemyError:
            return result  # it is done, whatever it was about
        return msgspec.structs.replace(
            result, event=done.event, ticket=done.ticket, number=done.number
        )

    def _carry_out(self, message: Message, asked: CounterCommand) -> tuple[str, str]:
        """Code and message of what was not done, both "" when it was."""
        if message.retained:
            return "retained", "a retained command would come again with each start; nothing done"
        if message.response_topic and not self._answered_at(message):
            expected = COUNTER_RES.of(branch="name").replace("name", "<name>")
            return "response_topic", f"Response Topic: expected {expected}"
        if asked.counter not in self._counters():
            return "unknown_counter", str(UnknownCounter(asked.counter, self._counters()))
        try:
            self._intents.carry_out(
                asked.counter, asked.command, asked.key, asked.turn, asked.expires_ms
            )
        except CommandRefused as refused:
            return refused.code, str(refused)
        except NotStored as error:
            return "not_stored", str(error)
        except Exception:
            log.exception("command.failed", counter=asked.counter)
            return "failed", "the server failed, see its log; repeat with the same key"
        return "", ""


_KNOWN = "; the commands are " + ", ".join(
    sorted(str(kind.__struct_config__.tag) for kind in get_args(AnyCommand))
)


class _Named(msgspec.Struct):
    """What can still be read of a command that is wrong elsewhere."""

    key: object = ""
    counter: object = 0


def _unread(raw: bytes, error: BadMessage) -> CounterResult:
    if sent(raw):  # what may be of a person is not said again
        return CounterResult(
            key="", ok=False, code="bad_request",
            message="not a command; what it holds is not ASCII or looks like a person's data, so"
            " no more is said of it",
        )  # fmt: skip
    try:
        named = msgspec.json.decode(raw, type=_Named)
    except (msgspec.DecodeError, UnicodeDecodeError):
        named = _Named()
    return CounterResult(
        key=named.key[:KEY_LENGTH] if isinstance(named.key, str) else "",
        ok=False,
        code="bad_request",
        message=f"unknown $.command.type{_KNOWN}"
        if "$.command.type" in str(error)
        else str(error),
        counter=named.counter if type(named.counter) is int else 0,
    )
