"""A teller's keys and digits: real firmware, real driver, real server, on virtual time."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from firmware.pad import link as wire
from hal.api import CallerPad, Health, HealthState, KeyAction, PadIdentity, PadKey
from hal.errors import DeviceSilent, LinkUnavailable
from kiosk.callers import (
    ASK_EVERY_MS,
    LAST_ASK_MS,
    REOPEN_S,
    CallerKeeper,
    shown_on_digits,
)
from kiosk.errors import KioskError
from sync.clock import Clock
from sync.messages import DeviceChanged, ServiceEnded, decode
from sync.pad_messages import KEY_LIFE_MS, ShowPad, TellerAnswer, TellerKey
from sync.topics import ASK
from sync.transport import Message
from tests.unit.kiosk.bench import Bench, until, virtual

NEXT, RECALL, NO_SHOW, FINISH, PAUSE = range(1, 6)
ALL_LIT = (True,) * 5


class Desk(Bench):
    """A branch with one counter whose teller has a pad, greeted, and some who wait."""

    def __init__(self, folder: Path, *, shared: bool = False, **more: Any) -> None:
        super().__init__(
            folder, pads=(1,) if shared else (), callers=(1,), with_branch=True, **more
        )

    async def begin(self, *letters: str) -> None:
        self.pad = self.tellers[1]
        await self.pad.start()
        await self.start()
        await until(lambda: self.kiosk.outbox.online)
        for letter in letters:
            await self.take(letter)
        await until(lambda: self.branch.counter(1).waiting == len(letters))
        await until(lambda: self.pad.digits() != "----")

    async def key(self, key: int, digits: str, within_s: float = 1.0) -> None:
        """Press, and read the digits."""
        await asyncio.sleep(0.5)
        await self.pad.press_teller(key)
        await until(lambda: self.pad.digits() == digits, within_s)

    @property
    def failed(self) -> int:
        """Tones of failure that the pad has given."""
        return self.pad.core._caller.failed

    def ledger(self) -> list[str]:
        """The server's own events about the counter."""
        with self.store.reading() as connection:
            rows = connection.exec_driver_sql(
                "SELECT type FROM event WHERE node = 'branch-1' ORDER BY seq"
            )
            return [row[0] for row in rows]

    def swallow_answers(self) -> Any:
        """Let the server do what it is asked and say nothing; returns how it was."""
        answer = self.branch.ingest.ask
        assert answer is not None

        def swallow(node: str, ask: Any) -> None:
            answer(node, ask)

        self.branch.ingest.ask = swallow
        return answer

    def questions(self) -> list[TellerKey]:
        """From now on, every key that the kiosk asks about."""
        found: list[TellerKey] = []

        def hear(messages: list[Message]) -> None:
            found.extend(decode(message.payload, TellerKey) for message in messages)

        spy = self.broker.transport()
        spy.listen(on_up=lambda: None, on_down=lambda _: None, on_messages=hear)
        spy.subscribe(ASK.of(node="kiosk-1"))
        self._spy = asyncio.ensure_future(spy.start())
        return found


@virtual
async def test_next_shows_the_number_and_finish_asks_for_the_rating(tmp_path: Path) -> None:
    async with Desk(tmp_path, shared=True) as desk:
        await desk.begin("A", "B")
        assert desk.pad.digits() in ("    ", "   2")
        await desk.key(NEXT, "A001")
        await until(lambda: desk.pad.digits() == "   1", 6)
        await asyncio.sleep(20)  # nobody is called again sooner
        await desk.key(RECALL, "A001", 6)
        await desk.key(NEXT, "A001")
        assert desk.pad.leds() != ALL_LIT
        await desk.key(FINISH, "    ")
        await until(lambda: desk.pad.leds() == ALL_LIT)
        await desk.pad.press(5)
        await until(lambda: desk.story()[-1] == "rating.submitted")
        await until(lambda: desk.branch.counter(1).pad == "rated")
        await desk.key(NEXT, "B001")
        await desk.key(NO_SHOW, "    ")
        assert desk.failed == 0
        assert desk.ledger() == [
            "ticket.called", "ticket.recalled", "service.started", "service.ended",
            "ticket.called", "ticket.missed",
        ]  # fmt: skip
        await desk.stop()


@virtual
async def test_what_is_not_possible_is_told_with_a_code_and_a_tone(tmp_path: Path) -> None:
    async with Desk(tmp_path) as desk:
        await desk.begin()
        await desk.key(NEXT, "E-02")
        await desk.key(FINISH, "E-03")
        await desk.key(PAUSE, "PAUS")
        await desk.key(NEXT, "E-03")
        assert desk.failed == 3
        await until(lambda: desk.pad.digits() == "PAUS", 5)
        await desk.key(PAUSE, "    ")
        await desk.stop()


