"""A pad that runs its program: no prompt answers, but it speaks its own link.

The tool asks WHO as the kiosk does and reads HELLO: unique id, version, manifest's hash, roles.
HELLO itself is anybody's word. With the pad's key the tool sends its CHALLENGE, and the pad proves
what it said (PROOF, sealed under the key of both nonces): then the hash is the pad's own, which
hashed every file of its slot before it started. In the session that begins so, the tool may send
MAINTAIN, which brings the prompt once. Presses are not acknowledged here: they are the kiosk's.

WHO is asked in bytes that a prompt takes for harmless letters: a board at its prompt stays there.
"""

import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import serial

from firmware.flash.errors import FlashError, LinkDied, NoPad, NotAllowed
from firmware.flash.line import open_line
from firmware.pad import link

ANSWER_S = 3.0
GLANCE_S = 0.6
"""Long enough for a pad that runs; a pad answers WHO within its next turn, a save takes 0.1 s."""
ASK_AGAIN_S = 0.25
PROOF_S = 1.0
"""A pad seals its proof in 5 ms."""
COMMAND_AGAIN_S = 0.25
WRONG_PROOFS = 3

HELD = "hold two keys of the pad while plugging it in (safe mode), then run this again"

# --- how far a greeting can be believed
PROVED = "proved"
NO_KEY_HERE = "no key here"
ANOTHER_KEY = "another key"
UNKEYED = "no key on the pad"

KeyOf = Callable[[str], bytes | None]


class NoGreeting(NoPad):
    """The port is open, and nobody says HELLO."""


def no_keys(unique_id: str) -> bytes | None:
    """No key is known."""
    return None


def role_of(roles: int) -> str:
    """The word for the roles of a HELLO, as options and registry have it."""
    if roles & link.GUIDE:
        return "keys"
    if roles & link.RATING and roles & link.CALLER:
        return "both"
    return "caller" if roles & link.CALLER else "rating"


@dataclass(frozen=True, slots=True)
class Greeted:
    """What a running pad says of itself; ``hash`` as in the table of `list`, 16 hex digits.

    ``trust`` is PROVED, or why it is not; ``trying``: its firmware is on trial; ``counter`` is the
    registry's, None where it knows none.
    """

    unique_id: str
    version: str
    hash: str
    interpreter: str
    role: str
    trust: str
    trying: bool
    counter: int | None = None

    @property
    def proved(self) -> bool:
        """Whether the pad proved by its key what it says."""
        return self.trust == PROVED

    @property
    def state(self) -> str:
        """One word for the table: ready is proved and confirmed."""
        if self.trying:
            return "on trial"
        return "ready" if self.proved else "runs"

    def table(self) -> dict[str, Any]:
        """For --json."""
        return asdict(self) | {"state": self.state}


