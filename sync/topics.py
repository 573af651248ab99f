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


FEED = "bq/1"
"""Root of a branch's feed; the version is part of the name."""
HQ_FEED = "hq/1"
"""Root of the feed between branches and head office: the same topics, a branch is the device."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One row of the table. ``path`` has {node}, {service}, {zone}; ``expiry_s`` None means
    never.
    """

    path: str
    qos: int
    retain: bool
    expiry_s: int | None

    @property
    def pattern(self) -> str:
        """The row's name in a branch's feed."""
        return f"{FEED}/{self.path}"

    def of(self, *, root: str = "", **names: str) -> str:
        """The concrete topic name, in a branch's feed or under ``root``. Raises ValueError for a
        name unfit for a topic.
        """
        for value in names.values():
            if not NODE_PATTERN.match(value.lower()):
                raise ValueError(
                    f"{value!r} cannot stand in a topic:"
                    " expected letters, digits and '-', at most 32"
                )
        return f"{root or FEED}/{self.path.format(**names)}"

    @property
    def everyone(self) -> str:
        """The filter that matches this topic of every node, service or zone of a branch."""
        return self.every()

    def every(self, root: str = "") -> str:
        """The same filter under another ``root``."""
        return re.sub(r"\{[a-z]+\}", "+", f"{root or FEED}/{self.path}")


HELLO = Topic("{node}/hello", qos=1, retain=False, expiry_s=60)
WELCOME = Topic("{node}/welcome", qos=1, retain=False, expiry_s=60)
EVT = Topic("{node}/evt", qos=1, retain=False, expiry_s=None)
ACK = Topic("{node}/ack", qos=1, retain=True, expiry_s=None)
STATE = Topic("{node}/state", qos=1, retain=True, expiry_s=None)
CMD = Topic("{node}/cmd", qos=1, retain=False, expiry_s=10)
RES = Topic("{node}/res", qos=1, retain=False, expiry_s=60)
COUNTER_CMD = Topic("{branch}/cmd", qos=1, retain=False, expiry_s=10)
"""To the branch's server, which is named here: commands of its counters."""
COUNTER_RES = Topic("{branch}/res", qos=1, retain=False, expiry_s=60)
ASK = Topic("{node}/ask", qos=1, retain=False, expiry_s=1)
ANSWER = Topic("{node}/answer", qos=1, retain=False, expiry_s=1)
CFG = Topic("{node}/cfg", qos=1, retain=True, expiry_s=None)
CFG_APPLIED = Topic("{node}/cfg/applied", qos=1, retain=True, expiry_s=None)
QUEUE = Topic("pub/queue/{service}", qos=1, retain=True, expiry_s=90)
BOARD = Topic("pub/board/{zone}", qos=1, retain=True, expiry_s=90)
ALERT = Topic("pub/alert", qos=1, retain=False, expiry_s=3600)
SRV_STATE = Topic("srv/state", qos=1, retain=True, expiry_s=None)


def node_of(topic: str, root: str = "") -> str | None:
    """The node in ``bq/1/{node}/…`` (or under ``root``), None for a topic of another shape."""
    prefix = f"{root or FEED}/"
    parts = topic.removeprefix(prefix).split("/")
    shaped = len(parts) == 2 or parts[1:] == ["cfg", "applied"]
    if topic.startswith(prefix) and shaped and NODE_PATTERN.match(parts[0]):
        return parts[0]
    return None
