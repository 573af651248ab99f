"""The session against a model: whatever is lost, restored or limited, everything is delivered in
the end, once counted.
"""

from typing import Any

import pytest
from hypothesis import given, strategies as st

from sync.messages import Ack, Welcome
from sync.session import (
    BATCH,
    EPOCHS,
    EPOCHS_MS,
    GREETING_MAX_MS,
    GREETING_MS,
    REFUSED_MS,
    RESEND_FIRST_MS,
    RESEND_MAX_MS,
    RESEND_MIN_MS,
    SPREAD,
    TRIES,
    WINDOW,
    Acked,
    BeginEpoch,
    Report,
    SendEvents,
    SendHello,
    Session,
    SessionState,
)

START = "0" * 16


def welcome(connect: int, hw: int, digest: str = START, **other: Any) -> Welcome:
    fields: dict = {"epoch": 1, "verdict": "ok", "server_gen": "g"} | other
    return Welcome(connect=connect, hw=hw, digest=digest, server_ts=0, **fields)


def ack(hw: int, *, epoch: int = 1, gen: str = "g", gaps: list | None = None) -> Ack:
    return Ack(epoch=epoch, hw=hw, server_gen=gen, gaps=gaps or [])


def streaming(top: int = 0, hw: int = 0, **changes: Any) -> Session:
    session = Session(epoch=1, cursor=0, top=top)
    session.connected(1, 0)
    session.welcomed(welcome(1, hw, **changes), START, 0)
    return session


def waited(session: Session, now_ms: int) -> tuple[int, list]:
    """How long until a tick does something, and what."""
    for passed_ms in range(0, 200_000, 10):
        if effects := session.tick(now_ms + passed_ms):
            return passed_ms, effects
    raise AssertionError("nothing happens any more")


def test_greets_then_sends_from_the_servers_mark() -> None:
    session = Session(epoch=1, cursor=7, top=7)
    assert session.connected(3, 0) == [SendHello(3)]
    effects = session.welcomed(welcome(3, 5), START, 10)
    assert effects == [Acked(5), SendEvents(6, 7)]
    assert session.state is SessionState.STREAMING


def test_a_welcome_of_an_earlier_connection_changes_nothing() -> None:
    session = Session(epoch=1, cursor=0, top=2)
    session.connected(2, 0)
    assert session.welcomed(welcome(1, 0), START, 1) == []
    assert session.state is SessionState.GREETING
    session.disconnected()
    assert session.welcomed(welcome(2, 0), START, 1) == []


def test_a_late_welcome_changes_nothing() -> None:
    """The rows that it speaks of may be gone: it would look like another history."""
    session = streaming(top=7)
    session.acked(ack(7), START, 5)
    assert session.welcomed(welcome(1, 4), "", 6) == []
    assert session.server_started(2000) == [SendHello(1)]
    assert session.welcomed(welcome(1, 4, hello_mono_ms=1999), "", 2001) == []
    assert session.tick(9000) == [SendHello(1)]
    answered = session.welcomed(welcome(1, 7, hello_mono_ms=2000), START, 9001)
    assert answered == [Acked(7)], "the first hello of this greeting will do"


def test_the_window_holds_back_what_is_not_acknowledged() -> None:
    session = streaming(top=WINDOW + 30)
    assert session.sent == WINDOW
    assert session.acked(ack(10), START, 5)[1:] == [SendEvents(WINDOW + 1, WINDOW + 10)]


@pytest.mark.parametrize(("offered", "taken"), [(7, 7), (0, 1), (-3, 1), (10**6, WINDOW)])
def test_the_welcome_may_narrow_the_window(offered: int, taken: int) -> None:
    assert streaming(top=WINDOW + 30, window=offered).sent == taken


def test_the_welcome_limits_the_rate() -> None:
    """1,000 events at 100 a second take ten seconds, however fast the server acknowledges."""
    session = streaming(top=1000, rate_per_s=100)
    now_ms = 0
    while session.cursor < 1000:
        now_ms += 50
        session.tick(now_ms)
        session.acked(ack(session.sent), START, now_ms)
        assert session.sent <= BATCH + 25 + now_ms / 10
    assert 8_000 <= now_ms <= 11_000


