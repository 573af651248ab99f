"""New firmware over the pad's own line: what the host asks, carried out and answered.

::

    state    | OFFER          | OFFER_PART        | FILE_ASK, _PART, _END | SWITCH       | ABANDON
    IDLE     | COLLECTING     | NOTHING_OPEN      | NOTHING_OPEN          | NOTHING_OPEN | IDLE
    COLLECT. | COLLECTING     | its bytes; all of | NOTHING_OPEN          | NOTHING_OPEN | IDLE
             |                | them: OPEN        |                       |              |
    OPEN     | COLLECTING     | NOTHING_OPEN      | carried out           | GONE         | IDLE
    GONE     | BUSY           | BUSY              | BUSY                  | SWITCHED     | BUSY

While somebody rates, or the running firmware is on trial, every answer is BUSY and nothing is
done: a rating never waits for an update. Each answer is given when the flash has what was taken,
so the host, which waits for it, sends nothing while a write masks interrupts.

What came is kept by firmware.pad.slots over a restart, but not that it was offered: the host
offers it again, and only what is missing comes. Nothing here raises but BadBody.
"""

from firmware.pad import link
from firmware.pad.slots import Refused, Slots, Update

IDLE = 0
COLLECTING = 1
OPEN = 2
GONE = 3

FULL = "the flash did not take it"
NO_MEMORY = "not enough memory for the manifest"


class Updating:
    """One pad's updates. ``switched``: the new slot is on trial, the pad has to restart."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._update = Update(slots)
        self._state = IDLE
        self._manifest = bytearray()
        self._have = 0
        self._mac = b""

    @property
    def switched(self) -> bool:
        """Whether all is done but the restart."""
        return self._state == GONE

    def take(self, kind: int, body: bytes, rating: bool) -> bytes:
        """Carry one frame out; the body of the PROGRESS that answers it. Raises BadBody.

        ``rating``: a visitor is asked, or thanked.
        """
        if self._state == GONE:
            return link.pack_progress(link.SWITCHED if kind == link.SWITCH else link.BUSY)
        if rating:
            return link.pack_progress(link.BUSY)
        try:
            return self._carry_out(kind, body)
        except Refused as error:
            said = str(error)
        except OSError as error:
            said = f"{FULL} ({error})"
        except MemoryError:
            said = NO_MEMORY
        self._forget()
        return link.pack_progress(link.NOT_TAKEN, rest=said.encode())

    def _carry_out(self, kind: int, body: bytes) -> bytes:
        if kind == link.OFFER:
            return self._offer(body)
        if kind == link.OFFER_PART:
            return self._collect(body)
        if kind == link.ABANDON:
            link.check_empty("ABANDON", body)
            self._forget()
            return link.pack_progress(link.GO_ON)
        if self._state != OPEN:
            return link.pack_progress(link.NOTHING_OPEN)
        if kind == link.SWITCH:
            link.check_empty("SWITCH", body)
            self._update.finish()
            self._forget()
            self._state = GONE
            return link.pack_progress(link.SWITCHED)
        if kind == link.FILE_PART:
            return self._part(body)
        file = link.unpack_file(body)
        name, _ = self._update.row(file)
        if kind == link.FILE_ASK:
            return link.pack_progress(link.GO_ON, file, self._update.received(name))
        try:
            self._update.close(name)
        except Refused:  # torn by a power cut, or left by another version
            return link.pack_progress(link.DAMAGED, file)
        return link.pack_progress(link.PLACED, file)

    def _offer(self, body: bytes) -> bytes:
        size, mac = link.unpack_offer(body)
        if self._slots.state().trying:
            # The other slot is what the pad goes back to: it stays until this one is confirmed.
            return link.pack_progress(link.BUSY)
        self._forget()
        self._manifest = bytearray(size)
        self._mac = mac
        self._state = COLLECTING
        return link.pack_progress(link.GO_ON)

    def _collect(self, body: bytes) -> bytes:
        offset, data = link.unpack_offer_part(body)
        if self._state != COLLECTING:
            return link.pack_progress(link.NOTHING_OPEN)
        if offset == self._have:
            end = offset + len(data)
            if end > len(self._manifest):
                raise Refused(f"the manifest: {len(self._manifest)} bytes were offered, got {end}")
            self._manifest[offset:end] = data
            self._have = end
        if self._have < len(self._manifest):
            return link.pack_progress(link.GO_ON, offset=self._have)
        manifest = bytes(self._manifest)
        self._manifest = bytearray()
        wanted = self._update.begin(manifest, self._mac)
        self._state = OPEN
        bits = bytearray((self._update.files + 7) // 8)
        for file in range(self._update.files):
            if self._update.row(file)[0] in wanted:
                bits[file >> 3] |= 1 << (file & 7)
        return link.pack_progress(link.OPENED, rest=bytes(bits))

    def _part(self, body: bytes) -> bytes:
        file, offset, data = link.unpack_part(body)
        name, size = self._update.row(file)
        if offset and offset != self._update.received(name):
            return link.pack_progress(link.GO_ON, file, self._update.received(name))
        if offset + len(data) > size:
            raise Refused(f"{name}: more bytes than its manifest names")
        self._update.write(name, offset, data)
        return link.pack_progress(link.GO_ON, file, self._update.received(name))

    def _forget(self) -> None:
        self._update.abandon()
        self._manifest = bytearray()
        self._have = 0
        self._state = IDLE
