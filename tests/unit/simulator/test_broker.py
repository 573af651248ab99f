"""The broker inside the process, against the rules of MQTT 5."""

import asyncio
import re

from hypothesis import given, strategies as st

from simulator import vtime
from simulator.broker import LocalBroker, LocalTransport, matches
from sync.mqtt import Will
from sync.topics import ACK, CMD, EVT, HELLO, QUEUE, STATE
from sync.transport import Message

levels = st.sampled_from(["", "a", "b", "$s", "bq", "1"])
names = st.lists(levels, min_size=1, max_size=5).map("/".join).filter(bool)
filters = (
    st.tuples(st.lists(st.one_of(levels, st.just("+")), min_size=1, max_size=5), st.booleans())
    .map(lambda pair: "/".join(pair[0]) + ("/#" if pair[1] else ""))
    .filter(bool)
) | st.just("#")


def reference(topic_filter: str, name: str) -> bool:
    """MQTT 5 §4.7 as a regular expression; ``a/#`` takes ``a`` too, ``+`` takes an empty level."""
    if name[0] == "$" and topic_filter[0] in "+#":
        return False
    if topic_filter == "#":
        return True
    pattern = topic_filter.removesuffix("/#")
    parts = ["[^/]*" if part == "+" else re.escape(part) for part in pattern.split("/")]
    rest = "(/.*)?" if topic_filter.endswith("/#") else ""
    return re.fullmatch("/".join(parts) + rest, name) is not None


@given(filters, names)
def test_filters(topic_filter: str, name: str) -> None:
    assert matches(topic_filter, name) == reference(topic_filter, name)


@given(names)
def test_a_name_is_its_own_filter(name: str) -> None:
    assert matches(name, name)
    assert not matches(name, name + "/x")
    assert matches(name + "/#", name)


def test_the_examples_of_the_standard() -> None:
    for topic_filter, name, expected in (
        ("sport/tennis/player1/#", "sport/tennis/player1", True),
        ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", True),
        ("sport/#", "sport", True),
        ("sport/tennis/+", "sport/tennis/player1/ranking", False),
        ("sport/+", "sport", False),
        ("sport/+", "sport/", True),
        ("+/+", "/finance", True),
        ("/+", "/finance", True),
        ("+", "/finance", False),
        ("#", "$SYS/broker", False),
        ("+/monitor", "$SYS/monitor", False),
        ("$SYS/#", "$SYS/monitor", True),
    ):
        assert matches(topic_filter, name) is expected, (topic_filter, name)


class Listener:
    """A client that writes down what it hears."""

    def __init__(self, broker: LocalBroker, *filters: str, will: Will | None = None) -> None:
        self.heard: list[tuple[str, bytes, bool]] = []
        self.bursts: list[int] = []
        self.line: list[str] = []
        self.transport: LocalTransport = broker.transport(will)
        self.transport.listen(
            on_up=lambda: self.line.append("up"), on_down=self.line.append, on_messages=self.take
        )
        self.transport.subscribe(*filters)

    def take(self, messages: list[Message]) -> None:
        self.bursts.append(len(messages))
        for message in messages:
            message.done()
            self.heard.append((message.topic, message.payload, message.retained))

    def say(self, payload: bytes, topic: str = "bq/1/k1/evt") -> bool:
        table = {"evt": EVT, "ack": ACK, "state": STATE, "hello": HELLO, "cmd": CMD}
        return self.transport.publish(table.get(topic.rsplit("/", 1)[-1], QUEUE), topic, payload)


async def settle() -> None:
    await asyncio.sleep(0.001)


def test_order_and_bursts() -> None:
    async def main() -> None:
        broker = LocalBroker()
        sender, one, other = (
            Listener(broker),
            Listener(broker, "bq/1/+/evt"),
            Listener(broker, "bq/1/k1/evt", "bq/1/k1/ack"),
        )
        for client in (sender, one, other):
            await client.transport.start()
        for number in range(5):
            assert sender.say(b"%d" % number)
        assert one.heard == [], "never inside publish: nobody is called back from his own call"
        await settle()
        expected = [("bq/1/k1/evt", b"%d" % n, False) for n in range(5)]
        assert one.heard == other.heard == expected
        assert one.bursts == [5]
        assert sender.heard == []
        assert broker.published == 5

    vtime.run(main())


