"""What the tool does with one pad at its prompt: look, provision, flash, verify, save, go back."""

import json
import re
from base64 import b64decode, b64encode
from binascii import b2a_base64
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from firmware.flash.bundle import Bundle, manifest_hash
from firmware.flash.errors import FlashError, NotAllowed, NotTrusted
from firmware.flash.repl import AGAIN, CodeFailed, RawRepl
from firmware.pad.slots import MANIFEST, Refused, State, hmac_sha256, other, version_of

KEY = "/state/key.bin"
CONFIG = "/state/config.json"
OLDEST_INTERPRETER = (1, 24)
PIECE = 2048
"""Bytes of a file in one message to the board."""

ROLES = {
    "rating": ("rating",),
    "caller": ("caller",),
    "both": ("rating", "caller"),
    "keys": ("keys",),
}
"""The tool's word -> the names in a pad's config.json."""

Progress = Callable[[str, int, int], None]
"""step, done bytes, all bytes"""

PROBE = """
import os, sys, json
from binascii import hexlify
import machine
def _probe():
    table = {'unique_id': hexlify(machine.unique_id()).decode(), 'chip': sys.platform,
        'interpreter': '%s %d.%d.%d' % ((sys.implementation[0],) + sys.implementation[1][:3]),
        'loader': _have('/lib/slots.mpy') != '', 'keyed': _have('/state/key.bin') != ''}
    for name in ('/state/slot.json', '/state/config.json'):
        try:
            with open(name) as file:
                table[name] = file.read()
        except OSError:
            table[name] = ''
    return table
"""
VERSIONS = """
import slots, sys
def _versions():
    pad = slots.Slots('', sys.platform)
    floor = pad.state().floor
    table = {}
    for slot in slots.SLOTS:
        try:
            table[slot] = '%d.%d.%d' % pad.check(slot, floor)
        except slots.Refused as error:
            table[slot] = '- ' + str(error)
    return table
"""

LET_GO = """
import sys
_u = globals().get('_u')
if _u:
    _u._let_go()  # a run that was cut left its file open
sys.modules.pop('slots', None)
import slots
"""


@dataclass(frozen=True, slots=True)
class Found:
    """What a pad says. ``slots`` is slot -> version, or ``- `` and why it is not good.

    ``version`` and ``hash`` are of the slot that starts next, "" if none does; ``counter`` and
    ``role`` of its configuration.
    """

    unique_id: str
    chip: str
    interpreter: str
    keyed: bool
    loader: bool
    slots: dict[str, str]
    active: str
    trying: str
    version: str
    hash: str
    counter: int | None
    role: str
    note: str

    @property
    def state(self) -> str:
        """One word for the table."""
        if not self.loader:
            return "blank"
        if not self.keyed:
            return "no key"
        if not self.version:
            return "no firmware"
        return "on trial" if self.trying else "ready"

    def table(self) -> dict[str, Any]:
        """For --json."""
        return asdict(self) | {"state": self.state}


def look(repl: RawRepl) -> Found:
    """Ask a pad what it is and has; writes nothing."""
    repl.run(PROBE)
    probe = repl.value("_probe()")
    slots: dict[str, str] = {}
    state = State()
    if probe["loader"]:
        try:
            repl.run(VERSIONS)
            slots = repl.value("_versions()")
        except CodeFailed as error:
            slots = dict.fromkeys("ab", f"- {error.last}")
        try:
            state = State(**json.loads(probe["/state/slot.json"] or "{}"))
        except (ValueError, TypeError):
            state = State(note="slot.json is unreadable")
    starts = state.trying or state.active
    good = not slots.get(starts, "-").startswith("-")
    config = config_of(probe["/state/config.json"])
    return Found(
        unique_id=probe["unique_id"],
        chip=probe["chip"],
        interpreter=probe["interpreter"],
        keyed=probe["keyed"],
        loader=probe["loader"],
        slots=slots,
        active=state.active,
        trying=state.trying,
        version=slots[starts] if good else "",
        hash=manifest_hash(repl.get(f"/{starts}/{MANIFEST}")) if good else "",
        counter=config.get("counter"),
        role=role_of(config),
        note=state.note,
    )


