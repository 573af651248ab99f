"""What pad_bus.json holds: bursts of a bus, as both interpreters write and read them.

``make golden`` writes the file anew (so does ``python -m tests.golden.make_pad_bus``).
"""

import json
from pathlib import Path

from firmware.pad import link
from tests.golden.make_pad_link import BOOT, HOST, NONCE, UNIQUE_ID

GOLDEN = Path(__file__).parent / "pad_bus.json"
TAG = link.tag_of(UNIQUE_ID)
ARM = link.encode(link.ARM, HOST, 1, link.pack_arm(NONCE, 10_000))
DONE = link.encode(link.DONE, HOST, 1, link.pack_done(link.OK))
PRESS = link.encode(link.PRESS, BOOT, 1, link.pack_press(NONCE, 5, 12, BOOT))

BURSTS = [
    ("poll of anybody at address 5", link.POLL, 5, 1, 0, 0, b""),
    ("answer of one with nothing to say", link.END, 5, 1, 0, TAG, b""),
    ("anybody else at address 5", link.OTHERS, 5, 2, 16, TAG, b""),
    ("poll of this pad with arm", link.POLL, 5, 3, 16, TAG, ARM),
    ("answer with done, more waits", link.END, 5, 3, 1, TAG, DONE),
    ("poll of this pad", link.POLL, 5, 4, 16, TAG, b""),
    ("answer with press", link.END, 5, 4, 0, TAG, PRESS),
    ("poll by the low bits 010", link.POLL, 31, 255, 3, 0b010, b""),
    ("longest", link.POLL, 1, 0, 16, 0xFFFF, b"\x01" * link.MAX_BURST),
]


def content() -> bytes:
    """The file's bytes."""
    bursts = [
        {
            "name": name,
            "kind": kind,
            "address": address,
            "turn": turn,
            "bits": bits,
            "tag": tag,
            "data": data.hex(),
            "wire": link.burst(data, kind, address, turn, bits, tag).hex(),
        }
        for name, kind, address, turn, bits, tag, data in BURSTS
    ]
    table = {"unique_id": UNIQUE_ID.hex(), "tag": TAG, "bursts": bursts}
    return json.dumps(table, indent=1).encode() + b"\n"


if __name__ == "__main__":
    GOLDEN.write_bytes(content())
