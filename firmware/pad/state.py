"""What a pad keeps in its state folder: key, configuration, presses not yet acknowledged.

Files are written whole under another name and then renamed, which littlefs does at once or not at
all. Whatever cannot be read counts as not there: the host restores it.
"""

import json
import os

from firmware.pad.kept import MAX_IMAGE, Store
from firmware.pad.link import CALLER, GUIDE, KEY_SIZE, RATING
from firmware.pad.ticks import TICKS_MASK, ticks_add, ticks_diff
from firmware.pad.turns import ADDRESSES

KEY_FILE = "key.bin"
MAINTENANCE_FILE = "maintenance"
CONFIG_FILE = "config.json"
PRESSES_FILE = "presses.bin"
ASIDE = ".aside"
USB = "usb"
UART = "uart"
BUS = "bus"
BAUD = 115_200
IDLE_LINE_MS = 20
"""Flash writes mask interrupts and would lose bytes: they wait until none came for so long."""
SAVE_AGAIN_MS = 5_000
"""Pause after a save that failed."""


def read(path: str, limit: int) -> bytes:
    """At most ``limit`` bytes of a file; nothing if it cannot be read."""
    try:
        with open(path, "rb") as file:
            data: bytes = file.read(limit)
            return data
    except OSError:
        return b""


def write(path: str, data: bytes) -> bool:
    """Replace a file; False if the flash did not take it, which leaves the one before."""
    try:
        with open(path + ".new", "wb") as file:
            file.write(data)
        os.rename(path + ".new", path)
    except OSError:
        return False
    return True


def put_aside(folder: str, suffix: str) -> None:
    """Rename what the program reads at its start, but for the key: it may be what ends it."""
    for name in (PRESSES_FILE, CONFIG_FILE):
        try:
            os.rename(folder + "/" + name, folder + "/" + name + suffix)
        except OSError:
            pass


def key(folder: str) -> "bytes | None":
    """The pad's key, None if it has none."""
    found = read(folder + "/" + KEY_FILE, KEY_SIZE + 1)
    return found if len(found) == KEY_SIZE else None


def roles(folder: str) -> int:
    """The pad's roles by config.json, {"roles": ["rating", "caller"]}; without it RATING.

    {"roles": ["keys"]} is a pad for the guide: it has the keys of a rating pad, and no other role.
    """
    try:
        names = json.loads(read(folder + "/" + CONFIG_FILE, 1024).decode())["roles"]
        found = (RATING if "rating" in names else 0) | (CALLER if "caller" in names else 0)
        return GUIDE if "keys" in names else found or RATING
    except (ValueError, KeyError, TypeError):
        return RATING


def line(folder: str) -> "tuple[str, int, int]":
    """The pad's line by config.json: (USB, UART or BUS, address on a bus, baud); else the USB.

    {"line": "bus", "address": 5, "baud": 115200}. A configuration that was put aside after crashes
    still says where the host is. Address 0: on a bus, but not a valid one.
    """
    for name in (CONFIG_FILE, CONFIG_FILE + ASIDE):
        try:
            table = json.loads(read(folder + "/" + name, 1024).decode())
            kind = table.get("line", USB)
            address = table.get("address", 0)
            baud = table.get("baud", BAUD)
        except (ValueError, AttributeError):
            continue
        if kind not in (USB, UART, BUS):
            kind = USB
        if not isinstance(baud, int) or not 300 <= baud <= 1_000_000:
            baud = BAUD
        return kind, address if address in ADDRESSES else 0, baud
    return USB, 0, BAUD


class Saver:
    """Keeps a Store's presses on flash; with an empty ``folder`` it does nothing."""

    def __init__(self, folder: str, store: Store, now_ms: int) -> None:
        self.saves = 0
        self.failures = 0
        self.damaged = False  # an image was there and could not be used
        self._path = folder + "/" + PRESSES_FILE if folder else ""
        self._store = store
        self._quiet_since = now_ms
        self._failed = False
        self._again_at = now_ms
        if self._path:
            image = read(self._path, MAX_IMAGE + 1)
            self.damaged = bool(image) and not store.load(image, now_ms)

    def heard(self, now_ms: int) -> None:
        """Bytes came: the line is not idle."""
        self._quiet_since = now_ms

    def keep(self, now_ms: int) -> None:
        """Save what is not saved yet, before a restart that the pad itself wants."""
        unsaved = [press for press in self._store.presses if not press.saved]
        if self._path and unsaved and write(self._path, self._store.image(now_ms)):
            self._store.saved()

    def turn(self, now_ms: int, rest_ms: int) -> int:
        """Save if it is due and the line idle; the time until the next turn, at most ``rest_ms``.

        0 after a save: look at everything anew, it took time.
        """
        if not self._path:
            return rest_ms
        quiet_ms = ticks_diff(now_ms, self._quiet_since)
        if quiet_ms > IDLE_LINE_MS:  # before the wrap makes it look like the future
            quiet_ms = IDLE_LINE_MS
            self._quiet_since = ticks_add(now_ms, TICKS_MASK + 1 - IDLE_LINE_MS)
        if self._failed and ticks_diff(now_ms, self._again_at) < 0:
            return rest_ms
        self._failed = False
        wait_ms = max(self._store.save_in_ms(now_ms, rest_ms), IDLE_LINE_MS - quiet_ms)
        if wait_ms > 0:
            return min(rest_ms, wait_ms)
        if write(self._path, self._store.image(now_ms)):
            self._store.saved()
            self.saves += 1
        else:
            self.failures += 1
            self._failed = True
            self._again_at = ticks_add(now_ms, SAVE_AGAIN_MS)
        return 0
