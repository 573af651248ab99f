"""The MQTT v5 channel: paho in a thread of its own, callbacks in the event loop. The only file
that imports paho.

Version 5 only: under 3.1.1 a denied publish looks like a success. Messages are acknowledged by
hand, after
their effect is durable. TCP_NODELAY is set on every socket: without it a connection that publishes
and
subscribes waits 44 ms a round trip.
"""

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import paho.mqtt.client as paho
import structlog
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from sync.topics import Topic
from sync.transport import NO_SUBSCRIBER, NOT_AUTHORISED, Listening, Message

KEEPALIVE_S = 20
CONNECT_TIMEOUT_S = 5.0
RECONNECT_MIN_S, RECONNECT_MAX_S = 1, 30
INFLIGHT = 200
"""Unacknowledged publishes of ours; matches the session's window."""
QUEUED = 2_000
"""Most publishes that wait for a slow broker; the next one is refused and counted."""
RECEIVE_MAXIMUM = 1_000
"""Most messages that the broker may have under way to us, so that a slow commit bounds the memory.
"""
STOP_TIMEOUT_S = 2.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker publishes when we vanish."""

    topic: Topic
    name: str
    payload: bytes


class MqttTransport(Listening):
    """A :class:`sync.transport.Transport` over one MQTT v5 connection that reconnects by
    itself.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        client_id: str,
        will: Will | None = None,
        username: str | None = None,
        password: str | None = None,
    ) -> None:
        self._host, self._port = host, port
        self._loop: asyncio.AbstractEventLoop | None = None
        self._up = False
        self._said_unreachable = False
        self._filters: list[str] = []
        self._connection = 0
        self._arrived: deque[tuple[int, paho.MQTTMessage]] = deque()
        self._scheduled = False
        super().__init__()
        self._under_way: dict[int, str] = {}  # what is published and not acknowledged: mid -> name
        self.failed_callbacks = 0
        self.refused_publishes: dict[int, int] = {}
        self.unsent_publishes = 0
        client = self._client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=paho.MQTTv5,
            manual_ack=True,
        )
        client.max_inflight_messages_set(INFLIGHT)
        client.max_queued_messages_set(QUEUED)
        client.reconnect_delay_set(RECONNECT_MIN_S, RECONNECT_MAX_S)
        client.connect_timeout = CONNECT_TIMEOUT_S
        if username is not None:
            client.username_pw_set(username, password)
        if will is not None:
            client.will_set(will.name, will.payload, qos=will.topic.qos, retain=will.topic.retain)
        client.on_socket_open = self._guard(self._socket_opened)
        client.on_connect = self._guard(self._connected)
        client.on_connect_fail = self._guard(self._connect_failed)
        client.on_disconnect = self._guard(self._disconnected)
        client.on_message = self._guard(self._message)
        client.on_publish = self._guard(self._published)
        client.on_subscribe = self._guard(self._subscribed)

    @property
    def connected(self) -> bool:
        return self._up

    def subscribe(self, *filters: str) -> None:
        self._filters += filters
        if self._up:
            self._subscribe(filters)

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
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if topic.expiry_s is not None:
            properties.MessageExpiryInterval = topic.expiry_s
        if response_topic is not None:
            properties.ResponseTopic = response_topic
        if correlation is not None:
            properties.CorrelationData = correlation
        info = self._client.publish(
            name, payload, qos=topic.qos, retain=topic.retain, properties=properties
        )
        if info.rc != paho.MQTT_ERR_SUCCESS:
            self.unsent_publishes += 1
            return False
        if topic.qos:
            self._under_way[info.mid] = name
        return True

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._arrived.clear()
        self._scheduled = False
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.ReceiveMaximum = RECEIVE_MAXIMUM
        self._client.connect_async(
            self._host, self._port, keepalive=KEEPALIVE_S, clean_start=True, properties=properties
        )
        self._client.loop_start()

    async def stop(self) -> None:
        if self._loop is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_TIMEOUT_S):
                while self._up and self._client.want_write():  # noqa: ASYNC110 - paho tells not
                    await asyncio.sleep(0.01)
        self._client.disconnect()
        await asyncio.to_thread(self._join_thread)
        self._up, self._loop = False, None

    def _join_thread(self) -> None:
        # Told to disconnect, paho's thread ends by itself and forgets itself, at times between the
        # two looks that loop_stop takes at it: then there is nothing left to join.
        with contextlib.suppress(AttributeError):
            self._client.loop_stop()

    # --- in paho's thread -------------------------------------------------------------------

    def _guard(self, callback: Callable[..., None]) -> Callable[..., None]:
        """An exception in a paho callback would end its thread while it still says that it is
        connected; one in the event loop would be nobody's.
        """

        def guarded(*args: Any) -> None:
            try:
                callback(*args)
            except Exception:
                self.failed_callbacks += 1
                log.exception("mqtt.callback_failed", callback=callback.__name__)

        return guarded

    @staticmethod
    def _socket_opened(_client: paho.Client, _userdata: Any, sock: Any) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _connected(
        self, _c: paho.Client, _u: Any, _flags: Any, reason: ReasonCode, _p: Any
    ) -> None:
        if reason.is_failure:
            log.error("mqtt.refused", reason=str(reason))
            return
        self._connection += 1
        # What the last connection did not get through is stale: an arm command ten minutes later
        # would ask the wrong customer. Events are sent again by the session, commands are not.
        self._client.drop_out_messages()
        if self._filters:
            self._subscribe(self._filters)
        self._call(self._came_up)

    def _connect_failed(self, _c: paho.Client, _u: Any) -> None:
        """Say it once for each time away: paho goes on trying."""
        if not self._said_unreachable:
            self._said_unreachable = True
            log.warning(
                "mqtt.unreachable",
                broker=f"{self._host}:{self._port}",
                hint="no MQTT broker answers there; is mosquitto running, is [broker] right?"
                " Trying again until it does.",
            )

    def _disconnected(
        self, _c: paho.Client, _u: Any, _flags: Any, reason: ReasonCode, _p: Any
    ) -> None:
        self._call(self._went_down, str(reason))

    def _message(self, _c: paho.Client, _u: Any, message: paho.MQTTMessage) -> None:
        self._arrived.append((self._connection, message))
        if not self._scheduled:
            self._scheduled = True
            self._call(self._deliver)

    def _published(self, _c: paho.Client, _u: Any, mid: int, reason: ReasonCode, _p: Any) -> None:
        code = reason.value
        if code == NO_SUBSCRIBER or code >= 0x80:
            self.refused_publishes[code] = self.refused_publishes.get(code, 0) + 1
            if code == NOT_AUTHORISED:
                log.error("mqtt.not_authorised", hint="check the broker's ACL for this node")
            # In the loop: there ``publish`` has noted the name by now.
            self._call(self._refused, mid, code)
        else:
            self._under_way.pop(mid, None)

    def _subscribed(
        self, _c: paho.Client, _u: Any, _mid: int, reasons: list[ReasonCode], _p: Any
    ) -> None:
        for reason in reasons:
            if reason.is_failure:
                log.error("mqtt.subscription_refused", reason=str(reason))

    def _subscribe(self, filters: list[str] | tuple[str, ...]) -> None:
        self._client.subscribe([(name, SubscribeOptions(qos=1)) for name in filters])

    def _call(self, function: Callable[..., None], *args: Any) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._guard(function), *args)

    # --- in the event loop ------------------------------------------------------------------

    def _came_up(self) -> None:
        self._up, self._said_unreachable = True, False
        self._on_up()

    def _refused(self, mid: int, code: int) -> None:
        name = self._under_way.pop(mid, None)
        if name is not None:
            self._on_refused(name, code)

    def _went_down(self, reason: str) -> None:
        if self._up:
            self._up = False
            self._under_way.clear()
            self._on_down(reason)

    def _deliver(self) -> None:
        self._scheduled = False
        messages = []
        while self._arrived:
            connection, raw = self._arrived.popleft()
            properties = raw.properties
            messages.append(
                Message(
                    topic=raw.topic,
                    payload=bytes(raw.payload),
                    retained=raw.retain,
                    response_topic=getattr(properties, "ResponseTopic", None),
                    correlation=getattr(properties, "CorrelationData", None),
                    done=partial(self._acknowledge, connection, raw.mid, raw.qos),
                )
            )
        if messages:
            self._on_messages(messages)

    def _acknowledge(self, connection: int, mid: int, qos: int) -> None:
        # The broker numbers anew on each connection: an old number may be another message's now.
        if connection == self._connection and self._up and qos:
            self._client.ack(mid, qos)
