# ruff: noqa: T201 - what is printed is what is compared
# Runs under both interpreters: every body, cut, lengthened and out of range. Argument: the JSON
# file.
import json
import sys

from firmware.pad import link

UNPACK = {
    link.HELLO: link.unpack_hello,
    link.HELLO_ACK: link.unpack_hello_ack,
    link.ARM: link.unpack_arm,
    link.DISARM: lambda body: link.check_empty("DISARM", body),
    link.DONE: link.unpack_done,
    link.PRESS: link.unpack_press,
    link.PING: link.unpack_ping,
    link.CHALLENGE: link.unpack_challenge,
    link.KEY: link.unpack_key,
    link.STROKE: link.unpack_stroke,
    link.SHOW: link.unpack_show,
    link.OFFER: link.unpack_offer,
    link.OFFER_PART: link.unpack_offer_part,
    link.FILE_ASK: link.unpack_file,
    link.FILE_PART: link.unpack_part,
    link.FILE_END: link.unpack_file,
    link.PROGRESS: link.unpack_progress,
}

FIXED = b"\x02\x01\x00\x05" + bytes(16)  # a HELLO up to its texts


def attempt(call, *arguments):
    try:
        return call(*arguments)
    except link.BadBody as error:
        return "BadBody: " + str(error)


with open(sys.argv[1]) as file:
    golden = json.load(file)
for vector in golden["frames"]:
    unpack = UNPACK.get(vector["kind"])
    if unpack is None:
        continue
    body = bytes.fromhex(vector["body"])
    for size in range(len(body) + 1):
        print(vector["name"], size, attempt(unpack, body[:size]))
    print(vector["name"], "longer", attempt(unpack, body + b"\x01"))
print(attempt(link.pack_arm, 0, 10))
print(attempt(link.pack_arm, 1, 90_001))
print(attempt(link.pack_press, 1, 6, 0))
print(attempt(link.unpack_press, link.pack_press(1, 5, 0)[:4] + b"\x00" * 10))
print(attempt(link.unpack_arm, bytes(8)))
print(attempt(link.pack_hello, link.Hello(b"", "", "")))
print(attempt(link.pack_hello, link.Hello(b"1", "x" * 41, "")))
print(attempt(link.pack_challenge, b"short", bytes(8)))
print(attempt(link.unpack_hello, FIXED + b"\x00\x00\x00"))
print(attempt(link.unpack_hello, FIXED + b"\x01a\x01\xff\x00"))
print(attempt(link.unpack_hello, FIXED + b"\x11" + b"a" * 20))
print(attempt(link.encode, 1, 1, 1, bytes(241)))
print(attempt(link.pack_offer, 0, bytes(32)))
print(attempt(link.pack_offer, 8193, bytes(32)))
print(attempt(link.pack_offer, 1, bytes(31)))
print(attempt(link.unpack_offer, bytes(34)))
print(attempt(link.pack_offer_part, 0, b""))
print(attempt(link.pack_offer_part, 0, bytes(228)))
print(attempt(link.pack_file, 255))
print(attempt(link.pack_part, 0, 0, bytes(228)))
print(len(link.pack_progress(link.NOT_TAKEN, rest=bytes(300))))
