"""Every topic of the feed: its name, who writes it, QoS, retain and expiry. The table of
docs/protocol-mqtt.md is this one.

``node`` is the device's certificate name, MQTT user name and client id. Pure.
"""

import re
from dataclasses import dataclass

NODE_PATTERN = re.compile(r"(?!(?:pub|srv)\Z)[a-z0-9][a-z0-9-]{0,31}\Z")
"""Safe in a topic, a file name and a certificate name; no wildcard, no slash. ``pub`` and ``srv``
are the feed's own.
"""


@dataclass(frozen=True, slots=True)
class Topic:
    """One row of the table. ``pattern`` has {node}, {service}, {zone}; ``expiry_s`` None means
    never.
    """

    pattern: str
    qos: int
    retain: bool
    expiry_s: int | None

    def of(self, **names: str) -> str:
        """The concrete topic name. Raises ValueError for a name unfit for a topic."""
        for value in names.values():
            if not NODE_PATTERN.match(value.lower()):
                raise ValueError(
                    f"{value!r} cannot stand in a topic:"
                    " expected letters, digits and '-', at most 32"
                )
        return self.pattern.format(**names)

    @property
    def everyone(self) -> str:
        """The filter that matches this topic of every node, service or zone."""
        return re.sub(r"\{[a-z]+\}", "+", self.pattern)


HELLO = Topic("bq/1/{node}/hello", qos=1, retain=False, expiry_s=60)
WELCOME = Topic("bq/1/{node}/welcome", qos=1, retain=False, expiry_s=60)
EVT = Topic("bq/1/{node}/evt", qos=1, retain=False, expiry_s=None)
ACK = Topic("bq/1/{node}/ack", qos=1, retain=True, expiry_s=None)
STATE = Topic("bq/1/{node}/state", qos=1, retain=True, expiry_s=None)
CMD = Topic("bq/1/{node}/cmd", qos=1, retain=False, expiry_s=10)
RES = Topic("bq/1/{node}/res", qos=1, retain=False, expiry_s=60)
QUEUE = Topic("bq/1/pub/queue/{service}", qos=1, retain=True, expiry_s=90)
BOARD = Topic("bq/1/pub/board/{zone}", qos=1, retain=True, expiry_s=90)
SRV_STATE = Topic("bq/1/srv/state", qos=1, retain=True, expiry_s=None)


def node_of(topic: str) -> str | None:
    """The node in ``bq/1/{node}/…``, None for a topic of another shape."""
    parts = topic.split("/")
    if len(parts) == 4 and parts[:2] == ["bq", "1"] and NODE_PATTERN.match(parts[2]):
        return parts[2]
    return None
