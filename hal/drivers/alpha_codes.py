"""Packets of the Alpha sign protocol (Adaptive Micro Systems, 9708-8061F, "1-byte" format): what a
number display is sent and what it answers. Pure.

    NUL*5  SOH type address  STX command data  ETX checksum  EOT

``type`` Z is any sign, the address two hex digits, the checksum four: the sum of all bytes from
STX to ETX, modulo 2^16. A sign ignores what does not fit and answers only what it is asked to
read.
"""

import re

NUL, SOH, STX, ETX, EOT, ESC, FS = b"\x00", b"\x01", b"\x02", b"\x03", b"\x04", b"\x1b", b"\x1c"
SYNC = NUL * 5
"""Lets the sign find its speed."""
ANY_SIGN = b"Z"
LABEL = b"A"
"""The text file that every sign has after its memory was cleared."""
MIDDLE, HOLD, FLASH, RED = b" ", b"b", b"c", b"1"
LEVELS = (100, 86, 72, 58, 44)
"""Brightness in percent, by the index that the dimming register takes."""
STATIONS = range(1, 256)
MOST_BYTES = 256
"""A longer answer is none."""

_PACKET = re.compile(rb"\x01(.)(..)\x02([^\x01\x02\x03\x04]*)\x03([0-9A-Fa-f]{4})\x04", re.DOTALL)


def checksum(part: bytes) -> bytes:
    """Of ``part`` from STX to ETX."""
    return b"%04X" % (sum(part) & 0xFFFF)


def packet(station: int, body: bytes) -> bytes:
    """``body`` (command and data) for one sign. Raises ValueError."""
    if station not in STATIONS:
        raise ValueError(f"station {station}; expected 1 to {STATIONS[-1]}")
    part = STX + body + ETX
    return SYNC + SOH + ANY_SIGN + b"%02X" % station + part + checksum(part) + EOT


def text(shown: str, *, blink: bool) -> bytes:
    """Write the text file: what the sign shows from now on, "" for nothing. Raises ValueError for
    what is no printable ASCII.
    """
    if not shown.isascii() or not (shown == "" or shown.isprintable()):
        raise ValueError(f"{shown!r}; a number display shows printable ASCII")
    return b"A" + LABEL + ESC + MIDDLE + (FLASH if blink else HOLD) + FS + RED + shown.encode()


def ask_text() -> bytes:
    """Read the text file: answered with what :func:`text` wrote."""
    return b"B" + LABEL


def dim(percent: int) -> bytes:
    """Set the dimming register to the level that is nearest to ``percent``."""
    level = min(range(len(LEVELS)), key=lambda index: abs(LEVELS[index] - percent))
    return b"E/00%02d" % level


class Answers:
    """Finds the answers in a stream of bytes, with rubbish between them and in pieces."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The bodies that are complete and whose checksum is right."""
        self._rest += data
        found = []
        end = 0
        for match in _PACKET.finditer(self._rest):
            end = match.end()
            if checksum(STX + match[3] + ETX) == match[4].upper():
                found.append(match[3])
        self._rest = self._rest[end:][-MOST_BYTES:]
        return found

    def clear(self) -> None:
        """Forget what came in pieces."""
        self._rest = b""
