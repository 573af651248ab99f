# ruff: noqa: T201 - what is printed is what is compared
# Runs under MicroPython: firmware.pad.state on littlefs over flash that loses its power at every
# write there is, with the write torn. Arguments: the seed, the number of cuts.
import sys

from firmware.pad import kept, state, ticks

vfs = __import__("vfs")  # which no type checker knows
BLOCK = 4096
BLOCKS = 24
EIO = -5
seed = int(sys.argv[1])
CUTS = int(sys.argv[2])


def chance(below):
    global seed
    seed = (seed * 1664525 + 1013904223) & 0xFFFFFFFF
    return (seed >> 8) % below


class PowerCut(Exception):
    pass


class Flash:
    """Flash as littlefs sees it. At write number ``cut_at`` power fails: a part of it is written,
    or an erase leaves noise, and nothing after that.
    """

    def __init__(self, data):
        self.data = data
        self.writes = 0
        self.erases = 0
        self.cut_at = 0
        self.dead = False

    def _one_more(self):
        self.writes += 1
        self.dead = self.writes == self.cut_at
        return self.dead

    def readblocks(self, block, buffer, offset=0):
        if self.dead:  # a file that the cut left open is closed by the collector
            return EIO
        start = block * BLOCK + offset
        buffer[:] = self.data[start : start + len(buffer)]
        return 0

    def writeblocks(self, block, buffer, offset=0):
        if self.dead:
            return EIO
        start = block * BLOCK + offset
        size = len(buffer)
        cut = self._one_more()
        if cut:
            size = chance(size + 1)
        # Programming only clears bits, as on NOR flash.
        for at in range(size):
            self.data[start + at] &= buffer[at]
        if cut:
            raise PowerCut
        return 0

    def ioctl(self, what, block):
        if self.dead:
            return EIO
        if what == 4:
            return BLOCKS
        if what == 5:
            return BLOCK
        if what == 6:
            cut = self._one_more()
            self.erases += 1
            start = block * BLOCK
            size = chance(BLOCK + 1) if cut else BLOCK
            for at in range(size):
                self.data[start + at] = 0xFF
            if cut:
                raise PowerCut
        return 0


def mounted(flash):
    filesystem = vfs.VfsLfs2(flash, progsize=256, readsize=256, lookahead=32)
    vfs.mount(filesystem, "/pad")


def names(store):
    return [(press.boot_id, press.seq, press.nonce, press.score) for press in store.presses]


def session(store, saver, record):
    """Presses come and go; ``record`` holds what is safe and what is being saved."""
    now = 0
    step = 0
    while True:  # until power fails
        step += 1
        now = ticks.ticks_add(now, 70_000)
        for number in range(1 + chance(4)):
            press = kept.Kept(chance(1 << 30), 10 * step + number, 1 + chance(9), 3, now)
            store.add(press)
        while store.presses and not chance(3):
            press = store.presses[chance(len(store.presses))]
            store.forget(press.boot_id, press.seq, now)
        now = ticks.ticks_add(now, 5_000)
        record["trying"] = names(store)
        saves = saver.saves
        saver.turn(now, 2000)
        if saver.saves > saves:
            record["safe"] = record["trying"]
        if torn.dead:
            raise PowerCut  # the file was closed on the way out, which hid the first one
        if saver.failures:
            print("a save failed without a cut")


torn = Flash(bytearray(b"\xff" * (BLOCK * BLOCKS)))
vfs.VfsLfs2.mkfs(torn, progsize=256, readsize=256, lookahead=32)
before = after = saves = erases = 0
for cut in range(CUTS):
    torn = Flash(torn.data)  # each cut goes on where the last one left the flash
    mounted(torn)
    store = kept.Store()
    saver = state.Saver("/pad", store, 0)
    record = {"safe": names(store), "trying": []}
    torn.writes = 0
    torn.cut_at = 1 + chance(120)
    try:
        session(store, saver, record)
    except PowerCut:
        record["cut"] = True
    saves += saver.saves
    erases += torn.erases
    vfs.umount("/pad")
    mounted(Flash(torn.data))
    store = kept.Store()
    saver = state.Saver("/pad", store, 0)
    found = names(store)
    if saver.damaged:
        print("damaged", cut)
    if found == record["safe"]:
        before += 1
    elif found == record["trying"]:
        after += 1
    else:
        print("lost", cut, record["safe"], found)
    vfs.umount("/pad")
print("cuts", before + after, before > 0, after > 0)
if len(sys.argv) > 3:
    print("before", before, "after", after, "saves", saves, "erases", erases)
