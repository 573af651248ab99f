"""Two folders of firmware on one pad: which of them starts, and how a new one gets there.

A slot is the folder ``/a`` or ``/b`` with the firmware's files, MANIFEST.json and MANIFEST.mac.
The manifest names version, floor, chip and every file with its size and SHA-256; the mac is
HMAC-SHA256 over the manifest's bytes with the pad's own key (``/state/key.bin``). A slot is good
when the mac, the chip, the floor, every size and every hash agree; nothing else is ever started.

``/state/slot.json`` keeps what is decided. A new slot is on trial: it starts MAX_TRIES times at
most, and stays only when its program called ``confirm``; otherwise the slot before comes back.
The file is replaced whole (written aside, then renamed), and is not written at an ordinary start.

``decide`` is pure; everything else works below ``root`` (empty on a board). One file for CPython
and MicroPython; on a board it lies at ``/lib/slots.mpy`` too, apart from both slots, so that no
update by the line replaces what judges it. Errors: Refused, whose text says what was expected.
"""

import hashlib
import json
import os
from binascii import hexlify

TYPE_CHECKING = False  # MicroPython has no typing module; a type checker takes this as true
if TYPE_CHECKING:
    from typing import IO, Any

MAX_TRIES = 3
"""Starts that a slot on trial gets to confirm itself."""
SLOTS = ("a", "b")
KEY_SIZE = 32
MAC_SIZE = 32
READ_SIZE = 512
BLOCK_SIZE = 4096
"""Of the flash, in bytes: what an update keeps at a time."""
MAX_MANIFEST = 8192
"""Longest manifest that a pad reads, in bytes: it is held whole in memory."""

MANIFEST = "MANIFEST.json"
MAC = "MANIFEST.mac"
FRESH = ".new"
"""Suffix of a file that is being written; never started, never counted."""

_IS_FOLDER = 0x4000
_WORDS = ("active", "trying", "floor", "failed", "note")


class Refused(Exception):
    """Firmware that this pad does not start or take; says what was expected and what came."""


class State:
    """What ``slot.json`` holds.

    ``active`` starts, unless ``trying`` names the slot on trial, which was started ``tries``
    times. ``floor`` is the oldest version that may ever start, ``failed`` the slot that did not
    pass its trial, ``note`` the last thing that was decided against a slot, for people.
    """

    def __init__(
        self,
        active: str = "",
        trying: str = "",
        tries: int = 0,
        floor: str = "0.0.0",
        failed: str = "",
        note: str = "",
    ) -> None:
        self.active = active
        self.trying = trying
        self.tries = tries
        self.floor = floor
        self.failed = failed
        self.note = note

    def text(self) -> str:
        """The state as JSON, the same for the same state."""
        words = [f'"{name}": {json.dumps(getattr(self, name))}' for name in _WORDS]
        return "{" + ", ".join(words) + f', "tries": {self.tries}' + "}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, State) and self.text() == other.text()

    def __repr__(self) -> str:
        return f"State({self.text()})"


def version_of(text: str) -> "tuple[int, int, int]":
    """``1.2.3`` as numbers that compare. Raises Refused."""
    parts = text.split(".")
    if len(parts) == 3:
        try:
            major, minor, patch = [int(part) for part in parts]
            if min(major, minor, patch) >= 0:
                return major, minor, patch
        except ValueError:
            pass
    raise Refused(f"version {text!r}: expected three numbers like 1.2.3")


def other(slot: str) -> str:
    """The slot that an update goes to while ``slot`` runs."""
    return "a" if slot == "b" else "b"


def decide(state: State, versions: "dict[str, tuple[int, int, int]]") -> "tuple[str, State]":
    """Which slot starts ("" for none), and the state that has to be stored before it does.

    ``versions`` holds the version of each slot that is good.
    """
    note = state.note
    failed = state.failed
    trying = state.trying
    if trying:
        if trying not in versions:
            note = f"{trying}: damaged, not started"
        elif state.tries >= MAX_TRIES:
            note = f"{trying}: not confirmed in {MAX_TRIES} starts"
            failed = trying
        else:
            on_trial = State(
                state.active, trying, state.tries + 1, state.floor, failed, state.note
            )
            return trying, on_trial
    ordered = [state.active, other(state.active)]
    if not state.active:
        # A lost state: the newer slot, as far as it is good.
        ordered = sorted(SLOTS, key=lambda slot: versions.get(slot, (0, 0, 0)), reverse=True)
    for slot in ordered:
        if slot in versions and slot != failed:
            if slot != state.active and state.active:
                note = f"{state.active}: damaged, not started"
            return slot, State(slot, "", 0, state.floor, failed, note)
    return "", State(state.active, "", 0, state.floor, failed, note)


