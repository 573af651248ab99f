"""Tellers of a stand: at each counter one who calls, starts and finishes, and who asks again with
the same key when the server died before it answered.
"""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from simulator.prove.stand import BRANCH, Stand

ANSWER_S = 1.0
IDLE_S = 0.05
NOBODY_WAITS, NOT_STORED = "nobody_waiting", "not_stored"
MISSED = 0.1
"""Share of the called who do not come."""


class Tellers:
    """Work at ``counters`` until cancelled. Give ``heard`` each line that the server says."""

    def __init__(
        self, stand: Stand, counters: tuple[int, ...], *, seed: int, pause_s: float = 0.03
    ) -> None:
        """``pause_s`` is the mean pause of a teller between two commands."""
        self._stand = stand
        self._counters = counters
        self._chance = random.Random(seed)
        self._pause_s = pause_s
        self._answers: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._keys = 0
        self.asked_again = 0
        """Commands sent again because nobody answered."""
        self.not_stored = 0
        """Commands that the server could not make durable."""
        self.contradicted: Counter[str] = Counter()
        """Refusals by code that cannot be: at each counter there is one teller, who knows what it
        was told.
        """

    def heard(self, line: dict[str, Any]) -> None:
        """The server said this."""
        answer = self._answers.get(line.get("key", ""))
        if answer is not None and not answer.done():
            answer.set_result(line)

    async def work(self) -> None:
        """At every counter, for ever."""
        async with asyncio.TaskGroup() as group:
            for counter in self._counters:
                group.create_task(self._work_at(counter))

    async def _work_at(self, counter: int) -> None:
        while True:
            key, answer = await self._command(counter, "call")
            if answer["did"] == "refused" and answer["code"] == NOBODY_WAITS:
                await asyncio.sleep(IDLE_S)
                continue
            if answer.get("number"):
                self._stand.witness.told(key, counter, answer["number"])
            if self._chance.random() < MISSED:
                await self._command(counter, "miss")
            else:
                await self._command(counter, "start")
                await self._command(counter, "finish")

    async def _command(self, counter: int, command: str) -> tuple[str, dict[str, Any]]:
        """Send until it is answered; what the key did once it does not do again."""
        await asyncio.sleep(self._chance.uniform(0, 2 * self._pause_s))
        self._keys += 1
        key = f"{counter}-{self._keys}"
        loop = asyncio.get_running_loop()
        answer = self._answers[key] = loop.create_future()
        try:
            while True:
                server = self._stand.programs.get(BRANCH)
                if server is not None and await server.wait_up(ANSWER_S):
                    server.tell(do="teller", counter=counter, command=command, key=key)
                    await self._answered(answer, server.ended)
                    if answer.done():
                        told = answer.result()
                        if told.get("code") == NOT_STORED:  # "try again", it said
                            answer = self._answers[key] = loop.create_future()
                            self.not_stored += 1
                            await asyncio.sleep(IDLE_S)
                            continue
                        if told["did"] == "refused" and told["code"] != NOBODY_WAITS:
                            self.contradicted[f"{command}: {told['code']}"] += 1
                        return key, told
                    self.asked_again += 1
                else:
                    await asyncio.sleep(0.01)
        finally:
            del self._answers[key]

    @staticmethod
    async def _answered(answer: "asyncio.Future[Any]", ended: Callable[[], Any]) -> None:
        """Wait for the answer, the server's end, or long enough."""
        ending = asyncio.ensure_future(ended())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_S):
                await asyncio.wait((answer, ending), return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
