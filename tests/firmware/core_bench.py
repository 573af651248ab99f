"""A bench for the pad's core: its clock, its keys, its host's half of the talk."""

from firmware.pad import link, pad

BOOT = 0xB007
HOST = 0x4057
HELLO = link.Hello(b"pad", "0.1.0", "core")
ALL = 0b11111
NEAR_WRAP = pad.TICKS_MASK - 3_000
WINDOW_MS = 10_000


class Bench:
    """A pad, its clock and its host's half of the talk. Starts 3 s before the ticks wrap."""

    def __init__(self, start: int = NEAR_WRAP) -> None:
        self.now = start
        self.keys = 0
        self.pad = pad.Pad(BOOT, HELLO, start)
        self.decoder = link.Decoder()
        self.buffer = bytearray(link.MAX_WIRE)
        self.seq = 0
        self.sent: list[link.Frame] = []
        self.answers_pings = True

    def turn(self) -> None:
        """One turn of main.py's loop; the host answers every PING."""
        self.pad.sample(self.keys, self.now)
        while size := self.pad.due(self.buffer, self.now):
            (frame,) = self.decoder.feed(memoryview(self.buffer)[:size])
            assert isinstance(frame, link.Frame)
            self.sent.append(frame)
            if frame.kind == link.PING and self.answers_pings:
                self.host(link.PONG, b"", boot_id=BOOT, seq=frame.seq)

    def run(self, ms: int) -> None:
        """Let time pass as the board lets it: never beyond what rest_ms allows."""
        self.turn()
        while ms > 0:
            step = min(ms, max(self.pad.rest_ms(self.now), 1))
            ms -= step
            self.now = pad.ticks_add(self.now, step)
            self.turn()

    def host(self, kind: int, body: bytes = b"", *, boot_id: int = HOST, seq: int = 0) -> None:
        self.pad.received(link.Frame(kind, boot_id, seq, body), self.now)

    def greet(self) -> "Bench":
        self.turn()
        self.host(link.HELLO_ACK, link.pack_hello_ack(), boot_id=BOOT, seq=1)
        self.turn()
        return self

    def arm(self, nonce: int = 7, window_ms: int = WINDOW_MS) -> None:
        self.seq += 1
        self.host(link.ARM, link.pack_arm(nonce, window_ms), seq=self.seq)
        self.turn()

    def disarm(self) -> None:
        self.seq += 1
        self.host(link.DISARM, seq=self.seq)
        self.turn()

    def press(self, key: int, hold_ms: int = 60) -> None:
        self.keys |= 1 << (key - 1)
        self.turn()
        self.run(hold_ms)
        self.keys &= ~(1 << (key - 1))
        self.turn()
        self.run(40)

    def acknowledge(self, seq: int) -> None:
        self.host(link.ACK, boot_id=BOOT, seq=seq)
        self.turn()

    def of(self, kind: int) -> list[link.Frame]:
        return [frame for frame in self.sent if frame.kind == kind]

    def presses(self) -> dict[int, tuple[int, int]]:
        """seq -> (nonce, score) of all PRESS frames sent so far."""
        found: dict[int, tuple[int, int]] = {}
        for frame in self.of(link.PRESS):
            nonce, score, _, boot_id, _ = link.unpack_press(frame.body)
            assert boot_id == BOOT
            assert found.setdefault(frame.seq, (nonce, score)) == (nonce, score)
        return found
