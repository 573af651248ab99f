"""A branch on a bench: broker, branch server and kiosks as processes that a proof may kill, and a
witness that outlives them.

    async with Stand(folder, seed=7) as stand:
        await stand.start("branch-1")
        await stand.start("kiosk-1")
        ...
        stand.programs["kiosk-1"].kill()
        await stand.programs["kiosk-1"].ended()
        await stand.start("kiosk-1", crash="outbox.sent:3")
        ...
        await stand.settle()
        verdict = stand.judge()

The printers stand here, in the proof's own process, and so does what visitors saw: paper that came
out stays out. A kiosk's visitors come by themselves as soon as it is up. ``Place`` puts a program
behind a prefix command (``ip netns exec NAME``), gives it a broker address of its own or a data
folder on another disk; behind a prefix a fresh interpreter is started, else a fork of the zygote.
"""

import asyncio
import contextlib
import os
import random
import signal
import socket
import struct
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from hal.sim.paper import PrintedSlip
from hal.sim.printer import SimPrinter
from hal.sim.printer_ports import TcpPrinter
from simulator.errors import NotStarted
from simulator.mosquitto import Mosquitto
from simulator.prove.programs import BranchSettings, KioskSettings
from simulator.prove.witness import Verdict, Witness

BRANCH = "branch-1"
DIES_WITH_US = ("setpriv", "--pdeathsig", "KILL")
"""For the broker. As root it changes its user and loses this: then only a kill -9 of the proof
itself leaves it behind.
"""
BANDS = range(1, 10)
BUSINESS_DATE = "2026-11-23"
START_S = 20.0
STOP_S = 15.0
DRAIN_S = 90.0
POLL_S = 0.05
LAST_WORDS = 2_000