def test_batches_are_bounded() -> None:
    session = Session(epoch=1, cursor=0, top=WINDOW)
    session.connected(1, 0)
    sent = [e for e in session.welcomed(welcome(1, 0), START, 0) if isinstance(e, SendEvents)]
    assert all(e.last - e.first < BATCH for e in sent)
    assert sent[0].first == 1
    assert sent[-1].last == WINDOW


def test_resends_with_growing_patience_then_asks_where_the_server_stands() -> None:
    session = streaming(top=3)
    now_ms, patience = 0, []
    for _ in range(TRIES):
        passed_ms, effects = waited(session, now_ms)
        assert effects == [SendEvents(1, 3)]
        patience.append(passed_ms)
        now_ms += passed_ms
    assert patience == [RESEND_FIRST_MS, 2 * RESEND_FIRST_MS, 4 * RESEND_FIRST_MS]
    assert session.resent == 3 * TRIES
    _, effects = waited(session, now_ms)
    assert effects == [SendHello(1)]
    assert session.state is SessionState.GREETING


def test_the_resend_time_follows_the_round_trip() -> None:
    """RFC 6298: after one sample R the timeout is R + 4 R/2; steady samples bring it down to R."""
    session = streaming(top=1)
    session.acked(ack(1), START, 400)
    assert session.round_trip_ms == 400
    session.appended(2, 1000)
    assert waited(session, 1000)[0] == 1200
    for at in range(3, 60):
        session.appended(at, at * 10_000)
        session.acked(ack(at), START, at * 10_000 + 400)
    assert session.round_trip_ms == pytest.approx(400, abs=1)
    session.appended(60, 10**6)
    assert waited(session, 10**6)[0] == pytest.approx(400, abs=15)


def test_the_resend_time_is_bounded() -> None:
    quick, slow = streaming(top=1), streaming(top=1)
    quick.acked(ack(1), START, 0)
    slow.acked(ack(1), START, 600_000)
    for session, bound in ((quick, RESEND_MIN_MS), (slow, RESEND_MAX_MS)):
        session.appended(2, 10**6)
        assert waited(session, 10**6)[0] == bound


def test_what_was_sent_twice_is_no_sample() -> None:
    """Karn: the ack may be for either of the two."""
    session = streaming(top=3)
    session.tick(RESEND_FIRST_MS)
    session.acked(ack(3), START, RESEND_FIRST_MS + 1)
    assert session.round_trip_ms is None
    session = streaming(top=9)
    session.acked(ack(0, gaps=[(1, 2)]), START, 5)
    session.acked(ack(9), START, 6)
    assert session.round_trip_ms is None


@given(st.floats(0, 1, exclude_max=True))
def test_chance_spreads_the_waiting(chance: float) -> None:
    session = Session(epoch=1, cursor=0, top=0, chance=lambda: chance)
    session.connected(1, 0)
    passed_ms, _ = waited(session, 0)
    assert abs(passed_ms - GREETING_MS) <= GREETING_MS * SPREAD + 10


def test_missing_runs_are_sent_again_once() -> None:
    session = streaming(top=WINDOW)
    missing = ack(10, gaps=[(11, 20), (31, 35)])
    again = [Acked(10), SendEvents(11, 20), SendEvents(31, 35)]
    assert session.acked(missing, START, 5) == again
    assert session.acked(missing, START, 6) == []
    assert session.acked(ack(30, gaps=[(31, 35)]), START, 7) == [Acked(30)]
    assert session.acked(ack(30, gaps=[(31, 35), (900, 950)]), START, 8) == []
    assert session.resent == 15
    now_ms, effects = waited(session, 8)
    assert effects == [SendEvents(31, 130), SendEvents(131, WINDOW)]
    assert session.acked(ack(30, gaps=[(31, 35)]), START, now_ms) == [SendEvents(31, 35)]


def test_a_long_missing_run_is_several_messages() -> None:
    session = streaming(top=WINDOW)
    sent = session.acked(ack(0, gaps=[(1, BATCH + 1)]), START, 5)
    assert sent == [SendEvents(1, BATCH), SendEvents(BATCH + 1, BATCH + 1)]


