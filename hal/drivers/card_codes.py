"""From a reader's bytes or keys to a token, without a number on the way out. Pure.

What was read lives in a ``bytearray`` that is wiped as soon as its token is made; it is never
decoded to a ``str``, so no log, traceback or representation can hold it. The token is
HMAC-SHA256 under the branch's salt, cut to 128 bits: the same card gives the same token at every
kiosk of the branch and another one elsewhere. Card numbers can be guessed one by one, so the salt
is a secret: whoever has salt and token can find the number.

Of a magnetic card the account is what counts (track 1 ``%B…^``, track 2 ``;…=``), not its expiry.
A code of our own, ``L1:`` and up to 40 characters, is not personal and is handed on as it is.
"""

import hashlib
import hmac
import re
from collections.abc import Iterator

from hal.api import CardRead
from hal.key_codes import ENTERS, EV_KEY, INPUT_EVENT, KEYS, PRESSED, RELEASED, SHIFTS

LONGEST = 256
"""Bytes of one reading; a QR code of a person has some 100, a magnetic track 107."""
SALT_BYTES = 32
TOKEN_BYTES = 16
DOMAIN = b"lobby card 1\0"
OUR_PREFIX = b"L1:"
_OUR_CODE = re.compile(rb"L1:([0-9A-Za-z-]{1,40})")
_TRACK = re.compile(rb"(?:%B|;)([0-9]{8,19})[\^=]")
_ENDS = b"\r\n\x03"
_STARTS = b"\x02"


def read_of(data: bytearray, salt: bytes) -> CardRead:
    """The token of one reading; ``data`` is wiped. Raises ValueError for an empty one or a short
    salt.
    """
    try:
        if len(salt) < SALT_BYTES:
            raise ValueError(f"the salt has {len(salt)} bytes; expected {SALT_BYTES}")
        if not data:
            raise ValueError("nothing was read")
        ours = _OUR_CODE.fullmatch(data)
        track = _TRACK.match(data)
        secret = track[1] if track else data
        token = hmac.new(salt, DOMAIN + secret, hashlib.sha256).digest()[:TOKEN_BYTES].hex()
        return CardRead(token, ours[1].decode() if ours else "")
    finally:
        data[:] = bytes(len(data))


class LineDecoder:
    """Cuts a serial reader's bytes into readings: up to CR, LF or ETX; STX begins anew."""

    def __init__(self) -> None:
        self._part = bytearray()
        self.too_long = 0
        self._skipping = False

    @property
    def pending(self) -> bool:
        """Whether a reading has begun and not ended."""
        return bool(self._part) or self._skipping

    def drop(self) -> None:
        """Forget what has begun."""
        self._part[:] = bytes(len(self._part))
        self._part.clear()
        self._skipping = False

    def feed(self, data: bytes) -> Iterator[bytearray]:
        """Take bytes, give each reading that is complete now. Its owner wipes it."""
        for byte in data:
            if byte in _ENDS:
                if self._part and not self._skipping:
                    reading = bytearray(self._part)
                    self.drop()
                    yield reading
                self.drop()
            elif byte in _STARTS:
                self.drop()
            elif len(self._part) == LONGEST:
                self.too_long += not self._skipping
                self._skipping = True
            elif not self._skipping:
                self._part.append(byte)


class KeyDecoder:
    """Turns a keyboard wedge's ``struct input_event`` into the bytes of a serial reader."""

    def __init__(self) -> None:
        self._part = b""
        self._lines = LineDecoder()
        self._shift = False
        self.strange = 0

    @property
    def pending(self) -> bool:
        """Whether a reading has begun and not ended."""
        return self._lines.pending

    @property
    def too_long(self) -> int:
        """Readings beyond any code's length."""
        return self._lines.too_long

    def drop(self) -> None:
        """Forget what has begun."""
        self._lines.drop()
        self._shift = False

    def feed(self, data: bytes) -> Iterator[bytearray]:
        """Take bytes of the device file, give each reading that ended with Enter."""
        data = self._part + data
        whole = len(data) - len(data) % INPUT_EVENT.size
        self._part = data[whole:]
        for _, _, kind, code, value in INPUT_EVENT.iter_unpack(data[:whole]):
            if kind != EV_KEY:
                continue
            if code in SHIFTS:
                self._shift = value != RELEASED
            elif value == PRESSED and code in ENTERS:
                yield from self._lines.feed(b"\n")
            elif value == PRESSED and code in KEYS:
                yield from self._lines.feed(KEYS[code][self._shift :][:1])
            elif value == PRESSED:
                self.strange += 1
