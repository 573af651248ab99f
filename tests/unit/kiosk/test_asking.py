"""Asking for numbers of band 0: 300 ms, one key a number, nothing used twice."""

import asyncio

from hypothesis import given, strategies as st

from kiosk.asking import Asker
from simulator import vtime
from sync.messages import AskNumber, NumberGrant
from tests.unit.kiosk.bench import virtual

DAY = "2026-11-23"


class Server:
    """Answers each ask after ``delay_s`` (None: not at all) with the next number; a key keeps
    its number.
    """

    def __init__(self, delay_s: float | None = 0.01) -> None:
        self.delay_s = delay_s
        self.here = True
        self.asks: list[AskNumber] = []
        self.numbers: dict[str, int] = {}
        self.highest = 0
        self.reason = ""
        self.asker = Asker(self.send, lambda _date, _service: self.highest)

    def send(self, ask: AskNumber) -> bool:
        if not self.here:
            return False
        self.asks.append(ask)
        number = 0 if self.reason else self.numbers.setdefault(ask.key, len(self.numbers) + 1)
        if self.delay_s is not None:
            self.answer(ask.key, number, self.delay_s)
        return True

    def answer(self, key: str, number: int, delay_s: float = 0.0, service: str = "A") -> None:
        grant = NumberGrant(
            key=key, service=service, business_date=DAY, number=number, reason=self.reason
        )
        asyncio.get_running_loop().call_later(delay_s, self.asker.granted, grant)

    async def take(self, request: str, day: str = DAY) -> int:
        number = await self.asker.number(day, "A", request)
        if number:
            assert number > self.highest, "given twice"
            self.highest = number
            self.asker.used(day, "A")
        return number


@virtual
async def test_299_ms_are_in_time_and_301_are_not() -> None:
    server = Server(0.299)
    assert await server.take("one") == 1
    server.delay_s = 0.301
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    assert await server.take("two") == 0
    assert abs(loop.time() - began_s - 0.3) < 0.001
    await asyncio.sleep(0.01)  # the answer is there now
    asked = len(server.asks)
    assert await server.take("three") == 2, "the late number goes to the next ticket"
    assert len(server.asks) == asked
    server.delay_s = 0.1
    assert await server.take("four") == 3


@virtual
async def test_what_was_lost_is_asked_for_again_by_the_same_key() -> None:
    server = Server(None)
    assert await server.take("one") == 0
    server.delay_s = 0.01
    assert await server.take("two") == 1
    assert [ask.key for ask in server.asks] == ["one", "one"]
    assert await server.take("three") == 2


@virtual
async def test_no_server_costs_no_time() -> None:
    server = Server()
    server.here = False
    began_s = asyncio.get_running_loop().time()
    assert await server.take("one") == 0
    assert asyncio.get_running_loop().time() == began_s


@virtual
async def test_a_refusal_is_an_answer_and_exhausted_is_remembered_until_a_welcome() -> None:
    server = Server()
    server.reason = "waiting_for_kiosks"
    began_s = asyncio.get_running_loop().time()
    assert await server.take("one") == 0
    assert asyncio.get_running_loop().time() - began_s < 0.1
    server.reason = "exhausted"
    assert await server.take("two") == 0
    assert server.asker.is_exhausted(DAY, "A")
    asked = len(server.asks)
    assert await server.take("three") == 0
    assert len(server.asks) == asked
    server.asker.welcomed()
    server.reason = ""
    assert await server.take("four") == 1


@virtual
async def test_an_answer_that_comes_twice_or_uncalled_is_no_number() -> None:
    server = Server()
    assert await server.take("one") == 1
    server.answer("one", 1)
    server.answer("of another run", 7)
    server.answer("one", 8, service="B")
    await asyncio.sleep(0.1)
    assert server.asker.unexpected == 3
    assert await server.take("two") == 2


@virtual
async def test_a_number_not_above_the_last_one_is_not_taken() -> None:
    server = Server()
    server.highest = 5
    assert await server.take("one") == 0
    assert server.asks[0].floor == 5


@virtual
async def test_a_kept_number_is_confirmed_after_a_welcome() -> None:
    server = Server(0.4)
    assert await server.take("one") == 0
    await asyncio.sleep(0.2)
    server.asker.welcomed()
    server.numbers = {"of another kiosk": 1}  # the server was restored and gave it away
    server.delay_s = 0.01
    assert await server.take("two") == 2
    assert [ask.key for ask in server.asks] == ["one", "one"]


@virtual
async def test_another_date_is_another_count() -> None:
    server = Server(0.4)
    assert await server.take("one") == 0
    await asyncio.sleep(0.2)
    server.delay_s = None
    assert await server.take("two", "2026-11-24") == 0
    assert server.asks[-1].key == "two"


@given(st.lists(st.sampled_from([0.01, 0.29, 0.31, 0.7, None, "gone", "welcome"]), max_size=40))
def test_no_number_is_used_twice(delays: list[float | str | None]) -> None:
    async def play() -> None:
        server = Server()
        used: list[int] = []
        for count, delay in enumerate(delays):
            if delay == "welcome":
                server.asker.welcomed()
                continue
            server.here = delay != "gone"
            server.delay_s = delay if not isinstance(delay, str) else None
            used.append(await server.take(f"touch-{count}"))
            await asyncio.sleep(0.2)
        used = [number for number in used if number]
        assert len(set(used)) == len(used)
        assert set(used) <= set(server.numbers.values())
        assert len(server.numbers) - len(used) <= 1, "at most one number is under way"

    vtime.run(play())
