# ruff: noqa: T201 - what is printed is what is compared
# Runs under both interpreters: every golden frame and stream, whole and byte by byte. Argument:
# the JSON file.
import json
import sys

from firmware.pad import link

with open(sys.argv[1]) as file:
    golden = json.load(file)
print("protocol", golden["protocol"] == link.PROTOCOL)
for vector in golden["frames"]:
    body = bytes.fromhex(vector["body"])
    wire = link.encode(vector["kind"], vector["boot_id"], vector["seq"], body)
    print(vector["name"], wire.hex() == vector["wire"])
    decoder = link.Decoder()
    print(decoder.feed(wire), decoder.pending)
key = link.session_key(
    bytes.fromhex(golden["key"]),
    bytes.fromhex(golden["host_nonce"]),
    bytes.fromhex(golden["pad_nonce"]),
    bytes.fromhex(golden["unique_id"]),
)
ends = {"P": link.Session(key, link.FROM_PAD), "H": link.Session(key, link.FROM_HOST)}
decoder = link.Decoder()
for vector in golden["sealed"]:
    mine = ends[vector["from"]]
    other = ends["H" if vector["from"] == "P" else "P"]
    body = bytes.fromhex(vector["body"])
    wire = mine.seal(vector["kind"], vector["boot_id"], vector["seq"], body)
    print(vector["name"], wire.hex() == vector["wire"])
    (sealed,) = decoder.feed(wire)
    if not isinstance(sealed, link.Sealed):
        raise ValueError(repr(sealed))
    # Good once, refused when repeated, and never good as an echo.
    print(sealed, other.open(sealed), other.open(sealed) is None, mine.open(sealed) is None)
for stream in golden["streams"]:
    data = bytes.fromhex(stream["bytes"])
    decoder = link.Decoder()
    results = [repr(result) for result in decoder.feed(data)]
    print(stream["name"], results == stream["results"], decoder.pending == stream["pending"])
    slow = link.Decoder()
    one_by_one = []
    for at in range(len(data)):
        one_by_one.extend([repr(result) for result in slow.feed(memoryview(data)[at : at + 1])])
    print(one_by_one == results, slow.pending, slow.bad, slow.frames)
