"""What pad_link.json holds: frames of the pad's wire, and streams with what a decoder says.

``make golden`` writes the file anew (so does ``python -m tests.golden.make_pad_link``); both
interpreters read it.
"""

import json
from pathlib import Path

from firmware.pad import link

GOLDEN = Path(__file__).parent / "pad_link.json"
BOOT = 0xA1B2C3D4
HOST = 0x00C0FFEE
NONCE = 0x00000100
UNIQUE_ID = bytes.fromhex("e66138528343")
PAD_NONCE = bytes.fromhex("1011121314151617")
HOST_NONCE = bytes.fromhex("2021222324252627")
PAD_KEY = bytes(range(32))
HELLO = link.Hello(
    UNIQUE_ID,
    "0.1.0",
    "micropython 1.25.0",
    flags=link.KEYED,
    nonce=PAD_NONCE,
    firmware_hash=bytes.fromhex("3031323334353637"),
)

FRAMES = [
    (
        "hello",
        link.HELLO,
        BOOT,
        1,
        link.pack_hello(HELLO),
    ),
    ("hello of another version", link.HELLO, BOOT, 1, b"\x03\x05later layouts may differ"),
    ("who", link.WHO, HOST, 1, b""),
    ("hello_ack", link.HELLO_ACK, BOOT, 1, link.pack_hello_ack()),
    ("hello_ack refused", link.HELLO_ACK, BOOT, 1, link.pack_hello_ack(link.REFUSED)),
    ("challenge", link.CHALLENGE, BOOT, 1, link.pack_challenge(HOST_NONCE, PAD_NONCE)),
    ("arm", link.ARM, HOST, 1, link.pack_arm(NONCE, 10_000)),
    ("arm longest", link.ARM, HOST, 2, link.pack_arm(link.U32_MAX, link.MAX_WINDOW_MS)),
    ("done", link.DONE, HOST, 1, link.pack_done(link.OK)),
    ("disarm", link.DISARM, HOST, 3, b""),
    ("press", link.PRESS, BOOT, 1, link.pack_press(NONCE, 5, 12, BOOT)),
    ("press not asked for", link.PRESS, BOOT, 2, link.pack_press(0, 1, 0, BOOT)),
    ("ack", link.ACK, BOOT, 1, b""),
    ("ping", link.PING, BOOT, 3, link.pack_ping(link.FLAG_STUCK_KEY, 0b00100, 1, 0, 7)),
    ("pong", link.PONG, BOOT, 3, b""),
    ("key", link.KEY, BOOT, 0x20000001, link.pack_key(link.NEXT, 25)),
    ("show", link.SHOW, HOST, 4, link.pack_show(b"A042", 7, 4)),
    ("offer", link.OFFER, HOST, 5, link.pack_offer(4093, bytes(range(32)))),
    ("offer_part", link.OFFER_PART, HOST, 6, link.pack_offer_part(0, b'{"version":')),
    ("opened", link.PROGRESS, HOST, 6, link.pack_progress(link.OPENED, rest=b"\xff\x01")),
    ("file_ask", link.FILE_ASK, HOST, 7, link.pack_file(2)),
    ("go_on", link.PROGRESS, HOST, 7, link.pack_progress(link.GO_ON, 2, 4096)),
    ("file_part", link.FILE_PART, HOST, 8, link.pack_part(2, 4096, b"M\x06\x00\x1f")),
    ("file_end", link.FILE_END, HOST, 9, link.pack_file(2)),
    ("placed", link.PROGRESS, HOST, 9, link.pack_progress(link.PLACED, 2)),
    ("switch", link.SWITCH, HOST, 10, b""),
    ("not_taken", link.PROGRESS, HOST, 10, link.pack_progress(link.NOT_TAKEN, rest=b"why")),
    ("abandon", link.ABANDON, HOST, 11, b""),
    ("deny", link.DENY, BOOT, 0x20000001, link.pack_deny(b"E-02")),
    ("stroke", link.STROKE, BOOT, 0x30000001, link.pack_stroke(3, True, 0)),
    ("all zero", 0, 0, 0, bytes(16)),
    ("longest, no zero", 0x3F, link.U32_MAX, link.U32_MAX, b"\xff" * link.MAX_BODY),
    ("longest, all zero", 0, 0, 0, bytes(link.MAX_BODY)),
]

