"""A Unix socket on the window, for tests and simulated people: read the screen, touch it.

JSON, one object a line, answers in the order of the requests of a connection::

    {"op": "describe"}                                      -> {"ok": true, "screen": {...}}
    {"op": "describe_after", "revision": 7, "timeout_s": 2} -> the same, once it is newer, or then
    {"op": "tap", "x": 540, "y": 538, "hold_ms": 0}         -> {"ok": true, "control": "service.A",
                                                                "touch_id": "..."} or null, null;
                                                               "seen_ms": 9.1, "lifted_at_s": 7.25
    {"op": "slide", "x": 540, "y": 538, "to_x": 540, "to_y": 100, "hold_ms": 0}   -> like tap
    {"op": "screenshot", "path": "/tmp/kiosk.png"}          -> {"ok": true, "path": "..."}

``seen_ms`` is from the request to the frame that shows the touch, null if none did;
``lifted_at_s`` is when the finger was lifted, by the machine's monotonic clock.

Anything else is answered with {"ok": false, "error": "..."}. Whoever can open the socket can use
the kiosk, so it has mode 0600 and is started only where the configuration asks for a bench.
"""

import asyncio
import json
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from kiosk.errors import KioskError
from kiosk.ui import WindowError
from kiosk.ui.window import KioskWindow

if TYPE_CHECKING:
    from kiosk.ui.fingers import Fingers

OPS = ("describe", "describe_after", "tap", "slide", "screenshot", "frames")
LONGEST_LINE = 65_536  # bytes
LONGEST_WAIT_S = 60.0
LONGEST_HOLD_MS = 60_000


class Bench:
    """The listening socket; made by :func:`start_bench`."""

    def __init__(self, window: KioskWindow, path: Path) -> None:
        self.path = path
        self._window = window
        self._fingers: Fingers | None = None
        self._server: asyncio.Server | None = None
        self._talks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen; raise :class:`WindowError` if the path cannot be a socket."""
        from kiosk.ui.fingers import Fingers

        listener = _listen(self.path)
        self._fingers = Fingers()
        self._server = await asyncio.start_unix_server(
            self._talk, sock=listener, limit=LONGEST_LINE
        )

    async def close(self) -> None:
        """Hang up on everybody and remove the socket."""
        if self._server is None:
            return
        self._server.close()
        if self._fingers is not None:
            self._fingers.stop()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None
        self.path.unlink(missing_ok=True)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        self._talks.add(task)
        try:
            while line := await reader.readline():
                answer = await self._answer(line)
                writer.write(json.dumps(answer, ensure_ascii=False).encode() + b"\n")
                await writer.drain()
        except ValueError:  # the line is longer than the limit: there is no next one to find
            writer.write(b'{"ok": false, "error": "a line is at most 65536 bytes"}\n')
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._talks.discard(task)
            writer.close()

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
            if not isinstance(request, dict):
                raise WindowError("a request is a JSON object with an op")
            return {"ok": True, **await self._do(request)}
        except KioskError as error:
            return {"ok": False, "error": str(error)}
        except ValueError as error:
            return {"ok": False, "error": f"not JSON: {error}"}

    async def _do(self, request: dict[str, Any]) -> dict[str, Any]:
        match request.get("op"):
            case "describe":
                return {"screen": self._window.describe()}
            case "describe_after":
                revision = int(_number(request, "revision", 0, float("inf")))
                timeout_s = _number(request, "timeout_s", 0, LONGEST_WAIT_S, 10.0)
                return {"screen": await self._window.describe_after(revision, timeout_s)}
            case "tap":
                return await self._press(request, "x", "y")
            case "slide":
                return await self._press(request, "to_x", "to_y")
            case "frames":
                drawn, dropped = self._window.frames
                return {"drawn": drawn, "dropped": dropped}
            case "screenshot":
                path = request.get("path")
                if not isinstance(path, str) or not path:
                    raise WindowError("screenshot: path must be a file name")
                self._window.screenshot(Path(path))
                return {"path": path}
            case other:
                raise WindowError(f"unknown op {other!r}; there are {', '.join(OPS)}")

    async def _press(self, request: dict[str, Any], to_x: str, to_y: str) -> dict[str, Any]:
        wide = float("inf")
        x, y, end_x, end_y = (_number(request, name, 0, wide) for name in ("x", "y", to_x, to_y))
        hold_ms = _number(request, "hold_ms", 0, LONGEST_HOLD_MS, 0.0)
        if self._fingers is None:
            raise WindowError("the bench is closed")
        felt = await self._fingers.press((x, y), (end_x, end_y), hold_ms / 1000)
        control, touch_id = felt.accepted or (None, None)
        seen_ms = (felt.seen_at_s - felt.asked_at_s) * 1000 if felt.seen_at_s else None
        return {
            "control": control,
            "touch_id": touch_id,
            "seen_ms": seen_ms,
            "lifted_at_s": felt.lifted_at_s,
        }


async def start_bench(window: KioskWindow, path: Path) -> Bench:
    """Listen on ``path`` with mode 0600; raise :class:`WindowError` if that cannot be."""
    bench = Bench(window, path)
    await bench.start()
    return bench


def _listen(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)  # the file never exists with a wider mode
    try:
        if path.is_socket():
            path.unlink()
        listener.bind(str(path))
    except OSError as error:
        listener.close()
        reason = error.strerror or str(error)
        raise WindowError(f"{path}: cannot be the bench's socket: {reason}") from error
    finally:
        os.umask(before)
    return listener


def _number(
    request: dict[str, Any], name: str, least: float, most: float, default: float | None = None
) -> float:
    value = request.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise WindowError(f"{request['op']}: {name} must be a number, not {value!r}")
    if not least <= value <= most:
        raise WindowError(f"{request['op']}: {name} must be {least:g} to {most:g}, not {value:g}")
    return value
