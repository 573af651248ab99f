"""The host's end of a pad's greeting: which session is good, and what is wrong if none is. Pure.

HELLO is answered with CHALLENGE; the pad's PROOF, sealed under the key of both nonces, begins the
session. Until then the session before stays: a forged HELLO costs nothing. A nonce of the host is
used for one nonce of the pad only, so no session key comes twice.

A pad without a key is greeted by HELLO_ACK and talks plainly, if ``allow_unkeyed`` says so.
"""

from collections.abc import Callable

from firmware.pad import link as wire

WRONG_PROOFS = 3
"""So many forged proofs without a good one: the keys differ."""

# --- what keeps a pad out: details of the health row
PROTOCOL = "protocol"
PAD_UNKEYED = "pad_unkeyed"
KEY_MISSING = "key_missing"
KEY_WRONG = "key_wrong"
REVOKED = "revoked"

REASONS = {
    PROTOCOL: (
        f"the pad's firmware does not speak protocol {wire.PROTOCOL}; bring it up to date with"
        " `lobby flash pad`"
    ),
    PAD_UNKEYED: (
        "the pad has no key, and only pads with a key are taken; give it one with"
        " `lobby flash provision`"
    ),
    KEY_MISSING: (
        "there is no key for this pad on this machine; give it one with `lobby flash provision`"
    ),
    KEY_WRONG: (
        "the pad has another key than this machine has for it; give it a new one with"
        " `lobby flash provision`"
    ),
    REVOKED: (
        "this pad was replaced by another and is revoked; unplug it, or give it a counter of its"
        " own with `lobby flash provision`"
    ),
}
"""Detail -> what is wrong and what to do, in the operator's words."""

Random = Callable[[int], bytes]
KeyOf = Callable[[str], bytes | None]
"""Unique id -> the pad's key, None: there is none, b"": the pad is revoked."""


class PadTalk:
    """One pad's sessions, over all its boots. ``hello`` is who is talked to, None before that."""

    def __init__(self, key_of: KeyOf, *, allow_unkeyed: bool, random: Random) -> None:
        self._key_of = key_of
        self._allow_unkeyed = allow_unkeyed
        self._random = random
        self._session: wire.Session | None = None
        self._next: wire.Session | None = None
        self._next_nonces = (b"", b"")
        self._next_key = b""
        self._wrong_proofs = 0
        self._plain = False
        self.doubted = False  # nothing was heard for long: what is refused now is to be shown
        self.hello: wire.Hello | None = None
        self.boot_id = 0
        self.refusal = ""  # a key of REASONS, empty: none
        self.forged = 0
        self.replayed = 0
        self.plain_refused = 0

    @property
    def greeted(self) -> bool:
        """Whether a pad is trusted and commands can be sent."""
        return self._plain or self._session is not None

    @property
    def hello_pending(self) -> bool:
        """Whether the last HELLO is to be proved before it counts."""
        return not self._plain

    @property
    def worn(self) -> bool:
        """Whether the session's counters came to their end: ask for a new HELLO."""
        return self._session is not None and self._session.worn

    def forget(self) -> None:
        """The line was opened anew: another pad may be at its end."""
        self._session = self._next = None
        self._next_nonces = (b"", b"")
        self._plain = False
        self._wrong_proofs = 0
        self.refusal = ""

    def hear_hello(self, frame: wire.Frame) -> bytes:
        """The frame that answers a HELLO. Raises BadBody."""
        if wire.hello_protocol(frame.body) != wire.PROTOCOL:
            return self._refuse(frame, PROTOCOL, wire.REFUSED)
        hello = wire.unpack_hello(frame.body)
        keyed = bool(hello.flags & wire.KEYED)
        key = self._key_of(hello.unique_id.hex())
        if key == b"":
            return self._refuse(frame, REVOKED, wire.NO_KEY)
        if key is None and keyed:
            return self._refuse(frame, KEY_MISSING, wire.NO_KEY)
        if not keyed and (key is not None or not self._allow_unkeyed):
            return self._refuse(frame, PAD_UNKEYED, wire.NO_KEY)
        if key is None:
            self._session = self._next = None
            self._plain = True
            self._adopt(hello, frame.boot_id)
            return _plain(wire.HELLO_ACK, frame, wire.pack_hello_ack())
        return self._challenge(frame, hello, key)

    def open(self, sealed: wire.Sealed) -> wire.Frame | None:
        """The frame if the pad sealed it in its session; None, counted, if anybody could have.

        Raises BadBody for a PROOF that does not hold a HELLO.
        """
        if self._session is not None:
            replayed = self._session.replayed
            frame = self._session.open(sealed)
            if frame is not None:
                return frame
            if self._session.replayed > replayed:
                self.replayed += 1
                return None
        frame = None if self._next is None else self._next.open(sealed)
        if frame is None or frame.kind != wire.PROOF:
            self.forged += 1
            if sealed.kind == wire.PROOF and self._next is not None:
                self._wrong_proofs += 1
                if self._wrong_proofs >= WRONG_PROOFS and self._session is None:
                    self.refusal = KEY_WRONG
            return None
        hello = wire.unpack_hello(frame.body)  # HELLO itself could have been anybody's
        self._session, self._next = self._next, None
        self._plain = False
        self._adopt(hello, frame.boot_id)
        return frame

    def believes_plain(self) -> bool:
        """Whether plain frames other than HELLO count here; if not, one more is counted."""
        if self._plain:
            return True
        self.plain_refused += 1
        return False

    def encode(self, kind: int, boot_id: int, seq: int, body: bytes) -> bytes | None:
        """One frame as the greeting asks, WHO always plain; None while nobody is trusted."""
        if kind == wire.WHO or self._plain:
            return wire.encode(kind, boot_id, seq, body)
        if self._session is None:
            return None
        return self._session.seal(kind, boot_id, seq, body)

    def _challenge(self, frame: wire.Frame, hello: wire.Hello, key: bytes) -> bytes:
        host_nonce, pad_nonce = self._next_nonces
        if pad_nonce != hello.nonce or self._next is None or key != self._next_key:
            host_nonce = self._random(wire.NONCE_SIZE)
            session = wire.session_key(key, host_nonce, hello.nonce, hello.unique_id)
            self._next = wire.Session(session, wire.FROM_HOST)
            self._next_nonces = (host_nonce, hello.nonce)
            self._next_key = key
        return _plain(wire.CHALLENGE, frame, wire.pack_challenge(host_nonce, hello.nonce))

    def _refuse(self, frame: wire.Frame, reason: str, answer: int) -> bytes:
        # A session in use is not given up for a frame that anybody can send.
        if self._session is None or self.doubted:
            self._session = None
            self._plain = False
            self.refusal = reason
        return _plain(wire.HELLO_ACK, frame, wire.pack_hello_ack(answer))

    def _adopt(self, hello: wire.Hello, boot_id: int) -> None:
        self.hello = hello
        self.boot_id = boot_id
        self.refusal = ""
        self._wrong_proofs = 0


def _plain(kind: int, answered: wire.Frame, body: bytes) -> bytes:
    return wire.encode(kind, answered.boot_id, answered.seq, body)
