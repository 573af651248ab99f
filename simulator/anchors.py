"""What the exchange is measured against: paho alone. A publisher in a process of its own, and a
loop that receives and does nothing.
"""

import multiprocessing
import threading
import time
from collections.abc import Sequence
from multiprocessing.process import BaseProcess

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

INFLIGHT = 1000
CONNECT_S = 10.0
DEADLINE_S = 120.0


def _client(name: str) -> paho.Client:
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=paho.MQTTv5)
    client.max_inflight_messages_set(INFLIGHT)
    client.max_queued_messages_set(0)
    return client


def _connect(client: paho.Client, host: str, port: int) -> None:
    up = threading.Event()

    def connected(_c: object, _u: object, _f: object, reason: ReasonCode, _p: object) -> None:
        if not reason.is_failure:
            up.set()

    client.on_connect = connected
    client.connect(host, port)
    client.loop_start()
    if not up.wait(CONNECT_S):
        raise TimeoutError(f"no MQTT broker answers at {host}:{port}")


def _publish(host: str, port: int, topic: str, payloads: Sequence[bytes]) -> None:
    client = _client(f"publisher-{time.time_ns()}")
    _connect(client, host, port)
    last = None
    for payload in payloads:
        last = client.publish(topic, payload, qos=1)
    if last is not None:
        last.wait_for_publish(DEADLINE_S)
    client.loop_stop()  # first: a thread that disconnect has ended cannot be joined
    client.disconnect()


def publish(host: str, port: int, topic: str, payloads: Sequence[bytes]) -> BaseProcess:
    """Publish the payloads at QoS 1, as fast as paho can, from a process of its own."""
    context = multiprocessing.get_context("fork")
    process = context.Process(target=_publish, args=(host, port, topic, payloads), daemon=True)
    process.start()
    return process


def receive_only_s(host: str, port: int, topic: str, payloads: Sequence[bytes]) -> float:
    """Seconds from the first to the last message in a paho loop that only counts."""
    client = _client("receiver")
    done = threading.Event()
    seen = 0
    began_s = ended_s = 0.0

    def received(_c: object, _u: object, _message: object) -> None:
        nonlocal seen, began_s, ended_s
        if not seen:
            began_s = time.perf_counter()
        seen += 1
        if seen == len(payloads):
            ended_s = time.perf_counter()
            done.set()

    client.on_message = received
    _connect(client, host, port)
    subscribed = threading.Event()
    client.on_subscribe = lambda *_: subscribed.set()
    client.subscribe(topic, qos=1)
    subscribed.wait(CONNECT_S)
    process = publish(host, port, topic, payloads)
    if not done.wait(DEADLINE_S):
        raise TimeoutError(f"{seen} of {len(payloads)} messages came")
    process.join()
    client.loop_stop()  # first: a thread that disconnect has ended cannot be joined
    client.disconnect()
    return ended_s - began_s
