"""A device that only talks, at the end of a link: opened, listened to, opened again when lost.

CLOSED --open--> OK --link lost--> LOST --every RETRY_S--> OK
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable

from hal.api import ByteLink, Health, HealthState
from hal.errors import LinkLost, LinkUnavailable

RETRY_S = 1.0


class LinkListener:
    """What such devices share; ``_read_on`` reads until the link is lost, ``_forget`` then drops
    what is half read.
    """

    def __init__(self, link: ByteLink, name: str) -> None:
        self._link = link
        self._name = name
        self._state = HealthState.UNKNOWN
        self._counters: Counter[str] = Counter()
        self._task: asyncio.Task[None] | None = None
        self._listeners: list[Callable[[Health], None]] = []

    @property
    def health(self) -> Health:
        """The last known health. It says nothing by itself: ok means that its line is."""
        detail = "link" if self._state is HealthState.LOST else ""
        return Health(self._state, detail, dict(self._counters))

    def on_health(self, listener: Callable[[Health], None]) -> None:
        """Call ``listener`` at each change of state."""
        self._listeners.append(listener)

    async def open(self) -> None:
        """Open the line and listen from now on. Raises LinkUnavailable; it is tried again."""
        if self._task is not None:
            return
        try:
            await self._link.open()
            self._become(HealthState.OK)
        except LinkUnavailable:
            self._become(HealthState.LOST)
            raise
        finally:
            self._task = asyncio.create_task(self._listen(), name=f"{self._name} listens")

    async def close(self) -> None:
        """Release the line; closing twice is harmless."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await self._link.close()
        self._state = HealthState.UNKNOWN

    async def _read_on(self) -> None:
        raise NotImplementedError

    def _forget(self) -> None:
        raise NotImplementedError

    async def _listen(self) -> None:
        while True:
            if self._state is HealthState.OK:
                with contextlib.suppress(LinkLost):
                    await self._read_on()
                self._forget()
                await self._link.close()
                self._become(HealthState.LOST)
            await asyncio.sleep(RETRY_S)
            with contextlib.suppress(LinkUnavailable):
                await self._link.open()
                self._become(HealthState.OK)

    def _become(self, state: HealthState) -> None:
        if state is not self._state:
            self._state = state
            for listener in self._listeners:
                listener(self.health)
