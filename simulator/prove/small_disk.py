"""Small disks for a proof: tmpfs that only this process and what it starts can see, filled to the
last bytes and freed again.
"""

import asyncio
import ctypes
import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from simulator.errors import MissingProgram, NotStarted

GREEDY_EVERY_S = 0.01
FILLED_AT_ONCE = 1024 * 1024
CLONE_NEWNS = 0x00020000
NEEDS_ROOT = (
    "a small disk cannot be mounted here ({error}); run it as root, in a virtual machine or a"
    " container with the right SYS_ADMIN"
)


class SmallDisk:
    """A tmpfs at ``folder`` and a filler file in it."""

    def __init__(self, folder: Path, size: int) -> None:
        """Mount it. Raises NotStarted where the right is missing."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._filler = folder / "filler"
        _mount("-t", "tmpfs", "-o", f"size={size},mode=0755", "tmpfs", str(folder))

    @property
    def free_bytes(self) -> int:
        """What may still be written."""
        disk = os.statvfs(self.folder)
        return disk.f_bavail * disk.f_frsize

    def fill(self, left: int) -> None:
        """Take all but ``left`` bytes, rounded up to whole pages."""
        fd = os.open(self._filler, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            while (more := self.free_bytes - left) > 0:
                os.posix_fallocate(fd, os.fstat(fd).st_size, min(more, FILLED_AT_ONCE))
        except OSError as error:
            if error.errno != errno.ENOSPC:  # then the program was faster
                raise
        finally:
            os.close(fd)

    async def keep_full(self, left: int) -> None:
        """Take what becomes free, for ever."""
        while True:
            self.fill(left)
            await asyncio.sleep(GREEDY_EVERY_S)

    def free(self) -> None:
        """Give everything back."""
        self._filler.unlink(missing_ok=True)

    def unmount(self) -> None:
        """Take the disk away."""
        _command("umount", "--lazy", str(self.folder))


@contextmanager
def mounts_of_our_own() -> Iterator[None]:
    """What is mounted inside is seen by this thread and by what it starts, and by nobody else.
    Raises NotStarted where the right is missing.
    """
    home = os.open("/proc/thread-self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    folder = Path.cwd()
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        if libc.unshare(CLONE_NEWNS) != 0:
            raise NotStarted(NEEDS_ROOT.format(error=os.strerror(ctypes.get_errno())))
        try:
            _mount("--make-rprivate", "/")
            yield
        finally:
            # Refused while another thread shares this one's folder; then it stays, which harms
            # nobody: it ends with this process.
            libc.setns(home, CLONE_NEWNS)
            os.chdir(folder)
    finally:
        os.close(home)


def _mount(*words: str) -> None:
    try:
        _command("mount", *words)
    except subprocess.CalledProcessError as error:
        raise NotStarted(NEEDS_ROOT.format(error=error.stderr.strip())) from error


def _command(program: str, *words: str) -> None:
    """Run it. Raises MissingProgram, CalledProcessError."""
    try:
        subprocess.run([program, *words], check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise MissingProgram(
            f"the command {program} is not installed; `apt-get install mount`"
        ) from None