def test_a_server_that_misses_what_it_acknowledged_is_asked() -> None:
    session = streaming(top=50, hw=40)
    assert session.acked(ack(30, gaps=[(31, 45)]), START, 5) == [SendHello(1)]
    assert session.state is SessionState.GREETING
    assert session.welcomed(welcome(1, 30), START, 9) == [Acked(30), SendEvents(31, 50)]
    assert session.acked(ack(45, gen="another"), START, 10) == [SendHello(1)]


def test_an_ack_for_another_history_raises_nothing() -> None:
    """Events of before a card was swapped may arrive after the welcome of the new one."""
    session = streaming(top=50, hw=40)
    other = Ack(epoch=1, hw=45, server_gen="g", digest="1" * 16)
    assert session.acked(other, START, 5) == [SendHello(1)]
    assert session.cursor == 40
    session = streaming(top=50, hw=40)
    same = Ack(epoch=1, hw=45, server_gen="g", digest=START)
    assert session.acked(same, START, 5) == [Acked(45)]
    old = Ack(epoch=1, hw=3, server_gen="g", digest="1" * 16)
    assert session.acked(old, "", 6) == []
    trusting = Session(epoch=1, cursor=0, top=50, check_chain=False)
    trusting.connected(1, 0)
    trusting.welcomed(welcome(1, 40), START, 0)
    assert trusting.acked(other, START, 5) == [Acked(45)]


def test_a_server_that_started_is_greeted() -> None:
    session = streaming(top=5)
    assert session.server_started(10) == [SendHello(1)]
    assert session.state is SessionState.GREETING
    session.disconnected()
    assert session.server_started(20) == []


def test_nobody_listens_so_it_waits() -> None:
    session = streaming(top=5)
    assert session.unheard(10) == []
    assert session.unheard(11) == []
    assert session.state is SessionState.GREETING
    assert session.appended(9, 20) == []
    assert waited(session, 10) == (GREETING_MS, [SendHello(1)])


def test_says_hello_again_and_again_ever_slower() -> None:
    session = Session(epoch=1, cursor=0, top=0)
    session.connected(4, 0)
    now_ms, pauses = 0, []
    for _ in range(9):
        passed_ms, effects = waited(session, now_ms)
        assert effects == [SendHello(4)]
        pauses.append(passed_ms)
        now_ms += passed_ms
    assert pauses[:3] == [GREETING_MS, 2 * GREETING_MS, 4 * GREETING_MS]
    assert pauses[-1] == GREETING_MAX_MS
    session.welcomed(welcome(4, 0), START, now_ms)
    assert session.tick(now_ms + 10**6) == []


def test_acks_only_raise_the_cursor() -> None:
    session = streaming(top=9, hw=5)
    for useless in (ack(5), ack(3), ack(10), ack(8, epoch=2)):
        assert session.acked(useless, START, 1) == []
    assert session.cursor == 5
    assert session.acked(ack(8), START, 1) == [Acked(8)]
    session.disconnected()
    assert session.acked(ack(9), START, 2) == []


@pytest.mark.parametrize(
    ("wrong", "own_digest", "epoch"),
    [
        (welcome(1, 3, "1" * 16), START, 2),
        (welcome(1, 9), "", 2),
        (welcome(1, 0, verdict="fork"), START, 2),
        (welcome(1, 0, epoch=7), START, 8),
    ],
)
def test_another_history_is_a_new_epoch(wrong: Welcome, own_digest: str, epoch: int) -> None:
    session = Session(epoch=1, cursor=2, top=5)
    session.connected(1, 0)
    (begin,) = session.welcomed(wrong, own_digest, 0)
    assert isinstance(begin, BeginEpoch)
    assert begin.epoch == epoch
    assert session.state is SessionState.FORKED
    assert session.appended(6, 1) == session.server_started(1) == []
    # The disk was full, say: it asks again, and is told again.
    assert waited(session, 0) == (GREETING_MAX_MS, [SendHello(1)])
    session.welcomed(wrong, own_digest, GREETING_MAX_MS)
    assert session.epoch_begun(epoch, 4, 30_000) == [SendHello(1)]
    assert (session.epoch, session.cursor, session.sent, session.top) == (epoch, 0, 0, 4)
    assert session.welcomed(welcome(1, 0, epoch=epoch), START, 30_001)[1:] == [SendEvents(1, 4)]


