"""The live pages' event streams: one watcher of the branch, many streams, one encoding for all."""

import asyncio
from collections.abc import AsyncIterator, Callable

import msgspec

from branch.view import Branch
from branch.web.pages import CounterPage, board_page, counter_page
from branch.web.words import words_for

REFRESH_S = 15.0
"""A page gets its figures anew this often, called or not (design tokens: every 15 s)."""

KEEP_ALIVE_S = 15.0
"""A comment this often lets both ends notice a dead connection."""

RETRY_MS = 1000
"""How soon a browser connects again after the stream broke."""

SHARED_S = 1.0
"""How long an encoding is shared: streams that open together cost one; no timer is older."""

MAX_STREAMS = 200
"""Twice the 100 streams that a branch is promised; the next one gets 503 and tries later."""


class Feed:
    """Wakes every stream when the branch changes. A slow reader skips to the newest state.

    The watcher asks the branch; the streams only wait for it. So a branch that no longer answers
    sends no events (its boards say so after a minute), while keep-alive comments go on.
    """

    def __init__(
        self,
        branch: Branch,
        build: str,
        *,
        refresh_s: float = REFRESH_S,
        keep_alive_s: float = KEEP_ALIVE_S,
        max_streams: int = MAX_STREAMS,
    ) -> None:
        self._branch = branch
        self._build = build
        self._refresh_s = refresh_s
        self._keep_alive_s = keep_alive_s
        self._max_streams = max_streams
        self.turn = 0
        self._turned = asyncio.Event()
        self._encoded: dict[str, tuple[int, float, bytes]] = {}
        self.open_streams = 0
        self.closed = False

    @property
    def full(self) -> bool:
        """True when no further stream is taken."""
        return self.open_streams >= self._max_streams

    async def watch(self) -> None:
        """Follow the branch until cancelled."""
        revision = -1
        while True:
            revision = await self._branch.changed(revision, self._refresh_s)
            self._wake()

    def close(self) -> None:
        """End every stream; none starts again."""
        self.closed = True
        self._wake()

    def board(self) -> AsyncIterator[bytes]:
        """The board's events."""
        return self.page("board", "", lambda: board_page(self._branch.board(), self._build))

    def counter(self, counter: int, lang: str) -> AsyncIterator[bytes]:
        """One counter's events in one language; the counter must exist."""
        words = words_for(lang)

        def make() -> CounterPage:
            view, desk = self._branch.counter(counter), self._branch.desk(counter)
            return counter_page(view, desk, words, self._build)

        return self.page("counter", f"{counter}/{words.lang}", make)

    def page(self, name: str, which: str, make: Callable[[], object]) -> AsyncIterator[bytes]:
        """The events ``name`` of a page: ``make`` is asked for its content at each turn, once for
        all streams of the same page; ``which`` tells its counters and languages apart.
        """
        return self._stream(f"{name}/{which}", lambda: _event(name, msgspec.json.encode(make())))

    async def _stream(self, key: str, encode: Callable[[], bytes]) -> AsyncIterator[bytes]:
        self.open_streams += 1
        try:
            yield f"retry: {RETRY_MS}\n\n".encode()
            seen = -1
            while not self.closed:
                if self.turn != seen:
                    seen = self.turn
                    yield self._shared(key, encode)
                    continue
                try:
                    async with asyncio.timeout(
                        self._keep_alive_s
                    ):  # wait_for may swallow a cancel
                        await self._turned.wait()
                except TimeoutError:
                    yield b": keep-alive\n\n"
        finally:
            self.open_streams -= 1

    def _shared(self, key: str, encode: Callable[[], bytes]) -> bytes:
        now = asyncio.get_running_loop().time()
        known = self._encoded.get(key)
        if known and known[0] == self.turn and now - known[1] < SHARED_S:
            return known[2]
        encoded = encode()
        self._encoded[key] = (self.turn, now, encoded)
        return encoded

    def _wake(self) -> None:
        self.turn += 1
        self._turned.set()
        self._turned = asyncio.Event()


def _event(name: str, data: bytes) -> bytes:
    """One server-sent event."""
    return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"
