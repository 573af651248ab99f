"""The lossy network, against what its weather says and what MQTT 5 says of a broker."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from simulator import vtime
from simulator.prove.network import CALM, Link, Network, Weather
from sync.mqtt import Will
from sync.topics import ACK, CMD, EVT, SRV_STATE, STATE
from sync.transport import NO_SUBSCRIBER, Message

EVT_1 = EVT.of(node="kiosk-1")
LONG_S = 60.0


class Ear:
    """A client that writes down what it hears."""

    def __init__(self, network: Network, name: str, *filters: str, will: Will | None = None):
        self.heard: list[Message] = []
        self.bursts: list[int] = []
        self.downs: list[str] = []
        self.refused: list[tuple[str, int]] = []
        self.ups = 0
        self.link: Link = network.link(name, will)
        self.link.listen(
            on_up=self._up,
            on_down=self.downs.append,
            on_messages=self._take,
            on_refused=lambda name, code: self.refused.append((name, code)),
        )
        self.link.subscribe(*filters)

    def _up(self) -> None:
        self.ups += 1

    def _take(self, messages: list[Message]) -> None:
        self.heard += messages
        self.bursts.append(len(messages))

    @property
    def payloads(self) -> list[bytes]:
        return [message.payload for message in self.heard]


async def joined(network: Network, *filters: str) -> tuple[Ear, Ear]:
    """A device and a server that are connected."""
    device = Ear(network, "kiosk-1", ACK.of(node="kiosk-1"))
    server = Ear(network, "branch", *(filters or (EVT.everyone,)))
    for ear in (device, server):
        await ear.link.start()
    await asyncio.sleep(LONG_S)
    assert device.link.connected
    assert server.link.connected
    return device, server


def send(ear: Ear, count: int) -> None:
    for number in range(count):
        assert ear.link.publish(EVT, EVT_1, b"%d" % number)


def on_virtual_time(work: Coroutine[Any, Any, None]) -> None:
    vtime.run(work)


def test_calm_weather_brings_everything_once() -> None:
    async def work() -> None:
        device, server = await joined(Network(1))
        send(device, 50)
        await asyncio.sleep(LONG_S)
        assert sorted(server.payloads) == sorted(b"%d" % number for number in range(50))
        assert max(server.bursts) > 1, "neighbours come together"

    on_virtual_time(work())


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5])
def test_messages_are_lost_as_the_weather_says(share: float) -> None:
    async def work() -> None:
        network = Network(2, Weather(loss=share))
        device, server = await joined(network)
        send(device, 2_000)
        await asyncio.sleep(LONG_S)
        arrived = len(server.payloads) / 2_000
        assert abs(arrived - (1 - share) ** 2) < 0.05, "two hops"
        assert network.figures["messages_lost"] == 2_000 - len(server.payloads)

    on_virtual_time(work())


def test_messages_are_doubled() -> None:
    async def work() -> None:
        device, server = await joined(Network(3, Weather(doubled=0.2)))
        send(device, 1_000)
        await asyncio.sleep(LONG_S)
        assert set(server.payloads) == {b"%d" % number for number in range(1_000)}
        assert 1_350 < len(server.payloads) < 1_530  # 1000 * 1.2 * 1.2

    on_virtual_time(work())


def test_late_messages_are_overtaken() -> None:
    async def work() -> None:
        network = Network(4, Weather(delay_s=(0.001, 0.001), late=0.2, late_s=5.0))
        device, server = await joined(network)
        for number in range(200):
            device.link.publish(EVT, EVT_1, b"%d" % number)
            await asyncio.sleep(0.01)
        await asyncio.sleep(LONG_S)
        numbers = [int(payload) for payload in server.payloads]
        assert sorted(numbers) == list(range(200))
        assert numbers != sorted(numbers)
        assert network.figures["messages_reordered"] > 0

    on_virtual_time(work())


@pytest.mark.parametrize(("up", "down"), [(True, True), (True, False), (False, True)])
def test_a_cut_stops_one_direction_or_both(up: bool, down: bool) -> None:
    async def work() -> None:
        network = Network(5)
        device, server = await joined(network)
        network.cut("kiosk-1", up=up, down=down)
        assert device.link.publish(EVT, EVT_1, b"up"), "nobody knows yet"
        server.link.publish(ACK, ACK.of(node="kiosk-1"), b"down")
        await asyncio.sleep(1.0)
        assert server.payloads == ([] if up else [b"up"])
        assert device.payloads == ([] if down else [b"down"])

    on_virtual_time(work())


def test_a_cut_is_noticed_and_ends_with_a_new_connection() -> None:
    async def work() -> None:
        network = Network(6)
        device, _ = await joined(network)
        network.cut("kiosk-1")
        await asyncio.sleep(LONG_S)
        assert len(device.downs) == 1
        assert not device.link.publish(EVT, EVT_1, b"x")
        network.heal("kiosk-1")
        await asyncio.sleep(LONG_S)
        assert device.ups == 2
        assert device.link.connected

    on_virtual_time(work())


def test_a_short_cut_is_not_noticed() -> None:
    async def work() -> None:
        network = Network(7)
        device, _ = await joined(network)
        network.cut("kiosk-1")
        await asyncio.sleep(1.0)
        network.heal("kiosk-1")
        await asyncio.sleep(LONG_S)
        assert (device.ups, device.downs) == (1, [])

    on_virtual_time(work())


def test_the_will_comes_when_a_client_vanishes_or_is_cut_off_not_when_it_stops() -> None:
    async def work() -> None:
        network = Network(8)
        _, server = await joined(network, STATE.everyone)
        ears = []
        for name in ("dies", "cut-off", "stops"):
            will = Will(STATE, STATE.of(node=name), name.encode())
            ears.append(Ear(network, name, will=will))
            await ears[-1].link.start()
        await asyncio.sleep(LONG_S)
        ears[0].link.abandon()
        network.cut("cut-off")
        await ears[2].link.stop()
        await asyncio.sleep(LONG_S)
        assert sorted(server.payloads) == [b"cut-off", b"dies"]
        assert ears[0].downs == [], "a dead program hears nothing"

    on_virtual_time(work())


def test_a_new_client_takes_the_name_over() -> None:
    async def work() -> None:
        network = Network(9)
        device, server = await joined(network)
        again = Ear(network, "kiosk-1", ACK.of(node="kiosk-1"))
        await again.link.start()
        await asyncio.sleep(LONG_S)
        server.link.publish(ACK, ACK.of(node="kiosk-1"), b"to one")
        await asyncio.sleep(LONG_S)
        assert not device.link.connected
        assert (device.payloads, again.payloads) == ([], [b"to one"])

    on_virtual_time(work())


def test_what_was_under_way_is_lost_with_the_connection() -> None:
    """Even if the client is back before it would have arrived."""

    async def work() -> None:
        network = Network(10)
        device, server = await joined(network)
        device.link.subscribe(CMD.of(node="kiosk-1"))
        network.weather = Weather(delay_s=(20.0, 20.0))
        server.link.publish(CMD, CMD.of(node="kiosk-1"), b"x")
        await asyncio.sleep(25.0)  # the broker has it, the device has not
        device.link.drop("gone")
        await asyncio.sleep(10.0)
        assert device.ups == 2
        await asyncio.sleep(LONG_S)
        assert device.heard == []
        assert network.figures["messages_lost_with_connection"] == 1

    on_virtual_time(work())


def test_a_broker_that_restarts_has_forgotten_everything() -> None:
    async def work() -> None:
        network = Network(11)
        device, server = await joined(network)
        server.link.publish(SRV_STATE, SRV_STATE.of(), b"retained")
        await asyncio.sleep(LONG_S)
        network.weather = Weather(delay_s=(30.0, 30.0))
        send(device, 1)
        network.forget(away_s=10.0)
        late = Ear(network, "late", SRV_STATE.of())
        await late.link.start()
        await asyncio.sleep(5.0)
        assert late.ups == 0, "the broker is away"
        await asyncio.sleep(LONG_S)
        assert (server.payloads, late.payloads) == ([], [])
        assert (device.ups, server.ups, late.ups) == (2, 2, 1)

    on_virtual_time(work())


def test_retained_messages_come_to_new_subscribers_and_an_empty_one_clears() -> None:
    async def work() -> None:
        network = Network(12)
        _, server = await joined(network)
        name = SRV_STATE.of()
        server.link.publish(SRV_STATE, name, b"old")
        await asyncio.sleep(1.0)
        server.link.publish(SRV_STATE, name, b"new")
        await asyncio.sleep(1.0)
        first = Ear(network, "first", name)
        await first.link.start()
        await asyncio.sleep(LONG_S)
        assert [(m.payload, m.retained) for m in first.heard] == [(b"new", True)]
        server.link.publish(SRV_STATE, name, b"")
        await asyncio.sleep(1.0)
        second = Ear(network, "second", name)
        await second.link.start()
        await asyncio.sleep(LONG_S)
        assert second.heard == []

    on_virtual_time(work())


def test_a_publish_that_nobody_takes_is_refused() -> None:
    async def work() -> None:
        network = Network(13)
        device, server = await joined(network)
        send(device, 1)
        await asyncio.sleep(LONG_S)
        assert device.refused == []
        await server.link.stop()
        send(device, 1)
        await asyncio.sleep(LONG_S)
        assert device.refused == [(EVT_1, NO_SUBSCRIBER)]

    on_virtual_time(work())


def test_the_order_of_topics_at_one_instant_changes_nothing() -> None:
    fates: list[list[object]] = []

    async def work(*, backwards: bool) -> None:
        network = Network(14, Weather(loss=0.2, doubled=0.2, delay_s=(0.01, 0.01)))
        device, server = await joined(network)
        names = [EVT.of(node=f"kiosk-{number}") for number in range(1, 6)]
        for _ in range(20):
            for name in reversed(names) if backwards else names:
                device.link.publish(EVT, name, name.encode())
            await asyncio.sleep(0.1)
        await asyncio.sleep(LONG_S)
        fates.append([*server.payloads, *sorted(network.log)])

    on_virtual_time(work(backwards=False))
    on_virtual_time(work(backwards=True))
    assert fates[0] == fates[1]


def test_the_watch_sees_every_publish() -> None:
    async def work() -> None:
        network = Network(15, Weather(loss=1.0))
        seen: list[tuple[str, str, bytes]] = []
        network.watch = lambda client, name, payload: seen.append((client, name, payload))
        device, _ = await joined(network)
        send(device, 2)
        assert seen == [("kiosk-1", EVT_1, b"0"), ("kiosk-1", EVT_1, b"1")]
        assert network.weather != CALM

    on_virtual_time(work())
