"""The contract of the feed as an AsyncAPI 3 document, made from the tables and Structs that the
programs run on. Pure.

The viewpoint is that of an application that talks to a branch: first as a node, as a kiosk does
(``send`` is what the node publishes), then as a reader, which publishes nothing and may count the
events of every node (operations with the tag ``reader``). A branch server is a node of head
office.
"""

from dataclasses import dataclass
from typing import Any

import msgspec

from sync import messages as m, topics
from sync.contract_examples import COMMANDER, KIOSK, examples_of
from sync.contract_schema import (
    EVT,
    Schema,
    components,
    evt_examples,
    session_classes,
    text_of,
)
from sync.topics import Topic

ASYNCAPI = "3.0.0"
MQTT_BINDING = "0.2.0"

_INFO = f"""\
The MQTT v5 feed of a bank branch's lobby: kiosks and branch server (`{topics.FEED}`), branch \
server and head office (`{topics.HQ_FEED}`, the same messages, the branch is the node).

The viewpoint is an application that talks to a branch. Operations with the tag `node` are those \
of a kiosk, or of a branch server towards head office: `send` is what it publishes. Operations \
with the tag `reader` are for whoever only listens, those with the tag `commander` for whoever \
commands the counters.

Types are strict: a number in quotes is refused, and so is an integer with a decimal point. \
Fields that a reader does not know are ignored and counted. An event of an unknown type is kept, \
not understood. A message of more than {m.MAX_MESSAGE_BYTES} bytes is refused. A PUBACK means \
nothing: an event is safe when the server's mark `hw` has passed it."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One topic as the contract tells it. ``answer`` is the channel of the reply, ``matched_by``
    where both say that they belong together. ``tag`` says whose viewpoint it is.
    """

    name: str
    topic: Topic
    by_node: bool
    messages: tuple[type[msgspec.Struct], ...]
    summary: str
    answer: str = ""
    matched_by: str = ""
    to_hq: bool = False
    for_readers: bool = False
    tag: str = "node"


_BY_CORRELATION = "$message.header#/correlationData"

CHANNELS = (
    Channel(
        "hello", topics.HELLO, True, (m.Hello,), "What a node has, after each connect.",
        answer="welcome", matched_by="$message.payload#/connect", to_hq=True,
    ),
    Channel(
        "welcome", topics.WELCOME, False, (m.Welcome,), "What the server has of it.",
        matched_by="$message.payload#/connect", to_hq=True,
    ),
    Channel(
        "evt", topics.EVT, True, (), "The events, in order, alone or in batches.",
        to_hq=True, for_readers=True,
    ),
    Channel(
        "ack", topics.ACK, False, (m.Ack,), "The server's committed mark, after the commit.",
        to_hq=True,
    ),
    Channel(
        "state", topics.STATE, True, (m.State,), "Is the node there; its will says lost.",
        to_hq=True, for_readers=True,
    ),
    Channel(
        "cmd", topics.CMD, False, (m.ArmPad, m.DisarmPad, m.ShowPad),
        "A command, with response topic and correlation data.",
        answer="res", matched_by=_BY_CORRELATION,
    ),
    Channel(
        "res", topics.RES, True, (m.CommandResult,),
        "What became of a command, with its correlation data.",
        matched_by=_BY_CORRELATION,
    ),
    Channel(
        "counterCmd", topics.COUNTER_CMD, True, (m.CounterCommand,),
        "A counter is told to do something, with response topic and correlation data.",
        answer="counterRes", matched_by=_BY_CORRELATION, tag="commander",
    ),
    Channel(
        "counterRes", topics.COUNTER_RES, False, (m.CounterResult,),
        "What became of it, with its correlation data.",
        matched_by=_BY_CORRELATION, tag="commander",
    ),
    Channel(
        "ask", topics.ASK, True, (m.AskNumber, m.TellerKey, m.AskCode),
        "A node asks for a display number, to carry out a teller's key, or what a code is.",
        answer="answer", matched_by="$message.payload#/key",
    ),
    Channel(
        "answer", topics.ANSWER, False, (m.NumberGrant, m.TellerAnswer, m.CodeAnswer),
        "The number, what became of the key, what the code is, or why there is none.",
        matched_by="$message.payload#/key",
    ),
    Channel(
        "cfg", topics.CFG, False, (m.DesiredConfig,),
        "What the node shall have: signed, its version only rises.",
    ),
    Channel(
        "applied", topics.CFG_APPLIED, True, (m.AppliedConfig,),
        "What the node has of it, what it refused, and how its pads are.",
        for_readers=True,
    ),
    Channel(
        "queue", topics.QUEUE, False, (m.QueueState,),
        "A service's queue, for displays: the last value wins, nothing is counted from it.",
        for_readers=True,
    ),
    Channel(
        "board", topics.BOARD, False, (m.BoardState,),
        "A zone's newest calls, for displays: the last value wins, nothing is counted from it.",
        for_readers=True,
    ),
    Channel(
        "alert", topics.ALERT, False, (m.Alert,),
        "What needs somebody in the hall: each alert raised once and cleared once.",
        for_readers=True,
    ),
    Channel(
        "server", topics.SRV_STATE, False, (m.State,), "Is the server there; its will says lost.",
        to_hq=True, for_readers=True,
    ),
)  # fmt: skip

