"""Fuzzes the pad's link by coverage (atheris): decoder, bodies, sealed frames.

    python tests/fuzz/fuzz_link.py SECONDS [LIBFUZZER OPTION]...
    python tests/fuzz/fuzz_link.py FILE        one input again, as a crash left it

Exit status 0 if nothing was found in SECONDS; else what was found is printed, and its input is
kept in out/fuzz. It begins with the golden frames, and with what earlier runs kept in
out/fuzz/corpus. What must hold, whatever comes:

- nothing but BadBody is raised, and each result is counted once
- pieces of any size give what the whole gives, and what the cobs library and zlib give
- behind any junk and a delimiter the next frame is read
- what was encoded is decoded, and a body that is accepted is packed again as it came
- a sealed frame is opened once, by the far end, untouched; no other is
"""

import json
import os
import sys
from binascii import crc32
from collections.abc import Callable
from pathlib import Path

import atheris
from cobs import cobs

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

with atheris.instrument_imports(include=["firmware.pad"]):
    from firmware.pad import link

KEPT = ROOT / "out/fuzz"
GOLDEN = ROOT / "tests/golden/pad_link.json"
MAX_INPUT = 1024
NEXT = link.Frame(link.PONG, 7, 9, b"")
NEXT_WIRE = link.encode(NEXT.kind, NEXT.boot_id, NEXT.seq, NEXT.body)
KEY = bytes(range(link.KEY_SIZE))
DIGEST_SIZE = 8

Result = link.Frame | link.Sealed | link.Wrong
Repack = Callable[[bytes], bytes | None]


def expected(run: bytes) -> Result:
    """What a run between two delimiters is, by the cobs library and zlib's CRC."""
    if len(run) > link.MAX_FRAME:
        return link.Wrong(link.OVERSIZE)
    try:
        raw = cobs.decode(run)
    except cobs.DecodeError:
        return link.Wrong(link.BAD_COBS)
    if len(raw) < link.MIN_RAW:
        return link.Wrong(link.TOO_SHORT)
    if raw[0] & link.SEALED:
        short = len(raw) < link.MIN_SEALED
        return link.Wrong(link.TOO_SHORT) if short else link.Sealed(raw)
    if crc32(raw[: -link.CRC_SIZE]) != int.from_bytes(raw[-link.CRC_SIZE :], "little"):
        return link.Wrong(link.BAD_CRC)
    boot_id, seq = (int.from_bytes(raw[at : at + 4], "little") for at in (1, 5))
    return link.Frame(raw[0], boot_id, seq, raw[link.HEADER_SIZE : -link.CRC_SIZE])


def try_stream(data: bytes, chance: atheris.FuzzedDataProvider) -> None:
    """Any bytes, in any pieces."""
    pieces = link.Decoder()
    results: list[Result] = []
    at = 0
    while at < len(data):
        size = chance.ConsumeIntInRange(1, 80)
        results += pieces.feed(memoryview(data)[at : at + size])
        assert pieces.pending <= link.MAX_FRAME
        at += size
    assert pieces.frames + pieces.bad == len(results)
    results += pieces.feed(link.DELIMITER)
    assert results == [expected(run) for run in data.split(link.DELIMITER) if run]
    assert pieces.feed(NEXT_WIRE) == [NEXT]
    whole = link.Decoder()
    assert whole.feed(data + link.DELIMITER + NEXT_WIRE) == [*results, NEXT]
    assert (whole.frames, whole.bad, whole.pending) == (pieces.frames, pieces.bad, 0)


def try_frame(data: bytes, chance: atheris.FuzzedDataProvider) -> None:
    """Any frame, behind any junk."""
    kind = chance.ConsumeIntInRange(0, link.SEALED - 1)
    boot_id, seq = (chance.ConsumeIntInRange(0, link.U32_MAX) for _ in range(2))
    body = data[: link.MAX_BODY]
    wire = link.encode(kind, boot_id, seq, body)
    assert len(wire) <= link.MAX_WIRE
    assert wire.count(0) == 1
    frame = link.Frame(kind, boot_id, seq, body)
    assert link.Decoder().feed(wire) == [frame]
    junk = data[link.MAX_BODY :]
    assert link.Decoder().feed(junk + link.DELIMITER + wire)[-1] == frame


def _arm(body: bytes) -> bytes:
    return link.pack_arm(*link.unpack_arm(body))


def _hello(body: bytes) -> bytes:
    link.hello_protocol(body)
    return link.pack_hello(link.unpack_hello(body))


