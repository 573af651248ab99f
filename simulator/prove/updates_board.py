"""Runs under MicroPython for ``lobby prove updates``: updates on a flash that loses its power.

    micropython updates_board.py PLAN.json

The flash is a block device in memory under the interpreter's own littlefs. A cut leaves a write
torn at its byte and an erase half done; then the image is mounted anew, as by a start. One JSON
object a line is printed: ``round`` for each round, ``wrong`` for each thing that must not be.
"""

import hashlib
import json
import os
import random
import sys
from binascii import hexlify

# Not at the top of an import: only MicroPython has it, and no type checker of CPython knows it.
vfs = __import__("vfs")

BLOCK = 4096
BLOCKS = 96
ERASE_COST = 64
"""What an erase counts for among the bytes at which the power may fail."""
ROOT = "/pad"
CHUNK = 512
TRIES = 3

with open(sys.argv[1]) as plan_file:
    PLAN = json.load(plan_file)
sys.path.insert(0, PLAN["old"] + "/root/lib")
slots = __import__("slots")


class PowerCut(BaseException):
    """The supply is gone: nothing of the program goes on."""


class LineCut(BaseException):
    """The line died: the pad goes on, without the rest of its update."""


class Flash:
    """A flash that fails after ``budget`` bytes (None: never)."""

    def __init__(self, image):
        self.image = image
        self.budget = None
        self.written = 0
        self.erased = 0

    def readblocks(self, block, buffer, offset=0):
        at = block * BLOCK + offset
        buffer[:] = memoryview(self.image)[at : at + len(buffer)]

    def writeblocks(self, block, buffer, offset=0):
        at = block * BLOCK + offset
        size = len(buffer)
        taken = self.spend(size)
        self.image[at : at + taken] = buffer[:taken]
        self.written += taken
        if taken < size:
            # The byte under way has some of its bits.
            self.image[at + taken] &= buffer[taken] | random.getrandbits(8)
            raise PowerCut

    def ioctl(self, operation, argument):
        if operation == 4:
            return BLOCKS
        if operation == 5:
            return BLOCK
        if operation == 6:
            at = argument * BLOCK
            taken = self.spend(ERASE_COST) * BLOCK // ERASE_COST
            self.image[at : at + taken] = b"\xff" * taken
            self.erased += 1
            if taken < BLOCK:
                raise PowerCut
        return 0

    def spend(self, size):
        if self.budget is None:
            return size
        taken = min(size, self.budget)
        self.budget -= taken
        return taken

    @property
    def spent(self):
        return self.written + self.erased * ERASE_COST


def mount(flash):
    try:
        vfs.umount(ROOT)
    except OSError:
        pass
    vfs.mount(vfs.VfsLfs2(flash, progsize=256, readsize=32), ROOT)


def load(path):
    with open(path, "rb") as file:
        return file.read()


def files_of(table, folder):
    return {row["file"]: load(folder + "/slot/" + row["file"]) for row in table["files"]}


class Firmware:
    """A bundle of the plan, with its mac for the pad of this proof."""

    def __init__(self, folder):
        self.manifest = load(folder + "/MANIFEST.json")
        self.mac = load(folder + "/MANIFEST.mac")
        table = json.loads(self.manifest)
        self.version = table["version"]
        self.floor = table["floor"]
        self.files = files_of(table, folder)


OLD = Firmware(PLAN["old"])
NEW = Firmware(PLAN["new"])
BY_VERSION = {OLD.version: OLD, NEW.version: NEW}


