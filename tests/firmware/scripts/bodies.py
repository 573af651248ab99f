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
}


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
print(attempt(link.unpack_press, link.pack_press(1, 5, 0)[:4] + b"\x00" * 5))
print(attempt(link.unpack_arm, bytes(8)))
print(attempt(link.pack_hello, b"", "", ""))
print(attempt(link.pack_hello, b"1", "x" * 41, ""))
print(attempt(link.unpack_hello, b"\x01\x05\x00\x00\x00"))
print(attempt(link.unpack_hello, b"\x01\x05\x01a\x01\xff\x00"))
print(attempt(link.unpack_hello, b"\x01\x05\x11" + b"a" * 20))
print(attempt(link.encode, 1, 1, 1, bytes(241)))