# --- files -------------------------------------------------------------------


def is_there(path: str) -> bool:
    """Whether a file or folder has this path."""
    try:
        os.stat(path)
    except OSError:
        return False
    return True


def read(path: str, limit: int = MAX_MANIFEST) -> bytes:
    """The bytes of a file, b"" if there is none. Raises Refused for one longer than ``limit``."""
    try:
        if os.stat(path)[6] > limit:
            raise Refused(f"{path}: {os.stat(path)[6]} bytes, at most {limit} are read")
        with open(path, "rb") as file:
            data: bytes = file.read()
            return data
    except OSError:
        return b""


def write_atomic(path: str, data: bytes) -> None:
    """Replace a file whole: after a power cut there is the old one or the new one."""
    with open(path + FRESH, "wb") as file:
        file.write(data)
        file.flush()
    os.rename(path + FRESH, path)


def remove(path: str) -> None:
    """Remove a file; harmless if there is none."""
    try:
        os.remove(path)
    except OSError:
        pass


def make_folders(path: str) -> None:
    """Make each folder on the way to ``path`` that is not there."""
    at = path.find("/", 1)
    while at > 0:
        if not is_there(path[:at]):
            os.mkdir(path[:at])
        at = path.find("/", at + 1)


def sha256_of(path: str) -> str:
    """SHA-256 of a file's bytes, hex. Raises OSError."""
    digest = hashlib.sha256()
    buffer = bytearray(READ_SIZE)
    view = memoryview(buffer)
    with open(path, "rb") as file:
        while True:
            count = file.readinto(buffer)
            if not count:
                return hexlify(digest.digest()).decode()
            digest.update(view[:count])


def hmac_sha256(key: bytes, data: bytes) -> bytes:
    """HMAC-SHA256, for keys of at most 64 bytes (MicroPython has no hmac)."""
    padded = key + bytes(64 - len(key))
    inner = hashlib.sha256(bytes([byte ^ 0x36 for byte in padded]))
    inner.update(data)
    outer = hashlib.sha256(bytes([byte ^ 0x5C for byte in padded]))
    outer.update(inner.digest())
    mac: bytes = outer.digest()
    return mac


def files_below(folder: str) -> "list[str]":
    """Every file below a folder, with its path; [] if there is no folder."""
    found: list[str] = []
    try:
        names = os.listdir(folder)
    except OSError:
        return found
    for name in sorted(names):
        path = folder + "/" + name
        if os.stat(path)[0] & _IS_FOLDER:
            found += files_below(path)
        else:
            found.append(path)
    return found


# --- one pad -----------------------------------------------------------------


