"""Messages: strict types, unknown fields counted, golden examples that must decode for ever."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast, get_args

import msgspec
import pytest
from hypothesis import given, strategies as st

from sync import messages as m
from sync.contract_examples import EVENTS, SESSION, golden as golden_bytes
from sync.errors import BadMessage
from sync.identity import CHAIN_START, chain

GOLDEN = Path(__file__).parents[2] / "golden"
EXAMPLES = {str(type(event).__struct_config__.tag): event for event in reversed(EVENTS)}


def event(event_type: str) -> m.Event:
    return EXAMPLES[event_type]


def test_every_message_has_an_example() -> None:
    assert set(EXAMPLES) == set(m.EVENT_TYPES)
    assert {type(message) for message in SESSION} == set(get_args(m.SessionMessage))


def test_golden_messages(golden: Callable[[str, bytes], None]) -> None:
    golden("events.jsonl", golden_bytes(EVENTS))
    golden("session.jsonl", golden_bytes(SESSION))


def test_every_released_example_decodes() -> None:
    """A node that was not updated yet, and a journal of last year, are read for ever."""
    files = sorted(GOLDEN.glob("events*.jsonl"))
    assert GOLDEN / "events_0_1_0.jsonl" in files
    for file in files:
        for line in file.read_text("utf-8").splitlines():
            decoded = m.decode_event(line.encode())
            assert not isinstance(decoded, m.UnknownEvent)
            assert m.decode_event(m.encode(decoded)) == decoded
    for file in GOLDEN.glob("session*.jsonl"):
        for line in file.read_text("utf-8").splitlines():
            message: Any = m.decode(line.encode(), cast(Any, m.SessionMessage))
            assert m.unknown_fields(line.encode(), message) == 0


def test_the_golden_chain_holds() -> None:
    """Another reader of the feed can try its own check of the chain on this file."""
    last: dict[str, tuple[int, str]] = {}
    for line in (GOLDEN / "events.jsonl").read_bytes().splitlines():
        one = m.decode_event(line)
        assert (one.seq - 1, one.prev) == last.get(one.src, (0, CHAIN_START))
        last[one.src] = one.seq, chain(line)
    assert {node: seq for node, (seq, _) in last.items()} == {"kiosk-1": 15, "branch-1": 27}


def test_a_forwarded_event_is_the_same_event_in_another_chain() -> None:
    first, forwarded = EVENTS[0], EVENTS[-1]
    assert (forwarded.src, forwarded.origin) == ("branch-1", first.src)
    names = ("id", "ts", "clk", "sub", "data")
    assert [getattr(forwarded, name) for name in names] == [getattr(first, name) for name in names]


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_round_trip(name: str) -> None:
    raw = m.encode(event(name))
    assert m.decode_event(raw) == event(name)
    assert m.unknown_fields(raw, event(name)) == 0


def test_unknown_fields_are_ignored_and_counted() -> None:
    table = json.loads(m.encode(event("rating.submitted")))
    table["later"] = 1
    table["data"]["mood"] = {"a": 1, "b": 2}
    table["data"]["pad"]["colour"] = "red"
    raw = json.dumps(table).encode()
    decoded = m.decode_event(raw)
    assert decoded == event("rating.submitted")
    assert m.unknown_fields(raw, decoded) == 3


def test_an_unknown_type_is_kept_whole() -> None:
    table = json.loads(m.encode(event("ticket.issued")))
    table["type"] = "ticket.blessed"
    table["data"] = {"halo": True}
    decoded = m.decode_event(json.dumps(table).encode())
    assert isinstance(decoded, m.UnknownEvent)
    assert decoded.type == "ticket.blessed"
    assert json.loads(bytes(decoded.data)) == {"halo": True}


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (("seq",), "7", "seq"),
        (("seq",), 0, "seq 0"),
        (("epoch",), 0, "epoch 0"),
        (("ts",), 1.5, "ts"),
        (("prev",), "xyz", "prev"),
        (("prev",), "9F3C5A7700112233", "prev"),
        (("clk", "quality"), "guess", "clk.quality"),
        (("data", "band"), "1", "data.band"),
        (("data", "number"), None, "data.number"),
    ],
)
def test_a_wrong_type_is_named(path: tuple[str, ...], value: object, named: str) -> None:
    table = json.loads(m.encode(event("ticket.issued")))
    inner = table
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    with pytest.raises(BadMessage, match=named):
        m.decode_event(json.dumps(table).encode())


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'"x"', b"\xff\xfe", b"null", b"{}"])
def test_rubbish_is_a_bad_message(raw: bytes) -> None:
    with pytest.raises(BadMessage):
        m.decode_event(raw)


@given(st.binary(max_size=200))
def test_random_bytes_never_raise_anything_else(raw: bytes) -> None:
    for read in (m.decode_event, m.split_batch, lambda b: m.decode(b, m.Ack)):
        try:
            read(raw)
        except BadMessage:
            continue


@given(st.sampled_from(sorted(EXAMPLES)), st.data())
def test_a_damaged_event_never_raises_anything_else(name: str, data: st.DataObject) -> None:
    raw = bytearray(m.encode(event(name)))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        m.decode_event(bytes(raw))
    except BadMessage:
        return


def test_batches() -> None:
    one = m.encode(event("ticket.issued"))
    two = m.encode(event("ticket.printed"))
    assert m.split_batch(one) == [one]
    assert m.split_batch(b"[" + one + b"," + two + b"]") == [one, two]
    with pytest.raises(BadMessage, match="101 events"):
        m.split_batch(b"[" + b",".join([one] * 101) + b"]")
    with pytest.raises(BadMessage, match="0 events"):
        m.split_batch(b"[]")
    with pytest.raises(BadMessage, match="batch"):
        m.split_batch(b"[1,")


def test_nothing_longer_than_the_cap_is_parsed() -> None:
    long = b" " * (m.MAX_MESSAGE_BYTES + 1)
    for read in (m.decode_event, m.split_batch, lambda b: m.decode(b, m.Ack)):
        with pytest.raises(BadMessage, match=str(m.MAX_MESSAGE_BYTES)):
            read(long)


def test_session_messages() -> None:
    arm = m.ArmPad(key="k", counter=1, ticket="t", nonce=5, window_ms=10_000)
    assert m.decode(m.encode(arm), m.ArmPad) == arm
    with pytest.raises(BadMessage, match="Ack"):
        m.decode(b'{"type":"ack","epoch":1}', m.Ack)
    assert m.decode(b'{"type":"ack","epoch":1,"hw":2,"server_gen":"g","x":1}', m.Ack).gaps == []


def test_unknown_fields_inside_lists_are_counted() -> None:
    board = m.BoardState(zone="hall", calls=[m.BoardCall(number="A1", counter=1, ts=1)], ts=2)
    table = msgspec.to_builtins(board)
    table["calls"][0]["colour"] = "red"
    raw = msgspec.json.encode(table)
    assert m.unknown_fields(raw, m.decode(raw, m.BoardState)) == 1


def test_an_event_of_an_unknown_type_may_leave_defaults_out() -> None:
    raw = (
        b'{"type":"guest.seen","v":1,"id":"e","src":"kiosk-1","epoch":1,"seq":1,'
        b'"prev":"0000000000000000","ts":1,"clk":{"boot":"b","mono_ms":1},"new":1,"data":{"x":1}}'
    )
    assert m.unknown_fields(raw, m.decode_event(raw)) == 1