class Course:
    """One pad from its start with the old firmware to its confirmed new one, with cuts."""

    def __init__(self, flash, number):
        self.flash = flash
        self.number = number
        self.staged = False
        self.steps = 0
        self.step_cut = None
        self.line_left = None

    def wrong(self, what):
        print(json.dumps({"wrong": f"round {self.number}: {what}"}))

    def step(self):
        if self.step_cut is not None and self.steps == self.step_cut:
            self.step_cut = None
            raise PowerCut
        self.steps += 1

    def update(self, firmware):
        """All of an update, from wherever an earlier one stopped."""
        update = slots.Update(pad())
        wanted = update.begin(firmware.manifest, firmware.mac)
        self.step()
        for name in wanted:
            data = firmware.files[name]
            at = update.received(name)
            if at >= len(data):
                at = 0
            while at < len(data):
                size = CHUNK
                if self.line_left is not None:
                    size = min(size, self.line_left)
                    self.line_left -= size
                    if not size:
                        raise LineCut
                update.write(name, at, data[at : at + size])
                at += size
            self.step()
            try:
                update.close(name)
            except slots.Refused:
                # A torn piece at the end of what was kept: once more, from its first byte.
                update.write(name, 0, data)
                update.close(name)
            self.step()
        self.staged = True
        update.finish()
        self.step()

    def start(self):
        """A power-up: which version starts, and that it is whole and runs."""
        mount(self.flash)
        slot = pad().boot()
        if not slot:
            self.wrong("no slot started: " + repr(pad().state()))
            return ""
        folder = ROOT + "/" + slot
        try:
            version = json.loads(load(folder + "/MANIFEST.json"))["version"]
        except (OSError, ValueError, KeyError):
            self.wrong(f"slot {slot} was started without a manifest")
            return ""
        for name, data in BY_VERSION[version].files.items():
            try:
                same = load(folder + "/" + name) == data
            except OSError:
                same = False
            if not same:
                # Not imported: the interpreter itself may hang on damaged code.
                self.wrong(f"{folder}/{name} is not that of version {version}, and it was started")
                return ""
        if imported_version(folder) != version:
            self.wrong(f"slot {slot} imports as {imported_version(folder)!r}, not {version}")
        if version == NEW.version and not self.staged:
            self.wrong("the new version started before all of it had come")
        return version

    def settle(self):
        """After any cut: start, go on with the update, start, confirm, and it is there."""
        version = self.start()
        if version != NEW.version:
            self.update(NEW)
            version = self.start()
        if version != NEW.version:
            self.wrong(f"version {version} after the update was sent again")
        pad().confirm()
        if self.start() != NEW.version or pad().state().trying:
            self.wrong("the confirmed version did not stay: " + repr(pad().state()))


def pad():
    return slots.Slots(ROOT, PLAN["chip"])


def imported_version(folder):
    """VERSION of the firmware that the interpreter finds there: it is really imported."""
    sys.path.insert(0, folder)
    try:
        return __import__("firmware.pad").pad.VERSION
    except (ImportError, ValueError, AttributeError) as error:
        return f"none ({error!r})"
    finally:
        sys.path.pop(0)
        for name in [name for name in sys.modules if name.startswith("firmware")]:
            del sys.modules[name]


def prepared():
    """The image of a pad that runs the old firmware, provisioned and confirmed."""
    flash = Flash(bytearray(b"\xff" * (BLOCK * BLOCKS)))
    vfs.VfsLfs2.mkfs(flash, progsize=256, readsize=32)
    mount(flash)
    slots.make_folders(ROOT + "/state/key.bin")
    slots.write_atomic(ROOT + "/state/key.bin", load(PLAN["key"]))
    course = Course(flash, -1)
    course.update(OLD)
    course.start()
    pad().confirm()
    return flash.image


def measured(image):
    """An update without a cut: bytes in all and up to its trial, steps, bytes, erased blocks."""
    flash = Flash(bytearray(image))
    course = Course(flash, -1)
    mount(flash)
    flash.written = flash.erased = 0
    course.update(NEW)
    staged = flash.spent
    course.start()
    pad().confirm()
    return flash.spent, staged, course.steps, flash.written, flash.erased


def one_round(image, number, kind, at, spent):
    """An update that is cut once or twice; afterwards the pad starts, and the update goes on."""
    random.seed(PLAN["seed"] * 1000003 + number)
    flash = Flash(bytearray(image))
    course = Course(flash, number)
    mount(flash)
    cuts = 0
    if kind in ("byte", "trial"):
        flash.budget = at
    elif kind == "step":
        course.step_cut = at
    else:
        course.line_left = at
    try:
        course.update(NEW)
        course.start()
        pad().confirm()
    except (PowerCut, LineCut):
        cuts += 1
    flash.budget = course.line_left = None
    # Every third pad loses its power again, while it starts and goes on.
    if number % 3 == 0:
        flash.budget = random.randrange(spent)
        try:
            course.settle()
        except PowerCut:
            cuts += 1
        flash.budget = None
    first = course.start()
    if first == NEW.version and pad().state().trying:
        pad().confirm()
    course.settle()
    print(json.dumps({"round": number, "kind": kind, "at": at, "cuts": cuts, "first": first}))


