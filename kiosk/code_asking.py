"""What the branch says of a visitor's code: asked once, waited for a moment."""

import asyncio
from collections.abc import Callable

import structlog

from sync.codes import AskCode, CodeAnswer

BUDGET_S = 2.0
"""How long a visitor waits for the branch before the kiosk goes on without it."""

log = structlog.get_logger()


class CodeAsker:
    """``send`` publishes an ask, False when the server is not there."""

    def __init__(self, send: Callable[[AskCode], bool]) -> None:
        self._send = send
        self._waiting: dict[str, asyncio.Future[CodeAnswer]] = {}
        self.unexpected = 0
        """Answers that nobody waits for any more."""

    async def ask(self, ask: AskCode) -> CodeAnswer | None:
        """The answer, None where there is none within BUDGET_S."""
        future: asyncio.Future[CodeAnswer] = asyncio.get_running_loop().create_future()
        self._waiting[ask.key] = future
        try:
            if not self._send(ask):
                return None
            async with asyncio.timeout(BUDGET_S):
                return await future
        except TimeoutError:
            log.info("codes.late", key=ask.key)
            return None
        finally:
            del self._waiting[ask.key]

    def answered(self, answer: CodeAnswer) -> None:
        """The branch's answer, in time or late."""
        future = self._waiting.get(answer.key)
        if future is None or future.done():
            self.unexpected += 1
        else:
            future.set_result(answer)
