"""The contract says what the code does: what the schemas take, the decoder takes, and the other
way round.
"""

import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any, cast, get_args, get_origin

import msgspec
import pytest
from hypothesis import given, strategies as st
from jsonschema import Draft7Validator, Draft202012Validator

from sync import messages as m, topics
from sync.contract import CHANNELS, asyncapi
from sync.contract_files import contract_files, write_contract
from sync.contract_schema import documents, event_classes, session_classes, tag_of
from sync.errors import BadMessage

ROOT = Path(__file__).parents[3]
DOCUMENTS = documents()
CLASSES = {tag_of(kind): kind for kind in (*event_classes(), *session_classes())}
READERS = {tag: Draft202012Validator(document) for tag, document in DOCUMENTS.items()}
FETCH_S = 300.0

# --- random messages, from the Structs alone ------------------------------------------------

_DIGEST = st.text("0123456789abcdef", min_size=16, max_size=16)
_SPECIAL: dict[tuple[str, str], st.SearchStrategy[Any]] = {
    ("event", "prev"): _DIGEST,
    ("event", "epoch"): st.integers(1, 2**63 - 1),
    ("event", "seq"): st.integers(1, 2**63 - 1),
}


def values(kind: Any, name: str = "", of: str = "") -> st.SearchStrategy[Any]:
    """Values of a field's annotation."""
    special = _SPECIAL.get((of, name))
    if special is not None:
        return special
    arguments = get_args(kind)
    if get_origin(kind) is Annotated:
        return annotated(arguments[0], arguments[1])
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return structs(kind)
    if kind is bool:
        return st.booleans()
    if kind is int:
        return st.integers(-(2**63), 2**63 - 1)
    if kind is str:
        return st.text(max_size=12)
    if kind is bytes:
        return st.binary(max_size=12)
    if kind is type(None):
        return st.none()
    if get_origin(kind) is dict:
        return st.dictionaries(values(arguments[0]), values(arguments[1]), max_size=3)
    if get_origin(kind) is list:
        return st.lists(values(arguments[0]), max_size=3)
    if get_origin(kind) is tuple:
        return st.tuples(*(values(one) for one in arguments))
    if all(isinstance(one, str) for one in arguments):
        return st.sampled_from(arguments)
    return st.one_of(*(values(one) for one in arguments))


def annotated(kind: Any, meta: msgspec.Meta) -> st.SearchStrategy[Any]:
    """Values that keep the annotation's rule."""
    if meta.pattern is not None:
        most = meta.max_length or 999
        return st.from_regex(meta.pattern, fullmatch=True).filter(lambda text: len(text) <= most)
    if kind is float:
        return st.floats(meta.ge, meta.le)
    return st.text(min_size=meta.min_length or 0, max_size=meta.max_length)


def structs(kind: type[msgspec.Struct]) -> st.SearchStrategy[msgspec.Struct]:
    """Messages of a class; what has a default is left out at times."""
    of = "event" if issubclass(kind, m.Event) else ""
    fields = msgspec.structs.fields(kind)
    must = {f.name: values(f.type, f.name, of) for f in fields if f.required}
    may = {f.name: values(f.type, f.name, of) for f in fields if not f.required}
    return st.fixed_dictionaries(must, optional=may).map(lambda names: kind(**names))


def decoded(tag: str, raw: bytes) -> msgspec.Struct:
    """As the programs read it. Raises BadMessage."""
    if tag in m.EVENT_TYPES:
        return m.decode_event(raw)
    message: msgspec.Struct = m.decode(raw, cast(Any, m.SessionMessage))
    return message


def both_refuse(tag: str, table: Any) -> None:
    assert not READERS[tag].is_valid(table)
    with pytest.raises(BadMessage):
        decoded(tag, msgspec.json.encode(table))


def places(kind: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any, bool]]:
    """Every field of a message, nested ones included: its path, its annotation, is it needed."""
    found: list[tuple[tuple[str, ...], Any, bool]] = []
    for field in msgspec.structs.fields(kind):
        here = (*path, field.name)
        found.append((here, field.type, field.required))
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            found += places(field.type, here)
    return found


