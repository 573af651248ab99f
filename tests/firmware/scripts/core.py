# ruff: noqa: T201 - what is printed is what is compared
# Runs under both interpreters: the pad's core through random days across the wrap. Arguments: the
# seed, the pad's roles.
import sys

from firmware.pad import link, pad, strokes

state = int(sys.argv[1])


def chance(below):
    global state
    state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
    return (state >> 8) % below


roles = int(sys.argv[2])
HELLO = link.Hello(b"pad", "0.1.0", "either", roles)
first_seq = strokes.FIRST_SEQ if roles == link.GUIDE else 0
buffer = bytearray(link.MAX_WIRE)
now = pad.TICKS_MASK - 60_000
core = pad.Pad(0x1234, HELLO, now)
decoder = link.Decoder()
keys = 0
seq = 0
for turn in range(4000):
    what = chance(40)
    if what == 0:
        core.received(link.Frame(link.HELLO_ACK, 0x1234, 1, link.pack_hello_ack()), now)
    elif what == 1:
        seq += chance(2)
        body = link.pack_arm(1 + chance(1000), 1 + chance(10_000))
        core.received(link.Frame(link.ARM, 77, seq, body), now)
    elif what == 2:
        seq += 1
        core.received(link.Frame(link.DISARM, 77, seq, b""), now)
    elif what == 3:
        core.received(link.Frame(link.ACK, 0x1234, first_seq + 1 + chance(40), b""), now)
    elif what == 4:
        core.received(link.Frame(chance(64), 0x1234, chance(9), bytes(chance(9))), now)
    elif what == 14:
        seq += 1
        body = link.pack_show(b"A%03d" % chance(1000), chance(256), chance(6))
        core.received(link.Frame(link.SHOW, 77, seq, body), now)
    elif what == 5:
        core.received(link.Frame(link.PONG, 0x1234, 1, b""), now)
    elif what < 14:
        keys = (1 << chance(10)) if chance(4) else chance(1024)
    elif what < 22:
        keys = 0
    core.sample(keys, now)
    while True:
        size = core.due(buffer, now)
        if not size:
            break
        print(turn, decoder.feed(memoryview(buffer)[:size]))
    rest = core.rest_ms(now)
    print(
        now,
        core.leds,
        core.face,
        core.greeting,
        core.kept,
        rest,
        core.digits,
        core.text,
        core.take_tone(),
    )
    now = pad.ticks_add(now, chance(min(rest, 60) + 1) if chance(9) else rest)
print(core.stuck, core.dropped, core.ignored, core.unknown)