def test_retained_is_the_last_value_once_and_can_be_cleared() -> None:
    async def main() -> None:
        broker = LocalBroker()
        sender = Listener(broker)
        await sender.transport.start()
        for payload in (b"old", b"new"):
            sender.say(payload, "bq/1/pub/queue/A")
        sender.say(b"B", "bq/1/pub/queue/B")
        sender.say(b"e", "bq/1/k1/evt")  # not retained
        late = Listener(broker, QUEUE.everyone, EVT.everyone)
        late.transport.listen(
            on_up=lambda: late.transport.subscribe("bq/1/k1/ack"),
            on_down=late.line.append,
            on_messages=late.take,
        )
        await late.transport.start()
        await settle()
        assert late.heard == [
            ("bq/1/pub/queue/A", b"new", True),
            ("bq/1/pub/queue/B", b"B", True),
        ]
        sender.say(b"live", "bq/1/pub/queue/A")
        await settle()
        assert late.heard[-1] == ("bq/1/pub/queue/A", b"live", False)
        sender.say(b"", "bq/1/pub/queue/A")
        later = Listener(broker)
        await later.transport.start()
        later.transport.subscribe("bq/1/pub/queue/+")
        await settle()
        assert later.heard == [("bq/1/pub/queue/B", b"B", True)]

    vtime.run(main())


def test_what_on_up_subscribes_is_replayed_once() -> None:
    async def main() -> None:
        broker = LocalBroker()
        sender = Listener(broker)
        await sender.transport.start()
        sender.say(b"7", "bq/1/k1/ack")
        client = Listener(broker)
        client.transport.listen(
            on_up=lambda: client.transport.subscribe(ACK.everyone),
            on_down=client.line.append,
            on_messages=client.take,
        )
        await client.transport.start()
        await settle()
        assert client.heard == [("bq/1/k1/ack", b"7", True)]

    vtime.run(main())


def test_the_will_is_for_a_lost_line_only() -> None:
    async def main() -> None:
        broker = LocalBroker()
        watcher = Listener(broker, STATE.everyone)
        await watcher.transport.start()
        will = Will(STATE, "bq/1/k1/state", b"lost")
        client = Listener(broker, EVT.everyone, will=will)
        await client.transport.start()
        await client.transport.start()  # harmless
        await client.transport.stop()
        await client.transport.stop()
        await settle()
        assert watcher.heard == []
        await client.transport.start()
        watcher.say(b"on its way")
        client.transport.lose("cut")
        client.transport.lose("cut")
        await settle()
        assert watcher.heard == [("bq/1/k1/state", b"lost", False)]
        assert client.heard == [], "what was under way is gone"
        assert client.line == ["up", "up", "cut"]
        assert not client.transport.connected
        assert not client.say(b"x")
        late = Listener(broker, STATE.everyone)
        await late.transport.start()
        await settle()
        assert late.heard == [("bq/1/k1/state", b"lost", True)]

    vtime.run(main())


def test_what_was_under_way_is_lost_even_if_the_line_is_back_at_once() -> None:
    async def main() -> None:
        broker = LocalBroker()
        sender, client = Listener(broker), Listener(broker, EVT.everyone)
        await sender.transport.start()
        for leave in (client.transport.lose, client.transport.stop):
            await client.transport.start()
            sender.say(b"on its way")
            left = leave()
            if left is not None:
                await left
            await client.transport.start()
            await settle()
            assert client.heard == []
            await client.transport.stop()

    vtime.run(main())


def test_nobody_is_told_while_away() -> None:
    async def main() -> None:
        broker = LocalBroker()
        sender, client = Listener(broker), Listener(broker, EVT.everyone)
        await sender.transport.start()
        sender.say(b"before")
        await client.transport.start()
        sender.say(b"one")
        await settle()
        client.transport.lose()
        sender.say(b"two")
        await client.transport.start()
        sender.say(b"three")
        await settle()
        assert [payload for _, payload, _ in client.heard] == [b"one", b"three"]

    vtime.run(main())