def test_a_late_answer_from_before_the_new_epoch_begins_no_other() -> None:
    session = Session(epoch=1, cursor=2, top=5)
    session.connected(1, 0)
    late = welcome(1, 3, "1" * 16)
    session.welcomed(late, START, 0)
    session.epoch_begun(2, 5, 1)
    assert session.welcomed(late, START, 2) == []
    assert session.state is SessionState.GREETING


def test_two_devices_of_one_name_do_not_begin_epochs_for_ever() -> None:
    session = Session(epoch=1, cursor=0, top=5)
    session.connected(1, 0)
    for epoch in range(2, 2 + EPOCHS):
        session.welcomed(welcome(1, 0, epoch=epoch - 1), "", 1000 * epoch)
        session.epoch_begun(epoch, 5, 1000 * epoch)
    (report,) = session.welcomed(welcome(1, 0, epoch=9), "", 10_000)
    assert isinstance(report, Report)
    assert "another device" in report.detail
    assert session.state is SessionState.REFUSED
    session.tick(EPOCHS_MS + 2000)
    (begin,) = session.welcomed(welcome(1, 0, epoch=9), "", EPOCHS_MS + 2000)
    assert isinstance(begin, BeginEpoch)


def test_an_epoch_begun_while_the_line_is_down_waits_for_it() -> None:
    session = Session(epoch=1, cursor=0, top=3)
    assert session.epoch_begun(2, 3, 0) == []
    assert session.connected(2, 1) == [SendHello(2)]


def test_without_the_chain_numbers_are_all_that_counts() -> None:
    session = Session(epoch=1, cursor=0, top=5, check_chain=False)
    session.connected(1, 0)
    assert session.welcomed(welcome(1, 9, "1" * 16), "", 0) == [Acked(5)]


@pytest.mark.parametrize("verdict", ["unknown", "revoked"])
def test_a_device_that_is_refused_says_so_and_asks_again(verdict: str) -> None:
    session = Session(epoch=1, cursor=2, top=5)
    session.connected(1, 0)
    (report,) = session.welcomed(welcome(1, 0, verdict=verdict), START, 0)
    assert isinstance(report, Report)
    assert report.code == verdict
    assert session.state is SessionState.REFUSED
    assert session.appended(6, 1) == []
    assert waited(session, 0) == (REFUSED_MS, [SendHello(1)])


def test_a_broker_that_does_not_let_us_speak_is_reported_once() -> None:
    session = streaming(top=3)
    assert session.refused("not_authorised", "x", 5) == [Report("not_authorised", "x")]
    assert session.refused("not_authorised", "x", 6) == []
    session.disconnected()
    assert session.refused("not_authorised", "x", 7) == []


def test_a_refusal_outlives_the_connection() -> None:
    """mosquitto 2.0 ends the connection of whoever publishes what its access list forbids."""
    session = streaming(top=3)
    session.refused("not_authorised", "x", 1000)
    session.disconnected()
    assert session.connected(2, 3000) == []
    assert session.state is SessionState.REFUSED
    assert waited(session, 3000) == (REFUSED_MS - 2000, [SendHello(2)])
    session.disconnected()
    assert session.connected(3, 3000 + REFUSED_MS) == [SendHello(3)]


def test_time_matters_only_where_something_is_awaited() -> None:
    session = Session(epoch=1, cursor=0, top=0)
    waits = [session.waits]
    session.connected(1, 0)
    waits.append(session.waits)
    session.welcomed(welcome(1, 0), START, 0)
    waits.append(session.waits)
    session.appended(1, 5)
    waits.append(session.waits)
    assert waits == [False, True, False, True]


@given(st.integers(0, 500), st.integers(0, 500))
def test_whatever_the_mark_the_rest_follows_without_a_gap(top: int, hw: int) -> None:
    hw = min(hw, top)
    session = Session(epoch=1, cursor=0, top=top)
    session.connected(1, 0)
    sent = [e for e in session.welcomed(welcome(1, hw), START, 0) if isinstance(e, SendEvents)]
    covered = [seq for e in sent for seq in range(e.first, e.last + 1)]
    assert covered == list(range(hw + 1, min(top, hw + WINDOW) + 1))