def rollback(image, number):
    """A new version that never confirms itself: after MAX_TRIES starts the old one is back."""
    random.seed(PLAN["seed"] * 7 + number)
    flash = Flash(bytearray(image))
    course = Course(flash, number)
    mount(flash)
    course.update(NEW)
    seen = []
    for _ in range(TRIES + 2):
        flash.budget = random.randrange(4000) if number % 2 else None
        try:
            seen.append(course.start())
        except PowerCut:
            flash.budget = None
            seen.append(course.start())
        flash.budget = None
    tries = seen.count(NEW.version)
    back = seen[-1] == OLD.version and seen[tries:] == [OLD.version] * (len(seen) - tries)
    if not back or tries > TRIES:
        course.wrong(f"no rollback: {seen}")
    print(json.dumps({"rollback": number, "tries": tries, "state": pad().state().text()}))


def refused(image, name, folder, must_say):
    """Firmware that a pad must not take; it says why, and what ran before still starts."""
    flash = Flash(bytearray(image))
    course = Course(flash, name)
    mount(flash)
    said = "taken"
    try:
        course.update(Firmware(folder))
    except slots.Refused as error:
        said = str(error)
    course.staged = False
    if must_say not in said:
        course.wrong(f"{said}, expected a refusal with {must_say!r}")
    if course.start() != OLD.version:
        course.wrong("the version before does not start any more")
    print(json.dumps({"refused": name, "said": said}))


def damaged(image, number):
    """A bit of the running slot's files turns: the other slot starts, or none, never a bad one."""
    random.seed(PLAN["seed"] * 13 + number)
    flash = Flash(bytearray(image))
    course = Course(flash, number)
    mount(flash)
    course.settle()
    slot = pad().state().active
    names = sorted(NEW.files)
    path = f"{ROOT}/{slot}/{names[number % len(names)]}"
    if not slot:
        return
    data = bytearray(load(path))
    data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    with open(path, "wb") as file:
        file.write(data)
    version = course.start()
    if version != OLD.version:
        course.wrong(f"{path} is damaged and version {version} started")
    print(json.dumps({"damaged": number, "started": version}))


def switch_off(promise):
    """Take one promise away, to see that the proof finds what is then lost."""
    if promise == "hash":

        def check(self, slot, floor):
            manifest = slots.read(self.folder(slot) + "/" + slots.MANIFEST)
            if not manifest:
                raise slots.Refused("no firmware")
            return slots.version_of(json.loads(manifest)["version"])

        slots.Slots.check = check
    elif promise == "atomic":

        def write(path, data):
            with open(path, "wb") as file:
                file.write(b"")
            with open(path, "wb") as file:
                file.write(data)

        slots.write_atomic = write
    elif promise == "trial":
        slots.MAX_TRIES = 1000000


def main():
    for promise in PLAN["without"]:
        switch_off(promise)
    image = prepared()
    spent, staged, steps, written, erased = measured(image)
    line = sum(len(data) for data in NEW.files.values())
    print(json.dumps({
        "measured": spent, "steps": steps, "written": written, "erased": erased, "line": line,
        "python": "micropython %d.%d.%d" % sys.implementation[1][:3],
        "sha256": hexlify(hashlib.sha256(image).digest()).decode()[:16],
    }))  # fmt: skip
    random.seed(PLAN["seed"])
    plans = [("step", at) for at in range(steps)]
    while len(plans) < PLAN["rounds"]:
        turn = len(plans) % 4
        if turn == 0:
            plans.append(("line", random.randrange(line)))
        elif turn == 1:
            # The few bytes of slot.json, at the first start and at the confirmation.
            plans.append(("trial", random.randrange(staged, spent)))
        else:
            plans.append(("byte", random.randrange(staged)))
    for number in range(PLAN["rounds"]):
        one_round(image, number, plans[number][0], plans[number][1], spent)
    for number in range(PLAN["rollbacks"]):
        rollback(image, number)
    for number in range(PLAN["damages"]):
        damaged(image, number)
    for name, folder, must_say in PLAN["refused"]:
        refused(image, name, folder, must_say)
    os.chdir("/")
    vfs.umount(ROOT)


main()
