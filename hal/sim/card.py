"""Card readers at the far end of their wire. Not modelled: the card, a bad swipe, the beep."""

from typing import Protocol

from hal.key_codes import ENTERS, EV_KEY, INPUT_EVENT, KEYS, PRESSED, RELEASED, SHIFTS

EV_SYN = 0
LEFT_SHIFT, ENTER = min(SHIFTS), min(ENTERS)


class Wire(Protocol):
    """What a reader needs of a link."""

    async def write(self, data: bytes) -> None:
        """Hand bytes over. Raises LinkLost."""


class SimSerialReader:
    """Sends what is swiped as a line."""

    def __init__(self, wire: Wire, *, end: bytes = b"\r\n") -> None:
        self._wire = wire
        self._end = end

    async def swipe(self, text: str) -> None:
        """A card or code is read."""
        await self._wire.write(text.encode() + self._end)

    async def swipe_partly(self, text: str) -> None:
        """The end of it never comes."""
        await self._wire.write(text.encode())


class SimHidReader:
    """Types what is swiped, key by key, with shift where it must, and Enter."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def swipe(self, text: str) -> None:
        """A card or code is read."""
        await self._wire.write(typed(text) + stroke(ENTER))

    async def swipe_partly(self, text: str) -> None:
        """The end of it never comes."""
        await self._wire.write(typed(text))


def event(kind: int, code: int, value: int) -> bytes:
    """One ``struct input_event``; its time is of no interest."""
    return INPUT_EVENT.pack(0, 0, kind, code, value)


def stroke(code: int) -> bytes:
    """A key goes down and up."""
    report = event(EV_SYN, 0, 0)
    return event(EV_KEY, code, PRESSED) + report + event(EV_KEY, code, RELEASED) + report


def typed(text: str) -> bytes:
    """The events of a whole text. Raises KeyError for what a US keyboard has not."""
    plain = {chr(chars[0]): code for code, chars in reversed(KEYS.items())}
    shifted = {chr(chars[1]): code for code, chars in reversed(KEYS.items())}
    out = bytearray()
    for char in text:
        if char in plain:
            out += stroke(plain[char])
        else:
            down, up = (event(EV_KEY, LEFT_SHIFT, value) for value in (PRESSED, RELEASED))
            out += down + stroke(shifted[char]) + up
    return bytes(out)
