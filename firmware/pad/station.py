"""A pad's place on a bus: silent until it is polled, then one burst. Pure.

::

    state     | a poll for this pad, in time | any other bytes | answer_into
    SILENT    | POLLED                       | SILENT          | nothing
    POLLED    | POLLED, the newer            | SILENT          | one burst, SILENT

The host repeats a turn, under its number, until it has heard the answer: what came with it is
taken once, and the answer is the same bytes again. A burst that noise spoilt costs one round.

A poll is the last thing on the line, or it is stale: the host has given the turn to somebody else.
It is stale as well when the program did not look at the line for LATE_MS, since nobody knows how
long it lay in the buffer then. A stale poll brings its frames and gets no answer.

The bus is never searched byte by byte: one look at the end of what came suffices.
"""

from firmware.pad.frames import MAX_WIRE, Decoder
from firmware.pad.ticks import ticks_diff
from firmware.pad.turns import (
    END,
    MAX_BURST,
    OTHERS,
    POLL,
    TAG_BITS,
    TRAILER_SIZE,
    Trailer,
    tag_of,
    trailer_into,
)

READ_SIZE = 512
"""Most bytes of one ``feed``: 44 ms of a full line at 115200 baud."""
MAX_ANSWER = 1 + MAX_BURST + TRAILER_SIZE
"""A lead, the burst, its trailer."""
LATE_MS = 10
ANSWER_MS = 20
"""An answer that is not ready so soon after the look at the line is not given."""
REST_MS = 5
"""A pad on a bus looks at the line at least so often, even if it is not woken by a byte."""

_KEPT = MAX_BURST + TRAILER_SIZE
_BUFFER = 2 * READ_SIZE + _KEPT

TYPE_CHECKING = False  # MicroPython has no typing module; a type checker takes this as true
if TYPE_CHECKING:
    from collections.abc import Callable

    from firmware.pad.frames import Frame, Sealed, Wrong


class Station:
    """Stands where a stream has its Decoder. ``address`` 0: configured wrongly, silent for ever.

    Each turn of the program calls ``look``, then ``feed`` if bytes came, then ``answer_into``.
    """

    def __init__(self, address: int, unique_id: bytes, now_ms: int) -> None:
        self.spoken_to = False  # what was fed last ended in a burst for this pad
        self.owes = False  # it was told something, and has not had a turn since
        self.stale = 0  # polls that came too late to answer, or were answered too late
        self._address = address
        self._tag = tag_of(unique_id)
        self._decoder = Decoder()
        self._trailer = Trailer()
        self._buffer = bytearray(_BUFFER)
        self._view = memoryview(self._buffer)
        self._fill = 0
        self._frame = bytearray(MAX_WIRE)
        self._turn = -1  # of the poll that is to be answered
        self._taken = -1  # the turn whose burst was taken
        self._answered = -1  # the turn whose answer stands in the buffer
        self._answer_size = 0
        self._looked_at = now_ms
        self._late = False

    @property
    def bad(self) -> int:
        """Frames that were none, and polls that came too late."""
        return self._decoder.bad + self.stale

    def look(self, now_ms: int) -> None:
        """The line is about to be read."""
        self._late = ticks_diff(now_ms, self._looked_at) > LATE_MS
        self._looked_at = now_ms

    def feed(self, data: "bytes | bytearray | memoryview") -> "list[Frame | Sealed | Wrong]":
        """Take all that came, at most READ_SIZE bytes; the frames of a burst for this pad."""
        count = len(data)
        fill = self._fill
        if fill + count > _BUFFER:
            self._buffer[:_KEPT] = bytes(self._view[fill - _KEPT : fill])
            fill = _KEPT
        self._buffer[fill : fill + count] = data
        fill += count
        self._fill = fill
        self._turn = -1
        trailer = self._trailer
        self.spoken_to = bool(
            self._address
            and trailer.read(self._buffer, fill, self._address)
            and self._meant(trailer)
        )
        if not self.spoken_to:
            return []
        self._fill = 0
        self.owes = True
        if self._late or count >= READ_SIZE:
            self.stale += 1
        else:
            self._turn = trailer.turn
        if trailer.turn == self._taken:
            return []
        self._taken = trailer.turn
        end = fill - TRAILER_SIZE
        return self._decoder.feed(self._view[end - trailer.size : end])

    def answer_into(
        self, buffer: bytearray, due: "Callable[[bytearray, int], int]", now_ms: int
    ) -> int:
        """Write what is to be sent now into ``buffer`` (MAX_ANSWER bytes); its size, 0: nothing.

        The buffer is always the same one, and nobody else writes into it. ``due`` writes the next
        frame that waits, as Pad.due does.
        """
        turn = self._turn
        if turn < 0:
            return 0
        self._turn = -1
        self.owes = False
        if turn == self._answered:
            return self._answer_size
        buffer[0] = 0
        end = 1
        more = True
        while more and end + MAX_WIRE <= 1 + MAX_BURST:
            size = due(self._frame, now_ms)
            buffer[end : end + size] = memoryview(self._frame)[:size]
            end += size
            more = size > 0
        self._answered = turn
        self._answer_size = trailer_into(buffer, 1, end, END, self._address, turn, more, self._tag)
        return self._answer_size

    def too_late(self, now_ms: int) -> bool:
        """Whether an answer that is ready now comes too late; the turn is going to be repeated."""
        late = ticks_diff(now_ms, self._looked_at) > ANSWER_MS
        if late:
            self.stale += 1
        return late

    def rest_ms(self, rest_ms: int) -> int:
        """The time until the next turn, given what the core says: what is due waits for a poll."""
        return min(rest_ms, REST_MS) or REST_MS

    def _meant(self, trailer: Trailer) -> bool:
        if trailer.kind == POLL:
            return not (trailer.tag ^ self._tag) & ((1 << min(trailer.bits, TAG_BITS)) - 1)
        return trailer.kind == OTHERS and trailer.tag != self._tag
