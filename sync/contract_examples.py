"""One example of every message, for the contract, the documents and the golden files. Pure.

They tell one story: a kiosk's events in a chain that can be checked (``prev`` is the digest of the
line before), the branch server's own chain with a forwarded event in it, then the session that
carried them.
"""

from collections.abc import Sequence

import msgspec

from sync import alerts as a, counter_commands as c, events as e, feedback as f, messages as m
from sync.codes import token_of
from sync.configuration import (
    Configuration,
    FirmwareBundle,
    PadApplied,
    WantedFirmware,
    text_of,
)
from sync.identity import CHAIN_START, chain, uuid7
from sync.offer import Offer, Service

KIOSK, BRANCH, COMMANDER = "kiosk-1", "branch-1", "desk-1"
BEGAN_MS = 1_795_395_600_000
_KIOSK_BOOT = "6f1c2a9e-4b0d-4a6e-9d53-0c1f5e7a2b44"
_BRANCH_BOOT = "b9e0d7f2-1c35-4e8a-8f60-7d2a4c9b1e03"
_DATE = "2026-11-23"
_SERVER_GEN = "3f9a6c1d5e7b0a24"
_PAD = e.PadRef(unique_id="e66164084373532b", boot_id=305_419_896, seq=3, firmware="0.1.0")


def _id(number: int) -> str:
    return uuid7(BEGAN_MS + number, number)


_FIRST, _SECOND = _id(1), _id(2)
_CODE, _SLIP_CODE = token_of("482915"), token_of("800001")

_Told = tuple[int, type[e.Event], str | None, e.Payload]
"""Milliseconds since the story began, the type, the ticket ("self": its own id), the payload."""

_AT_KIOSK: Sequence[_Told] = (
    (0, e.TicketIssued, "self", e.IssuedData(
        number="A042", service="A", segment="ordinary", language="zh_CN", business_date=_DATE,
        band=1, request="t-1")),
    (1_180, e.TicketPrinted, _FIRST, e.PrintedData(attempt=1, took_ms=1_020)),
    (30_000, e.TicketIssued, "self", e.IssuedData(
        number="A043", service="A", segment="ordinary", language="en", business_date=_DATE,
        band=1, request="t-2")),
    (30_400, e.DeviceChanged, None, e.DeviceData(
        device="printer", kind="printer", state="fault", detail="paper_out")),
    (30_410, e.TicketPrintFailed, _SECOND, e.PrintFailedData(
        attempt=1, paper="not_printed", cause="paper_out")),
    (55_000, e.TicketIssued, "self", e.IssuedData(
        number="A044", service="A", segment="ordinary", language="en", business_date=_DATE,
        band=1, request="t-3")),
    (145_000, e.TicketVoided, _id(5), e.VoidedData(reason="restart")),
    (301_900, e.RatingSubmitted, _FIRST, e.RatingData(
        counter=2, score_1to5=5, nonce=99, delay_ms=900, pad=_PAD)),
    (340_000, e.RatingUnsolicited, None, e.UnsolicitedData(
        counter=2, score_1to5=1, pad=msgspec.structs.replace(_PAD, seq=4))),
    (400_000, e.ClockJumped, None, e.ClockJumpedData(
        before_ms=BEGAN_MS + 400_000, after_ms=BEGAN_MS + 400_000 + 315_360_000_000)),
    (410_000, f.AssistanceRequested, None, f.AssistanceData(place="home", request="t-9")),
    (420_000, f.FeedbackGiven, _SECOND, f.ReasonData(
        reason="waiting", channel="kiosk", request="t-10", counter=2)),
    (430_000, f.SuggestionMade, None, f.SuggestionData(
        topic="counters", direction="more", business_date=_DATE, request="t-11")),
    (440_000, f.ComplaintOpened, None, f.ComplaintData(
        number=f.complaint_number(_id(114)), topic="attitude", business_date=_DATE,
        due_date=f.due_date(_DATE), request="t-12")),
    (450_000, e.TechnicianEntered, None, e.TechnicianData(wrong=1)),
)  # fmt: skip

