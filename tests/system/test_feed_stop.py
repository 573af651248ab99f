"""The end of a connection, whatever paho's thread does at that moment."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest

from simulator.mosquitto import Mosquitto
from sync.mqtt import MqttTransport

pytestmark = pytest.mark.broker

SOON_S = 15.0


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    mosquitto = Mosquitto(tmp_path)
    yield mosquitto
    mosquitto.stop()


class HastyClient(paho.Client):
    """Its thread ends, and is forgotten, between the two looks that loop_stop takes at it."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        self._held: threading.Thread | None = None
        self._stopping = threading.Event()
        super().__init__(*args, **settings)

    @property
    def _thread(self) -> threading.Thread | None:
        held = self._held
        if held is not None and self._stopping.is_set():
            held.join()
        return held

    @_thread.setter
    def _thread(self, thread: threading.Thread | None) -> None:
        if thread is None and self._held is not None:
            self._stopping.wait(SOON_S)
        self._held = thread

    def loop_stop(self) -> Any:
        self._stopping.set()
        return super().loop_stop()


async def test_a_network_thread_that_ends_first_does_not_spoil_the_stop(
    broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.mqtt.paho.Client", HastyClient)
    up = asyncio.Event()
    transport = MqttTransport(host=broker.host, port=broker.port, client_id="one")
    transport.listen(on_up=up.set, on_down=lambda _: None, on_messages=lambda _: None)
    await transport.start()
    async with asyncio.timeout(SOON_S):
        await up.wait()
    await transport.stop()
    assert not transport.connected
