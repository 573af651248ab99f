"""The server on a real port: event streams, their number, the stop, a port that is taken."""

import asyncio
import contextlib
import errno
import json
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from branch.web.app import create_app
from branch.web.server import PortTaken, _refusal, bind, serve
from tests.ui.web_branch import ToyBranch

STREAMS = 100


@dataclass
class Running:
    """A server that answers, and how to stop it."""

    url: str
    branch: ToyBranch
    stop: asyncio.Event
    task: asyncio.Task[None]
    app: Any


@contextlib.asynccontextmanager
async def running(branch: ToyBranch, **settings: Any) -> AsyncIterator[Running]:
    app = create_app(branch, version="1", **settings)
    listener = bind("127.0.0.1", 0)
    stop, started = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(serve(app, listener, stop=stop, started=started))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    await asyncio.wait_for(started.wait(), 5)
    try:
        yield Running(url, branch, stop, task, app)
    finally:
        stop.set()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def eventually(condition: Callable[[], bool], within_s: float = 5) -> None:
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)


async def streams_are(server: Running, number: int) -> None:
    await eventually(lambda: server.app.state.feed.open_streams == number)


async def events(client: httpx.AsyncClient, path: str) -> AsyncIterator[tuple[str, Any]]:
    """The name and data of each event; ("", None) for a keep-alive comment."""
    async with client.stream("GET", path) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        name = ""
        async for line in answer.aiter_lines():
            if line.startswith(": keep-alive"):
                yield "", None
            elif line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                yield name, json.loads(line.removeprefix("data: "))


async def test_a_call_reaches_100_streams_within_a_second() -> None:
    branch = ToyBranch()
    limits = httpx.Limits(max_connections=STREAMS + 2)
    async with (
        running(branch) as server,
        httpx.AsyncClient(base_url=server.url, limits=limits, timeout=10) as client,
    ):
        streams = [events(client, "/events/board") for _ in range(STREAMS)]
        first = await asyncio.gather(*(anext(stream) for stream in streams))
        assert {name for name, _ in first} == {"board"}
        assert all(page["calls"] == [] for _, page in first)

        before = branch.boards_made
        began = time.perf_counter()
        branch.announce("A035", 1, "10:24")
        pages = await asyncio.gather(*(anext(stream) for stream in streams))
        took_s = time.perf_counter() - began
        assert all(page["calls"][0]["number"] == "A035" for _, page in pages)
        assert took_s < 1.0
        assert branch.boards_made - before == 1, "one encoding for all streams"
        assert server.app.state.feed.open_streams == STREAMS

        for stream in streams:
            await stream.aclose()  # type: ignore[attr-defined]
        await streams_are(server, 0)


async def test_a_counter_stream_speaks_the_asked_language() -> None:
    branch = ToyBranch()
    branch.take_ticket("B017", 4)
    async with running(branch) as server, httpx.AsyncClient(base_url=server.url) as client:
        english = events(client, "/events/counter/2?lang=en")
        chinese = events(client, "/events/counter/2")
        for stream, heading in ((english, "Free"), (chinese, "空闲")):
            name, page = await anext(stream)
            assert (name, page["heading"]) == ("counter", heading)
        headers = {"Idempotency-Key": "k"}
        assert (await client.post("/api/counters/2/call-next", headers=headers)).is_success
        for stream, heading in ((english, "Calling"), (chinese, "正在呼叫")):
            _, page = await anext(stream)
            assert (page["heading"], page["number"]) == (heading, "B017")
            assert page["primary"]["name"] == "start"


async def test_figures_are_refreshed_and_the_line_kept_alive() -> None:
    branch = ToyBranch()
    async with (
        running(branch, refresh_s=0.15, keep_alive_s=0.1) as server,
        httpx.AsyncClient(base_url=server.url) as client,
    ):
        stream = events(client, "/events/board")
        assert (await anext(stream))[0] == "board"
        branch.clock = "10:25"
        seen = []
        async with asyncio.timeout(5):
            async for name, page in stream:
                seen.append(name)
                if name and page["clock"] == "10:25" and "" in seen:
                    break