_AT_BRANCH: Sequence[_Told] = (
    (61_000, e.TicketCalled, _FIRST, e.CalledData(counter=2, wait_ms=61_000, key="k1")),
    (66_000, e.TicketRecalled, _FIRST, e.AtCounterData(counter=2, key="k2")),
    (70_000, e.ServiceStarted, _FIRST, e.AtCounterData(counter=2, key="k3")),
    (301_000, e.ServiceEnded, _FIRST, e.EndedData(
        counter=2, key="k4", service_ms=231_000, nonce=99)),
    (320_000, e.TicketMissed, _id(3), e.AtCounterData(counter=2, key="k5")),
    (900_000, e.TicketAbandoned, _id(4), e.AbandonedData(wait_ms=880_000, reason="day_end")),
    (910_000, e.CounterOpened, None, e.OpenedData(counter=3, key="k6", teller="t-17")),
    (920_000, e.TicketTagged, _id(6), e.TaggedData(counter=3, key="k7", segment="elderly")),
    (930_000, e.TicketRejoined, _id(3), e.RejoinedData(counter=3, key="k8")),
    (940_000, e.TicketCalled, _id(6), e.CalledData(
        counter=3, wait_ms=700_000, key="k9", reason="segment", score_ms=1_700_000)),
    (990_000, e.TicketTransferred, _id(6), e.TransferredData(
        counter=3, key="k10", service="B", back=True, note="form signed", service_ms=50_000)),
    (1_200_000, e.TicketReturned, _id(6), e.ReturnedData(
        counter=2, key="k11", service="A", to_counter=3, hold_ms=600_000, service_ms=150_000)),
    (1_260_000, e.TicketParked, _id(7), e.ParkedData(
        counter=3, key="k12", for_ms=300_000, note="fills in a form", service_ms=30_000)),
    (1_560_000, e.TicketUnparked, _id(7), e.UnparkedData(
        counter=0, key="due-7", reason="due", to_counter=3, hold_ms=600_000)),
    (1_570_000, e.CounterPaused, None, e.NotOpenData(counter=2, key="k13", reason="break")),
    (1_580_000, e.CounterClosed, None, e.NotOpenData(counter=3, key="k14")),
    (1_800_000, a.AlertRaised, _id(8), a.AlertData(
        kind="wait", breach=f"wait:{_id(8)}", since_ms=BEGAN_MS + 1_800_000, service="A",
        ticket=_id(8), number="A045", limit_ms=1_500_000)),
    (1_830_000, a.AlertCleared, _id(8), a.ClearedData(
        alert=_id(217), breach=f"wait:{_id(8)}", reason="ended", lasted_ms=30_000)),
    (1_831_000, a.AlertRaised, _FIRST, a.AlertData(
        kind="unhappy", breach=f"unhappy:{_id(109)}", since_ms=BEGAN_MS + 1_830_600, service="A",
        counter=2, ticket=_FIRST, number="A042", score_1to5=1)),
    (1_840_000, a.AlertTaken, _FIRST, a.OfAlertData(
        alert=_id(219), breach=f"unhappy:{_id(109)}", key="h1", by="m-3")),
    (1_990_000, a.AlertCleared, _FIRST, a.ClearedData(
        alert=_id(219), breach=f"unhappy:{_id(109)}", key="h2", by="m-3", reason="recovered",
        lasted_ms=159_400)),
    (1_995_000, a.AlertReopened, _FIRST, a.OfAlertData(
        alert=_id(219), breach=f"unhappy:{_id(109)}", key="h3", by="m-3")),
    (2_000_000, a.TicketReissued, _id(8), a.ReissuedData(key="h4", times=1, by="m-3")),
    (2_010_000, f.ComplaintTaken, None, f.OfComplaintData(
        complaint=_id(114), number=f.complaint_number(_id(114)), key="h5", by="m-3")),
    (2_020_000, f.ComplaintAnswered, None, f.AnswerData(
        complaint=_id(114), number=f.complaint_number(_id(114)), key="h6", by="m-3",
        outcome="explained")),
    (2_030_000, f.ComplaintReopened, None, f.OfComplaintData(
        complaint=_id(114), number=f.complaint_number(_id(114)), key="h7", by="m-3")),
)  # fmt: skip


