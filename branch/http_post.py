"""One POST over HTTP/1.1, with a bound on all of its time; no redirects, no proxy, no cookies."""

import asyncio
import contextlib
import ssl
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit


class BadAnswer(Exception):
    """What came back was not HTTP."""


async def post(url: str, headers: Mapping[str, str], body: bytes, timeout_s: float) -> int:
    """Send ``body``; returns the answer's status. Raises OSError (no connection, a certificate
    that does not hold), TimeoutError, BadAnswer.
    """
    parts = urlsplit(url)
    async with asyncio.timeout(timeout_s):
        secure = parts.scheme == "https"
        reader, writer = await asyncio.open_connection(
            parts.hostname,
            parts.port or (443 if secure else 80),
            ssl=ssl.create_default_context() if secure else None,
        )
        try:
            writer.write(_head(parts, headers, len(body)) + body)
            await writer.drain()
            try:
                line = await reader.readline()
            except ValueError as error:
                raise BadAnswer("a status line without an end") from error
            return _status(line)
        finally:
            writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                await writer.wait_closed()


def _head(parts: SplitResult, headers: Mapping[str, str], length: int) -> bytes:
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    host = parts.netloc
    lines = [
        f"POST {target} HTTP/1.1",
        f"Host: {host}",
        f"Content-Length: {length}",
        "Connection: close",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join(lines).encode("ascii") + b"\r\n\r\n"


def _status(line: bytes) -> int:
    version, _, rest = line.partition(b" ")
    code = rest[:3]
    if not version.startswith(b"HTTP/1.") or not code.isdigit() or len(code) != 3:
        raise BadAnswer(f"not an answer of HTTP/1: {line[:40]!r}")
    return int(code)
