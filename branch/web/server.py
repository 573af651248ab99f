"""Listening: a port that is ours before anything else starts, a server inside the running loop.

The errors:

    BranchError
    └── CannotListen    the address cannot be used; the message says what to change
        └── PortTaken   another program listens there
"""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Iterator

import uvicorn
from litestar import Litestar

from branch.errors import BranchError

OTHER_PORTS = 50
"""How many ports above the wanted one are tried when another is allowed."""

BACKLOG = 128
HIGHEST_PORT = 65535

GRACE_S = 1
"""Open answers get this long to end at a stop; with uvicorn's own steps it stays below 2 s."""


class CannotListen(BranchError):
    """The address cannot be used; the message names it and says what to do."""


class PortTaken(CannotListen):
    """Another program listens on this port."""


def bind(host: str, port: int, *, allow_other: bool = False) -> socket.socket:
    """A listening socket on host:port; ``getsockname()[1]`` says which port it took.

    With ``allow_other`` the next free of the OTHER_PORTS above is taken instead of a busy one.
    Raises PortTaken when the port (or all of them) is busy, CannotListen for any other refusal.
    The caller closes the socket.
    """
    last = min(port + OTHER_PORTS, HIGHEST_PORT) if allow_other and port else port
    for candidate in range(port, last + 1):
        try:
            return _listen(host, candidate)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise CannotListen(_refusal(host, candidate, error)) from error
    if allow_other:
        raise PortTaken(
            f"ports {port} to {last} on {host} are all taken; stop a program that listens there "
            "or choose another port: http.port in its configuration"
        )
    raise PortTaken(
        f"port {port} on {host} is taken by another program; stop it "
        f"(`ss -ltnp 'sport = :{port}'` shows which it is) "
        "or choose another port: http.port in its configuration"
    )


def _listen(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        # With SO_REUSEADDR two may bind while none listens: only listening makes the port ours.
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def _refusal(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EACCES:
        return f"port {port} needs root; choose one above 1023: http.port in its configuration"
    if error.errno == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
        return (
            f"{host} is not an address of this machine ({error.strerror}); expected 127.0.0.1, "
            "0.0.0.0 or one of its own: http.host in its configuration"
        )
    return f"cannot listen on {host}:{port}: {error.strerror or error}; see http in branch.toml"


class _Server(uvicorn.Server):
    """Leaves signals to the program that the server is a part of; says when it answers."""

    def __init__(self, config: uvicorn.Config, answering: asyncio.Event) -> None:
        super().__init__(config)
        self._answering = answering

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._answering.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(
    app: Litestar,
    listener: socket.socket,
    *,
    stop: asyncio.Event,
    started: asyncio.Event | None = None,
    access_log: bool = False,
) -> None:
    """Serve ``app`` on a socket of ``bind`` until ``stop`` is set or the caller is cancelled.

    Sets ``started`` when requests are answered. At the end it ends the event streams, gives open
    answers GRACE_S, and closes the socket: at most 2 s in all.
    """
    server = _Server(
        uvicorn.Config(
            app,
            lifespan="on",
            log_config=None,
            access_log=access_log,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=GRACE_S,
            backlog=BACKLOG,
        ),
        started or asyncio.Event(),
    )
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="http")
    stopping = asyncio.create_task(stop.wait(), name="http-stop")
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        feed = app.state.get("feed")  # head office's application has no streams
        if feed is not None:
            feed.close()
        server.should_exit = True
        # A second cancellation ends the wait, not the tidying.
        await asyncio.shield(serving)
        listener.close()
