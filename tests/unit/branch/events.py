"""Makes events as devices and the server send them: right envelope, right chain, one line each."""

from typing import Any

from sync.identity import CHAIN_START, chain
from sync.messages import (
    EVENT_TYPES,
    AbandonedData,
    AtCounterData,
    CalledData,
    Clk,
    DeviceData,
    EndedData,
    IssuedData,
    PadRef,
    Payload,
    PrintedData,
    PrintFailedData,
    RatingData,
    UnsolicitedData,
    VoidedData,
    encode,
)

START_MS = 1_760_000_000_000
DATE = "2025-10-09"


class Stream:
    """One node's events: gapless, chained; ``raws`` are as they travel. Time is given in ms."""

    def __init__(self, node: str = "kiosk-1") -> None:
        self.node = node
        self.raws: list[bytes] = []
        self._prev = CHAIN_START

    def make(
        self, event_type: str, data: Payload, sub: str | None = None, at: int = 0, **envelope: Any
    ) -> Any:
        """The next event; ``sub`` "self" names its own id."""
        seq = len(self.raws) + 1
        own = f"{self.node}-{seq:05}"
        fields = {
            "id": own,
            "src": self.node,
            "epoch": 1,
            "seq": seq,
            "prev": self._prev,
            "ts": START_MS + at,
            "clk": Clk(boot="b", mono_ms=at),
            "sub": own if sub == "self" else sub,
            **envelope,
        }
        event = EVENT_TYPES[event_type](**fields, data=data)  # type: ignore[call-arg]
        self.raws.append(encode(event))
        self._prev = chain(self.raws[-1])
        return event

    def issued(
        self, number: str, service: str = "A", segment: str = "", at: int = 0, **more: Any
    ) -> Any:
        return self.make(
            "ticket.issued",
            IssuedData(
                number=number,
                service=service,
                segment=segment,
                language="en",
                business_date=DATE,
                band=1,
                request=f"touch-{number}-{len(self.raws)}",
                **more,
            ),
            "self",
            at,
        )

    def printed(self, ticket: str, at: int = 0) -> Any:
        return self.make("ticket.printed", PrintedData(attempt=1, took_ms=900), ticket, at)

    def print_failed(self, ticket: str, at: int = 0) -> Any:
        data = PrintFailedData(attempt=1, paper="not_printed", cause="paper out")
        return self.make("ticket.print_failed", data, ticket, at)

    def voided(self, ticket: str, at: int = 0) -> Any:
        return self.make("ticket.voided", VoidedData(reason="restart"), ticket, at)

    def abandoned(self, ticket: str, at: int = 0) -> Any:
        return self.make("ticket.abandoned", AbandonedData(wait_ms=1), ticket, at)

    def called(self, ticket: str, counter: int, key: str = "k", at: int = 0) -> Any:
        data = CalledData(counter=counter, wait_ms=0, key=key)
        return self.make("ticket.called", data, ticket, at)

    def recalled(self, ticket: str, counter: int, key: str = "k", at: int = 0) -> Any:
        return self.make("ticket.recalled", AtCounterData(counter=counter, key=key), ticket, at)

    def started(self, ticket: str, counter: int, key: str = "k", at: int = 0) -> Any:
        return self.make("service.started", AtCounterData(counter=counter, key=key), ticket, at)

    def missed(self, ticket: str, counter: int, key: str = "k", at: int = 0) -> Any:
        return self.make("ticket.missed", AtCounterData(counter=counter, key=key), ticket, at)

    def ended(self, ticket: str, counter: int, key: str = "k", at: int = 0, nonce: int = 0) -> Any:
        data = EndedData(counter=counter, key=key, service_ms=1, nonce=nonce)
        return self.make("service.ended", data, ticket, at)

    def rated(self, counter: int, nonce: int, score: int = 5, at: int = 0) -> Any:
        data = RatingData(
            counter=counter, score_1to5=score, nonce=nonce, delay_ms=1, pad=self._pad()
        )
        return self.make("rating.submitted", data, None, at)

    def unsolicited(self, counter: int, score: int = 5) -> Any:
        return self.make(
            "rating.unsolicited",
            UnsolicitedData(counter=counter, score_1to5=score, pad=self._pad()),
        )

    def device(self, device: str, state: str) -> Any:
        return self.make("device.changed", DeviceData(device=device, kind="printer", state=state))

    def unknown(self) -> bytes:
        """An event of a later version."""
        self.make("ticket.voided", VoidedData(reason="x"), "nobody")
        raw = self.raws.pop().replace(b"ticket.voided", b"ticket.folded")
        self.raws.append(raw)
        self._prev = chain(raw)
        return raw

    def _pad(self) -> PadRef:
        return PadRef(
            unique_id="pad", boot_id=1, seq=len(self.raws) + 1, interpreter="micropython 1.25"
        )
