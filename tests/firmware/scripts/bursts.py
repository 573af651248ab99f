# ruff: noqa: T201 - what is printed is what is compared
# Runs under both interpreters: every golden burst, whole, damaged at each byte, and with others in
# front. Argument: the JSON file.
import json
import sys

from firmware.pad import link

with open(sys.argv[1]) as file:
    golden = json.load(file)
print("tag", link.tag_of(bytes.fromhex(golden["unique_id"])) == golden["tag"])
trailer = link.Trailer()


def read(data, only=0):
    buffer = bytearray(data)
    if not trailer.read(buffer, len(buffer), only):
        return None
    return (
        trailer.kind,
        trailer.address,
        trailer.turn,
        trailer.bits,
        trailer.tag,
        data[len(data) - link.TRAILER_SIZE - trailer.size : len(data) - link.TRAILER_SIZE],
    )


for vector in golden["bursts"]:
    data = bytes.fromhex(vector["data"])
    fields = [vector[name] for name in ("kind", "address", "turn", "bits", "tag")]
    wire = link.burst(data, *fields)
    print(vector["name"], wire.hex() == vector["wire"])
    fields.append(data)
    right = tuple(fields)
    print(read(wire) == right, read(wire, vector["address"]) == right, read(wire, 30) is None)
    print(read(wire[:-1]) is None, read(wire[1:]) == right, read(b"\x55\xaa\x00" + wire) == right)
    # A trailer is no frame, and breaks none.
    decoder = link.Decoder()
    print([result for result in decoder.feed(wire) if not isinstance(result, link.Wrong)])
    print(decoder.short, decoder.pending)
    taken = 0
    for at in range(1, len(wire)):
        for flip in (1, 0x80, wire[at]):
            broken = bytearray(wire)
            broken[at] ^= flip
            taken += bool(flip) and read(bytes(broken)) is not None
    print("damaged and taken", taken)
