"""The kiosk's screen as a person sees it: the description over the bench socket, and a finger."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.errors import NotStarted

ANSWER_S = 20.0
LOOK_S = 0.55
"""Nobody presses a screen sooner than that after it has come, and the kiosk takes no touch for
500 ms after one that nobody asked for.
"""


@dataclass(frozen=True, slots=True)
class Description:
    """What is on the screen now; ``controls`` by id, ``texts`` with their sizes."""

    revision: int
    screen: str
    language: str
    controls: dict[str, dict[str, Any]]
    texts: tuple[dict[str, Any], ...]

    @property
    def largest_text(self) -> str:
        """The text in the largest letters: on a ticket that is its number."""
        return str(max(self.texts, key=lambda t: t["font_px"])["text"]) if self.texts else ""


class Screen:
    """One connection to the kiosk's bench socket; one question at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._lock = asyncio.Lock()
        self._seen, self._seen_at_s = "", 0.0  # the screen, and when it was first seen

    @classmethod
    async def connect(cls, socket: Path, within_s: float) -> "Screen":
        """Wait for the kiosk's socket. Raises NotStarted."""
        deadline_s = asyncio.get_running_loop().time() + within_s
        while True:
            try:
                return cls(*await asyncio.open_unix_connection(socket, limit=1 << 22))
            except OSError as error:
                if asyncio.get_running_loop().time() > deadline_s:
                    raise NotStarted(f"no kiosk answers at {socket}: {error}") from error
            await asyncio.sleep(0.1)

    async def describe(self) -> Description:
        """The screen now."""
        return _description(await self.ask(op="describe"))

    async def describe_after(self, revision: int, timeout_s: float) -> Description:
        """The screen once it has changed since ``revision``, or after the time."""
        return _description(
            await self.ask(op="describe_after", revision=revision, timeout_s=timeout_s)
        )

    async def tap(self, control: dict[str, Any]) -> dict[str, Any]:
        """Touch the middle of a control, once the screen has been looked at; what came of it."""
        await asyncio.sleep(self._seen_at_s + LOOK_S - asyncio.get_running_loop().time())
        x, y, width, height = control["rect"]
        return await self.ask(op="tap", x=x + width / 2, y=y + height / 2)

    async def screenshot(self, path: Path) -> None:
        """Save the window's pixels as PNG."""
        await self.ask(op="screenshot", path=str(path))

    async def ask(self, **request: Any) -> dict[str, Any]:
        """One request, one answer. Raises NotStarted when the kiosk went away."""
        async with self._lock, asyncio.timeout(ANSWER_S):
            self._writer.write(json.dumps(request).encode() + b"\n")
            await self._writer.drain()
            line = await self._reader.readline()
        if not line:
            raise NotStarted("the kiosk hung up")
        answer: dict[str, Any] = json.loads(line)
        if not answer["ok"]:
            raise NotStarted(f"the kiosk refused {request}: {answer['error']}")
        if "screen" in answer and answer["screen"]["screen"] != self._seen:
            self._seen = answer["screen"]["screen"]
            self._seen_at_s = asyncio.get_running_loop().time()
        return answer

    async def close(self) -> None:
        """Hang up."""
        self._writer.close()


def _description(answer: dict[str, Any]) -> Description:
    seen = answer["screen"]
    return Description(
        seen["revision"],
        seen["screen"],
        seen["language"],
        {control["id"]: control for control in seen["controls"]},
        tuple(seen["texts"]),
    )
