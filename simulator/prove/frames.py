"""``lobby prove frames``: a pad and its host talk, and somebody on the line says all the rest.

Every frame that neither end sealed for this moment must be refused: damaged, replayed (of this
session and of earlier ones), spliced from genuine parts, reflected, sealed under another key or
under none, guessed. In between the two go on talking, so that an attack that costs them their
session, or the decoder more than one frame, is seen too. ``rounds`` is the number of hostile
frames. ``--without mac`` and ``--without counter`` switch a check off.
"""

import contextlib
import random
from collections import Counter
from collections.abc import Callable

from firmware.pad import frames, link as wire, pad, seal
from hal.registry import backend
from simulator.errors import BadInput
from simulator.prove.proof import Proof, ProveOptions, Say

SHORT = 50_000
FRAMES_PER_SESSION = 10_000
FRAMES_PER_EXCHANGE = 200
TOLD_EVERY = 100_000
POOL = 200
"""Genuine frames remembered for each direction, of this session and of earlier ones."""
PROMISES = frozenset({"mac", "counter"})

Pieces = list[bytes]


class Stand:
    """A keyed pad and its host, both ends in this process, and what was ever on their line."""

    def __init__(self, rng: random.Random, without: frozenset[str]) -> None:
        self.rng = rng
        self.key = rng.randbytes(wire.KEY_SIZE)
        self.without = without
        self.now_ms = 0
        self.talk = backend("pad_talk", "keyed")(
            lambda _: self.key, allow_unkeyed=False, random=rng.randbytes
        )
        self.at_host = wire.Decoder()
        self.at_pad = wire.Decoder()
        self.core = self._booted()
        self.fresh: dict[str, Pieces] = {"pad": [], "host": []}  # sealed in this session
        self.stale: dict[str, Pieces] = {"pad": [], "host": []}
        self.seq = 0
        self.exchanges = 0
        self.sessions = 0
        self.refused_by_pad = 0  # by boots before this one
        self.greet()

    def _booted(self) -> pad.Pad:
        hello = wire.Hello(b"proof", "0.1.0", "core")
        boot_id = self.rng.getrandbits(32)
        return pad.Pad(boot_id, hello, self.now_ms, self.key, self.rng.randbytes)

    # --- the two at work ---------------------------------------------------------------------

    def greet(self) -> bool:
        """A new session, at times after a reboot; whether it came about."""
        if self.rng.random() < 0.5:
            self.refused_by_pad += self.core.refused
            self.core = self._booted()
        self._to_pad(wire.encode(wire.WHO, 1, 1))
        self.settle()
        return bool(self.talk.greeted and self.talk.boot_id == self.core.boot_id)

    def settle(self) -> list[wire.Frame]:
        """Let both ends say all they have to; what the host took for the pad's word."""
        taken = []
        buffer = bytearray(wire.MAX_WIRE)
        while size := self.core.due(buffer, self.now_ms):
            data = bytes(buffer[:size])
            for result in self.at_host.feed(b"\0" + data):
                if isinstance(result, wire.Frame) and result.kind == wire.HELLO:
                    self._to_pad(self.talk.hear_hello(result))
                elif isinstance(result, wire.Sealed):
                    frame = self.talk.open(result)
                    if frame is None:
                        continue
                    if frame.kind == wire.PROOF:
                        self._new_session()
                    self._remember("pad", data)
                    taken.append(frame)
                    if frame.kind in (wire.PROOF, wire.PING):
                        answer = wire.WELCOME if frame.kind == wire.PROOF else wire.PONG
                        self.say(answer, frame.boot_id, frame.seq)
        return taken

    def say(self, kind: int, boot_id: int, seq: int, body: bytes = b"") -> None:
        """The host's word to the pad."""
        data = self.talk.encode(kind, boot_id, seq, body)
        if data is not None:
            self._remember("host", data)
            self._to_pad(data)

    def exchange(self) -> str:
        """Arm, press, acknowledge; what went wrong, empty: nothing."""
        self.exchanges += 1
        self.seq += 1
        nonce = self.rng.randrange(1, wire.U32_MAX)
        self.say(wire.ARM, 0x4057, self.seq, wire.pack_arm(nonce, 10_000))
        for mask in (4, 0):
            for _ in range(6):
                self.now_ms = pad.ticks_add(self.now_ms, 5)
                self.core.sample(mask, self.now_ms)
        presses = [frame for frame in self.settle() if frame.kind == wire.PRESS]
        if [wire.unpack_press(frame.body)[:2] for frame in presses] != [(nonce, 3)]:
            return f"one press with nonce {nonce} was made, {len(presses)} came"
        self.say(wire.ACK, self.core.boot_id, presses[0].seq)
        return f"{self.core.kept} presses kept after ACK" if self.core.kept else ""

    def _to_pad(self, data: bytes) -> None:
        for result in self.at_pad.feed(b"\0" + data):
            if not isinstance(result, wire.Wrong):
                self.core.received(result, self.now_ms)

    def _new_session(self) -> None:
        self.sessions += 1
        for direction, pieces in self.fresh.items():
            self.stale[direction] = (self.stale[direction] + pieces)[-POOL:]
            pieces.clear()

    def _remember(self, direction: str, data: bytes) -> None:
        self.fresh[direction].append(data)

    # --- the attacker ------------------------------------------------------------------------

    def attack(self, to_host: bool, data: bytes) -> tuple[int, int]:
        """Put bytes on the line; how many frames were read in them, how many were accepted."""
        read = accepted = 0
        decoder = self.at_host if to_host else self.at_pad
        for result in decoder.feed(data):
            read += 1
            if isinstance(result, wire.Wrong):
                continue
            if to_host:
                accepted += self._host_believes(result)
            else:
                refused = self.core.refused
                self.core.received(result, self.now_ms)
                greets = isinstance(result, wire.Frame) and result.kind in _GREETINGS
                accepted += self.core.refused == refused and not greets
        return read, accepted

    def _host_believes(self, result: wire.Frame | wire.Sealed) -> bool:
        if isinstance(result, wire.Sealed):
            return self.talk.open(result) is not None
        if result.kind == wire.HELLO:
            with contextlib.suppress(wire.BadBody):
                self.talk.hear_hello(result)
            return False
        return bool(self.talk.believes_plain())