Heard = Callable[[str, dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a program runs. Empty fields are the stand's own: no prefix, its broker, its
    folder. ``printer_host`` is the address of this machine on which a kiosk's printer listens.
    """

    prefix: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    broker_host: str = ""
    printer_host: str = "127.0.0.1"
    data_dir: Path | None = None


@dataclass(slots=True)
class Program:
    """One life of a program."""

    name: str
    token: str
    pid: int = 0
    pidfd: int = -1
    up: bool = False
    killed: bool = False
    stopped: bool = False
    """Whether it said goodbye."""
    line: socket.socket | None = None
    connected: asyncio.Event = field(default_factory=asyncio.Event)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    told_backlog: tuple[int, bool] | None = None

    @property
    def alive(self) -> bool:
        """Whether it has not ended, as far as is known."""
        return not self.gone.is_set()

    def kill(self) -> None:
        """SIGKILL, by a descriptor of this very process; harmless when it is gone."""
        self.killed = True
        with contextlib.suppress(ProcessLookupError):
            if self.pidfd >= 0:
                signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)

    def tell(self, **command: Any) -> None:
        """Send one command; lost when it is dying."""
        if self.line is not None and self.alive:
            with contextlib.suppress(OSError):
                self.line.send(msgspec.json.encode(command) + b"\n")

    async def ended(self) -> None:
        """Wait until it is gone and everything that it said was heard."""
        await self.gone.wait()

    async def wait_up(self, timeout_s: float = START_S) -> bool:
        """Wait until it works; False when it ended, or the time is over, first."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while not self.up and self.alive:
                    self.news.clear()
                    await self.news.wait()
        return self.up and self.alive

    async def backlog(self) -> tuple[int, bool] | None:
        """A kiosk's unacknowledged events and whether its first screen is up; None when it
        does not answer.
        """
        self._forget_backlog()
        self.tell(do="backlog")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                while self.told_backlog is None and self.alive:
                    self.news.clear()
                    await self.news.wait()
        return self.told_backlog

    def _forget_backlog(self) -> None:
        self.told_backlog = None


class Stand:
    """The bench. ``heard`` is called with each line that a program says, after the witness."""

    def __init__(
        self,
        folder: Path,
        *,
        seed: int,
        kiosks: tuple[str, ...] = ("kiosk-1", "kiosk-2"),
        places: Mapping[str, Place] | None = None,
        broker_host: str = "127.0.0.1",
        business_date: str = BUSINESS_DATE,
        pace_ms: float = 0.0,
        env: Mapping[str, str] | None = None,
        heard: Heard = lambda _name, _line: None,
    ) -> None:
        """``broker_host`` is an address of this machine that the broker listens on; ``pace_ms``
        the mean time between two visitors; ``env`` goes to every program.
        """
        self.folder = folder
        self.kiosks = kiosks
        self.witness = Witness()
        self.programs: dict[str, Program] = {}
        """The newest life of each program, by name."""
        self.printers: dict[str, SimPrinter] = {}
        self.heard = heard
        self._places = places or {}
        self._broker_host = broker_host
        self._date = business_date
        self._pace_ms = pace_ms
        self._env = dict(env or {})
        self._chance = random.Random(seed)
        self._starts = 0
        self._waiting: dict[str, Program] = {}
        self._ports: dict[str, TcpPrinter] = {}
        self._readers: set[asyncio.Task[None]] = set()
        self._processes: list[asyncio.subprocess.Process] = []

    async def __aenter__(self) -> "Stand":
        self.folder.mkdir(parents=True, exist_ok=True)
        # A path of a Unix socket has at most 107 bytes; the proof's folder may be deep.
        self._socket_folder = tempfile.TemporaryDirectory(prefix="lobby-stand-")
        self._control = str(Path(self._socket_folder.name) / "control")
        try:
            self._server = socket.socket(socket.AF_UNIX)
            self._server.setblocking(False)
            self._server.bind(self._control)
            self._server.listen()
            self._accepting = asyncio.create_task(self._keep_accepting())
            for name in self.kiosks:
                await self._plug_in(name)
            self.broker = await asyncio.to_thread(
                Mosquitto, self.folder, host=self._broker_host, prefix=DIES_WITH_US
            )
            self._zygote = await self._spawn((), {}, "zygote", piped=True)
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        for program in self.programs.values():
            program.kill()
        for process in self._processes:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if hasattr(self, "broker"):
            self.broker.kill()
        for port in self._ports.values():
            await port.unplug()
        if hasattr(self, "_server"):
            if hasattr(self, "_accepting"):
                self._accepting.cancel()
                await asyncio.gather(self._accepting, return_exceptions=True)
            self._server.close()
        if self._readers:  # each ends with its program
            await asyncio.wait(self._readers, timeout=STOP_S)
        self._socket_folder.cleanup()

    # --- programs ---------------------------------------------------------------------------

    async def start(self, name: str, *, crash: str = "", wait_up: bool = True) -> Program:
        """Start a kiosk or the branch server. ``crash`` (``name:n``) arms a crash point before
        anything else is done. Raises NotStarted when it never said a word, or runs already.
        """
        if name in self.programs and self.programs[name].alive:
            raise NotStarted(f"{name} runs already; two of a name would share its database")
        self._starts += 1
        program = Program(name, f"{self._starts}")
        place = self._places.get(name, Place())
        settings = msgspec.json.encode(self._settings(name, program.token, place, crash))
        self._waiting[program.token] = program
        self.programs[name] = program
        if place.prefix or place.env:
            await self._spawn(place.prefix, place.env, "run", settings.decode())
        else:
            assert self._zygote.stdin is not None
            self._zygote.stdin.write(settings + b"\n")
        try:
            async with asyncio.timeout(START_S):
                await program.connected.wait()
        except TimeoutError:
            raise NotStarted(f"{name} did not start: {self.last_words(name)}") from None
        if wait_up:
            await program.wait_up()
            if not (program.up or crash):
                await program.ended()
                raise NotStarted(f"{name} ended by itself: {self.last_words(name)}")
        return program

    async def stop(self, name: str) -> None:
        """Stop a program in good order. Raises NotStarted when it does not end so."""
        program = self.programs[name]
        program.tell(do="stop")
        try:
            async with asyncio.timeout(STOP_S):
                await program.ended()
        except TimeoutError:
            program.kill()
            await program.ended()
        if not program.stopped:
            raise NotStarted(f"{name} did not stop in good order: {self.last_words(name)}")

    async def kill_broker(self, pause_s: float = 0.0) -> None:
        """SIGKILL for the broker, and a new one on its port."""
        await asyncio.to_thread(self.broker.kill)
        await asyncio.sleep(pause_s)
        await asyncio.to_thread(self.broker.start_again)

    async def drain(self, timeout_s: float = DRAIN_S) -> bool:
        """Let no more visitors in and wait until the branch has everything; False when the time
        is over first. Every program must be up.
        """
        give_up_s = asyncio.get_running_loop().time() + timeout_s
        for name in self.kiosks:
            self.programs[name].tell(do="pause")
        for name in self.kiosks:
            while await self.programs[name].backlog() != (0, True):
                if asyncio.get_running_loop().time() > give_up_s:
                    return False
                await asyncio.sleep(POLL_S)
        return True

    async def settle(self) -> bool:
        """Start what is down, drain, stop everything in good order. Raises NotStarted."""
        for name in (BRANCH, *self.kiosks):
            if name not in self.programs or not self.programs[name].alive:
                await self.start(name)
        drained = await self.drain()
        for name in (*self.kiosks, BRANCH):
            await self.stop(name)
        return drained

    def judge(self) -> Verdict:
        """What became of what the witness saw. Every program must have stopped."""
        return self.witness.judge(
            self.data_dir(BRANCH) / "branch.db",
            {name: self.data_dir(name) / "journal.db" for name in self.kiosks},
        )

    def data_dir(self, name: str) -> Path:
        """Where the program keeps its database."""
        place = self._places.get(name, Place())
        return place.data_dir or self.folder / name

    def last_words(self, name: str) -> str:
        """The end of the program's log."""
        with contextlib.suppress(OSError):
            return self.log(name).read_text("utf-8", "replace")[-LAST_WORDS:].strip()
        return "it said nothing"

    def crashes(self, name: str) -> list[str]:
        """The crash points that the program died at, in order."""
        with contextlib.suppress(OSError):
            return self._crash_log(name).read_text("ascii").split()
        return []

    def _crash_log(self, name: str) -> Path:
        return self.folder / f"{name}.crashes"

    def log(self, name: str) -> Path:
        """Where the program's standard error goes."""
        return self.folder / f"{name}.log"

    def logged(self, name: str) -> Counter[str]:
        """What the program logged, by event."""
        found: Counter[str] = Counter()
        if self.log(name).exists():
            for line in self.log(name).read_text("utf-8", "replace").splitlines():
                with contextlib.suppress(msgspec.DecodeError, AttributeError):
                    found[str(msgspec.json.decode(line).get("event", "?"))] += 1
        return found

    def _settings(
        self, name: str, token: str, place: Place, crash: str
    ) -> KioskSettings | BranchSettings:
        broker_host = place.broker_host or self.broker.host
        log, crash_log = str(self.log(name)), str(self._crash_log(name))
        data_dir = str(self.data_dir(name))
        if name not in self.kiosks:
            return BranchSettings(
                name, self._control, token, log, data_dir, broker_host, self.broker.port,
                crash, crash_log,
            )  # fmt: skip
        printer = self._ports[name].address
        share = len(BANDS) // len(self.kiosks)
        mine = self.kiosks.index(name) * share
        first, *spare = BANDS[mine : mine + share]
        return KioskSettings(
            name, self._control, token, log, data_dir, broker_host, self.broker.port,
            crash, crash_log, printer=printer, band=first, spare_bands=spare,
            today=self._date, seed=self._chance.getrandbits(32), pace_ms=self._pace_ms,
        )  # fmt: skip

    async def _spawn(
        self, prefix: tuple[str, ...], env: Mapping[str, str], *words: str, piped: bool = False
    ) -> asyncio.subprocess.Process:
        with (self.folder / "programs.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *prefix, sys.executable, "-m", "simulator.prove.programs", *words,
                stdin=asyncio.subprocess.PIPE if piped else asyncio.subprocess.DEVNULL,
                stdout=log, stderr=log, env={**os.environ, **self._env, **env},
                start_new_session=True,
            )  # fmt: skip
        self._processes.append(process)
        return process

    # --- what is heard and seen ---------------------------------------------------------------

    async def _keep_accepting(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            line, _ = await loop.sock_accept(self._server)
            task = asyncio.create_task(self._listen(line))
            self._readers.add(task)
            task.add_done_callback(self._readers.discard)

    async def _listen(self, line: socket.socket) -> None:
        """Hear a program until it is gone. On the bare socket: what a program said last is still
        in it when a command of ours has failed or was never read, and a stream would drop it.
        """
        loop = asyncio.get_running_loop()
        program: Program | None = None
        rest = b""
        with line:
            while True:
                try:
                    data = await loop.sock_recv(line, 65_536)
                except OSError:
                    break
                if not data:
                    break
                *lines, rest = (rest + data).split(b"\n")  # the rest was cut off by a kill
                for said in map(msgspec.json.decode, lines):
                    if program is None:
                        program = self._met(said["token"], line)
                    else:
                        self._hear(program, said)
            if program is not None:
                await self._gone(program)

    def _met(self, token: str, line: socket.socket) -> Program:
        program = self._waiting.pop(token)
        program.line = line
        program.pid = _peer(line)
        with contextlib.suppress(ProcessLookupError):
            program.pidfd = os.pidfd_open(program.pid)
        program.connected.set()
        return program

    async def _gone(self, program: Program) -> None:
        if program.pidfd >= 0:
            loop = asyncio.get_running_loop()
            dead = asyncio.Event()
            loop.add_reader(program.pidfd, dead.set)
            try:
                await dead.wait()
            finally:
                loop.remove_reader(program.pidfd)
                os.close(program.pidfd)
                program.pidfd = -1
        self.witness.ended(program.name)
        program.gone.set()
        program.news.set()

    def _hear(self, program: Program, line: dict[str, Any]) -> None:
        match line["did"]:
            case "up":
                program.up = True
            case "stopped":
                program.stopped = True
            case "backlog":
                program.told_backlog = (line["events"], line["at_home"])
            case "tapped":
                self.witness.tapped(line["touch"])
            case "shown" if "number" in line:
                self.witness.shown(program.name, line["number"])
        self.heard(program.name, line)
        program.news.set()

    async def _plug_in(self, kiosk: str) -> None:
        def slip_out(slip: PrintedSlip) -> None:
            self.witness.slip(slip.number, slip.lines, complete=slip.complete)

        self.printers[kiosk] = SimPrinter(on_slip=slip_out)
        host = self._places.get(kiosk, Place()).printer_host
        self._ports[kiosk] = TcpPrinter(self.printers[kiosk], host=host)
        await self._ports[kiosk].plug_in()


def _peer(sock: socket.socket) -> int:
    """The process id at the other end of a Unix socket."""
    size = struct.calcsize("3i")
    told = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    return int(struct.unpack("3i", told)[0])
