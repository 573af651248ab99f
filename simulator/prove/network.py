"""A network on virtual time that loses, doubles, delays and reorders, with a broker in its middle.

Every message makes two hops, publisher to broker and broker to subscriber, and each hop may lose,
double or delay it. A link may be cut, in one direction or both; both ends notice it after a while,
as by a keep-alive, and the broker publishes the will. The broker may restart and remember nothing.

This is harsher than MQTT 5 at QoS 1, which loses messages only with a connection: what passes here
passes there. Not modelled: packets, sessions kept over a disconnect, expiry, access control.

Chance is drawn for each client and topic apart, and what arrives at the same instant is handed
over in the order of its topics: the order in which a program publishes to several topics at one
instant (of a set, say) changes nothing.
"""

import asyncio
import heapq
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from simulator.broker import matches
from sync.mqtt import Will
from sync.topics import Topic
from sync.transport import NO_SUBSCRIBER, Listening, Message

GRAIN_S = 0.005
"""Arrivals are rounded up to this: neighbours are handed over together, as from one read."""
CONNECT_S = (0.01, 0.5)
RECONNECT_S = (1.0, 8.0)
NOTICED_S = (2.0, 30.0)
"""How long a cut lasts before both ends take the connection for lost."""


@dataclass(frozen=True, slots=True)
class Weather:
    """What one hop does: ``loss`` and ``doubled`` are shares of the messages, ``late`` is the
    share that is held back by up to ``late_s`` more.
    """

    loss: float = 0.0
    doubled: float = 0.0
    delay_s: tuple[float, float] = (0.001, 0.01)
    late: float = 0.0
    late_s: float = 0.0


CALM = Weather()


@dataclass(frozen=True, slots=True)
class _Publish:
    name: str
    payload: bytes
    retained: bool = False
    response_topic: str | None = None
    correlation: bytes | None = None


@dataclass(slots=True)
class _Way:
    """One client's messages of one topic in one direction."""

    chance: random.Random
    arrived_s: float = 0.0
    """When the latest of them arrives."""


