# ruff: noqa: T201 - what is printed is what is compared
# Runs under MicroPython with the fakes of tests/firmware/fake: main.run on board.py, across the
# wrap. The host's side of the line is played here, at given turns; the script prints what lamps
# and line did.
from firmware.pad import link, main
from firmware.pad.board import PicoPins, board

# The fakes, which no type checker knows.
any_module = __import__
machine = any_module("machine")
time = any_module("time")
decoder = link.Decoder()
to_pad = bytearray()
boot_id = 0
seq = 0
lamps: "list[str]" = []
presses: "list[tuple[int, tuple[int, int, int]]]" = []


class HungUp(Exception):
    pass


def send(kind, identity, number, body=b""):
    global to_pad
    to_pad += link.encode(kind, identity, number, body)


def write(view):
    # The line takes seven bytes at a time.
    global boot_id
    view = view[:7]
    for frame in decoder.feed(view):
        if not isinstance(frame, link.Frame):
            raise ValueError(repr(frame))
        if frame.kind == link.HELLO:
            boot_id = frame.boot_id
            print("hello", link.unpack_hello(frame.body))
            send(link.HELLO_ACK, boot_id, frame.seq, link.pack_hello_ack())
        elif frame.kind == link.PING:
            send(link.PONG, boot_id, frame.seq)
        elif frame.kind == link.PRESS:
            presses.append((frame.seq, link.unpack_press(frame.body)[:3]))
            if frame.seq != 1 or len(presses) > 2:
                send(link.ACK, boot_id, frame.seq)
        elif frame.kind == link.DONE:
            print("done", time.passed[0])
    return len(view)


def read_into(buffer):
    global to_pad
    size = min(len(buffer), len(to_pad))
    buffer[:size] = to_pad[:size]
    to_pad = to_pad[size:]
    return size


def wait(ms, want_write):
    time.passed[0] += min(ms, 5)
    lit = "".join([str(machine.pins[number].value()) for number in PicoPins.leds])
    if not lamps or lamps[-1] != lit:
        lamps.append(lit)
        print("lamps", lit)
    key3 = machine.pins[PicoPins.rating_keys[2]]
    if time.passed[0] == 1000:
        send(link.ARM, 9, 1, link.pack_arm(5, 10_000))
    elif time.passed[0] == 2980:
        key3.level = 0
    elif time.passed[0] == 3040:
        key3.level = 1
    elif time.passed[0] >= 12_000:
        raise HungUp


for name, function in (
    ("write", write),
    ("read_into", read_into),
    ("wait", wait),
    ("state_folder", ""),
):
    setattr(board, name, function)
try:
    main.run(board)
except HungUp:
    print("presses", presses)
    print("fed", machine.WDT.fed > 100, "reset", machine.resets)
machine.pins[2].level = machine.pins[6].level = 0
main.run(board)
print("safe mode")
