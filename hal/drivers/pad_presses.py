"""Presses between a pad's driver and whoever takes them: each handed on once."""

import asyncio
from collections import OrderedDict
from enum import Enum, auto

from hal.api import PadPress

MAX_WAITING = 64
"""Presses nobody has fetched; further ones stay in the pad, which repeats them."""
MAX_SEEN = 1024
"""Remembered presses: 32 times what a pad can hold."""


class Taken(Enum):
    """What became of a press that came over the line."""

    NEW = auto()
    REPEATED = auto()  # handed on before, not journalled yet
    ACKNOWLEDGED = auto()  # journalled: the pad may forget it
    HELD_BACK = auto()  # no room: the pad comes again with it


class PressDesk:
    """A bounded queue, and a bounded memory of names: (unique id, boot id, sequence)."""

    def __init__(self) -> None:
        self.waiting: asyncio.Queue[PadPress] = asyncio.Queue(MAX_WAITING)
        self.seen: OrderedDict[tuple[str, int, int], bool] = OrderedDict()

    def take(self, press: PadPress) -> Taken:
        """Hand on a press that was not seen before."""
        name = (press.unique_id, press.boot_id, press.seq)
        acknowledged = self.seen.get(name)
        if acknowledged is not None:
            return Taken.ACKNOWLEDGED if acknowledged else Taken.REPEATED
        if self.waiting.full():
            return Taken.HELD_BACK
        self._remember(name, acknowledged=False)
        self.waiting.put_nowait(press)
        return Taken.NEW

    def acknowledge(self, press: PadPress) -> None:
        """The press is journalled."""
        self._remember((press.unique_id, press.boot_id, press.seq), acknowledged=True)

    def _remember(self, name: tuple[str, int, int], *, acknowledged: bool) -> None:
        self.seen[name] = acknowledged
        self.seen.move_to_end(name)
        if len(self.seen) > MAX_SEEN:
            self.seen.popitem(last=False)
