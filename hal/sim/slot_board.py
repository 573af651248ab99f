# Runs under MicroPython's unix port: a board with two slots on a flash of its own, on a pty.
#
#     micropython slot_board.py FLASH_FILE BLOCKS BUDGET CONFIRM_MS [PLAN.json]
#
# stdin and stdout are the line. FLASH_FILE is mounted as littlefs at /, as on a board; what else
# the machine has is at /host. The board does what a Pico does at power-up: /boot.py chooses a
# slot, /main.py starts its program. After BUDGET bytes of writes (an erase counts for 64; -1:
# never) the power fails in the middle of one. CONFIRM_MS is the length of a trial.
#
# Exit status: 0 the line hung up, 70 the power failed, 75 the board reset itself, 76 no slot
# started. With PLAN.json, {path on the flash: path of the machine}, it formats the flash, writes
# the files and ends. With "list" in its place it prints {path: SHA-256} of every file, and the
# text of the slots' state, and ends.
import hashlib
import json
import os
import random
import sys
from binascii import hexlify

# Only MicroPython has it, and no type checker of CPython knows it.
vfs = __import__("vfs")

BLOCK = 4096
ERASE_COST = 64
POWER_FAILED = 70
RESET = 75
NO_SLOT = 76


class PowerCut(BaseException):
    pass


class Reset(BaseException):
    pass


class Flash:
    def __init__(self, path, blocks, budget):
        self.file = open(path, "r+b")  # noqa: SIM115 - as long as the board
        self.blocks = blocks
        self.budget = budget
        self.spent = 0

    def readblocks(self, block, buffer, offset=0):
        self.file.seek(block * BLOCK + offset)
        self.file.readinto(buffer)

    def writeblocks(self, block, buffer, offset=0):
        taken = self.spend(len(buffer))
        self.put(block * BLOCK + offset, memoryview(buffer)[:taken])
        if taken < len(buffer):
            # The byte under way has some of its bits.
            at = block * BLOCK + offset + taken
            self.file.seek(at)
            self.put(at, bytes([self.file.read(1)[0] & (buffer[taken] | random.getrandbits(8))]))
            raise PowerCut

    def ioctl(self, operation, argument):
        if operation == 4:
            return self.blocks
        if operation == 5:
            return BLOCK
        if operation == 6:
            taken = self.spend(ERASE_COST) * BLOCK // ERASE_COST
            self.put(argument * BLOCK, b"\xff" * taken)
            if taken < BLOCK:
                raise PowerCut
        return 0

    def put(self, at, data):
        self.file.seek(at)
        self.file.write(data)

    def spend(self, size):
        taken = size if self.budget < 0 else min(size, self.budget)
        if self.budget >= 0:
            self.budget -= taken
        self.spent += taken
        return taken


def mount(flash):
    mounted = vfs.VfsLfs2(flash, progsize=256, readsize=32)
    vfs.umount("/")
    vfs.mount(mounted, "/")
    vfs.mount(vfs.VfsPosix(), "/host")
    os.chdir("/")


def prepare(flash, plan):
    vfs.VfsLfs2.mkfs(flash, progsize=256, readsize=32)
    mount(flash)
    for path, source in plan.items():
        at = path.find("/", 1)
        while at > 0:
            try:
                os.mkdir(path[:at])
            except OSError:
                pass
            at = path.find("/", at + 1)
        with open("/host" + source, "rb") as file:
            data = file.read()
        with open(path, "wb") as file:
            file.write(data)
    vfs.umount("/")


def listed(folder, found):
    for name, kind, *_ in os.ilistdir(folder or "/"):
        path = folder + "/" + name
        if path == "/host":
            continue
        if kind & 0x4000:
            listed(path, found)
        else:
            with open(path, "rb") as file:
                found[path] = hexlify(hashlib.sha256(file.read()).digest()).decode()
    return found


def show(flash):
    mount(flash)
    try:
        with open("/state/slot.json") as file:
            state = file.read()
    except OSError:
        state = ""
    print(json.dumps({"files": listed("", {}), "state": state}))


def reset():
    raise Reset


def power_up(confirm_ms):
    sys.path[:] = ["", "/lib"]
    names = {"__name__": "__main__"}
    for name in ("/boot.py", "/main.py"):
        with open(name) as file:
            text = file.read()
        if name == "/main.py":
            if not names["slot"]:
                sys.exit(NO_SLOT)
            boot = __import__("firmware.pad.boot").pad.boot
            boot.CONFIRM_MS = confirm_ms
            __import__("firmware.pad.board_host").pad.board_host.reset = reset
        exec(text, names)


def main():
    path, blocks, budget, confirm_ms = sys.argv[1:5]
    flash = Flash(path, int(blocks), int(budget))
    if sys.argv[5:] == ["list"]:
        show(flash)
        return
    if len(sys.argv) > 5:
        with open(sys.argv[5]) as file:
            plan = json.load(file)
        prepare(flash, plan)
        return
    try:
        mount(flash)
        power_up(int(confirm_ms))
    except PowerCut:
        sys.exit(POWER_FAILED)
    except Reset:
        sys.exit(RESET)


main()
