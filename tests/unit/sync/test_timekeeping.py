"""Offsets, bounds and jumps: the bound really bounds the error, whatever was measured when."""

from hypothesis import given, strategies as st

from sync.timekeeping import (
    DRIFT_PPM,
    JUMP_MS,
    Judgement,
    Jump,
    Machine,
    Mapping,
    ServerTime,
    Timekeeper,
    drift_ms,
)

NTP, RTC = Judgement("ntp", 0), Judgement("rtc")
ALONE = Machine()
WITH_RTC = Machine(hardware_clock=True)
SYNCED = Machine(True, 20, True)
TEN_YEARS_MS = 3652 * 86_400_000
DAY_MS = 86_400_000


def heard(server_ms: int, sent_ms: int, now_ms: int, server: Judgement = NTP) -> ServerTime:
    found = ServerTime.between(server_ms, sent_ms, now_ms, server)
    assert found is not None
    return found


rates = st.integers(-DRIFT_PPM, DRIFT_PPM)
exchanges = st.lists(
    st.tuples(st.integers(0, DAY_MS), st.integers(0, 5_000), st.integers(0, 5_000)),
    min_size=1,
    max_size=8,
)  # pause before the hello, way there, way back


@given(rates, exchanges, st.integers(0, 5 * DAY_MS))
def test_the_error_bound_bounds_the_error(
    rate_ppm: int, exchanges: list[tuple[int, int, int]], later_ms: int
) -> None:
    begun_ms = 1_760_000_000_000

    def true_ms(mono_ms: int) -> float:
        return begun_ms + mono_ms * (1 + rate_ppm / 1_000_000)

    keeper, mono_ms = Timekeeper(), 0
    for pause_ms, there_ms, back_ms in exchanges:
        sent_ms = mono_ms + pause_ms
        mono_ms = sent_ms + there_ms + back_ms
        keeper.welcomed(heard(round(true_ms(sent_ms + there_ms)), sent_ms, mono_ms))
    now_ms = mono_ms + later_ms
    known = keeper.judge(now_ms, ALONE)
    assert known.quality == "srv"
    assert known.err_ms is not None
    assert abs(keeper.time_ms(0, now_ms, ALONE) - true_ms(now_ms)) <= known.err_ms + 2  # rounding


@given(
    rates,
    st.lists(st.tuples(st.integers(1, DAY_MS), st.integers(0, 60_000)), min_size=1, max_size=12),
)
def test_a_boot_is_never_dated_too_early_and_never_later_than_it_was_heard(
    rate_ppm: int, messages: list[tuple[int, int]]
) -> None:
    mono_ms, mapping = 0, None
    for pause_ms, delay_ms in messages:
        mono_ms += pause_ms
        true_ms = mono_ms * (1 + rate_ppm / 1_000_000)
        now_ms = round(true_ms + delay_ms)
        mapping = (
            Mapping.first(mono_ms, now_ms) if mapping is None else mapping.heard(mono_ms, now_ms)
        )
        assert mapping.time_ms(mono_ms) <= now_ms
        assert mapping.time_ms(mono_ms) >= true_ms - 2


@given(st.integers(1_000, DAY_MS))
def test_a_prompt_message_takes_the_delay_out_again(pause_ms: int) -> None:
    mapping = Mapping.first(0, 30_000).heard(pause_ms, pause_ms + 3)
    assert mapping.time_ms(pause_ms) == pause_ms + 3
    late = mapping.heard(pause_ms + 10_000, pause_ms + 50_000)
    assert late.time_ms(pause_ms + 10_000) - pause_ms - 10_000 in (3, 4)  # drift and no more


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3_600_000),
            st.one_of(st.just(0), st.integers(-TEN_YEARS_MS, TEN_YEARS_MS)),
        ),
        max_size=20,
    )
)
def test_each_jump_is_told_once(steps: list[tuple[int, int]]) -> None:
    keeper, mono_ms, off_ms, reference = Timekeeper(), 0, 0, 0
    assert keeper.observe(off_ms, mono_ms) is None
    for passed_ms, moved_ms in steps:
        mono_ms += passed_ms
        off_ms += moved_ms
        expected = (
            Jump(mono_ms + reference, mono_ms + off_ms)
            if abs(off_ms - reference) > JUMP_MS
            else None
        )
        assert keeper.observe(mono_ms + off_ms, mono_ms) == expected
        assert keeper.observe(mono_ms + off_ms, mono_ms) is None
        reference = off_ms


def test_a_jump_while_the_program_was_down_is_seen() -> None:
    keeper = Timekeeper()
    keeper.resume(5_000)
    assert keeper.observe(1_000_000, 10_000) == Jump(15_000, 1_000_000)


def test_what_is_best_is_used() -> None:
    keeper = Timekeeper()
    assert keeper.judge(0, ALONE) == Judgement("none")
    assert keeper.judge(0, WITH_RTC) == Judgement("rtc")
    assert keeper.judge(0, SYNCED) == Judgement("ntp", 20)
    keeper.welcomed(heard(1_000_000, 100, 120, RTC))
    assert keeper.judge(120, WITH_RTC) == Judgement("rtc")
    assert keeper.time_ms(7, 120, WITH_RTC) == 7  # one hardware clock is as good as the other
    assert keeper.judge(120, ALONE) == Judgement("rtc")
    assert keeper.time_ms(7, 120, ALONE) == 1_000_010
    keeper.welcomed(heard(2_000_000, 200, 220))
    assert keeper.time_ms(7, 220, WITH_RTC) == 2_000_010
    assert keeper.judge(220, WITH_RTC) == Judgement("srv", 12)
    assert keeper.time_ms(7, 220, SYNCED) == 7


def test_a_worse_measurement_does_not_replace_a_better_one_but_another_time_does() -> None:
    keeper = Timekeeper()
    keeper.welcomed(heard(1_000_000, 100, 104))
    keeper.welcomed(heard(1_000_100, 100, 304))
    assert keeper.time_ms(0, 102, ALONE) == 1_000_000
    keeper.welcomed(heard(9_000_000, 400, 604))
    assert keeper.time_ms(0, 502, ALONE) == 9_000_000


def test_a_server_that_does_not_know_the_time_tells_none() -> None:
    assert ServerTime.between(1_000_000, 100, 120, Judgement()) is None
    assert ServerTime.between(1_000_000, 130, 120, NTP) is None


def test_drift_is_rounded_up() -> None:
    assert [drift_ms(n) for n in (0, 1, 10_000, 10_001, -10_000)] == [0, 1, 1, 2, 1]