def provision(repl: RawRepl, key: bytes, counter: int, role: str) -> None:
    """Give a pad its key and its place; what else its configuration says stays."""
    repl.put(KEY, key)
    table = config_of(repl.get(CONFIG))
    table.pop("role", None)  # what this tool wrote before it knew of roles
    table |= {"counter": counter, "roles": list(ROLES[role])}
    repl.put(CONFIG, json.dumps(table).encode())


def config_of(data: bytes | str) -> dict[str, Any]:
    """A pad's configuration; what cannot be read counts as none, as it does for the pad."""
    try:
        table = json.loads(data or "{}")
    except ValueError:
        return {}
    return table if isinstance(table, dict) else {}


def role_of(config: dict[str, Any]) -> str:
    """rating, caller, both, keys, or "" where the configuration says none."""
    roles = config.get("roles")
    if not isinstance(roles, list):
        # Such a pad runs as a rating pad, whatever this word says: it needs a new configuration.
        return str(config.get("role", ""))
    return next((role for role, names in ROLES.items() if sorted(names) == sorted(roles)), "")


def refuse_wrong(found: Found, bundle: Bundle) -> None:
    """Judge on the host what the pad would refuse, before a byte is written. Raises NotTrusted."""
    if found.chip != bundle.chip:
        raise NotTrusted(
            f"the bundle is for {bundle.chip}, the pad is a {found.chip}",
            f"build or take one for {found.chip}",
        )
    version = tuple(int(part) for part in re.findall(r"[0-9]+", found.interpreter)[:2])
    if version < OLDEST_INTERPRETER:
        raise NotTrusted(
            f"the pad has {found.interpreter}, the firmware needs MicroPython"
            f" {'.'.join(map(str, OLDEST_INTERPRETER))}",
            "bring a newer one onto it: lobby flash pad --uf2 FILE",
        )
    refuse_older(found.version, bundle)


def refuse_older(version: str, bundle: Bundle) -> None:
    """Refuse a bundle older than what a pad runs ("": nothing). Raises NotTrusted."""
    if version and version_of(bundle.version) < version_of(version):
        raise NotTrusted(
            f"the bundle is {bundle.version}, the pad runs {version}",
            "take a newer one; `lobby flash rollback` goes back to the slot before",
        )


def flash(repl: RawRepl, bundle: Bundle, key: bytes, progress: Progress) -> Found:
    """Bring a provisioned pad to a bundle's version, to start next; what it was before. Goes on
    where an earlier run stopped. Raises FlashError.
    """
    found = look(repl)
    refuse_wrong(found, bundle)
    for name, data in bundle.root_files.items():
        repl.put(f"/{name}", data)
    if found.hash != bundle.hash:
        _update(repl, bundle, key, progress)
    return found


def _update(repl: RawRepl, bundle: Bundle, key: bytes, progress: Progress) -> None:
    mac = hmac_sha256(key, bundle.manifest)
    repl.run(LET_GO)
    repl.run(f"_u = slots.Update(slots.Slots('', sys.platform))\n_m = {bundle.manifest!r}")
    try:
        wanted = repl.value(f"_u.begin(_m, {mac!r})")
        done = bundle.size - sum(len(bundle.slot_files[name]) for name in wanted)
        for name in wanted:
            data = bundle.slot_files[name]

            def tell(at: int, before: int = done) -> None:
                progress("write", before + at, bundle.size)

            _send_file(repl, name, data, tell)
            done += len(data)
        progress("write", done, bundle.size)
        repl.run("_u.finish()")
    except CodeFailed as error:
        if error.last.startswith("Refused"):
            raise NotTrusted(f"{repl.port}: the pad refused: {error.last[9:]}", AGAIN) from error
        raise


def _send_file(repl: RawRepl, name: str, data: bytes, tell: Callable[[int], None]) -> None:
    """Bring one file into the slot, from where a cut left it. Raises CodeFailed."""
    came = int(repl.value(f"_u.received({name!r})"))
    for begin in dict.fromkeys((min(came, len(data)), 0)):
        for at in range(begin, max(len(data), 1), PIECE):
            tell(at)
            piece = b2a_base64(data[at : at + PIECE], newline=False)
            repl.run(f"_u.write({name!r}, {at}, a2b_base64({piece!r}))")
        try:
            repl.run(f"_u.close({name!r})")
        except CodeFailed:
            # What the cut left was not what had been sent: once more from the beginning.
            if not begin:
                raise
        else:
            return


