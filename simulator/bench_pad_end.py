"""The far end of the press bench: a lean pad, a process of its own that does nothing but press.

It greets as a pad does and presses one key after the other; in between it measures what a press is
compared with, on the same machine in the same moment: a raw round trip over a pty of its own, and
one durable commit. It is not the real firmware: what MicroPython takes for its turn would hide
what the host takes for its own.
"""

import contextlib
import os
import pty
import sqlite3
import time
import tty
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

from firmware.pad import link

UNIQUE_ID = b"bench"
KEY = bytes(range(link.KEY_SIZE))
RECORD_BYTES = 228
READ = 4096


def echo(line: Connection) -> None:
    """Give every byte back that comes over the pty whose path ``line`` brings."""
    fd = os.open(line.recv(), os.O_RDWR | os.O_NOCTTY)
    line.send(True)
    with contextlib.suppress(OSError):  # the other end is gone: the bench is over
        while data := os.read(fd, READ):
            os.write(fd, data)


class LeanPad:
    """The pad's end of a line: frames out, results in, blocking."""

    def __init__(self) -> None:
        self._master, slave = pty.openpty()
        tty.setraw(slave)
        self.port = os.ttyname(slave)
        self._boot_id = int.from_bytes(os.urandom(4), "little")
        self._decoder = link.Decoder()
        self._results: list[link.Frame | link.Sealed | link.Wrong] = []
        self._session = link.Session(bytes(link.KEY_SIZE), link.FROM_PAD)
        self._seq = 0
        self._came_s = 0.0  # when the last bytes came

    def greet(self) -> None:
        """HELLO, CHALLENGE, PROOF, WELCOME."""
        nonce = os.urandom(link.NONCE_SIZE)
        hello = link.Hello(UNIQUE_ID, "0.0.0", "bench", flags=link.KEYED, nonce=nonce)
        body = link.pack_hello(hello)
        self._write(link.encode(link.HELLO, self._boot_id, 1, body))
        while True:
            result = self._next()
            if isinstance(result, link.Frame) and result.kind == link.CHALLENGE:
                break
        host_nonce, _ = link.unpack_challenge(result.body)
        key = link.session_key(KEY, host_nonce, nonce, UNIQUE_ID)
        self._session = link.Session(key, link.FROM_PAD)
        self._write(self._session.seal(link.PROOF, self._boot_id, 2, body))
        self._wait_for(link.WELCOME)

    def press(self) -> float:
        """One unasked press; seconds from its writing until its acknowledgement has come. What the
        pad takes to seal the one and to open the other is not in it.
        """
        self._seq += 1
        body = link.pack_press(0, 1 + self._seq % link.KEYS, 0, self._boot_id)
        frame = self._session.seal(link.PRESS, self._boot_id, self._seq, body)
        began_s = time.perf_counter()
        self._write(frame)
        self._wait_for(link.ACK)
        return self._came_s - began_s

    def _write(self, frame: bytes) -> None:
        os.write(self._master, link.DELIMITER + frame)

    def _next(self) -> "link.Frame | link.Sealed | link.Wrong":
        while not self._results:
            data = os.read(self._master, READ)
            self._came_s = time.perf_counter()
            self._results = self._decoder.feed(data)
        return self._results.pop(0)

    def _wait_for(self, kind: int) -> None:
        while True:
            result = self._next()
            if isinstance(result, link.Sealed):
                frame = self._session.open(result)
                if frame is not None and frame.kind == kind:
                    return


def round_trip() -> tuple[str, Callable[[], float]]:
    """A pty whose other end shall echo: its path, and what measures one round trip."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    data = os.urandom(37)  # a sealed press

    def measure() -> float:
        began_s = time.perf_counter()
        os.write(master, data)
        size = 0
        while size < len(data):
            size += len(os.read(master, READ))
        return time.perf_counter() - began_s

    return os.ttyname(slave), measure


def commit(path: Path) -> Callable[[], float]:
    """What measures one bare commit of SQLite with WAL and FULL."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("CREATE TABLE record (seq INTEGER PRIMARY KEY, raw BLOB NOT NULL)")
    record = os.urandom(RECORD_BYTES)

    def measure() -> float:
        began_s = time.perf_counter()
        db.execute("INSERT INTO record (raw) VALUES (?)", (record,))
        return time.perf_counter() - began_s

    return measure


def press_and_compare(
    line: Connection, to_echo: Connection, folder: str, warm_up: int, rounds: int
) -> None:
    """Tell ``line`` the pad's port, then the seconds of each round: trips, commits, presses."""
    pad = LeanPad()
    path, trip = round_trip()
    to_echo.send(path)
    to_echo.recv()
    a_commit = commit(Path(folder) / "anchor.db")
    line.send(pad.port)
    line.recv()
    pad.greet()
    took = [(trip(), a_commit(), pad.press()) for _ in range(warm_up + rounds)]
    line.send(took[warm_up:])
