"""An MQTT-like broker inside the process, for virtual time: topics, wildcards, retained messages,
wills.

Modelled: delivery in order per client, retained last value, will on a lost connection, no delivery
to a client
that is away (clean start). Not modelled: packets, sessions kept over a disconnect, expiry, access
control.
"""

import asyncio
from dataclasses import dataclass
from functools import lru_cache

from sync.mqtt import Will
from sync.topics import Topic
from sync.transport import Listening, Message


@lru_cache(4096)
def matches(topic_filter: str, name: str) -> bool:
    """Whether an MQTT filter with + and # takes ``name`` (MQTT 5 §4.7: not ``$…`` at the top)."""
    wanted, levels = topic_filter.split("/"), name.split("/")
    if name.startswith("$") and wanted[0] in ("+", "#"):
        return False
    for index, part in enumerate(wanted):
        if part == "#":
            return True
        if index >= len(levels) or part not in ("+", levels[index]):
            return False
    return len(wanted) == len(levels)


@dataclass(frozen=True, slots=True)
class _Publish:
    name: str
    payload: bytes
    response_topic: str | None = None
    correlation: bytes | None = None


class LocalBroker:
    """Joins any number of :class:`LocalTransport`."""

    def __init__(self) -> None:
        self._clients: list[LocalTransport] = []
        self._retained: dict[str, _Publish] = {}
        self.published = 0

    def transport(self, will: Will | None = None) -> "LocalTransport":
        """A new client."""
        return LocalTransport(self, will)

    def attach(self, client: "LocalTransport") -> None:
        """A client has connected."""
        self._clients.append(client)

    def detach(self, client: "LocalTransport") -> None:
        """A client is gone."""
        if client in self._clients:
            self._clients.remove(client)

    def send(self, topic: Topic, publish: _Publish) -> None:
        """Deliver to everybody whose filter matches; keep it if the topic retains."""
        self.published += 1
        if topic.retain and publish.payload:
            self._retained[publish.name] = publish
        elif topic.retain:
            self._retained.pop(publish.name, None)  # an empty payload clears (MQTT 5 §3.3.1.3)
        for client in list(self._clients):
            if client.wants(publish.name):
                client.deliver(publish, retained=False)

    def replay_retained(self, client: "LocalTransport", filters: tuple[str, ...]) -> None:
        """What a new subscriber gets."""
        for publish in list(self._retained.values()):
            if any(matches(wanted, publish.name) for wanted in filters):
                client.deliver(publish, retained=True)


class LocalTransport(Listening):
    """A :class:`sync.transport.Transport` to a :class:`LocalBroker`, with bench verbs ``lose`` and
    ``start``.
    """

    def __init__(self, broker: LocalBroker, will: Will | None) -> None:
        self._broker = broker
        self._will = will
        self._filters: list[str] = []
        self._waiting: list[Message] = []
        self._up = False
        super().__init__()

    @property
    def connected(self) -> bool:
        return self._up

    def subscribe(self, *filters: str) -> None:
        self._filters += filters
        if self._up:
            self._broker.replay_retained(self, filters)

    def publish(
        self,
        topic: Topic,
        name: str,
        payload: bytes,
        *,
        response_topic: str | None = None,
        correlation: bytes | None = None,
    ) -> bool:
        if not self._up:
            return False
        self._broker.send(topic, _Publish(name, payload, response_topic, correlation))
        return True

    async def start(self) -> None:
        if self._up:
            return
        self._up = True
        self._broker.attach(self)
        filters = tuple(self._filters)  # what on_up subscribes is replayed by subscribe itself
        self._on_up()
        self._broker.replay_retained(self, filters)

    async def stop(self) -> None:
        if self._up:
            self._up = False
            self._broker.detach(self)
            self._waiting.clear()

    def lose(self, reason: str = "cut") -> None:
        """The connection breaks: what was under way is lost, the broker publishes the will."""
        if not self._up:
            return
        self._up = False
        self._broker.detach(self)
        self._waiting.clear()
        if self._will is not None:
            will = self._will
            self._broker.send(will.topic, _Publish(will.name, will.payload))
        self._on_down(reason)

    def refuse(self, name: str, code: int) -> None:
        """The broker says of a publish under ``name`` that it did not pass it on."""
        self._on_refused(name, code)

    def wants(self, name: str) -> bool:
        """Whether one of the filters takes ``name``."""
        return any(matches(wanted, name) for wanted in self._filters)

    def deliver(self, publish: _Publish, *, retained: bool) -> None:
        """Queue one message; it is handed over at the loop's next turn, together with its
        neighbours.
        """
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._hand_over)
        self._waiting.append(
            Message(
                topic=publish.name,
                payload=publish.payload,
                retained=retained,
                response_topic=publish.response_topic,
                correlation=publish.correlation,
                done=lambda: None,
            )
        )

    def _hand_over(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting and self._up:
            self._on_messages(waiting)
