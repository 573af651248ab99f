"""A small network of network namespaces: a hub with a switch in it, and leaves on cables.

    with Network(("kiosk-1", "branch-1")) as network:
        ...                                    # this process is at the hub now
        network.cut("kiosk-1", Cut.SILENT)
        network.mend("kiosk-1", Cut.SILENT)

Every namespace, interface and address is the network's own: nothing of it is in the host's, and
nothing outside can be reached from it. Each leaf has two cables to the hub: ``lan`` to the switch,
which may be cut, and ``bench`` for what stands beside it (a printer), which stays whole. The
namespaces are called ``lobby-PID-NAME``; those of a process that is no more are removed with what
runs in them before new ones are made.
"""

import contextlib
import ctypes
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from types import TracebackType

from simulator.errors import MissingProgram, NotStarted

HUB = "hub"
HUB_HOST = "10.0.0.1"
NAMED = Path("/run/netns")
LOSS_PERCENT = 30
DELAY_MS, JITTER_MS = 40, 20
CLONE_NEWNET = 0x40000000
SYSTEM_FOLDERS = ("/usr/sbin", "/sbin")
"""Where Debian puts ip; not in everybody's PATH."""
NEEDS_ROOT = (
    "network namespaces cannot be made here ({error}); run it as root, in a virtual machine or"
    " a container with the rights SYS_ADMIN and NET_ADMIN"
)

_OURS = re.compile(r"lobby-(\d+)-.+")


class Cut(StrEnum):
    """How a leaf loses the network."""

    CABLE = "cable"
    """Its cable is out: the interface sees that the carrier is gone."""
    INTERFACE = "interface"
    """Its interface is down: its routes are gone, connecting fails at once."""
    SILENT = "silent"
    """The switch drops everything: both ends think that the link is up, no RST ever comes."""
    LOSS = "loss"
    """A third of the packets is lost, the others are late."""