_PARAMETERS = {
    "branch": "The name of the branch's server, a node's too.",
    "node": "The node's name: its MQTT user name and client id. a-z, 0-9 and `-`, at most 32.",
    "service": "The service's letter, as on a ticket.",
    "zone": "The zone of the lobby that a display shows.",
}
_HEADERS: Schema = {
    "type": "object",
    "description": "MQTT v5 properties of the message.",
    "properties": {
        "responseTopic": {"type": "string", "description": "Response Topic"},
        "correlationData": {"type": "string", "description": "Correlation Data, any bytes"},
    },
    "required": ["correlationData"],
}


def asyncapi(version: str) -> Schema:
    """The whole document; ``version`` is that of the product whose feed it describes."""
    return {
        "asyncapi": ASYNCAPI,
        "id": f"urn:lobby:feed:{m.VERSION}",
        "info": {
            "title": "Lobby's feed",
            "version": version,
            "description": _INFO,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "branch": _server("The broker of a branch."),
            "hq": _server("The broker of head office."),
        },
        "channels": {_key(channel, root): _channel(channel, root) for channel, root in _places()},
        "operations": dict(
            operation for channel, root in _places() for operation in _operations(channel, root)
        ),
        "components": {
            "schemas": dict(sorted(components("#/components/schemas/{name}").items())),
            "messages": _messages(),
            "parameters": {name: {"description": text} for name, text in _PARAMETERS.items()},
        },
    }


def _server(description: str) -> Schema:
    return {
        "host": "{host}:{port}",
        "protocol": "mqtt",
        "protocolVersion": "5.0",
        "description": description,
        "variables": {"host": {"default": "localhost"}, "port": {"default": "1883"}},
    }


def _places() -> list[tuple[Channel, str]]:
    """Every channel under every root that has it."""
    in_branch = [(channel, topics.FEED) for channel in CHANNELS]
    return in_branch + [(channel, topics.HQ_FEED) for channel in CHANNELS if channel.to_hq]


def _key(channel: Channel, root: str) -> str:
    return channel.name if root == topics.FEED else f"hq{channel.name.capitalize()}"


def _ref(*path: str) -> Schema:
    return {"$ref": "/".join(("#", *path))}


def _named(channel: Channel) -> list[str]:
    """The keys of the channel's messages."""
    return [kind.__name__ for kind in channel.messages] or [EVT]


