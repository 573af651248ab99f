"""Who talks on a bus without having a turn, as far as what it says tells. Pure.

A pad that is jammed on "send" stops every other one, and no command reaches it. It is named by
what it says: a trailer carries its address and tag, a frame the boot id of a pad that was heard
before, HELLO its unique id. From bytes that say nothing only a suspicion follows: the pad that had
the turn when it began.
"""

from collections import OrderedDict

from firmware.pad import link as wire
from hal.drivers.bus_ear import Answer

MAX_SPEAKERS = 256
"""Boots of pads that are remembered: 8 for each of 31 pads."""


class Speakers:
    """Boot ids and unique ids, each with the pad (address, tag) that used them in its turn."""

    def __init__(self) -> None:
        self._boots: OrderedDict[int, tuple[int, int]] = OrderedDict()
        self._names: OrderedDict[int, str] = OrderedDict()

    def heard(self, answer: Answer) -> None:
        """Learn from a burst that came in its turn."""
        if not answer.data:
            return
        for frame in wire.Decoder().feed(answer.data):
            boot_id = _boot_id(frame)
            if boot_id is not None:
                self._boots[boot_id] = (answer.address, answer.tag)
                self._boots.move_to_end(boot_id)
                while len(self._boots) > MAX_SPEAKERS:
                    self._boots.popitem(last=False)
            self._learn_name(frame)

    def name(self, tag: int) -> str:
        """The unique id (hex) of the pad with this tag; empty if it was not heard to say HELLO."""
        return self._names.get(tag, "")

    def who(self, strays: bytes) -> tuple[tuple[int, int] | None, str]:
        """(address and tag if known, unique id if said) of who wrote bytes out of turn."""
        found: tuple[int, int] | None = None
        unique_id = ""
        for frame in wire.Decoder().feed(strays):
            boot_id = _boot_id(frame)
            if boot_id is not None:
                found = self._boots.get(boot_id, found)
            unique_id = self._learn_name(frame) or unique_id
        if found is None and unique_id:
            tag = wire.tag_of(bytes.fromhex(unique_id))
            seats = {place for place in self._boots.values() if place[1] == tag}
            found = seats.pop() if len(seats) == 1 else None
        return found, unique_id

    def _learn_name(self, frame: wire.Frame | wire.Sealed | wire.Wrong) -> str:
        if not isinstance(frame, wire.Frame) or frame.kind != wire.HELLO:
            return ""
        try:
            unique_id = wire.unpack_hello(frame.body).unique_id
        except wire.BadBody:
            return ""
        tag = wire.tag_of(unique_id)
        self._names[tag] = unique_id.hex()
        self._names.move_to_end(tag)
        while len(self._names) > MAX_SPEAKERS:
            self._names.popitem(last=False)
        return unique_id.hex()


def _boot_id(frame: wire.Frame | wire.Sealed | wire.Wrong) -> int | None:
    """The pad's boot id in a frame's header; DONE carries the host's instead."""
    if isinstance(frame, wire.Wrong) or frame.kind == wire.DONE or frame.kind >= wire.WHO:
        return None
    if isinstance(frame, wire.Frame):
        return frame.boot_id
    return int.from_bytes(frame.raw[1:5], "little")