def _told(
    src: str, boot: str, first_mono_ms: int, story: Sequence[_Told], begin: int
) -> list[e.AnyEvent]:
    """The story as ``src`` journals it: sequence numbers from 1, each event chained to the one
    before.
    """
    found: list[e.AnyEvent] = []
    prev = CHAIN_START
    tickets = iter((_FIRST, _SECOND, _id(5)))
    for seq, (after_ms, kind, sub, data) in enumerate(story, 1):
        event_id = next(tickets) if sub == "self" else _id(begin + seq)
        event = kind(
            id=event_id,
            src=src,
            epoch=1,
            seq=seq,
            prev=prev,
            ts=BEGAN_MS + after_ms,
            clk=e.Clk(boot=boot, mono_ms=first_mono_ms + after_ms, quality="ntp", err_ms=20),
            sub=event_id if sub == "self" else sub,
            data=data,  # type: ignore[call-arg]
        )
        found.append(event)  # type: ignore[arg-type]
        prev = chain(m.encode(event))
    return found


AT_KIOSK = tuple(_told(KIOSK, _KIOSK_BOOT, 81_234, _AT_KIOSK, 100))
"""What the kiosk journals."""
AT_BRANCH = tuple(_told(BRANCH, _BRANCH_BOOT, 5_400_000, _AT_BRANCH, 200))
"""What the branch server journals of its own."""
FORWARDED = msgspec.structs.replace(
    AT_KIOSK[0],
    src=BRANCH,
    seq=len(AT_BRANCH) + 1,
    prev=chain(m.encode(AT_BRANCH[-1])),
    origin=KIOSK,
)
"""The kiosk's first event as the branch server passes it on to head office: a place in the
branch's chain; id, times and payload as the kiosk gave them.
"""
EVENTS: tuple[e.AnyEvent, ...] = (*AT_KIOSK, *AT_BRANCH, FORWARDED)

_BUNDLE = FirmwareBundle(
    manifest=b'{"version":"0.2.0","floor":"0.2.0","chip":"rp2","files":[],"root":[]}',
    signature=bytes(64),
    files={},
)
_TOP = chain(m.encode(AT_KIOSK[-1]))

