"""The file system calls of a program: recorded by strace and read.

strace writes every string as hex, so no comma, bracket or line end of the data is in the way. A
call that strace shows in two parts ("unfinished", "resumed") counts where it ended. A call that
failed has changed nothing and is left out.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from simulator.errors import BadInput, MissingProgram, NotStarted

RECORD_TIMEOUT_S = 120.0
READING = ("read", "readv")
"""Traced without their data, for the file position only."""
_TRACED = (
    "openat", "open", "creat", "close", "dup", "dup2", "dup3", "fcntl", "lseek",
    "write", "pwrite64", "writev", "pwritev", "pwritev2", "ftruncate", "truncate", "fallocate",
    "fsync", "fdatasync", "sync", "syncfs", "rename", "renameat", "renameat2",
    "unlink", "unlinkat", "link", "linkat", "symlink", "symlinkat", "mkdir", "mkdirat", "rmdir",
    "mmap", "sendfile", "copy_file_range", "splice", "sync_file_range", "io_uring_setup",
)  # fmt: skip
_CALL = re.compile(r"(\w+)\((.*)\)\s+= (0x[0-9a-f]+|-?\d+)(?:<([^>]*)>)?", re.ASCII)
_UNFINISHED = re.compile(r"(.*?),? *<unfinished \.\.\.>$")
_RESUMED = re.compile(r"<\.\.\. \w+ resumed>(.*)$")
_LINE = re.compile(r"(\d+)\s+(.*)$")
_BETWEEN = re.compile(r"[][{}(),]")
_DESCRIPTOR = re.compile(
    r"(AT_FDCWD|-?\d+|0x[0-9a-f]+)(?:<((?:\\x[0-9a-f]{2})*)>)?(?:\(deleted\))?$"
)
_BUFFER = re.compile(r'iov_base="((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')


@dataclass(frozen=True, slots=True)
class Call:
    """One finished call: its arguments as strace wrote them, what it returned (≥ 0)."""

    name: str
    arguments: tuple[str, ...]
    result: int

    def text(self, index: int) -> str:
        """The path in this argument."""
        return self.data(index).decode("utf-8", "surrogateescape")

    def data(self, index: int) -> bytes:
        """The bytes in this argument. Raises BadInput when strace has cut them short."""
        quoted = self.arguments[index]
        if not (quoted.startswith('"') and quoted.endswith('"')):
            raise BadInput(f"{self.name}: {quoted[:40]!r}; expected a whole string in hex")
        return unhex(quoted[1:-1])

    def buffers(self, index: int) -> bytes:
        """The data of a writev in this argument. Raises BadInput when strace has cut it short."""
        found = _BUFFER.findall(self.arguments[index])
        if any(cut for _, cut in found):
            raise BadInput(f"{self.name}: strace has cut its data short")
        return b"".join(unhex(data) for data, _ in found)

    def number(self, index: int) -> int:
        """The number in this argument, an open file's without its path."""
        found = _DESCRIPTOR.match(self.arguments[index])
        if found is None:
            raise BadInput(f"{self.name}: {self.arguments[index][:40]!r}; expected a number")
        return -100 if found[1] == "AT_FDCWD" else int(found[1], 0)

    def has(self, index: int, flag: str) -> bool:
        """Whether this argument's flags hold ``flag``."""
        return index < len(self.arguments) and flag in self.arguments[index].split("|")

    def path(self, index: int, folder: int | None = None) -> PurePosixPath:
        """The path in argument ``index``, below the folder that argument ``folder`` has open."""
        path = PurePosixPath(self.text(index))
        if folder is None or path.is_absolute():
            return path
        found = _DESCRIPTOR.match(self.arguments[folder])
        if found is None or found[2] is None:
            raise BadInput(f"{self.name}: {self.arguments[folder][:40]!r}; expected a folder")
        return PurePosixPath(unhex(found[2]).decode("utf-8", "surrogateescape")) / path


def unhex(text: str) -> bytes:
    r"""The bytes of ``\x41\x42``. Raises BadInput for anything else."""
    try:
        return bytes.fromhex(text.replace("\\x", ""))
    except ValueError:
        raise BadInput(f"{text[:40]!r}: expected bytes as strace -xx writes them") from None


def record(command: Sequence[str], trace: Path) -> None:
    """Run ``command`` and write its file system calls to ``trace``. Raises MissingProgram, and
    NotStarted when it cannot be traced or ends with an error.
    """
    strace = shutil.which("strace")
    if strace is None:
        raise MissingProgram(
            "strace is not installed; run `make setup`, or `apt-get install strace`"
        )
    traced = "trace=" + ",".join("?" + name for name in (*_TRACED, *READING))
    arguments = [
        strace, "-f", "--seccomp-bpf", "-y", "-xx", "-s", "1000000", "-o", str(trace),
        "-e", traced, "-e", "raw=" + ",".join(READING), "-e", "signal=none", "--", *command,
    ]  # fmt: skip
    try:
        done = subprocess.run(
            arguments, capture_output=True, text=True, check=False, timeout=RECORD_TIMEOUT_S,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise NotStarted(
            f"the recorded program did not end within {RECORD_TIMEOUT_S:.0f} s"
        ) from None
    if done.returncode:
        said = " | ".join((done.stdout + done.stderr).strip().splitlines()[-3:])
        raise NotStarted(
            f"the recorded program ended with {done.returncode}: {said or 'nothing said'};"
            " where ptrace is not allowed (a container without it), this proof cannot run"
        )


def read_calls(lines: Iterator[str]) -> Iterator[Call]:
    """The finished calls that did not fail, in the order in which they ended."""
    begun: dict[str, str] = {}
    for line in lines:
        found = _LINE.match(line.rstrip("\n"))
        if found is None or found[2].startswith(("+++", "---")):
            continue
        process, text = found.groups()
        if (unfinished := _UNFINISHED.match(text)) is not None:
            begun[process] = unfinished[1]
            continue
        if (resumed := _RESUMED.match(text)) is not None:
            head = begun.pop(process, "")
            joined = "" if head.endswith("(") or resumed[1].startswith(")") else ", "
            text = head + joined + resumed[1].strip().removeprefix(", ")
        call = read_call(text)
        if call is not None:
            yield call


def read_call(text: str) -> Call | None:
    """One call as strace writes it; None if it failed or is none."""
    found = _CALL.match(text)
    if found is None or found[3].startswith("-"):
        return None
    return Call(found[1], _split(found[2]), int(found[3], 0))


def _split(text: str) -> tuple[str, ...]:
    """The arguments, at the commas that no bracket encloses."""
    parts, depth, begin = [], 0, 0
    for found in _BETWEEN.finditer(text):
        mark = found[0]
        if mark in "[{(":
            depth += 1
        elif mark in "]})":
            depth -= 1
        elif not depth:
            parts.append(text[begin : found.start()].strip())
            begin = found.end()
    last = text[begin:].strip()
    return (*parts, last) if last else tuple(parts)
