"""Runs under MicroPython for ``lobby bench pad``: the pad's program, which tells its RAM.

A file that LOBBY_BENCH_ASK names is a question: it is taken away, and LOBBY_BENCH_RAM gets a line
more, the bytes of the heap in use after a collection. The pad's clock runs SPEED times as fast, so
that a thousand presses take seconds.
"""

import os

# With mem_alloc, which no type checker of CPython knows.
gc = __import__("gc")
gc.collect()
before = gc.mem_alloc()

from firmware.pad import board_host, main  # noqa: E402 - what they take is the first figure

SPEED = 10
ticks_ms = board_host.ticks_ms
wait = board_host.wait
asked = os.getenv("LOBBY_BENCH_ASK")
told = os.getenv("LOBBY_BENCH_RAM")


def fast_ticks_ms():
    return ticks_ms() * SPEED & 0x3FFFFFFF


def wait_and_tell(ms, want_write):
    try:
        os.remove(asked)
        tell()
    except OSError:
        pass
    wait((ms + SPEED - 1) // SPEED, want_write)


def tell():
    gc.collect()
    with open(told, "a") as file:
        file.write(f"{gc.mem_alloc() - before}\n")


board_host.ticks_ms = fast_ticks_ms
board_host.wait = wait_and_tell
tell()
main.run(board_host)