SESSION: tuple[msgspec.Struct, ...] = (
    m.Hello(
        node=KIOSK, epoch=1, top_seq=9, acked=4, digest=_TOP, boot=_KIOSK_BOOT, connect=12,
        version="0.2.0", ts=BEGAN_MS + 401_000, mono_ms=482_234, first_seq=1, quality="ntp",
        err_ms=20,
    ),
    m.Welcome(
        epoch=1, connect=12, hw=4, digest=AT_KIOSK[4].prev,
        server_gen=_SERVER_GEN, server_ts=BEGAN_MS + 401_012, hello_mono_ms=482_234,
        window=200, rate_per_s=500,
        numbers=[m.LastNumber(business_date=_DATE, service="A", band=1, last=43)],
        quality="ntp", err_ms=15,
    ),
    m.Ack(epoch=1, hw=4, server_gen=_SERVER_GEN, gaps=[(5, 6), (8, 8)]),
    m.State(node=KIOSK, status="online", connect=12, version="0.2.0"),
    m.State(
        node=BRANCH, status="online", connect=1, version="0.2.0", server_gen=_SERVER_GEN
    ),
    m.ArmPad(key="arm-99", counter=2, ticket=_FIRST, nonce=99, window_ms=10_000),
    m.DisarmPad(key="disarm-99", counter=2),
    m.ShowPad(key="show:2:1:1", counter=2, number="A042", waiting=4),
    m.CommandResult(key="arm-99", ok=True),
    m.CommandResult(key="disarm-99", ok=False, error="the pad of counter 2 does not answer"),
    m.AskNumber(key="t-3", service="A", business_date=_DATE, floor=17),
    m.NumberGrant(key="t-3", service="A", business_date=_DATE, number=18),
    m.NumberGrant(key="t-4", service="A", business_date=_DATE, number=0, reason="exhausted"),
    m.DesiredConfig(
        config=text_of(
            Configuration(
                node=KIOSK, version=7, issued_ms=BEGAN_MS, firmware=[
                    WantedFirmware(chip="rp2", version="0.2.0", manifest=_BUNDLE.sha256)
                ], offer=Offer([Service("A", "现金业务", "Cash")], "kiosk-offer.toml"),
            )
        ),
        signature=bytes(64), bundles=[_BUNDLE],
    ),
    m.AppliedConfig(
        node=KIOSK, version=7, pads=[
            PadApplied(
                counter=1, state="current", unique_id="e66164084373532a", firmware="0.2.0",
                firmware_hash=_BUNDLE.sha256[:16],
            ),
            PadApplied(
                counter=2, state="waiting", unique_id="e66164084373532b", firmware="0.1.0",
                firmware_hash="38f5129f63ef62ba",
            ),
        ],
    ),
    m.AppliedConfig(
        node=KIOSK, version=7, refused=6,
        reason="configuration 6 is older than 7, which is here",
    ),
    m.TellerKey(
        key="e66164084373532b:305419896:536870913", counter=2, action="next", age_ms=42,
        boot=_KIOSK_BOOT, mono_ms=142_234,
    ),
    m.TellerAnswer(key="e66164084373532b:305419896:536870913", ok=True),
    m.TellerAnswer(
        key="e66164084373532b:305419896:536870914", ok=False, reason="nobody_waiting"
    ),
    m.AskCode(key="c-1", code=_CODE),
    m.CodeAnswer(
        key="c-1", state="on_time", service="B", at_ms=BEGAN_MS + 60_000, counter=3,
        hold_ms=600_000,
    ),
    m.AskCode(key="c-2", code=_SLIP_CODE, action="later", for_ms=600_000),
    m.CodeAnswer(
        key="c-2", state="parked", service="A", ticket=_FIRST, number="A042",
        waited_ms=1_860_000, limit_ms=1_800_000, low_min=10, high_min=20,
    ),
    m.CounterCommand(key="desk-1:17", counter=2, command=c.CallNext(), turn=41),
    m.CounterCommand(
        key="desk-1:18", counter=2,
        command=c.Transfer(service="B", back=True, note="has the form"),
        expires_ms=BEGAN_MS + 71_000,
    ),
    m.CounterResult(
        key="desk-1:17", ok=True, counter=2, command="call-next", event=AT_BRANCH[0].id,
        ticket=_FIRST, number="A042",
    ),
    m.CounterResult(
        key="desk-1:18", ok=False, code="no_ticket", message="no ticket is at counter 2",
        counter=2, command="transfer",
    ),
    m.QueueState(service="A", waiting=4, wait_low_min=6, wait_high_min=11, ts=BEGAN_MS + 90_000),
    m.QueueState(
        service="B", waiting=19, wait_low_min=45, wait_high_min=80, ts=BEGAN_MS + 90_000,
        joining="closing",
    ),
    m.BoardState(
        zone="hall", calls=[m.BoardCall(number="A042", counter=2, ts=BEGAN_MS + 61_000)],
        ts=BEGAN_MS + 61_000,
    ),
    a.Alert(
        id=_id(217), alert=_id(217), state="raised", ts=BEGAN_MS + 1_800_000, kind="wait",
        breach=f"wait:{_id(8)}", since_ms=BEGAN_MS + 1_800_000, service="A", ticket=_id(8),
        number="A045", limit_ms=1_500_000,
    ),
    a.Alert(
        id=_id(218), alert=_id(217), state="cleared", ts=BEGAN_MS + 1_830_000, kind="wait",
        breach=f"wait:{_id(8)}", since_ms=BEGAN_MS + 1_800_000, service="A", ticket=_id(8),
        number="A045", limit_ms=1_500_000, reason="ended",
    ),
)  # fmt: skip


def examples_of(kind: type[msgspec.Struct]) -> list[msgspec.Struct]:
    """The examples of one message class, in the order of the story."""
    return [message for message in (*EVENTS, *SESSION) if type(message) is kind]


def golden(messages: Sequence[msgspec.Struct]) -> bytes:
    """One message a line, as it is sent."""
    return b"".join(m.encode(message) + b"\n" for message in messages)