class Network:
    """Joins any number of :class:`Link`. ``watch(client, topic name, payload)`` sees every publish
    as it is made. ``figures`` counts what became of messages and connections; ``log`` is every
    fate, for a digest.
    """

    def __init__(self, seed: int, weather: Weather = CALM) -> None:
        self.weather = weather
        self.figures: Counter[str] = Counter()
        self.log: list[tuple[float, str, str, str]] = []
        self.watch: Callable[[str, str, bytes], None] = lambda _client, _name, _payload: None
        self._seed = seed
        self._links: dict[str, Link] = {}
        self._retained: dict[str, _Publish] = {}
        self._cut: dict[str, tuple[bool, bool]] = {}
        self._ways: dict[tuple[str, str, str], _Way] = {}
        self._chances: dict[str, random.Random] = {}
        self._starts = 0  # of the broker
        self._away_until_s = 0.0

    def link(self, name: str, will: Will | None = None) -> "Link":
        """A new client; one that had this name before loses its connection."""
        before = self._links.get(name)
        if before is not None:
            before.abandon()
        self._links[name] = Link(self, name, will)
        return self._links[name]

    # --- what goes wrong ----------------------------------------------------------------------

    def cut(self, name: str, *, up: bool = True, down: bool = True) -> None:
        """Nothing passes from (``up``) or to (``down``) this client until ``heal``."""
        if not up and not down:
            return
        self._cut[name] = (up, down)
        self.figures["cuts"] += 1
        link = self._links.get(name)
        if link is not None and link.connected:
            noticed_s = self.chance(name).uniform(*NOTICED_S)
            asyncio.get_running_loop().call_later(noticed_s, self._notice, link, link.connection)

    def heal(self, name: str) -> None:
        """Let everything pass again."""
        self._cut.pop(name, None)

    def forget(self, away_s: float) -> None:
        """The broker ends without a word and is back after ``away_s`` (s), with no memory."""
        self.figures["broker_restarts"] += 1
        self._starts += 1
        self._retained.clear()
        self._away_until_s = max(self._away_until_s, asyncio.get_running_loop().time() + away_s)
        for _, link in sorted(self._links.items()):
            link.drop("the broker is gone")

    def _notice(self, link: "Link", connection: int) -> None:
        if link.name in self._cut and link.connected and link.connection == connection:
            link.drop("nothing heard for too long")
            self.bury(link)

    # --- the broker ---------------------------------------------------------------------------

    def reachable(self, name: str) -> bool:
        """Whether this client could connect now."""
        now_s = asyncio.get_running_loop().time()
        return name not in self._cut and now_s >= self._away_until_s

    def bury(self, link: "Link") -> None:
        """A connection ended without a goodbye: publish the client's will."""
        if link.will is not None:
            will = link.will
            self._pass_on(will.topic, _Publish(will.name, will.payload))

    def accept(self, link: "Link", topic: Topic, publish: _Publish) -> None:
        """The first hop: a client has published."""
        self.watch(link.name, publish.name, publish.payload)
        if self._cut.get(link.name, (False, False))[0]:
            self._note("cut", link, publish)
            return
        starts, connection = self._starts, link.connection

        def arrive(_due_s: float) -> None:
            if starts != self._starts:
                self._note("forgotten", link, publish)
            elif not self._pass_on(topic, publish) and link.connection == connection:
                link.refuse(publish.name, NO_SUBSCRIBER)

        loop = asyncio.get_running_loop()
        for due_s in self._dues("up", link, publish):
            loop.call_at(due_s, arrive, due_s)

    def _pass_on(self, topic: Topic, publish: _Publish) -> bool:
        """The second hop: to everybody whose filter matches; False if that is nobody."""
        if topic.retain and publish.payload:
            self._retained[publish.name] = publish
        elif topic.retain:
            self._retained.pop(publish.name, None)
        wanted = [link for link in self._links.values() if link.wants(publish.name)]
        for link in wanted:
            self.carry(link, publish)
        return bool(wanted)

    def replay_retained(self, link: "Link", filters: tuple[str, ...]) -> None:
        """What a new subscriber gets."""
        for publish in list(self._retained.values()):
            if any(matches(wanted, publish.name) for wanted in filters):
                self.carry(link, publish, retained=True)

    def carry(self, link: "Link", publish: _Publish, *, retained: bool = False) -> None:
        """Bring one message to a client, or not."""
        if self._cut.get(link.name, (False, False))[1]:
            self._note("cut", link, publish)
            return
        for due_s in self._dues("down", link, publish):
            link.expect(due_s, publish, retained=retained)

    # --- chance -------------------------------------------------------------------------------

    def chance(self, name: str) -> random.Random:
        """This client's own chance; a text seeds alike in every process."""
        found = self._chances.get(name)
        if found is None:
            found = self._chances[name] = random.Random(f"{self._seed}/{name}")
        return found

    def _dues(self, way: str, link: "Link", publish: _Publish) -> list[float]:
        """When the copies of a message arrive: none, one or two times."""
        key = (way, link.name, publish.name)
        found = self._ways.get(key)
        if found is None:
            found = self._ways[key] = _Way(random.Random(f"{self._seed}/{'/'.join(key)}"))
        chance, weather = found.chance, self.weather
        now_s = asyncio.get_running_loop().time()
        self.figures["message_hops"] += 1
        if chance.random() < weather.loss:
            self._note("lost", link, publish)
            return []
        copies = 2 if chance.random() < weather.doubled else 1
        if copies > 1:
            self._note("doubled", link, publish)
        dues: list[float] = []
        for _ in range(copies):
            due_s = now_s + chance.uniform(*weather.delay_s)
            if chance.random() < weather.late:
                due_s += chance.uniform(0.0, weather.late_s)
            dues.append(due_s)
        if min(dues) < found.arrived_s:
            self._note("reordered", link, publish)
        found.arrived_s = max(found.arrived_s, *dues)
        return dues

    def _note(self, fate: str, link: "Link", publish: _Publish) -> None:
        self.figures[f"messages_{fate}"] += 1
        self.note(link.name, fate, publish.name)

    def note(self, who: str, fate: str, what: str) -> None:
        """One line of the log."""
        self.log.append((round(asyncio.get_running_loop().time(), 6), who, fate, what))


