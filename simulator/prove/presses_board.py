"""Runs under MicroPython for ``lobby prove presses``: the pad's program on a flash that can fail.

The state folder is littlefs on a block device in a file, which outlives the interpreter. From the
environment:

LOBBY_PROOF_FLASH    the file; if it is missing it is made, with what LOBBY_PAD_STATE holds
LOBBY_PROOF_CUT      the write or erase, counted from the start, that is left torn: there the power
                     fails (SIGKILL, so nothing of the program goes on); 0: none
LOBBY_PROOF_WITHOUT  "save": presses are not written, and the pad believes that they were
LOBBY_PROOF_SAVES    a file that gets one byte for each save of presses

The flash wears nothing out and is never slow.
"""

import os

from firmware.pad import board_host, main, state

# Only MicroPython has them, and no type checker of CPython knows them.
vfs = __import__("vfs")
ffi = __import__("ffi")

BLOCK = 4096
BLOCKS = 24
ROOT = "/pad"
SIGKILL = 9

die = ffi.open("libc.so.6").func("i", "raise", "i")


class Flash:
    """Flash as littlefs sees it, in a file; its write number ``cut_at`` is torn, and the last."""

    def __init__(self, path, cut_at):
        self._file = open(path, "r+b")  # noqa: SIM115 - open for the program's life
        self._cut_at = cut_at
        self._writes = 0

    def readblocks(self, block, buffer, offset=0):
        self._file.seek(block * BLOCK + offset)
        self._file.readinto(buffer)

    def writeblocks(self, block, buffer, offset=0):
        # Programming only clears bits, as on NOR flash.
        at = block * BLOCK + offset
        data = bytearray(len(buffer))
        self._file.seek(at)
        self._file.readinto(data)
        for number in range(len(buffer)):
            data[number] &= buffer[number]
        self._write(at, data)

    def ioctl(self, operation, argument):
        if operation == 4:
            return BLOCKS
        if operation == 5:
            return BLOCK
        if operation == 6:
            self._write(argument * BLOCK, b"\xff" * BLOCK)
        return 0

    def _write(self, at, data):
        self._writes += 1
        cut = self._writes == self._cut_at
        if cut:
            data = data[: int.from_bytes(os.urandom(2), "little") % (len(data) + 1)]
        self._file.seek(at)
        self._file.write(data)
        if cut:
            die(SIGKILL)


def prepared(path, folder):
    """Make the flash as a technician does: formatted, with the pad's key and configuration."""
    with open(path + ".new", "wb") as file:
        for _ in range(BLOCKS):
            file.write(b"\xff" * BLOCK)
    flash = Flash(path + ".new", 0)
    vfs.VfsLfs2.mkfs(flash, progsize=256, readsize=256)
    mount(flash)
    for name in (state.KEY_FILE, state.CONFIG_FILE):
        state.write(ROOT + "/" + name, state.read(folder + "/" + name, 1024))
    vfs.umount(ROOT)
    os.rename(path + ".new", path)


def mount(flash):
    vfs.mount(vfs.VfsLfs2(flash, progsize=256, readsize=256), ROOT)


def counted(write, path, without):
    """state.write, which counts the saves of presses, or leaves them out."""

    def write_counted(name, data):
        if not name.endswith(state.PRESSES_FILE):
            return write(name, data)
        good = without == "save" or write(name, data)
        if good:
            with open(path, "ab") as file:
                file.write(b".")
        return good

    return write_counted


def start():
    path = os.getenv("LOBBY_PROOF_FLASH")
    try:
        os.stat(path)
    except OSError:
        prepared(path, board_host.state_folder)
    mount(Flash(path, int(os.getenv("LOBBY_PROOF_CUT") or 0)))
    board_host.state_folder = ROOT
    saves = os.getenv("LOBBY_PROOF_SAVES")
    state.write = counted(state.write, saves, os.getenv("LOBBY_PROOF_WITHOUT"))
    main.run(board_host)


start()
