"""A board's raw REPL over a serial port: run code there, put files, whole or not at all.

A client of its own and not mpremote's ``SerialTransport``, which is made for a person at a
terminal: it reads without a time-out (``serial.read(2)`` of a board that hangs never returns),
writes without one, prints to standard output in the middle of a batch, and its header announces
that its interface is going to change. The protocol is the same: a test lets mpremote itself talk
to the boards that this client is tested with. Raw-paste mode only (MicroPython ≥ 1.14).

Errors: LinkDied when the line breaks or is silent, NoPad without a prompt, CodeFailed with the
board's own last line.
"""

import ast
import contextlib
import hashlib
import struct
import time
from binascii import b2a_base64
from pathlib import Path
from typing import Any

import serial

from firmware.flash.errors import FlashError, LinkDied, NoPad
from firmware.flash.line import open_line

ANSWER_S = 10.0
"""Longest silence while code runs: hashing a slot of 30 KiB takes a pad 0.1 s."""
ENTER_S = 3.0
CHUNK = 1024
BANNER = b"raw REPL; CTRL-B to exit\r\n>"

AGAIN = "check the cable and run the same command again: it goes on where it stopped"
SAFE = "hold two keys of the pad while plugging it in (safe mode), then run this again"

PUT = """
import os
from binascii import a2b_base64
def _sha(path):
    import hashlib
    from binascii import hexlify
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while True:
            piece = file.read(512)
            if not piece:
                return hexlify(digest.digest()).decode()
            digest.update(piece)
def _put(path, data, mode):
    at = path.find('/', 1)
    while at > 0:
        try:
            os.mkdir(path[:at])
        except OSError:
            pass
        at = path.find('/', at + 1)
    with open(path + '.new', mode) as file:
        file.write(data)
def _have(path):
    try:
        return _sha(path)
    except OSError:
        return ''
"""


class CodeFailed(FlashError):
    """Code on the board raised; ``last`` is the last line of its traceback."""

    def __init__(self, port: Path, traceback: str) -> None:
        self.last = traceback.strip().splitlines()[-1] if traceback.strip() else ""
        super().__init__(
            f"{port}: the board says {self.last}", "read it; nothing was put in place"
        )


class RawRepl:
    """One open port with a board at its prompt; a context manager."""

    def __init__(self, port: Path) -> None:
        self.port = port
        self.sent = 0
        self._line = open_line(port, ANSWER_S)
        try:
            self._enter()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "RawRepl":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_open(self) -> bool:
        """Whether this still holds the port."""
        return bool(self._line.is_open)

    def close(self) -> None:
        """Let the port go, the board at its friendly prompt."""
        if self._line.is_open:
            with contextlib.suppress(serial.SerialException, OSError):
                self._line.write(b"\r\x02")
            self._line.close()

    def _enter(self) -> None:
        try:
            self._line.reset_input_buffer()
        except (serial.SerialException, OSError) as error:
            raise LinkDied(f"{self.port}: {error}", AGAIN) from error
        self._write(b"\r\x03\x03\r\x01")
        try:
            # A pad that runs its program talks on and on, but never says this.
            self._until(BANNER, ENTER_S, renew=False)
        except LinkDied as error:
            if "silent" not in error.what:
                raise
            raise NoPad(f"{self.port}: no MicroPython prompt answers", SAFE) from error
        self.run(PUT)

    def run(self, code: str, answer_s: float = ANSWER_S) -> bytes:
        """Run code on the board; what it printed."""
        self._send(code.encode())
        said = self._until(b"\x04", answer_s)[:-1]
        wrong = self._until(b"\x04>", answer_s)[:-2]
        if wrong:
            raise CodeFailed(self.port, wrong.decode(errors="replace"))
        return said

    def value(self, expression: str) -> Any:
        """A literal value computed on the board."""
        said = self.run(f"print(repr({expression}))").decode(errors="replace").strip()
        try:
            return ast.literal_eval(said)
        except (ValueError, SyntaxError) as error:
            raise LinkDied(f"{self.port}: unreadable answer {said[:60]!r}", AGAIN) from error

    def put(self, path: str, data: bytes) -> bool:
        """Put a file in place, written aside, hashed there, renamed; False if it was there."""
        wanted = hashlib.sha256(data).hexdigest()
        if self.value(f"_have({path!r})") == wanted:
            return False
        for at in range(0, max(len(data), 1), CHUNK):
            piece = b2a_base64(data[at : at + CHUNK], newline=False)
            self.run(f"_put({path!r}, a2b_base64({piece!r}), {'ab' if at else 'wb'!r})")
        came = self.value(f"_sha({path + '.new'!r})")
        if came != wanted:
            raise FlashError(f"{self.port}: {path} arrived as {came[:12]}…", AGAIN)
        self.run(f"os.rename({path + '.new'!r}, {path!r})")
        return True

    def get(self, path: str) -> bytes:
        """The bytes of a file on the board, b"" if there is none."""
        data = self.value(f"open({path!r}, 'rb').read() if _have({path!r}) else b''")
        return bytes(data)

    def reset(self) -> None:
        """Restart the board and let the port go: it vanishes, and comes back a second later."""
        self._send(b"import machine\nmachine.reset()")
        self._line.close()

    # --- bytes ---------------------------------------------------------------------------

    def _send(self, code: bytes) -> None:
        self._write(b"\x05A\x01")
        head = self._exactly(4)
        if head[:2] != b"R\x01":
            raise LinkDied(
                f"{self.port}: no raw-paste mode ({head!r})", "flash MicroPython ≥ 1.24"
            )
        (window,) = struct.unpack("<H", head[2:])
        room = window
        at = 0
        while at < len(code):
            if not room:
                byte = self._exactly(1)
                if byte != b"\x01":
                    raise LinkDied(f"{self.port}: the board broke off ({byte!r})", AGAIN)
                room += window
            piece = code[at : at + room]
            self._write(piece)
            at += len(piece)
            room -= len(piece)
        self._write(b"\x04")
        # Left-over grants of the window come before the acknowledgement.
        self._until(b"\x04", ANSWER_S)

    def _write(self, data: bytes) -> None:
        try:
            self._line.write(data)
        except (serial.SerialException, OSError) as error:
            raise LinkDied(f"{self.port}: the line broke ({error})", AGAIN) from error
        self.sent += len(data)

    def _exactly(self, size: int) -> bytes:
        deadline = time.monotonic() + ANSWER_S
        got = b""
        while len(got) < size:
            got += self._read(size - len(got), deadline)
        return got

    def _until(self, end: bytes, silence_s: float, renew: bool = True) -> bytes:
        got = bytearray()
        deadline = time.monotonic() + silence_s
        while not got.endswith(end):
            piece = self._read(1, deadline)
            got += piece
            if piece and renew:
                deadline = time.monotonic() + silence_s
        return bytes(got)

    def _read(self, size: int, deadline: float) -> bytes:
        try:
            piece = self._line.read(size)
        except (serial.SerialException, OSError, TypeError) as error:
            raise LinkDied(f"{self.port}: the line broke ({error})", AGAIN) from error
        if time.monotonic() > deadline:
            raise LinkDied(f"{self.port}: the board went silent", AGAIN)
        return bytes(piece)
