"""The light behind the screen: full while somebody is there or touches it, dim after a while."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import structlog

from hal.api import Health
from hal.body import Backlight, PresenceSensor
from hal.errors import HalError

FULL = 1.0

log = structlog.get_logger()


def bright_for_s(now_s: float, last_s: float, after_s: float, *, present: bool) -> float | None:
    """How long the light stays full: None while somebody is there, 0 when it is over. ``last_s``
    is when somebody was last seen or felt.
    """
    return None if present else max(0.0, last_s + after_s - now_s)


class LightKeeper:
    """Dims the light ``dim_after_s`` after the last sign of a person. Without a sensor only
    touches are signs; without a light there is nothing to do. ``told(device, health)`` hears of
    both.
    """

    def __init__(
        self,
        presence: PresenceSensor | None,
        backlight: Backlight | None,
        *,
        dim_after_s: float,
        dim_level: float,
        now_s: Callable[[], float],
        told: Callable[[str, Health], None],
    ) -> None:
        self._presence = presence
        self._backlight = backlight
        self._dim_after_s = dim_after_s
        self._dim_level = dim_level
        self._now_s = now_s
        self._told = told
        self._last_s = now_s()
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        if presence is not None:
            presence.on_change(lambda _present: self.touched())

    @property
    def last_sign_s(self) -> float:
        """When somebody was last seen to come or go, or felt."""
        return self._last_s

    async def start(self) -> None:
        """Open what there is; what cannot be opened is seen in its health, and the screen stays
        bright.
        """
        parts = {"presence": self._presence, "backlight": self._backlight}
        for name, part in parts.items():
            if part is None:
                continue
            try:
                await part.open()
            except HalError as error:
                log.warning("light.unavailable", device=name, error=str(error))
            self._told(name, part.health)
        if self._backlight is not None:
            self._task = asyncio.create_task(self._keep(self._backlight), name="light")

    async def stop(self) -> None:
        """Full light again, and release the pins; twice is harmless."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if self._backlight is not None:
            await self._shine(self._backlight, FULL)
            await self._backlight.close()
        if self._presence is not None:
            await self._presence.close()

    def touched(self) -> None:
        """Somebody is there: came, went just now, or touched something."""
        self._last_s = self._now_s()
        self._news.set()

    async def _keep(self, backlight: Backlight) -> None:
        while True:
            self._news.clear()
            present = self._presence is not None and self._presence.present
            left_s = bright_for_s(self._now_s(), self._last_s, self._dim_after_s, present=present)
            await self._shine(backlight, self._dim_level if left_s == 0 else FULL)
            with suppress(TimeoutError):
                async with asyncio.timeout(left_s or None):
                    await self._news.wait()

    async def _shine(self, backlight: Backlight, level: float) -> None:
        if backlight.level == level:
            return
        try:
            await backlight.set_level(level)
        except HalError as error:
            log.warning("light.not_set", level=level, error=str(error))
