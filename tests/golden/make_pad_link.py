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

FRAMES = [
    (
        "hello",
        link.HELLO,
        BOOT,
        1,
        link.pack_hello(bytes.fromhex("e66138528343"), "0.1.0", "micropython 1.25.0"),
    ),
    ("hello of another version", link.HELLO, BOOT, 1, b"\x02\x05later layouts may differ"),
    ("who", link.WHO, HOST, 1, b""),
    ("hello_ack", link.HELLO_ACK, BOOT, 1, link.pack_hello_ack()),
    ("hello_ack refused", link.HELLO_ACK, BOOT, 1, link.pack_hello_ack(link.REFUSED)),
    ("arm", link.ARM, HOST, 1, link.pack_arm(NONCE, 10_000)),
    ("arm longest", link.ARM, HOST, 2, link.pack_arm(link.U32_MAX, link.MAX_WINDOW_MS)),
    ("done", link.DONE, HOST, 1, link.pack_done(link.OK)),
    ("disarm", link.DISARM, HOST, 3, b""),
    ("press", link.PRESS, BOOT, 1, link.pack_press(NONCE, 5, 12)),
    ("press not asked for", link.PRESS, BOOT, 2, link.pack_press(0, 1, 0)),
    ("ack", link.ACK, BOOT, 1, b""),
    ("ping", link.PING, BOOT, 3, link.pack_ping(link.FLAG_STUCK_KEY, 0b00100, 1, 0, 7)),
    ("pong", link.PONG, BOOT, 3, b""),
    ("all zero", 0, 0, 0, bytes(16)),
    ("longest, no zero", 0x7F, link.U32_MAX, link.U32_MAX, b"\xff" * link.MAX_BODY),
    ("longest, all zero", 0, 0, 0, bytes(link.MAX_BODY)),
]

_PRESS = link.encode(link.PRESS, BOOT, 1, link.pack_press(NONCE, 5, 12))
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
    text = json.dumps({"protocol": link.PROTOCOL, "frames": frames, "streams": streams}, indent=1)
    return text.encode() + b"\n"


if __name__ == "__main__":
    GOLDEN.write_bytes(content())