class Slots:
    """The slots of one pad below ``root``. ``chip`` is what the firmware has to be built for."""

    def __init__(self, root: str, chip: str) -> None:
        self.root = root
        self.chip = chip
        self.state_path = root + "/state/slot.json"
        self.key_path = root + "/state/key.bin"

    def folder(self, slot: str) -> str:
        """Path of a slot's folder."""
        return self.root + "/" + slot

    def state(self) -> State:
        """What is stored; an unreadable state counts as none."""
        try:
            table = json.loads(read(self.state_path))
            words = [table[name] for name in _WORDS]
            if not isinstance(table["tries"], int):
                return State()
            for word in words:
                if not isinstance(word, str):
                    return State()
            version_of(words[2])
        except (ValueError, KeyError, TypeError, Refused):
            return State()
        active, trying, floor, failed, note = words
        return State(active, trying, table["tries"], floor, failed, note)

    def store(self, state: State) -> None:
        """Keep a state, if it is another one than before."""
        if not is_there(self.state_path) or state != self.state():
            make_folders(self.state_path)
            write_atomic(self.state_path, state.text().encode())

    def opened(self, manifest: bytes, mac: bytes, floor: str) -> "dict[str, object]":
        """The manifest's table, if the pad may take it. Raises Refused."""
        key = read(self.key_path)
        if len(key) != KEY_SIZE:
            raise Refused(f"{self.key_path}: no key of {KEY_SIZE} bytes; provision this pad")
        differs = len(mac) ^ MAC_SIZE
        for ours, theirs in zip(hmac_sha256(key, manifest), mac):  # noqa: B905 - not on a pad
            differs |= ours ^ theirs
        if differs:
            raise Refused("MANIFEST.mac: not made with this pad's key for this manifest")
        table = _table_of(manifest)
        version, chip = table["version"], table["chip"]
        if chip != self.chip:
            raise Refused(f"firmware for {chip!r}; this pad is a {self.chip!r}")
        if version_of(str(version)) < version_of(floor):
            raise Refused(f"firmware {version} is older than {floor}, the oldest allowed here")
        return table

    def check(self, slot: str, floor: str) -> "tuple[int, int, int]":
        """The version of a good slot. Raises Refused for any other."""
        folder = self.folder(slot)
        manifest = read(folder + "/" + MANIFEST)
        if not manifest:
            raise Refused(f"{folder}: no firmware")
        table = self.opened(manifest, read(folder + "/" + MAC), floor)
        missing = self.missing(folder, table)
        if missing:
            raise Refused(f"{folder}/{missing[0]}: not the file that the manifest names")
        return version_of(str(table["version"]))

    def boot(self) -> str:
        """Decide once at power-up; the slot that starts, "" if none is good."""
        state = self.state()
        versions: dict[str, tuple[int, int, int]] = {}
        # At an ordinary start only the active slot is read: hashing costs 1.3 ms a KiB.
        wanted = [slot for slot in (state.trying, state.active) if slot in SLOTS]
        for group in (wanted, SLOTS):
            for slot in group:
                if slot not in versions:
                    try:
                        versions[slot] = self.check(slot, state.floor)
                    except Refused:
                        pass
            if group is wanted and state.active in versions:
                break
        slot, then = decide(state, versions)
        self.store(then)
        return slot

    def confirm(self) -> None:
        """The running firmware passed its self-test: it stays, and its floor counts from now."""
        state = self.state()
        if state.trying:
            table = json.loads(read(self.folder(state.trying) + "/" + MANIFEST))
            floor = state.floor
            if version_of(table["floor"]) > version_of(floor):
                floor = table["floor"]
            self.store(State(state.trying, "", 0, floor, "", state.note))

    def running_hash(self) -> bytes:
        """First 8 bytes of SHA-256 of the manifest of the slot that runs."""
        state = self.state()
        manifest = read(self.folder(state.trying or state.active) + "/" + MANIFEST)
        return hashlib.sha256(manifest).digest()[:8] if manifest else bytes(8)

    def back(self) -> str:
        """Go back to the slot before, by hand; it starts next. Raises Refused if that is bad."""
        state = self.state()
        slot = other(state.active)
        if state.trying:
            slot = state.active
        self.check(slot, state.floor)
        self.store(State(slot, "", 0, state.floor, other(slot), f"{other(slot)}: left by hand"))
        return slot

    def missing(self, folder: str, table: "dict[str, object]") -> "list[str]":
        """The manifest's files that a folder has not, or not with these bytes."""
        rows: list[dict[str, object]] = table["files"]  # type: ignore[assignment] # checked
        return [str(row["file"]) for row in rows if not _is(folder, row)]


def _table_of(manifest: bytes) -> "dict[str, object]":
    """The table of a manifest of the right form. Raises Refused."""
    table: Any = None
    try:
        table = json.loads(manifest)
        version_of(table["version"])
        version_of(table["floor"])
        table["chip"].encode()
        for row in table["files"]:
            name = row["file"]
            if name.startswith("/") or ".." in name or len(row["sha256"]) != 64:
                raise Refused(f"MANIFEST.json: {name!r} is no file of a slot")
            if not isinstance(row["size"], int):
                raise Refused(f"MANIFEST.json: {name!r} has no size")
    except (ValueError, KeyError, TypeError, AttributeError):
        table = None
    if not table:  # raised out here: MicroPython cannot chain, and warns on the line
        raise Refused("MANIFEST.json: not a manifest of version, floor, chip, files")
    found: dict[str, object] = table
    return found


def _is(folder: str, row: "dict[str, object]") -> bool:
    path = folder + "/" + str(row["file"])
    try:
        return os.stat(path)[6] == row["size"] and sha256_of(path) == row["sha256"]
    except OSError:
        return False