@dataclass(order=True, slots=True)
class _Arrival:
    due_s: float
    name: str
    number: int
    connection: int = field(compare=False)
    publish: _Publish = field(compare=False)
    retained: bool = field(compare=False)


class Link(Listening):
    """A :class:`sync.transport.Transport` over a :class:`Network`, which reconnects by itself."""

    def __init__(self, network: Network, name: str, will: Will | None) -> None:
        self.name = name
        self.will = will
        self.connection = 0
        """Which connection this is, counted from 1."""
        self._network = network
        self._filters: list[str] = []
        self._arrivals: list[_Arrival] = []
        self._numbers = 0
        self._up = False
        self._running = False
        super().__init__()

    # --- Transport ----------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        return self._up

    def subscribe(self, *filters: str) -> None:
        self._filters += filters
        if self._up:
            self._network.replay_retained(self, filters)

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
        self._network.accept(
            self, topic, _Publish(name, payload, topic.retain, response_topic, correlation)
        )
        return True

    async def start(self) -> None:
        if not self._running:
            self._running = True
            self._try_after(CONNECT_S)

    async def stop(self) -> None:
        self._running = self._up = False

    # --- what happens to it -------------------------------------------------------------------

    def abandon(self) -> None:
        """The program has died: nothing is called any more, and the broker publishes the will."""
        was_up, self._up, self._running = self._up, False, False
        self.listen(on_up=lambda: None, on_down=lambda _: None, on_messages=lambda _: None)
        if was_up:
            self._network.bury(self)

    def drop(self, reason: str) -> None:
        """The connection is lost, with all that was under way to the client; it tries again."""
        if not self._up:
            return
        self._up = False
        self._network.figures["connections_lost"] += 1
        self._network.note(self.name, "down", reason)
        self._on_down(reason)
        self._try_after(RECONNECT_S)

    def wants(self, name: str) -> bool:
        """Whether the broker has a subscription of this client that takes ``name``."""
        return self._up and any(matches(wanted, name) for wanted in self._filters)

    def refuse(self, name: str, code: int) -> None:
        """The broker says of a publish under ``name`` that it did not pass it on."""
        if self._up:
            self._network.figures["messages_refused"] += 1
            self._on_refused(name, code)

    def expect(self, due_s: float, publish: _Publish, *, retained: bool) -> None:
        """A message of the present connection will arrive at ``due_s`` (loop time)."""
        due_s = (due_s // GRAIN_S + 1) * GRAIN_S
        self._numbers += 1
        arrival = _Arrival(due_s, publish.name, self._numbers, self.connection, publish, retained)
        heapq.heappush(self._arrivals, arrival)
        asyncio.get_running_loop().call_at(due_s, self._hand_over)

    def _hand_over(self) -> None:
        now_s = asyncio.get_running_loop().time() + GRAIN_S / 10
        messages: list[Message] = []
        while self._arrivals and self._arrivals[0].due_s <= now_s:
            arrival = heapq.heappop(self._arrivals)
            publish = arrival.publish
            if not self._up or arrival.connection != self.connection:
                self._network.figures["messages_lost_with_connection"] += 1
                continue
            self._network.note(self.name, "got", publish.name)
            messages.append(
                Message(
                    topic=publish.name,
                    payload=publish.payload,
                    retained=arrival.retained,
                    response_topic=publish.response_topic,
                    correlation=publish.correlation,
                    done=lambda: None,
                )
            )
        if messages:
            self._on_messages(messages)

    def _try_after(self, bounds_s: tuple[float, float]) -> None:
        delay_s = self._network.chance(self.name).uniform(*bounds_s)
        asyncio.get_running_loop().call_later(delay_s, self._try)

    def _try(self) -> None:
        if not self._running or self._up:
            return
        if not self._network.reachable(self.name):
            self._try_after(RECONNECT_S)
            return
        self._up = True
        self.connection += 1
        self._network.note(self.name, "up", str(self.connection))
        filters = tuple(self._filters)  # what on_up subscribes is replayed by subscribe itself
        self._on_up()
        self._network.replay_retained(self, filters)
