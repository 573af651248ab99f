# ruff: noqa: T201 - what is printed is what is compared
# Runs under both interpreters: a station on a bus through random days. Argument: the seed.
import sys

from firmware.pad import link, station, ticks

state = int(sys.argv[1])


def chance(below):
    global state
    state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
    return (state >> 8) % below


UNIQUE_ID = b"pad"
TAG = link.tag_of(UNIQUE_ID)
now = ticks.TICKS_MASK - 5_000
seat = station.Station(5, UNIQUE_ID, now)
answer = bytearray(station.MAX_ANSWER)
trailer = link.Trailer()
waiting = 0
said = 0
turn = 0


def due(buffer, now_ms):
    global waiting
    if not waiting:
        return 0
    waiting -= 1
    return link.encode_into(buffer, link.REPORT, 7, waiting, bytes(chance(200)))


def heard():
    # What comes next on the line: mostly polls, for us and for others, whole and not.
    global turn
    what = chance(12)
    if what == 0:
        return bytes([chance(256) for _ in range(chance(300))])
    if what == 1:
        return b"\x00" * chance(9)
    if chance(4):
        turn = (turn + 1) & 0xFF
    address = 5 if chance(3) else 6
    kind = (link.POLL, link.POLL, link.OTHERS, link.END)[chance(4)]
    bits = (0, 1, 16, 16)[chance(4)]
    tag = TAG if chance(3) else TAG ^ (1 << chance(16))
    data = b""
    while len(data) < 200 and chance(2):
        data += link.encode(link.ACK, 7, turn, bytes(chance(90)))
    wire = link.burst(data, kind, address, turn, bits, tag)
    if not chance(10):
        wire = wire[: chance(len(wire))]
    return wire


for step in range(1500):
    waiting += chance(3)
    data = heard()
    while data:
        size = 1 + chance(len(data))
        now = ticks.ticks_add(now, chance(14))
        seat.look(now)
        results = seat.feed(data[:size])
        data = data[size:]
        size = seat.answer_into(answer, due, now)
        late = seat.too_late(ticks.ticks_add(now, chance(25))) if size else False
        if size:
            said += 1
            if not seat.spoken_to or size > station.MAX_ANSWER or not trailer.read(answer, size):
                raise ValueError("spoke without a turn, or not in form")
        print(step, results, seat.spoken_to, seat.owes, size, trailer.turn, trailer.bits, late)
    print(seat.bad, seat.stale, seat.rest_ms(chance(9)), waiting)
print("answers", said > 100)