@virtual
async def test_without_the_server_the_teller_knows_at_once(tmp_path: Path) -> None:
    async with Desk(tmp_path) as desk:
        await desk.begin("A")
        await desk.key(NEXT, "A001")
        asked = desk.questions()
        desk.transport.lose()
        await until(lambda: desk.pad.digits() == "----")
        await desk.key(FINISH, "E-01")
        assert (desk.failed, asked) == (1, [])
        await desk.transport.start()
        await until(lambda: desk.pad.digits() == "A001")
        await asyncio.sleep(20)
        assert desk.ledger() == ["ticket.called"], "not carried out later"
        await desk.stop()


@virtual
async def test_a_server_that_says_nothing_is_asked_for_3_5_s_and_given_up_after_4_5(
    tmp_path: Path,
) -> None:
    async with Desk(tmp_path) as desk:
        await desk.begin("A")
        asked = desk.questions()
        desk.branch.ingest.ask = lambda _node, _ask: None
        began_s = asyncio.get_running_loop().time()
        await desk.key(NEXT, "E-04", 6)
        took_ms = 1000 * (asyncio.get_running_loop().time() - began_s) - 500
        assert KEY_LIFE_MS - 50 <= took_ms <= KEY_LIFE_MS + 100
        assert len({question.key for question in asked}) == 1
        ages_ms = [question.age_ms for question in asked]
        assert len(ages_ms) == LAST_ASK_MS // ASK_EVERY_MS + 1
        assert max(ages_ms) <= LAST_ASK_MS
        assert desk.failed == 1
        await desk.stop()


@virtual
async def test_a_lost_answer_costs_nobody_a_second_call(tmp_path: Path) -> None:
    async with Desk(tmp_path) as desk:
        await desk.begin("A", "A")
        answer = desk.branch.ingest.ask
        assert answer is not None
        lost = []

        def lose_two(node: str, ask: Any) -> Any:
            said = answer(node, ask)
            lost.append(said)
            return said if len(lost) > 2 else None

        desk.branch.ingest.ask = lose_two
        await desk.key(NEXT, "A001")
        await until(lambda: len(lost) == 3)
        await until(lambda: not desk.pad.core._caller._actions)
        assert (desk.ledger(), desk.failed) == (["ticket.called"], 0)
        await desk.stop()


@virtual
async def test_the_server_starts_anew_between_press_and_answer(tmp_path: Path) -> None:
    async with Desk(tmp_path) as desk:
        await desk.begin("A", "A")
        desk.swallow_answers()
        await desk.pad.press_teller(NEXT)
        await until(lambda: desk.ledger() == ["ticket.called"])
        desk.branch_transport.lose()
        await desk.branch.close()
        await asyncio.sleep(1)
        desk.branch_transport = desk.broker.transport()
        await desk.start_branch()
        await until(lambda: desk.pad.digits() == "A001", 3)
        await until(lambda: not desk.pad.core._caller._actions, 2)
        assert (desk.ledger(), desk.failed) == (["ticket.called"], 0)
        await desk.stop()


@virtual
async def test_the_kiosk_starts_anew_between_press_and_answer(tmp_path: Path) -> None:
    async with Desk(tmp_path) as desk:
        await desk.begin("A", "A")
        answer = desk.swallow_answers()
        await desk.pad.press_teller(NEXT)
        await until(lambda: desk.ledger() == ["ticket.called"])
        await desk.kill()
        desk.branch.ingest.ask = answer
        asked = desk.questions()
        await desk.start()
        await until(lambda: not desk.pad.core._caller._actions, 4)
        await until(lambda: desk.pad.digits() == "A001")
        assert (desk.ledger(), desk.failed, len(asked) >= 1) == (["ticket.called"], 0, True)
        await desk.stop()


@virtual
async def test_keys_are_carried_out_in_the_order_they_were_pressed(tmp_path: Path) -> None:
    async with Desk(tmp_path) as desk:
        await desk.begin("A", "A")
        await desk.key(NEXT, "A001")
        await asyncio.sleep(1)
        for key in (NEXT, FINISH, NEXT):
            await desk.pad.press_teller(key)
            await asyncio.sleep(0.03)
        await until(lambda: desk.pad.digits() == "A002", 2)
        assert desk.ledger() == [
            "ticket.called", "service.started", "service.ended", "ticket.called",
        ]  # fmt: skip
        await desk.stop()


@virtual
async def test_a_pad_that_was_reset_shows_again_what_it_showed(tmp_path: Path) -> None:
    async with Desk(tmp_path) as desk:
        await desk.begin("A")
        await desk.key(NEXT, "A001")
        shown = desk.kiosk.callers._desks[1].shown
        await desk.pad.restart()
        assert desk.pad.digits() == "----"
        await until(lambda: desk.pad.digits() == "A001", 3)
        await desk.pad.stop()
        await asyncio.sleep(10)
        await desk.pad.start()
        await until(lambda: desk.pad.digits() == "A001", 5)
        assert desk.kiosk.callers._desks[1].shown is shown, "the kiosk knew it"
        states = [e.data.state for e in desk.events("device.changed")
                  if isinstance(e, DeviceChanged) and e.data.device == "caller-1"]  # fmt: skip
        assert "lost" in states
        assert states[-1] == "ok"
        await desk.stop()


