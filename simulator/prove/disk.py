"""A disk that forgets what nobody asked it to keep: what may be on the medium when the power goes.

What is modelled, stricter than ext4 with ``data=ordered``:

* A write, a truncation or an allocation changes the file at once for who reads it, and is certain
  to be on the medium only after fsync or fdatasync of that file. Until then each of them may be
  there or not, in any combination: a later one without an earlier one, and a write only in part,
  cut at a 512-byte sector of the file. What was never written reads as zeros.
* A name (created, renamed, unlinked, linked) is certain only after fsync or fdatasync of its
  folder; fsync of the file itself does not keep its name. Until then each change of a name may be
  there or not. A rename is one change: never neither name, never half a file. A file without a
  name is gone.
* ``sync`` and ``syncfs`` keep everything.

Not modelled: a device that acknowledges a flush it has not done, sectors that change although
nobody wrote to them (SQLite's "powersafe overwrite" rules that out too), damage to the file system
itself, subfolders. The folder is there and empty when the recording begins.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field

SECTOR_BYTES = 512
VARIANTS = ("dropped", "kept", "random", "torn", "reordered")
"""What became of the changes that nobody had asked to keep: none; all; each by a toss; all up to
one, whose write is cut at a sector; only those after one.
"""


@dataclass(frozen=True, slots=True)
class Write:
    """``data`` at ``offset``."""

    offset: int
    data: bytes

    def apply(self, content: bytearray) -> None:
        """Change ``content`` as the call does."""
        if len(content) < self.offset:
            content.extend(bytes(self.offset - len(content)))
        content[self.offset : self.offset + len(self.data)] = self.data

    def torn(self, chance: random.Random) -> "Write":
        """The sectors that came first; the whole write if it lies within one."""
        first = self.offset // SECTOR_BYTES + 1
        cuts = range(first * SECTOR_BYTES, self.offset + len(self.data), SECTOR_BYTES)
        return Write(self.offset, self.data[: chance.choice(cuts) - self.offset]) if cuts else self


@dataclass(frozen=True, slots=True)
class Resize:
    """The file has ``size`` bytes from here on."""

    size: int

    def apply(self, content: bytearray) -> None:
        """Change ``content`` as the call does."""
        if self.size < len(content):
            del content[self.size :]
        else:
            content.extend(bytes(self.size - len(content)))


@dataclass(frozen=True, slots=True)
class Allocate:
    """Room for ``length`` bytes at ``offset``: the file grows to their end, its bytes stay."""

    offset: int
    length: int

    def apply(self, content: bytearray) -> None:
        """Change ``content`` as the call does."""
        content.extend(bytes(max(0, self.offset + self.length - len(content))))


@dataclass(frozen=True, slots=True)
class Zero:
    """The bytes from ``offset`` on are zeros, as far as the file goes (a hole, a zeroed range)."""

    offset: int
    length: int

    def apply(self, content: bytearray) -> None:
        """Change ``content`` as the call does."""
        end = min(len(content), self.offset + self.length)
        if self.offset < end:
            content[self.offset : end] = bytes(end - self.offset)


Change = Write | Resize | Allocate | Zero


@dataclass(slots=True, eq=False)
class File:
    """An inode: what is certainly on the medium, and what its readers see."""

    durable: bytearray = field(default_factory=bytearray)
    live: bytearray = field(default_factory=bytearray)


@dataclass(frozen=True, slots=True, eq=False)
class _Changed:
    """Content that may not be on the medium yet."""

    file: File
    change: Change


@dataclass(frozen=True, slots=True, eq=False)
class _Named:
    """A change of names that may not be on the medium yet: ``gone`` no longer names a file,
    ``name`` names ``file``.
    """

    gone: str = ""
    name: str = ""
    file: File | None = None

    def apply(self, names: dict[str, File]) -> None:
        """Change ``names`` as the call does."""
        if self.gone:
            names.pop(self.gone, None)
        if self.name and self.file is not None:
            names[self.name] = self.file


class Disk:
    """One folder of files. Names have no path; raises KeyError for one that is not there."""

    def __init__(self) -> None:
        self.names: dict[str, File] = {}
        self._durable_names: dict[str, File] = {}
        self._pending: list[_Changed | _Named] = []

    # --- what a program does -------------------------------------------------------------------

    def create(self, name: str) -> File:
        """A new empty file."""
        file = File()
        self._rename(_Named(name=name, file=file))
        return file

    def change(self, file: File, change: Change) -> None:
        """Change the content of an open file, whether or not it still has a name."""
        change.apply(file.live)
        self._pending.append(_Changed(file, change))

    def rename(self, old: str, new: str) -> None:
        """Give the file of ``old`` the name ``new``; what had it before is replaced."""
        if self.names[old] is not self.names.get(new):
            self._rename(_Named(gone=old, name=new, file=self.names[old]))

    def link(self, old: str, new: str) -> None:
        """A second name for the file of ``old``."""
        self._rename(_Named(name=new, file=self.names[old]))

    def unlink(self, name: str) -> None:
        """Take a name away."""
        self.names[name]
        self._rename(_Named(gone=name))

    def sync_file(self, file: File) -> None:
        """fsync or fdatasync: this file's content is on the medium."""
        file.durable = bytearray(file.live)
        self._pending = [
            each
            for each in self._pending
            if not (isinstance(each, _Changed) and each.file is file)
        ]

    def sync_folder(self) -> None:
        """fsync or fdatasync of the folder: its names are on the medium."""
        self._durable_names = dict(self.names)
        self._pending = [each for each in self._pending if not isinstance(each, _Named)]

    def sync_all(self) -> None:
        """sync, syncfs: everything is on the medium."""
        for file in {id(each.file): each.file for each in self._changed()}.values():
            self.sync_file(file)
        self.sync_folder()

    # --- what the power leaves -----------------------------------------------------------------

    @property
    def pending(self) -> int:
        """Changes that may or may not be on the medium."""
        return len(self._pending)

    def image(self, variant: str, chance: random.Random) -> dict[str, bytes]:
        """What may be there when the power goes now; see ``VARIANTS``."""
        return self._build(self._kept(variant, chance))

    def _kept(self, variant: str, chance: random.Random) -> Iterable[_Changed | _Named]:
        pending = self._pending
        match variant:
            case "dropped":
                return ()
            case "kept":
                return pending
            case "random":
                likely = chance.choice((0.2, 0.5, 0.8))
                return [each for each in pending if chance.random() < likely]
            case "reordered":
                return pending[chance.randint(1, max(1, len(pending) - 1)) :]
            case "torn":
                return self._torn(chance)
        raise ValueError(f"variant {variant!r}: expected one of {', '.join(VARIANTS)}")

    def _torn(self, chance: random.Random) -> Iterable[_Changed | _Named]:
        pending = self._pending
        writes = [
            index
            for index, each in enumerate(pending)
            if isinstance(each, _Changed) and isinstance(each.change, Write)
        ]
        if not writes:
            return pending[: chance.randint(0, len(pending))]
        at = chance.choice(writes)
        last = pending[at]
        assert isinstance(last, _Changed)
        assert isinstance(last.change, Write)
        return [*pending[:at], _Changed(last.file, last.change.torn(chance))]

    def _build(self, kept: Iterable[_Changed | _Named]) -> dict[str, bytes]:
        names = dict(self._durable_names)
        contents: dict[int, bytearray] = {}
        for each in kept:
            if isinstance(each, _Named):
                each.apply(names)
            else:
                key = id(each.file)
                if key not in contents:
                    contents[key] = bytearray(each.file.durable)
                each.change.apply(contents[key])
        return {name: bytes(contents.get(id(file), file.durable)) for name, file in names.items()}

    def _changed(self) -> list[_Changed]:
        return [each for each in self._pending if isinstance(each, _Changed)]

    def _rename(self, named: _Named) -> None:
        named.apply(self.names)
        self._pending.append(named)