async def test_a_branch_that_does_not_answer_sends_comments_only() -> None:
    branch = ToyBranch()
    async with (
        running(branch, refresh_s=0.05, keep_alive_s=0.1) as server,
        httpx.AsyncClient(base_url=server.url) as client,
    ):
        branch.frozen = True
        stream = events(client, "/events/board")
        async with asyncio.timeout(5):
            comments = 0
            while comments < 3:
                name, _ = await anext(stream)
                comments = 0 if name else comments + 1


async def test_the_stop_ends_open_streams_within_two_seconds() -> None:
    async with running(ToyBranch()) as server, httpx.AsyncClient(base_url=server.url) as client:
        stream = events(client, "/events/board")
        await anext(stream)
        began = time.perf_counter()
        server.stop.set()
        await server.task
        assert time.perf_counter() - began < 2.0
        with pytest.raises(StopAsyncIteration):
            await anext(stream)
        with pytest.raises(httpx.ConnectError):
            await client.get("/healthz")


async def test_a_reader_that_does_not_read_cannot_hold_the_stop() -> None:
    branch = ToyBranch()
    async with running(branch, refresh_s=0.02) as server:
        host, port = server.url.removeprefix("http://").split(":")
        deaf = socket.create_connection((host, int(port)))
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        deaf.sendall(b"GET /events/board HTTP/1.1\r\nHost: x\r\n\r\n")
        await streams_are(server, 1)
        # More than the kernel holds for it: the stream has to wait for its reader.
        branch.announce("A" * 4_000_000, 1, "10:24")
        turned = server.app.state.feed.turn + 20
        await eventually(lambda: server.app.state.feed.turn > turned)
        began = time.perf_counter()
        server.stop.set()
        await server.task
        assert time.perf_counter() - began < 2.0
        deaf.close()


async def test_cancelling_stops_as_well() -> None:
    async with running(ToyBranch()) as server, httpx.AsyncClient(base_url=server.url) as client:
        stream = events(client, "/events/board")
        await anext(stream)
        server.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await server.task
        with pytest.raises(httpx.ConnectError):
            await client.get("/healthz")


async def test_signals_stay_with_the_program() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    async with running(ToyBranch()):
        assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


async def test_nothing_is_logged_for_a_request(caplog: pytest.LogCaptureFixture) -> None:
    async with running(ToyBranch()) as server, httpx.AsyncClient(base_url=server.url) as client:
        assert (await client.get("/api/board")).is_success
    assert not [record for record in caplog.records if record.name.startswith("uvicorn.access")]


def test_a_taken_port_is_named_and_says_what_to_do() -> None:
    with bind("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(PortTaken) as refused:
            bind("127.0.0.1", port)
        assert f"port {port} on 127.0.0.1 is taken" in str(refused.value)
        assert "http.port in its configuration" in str(refused.value)
        with bind("127.0.0.1", port, allow_other=True) as second:
            assert port < second.getsockname()[1] <= port + 50


def test_a_freed_port_is_taken_again_at_once() -> None:
    with bind("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            first.setblocking(True)
            first.accept()[0].close()
    with bind("127.0.0.1", port) as second:
        assert second.getsockname()[1] == port


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.EADDRNOTAVAIL, "x"), "192.0.2.1 is not an address of this machine"),
        (socket.gaierror(socket.EAI_NONAME, "x"), "http.host in its configuration"),
        (OSError(errno.EACCES, "x"), "port 80 needs root; choose one above 1023"),
        (OSError(errno.ENFILE, "too many files"), "192.0.2.1:80: too many files"),
    ],
)
def test_other_refusals_say_what_to_change(error: OSError, words: str) -> None:
    assert words in _refusal("192.0.2.1", 80, error)
