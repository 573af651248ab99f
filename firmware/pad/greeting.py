"""How a pad and its host come to trust each other, and every frame is sealed. Pure.

::

    state    | WHO          | CHALLENGE         | first sealed frame | HELLO_ACK refused | host
    |        |              |                   | of a new session   |                   | silent
    CALLING  | CALLING, anew| PROOF is sent     | GREETED            | CALLING, slowly   | -
    GREETED  | HELLO once   | PROOF is sent     | GREETED, anew      | ignored           | CALLING

With a key: HELLO carries a nonce; CHALLENGE brings the host's; the pad answers PROOF, sealed under
the session key of both. The session replaces the one before only when a frame of the host is
good in it, so that plain frames, which anybody can forge, cost a session nothing. The nonce is
drawn anew then: no session key comes twice.

Without a key (never in production): HELLO_ACK ok makes it GREETED, WHO makes it CALLING, and all
frames are plain.
"""

from firmware.pad import link
from firmware.pad.ticks import ticks_add, ticks_diff

HELLO_FAST_MS = 500
HELLO_SLOW_MS = 2_000
FAST_HELLOS = 10
BEAT_MS = 2_000
HOST_SILENT_MS = 6_000
"""Three heartbeats without an answer: say HELLO again."""

CALLING = 0
GREETED = 1

TYPE_CHECKING = False  # MicroPython has no typing module; a type checker takes this as true
if TYPE_CHECKING:
    from collections.abc import Callable


class Greeting:
    """``state`` is CALLING or GREETED; ``refused`` counts frames that nobody trusted sent."""

    def __init__(
        self,
        boot_id: int,
        hello: link.Hello,
        key: "bytes | None",
        random: "Callable[[int], bytes]",
        now_ms: int,
    ) -> None:
        self.state = CALLING
        self.refused = 0
        self.beat_at = now_ms
        self._boot_id = boot_id
        self._hello = hello
        self._key = key
        self._random = random
        self._session: link.Session | None = None
        self._next: link.Session | None = None
        self._next_nonce = b""
        self._note_seq = 0
        self._hellos = 0
        self._hello_due = False
        self._proof_due = False
        self._host_until = now_ms
        if key:
            hello.flags |= link.KEYED
        self._draw_nonce()

    def note(self) -> int:
        """Sequence number for the next HELLO, PROOF or PING."""
        self._note_seq += 1
        return self._note_seq

    # --- what comes in -------------------------------------------------------------------

    def checked(self, frame: "link.Frame | link.Sealed", now_ms: int) -> "link.Frame | None":
        """The frame if whoever sent it may have; else None, and ``refused`` counts."""
        if isinstance(frame, link.Frame):
            plain = frame.kind in (link.WHO, link.CHALLENGE, link.HELLO_ACK)
            if not self._key or plain:
                return frame
            self.refused += 1
            return None
        opened = self._session.open(frame) if self._session else None
        if opened is not None and self.state == CALLING and not self._worn():
            self._become(GREETED, now_ms)  # the host that seemed silent
        if opened is None and self._next:
            opened = self._next.open(frame)
            if opened is not None:
                self._session = self._next
                self._next = None
                self._draw_nonce()
                self._become(GREETED, now_ms)
        if opened is None:
            self.refused += 1
            return None
        self._alive(now_ms)
        return opened

    def take(self, frame: link.Frame, now_ms: int) -> bool:
        """Act on a checked frame of the greeting; False for any other kind. Raises BadBody."""
        kind = frame.kind
        if kind == link.WHO:
            link.check_empty("WHO", frame.body)
            if self._key and self.state == GREETED:
                self._hello_due = True
            else:
                self._become(CALLING, now_ms)
        elif frame.boot_id != self._boot_id:
            return False
        elif kind == link.CHALLENGE:
            self._challenged(frame.body)
        elif kind == link.HELLO_ACK:
            self._acknowledged(frame.body, now_ms)
        elif kind == link.WELCOME or kind == link.PONG:
            link.check_empty("WELCOME or PONG", frame.body)
        else:
            return False
        if not self._key:
            self._alive(now_ms)
        return True

    def heard(self, now_ms: int) -> None:
        """A known frame of another kind came: the host is there."""
        self._alive(now_ms)

    def pass_time(self, now_ms: int) -> None:
        """Notice a silent host, and a session whose counter came to its end."""
        if self.state == GREETED and (ticks_diff(now_ms, self._host_until) >= 0 or self._worn()):
            self._become(CALLING, now_ms)

    def call_now(self, now_ms: int) -> None:
        """Say HELLO at once: somebody gives commands to a pad that was not greeted."""
        self.beat_at = now_ms

    # --- what goes out -------------------------------------------------------------------

    def due(self, buffer: bytearray, now_ms: int) -> int:
        """Write PROOF or HELLO into ``buffer`` if one is due; its size, 0: none."""
        if self._proof_due and self._next:
            self._proof_due = False
            # HELLO again, this time under the key.
            body = link.pack_hello(self._hello)
            return self._next.seal_into(buffer, link.PROOF, self._boot_id, self.note(), body)
        late = self.state == CALLING and ticks_diff(now_ms, self.beat_at) >= 0
        if not late and not self._hello_due:
            return 0
        if late:
            self._hellos += 1
            fast = self._hellos < FAST_HELLOS
            self.beat_at = ticks_add(now_ms, HELLO_FAST_MS if fast else HELLO_SLOW_MS)
        self._hello_due = False
        body = link.pack_hello(self._hello)
        return link.encode_into(buffer, link.HELLO, self._boot_id, self.note(), body)

    def encode_into(
        self, buffer: bytearray, kind: int, boot_id: int, seq: int, body: bytes
    ) -> int:
        """Write a frame of any other kind as the greeting asks: sealed with a key, else plain."""
        if self._session:
            return self._session.seal_into(buffer, kind, boot_id, seq, body)
        if self._key:
            return 0
        return link.encode_into(buffer, kind, boot_id, seq, body)

    # --- changes -------------------------------------------------------------------------

    def _challenged(self, body: bytes) -> None:
        host_nonce, pad_nonce = link.unpack_challenge(body)
        if not self._key or pad_nonce != self._hello.nonce:
            self.refused += 1  # an answer to an earlier HELLO
            return
        if self._next is None or host_nonce != self._next_nonce:
            key = link.session_key(self._key, host_nonce, pad_nonce, self._hello.unique_id)
            self._next = link.Session(key, link.FROM_PAD)
            self._next_nonce = host_nonce
        self._proof_due = True

    def _acknowledged(self, body: bytes, now_ms: int) -> None:
        protocol, answer = link.unpack_hello_ack(body)
        if protocol == link.PROTOCOL and answer == link.OK and not self._key:
            self._become(GREETED, now_ms)
        elif self._key and (self.state == GREETED or answer == link.OK):
            self.refused += 1
        else:
            self._become(CALLING, now_ms)
            self._hellos = FAST_HELLOS
            self.beat_at = ticks_add(now_ms, HELLO_SLOW_MS)

    def _become(self, state: int, now_ms: int) -> None:
        """The only place where the greeting changes."""
        if state == CALLING:
            self._hellos = 0
            self.beat_at = now_ms
        elif self.state == CALLING:
            self.beat_at = ticks_add(now_ms, BEAT_MS)
        self.state = state

    def _worn(self) -> bool:
        return self._session is not None and self._session.worn

    def _draw_nonce(self) -> None:
        if self._key:
            self._hello.nonce = self._random(link.NONCE_SIZE)

    def _alive(self, now_ms: int) -> None:
        self._host_until = ticks_add(now_ms, HOST_SILENT_MS)
