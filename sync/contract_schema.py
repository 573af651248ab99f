"""JSON Schema 2020-12 of every message, from the Structs themselves. Pure.

The schema of a message accepts fields that it does not know, as the decoder does, and refuses what
the decoder refuses. One thing it cannot say: ``7.0`` is an integer to JSON Schema and a wrong type
to the decoder.
"""

import inspect
import re
from collections.abc import Iterator
from typing import Any, get_args

import msgspec

from sync import messages as m
from sync.contract_examples import EVENTS, examples_of

DIALECT = "https://json-schema.org/draft/2020-12/schema"
EVENT, EVT = "Event", "Evt"

Schema = dict[str, Any]

_COUNTS_FROM_1: Schema = {"minimum": 1}
_CHECKED: dict[str, Schema] = {
    "epoch": _COUNTS_FROM_1,
    "seq": _COUNTS_FROM_1,
    "prev": {"pattern": "^[0-9a-f]{16}$"},
}
"""What the decoder of events checks beyond the types."""
_BASE64 = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
"""To JSON Schema the encoding of a text is a remark, to the decoder it is a rule."""


def tag_of(kind: type[msgspec.Struct]) -> str:
    """The value of the message's field ``type``."""
    return str(kind.__struct_config__.tag)


def event_classes() -> tuple[type[msgspec.Struct], ...]:
    """Every event of this version."""
    return tuple(m.EVENT_TYPES.values())


def session_classes() -> tuple[type[msgspec.Struct], ...]:
    """Every other message."""
    return get_args(m.SessionMessage)


def text_of(kind: type[msgspec.Struct]) -> str:
    """The docstring as one paragraph of CommonMark, "" if there is none."""
    return " ".join(inspect.cleandoc(kind.__doc__ or "").split()).replace("``", "`")


def components(template: str) -> dict[str, Schema]:
    """The schema of every message, of every Struct inside one and of the payload of ``evt``, by
    class name. ``template`` is where they refer to each other, with {name}.
    """
    events: list[type[msgspec.Struct]] = [*event_classes(), m.UnknownEvent]
    structs: list[type[msgspec.Struct]] = [*events, *session_classes()]
    _, found = msgspec.json.schema_components(structs, ref_template=template)
    schemas = {name: _mended(schema) for name, schema in found.items()}
    for kind in events:
        properties = schemas[kind.__name__]["properties"]
        for name, checked in _CHECKED.items():
            properties[name] |= checked
    schemas[m.UnknownEvent.__name__]["properties"]["type"] = {
        "type": "string",
        "not": {"enum": sorted(m.EVENT_TYPES)},
    }
    one = {"$ref": template.format(name=EVENT)}
    schemas[EVENT] = {
        "title": EVENT,
        "description": "One event of the feed, of a type of this version or of a later one.",
        "oneOf": [{"$ref": template.format(name=kind.__name__)} for kind in events],
    }
    schemas[EVT] = {
        "title": EVT,
        "description": f"One event, or an array of 1 to {m.MAX_BATCH}, in order.",
        "oneOf": [
            one,
            {"type": "array", "minItems": 1, "maxItems": m.MAX_BATCH, "items": one},
        ],
    }
    return schemas


def documents() -> dict[str, Schema]:
    """A schema document a message, by its ``type``; ``evt`` is the payload of that topic. Each
    holds all that it refers to.
    """
    schemas = components("#/$defs/{name}")
    found = {
        tag_of(kind): _document(
            tag_of(kind), kind.__name__, schemas, [_told(one) for one in examples_of(kind)]
        )
        for kind in (*event_classes(), *session_classes())
    }
    found["evt"] = _document("evt", EVT, schemas, evt_examples())
    return found


def evt_examples() -> list[Any]:
    """One event alone, and a batch."""
    return [_told(EVENTS[0]), [_told(event) for event in EVENTS[1:3]]]


def _told(message: msgspec.Struct) -> Any:
    return msgspec.json.decode(m.encode(message))


def _document(tag: str, name: str, schemas: dict[str, Schema], examples: list[Any]) -> Schema:
    needed: dict[str, Schema] = {}
    waiting = list(_referred(schemas[name]))
    while waiting:
        other = waiting.pop()
        if other not in needed:
            needed[other] = schemas[other]
            waiting += _referred(schemas[other])
    document = {
        "$schema": DIALECT,
        "$id": f"urn:lobby:feed:{m.VERSION}:{tag}",
        **schemas[name],
        "examples": examples,
    }
    if needed:
        document["$defs"] = {other: needed[other] for other in sorted(needed)}
    return document


def _referred(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if "$ref" in schema:
            yield schema["$ref"].rsplit("/", 1)[-1]
        for inner in schema.values():
            yield from _referred(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from _referred(inner)


def _mended(schema: Any) -> Any:
    """The same schema in words that AsyncAPI's own dialect has too, its descriptions in one
    line.
    """
    if isinstance(schema, list):
        return [_mended(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    # AsyncAPI's discriminator is another one; each alternative says its "type" itself.
    mended = {key: _mended(value) for key, value in schema.items() if key != "discriminator"}
    if isinstance(mended.get("description"), str):
        mended["description"] = re.sub(r"\s+", " ", mended["description"]).replace("``", "`")
    if mended.get("contentEncoding") == "base64":
        mended["pattern"] = _BASE64
    places = mended.get("prefixItems")
    if isinstance(places, list) and all(place == places[0] for place in places):
        del mended["prefixItems"]
        mended["items"] = places[0]
    return mended
