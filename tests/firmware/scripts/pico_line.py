# ruff: noqa: T201 - what is printed is what is compared
# Runs under MicroPython with the fakes: board.py's own reading and writing, on a pipe.
from firmware.pad.board import board

board.claim_line("usb", 115_200)
buffer = bytearray(64)
got = b""
while len(got) < 128:
    board.wait(1000, False)
    size = board.read_into(buffer)
    got += bytes(memoryview(buffer)[:size])
print("nothing lost", got.hex())
print("written", board.write(memoryview(b"written")))
print("line")