def wrong_for(kind: Any) -> list[Any]:
    """Values of another type; 7.0 is left out: JSON Schema calls it an integer."""
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if kind is str:
        return [7, None, True, [], {}]
    if kind is int:
        return ["7", 7.5, None, True, []]
    if kind is bool:
        return ["true", 1, None]
    if kind is bytes:
        return [7, None, True, [], "{}", "A", "AAA="[:3]]
    if get_origin(kind) is list:
        return [{}, "[]", None, [7]]
    if isinstance(kind, type):
        return [[], "{}", None]
    if all(isinstance(one, str) for one in get_args(kind)):
        return ["no such word", 7, None]
    return [[], {}, True]  # one of several, or null


tags = st.sampled_from(sorted(CLASSES))


@given(tags, st.data())
def test_every_message_fits_its_schema(tag: str, data: st.DataObject) -> None:
    message = data.draw(structs(CLASSES[tag]))
    raw = m.encode(message)
    READERS[tag].validate(json.loads(raw))
    assert decoded(tag, raw) == message


@given(tags, st.data())
def test_a_wrong_type_is_refused_by_schema_and_decoder(tag: str, data: st.DataObject) -> None:
    table = json.loads(m.encode(data.draw(structs(CLASSES[tag]))))
    path, kind, _ = data.draw(st.sampled_from(places(CLASSES[tag])))
    inner = table
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = data.draw(st.sampled_from(wrong_for(kind)))
    both_refuse(tag, table)


@given(tags, st.data())
def test_a_missing_field_is_refused_by_schema_and_decoder(tag: str, data: st.DataObject) -> None:
    table = json.loads(m.encode(data.draw(structs(CLASSES[tag]))))
    needed = [path for path, _, required in places(CLASSES[tag]) if required]
    path = data.draw(st.sampled_from([*needed, ("type",)]))
    inner = table
    for name in path[:-1]:
        inner = inner[name]
    del inner[path[-1]]
    both_refuse(tag, table)


@given(tags, st.data())
def test_an_unknown_field_is_taken_anywhere(tag: str, data: st.DataObject) -> None:
    message = data.draw(structs(CLASSES[tag]))
    table = json.loads(m.encode(message))
    inner = table
    structs_inside = {path[:-1] for path, _, _ in places(CLASSES[tag])}
    for name in data.draw(st.sampled_from(sorted(structs_inside))):
        inner = inner[name]
    inner["colour"] = data.draw(st.sampled_from([1, None, {"red": [True]}]))
    READERS[tag].validate(table)
    assert decoded(tag, msgspec.json.encode(table)) == message


@pytest.mark.parametrize("field", ["seq", "epoch", "prev"])
def test_the_checks_beyond_the_types_are_in_the_schema(field: str) -> None:
    for wrong in (0, -1) if field != "prev" else ("", "9F3C5A7700112233", "0" * 17):
        table = copy.deepcopy(DOCUMENTS["ticket.issued"]["examples"][0])
        table[field] = wrong
        both_refuse("ticket.issued", table)


# --- the message of the topic evt -----------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 100, 101])
def test_a_batch_holds_1_to_100(count: int) -> None:
    event = DOCUMENTS["ticket.issued"]["examples"][0]
    batch = [event] * count
    assert READERS["evt"].is_valid(batch) is (1 <= count <= 100)
    try:
        parts = m.split_batch(msgspec.json.encode(batch))
    except BadMessage:
        parts = []
    assert len(parts) == (count if count <= 100 else 0)


def test_evt_takes_an_event_of_a_later_version_but_no_broken_one() -> None:
    table = copy.deepcopy(DOCUMENTS["ticket.issued"]["examples"][0])
    READERS["evt"].validate(table)
    table["data"] = {"halo": True}
    assert not READERS["evt"].is_valid(table)
    table["type"] = "ticket.blessed"
    READERS["evt"].validate(table)
    assert isinstance(m.decode_event(msgspec.json.encode(table)), m.UnknownEvent)
    table["seq"] = 0
    assert not READERS["evt"].is_valid(table)


# --- the documents --------------------------------------------------------------------------


