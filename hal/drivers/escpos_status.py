"""What an ESC/POS printer says back: an incremental decoder, and what its bytes mean. Pure.

Answers are told apart by their fixed bits (Epson ESC/POS reference, DLE EOT, GS r, GS a):

=====================  =====================================================================
``b & 0x93 == 0x12``   one byte, the answer to DLE EOT n
``b & 0x93 == 0x10``   first of the four bytes of automatic status
``b & 0x90 == 0x00``   one byte, the answer to GS r n
``b == 0x37``          a block up to NUL; 37 25 00 says that the buffers were cleared
=====================  =====================================================================
"""

from dataclasses import dataclass
from enum import Enum, auto

STATUS_BYTES = 4
"""Answers to one ASK_STATUS: DLE EOT 1 (printer), 2 (offline cause), 3 (error), 4 (paper)."""
AUTOMATIC_BYTES = 4
BLOCK_START, BLOCK_END = 0x37, 0x00
BLOCK_LIMIT = 64
"""Longest block that ESC/POS printers send; what goes on longer is noise."""
CLEARED_BLOCK = b"\x37\x25\x00"
NEAR_END_IN_ORDER = 0x03  # GS r 1, bits 0-1


class Kind(Enum):
    """What sort of answer it is."""

    REAL_TIME = auto()  # DLE EOT
    IN_ORDER = auto()  # GS r
    CLEARED = auto()  # DLE DC4 fn 8
    AUTOMATIC = auto()  # GS a
    OTHER = auto()  # flow control, noise, blocks nobody asked for


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer with its bytes."""

    kind: Kind
    data: bytes


class AnswerDecoder:
    """Cuts the printer's bytes into answers, however they arrive; never raises, holds <= 64 B."""

    def __init__(self) -> None:
        self._part = bytearray()

    def feed(self, data: bytes) -> list[Answer]:
        """Take bytes, return the answers that are now complete."""
        answers = []
        for byte in data:
            self._part.append(byte)
            kind = self._kind()
            if kind is not None:
                answers.append(Answer(kind, bytes(self._part)))
                self._part.clear()
        return answers

    def _kind(self) -> Kind | None:
        part = self._part
        first = part[0]
        if first == BLOCK_START:
            if part[-1] != BLOCK_END and len(part) < BLOCK_LIMIT:
                return None
            return Kind.CLEARED if part == CLEARED_BLOCK else Kind.OTHER
        if first & 0x93 == 0x12:
            return Kind.REAL_TIME
        if first & 0x93 == 0x10:
            return Kind.AUTOMATIC if len(part) == AUTOMATIC_BYTES else None
        if first & 0x90 == 0x00:
            return Kind.IN_ORDER
        return Kind.OTHER


def cause_of(status: bytes) -> str:
    """Why the printer cannot print now, by its four DLE EOT answers; empty when it can.

    The cover comes first: lifted off the paper, the roll sensor says "end" as well.
    """
    printer, offline, error, paper = status
    if offline & 0x04:
        return "cover_open"
    if offline & 0x20 or paper & 0x60:
        return "paper_out"
    if error & 0x08:
        return "cutter"
    if error & 0x64 or offline & 0x40:
        return "error"
    return "offline" if printer & 0x08 else ""


def is_near_end(status: bytes) -> bool:
    """Whether DLE EOT 4 says that the roll is nearly used up."""
    return bool(status[3] & 0x0C)


def cause_of_automatic(status: bytes) -> str:
    """Why the printer went offline, by its four bytes of automatic status; empty: it did not."""
    printer, error, paper, _ = status
    if printer & 0x20:
        return "cover_open"
    if paper & 0x0C:
        return "paper_out"
    if error & 0x08:
        return "cutter"
    if error & 0x60:
        return "error"
    return "offline" if printer & 0x08 else ""
