# ruff: noqa: T201 - what is printed is what is compared
# Runs under MicroPython with the fakes: board.py on UART0 without a bus, one pad at its end: it
# speaks unasked, and never switches a driver on. Argument: the state folder.
import sys

from firmware.pad import link, main
from firmware.pad.board import board

any_module = __import__
machine = any_module("machine")
time = any_module("time")
decoder = link.Decoder()
heard = 0


class Over(Exception):
    pass


def wait(ms, want_write):
    global heard
    time.passed[0] += min(ms, 5) or 1
    uart = machine.uarts[0]
    uart.left_ms = 0
    for data, level in uart.sent[heard:]:
        heard += 1
        for frame in decoder.feed(data):
            if not isinstance(frame, link.Frame):
                raise ValueError(repr(frame))
            print("kind", frame.kind, "driver", level)
            if frame.kind == link.HELLO:
                body = link.pack_hello_ack()
                uart.hear(link.encode(link.HELLO_ACK, frame.boot_id, frame.seq, body))
                uart.hear(link.encode(link.ARM, 9, 1, link.pack_arm(5, 10_000)))
            elif frame.kind == link.PING:
                raise Over


for name, value in (("wait", wait), ("state_folder", sys.argv[1])):
    setattr(board, name, value)
try:
    main.run(board)
except Over:
    print("first byte", machine.uarts[0].sent[0][0][:1].hex(), "baud", machine.uarts[0].baud)
