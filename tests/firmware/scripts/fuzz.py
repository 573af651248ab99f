# ruff: noqa: T201 - what is printed is what is compared
# Runs under both interpreters: random frames with random damage, in random pieces. Argument: the
# seed.
import sys

from firmware.pad import link

state = int(sys.argv[1])


def chance(below):
    # A linear congruential generator (Numerical Recipes): the same numbers under both
    # interpreters.
    global state
    state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
    return (state >> 8) % below


decoder = link.Decoder()
for _ in range(400):
    body = bytes([chance(256) if chance(3) else 0 for _ in range(chance(link.MAX_BODY + 1))])
    wire = bytearray(link.encode(chance(64), chance(1 << 24), chance(1 << 24), body))
    damage = chance(6)
    if damage == 0:
        wire[chance(len(wire))] ^= 1 << chance(8)
    elif damage == 1:
        wire = wire[: chance(len(wire))]
    elif damage == 2:
        wire = bytearray([chance(256) for _ in range(chance(600))]) + wire
    at = 0
    while at < len(wire):
        size = 1 + chance(40)
        for result in decoder.feed(memoryview(wire)[at : at + size]):
            print(result)
        at += size
print(
    decoder.frames,
    decoder.crc_errors,
    decoder.cobs_errors,
    decoder.oversize,
    decoder.short,
    decoder.pending,
)
