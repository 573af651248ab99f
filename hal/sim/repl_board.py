# Runs under MicroPython's unix port: a board with a flash of its own, on a pty.
#
#     micropython repl_board.py FLASH_FILE UNIQUE_ID DIE_AFTER BLOCKS HELD LEFT_FILE
#
# stdin and stdout are the line, and do not block. FLASH_FILE is the flash, formatted when it is
# empty; after DIE_AFTER received bytes (-1: never) the board is unplugged. HELD is the mask of
# keys that are down when the power comes. The host's files are below /host to the board: there lie
# those that the firmware's board_host knows by its environment.
#
# One process is one start, as on the chip: /boot.py, then /main.py, whose program has the line for
# itself; where there is none, or two keys are held, or maintenance was asked for, the prompt
# answers. A reset ends the process with RESET, what is left of DIE_AFTER in LEFT_FILE.
import os
import select
import sys
import time

# Only MicroPython has it, and no type checker of CPython knows it.
vfs = __import__("vfs")

BLOCK = 4096
WINDOW = 128
BANNER = b"raw REPL; CTRL-B to exit\r\n"

RESET = 3

path, unique_id, die_after, blocks, held, left_file = sys.argv[1:7]
left = int(die_after)
stdin = sys.stdin.buffer
stdout = sys.stdout.buffer
poll_in = select.poll()
poll_in.register(stdin, select.POLLIN)


class Reset(BaseException):
    pass


def say(data):
    at = 0
    while at < len(data):
        at += stdout.write(data[at:]) or 0


class Flash:
    def __init__(self):
        self.file = open(path, "r+b")  # noqa: SIM115 - as long as the board

    def readblocks(self, block, buffer, offset=0):
        self.file.seek(block * BLOCK + offset)
        self.file.readinto(buffer)

    def writeblocks(self, block, buffer, offset=0):
        self.file.seek(block * BLOCK + offset)
        self.file.write(buffer)

    def ioctl(self, operation, argument):
        if operation == 4:
            return int(blocks)
        if operation == 5:
            return BLOCK
        if operation == 6:
            self.writeblocks(argument, b"\xff" * BLOCK)
        return 0


class Machine:
    flash = None

    def unique_id(self):
        return bytes.fromhex(unique_id)

    def reset(self):
        raise Reset


def next_byte():
    global left
    if left == 0:
        raise SystemExit  # unplugged
    left -= 1
    while True:
        poll_in.poll()
        byte = stdin.read(1)
        if byte:
            return byte
        if byte is not None:
            raise SystemExit


def paste():
    say(b"R\x01" + bytes([WINDOW, 0]))
    code = b""
    while True:
        room = WINDOW
        while room:
            byte = next_byte()
            if byte == b"\x04":
                say(b"\x04")
                return code
            code += byte
            room -= 1
        say(b"\x01")


def execute(code, names):
    try:
        exec(compile(code, "<stdin>", "exec"), names)
        say(b"\x04")
    except Reset:
        raise
    except BaseException as error:  # noqa: BLE001 - as the real prompt does
        say(b"\x04")
        sys.print_exception(error, sys.stdout)
    say(b"\x04>")


def take_over(board):
    """Let the board behind the firmware count the bytes, reset, and feel the fingers."""
    read_into = board.read_into

    def counted(buffer):
        global left
        count = read_into(buffer)
        if left >= 0 and count > 0:
            left = max(left - count, 0)
        if left == 0:
            raise SystemExit  # unplugged
        return count

    board.read_into = counted
    board.reset = Machine().reset
    board._down = int(held)  # noqa: SLF001 - its fingers were there before it


def power_up():
    sys.path[:] = ["", "/lib"]
    names = {"__name__": "__main__"}
    try:
        with open("/boot.py") as file:
            text = file.read()
        exec(text, names)
        if names["slot"]:
            take_over(__import__("firmware.pad.board_host", None, None, ["wait"]))
        with open("/main.py") as file:
            text = file.read()
        exec(text, names)
    except OSError:
        pass  # a blank board
    except Exception as error:  # noqa: BLE001 - a real board shows it at its prompt as well
        sys.print_exception(error, sys.stdout)


def prompt():
    names = {"__name__": "__main__"}
    raw = False
    code = b""
    while True:
        byte = next_byte()
        if byte == b"\x01":
            raw = True
            code = b""
            say(BANNER + b">")
        elif byte == b"\x02":
            raw = False
            say(b"\r\nMicroPython\r\n>>> ")
        elif byte == b"\x03":
            code = b""
            if not raw:
                say(b"\r\n>>> ")
        elif not raw:
            pass
        elif byte == b"\x05" and not code:
            if next_byte() + next_byte() == b"A\x01":
                execute(paste(), names)
        elif byte == b"\x04":
            say(b"OK")
            if code:
                execute(code, names)
            else:
                say(b"\r\nMPY: soft reboot\r\n" + BANNER + b">")
                names = {"__name__": "__main__"}
            code = b""
        else:
            code += byte


flash = Flash()
try:
    mounted = vfs.VfsLfs2(flash, progsize=256)
except OSError:
    vfs.VfsLfs2.mkfs(flash, progsize=256)
    mounted = vfs.VfsLfs2(flash, progsize=256)
host = vfs.VfsPosix()  # with a folder as its root it cannot rename
vfs.umount("/")
vfs.mount(mounted, "/")
vfs.mount(host, "/host")
os.chdir("/")
Machine.flash = flash  # type: ignore[assignment] # as rp2.Flash() is
sys.modules["machine"] = Machine()  # type: ignore[assignment] # a module for its users
try:
    power_up()
    prompt()
except Reset:
    with open("/host" + left_file, "w") as file:
        file.write(str(left))
    time.sleep(0.02)  # what was said last is read before the port goes
    sys.exit(RESET)