class PadLine:
    """The tool's end of a running pad's link; a context manager. ``key_of`` gives a pad's key.

    Raises NoPad, PortBusy on opening; LinkDied when the line breaks.
    """

    def __init__(self, port: Path, key_of: KeyOf = no_keys) -> None:
        self.port = port
        self._key_of = key_of
        self._line = open_line(port)
        self._decoder = link.Decoder()
        self._session: link.Session | None = None
        self._next: link.Session | None = None
        self._challenge = b""
        self._hello: link.Hello | None = None
        self._proved = False
        self._wrong_proofs = 0
        self._host, self._seq = _harmless()
        self._done: dict[int, int] = {}

    def __enter__(self) -> "PadLine":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the port go."""
        self._line.close()

    def greet(self, within_s: float = ANSWER_S) -> Greeted:
        """Ask who is there; proved, if its key is known here. Raises NoGreeting, LinkDied."""
        self._hello = None
        self._proved = False
        self._until_hello(time.monotonic() + within_s)
        deadline = time.monotonic() + PROOF_S
        while self._waits_for_proof() and time.monotonic() < deadline:
            self._read()
        return self._greeted()

    def _until_hello(self, deadline: float) -> None:
        ask_at = 0.0
        while time.monotonic() < deadline:
            if time.monotonic() >= ask_at:
                ask_at = time.monotonic() + ASK_AGAIN_S
                self._write(link.DELIMITER + link.encode(link.WHO, self._host, self._seq, b""))
            self._read()
            if self._hello is not None:
                return
        raise NoGreeting(f"{self.port}: neither a prompt nor a pad's greeting answers", HELD)

    def stay(self, for_s: float) -> None:
        """Answer the pad's heartbeats for a while. Raises LinkDied."""
        deadline = time.monotonic() + for_s
        while time.monotonic() < deadline:
            self._read()

    def maintain(self, within_s: float = ANSWER_S) -> None:
        """Send the pad into its prompt. Raises NotAllowed, LinkDied, FlashError."""
        if self._session is None:
            raise NotAllowed(f"{self.port}: this pad's key is not known here", HELD)
        self._seq += 1
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            self._write(self._session.seal(link.MAINTAIN, self._host, self._seq))
            again = time.monotonic() + COMMAND_AGAIN_S
            while time.monotonic() < again:
                try:
                    self._read()
                except LinkDied:
                    return  # it resets at once: the answer may have been lost with the port
                if self._seq in self._done:
                    if self._done[self._seq] == link.OK:
                        return
                    raise FlashError(f"{self.port}: the pad refused maintenance", HELD)
        raise LinkDied(f"{self.port}: the pad did not answer MAINTAIN", HELD)

    # --- frames --------------------------------------------------------------------------

    def _waits_for_proof(self) -> bool:
        """Whether the pad has still to prove what it said."""
        return not self._proved and self._next is not None and self._wrong_proofs < WRONG_PROOFS

    def _greeted(self) -> Greeted:
        hello = self._hello
        assert hello is not None
        if self._proved:
            trust = PROVED
        elif not hello.flags & link.KEYED:
            trust = UNKEYED
        else:
            trust = NO_KEY_HERE if self._next is None else ANOTHER_KEY
        return Greeted(
            unique_id=hello.unique_id.hex(),
            version=hello.firmware,
            hash=hello.firmware_hash.hex(),
            interpreter=hello.interpreter,
            role=role_of(hello.roles),
            trust=trust,
            trying=bool(hello.flags & link.ON_TRIAL),
        )

    def _read(self) -> None:
        try:
            data = self._line.read(max(self._line.in_waiting, 1))
        except (serial.SerialException, OSError, TypeError) as error:
            raise LinkDied(
                f"{self.port}: the line broke ({error})", "check the cable and run this again"
            ) from error
        for frame in self._decoder.feed(data):
            try:
                if isinstance(frame, link.Sealed):
                    self._sealed(frame)
                elif isinstance(frame, link.Frame) and frame.kind == link.HELLO:
                    self._heard_hello(frame)
            except link.BadBody:
                continue  # the pad says it again

    def _heard_hello(self, frame: link.Frame) -> None:
        hello = link.unpack_hello(frame.body)
        if self._hello is None:
            self._hello = hello
        key = self._key_of(hello.unique_id.hex())
        if key is None or not hello.flags & link.KEYED or self._proved:
            return
        if hello.nonce != self._challenge[link.NONCE_SIZE :]:
            host_nonce = secrets.token_bytes(link.NONCE_SIZE)
            session = link.session_key(key, host_nonce, hello.nonce, hello.unique_id)
            self._next = link.Session(session, link.FROM_HOST)
            self._challenge = link.pack_challenge(host_nonce, hello.nonce)
        self._write(link.encode(link.CHALLENGE, frame.boot_id, frame.seq, self._challenge))

    def _sealed(self, sealed: link.Sealed) -> None:
        frame = self._session.open(sealed) if self._session else None
        if frame is None and self._next is not None:
            frame = self._next.open(sealed)
            if frame is None and sealed.kind == link.PROOF:
                self._wrong_proofs += 1
        if frame is None:
            return
        if frame.kind == link.PROOF:
            if self._next is not None:
                self._session = self._next
            self._hello = link.unpack_hello(frame.body)
            self._proved = True
            self._seal(link.WELCOME, frame.boot_id, frame.seq)
        elif frame.kind == link.PING:
            self._seal(link.PONG, frame.boot_id, frame.seq)
        elif frame.kind == link.DONE and frame.boot_id == self._host:
            self._done[frame.seq] = link.unpack_done(frame.body)

    def _seal(self, kind: int, boot_id: int, seq: int) -> None:
        if self._session is not None:
            self._write(self._session.seal(kind, boot_id, seq))

    def _write(self, data: bytes) -> None:
        try:
            self._line.write(data)
        except (serial.SerialException, OSError) as error:
            raise LinkDied(
                f"{self.port}: the line broke ({error})", "check the cable and run this again"
            ) from error


def _harmless() -> tuple[int, int]:
    """A host's session and sequence number whose WHO has no byte that a prompt acts upon."""
    seq = int.from_bytes(b"LFLA", "little")
    while True:
        session = secrets.randbits(32)
        # The first two bytes, COBS's count and the kind, are Ctrl-N and Ctrl-P: history.
        if min(link.encode(link.WHO, session, seq, b"")[2:-1]) >= ord(" "):
            return session, seq


def greet(port: Path, within_s: float = ANSWER_S, key_of: KeyOf = no_keys) -> Greeted:
    """Ask who runs at a port. Raises NoPad, PortBusy, LinkDied."""
    with PadLine(port, key_of) as line:
        return line.greet(within_s)
