# ruff: noqa: T201 - what is printed is what is compared
# Runs under MicroPython with the fakes: main.run on board.py whose config.json asks for a bus. The
# host and a neighbour are played here at given turns. Argument: the state folder.
import sys

from firmware.pad import link, main
from firmware.pad.board import board

any_module = __import__
machine = any_module("machine")
time = any_module("time")
ME = 5
TAG = link.tag_of(machine.unique_id())
trailer = link.Trailer()
decoder = link.Decoder()
boot_id = 0
turn = 0
heard = 0


class Over(Exception):
    pass


def uart():
    return machine.uarts[0]


def poll(frames=b"", address=ME, kind=link.POLL, bits=16, tag=TAG):
    global turn
    turn += 1
    return link.burst(frames, kind, address, turn, bits, tag)


def again(frames):
    global turn
    turn -= 1
    return poll(frames)


def answers():
    # What the pad sent since last time, and whether it drove the line for exactly so long.
    global heard, boot_id
    said = []
    for data, level in uart().sent[heard:]:
        buffer = bytearray(data)
        if level != 1 or not trailer.read(buffer, len(buffer)) or buffer[0]:
            raise ValueError("driver " + str(level) + ": " + repr(data))
        if (trailer.kind, trailer.address, trailer.tag) != (link.END, ME, TAG):
            raise ValueError(repr(data))
        names = []
        for frame in decoder.feed(data[1 : 1 + trailer.size]):
            if not isinstance(frame, link.Frame):
                raise ValueError(repr(frame))
            names.append(frame.kind)
            boot_id = frame.boot_id
        said.append((trailer.turn, names))
    heard = len(uart().sent)
    return said


def greet():
    return link.encode(link.HELLO_ACK, boot_id, 1, link.pack_hello_ack())


def arm():
    return link.encode(link.ARM, 9, 1, link.pack_arm(5, 10_000))


def disarm():
    return link.encode(link.DISARM, 9, 2)


neighbour = link.burst(link.encode(link.PING, 7, 7), link.END, 6, 1, 0, 0x1111)
steps = [
    ("nobody asks", lambda: b""),
    ("rubbish", lambda: bytes(range(1, 200)) * 3),
    ("another address", lambda: poll(address=6)),
    ("another tag", lambda: poll(tag=TAG ^ 0x8000)),
    ("only others", lambda: poll(kind=link.OTHERS)),
    ("half a poll", lambda: poll()[:-1]),
    ("a broken poll", lambda: poll()[:-4] + b"\x01\x01\x01\x00"),
    ("a poll that is over", lambda: poll() + neighbour),
    ("a poll", lambda: neighbour + poll()),
    ("others than another", lambda: poll(kind=link.OTHERS, tag=TAG ^ 1)),
    ("low bits", lambda: poll(bits=3, tag=TAG & 7)),
    ("greeted", lambda: poll(greet())),
    ("armed", lambda: poll(arm())),
    ("the key", lambda: b""),
    ("the press", lambda: poll()),
    ("a long neighbour", lambda: neighbour * 60),
    ("the press again", lambda: poll()),
    ("a turn that the host did not hear", lambda: poll(disarm())),
    ("the same turn", lambda: again(disarm())),
    ("too late", lambda: poll()),
    ("at last", lambda: poll(bytes(1))),
]
at = 0
sleeps = 0


def wait(ms, want_write):
    global at, sleeps
    if not 0 <= ms <= 5:
        raise ValueError("a pad on a bus looks every 5 ms, not after " + str(ms))
    time.passed[0] += ms or 1
    sleeps += 1
    if sleeps % 80:  # 400 ms for each step
        return
    if at:
        print(steps[at - 1][0], answers())
    if at == len(steps):
        raise Over
    step, data = steps[at]
    at += 1
    uart().hear(data())
    key3 = machine.pins[4]
    key3.level = 0 if step == "the key" else 1
    if step == "too late":
        time.passed[0] += 11  # the program was busy with something else


for name, value in (("wait", wait), ("state_folder", sys.argv[1])):
    setattr(board, name, value)
try:
    main.run(board)
except Over:
    print("driven", set(uart().released), "off now", machine.pins[7].level)
    print("overruns", uart().overruns, "baud", uart().baud)