@virtual
async def test_the_end_of_a_service_arms_a_pad_of_its_own(tmp_path: Path) -> None:
    """Two pads at one counter: the teller's and the visitors'."""
    async with Desk(tmp_path) as desk:
        await desk.begin("A")
        await desk.key(NEXT, "A001")
        await desk.key(FINISH, "    ")
        with desk.store.reading() as connection:
            raws = connection.exec_driver_sql("SELECT raw FROM event WHERE type = 'service.ended'")
            (ended,) = [decode(row[0], ServiceEnded) for row in raws]
        assert ended.data.nonce > 0
        await desk.stop()


# --- the keeper alone ---------------------------------------------------------------------------


class ToyPad:
    """A pad without a wire."""

    def __init__(self) -> None:
        self.keys: asyncio.Queue[PadKey] = asyncio.Queue()
        self.told: list[str] = []
        self.shown: list[tuple[str, int | None, int]] = []
        self.silent = self.unplugged = self.broken = False
        self.closed = 0
        self.greet: Any = None

    health = Health(HealthState.OK)

    async def open(self) -> None:
        if self.unplugged:
            raise LinkUnavailable("unplugged")

    async def show(self, number: str, waiting: int | None, stars: int) -> None:
        if self.silent:
            raise DeviceSilent("silent")
        if self.broken:
            raise RuntimeError("broken")
        self.shown.append((number, waiting, stars))

    async def next_key(self) -> PadKey:
        return await self.keys.get()

    async def acknowledge_key(self, key: PadKey) -> None:
        self.told.append("ok")

    async def deny_key(self, key: PadKey, code: str) -> None:
        if self.broken:
            raise RuntimeError("broken")
        self.told.append(code)

    def on_health(self, listener: Any) -> None:
        self.say_health = listener

    def on_greeting(self, listener: Any) -> None:
        self.greet = listener

    async def close(self) -> None:
        self.closed += 1

    def press(self, seq: int = 1, age_ms: int = 10, action: KeyAction = KeyAction.NEXT) -> None:
        self.keys.put_nowait(PadKey("ca01", 7, seq, action, age_ms))


class Keeper:
    """A keeper with one toy pad, and a server that answers as it is told."""

    def __init__(self, **more: Any) -> None:
        loop = asyncio.get_running_loop()
        clock = Clock(
            wall_ms=lambda: 0, mono_ms=lambda: round(loop.time() * 1000), boot="b",
            random_bits=lambda _: 1,
        )  # fmt: skip
        self.pad = ToyPad()
        pad: CallerPad = self.pad
        self.asked: list[TellerKey] = []
        self.here = True
        self.reason: str | None = ""
        self.keeper = CallerKeeper({1: pad}, clock, self.ask, **more)

    def ask(self, question: TellerKey) -> bool:
        if self.here:
            self.asked.append(question)
            if self.reason is not None:
                answer = TellerAnswer(key=question.key, ok=not self.reason, reason=self.reason)
                for _ in range(2):
                    asyncio.get_running_loop().call_soon(self.keeper.answered, answer)
        return self.here

    async def __aenter__(self) -> "Keeper":
        await self.keeper.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.keeper.stop()


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("", "ok"),
        ("nobody_waiting", "E-02"),
        ("no_ticket", "E-03"),
        ("paused", "E-03"),
        ("a reason of a later server", "E-03"),
        ("expired", "E-04"),
        ("not_here", "E-05"),
        ("not_stored", "E-06"),
    ],
)
def test_every_reason_has_its_code(reason: str, told: str) -> None:
    @virtual
    async def play() -> None:
        async with Keeper() as bench:
            bench.reason = reason
            bench.pad.press(action=KeyAction.NO_SHOW)
            await until(lambda: bench.pad.told == [told])
            (question,) = bench.asked
            assert (question.key, question.action, question.age_ms, question.boot) == (
                "ca01:7:1", "no_show", 10, "b",
            )  # fmt: skip

    play()


@virtual
async def test_a_key_from_before_a_restart_is_not_said_to_be_undone(tmp_path: Path) -> None:
    async with Keeper() as bench:
        bench.here = False
        bench.pad.press(1, age_ms=500)
        await until(lambda: bench.pad.told == ["E-01"], 0.1)
        bench.pad.press(2, age_ms=1_500)
        await asyncio.sleep(2)
        assert bench.pad.told == ["E-01"], "somebody may have asked already"
        bench.here = True
        await until(lambda: bench.pad.told == ["E-01", "E-04"], 5)
        assert bench.asked == [] or bench.asked[0].age_ms <= LAST_ASK_MS
        bench.pad.press(3, age_ms=4_999)
        await until(lambda: bench.pad.told == ["E-01", "E-04", "E-04"], 0.1)


