"""Messages: strict types, unknown fields counted, golden examples that must decode for ever."""

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync import messages as m
from sync.errors import BadMessage

CLK = m.Clk(boot="b", mono_ms=5, quality="ntp", err_ms=20)
ENVELOPE: dict = {
    "id": "0198c0de-0000-7000-8000-000000000001",
    "src": "kiosk-1",
    "epoch": 1,
    "seq": 7,
    "prev": "9f3c5a7700112233",
    "ts": 1_763_860_000_000,
    "clk": CLK,
    "sub": "0198c0de-0000-7000-8000-000000000001",
}
PAD = m.PadRef(unique_id="e66164084373532b", boot_id=305_419_896, seq=3, firmware="0.1.0")
DATA: dict[str, m.Payload] = {
    "ticket.issued": m.IssuedData(
        number="A042",
        service="A",
        segment="ordinary",
        language="zh_CN",
        business_date="2026-11-23",
        band=1,
        request="t-1",
    ),
    "ticket.printed": m.PrintedData(attempt=1, took_ms=180),
    "ticket.print_failed": m.PrintFailedData(attempt=1, paper="not_printed", cause="paper_out"),
    "ticket.voided": m.VoidedData(reason="restart"),
    "ticket.called": m.CalledData(counter=2, wait_ms=61_000, key="k1"),
    "ticket.recalled": m.AtCounterData(counter=2, key="k2"),
    "ticket.missed": m.AtCounterData(counter=2, key="k3"),
    "ticket.abandoned": m.AbandonedData(wait_ms=300_000),
    "service.started": m.AtCounterData(counter=2, key="k4"),
    "service.ended": m.EndedData(counter=2, key="k5", service_ms=240_000, nonce=99),
    "rating.submitted": m.RatingData(counter=2, score_1to5=5, nonce=99, delay_ms=900, pad=PAD),
    "rating.unsolicited": m.UnsolicitedData(counter=2, score_1to5=1, pad=PAD),
    "device.changed": m.DeviceData(device="printer", kind="printer", state="fault", detail="x"),
}


def event(event_type: str) -> m.Event:
    return m.EVENT_TYPES[event_type](**ENVELOPE, data=DATA[event_type])  # type: ignore[call-arg]


def test_every_event_has_an_example() -> None:
    assert set(DATA) == set(m.EVENT_TYPES)


def test_golden_events(golden: Callable[[str, bytes], None]) -> None:
    lines = [m.encode(event(name)).decode() for name in sorted(m.EVENT_TYPES)]
    golden("events.jsonl", ("\n".join(lines) + "\n").encode())


def test_every_released_example_decodes() -> None:
    files = sorted((Path(__file__).parents[2] / "golden").glob("events*.jsonl"))
    assert files
    for file in files:
        for line in file.read_text("utf-8").splitlines():
            decoded = m.decode_event(line.encode())
            assert not isinstance(decoded, m.UnknownEvent)
            assert m.decode_event(m.encode(decoded)) == decoded


@pytest.mark.parametrize("name", sorted(DATA))
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


@given(st.sampled_from(sorted(DATA)), st.data())
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