class Network:
    """The hub and ``leaves``. Inside ``with`` the calling thread, and what it starts, is at the
    hub.
    """

    def __init__(self, leaves: Sequence[str]) -> None:
        """Raises MissingProgram."""
        self._ip, self._tc = _found("ip"), _found("tc")
        self._inside = False
        self._leaves = {name: number for number, name in enumerate(leaves, 1)}
        self.cuts: list[Cut] = [cut for cut in Cut if cut is not Cut.LOSS]
        """What this kernel can do."""

    def __enter__(self) -> "Network":
        """Raises NotStarted, with what to do, where the rights are missing."""
        remove_leftovers(self._ip)
        self._home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._build()
            _enter(NAMED / namespace(HUB))
            self._inside = True
            if self._can_lose():
                self.cuts.append(Cut.LOSS)
        except BaseException as error:
            self.__exit__(None, None, None)
            if isinstance(error, (OSError, subprocess.CalledProcessError)):
                told = getattr(error, "stderr", "") or str(error)
                raise NotStarted(NEEDS_ROOT.format(error=told.strip())) from error
            raise
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if self._inside:
            _set_namespace(self._home)
        os.close(self._home)
        for name in (*self._leaves, HUB):
            if (NAMED / namespace(name)).exists():
                _remove(self._ip, namespace(name))

    # --- where things are ---------------------------------------------------------------------

    def prefix(self, leaf: str) -> tuple[str, ...]:
        """The words before a command that is to run there."""
        return (self._ip, "netns", "exec", namespace(leaf))

    def bench_host(self, leaf: str) -> str:
        """The hub's address on the cable that is never cut."""
        return f"10.0.{self._leaves[leaf]}.1"

    # --- faults -------------------------------------------------------------------------------

    def cut(self, leaf: str, how: Cut) -> None:
        """Take ``leaf`` off the switch. Raises OSError, CalledProcessError."""
        number = self._leaves[leaf]
        match how:
            case Cut.CABLE:
                self._at(HUB, f"link set lan{number} down")
            case Cut.INTERFACE:
                self._at(leaf, "link set lan down")
            case Cut.SILENT:
                self._at(HUB, f"link set lan{number} nomaster")
            case Cut.LOSS:
                self._lose(f"lan{number}")

    def mend(self, leaf: str, how: Cut) -> None:
        """Take the fault back; harmless when it is mended."""
        number = self._leaves[leaf]
        match how:
            case Cut.CABLE:
                self._at(HUB, f"link set lan{number} up")
            case Cut.INTERFACE:
                self._at(leaf, "link set lan up")
            case Cut.SILENT:
                self._at(HUB, f"link set lan{number} master switch")
            case Cut.LOSS:
                self._lose_no_more(f"lan{number}")

    # --- building -----------------------------------------------------------------------------

    def _build(self) -> None:
        for name in (HUB, *self._leaves):
            _call(self._ip, "netns", "add", namespace(name))
            self._at(name, "link set lo up")
        self._at(HUB, "link add switch type bridge")
        self._at(HUB, f"address add {HUB_HOST}/24 dev switch")
        self._at(HUB, "link set switch up")
        for name, number in self._leaves.items():
            for cable in ("lan", "bench"):
                there = f"peer name {cable} netns {namespace(name)}"
                self._at(HUB, f"link add {cable}{number} type veth {there}")
            self._at(HUB, f"link set lan{number} master switch")
            self._at(HUB, f"address add {self.bench_host(name)}/24 dev bench{number}")
            self._at(name, f"address add 10.0.0.{number + 1}/24 dev lan")
            self._at(name, f"address add 10.0.{number}.2/24 dev bench")
            for cable in ("lan", "bench"):
                self._at(HUB, f"link set {cable}{number} up")
                self._at(name, f"link set {cable} up")

    def _can_lose(self) -> bool:
        """Whether the kernel has netem and the command tc is there."""
        try:
            self._lose("switch")
        except subprocess.CalledProcessError:
            return False
        self._lose_no_more("switch")
        return True

    def _lose(self, interface: str) -> None:
        loss = f"netem loss {LOSS_PERCENT}% delay {DELAY_MS}ms {JITTER_MS}ms"
        _call(self._tc, *f"qdisc add dev {interface} root {loss}".split())

    def _lose_no_more(self, interface: str) -> None:
        _call(self._tc, *f"qdisc del dev {interface} root".split())

    def _at(self, name: str, words: str) -> None:
        _call(self._ip, "-n", namespace(name), *words.split())


def namespace(name: str, pid: int | None = None) -> str:
    """The name of a namespace of this process, or of another."""
    return f"lobby-{pid or os.getpid()}-{name}"


def owner(name: str) -> int | None:
    """The process that made the namespace of this name; None if it is not one of ours."""
    found = _OURS.fullmatch(name)
    return int(found[1]) if found else None


def remove_leftovers(ip: str, named: Path = NAMED) -> list[str]:
    """Remove namespaces of proofs that were killed, with what runs in them; returns their
    names.
    """
    removed = []
    for path in sorted(named.glob("lobby-*")):
        pid = owner(path.name)
        if pid is not None and not Path(f"/proc/{pid}").exists():
            _remove(ip, path.name)
            removed.append(path.name)
    return removed


def _remove(ip: str, name: str) -> None:
    """End what runs in there, and remove it; its interfaces go with it."""
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        for pid in _call(ip, "netns", "pids", name).split():
            if int(pid) != os.getpid():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
        _call(ip, "netns", "del", name)


def _found(program: str) -> str:
    path = os.pathsep.join((os.environ.get("PATH", ""), *SYSTEM_FOLDERS))
    found = shutil.which(program, path=path)
    if found is None:
        raise MissingProgram(
            f"the command {program} is not installed; run `make setup`, or"
            " `apt-get install iproute2`"
        )
    return found


def _call(*command: str) -> str:
    """Run it. Raises CalledProcessError."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _enter(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _set_namespace(fd)
    finally:
        os.close(fd)


def _set_namespace(fd: int) -> None:
    """Take the calling thread there. ``os.setns`` comes with Python 3.12."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