_GREETINGS = (wire.WHO, wire.HELLO_ACK, wire.CHALLENGE)


def _genuine(stand: Stand, direction: str) -> bytes:
    return stand.rng.choice(stand.fresh[direction] or stand.stale[direction])


def _raw(data: bytes) -> bytearray:
    """A frame without COBS and delimiter."""
    buffer = bytearray(data[:-1])
    size = wire.cobs_decode(buffer, len(buffer))
    return buffer[1 : 1 + size]


def _on_wire(raw: bytes | bytearray) -> bytes:
    buffer = bytearray(wire.MAX_WIRE + 1)
    buffer[1 : 1 + len(raw)] = raw
    size = wire.cobs_encode(buffer, len(raw))
    return bytes(buffer[:size]) + wire.DELIMITER


def _damaged(stand: Stand, direction: str) -> bytes:
    data = bytearray(_genuine(stand, direction))
    rng = stand.rng
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        at = rng.randrange(len(data))
        what = rng.randrange(4)
        if what == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif what == 1:
            data[at:at] = rng.randbytes(rng.randrange(1, 4))
        elif what == 2 and len(data) > 2:
            del data[at]
        else:
            data[at] = rng.randrange(256)
    return bytes(data) + wire.DELIMITER


def _raised(stand: Stand, direction: str) -> bytes:
    """A genuine frame with a counter yet to come."""
    raw = _raw(_genuine(stand, direction))
    counter = stand.rng.randrange(1, wire.U32_MAX).to_bytes(wire.COUNTER_SIZE, "little")
    raw[wire.HEADER_SIZE : wire.HEADER_SIZE + wire.COUNTER_SIZE] = counter
    return _on_wire(raw)


def _replayed(stand: Stand, direction: str) -> bytes:
    return _genuine(stand, direction)


def _replayed_old(stand: Stand, direction: str) -> bytes:
    return stand.rng.choice(stand.stale[direction] or stand.fresh[direction])


def _spliced(stand: Stand, direction: str) -> bytes:
    one, other = _raw(_genuine(stand, direction)), _raw(_replayed_old(stand, direction))
    at = stand.rng.randrange(1, min(len(one), len(other)))
    return _on_wire(one[:at] + other[at:])


def _reflected(stand: Stand, direction: str) -> bytes:
    return _genuine(stand, "host" if direction == "pad" else "pad")


def _body(stand: Stand, direction: str) -> tuple[int, int, int, bytes]:
    """What an attacker would like to say."""
    rng, boot_id = stand.rng, stand.core.boot_id
    if direction == "pad":
        kind, body = rng.choice(
            (
                (wire.PRESS, wire.pack_press(rng.getrandbits(32), 5, 0, boot_id)),
                (wire.DONE, wire.pack_done(wire.OK)),
                (wire.KEY, wire.pack_key(wire.NEXT, 0)),
                (wire.PING, wire.pack_ping(0, 0, 0, 0, 0)),
                (wire.PROOF, wire.pack_hello(wire.Hello(b"proof", "6.6.6", "forger"))),
            )
        )
    else:
        kind, body = rng.choice(
            (
                (wire.ARM, wire.pack_arm(rng.randrange(1, 1 << 32), 90_000)),
                (wire.DISARM, b""),
                (wire.ACK, b""),
                (wire.SHOW, wire.pack_show(b"A001", 0, 5)),
                (wire.WELCOME, b""),
            )
        )
    return kind, boot_id, rng.randrange(1, 1 << 16), body


def _guessed(stand: Stand, direction: str) -> bytes:
    kind, boot_id, seq, body = _body(stand, direction)
    session = wire.Session(stand.key, wire.FROM_PAD)
    session.sent = stand.rng.randrange(1 << 16, wire.U32_MAX)  # the counter is not what stops it
    raw = session.seal(kind, boot_id, seq, body)
    return _on_wire(_raw(raw)[: -wire.MAC_SIZE] + stand.rng.randbytes(wire.MAC_SIZE))