def test_every_message_has_a_valid_schema_with_examples_and_a_description() -> None:
    for tag, document in DOCUMENTS.items():
        Draft202012Validator.check_schema(document)
        assert document["$id"] == f"urn:lobby:feed:1:{tag}"
        assert document["description"], f"{tag}: its class has no docstring"
        assert document["examples"]
        for example in document["examples"]:
            READERS[tag].validate(example)


def test_every_topic_and_every_message_is_in_the_contract() -> None:
    told = {channel.topic for channel in CHANNELS}
    assert told == {value for value in vars(topics).values() if isinstance(value, topics.Topic)}
    assert {kind for channel in CHANNELS for kind in channel.messages} == set(session_classes())


def test_the_bindings_are_the_table_of_topics() -> None:
    document = asyncapi("1")
    for channel in CHANNELS:
        topic = channel.topic
        wanted = {"qos": topic.qos, "retain": topic.retain, "bindingVersion": "0.2.0"}
        if topic.expiry_s is not None:
            wanted["messageExpiryInterval"] = topic.expiry_s
        about = [
            operation
            for operation in document["operations"].values()
            if operation["channel"]["$ref"] == f"#/channels/{channel.name}"
        ]
        assert document["channels"][channel.name]["address"] == topic.pattern
        assert [one["bindings"]["mqtt"] for one in about] == [wanted] * len(about) != []
        assert about[0]["action"] == ("send" if channel.by_node else "receive")
    assert document["operations"]["readEvt"]["action"] == "receive"
    assert document["channels"]["hqEvt"]["address"] == "hq/1/{node}/evt"


def test_the_same_version_writes_the_same_bytes(tmp_path: Path) -> None:
    write_contract(tmp_path, "1.2.3")
    code = (
        "import sys; from pathlib import Path; from sync.contract_files import write_contract;"
        "write_contract(Path(sys.argv[1]), '1.2.3')"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "again")],
        cwd=ROOT, check=True, env={**os.environ, "PYTHONHASHSEED": "1"},
    )  # fmt: skip
    for name, content in contract_files("1.2.3").items():
        assert (
            (tmp_path / name).read_bytes() == (tmp_path / "again" / name).read_bytes() == content
        )


def test_the_command_writes_the_files_or_says_why_not(tmp_path: Path) -> None:
    def lobby(out: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "lobby", "contract", "--out", str(out)],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip

    done = lobby(tmp_path / "new" / "contract")
    assert done.returncode == 0, done.stderr
    written = {path.name for path in (tmp_path / "new/contract/schemas").iterdir()}
    assert written == {f"{tag}.json" for tag in DOCUMENTS}
    (tmp_path / "taken").touch()
    done = lobby(tmp_path / "taken")
    assert done.returncode == 2
    assert done.stderr.startswith(f"lobby contract: {tmp_path / 'taken'}")
    assert done.stderr.count("\n") == 1


# --- the official schema and parser ---------------------------------------------------------


def contract_check(*arguments: str) -> str:
    """What deploy/contract-check prints; skips where npm is missing, but never in CI."""
    done = subprocess.run(
        [ROOT / "deploy/contract-check", *arguments],
        capture_output=True, text=True, check=False, timeout=FETCH_S,
    )  # fmt: skip
    if done.returncode in (3, 4) and not os.environ.get("CI"):
        pytest.skip(done.stderr.strip().splitlines()[-1])
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@pytest.mark.timeout(FETCH_S + 10)
def test_the_official_schema_of_asyncapi_takes_the_document() -> None:
    package = Path(contract_check("--tools")) / "node_modules/@asyncapi/specs"
    official = Draft7Validator(json.loads((package / "schemas/3.0.0.json").read_text("utf-8")))
    document = asyncapi("1.2.3")
    official.validate(document)
    document["operations"]["sendEvt"]["bindings"]["mqtt"]["qos"] = 3
    assert not official.is_valid(document)


@pytest.mark.timeout(FETCH_S + 10)
def test_the_official_parser_reads_the_document() -> None:
    assert contract_check().startswith("contract-check: AsyncAPI 3.0.0: ")
