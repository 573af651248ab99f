"""Around the application: an event stream ends when its session does, not when the page closes."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

_KEY = "still_signed_in"


def watch_session(scope: Any, still: Callable[[], bool]) -> None:
    """``still`` is asked before each event of this request's answer."""
    scope["state"][_KEY] = still


class OpenStreams:
    """ASGI wrapper. The application hears of the end as if the browser had gone."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP or not scope["path"].startswith("/events/"):
            await self._app(scope, receive, send)
            return
        over = asyncio.Event()

        async def send_while_signed_in(message: Message) -> None:
            still = cast("dict[str, Any]", scope).get("state", {}).get(_KEY)
            if message["type"] == "http.response.body" and still is not None and not still():
                over.set()
            if not over.is_set():
                await send(message)

        async def receive_until_over() -> Any:
            hearing = asyncio.ensure_future(receive())
            ending = asyncio.ensure_future(over.wait())
            try:
                await asyncio.wait({hearing, ending}, return_when=asyncio.FIRST_COMPLETED)
                return hearing.result() if hearing.done() else {"type": "http.disconnect"}
            finally:
                hearing.cancel()
                ending.cancel()

        await self._app(scope, receive_until_over, send_while_signed_in)
        if over.is_set():
            await send({"type": "http.response.body", "body": b"", "more_body": False})
