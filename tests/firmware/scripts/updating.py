# ruff: noqa: T201 - what is printed is what is compared
# Runs under both interpreters: updates over the line's frames into real slots below argv[1].
import hashlib
import os
import sys
from binascii import hexlify

from firmware.pad import link, slots
from firmware.pad.updating import Updating

CHIP = "rp2"
KEY = bytes(range(32))
NAMES = (
    ["GO_ON", "OPENED", "PLACED", "DAMAGED", "SWITCHED", "BUSY", "NOT_TAKEN", "NOTHING_OPEN"]
)  # fmt: skip
OLD = {"x.mpy": b"one" * 400, "p/y.mpy": b"two" * 3000}
NEW = {"p/z.mpy": b"three" * 3000, "q.mpy": b"", "x.mpy": b"one" * 400}

root = sys.argv[1]
pad = slots.Slots(root, CHIP)


def manifest(version, files, chip=CHIP, floor="1.0.0"):
    rows = []
    for name in sorted(files):
        digest = hexlify(hashlib.sha256(files[name]).digest()).decode()
        rows.append(f'{{"file":"{name}","size":{len(files[name])},"sha256":"{digest}"}}')
    text = '{"version":"%s","floor":"%s","chip":"%s","files":[%s]}'
    return (text % (version, floor, chip, ",".join(rows))).encode()


def say(updating, kind, body=b"", rating=False):
    try:
        answer, file, offset, rest = link.unpack_progress(updating.take(kind, body, rating))
    except link.BadBody as error:
        return "BadBody", 0, 0, str(error).encode()
    return NAMES[answer], file, offset, rest


def told(name, answer):
    print(name, answer[0], answer[1], answer[2], answer[3].decode().replace(root, ""))


def offer(updating, data, key=KEY):
    mac = slots.hmac_sha256(key, data)
    answer = say(updating, link.OFFER, link.pack_offer(len(data), mac))
    at = 0
    while answer[0] == "GO_ON" and at < len(data):
        part = data[at : at + link.MAX_PART]
        answer = say(updating, link.OFFER_PART, link.pack_offer_part(at, part))
        at = answer[2]
    return answer


def send(updating, files, file, cut=1 << 30):
    """All parts of a file from where the pad has it; stops before offset ``cut``."""
    data = files[sorted(files)[file]]
    at = say(updating, link.FILE_ASK, link.pack_file(file))[2]
    print("from", file, at)
    while at < min(len(data), cut) or not data:
        part = data[at : at + link.MAX_PART]
        at = say(updating, link.FILE_PART, link.pack_part(file, at, part))[2]
        if not data:
            break
    return say(updating, link.FILE_END, link.pack_file(file)) if at >= len(data) else None


def install(files, version):
    """The first firmware, as the tool puts it there."""
    update = slots.Update(pad)
    data = manifest(version, files)
    for name in update.begin(data, slots.hmac_sha256(KEY, data)):
        update.write(name, 0, files[name])
        update.close(name)
    update.finish()
    pad.boot()
    pad.confirm()


slots.make_folders(pad.key_path)
slots.write_atomic(pad.key_path, KEY)
install(OLD, "1.0.0")
updating = Updating(pad)

# --- nothing is open, or it is refused
for kind, body in (
    (link.OFFER_PART, link.pack_offer_part(0, b"x")),
    (link.FILE_ASK, b"\x00"),
    (link.FILE_PART, link.pack_part(0, 0, b"x")),
    (link.FILE_END, b"\x00"),
    (link.SWITCH, b""),
    (link.ABANDON, b""),
    (link.OFFER, b"short"),
):
    told("idle", say(updating, kind, body))
good = manifest("1.1.0", NEW)
told("other key", offer(updating, good, bytes(32)))
told("other chip", offer(updating, manifest("1.1.0", NEW, chip="esp32")))
told("older", offer(updating, manifest("0.9.0", NEW)))
told("no manifest", offer(updating, b"[]"))
told("way out", offer(updating, manifest("1.1.0", {"../state/key.bin": b"x"})))
mac = slots.hmac_sha256(KEY, good)
told("offer", say(updating, link.OFFER, link.pack_offer(len(good), mac)))
told("at 5", say(updating, link.OFFER_PART, link.pack_offer_part(5, b"x")))
told("begun", say(updating, link.OFFER_PART, link.pack_offer_part(0, bytes(220))))
told("not there", say(updating, link.OFFER_PART, link.pack_offer_part(0, bytes(227))))
told("over its end", say(updating, link.OFFER_PART, link.pack_offer_part(220, bytes(227))))

# --- somebody rates
told("rating", say(updating, link.OFFER, link.pack_offer(len(good), mac), rating=True))

# --- a whole one, cut and gone on with
answer = offer(updating, good)
told("opened", (answer[0], answer[1], answer[2], hexlify(answer[3])))
told("no such file", say(updating, link.FILE_ASK, b"\x09"))
answer = offer(updating, good)
told("part cut", send(updating, NEW, 0, 5000) or ("cut", 0, 0, b""))
told("gap", say(updating, link.FILE_PART, link.pack_part(0, 9, b"x")))
told("rating", say(updating, link.FILE_PART, link.pack_part(0, 9, b"x"), rating=True))
told("abandon", say(updating, link.ABANDON))
told("abandoned", say(updating, link.FILE_ASK, b"\x00"))
updating = Updating(pad)  # the pad lost its power
answer = offer(updating, good)
told("again", (answer[0], answer[1], answer[2], hexlify(answer[3])))
told("too much", say(updating, link.FILE_PART, link.pack_part(1, 0, b"x")))
answer = offer(updating, good)
told("first part wrong", say(updating, link.FILE_PART, link.pack_part(0, 0, b"x")))
told("rest of it", send(updating, NEW, 0))
told("anew", send(updating, NEW, 0))
told("early switch", say(updating, link.SWITCH))
answer = offer(updating, good)
told("wanted", (answer[0], answer[1], answer[2], hexlify(answer[3])))
for file in range(3):
    told("file", send(updating, NEW, file))
told("switch body", say(updating, link.SWITCH, b"x"))
told("rating", say(updating, link.SWITCH, rating=True))
print(updating.switched, pad.state().text())
told("switch", say(updating, link.SWITCH))
print(updating.switched, pad.state().text())
told("switch again", say(updating, link.SWITCH))
told("gone", say(updating, link.OFFER, link.pack_offer(5, mac)))

# --- after the restart: on trial, then confirmed
print("boots", pad.boot())
updating = Updating(pad)
told("on trial", offer(updating, manifest("1.2.0", OLD)))
pad.confirm()
answer = offer(updating, manifest("1.2.0", OLD))
told("confirmed", (answer[0], answer[1], answer[2], hexlify(answer[3])))

# --- the flash does not take it
for path in slots.files_below(root + "/b"):
    os.remove(path)
for folder in ("/b/p", "/b"):
    os.rmdir(root + folder)
slots.write_atomic(root + "/b", b"no folder")
answer = say(updating, link.FILE_PART, link.pack_part(0, 0, b"two"))
print("no flash", answer[0], answer[3].decode().startswith("the flash did not take it"))
told("then", say(updating, link.FILE_ASK, b"\x00"))


class Hungry(Updating):
    def _carry_out(self, kind, body):
        raise MemoryError


told("hungry", say(Hungry(pad), link.OFFER, link.pack_offer(5, mac)))