def _channel(channel: Channel, root: str) -> Schema:
    names = [name for name in _PARAMETERS if f"{{{name}}}" in channel.topic.path]
    built: Schema = {
        "address": f"{root}/{channel.topic.path}",
        "summary": channel.summary,
        "servers": [_ref("servers", "branch" if root == topics.FEED else "hq")],
        "messages": {name: _ref("components", "messages", name) for name in _named(channel)},
    }
    if names:
        built["parameters"] = {name: _ref("components", "parameters", name) for name in names}
    return built


def _operations(channel: Channel, root: str) -> list[tuple[str, Schema]]:
    """As a node (or as who commands), then as a reader where a reader may listen."""
    key = _key(channel, root)
    about: Schema = {
        "channel": _ref("channels", key),
        "summary": channel.summary,
        "messages": [_ref("channels", key, "messages", name) for name in _named(channel)],
        "bindings": {"mqtt": _binding(channel.topic)},
    }
    title = key[0].upper() + key[1:]
    action = "send" if channel.by_node else "receive"
    as_node: Schema = {"action": action, **about, "tags": [{"name": channel.tag}]}
    if channel.answer:
        as_node["reply"] = _reply(channel, root)
    found = [(f"{action}{title}", as_node)]
    if channel.for_readers:
        found.append(
            (f"read{title}", {"action": "receive", **about, "tags": [{"name": "reader"}]})
        )
    return found


def _binding(topic: Topic) -> Schema:
    binding: Schema = {"qos": topic.qos, "retain": topic.retain}
    if topic.expiry_s is not None:
        binding["messageExpiryInterval"] = topic.expiry_s
    return binding | {"bindingVersion": MQTT_BINDING}


def _reply(channel: Channel, root: str) -> Schema:
    answer = next(other for other in CHANNELS if other.name == channel.answer)
    key = _key(answer, root)
    reply: Schema = {
        "channel": _ref("channels", key),
        "messages": [_ref("channels", key, "messages", name) for name in _named(answer)],
    }
    if channel.matched_by == _BY_CORRELATION:
        reply["address"] = {
            "location": "$message.header#/responseTopic",
            "description": "The Response Topic of the command; the node's own topic if it has"
            " none.",
        }
    return reply


def _messages() -> Schema:
    found: Schema = {
        EVT: {
            "name": "evt",
            "title": "Events",
            "summary": "One event, or a batch.",
            "payload": _ref("components", "schemas", EVT),
            "bindings": {"mqtt": {"bindingVersion": MQTT_BINDING}},
            "examples": [
                {"name": name, "payload": payload}
                for name, payload in zip(("one", "batch"), evt_examples(), strict=True)
            ],
        }
    }
    for kind in session_classes():
        found[kind.__name__] = _message(kind)
    return found


def _message(kind: type[msgspec.Struct]) -> Schema:
    channel = next(channel for channel in CHANNELS if kind in channel.messages)
    mqtt: Schema = {"bindingVersion": MQTT_BINDING}
    message: Schema = {
        "name": str(kind.__struct_config__.tag),
        "title": kind.__name__,
        "summary": text_of(kind).partition(". ")[0].rstrip(".") + ".",
        "payload": _ref("components", "schemas", kind.__name__),
        "bindings": {"mqtt": mqtt},
    }
    examples: list[Any] = [msgspec.json.decode(m.encode(one)) for one in examples_of(kind)]
    message["examples"] = [{"payload": payload} for payload in examples]
    if channel.matched_by:
        message["correlationId"] = {"location": channel.matched_by}
    if channel.matched_by == _BY_CORRELATION:
        message["headers"] = _HEADERS
        mqtt["correlationData"] = {"type": "string"}
        for example in message["examples"]:
            example["headers"] = {"correlationData": example["payload"]["key"]}
        if channel.answer:
            mqtt["responseTopic"] = topics.RES.pattern
            who = COMMANDER if channel.tag == "commander" else KIOSK
            for example in message["examples"]:
                example["headers"]["responseTopic"] = topics.RES.of(node=who)
    return message