class Update:
    """New firmware on its way into the slot that does not run; may be cut and begun anew.

    ``begin`` says which files are wanted (those already there, whole, are not), ``write`` takes
    their bytes in order, ``close`` puts each in place, ``finish`` puts the slot on trial. Every
    step may be repeated. Raises Refused, OSError.
    """

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._manifest = b""
        self._mac = b""
        self._table: dict[str, object] = {"files": []}
        self._file: "IO[bytes] | None" = None
        self._name = ""
        self._at = 0
        self.slot = ""
        self.folder = ""

    def begin(self, manifest: bytes, mac: bytes) -> "list[str]":
        """Open the other slot for this manifest; the files that are wanted."""
        slots = self._slots
        self._let_go()
        state = slots.state()
        self._table = slots.opened(manifest, mac, state.floor)
        self._manifest = manifest
        self._mac = mac
        self.slot = other(state.active)
        self.folder = slots.folder(self.slot)
        if self.slot in (state.trying, state.failed):
            failed = "" if state.failed == self.slot else state.failed
            slots.store(State(state.active, "", 0, state.floor, failed, state.note))
        remove(self.folder + "/" + MAC)
        wanted = slots.missing(self.folder, self._table)
        rows: list[dict[str, object]] = self._table["files"]  # type: ignore[assignment] # checked
        kept = [self.folder + "/" + str(row["file"]) for row in rows]
        # What an older firmware left could be imported in place of a file that is gone.
        for path in files_below(self.folder):
            unfinished = path.endswith(FRESH) and path[: -len(FRESH)] in kept
            if path not in kept and not unfinished:
                remove(path)
        return wanted

    @property
    def files(self) -> int:
        """Files of the manifest; they are numbered from 0 in its order."""
        return len(self._rows())

    def row(self, file: int) -> "tuple[str, int]":
        """Name and size in bytes of the file of a number. Raises Refused."""
        rows = self._rows()
        if file >= len(rows):
            raise Refused(f"file {file}: the manifest has {len(rows)}")
        return str(rows[file]["file"]), int(str(rows[file]["size"]))

    def _rows(self) -> "list[dict[str, object]]":
        rows: list[dict[str, object]] = self._table["files"]  # type: ignore[assignment] # checked
        return rows

    def received(self, name: str) -> int:
        """Bytes of a wanted file that are here already: where ``write`` goes on."""
        if self._file and name == self._name:
            return self._at
        try:
            return os.stat(self.folder + "/" + name + FRESH)[6]
        except OSError:
            return 0

    def write(self, name: str, offset: int, data: bytes) -> None:
        """Take bytes of a wanted file; ``offset`` 0 begins it anew.

        What came is kept over a power cut by whole blocks: each flush costs a block's erase.
        """
        if offset and offset != self.received(name):
            raise Refused(f"{name}: expected offset {self.received(name)}, got {offset}")
        if not self._file or name != self._name or not offset:
            self._let_go()
            path = self.folder + "/" + name + FRESH
            make_folders(path)
            self._file = open(path, "ab" if offset else "wb")  # noqa: SIM115 - kept open
            self._name = name
        self._file.write(data)
        self._at = offset + len(data)
        if self._at // BLOCK_SIZE != offset // BLOCK_SIZE:
            self._file.flush()

    def abandon(self) -> None:
        """Leave the update; what came stays for the next one."""
        self._let_go()
        self._table = {"files": []}
        self._manifest = b""

    def _let_go(self) -> None:
        if self._file:
            self._file.close()
            self._file = None

    def close(self, name: str) -> None:
        """Check a file against the manifest and put it in place."""
        self._let_go()
        path = self.folder + "/" + name
        rows: list[dict[str, object]] = self._table["files"]  # type: ignore[assignment] # checked
        for row in rows:
            if row["file"] == name:
                came = sha256_of(path + FRESH)
                if came != row["sha256"]:
                    remove(path + FRESH)
                    raise Refused(f"{name}: sha256 {came[:12]}…, expected {row['sha256']}")
                os.rename(path + FRESH, path)
                return
        raise Refused(f"{name}: not in the manifest")

    def finish(self) -> None:
        """Check the whole slot and put it on trial: it starts next."""
        slots = self._slots
        make_folders(self.folder + "/" + MANIFEST)
        write_atomic(self.folder + "/" + MANIFEST, self._manifest)
        write_atomic(self.folder + "/" + MAC, self._mac)
        state = slots.state()
        slots.check(self.slot, state.floor)
        slots.store(State(state.active, self.slot, 0, state.floor, state.failed, state.note))