def _report(body: bytes) -> bytes | None:
    crashes, text = link.unpack_report(body)
    assert text.isascii()
    return link.pack_report(crashes, text) if "?" not in text else None


def _hello_ack(body: bytes) -> bytes:
    protocol, answer = link.unpack_hello_ack(body)
    return link.pack_hello_ack(answer, protocol)


def _empty(body: bytes) -> bytes:
    link.check_empty("ACK", body)
    return b""


BODIES: list[Repack] = [
    _arm,
    _hello,
    _report,
    _hello_ack,
    _empty,
    lambda body: link.pack_challenge(*link.unpack_challenge(body)),
    lambda body: link.pack_press(*link.unpack_press(body)),
    lambda body: link.pack_done(link.unpack_done(body)),
    lambda body: link.pack_ping(*link.unpack_ping(body)),
    lambda body: link.pack_key(*link.unpack_key(body)),
    lambda body: link.pack_show(*link.unpack_show(body)),
]


def try_bodies(data: bytes, _: atheris.FuzzedDataProvider) -> None:
    """Any bytes as a body of each kind."""
    body = data[: link.MAX_BODY]
    for repack in BODIES:
        try:
            again = repack(body)
        except link.BadBody:
            continue
        assert again is None or again == body, repack


def try_sealed(data: bytes, chance: atheris.FuzzedDataProvider) -> None:
    """Any bytes that claim to be sealed; and one that is, damaged, and twice."""
    pad, host = link.Session(KEY, link.FROM_PAD), link.Session(KEY, link.FROM_HOST)
    raw = bytes([chance.ConsumeIntInRange(0, 0xFF) | link.SEALED]) + data
    if link.MIN_SEALED <= len(raw) <= link.MAX_RAW:
        assert host.open(link.Sealed(raw)) is None
    kind = chance.ConsumeIntInRange(0, link.SEALED - 1)
    body = data[: link.MAX_SEALED_BODY]
    (sealed,) = link.Decoder().feed(pad.seal(kind, 1, 2, body))
    assert isinstance(sealed, link.Sealed)
    assert sealed.kind == kind
    damaged = bytearray(sealed.raw)
    damaged[chance.ConsumeIntInRange(0, len(damaged) - 1)] ^= chance.ConsumeIntInRange(1, 0xFF)
    for result in link.Decoder().feed(_on_wire(bytes(damaged))):
        assert not isinstance(result, link.Sealed) or host.open(result) is None
    assert pad.open(sealed) is None, "an echo of one's own"
    assert host.open(sealed) == link.Frame(kind, 1, 2, body)
    assert host.open(sealed) is None, "a replay"


def _on_wire(raw: bytes) -> bytes:
    return bytes(cobs.encode(raw)) + link.DELIMITER


TARGETS = (try_stream, try_frame, try_bodies, try_sealed)


def try_input(data: bytes) -> None:
    """One input: the first byte names the target, the last ones are its chance."""
    if not data:
        return
    chance = atheris.FuzzedDataProvider(data[-DIGEST_SIZE:])
    TARGETS[data[0] % len(TARGETS)](data[1:], chance)


def seeds(folder: Path) -> None:
    """The golden frames, for each target."""
    golden = json.loads(GOLDEN.read_text("utf-8"))
    for vector in [*golden["frames"], *golden["sealed"]]:
        for number in range(len(TARGETS)):
            name = f"{vector['name']}-{number}".replace(" ", "_").replace(",", "")
            data = bytes([number]) + bytes.fromhex(vector["wire"])
            (folder / name).write_bytes(data)
            raw = cobs.decode(data[1:-1])
            (folder / f"{name}-body").write_bytes(
                bytes([number]) + raw[link.HEADER_SIZE : -link.CRC_SIZE]
            )


def main(arguments: list[str]) -> None:
    """Fuzz, or try one input again; the process ends in it."""
    KEPT.mkdir(parents=True, exist_ok=True)
    what, *options = arguments or ["30"]
    if Path(what).is_file():
        try_input(Path(what).read_bytes())
        return
    corpus = KEPT / "corpus"
    corpus.mkdir(exist_ok=True)
    seeds(corpus)
    settings = [
        sys.argv[0], f"-max_total_time={int(what)}", f"-max_len={MAX_INPUT}", "-timeout=10",
        f"-artifact_prefix={KEPT}{os.sep}", *options, str(corpus),
    ]  # fmt: skip
    atheris.Setup(settings, try_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
