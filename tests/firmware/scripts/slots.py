# ruff: noqa: T201 - what is printed is what is compared
# Runs under both interpreters: the pure decision over every state, then real slots below argv[1].
import hashlib
import json
import os
import sys
from binascii import hexlify

from firmware.pad import slots
from firmware.pad.slots import Refused, Slots, State, Update

CHIP = "rp2"
KEY = bytes(range(32))


def tried(name, function, *arguments):
    try:
        print(name, function(*arguments))
    except Refused as error:
        print(name, "Refused", str(error).replace(sys.argv[1], ""))


def decisions():
    good = {"a": (1, 0, 0), "b": (1, 2, 0)}
    for active in ("", "a", "b"):
        for trying in ("", "a", "b"):
            for tries in (0, slots.MAX_TRIES - 1, slots.MAX_TRIES):
                for failed in ("", "b"):
                    for there in ("", "a", "b", "ab"):
                        versions = {slot: good[slot] for slot in there}
                        state = State(active, trying, tries, "0.0.0", failed)
                        slot, then = slots.decide(state, versions)
                        assert not slot or slot in versions
                        assert not slot or slot != then.failed or slot == trying
                        print(active, trying, tries, failed, there, slot, then.text())


def manifest(version, files, chip=CHIP, floor="1.0.0"):
    rows = []
    for name in sorted(files):
        digest = hexlify(hashlib.sha256(files[name]).digest()).decode()
        rows.append(f'{{"file":"{name}","size":{len(files[name])},"sha256":"{digest}"}}')
    text = '{"version":"%s","floor":"%s","chip":"%s","files":[%s]}'
    return (text % (version, floor, chip, ",".join(rows))).encode()


def send(pad, version, files, **more):
    update = Update(pad)
    data = manifest(version, files, **more)
    wanted = update.begin(data, slots.hmac_sha256(KEY, data))
    for name in wanted:
        half = len(files[name]) // 2
        update.write(name, 0, files[name][:half])
        update.write(name, half, files[name][half:])
        update.close(name)
    update.finish()
    return update.slot, wanted


def files():
    root = sys.argv[1]
    pad = Slots(root, CHIP)
    print("nothing there", repr(pad.boot()))
    tried("no key", send, pad, "1.0.0", {"x.mpy": b"one"})
    slots.make_folders(pad.key_path)
    slots.write_atomic(pad.key_path, KEY)
    old = {"x.mpy": b"one" * 400, "firmware/pad/y.mpy": b"two" * 3000}
    new = {"x.mpy": b"one" * 400, "firmware/pad/z.mpy": b"three" * 3000}
    print("first", send(pad, "1.0.0", old), pad.boot(), pad.state().text())
    pad.confirm()
    print("confirmed", pad.state().text())
    tried("other chip", lambda: send(pad, "1.1.0", new, chip="esp32"))
    tried("older", lambda: send(pad, "0.9.9", new))
    tried("no version", lambda: send(pad, "1.one.0", new))
    tried("way out", lambda: send(pad, "1.1.0", {"../state/key.bin": b"x"}))
    data = manifest("1.1.0", new)
    tried("forged", Update(pad).begin, data, slots.hmac_sha256(bytes(32), data))
    tried("short mac", Update(pad).begin, data, slots.hmac_sha256(KEY, data)[:31])
    tried("no manifest", Update(pad).begin, b"[]", slots.hmac_sha256(KEY, b"[]"))
    tried("no json", Update(pad).begin, b"{", slots.hmac_sha256(KEY, b"{"))
    update = Update(pad)
    update.begin(data, slots.hmac_sha256(KEY, data))
    update.write("x.mpy", 0, b"one" * 400)
    tried("gap", update.write, "x.mpy", 5000, b"x")
    update.write("x.mpy", 0, b"two")
    tried("wrong bytes", update.close, "x.mpy")
    update.write("w.mpy", 0, b"two")
    tried("not listed", update.close, "w.mpy")
    tried("unfinished", update.finish)
    print("still", pad.boot(), pad.state().text())
    # A file that only an older firmware had must not stay importable.
    stray = pad.folder("a") + "/stray.py"
    slots.make_folders(stray)
    slots.write_atomic(stray, b"x")
    print("second", send(pad, "1.1.0", new), slots.is_there(stray))
    for _ in range(slots.MAX_TRIES + 1):
        print("start", pad.boot(), pad.state().text())
    print("again", send(pad, "1.1.0", new), pad.boot())
    pad.confirm()
    print("kept", pad.boot(), pad.state().text())
    print("back", pad.back(), pad.boot())
    path = pad.folder(pad.state().active) + "/x.mpy"
    slots.write_atomic(path, b"ONE" * 400)
    print("damaged", pad.boot(), pad.state().text())
    for text in (b"", b"{", b"[]", b'{"active": 1}', b'{"active":"a","trying":"","floor":"x"}'):
        slots.write_atomic(pad.state_path, text)
        print("lost state", text, repr(pad.boot()))
    os.remove(pad.key_path)
    print("lost key", repr(pad.boot()))


mac = slots.hmac_sha256(b"key", b"The quick brown fox jumps over the lazy dog")
print(hexlify(mac).decode(), json.loads(State("a").text())["active"])
decisions()
files()