@virtual
async def test_a_key_that_waited_behind_another_is_as_old_as_it_is(tmp_path: Path) -> None:
    async with Keeper() as bench:
        bench.reason = None
        bench.pad.press(1)
        bench.pad.press(2, action=KeyAction.RECALL)
        await until(lambda: len(bench.pad.told) == 2, 6)
        assert bench.pad.told == ["E-04", "E-01"], "the second was never asked about"
        assert {question.action for question in bench.asked} == {"next"}


@virtual
async def test_a_fault_costs_that_key_and_those_digits_only(tmp_path: Path) -> None:
    async with Keeper() as bench:
        bench.pad.broken = True
        bench.reason = "paused"
        bench.pad.press(1)
        bench.keeper.show(ShowPad(key="1", counter=1, number="A001"))
        await asyncio.sleep(1)
        bench.pad.broken = False
        bench.reason = ""
        bench.pad.press(2)
        bench.keeper.show(ShowPad(key="2", counter=1, number="A002", waiting=3, stars=4))
        await until(lambda: bench.pad.told == ["ok"])
        await until(lambda: bench.pad.shown == [("A002", 3, 4)])


@virtual
async def test_digits_that_the_pad_did_not_take_are_tried_again(tmp_path: Path) -> None:
    async with Keeper() as bench:
        bench.pad.silent = True
        bench.keeper.show(ShowPad(key="1", counter=1, number="A001"))
        await asyncio.sleep(5)
        bench.keeper.show(ShowPad(key="2", counter=1, number="A002"))
        bench.pad.silent = False
        await until(lambda: bench.pad.shown == [("A002", None, 0)], 3)
        await asyncio.sleep(10)
        assert len(bench.pad.shown) == 1


@virtual
async def test_a_pad_without_digits_is_left_in_peace(tmp_path: Path) -> None:
    async with Keeper() as bench:
        bench.pad.greet(PadIdentity("ca01", 7, 2, "0.2.0", "", roles=wire.RATING))
        bench.keeper.show(ShowPad(key="1", counter=1, number="A001"))
        await asyncio.sleep(10)
        assert bench.pad.shown == []
        bench.pad.greet(PadIdentity("ca02", 8, 2, "0.2.0", "", roles=wire.CALLER))
        await until(lambda: bench.pad.shown == [("A001", None, 0)])


@virtual
async def test_a_pad_that_is_not_there_is_told_of_and_found_later(tmp_path: Path) -> None:
    told: list[tuple[int, str]] = []
    bench = Keeper(told=lambda counter, health: told.append((counter, health.detail)))
    bench.pad.unplugged = True
    async with bench:
        await asyncio.sleep(2 * REOPEN_S + 1)
        assert told == [(1, "unavailable")] * 3
        bench.pad.unplugged = False
        bench.pad.say_health(Health(HealthState.OK, "fine"))
        bench.pad.press()
        await until(lambda: bench.pad.told == ["ok"])
        assert told[3:] == [(1, "fine")]
    assert bench.pad.closed == 1


@virtual
async def test_a_counter_without_a_pad_is_named(tmp_path: Path) -> None:
    async with Keeper() as bench:
        with pytest.raises(KioskError, match=r"counter 2 has no caller pad .*\[\[pads\]\]"):
            bench.keeper.show(ShowPad(key="1", counter=2, number=""))
        bench.keeper.answered(TellerAnswer(key="nobody's", ok=True))
        bench.keeper.offline()


@pytest.mark.parametrize(
    ("shown", "digits"),
    [
        (None, ("----", None, 0)),
        (ShowPad(key="", counter=1, number="A042", waiting=7, stars=4), ("A042", 7, 4)),
        (ShowPad(key="", counter=1, number="A1042", waiting=0), ("1042", 0, 0)),
        (ShowPad(key="", counter=1, number=""), ("", None, 0)),
        (ShowPad(key="", counter=1, number="", waiting=3, paused=True), ("PAUS", 3, 0)),
        (ShowPad(key="", counter=1, number="A042", paused=True), ("A042", None, 0)),
        (ShowPad(key="", counter=1, number="A1", waiting=-1, stars=9), ("A1", None, 5)),
        (ShowPad(key="", counter=1, number="号1", waiting=1, stars=-1), ("?1", 1, 0)),
    ],
)
def test_what_fits_four_digits(shown: ShowPad | None, digits: tuple[str, int | None, int]) -> None:
    assert shown_on_digits(shown) == digits
