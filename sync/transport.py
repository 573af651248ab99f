"""What the exchange needs of a message channel: MQTT in a branch, an in-process broker on virtual
time.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from sync.topics import Topic

NO_SUBSCRIBER = 0x10
NOT_AUTHORISED = 0x87
"""Reason codes of a PUBACK (MQTT 5 §3.4.2.1)."""


@dataclass(frozen=True, slots=True)
class Message:
    """One received message; ``done()`` acknowledges it to the broker, after its effect is
    durable.
    """

    topic: str
    payload: bytes
    retained: bool
    response_topic: str | None
    correlation: bytes | None
    done: Callable[[], None]


class Transport(Protocol):
    """A channel that may be up or down. Callbacks run in the event loop, in order of arrival."""

    @property
    def connected(self) -> bool:
        """Whether a publish has a chance now."""

    def listen(
        self,
        *,
        on_up: Callable[[], None],
        on_down: Callable[[str], None],
        on_messages: Callable[[list[Message]], None],
        on_refused: Callable[[str, int], None] = lambda _name, _code: None,
    ) -> None:
        """Set the callbacks, before ``start``. ``on_refused(topic name, reason code)`` tells of a
        publish that the broker did not pass on: 0x10 nobody listens, 0x87 not authorised.
        """

    def subscribe(self, *filters: str) -> None:
        """Subscribe at QoS 1, now if the channel is up and again at each reconnect."""

    def publish(
        self,
        topic: Topic,
        name: str,
        payload: bytes,
        *,
        response_topic: str | None = None,
        correlation: bytes | None = None,
    ) -> bool:
        """Hand over one message with the topic's QoS, retain and expiry; False when the channel is
        down.
        """

    async def start(self) -> None:
        """Begin to connect, and keep reconnecting."""

    async def stop(self) -> None:
        """Disconnect in good order; harmless when never started."""


class Listening:
    """Keeps a transport's callbacks; until ``listen`` they do nothing."""

    def __init__(self) -> None:
        self._on_up: Callable[[], None] = lambda: None
        self._on_down: Callable[[str], None] = lambda _: None
        self._on_messages: Callable[[list[Message]], None] = lambda _: None
        self._on_refused: Callable[[str, int], None] = lambda _name, _code: None

    def listen(
        self,
        *,
        on_up: Callable[[], None],
        on_down: Callable[[str], None],
        on_messages: Callable[[list[Message]], None],
        on_refused: Callable[[str, int], None] = lambda _name, _code: None,
    ) -> None:
        """See Transport."""
        self._on_up, self._on_down, self._on_messages = on_up, on_down, on_messages
        self._on_refused = on_refused
