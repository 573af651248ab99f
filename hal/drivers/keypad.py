"""Tactile keys beside the screen: a USB keypad, which is a keyboard, or a board on a serial line.

A key that is down when the line is lost counts as let go: nothing stays held by nobody.
"""

from collections.abc import Mapping, Sequence

from hal.api import ByteLink
from hal.body import GuideKey, KeyStroke
from hal.drivers.keypad_codes import KeyboardDecoder, LetterDecoder
from hal.drivers.keys_held import KeysHeld
from hal.drivers.listening import LinkListener


class _LinkedPad(LinkListener):
    """A keypad at the end of a link, whose bytes ``decoder`` understands."""

    def __init__(
        self, link: ByteLink, name: str, decoder: KeyboardDecoder | LetterDecoder
    ) -> None:
        super().__init__(link, name)
        self._decoder = decoder
        self._held = KeysHeld(self._counters)

    async def next_stroke(self) -> KeyStroke:
        """Wait for the next stroke."""
        return await self._held.next_stroke()

    async def _read_on(self) -> None:
        while True:
            for stroke in self._decoder.feed(await self._link.read()):
                self._held.take(stroke)

    def _forget(self) -> None:
        self._decoder.drop()
        self._held.let_go()


class KeyboardPad(_LinkedPad):
    """A USB keypad at ``evdev:/dev/input/by-id/NAME``, held alone: no key reaches a window.
    ``codes``: Linux key codes in the place of the usual ones, by the key's name. Raises ValueError
    for a key of another name, or a code given to two keys.
    """

    def __init__(
        self, link: ByteLink, *, name: str, codes: Mapping[str, Sequence[int]] | None = None
    ) -> None:
        table = {GuideKey(key): numbers for key, numbers in (codes or {}).items()}
        super().__init__(link, name, KeyboardDecoder(table))


class SerialKeyPad(_LinkedPad):
    """A board with four keys on a serial line: a byte a stroke (hal/drivers/keypad_codes.py)."""

    def __init__(
        self, link: ByteLink, *, name: str, codes: Mapping[str, Sequence[int]] | None = None
    ) -> None:
        if codes:
            raise ValueError("codes: only a keyboard has key codes")
        super().__init__(link, name, LetterDecoder())