SEALED = [
    ("sealed proof", link.FROM_PAD, link.PROOF, BOOT, 2, b""),
    ("sealed welcome", link.FROM_HOST, link.WELCOME, BOOT, 2, b""),
    ("sealed arm", link.FROM_HOST, link.ARM, HOST, 1, link.pack_arm(NONCE, 10_000)),
    ("sealed press", link.FROM_PAD, link.PRESS, BOOT, 1, link.pack_press(NONCE, 5, 12, BOOT)),
    ("sealed ack", link.FROM_HOST, link.ACK, BOOT, 1, b""),
    ("sealed file_part", link.FROM_HOST, link.FILE_PART, HOST, 8, link.pack_part(2, 0, b"M")),
]

_PRESS = link.encode(link.PRESS, BOOT, 1, link.pack_press(NONCE, 5, 12, BOOT))
_BROKEN = bytes([*_PRESS[:12], _PRESS[12] ^ 0x10, *_PRESS[13:]])

STREAMS = [
    ("empty frames are no frames", b"\x00\x00\x00"),
    ("two in a row", _PRESS * 2),
    ("unfinished", _PRESS[:-1]),
    ("bit flipped, then good", _BROKEN + _PRESS),
    ("junk, delimiter, good", b"\x55\xaa\x55\x00" + _PRESS),
    ("junk glued to a frame costs that frame only", b"\x55\xaa" + _PRESS * 2),
    ("cut in the middle", _PRESS[:10] + b"\x00" + _PRESS),
    ("a code that points behind the end", b"\xff\x01\x00" + _PRESS),
    ("too short for a header", b"\x03\x01\x02\x00" + _PRESS),
    ("longer than any frame", b"\x01" * (link.MAX_FRAME + 50) + b"\x00" + _PRESS),
]


def content() -> bytes:
    """The file's bytes."""
    frames = [
        {
            "name": name,
            "kind": kind,
            "boot_id": boot_id,
            "seq": seq,
            "body": body.hex(),
            "wire": link.encode(kind, boot_id, seq, body).hex(),
        }
        for name, kind, boot_id, seq, body in FRAMES
    ]
    streams = []
    for name, data in STREAMS:
        decoder = link.Decoder()
        results = [repr(result) for result in decoder.feed(data)]
        streams.append(
            {"name": name, "bytes": data.hex(), "results": results, "pending": decoder.pending}
        )
    table = {
        "protocol": link.PROTOCOL,
        "frames": frames,
        "streams": streams,
        "key": PAD_KEY.hex(),
        "host_nonce": HOST_NONCE.hex(),
        "pad_nonce": PAD_NONCE.hex(),
        "unique_id": UNIQUE_ID.hex(),
        "sealed": _sealed(),
    }
    return json.dumps(table, indent=1).encode() + b"\n"


def _sealed() -> list[dict[str, object]]:
    key = link.session_key(PAD_KEY, HOST_NONCE, PAD_NONCE, UNIQUE_ID)
    ends = {end: link.Session(key, end) for end in (link.FROM_PAD, link.FROM_HOST)}
    return [
        {
            "name": name,
            "from": end.decode(),
            "kind": kind,
            "boot_id": boot_id,
            "seq": seq,
            "body": body.hex(),
            "wire": ends[end].seal(kind, boot_id, seq, body).hex(),
        }
        for name, end, kind, boot_id, seq, body in SEALED
    ]


if __name__ == "__main__":
    GOLDEN.write_bytes(content())