def verify(repl: RawRepl, bundle: Bundle) -> Found:
    """Whether a pad runs a bundle, by its own hashes and its manifest. Raises FlashError."""
    found = look(repl)
    if found.hash != bundle.hash:
        raise FlashError(
            f"{repl.port}: runs {found.version or 'nothing'} ({found.hash or '-'}), expected"
            f" {bundle.version} ({bundle.hash}); slots {found.slots}",
            "run `lobby flash pad` again; if it stays so, see `lobby flash log` and swap the pad",
        )
    if found.trying:
        raise FlashError(
            f"{repl.port}: {found.version} started, but its self-test has not confirmed it",
            "look at keys and lamps; it goes back to the version before after three starts",
        )
    return found


FOREIGN = """
def _foreign():
    found = []
    for folder, ours in (('/', ('boot.py', 'main.py')), ('/lib', ('slots.mpy',))):
        try:
            for row in os.ilistdir(folder):
                if row[1] == 0x8000 and row[0].replace('.new', '') not in ours:
                    found.append(folder.rstrip('/') + '/' + row[0])
        except OSError:
            pass
    return found
"""
FORMAT = """
import vfs
def _format():
    if sys.platform == 'rp2':
        import rp2
        device = rp2.Flash()
    elif sys.platform == 'esp32':
        from esp32 import Partition
        device = Partition.find(Partition.TYPE_DATA, label='vfs')[0]
    else:
        device = machine.flash
    vfs.umount('/')
    vfs.VfsLfs2.mkfs(device, progsize=256)
    vfs.mount(vfs.VfsLfs2(device, progsize=256), '/')
    os.chdir('/')
"""


def foreign(repl: RawRepl) -> list[str]:
    """Files on a board that this tool never writes: another program was there."""
    repl.run(FOREIGN)
    return [str(path) for path in repl.value("_foreign()")]


def erase(repl: RawRepl) -> None:
    """Format a board's file system: its programs, its key, its kept presses are gone."""
    repl.run(FORMAT)
    repl.run("_format()")


def backup(repl: RawRepl) -> dict[str, Any]:
    """A pad's configuration and slot state, without its key."""
    found = look(repl)
    names = repl.value(
        "[n for n in (os.listdir('/state') if 'state' in os.listdir('/') else [])"
        " if n != 'key.bin' and not n.endswith('.new')]"
    )
    files = {name: b64encode(repl.get(f"/state/{name}")).decode() for name in names}
    return {"unique_id": found.unique_id, "version": found.version, "files": files}


def restored(table: dict[str, Any]) -> list[str]:
    """Which files of a backup go back into a pad. Raises KeyError, TypeError."""
    # What runs and what was pressed is the pad's own matter: an older state would lie about it.
    return [name for name in table["files"] if name == "config.json"]


def restore(repl: RawRepl, table: dict[str, Any]) -> list[str]:
    """Put a backup's configuration back into the same pad; the names. Raises NotAllowed."""
    found = look(repl)
    if table.get("unique_id") != found.unique_id:
        raise NotAllowed(
            f"the backup is of the pad {table.get('unique_id')}, this is {found.unique_id}",
            "provision a swapped pad with --replace; a backup goes back into its own pad only",
        )
    names = restored(table)
    for name in names:
        repl.put(f"/state/{name}", b64decode(table["files"][name]))
    return names


def rollback(repl: RawRepl) -> Found:
    """Go back to the slot before, which starts next; what the pad is then. Raises FlashError."""
    repl.run(LET_GO)
    try:
        repl.run("slots.Slots('', sys.platform).back()")
    except CodeFailed as error:
        raise FlashError(
            f"{repl.port}: there is nothing to go back to: {error.last}", "flash a bundle instead"
        ) from error
    return look(repl)


def plan(found: Found, bundle: Bundle) -> list[str]:
    """What `flash` would do with a pad, in order; nothing is written."""
    steps = []
    try:
        refuse_wrong(found, bundle)
    except (NotTrusted, Refused) as error:
        return [f"refuse: {error}"]
    if not found.keyed:
        steps.append("provision: a key and a counter (needs --counter)")
    if not found.loader:
        steps.append(f"write {', '.join('/' + name for name in bundle.root_files)}")
    if found.hash != bundle.hash:
        steps.append(f"write {bundle.version} to slot {other(found.active)}: {bundle.size} B")
        steps.append("restart, self-test, verify")
    return steps or [f"nothing: runs {found.version} ({found.hash})"]
