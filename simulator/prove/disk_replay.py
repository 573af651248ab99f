"""The recorded calls of a program, done again on the disk model.

A call that changes files of the folder in a way the model does not know ends the replay with
BadInput: what is not modelled must not pass for proved. Reads are followed for the file position
only. One table of file descriptors: the recorded program may have threads, but no children.
"""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from simulator.errors import BadInput
from simulator.prove.disk import Allocate, Disk, File, Resize, Write, Zero
from simulator.prove.syscalls import READING, Call

SHARED_MEMORY = "-shm"
"""Files that a program changes through memory: no call shows that, so no image holds them."""


@dataclass(slots=True, eq=False)
class _Open:
    """An open file description: shared by the descriptors that dup made."""

    file: File | None
    """None for the folder itself, and for the witness."""
    name: str
    position: int = 0
    append: bool = False


@dataclass(frozen=True, slots=True)
class Boundary:
    """A moment right after a call that matters. ``kind``: write, size, sync, name or told."""

    kind: str
    call: str
    """For people: the call and the file."""


class Replay:
    """Does the calls of a program again on a disk. ``told`` is what the program has written to the
    witness by now: what it promises.
    """

    def __init__(self, folder: Path, witness: Path) -> None:
        self.disk = Disk()
        self.told = bytearray()
        self._folder = PurePosixPath(folder)
        self._witness = PurePosixPath(witness)
        self._open: dict[int, _Open] = {}

    def do(self, call: Call) -> Boundary | None:
        """Do one call; None if it has nothing to do with the folder or changes nothing. Raises
        BadInput for a call that is not modelled.
        """
        match call.name:
            case "openat":
                return self._opened(call, call.path(1, 0), 2)
            case "open":
                return self._opened(call, call.path(0), 1)
            case "creat":
                raise BadInput("creat: not modelled")
            case "close":
                self._open.pop(call.number(0), None)
            case "dup" | "dup2" | "dup3":
                self._duplicate(call)
            case "fcntl":
                if call.arguments[1].startswith("F_DUPFD"):
                    self._duplicate(call)
            case "sync" | "syncfs":
                self.disk.sync_all()
                return Boundary("sync", call.name)
            case "rename" | "renameat" | "renameat2" | "link" | "linkat":
                return self._two_names(call)
            case "unlink":
                return self._unlinked(call, call.path(0))
            case "unlinkat":
                return self._unlinked(call, call.path(1, 0))
            case "truncate":
                return self._truncated(call)
            case "mkdir" | "rmdir" | "mkdirat" | "symlink" | "symlinkat":
                self._refuse_inside(call)
            case "io_uring_setup":
                raise BadInput("io_uring_setup: its writes are not seen, so they are not modelled")
            case "mmap":
                self._mapped(call)
            case "sendfile" | "copy_file_range" | "splice":
                target = 0 if call.name == "sendfile" else 2
                if call.number(target) in self._open:
                    raise BadInput(f"{call.name} into {self._folder}: not modelled")
            case _:
                return self._on_open_file(call)
        return None

    # --- files that are open -------------------------------------------------------------------

    def _on_open_file(self, call: Call) -> Boundary | None:
        opened = self._open.get(call.number(0)) if call.arguments else None
        if opened is None:
            return None
        if call.name in ("fsync", "fdatasync"):
            if opened.file is not None:
                self.disk.sync_file(opened.file)
            elif opened.name == ".":
                self.disk.sync_folder()
            else:
                return None
            return Boundary("sync", f"{call.name} {opened.name}")
        if call.name == "lseek":
            opened.position = call.result
        elif call.name in READING:
            opened.position += call.result
        elif call.name in ("write", "pwrite64", "writev", "pwritev", "pwritev2"):
            return self._wrote(call, opened)
        elif opened.file is None or call.name == "sync_file_range":
            pass  # starts the writing at most: it promises nothing
        elif call.name == "ftruncate":
            self.disk.change(opened.file, Resize(call.number(1)))
            return Boundary("size", f"ftruncate {opened.name}")
        elif call.name == "fallocate":
            return self._allocated(call, opened)
        return None

    def _wrote(self, call: Call, opened: _Open) -> Boundary | None:
        data = (call.buffers(1) if "v" in call.name else call.data(1))[: call.result]
        if len(data) != call.result:
            raise BadInput(f"{call.name}: {len(data)} bytes traced, {call.result} written")
        if opened.file is None:
            self.told += data
            return Boundary("told", "told")
        positioned = call.name.startswith("p")
        offset = call.number(3) if positioned else opened.position
        if opened.append:
            offset = len(opened.file.live)
        self.disk.change(opened.file, Write(offset, data))
        if not positioned:
            opened.position = offset + len(data)
        return Boundary("write", f"{call.name} {opened.name}")

    def _allocated(self, call: Call, opened: _Open) -> Boundary | None:
        assert opened.file is not None
        mode, offset, length = call.arguments[1], call.number(2), call.number(3)
        flags = set() if mode == "0" else set(mode.split("|"))
        if flags - {"FALLOC_FL_KEEP_SIZE", "FALLOC_FL_PUNCH_HOLE", "FALLOC_FL_ZERO_RANGE"}:
            raise BadInput(f"fallocate {mode}: not modelled")
        if "FALLOC_FL_KEEP_SIZE" not in flags:
            self.disk.change(opened.file, Allocate(offset, length))
        if flags & {"FALLOC_FL_PUNCH_HOLE", "FALLOC_FL_ZERO_RANGE"}:
            self.disk.change(opened.file, Zero(offset, length))
        return Boundary("size", f"fallocate {opened.name}")

    def _duplicate(self, call: Call) -> None:
        opened = self._open.get(call.number(0))
        self._open.pop(call.result, None)
        if opened is not None:
            self._open[call.result] = opened

    def _mapped(self, call: Call) -> None:
        """Memory that is written back to a file behind the program's back."""
        written = call.has(3, "MAP_SHARED") and call.has(2, "PROT_WRITE")
        opened = self._open.get(call.number(4))
        if written and opened is not None and not opened.name.endswith(SHARED_MEMORY):
            raise BadInput(f"mmap of {opened.name} for writing: not modelled")

    # --- names -----------------------------------------------------------------------------------

    def _opened(self, call: Call, path: PurePosixPath, flags: int) -> Boundary | None:
        self._open.pop(call.result, None)
        if path == self._witness:
            self._open[call.result] = _Open(None, "witness")
            return None
        if path == self._folder:
            self._open[call.result] = _Open(None, ".")
            return None
        name = self._name(path)
        if name is None:
            return None
        if call.has(flags, "O_TMPFILE"):
            raise BadInput(f"open {name} with O_TMPFILE: not modelled")
        file = self.disk.names.get(name)
        boundary = None
        if file is None:
            if not call.has(flags, "O_CREAT"):
                raise BadInput(f"{name} was there before the recording; expected an empty folder")
            file = self.disk.create(name)
            boundary = Boundary("name", f"create {name}")
        elif call.has(flags, "O_TRUNC") and file.live:
            self.disk.change(file, Resize(0))
            boundary = Boundary("size", f"open O_TRUNC {name}")
        self._open[call.result] = _Open(file, name, append=call.has(flags, "O_APPEND"))
        return boundary

    def _two_names(self, call: Call) -> Boundary | None:
        at = call.name not in ("rename", "link")
        old = self._name(call.path(1, 0) if at else call.path(0))
        new = self._name(call.path(3, 2) if at else call.path(1))
        if old is None and new is None:
            return None
        if old is None or new is None or call.has(4, "RENAME_EXCHANGE"):
            raise BadInput(f"{call.name} across {self._folder}, or an exchange: not modelled")
        if call.name.startswith("rename"):
            self.disk.rename(old, new)
        else:
            self.disk.link(old, new)
        return Boundary("name", f"{call.name} {old} {new}")

    def _unlinked(self, call: Call, path: PurePosixPath) -> Boundary | None:
        name = self._name(path)
        if name is None:
            return None
        self.disk.unlink(name)
        return Boundary("name", f"{call.name} {name}")

    def _truncated(self, call: Call) -> Boundary | None:
        name = self._name(call.path(0))
        if name is None:
            return None
        self.disk.change(self.disk.names[name], Resize(call.number(1)))
        return Boundary("size", f"truncate {name}")

    def _refuse_inside(self, call: Call) -> None:
        match call.name:
            case "mkdirat":
                path = call.path(1, 0)
            case "symlinkat":
                path = call.path(2, 1)
            case "symlink":
                path = call.path(1)
            case _:
                path = call.path(0)
        if self._name(path) is not None:
            raise BadInput(f"{call.name} in {self._folder}: not modelled")

    def _name(self, path: PurePosixPath) -> str | None:
        """The name in the folder, None for a path elsewhere."""
        if self._folder not in path.parents:
            return None
        if path.parent != self._folder:
            raise BadInput(f"{path}: a subfolder of the recorded folder is not modelled")
        return path.name