def _other_key(stand: Stand, direction: str) -> bytes:
    """Sealed by the rules, under a key that is not the session's: at times the pad's own."""
    key = stand.rng.choice((stand.rng.randbytes(32), bytes(32), stand.key))
    session = wire.Session(key, wire.FROM_PAD if direction == "pad" else wire.FROM_HOST)
    session.sent = stand.rng.randrange(wire.U32_MAX)
    return session.seal(*_body(stand, direction))


def _unsealed(stand: Stand, direction: str) -> bytes:
    return wire.encode(*_body(stand, direction))


def _greeting(stand: Stand, direction: str) -> bytes:
    """Plain frames that anybody may send: answered, and they change nothing."""
    rng = stand.rng
    if direction == "pad":
        flags = rng.choice((0, wire.KEYED))
        hello = wire.Hello(b"proof", "6.6.6", "forger", flags=flags, nonce=rng.randbytes(8))
        body = wire.pack_hello(hello, rng.choice((1, wire.PROTOCOL, wire.PROTOCOL)))
        return wire.encode(wire.HELLO, rng.getrandbits(32), 1, body)
    kind, body = rng.choice(
        (
            (wire.WHO, b""),
            (wire.HELLO_ACK, wire.pack_hello_ack(rng.randrange(3))),
            (wire.CHALLENGE, rng.randbytes(16)),
        )
    )
    return wire.encode(kind, stand.core.boot_id, 1, body)


def _noise(stand: Stand, direction: str) -> bytes:
    return stand.rng.randbytes(stand.rng.randrange(1, 80)) + wire.DELIMITER


ATTACKS: dict[str, Callable[[Stand, str], bytes]] = {
    "damaged": _damaged,
    "counter_raised": _raised,
    "replayed": _replayed,
    "replayed_old_session": _replayed_old,
    "spliced": _spliced,
    "reflected": _reflected,
    "mac_guessed": _guessed,
    "other_key": _other_key,
    "unsealed": _unsealed,
    "greeting": _greeting,
    "noise": _noise,
}


def run(options: ProveOptions, say: Say) -> Proof:
    """Run it. Raises BadInput for a promise that there is not."""
    unknown = options.without - PROMISES
    if unknown:
        raise BadInput(f"no promise {', '.join(sorted(unknown))}; there are: counter, mac")
    rounds = options.rounds or SHORT
    proof = Proof("frames", rounds, options.seed)
    same, opened = seal.same, wire.Session.open
    try:
        if "mac" in options.without:
            seal.same = lambda one, other: True
        if "counter" in options.without:
            wire.Session.open = _open_any_counter(opened)  # type: ignore[method-assign, assignment]
        _attack(proof, Stand(random.Random(options.seed), options.without), rounds, say)
    finally:
        seal.same = same
        wire.Session.open = opened  # type: ignore[method-assign]
    return proof


def _open_any_counter(
    opened: Callable[[seal.Session, frames.Sealed], frames.Frame | None],
) -> Callable[[seal.Session, frames.Sealed], frames.Frame | None]:
    def open_any(session: seal.Session, sealed: frames.Sealed) -> frames.Frame | None:
        session.heard = 0
        return opened(session, sealed)

    return open_any


def _attack(proof: Proof, stand: Stand, rounds: int, say: Say) -> None:
    rng = stand.rng
    sent: Counter[str] = Counter()
    accepted: Counter[str] = Counter()
    problem = stand.exchange()
    if problem:
        proof.violate(f"before any attack: {problem}")
        return
    names = list(ATTACKS)
    for number in range(1, rounds + 1):
        name = rng.choice(names)
        to_host = rng.random() < 0.5
        data = ATTACKS[name](stand, "pad" if to_host else "host")
        _, believed = stand.attack(to_host, data)
        sent[name] += 1
        if believed:
            accepted[name] += believed
            proof.violate(f"frame {number}, {name}: accepted by {'host' if to_host else 'pad'}")
        if number % FRAMES_PER_EXCHANGE == 0:
            problem = stand.exchange()
            if problem:
                proof.lost += 1
                proof.violate(f"after frame {number}, {name}: {problem}")
        if number % FRAMES_PER_SESSION == 0:
            if not stand.greet():
                proof.violate(f"after frame {number}: no new session")
            stand.exchange()
        if number % TOLD_EVERY == 0:
            say(f"{number} frames, {sum(accepted.values())} accepted")
    proof.details = {
        **{f"sent_{name}": sent[name] for name in names},
        **{f"accepted_{name}": accepted[name] for name in names},
        "accepted": sum(accepted.values()),
        "sessions": stand.sessions,
        "exchanges_between": stand.exchanges,
        "refused_by_pad": stand.refused_by_pad + stand.core.refused,
        "forged_at_host": stand.talk.forged,
        "replayed_at_host": stand.talk.replayed,
        "plain_at_host": stand.talk.plain_refused,
        "no_frame_at_host": stand.at_host.bad,
        "no_frame_at_pad": stand.at_pad.bad,
    }
