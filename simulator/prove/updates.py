"""``lobby prove updates``: updates of a pad that are cut, at random bytes and at every step.

Two versions of the firmware are really compiled and signed. A real MicroPython runs the pad's own
``slots`` on its own littlefs; the flash below loses its power in the middle of a write or an
erase, or between two steps, or the line dies; every third pad loses its power again while it
starts or goes on. A round:

    cut      an update from the old to the new version is cut once, at a step, a byte of the line,
             of the flash, or of what is written between its trial and its confirmation
    start    the pad starts: a slot is found, imports as the version it says, each byte is compared
             with what was compiled, and the new version runs only if all of it had come
    go on    the update is sent again (what is there is kept); it starts, confirms, and stays

Besides: versions that never confirm themselves go back after MAX_TRIES starts, a turned bit in the
running slot starts the other one, and firmware with a wrong mac, for another chip, below the
floor, or with another file than its manifest says is refused, as is a bundle with a wrong
signature by the tool. Then as many updates go over the pad's own line (updates_line.py).
``--without hash``, ``--without trial`` and ``--without atomic`` switch a promise off.
"""

import json
import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

from firmware.flash.bundle import Bundle, build, read_bundle
from firmware.flash.errors import NotTrusted
from firmware.flash.keys import make_signing_key
from firmware.pad.slots import MAC, hmac_sha256
from hal.errors import HalError
from hal.sim.micropython import micropython_path
from simulator.errors import BadInput, MissingProgram, NotStarted
from simulator.prove.proof import Proof, ProveOptions, Say
from simulator.prove.updates_line import run_line

ROUNDS = 200
ROLLBACKS = 20
DAMAGES = 20
LIMIT_S = 3600
CHIP = "linux"
PROMISES = frozenset({"hash", "trial", "atomic"})
BOARD = Path(__file__).with_name("updates_board.py")
KEY = bytes(range(32))
OLD, NEW, FLOOR = "1.4.0", "1.5.0", "1.4.0"


def run(options: ProveOptions, say: Say) -> Proof:
    """Run the rounds. Raises BadInput, MissingProgram, NotStarted."""
    if unknown := options.without - PROMISES:
        raise BadInput(f"--without {min(unknown)}: there are {', '.join(sorted(PROMISES))}")
    try:
        interpreter = micropython_path()
    except HalError as error:
        raise MissingProgram(str(error)) from error
    proof = Proof("updates", options.rounds or ROUNDS, options.seed)
    plan = _plan(options, proof.rounds)
    _signatures(options.folder, proof)
    kinds: Counter[str] = Counter()
    cuts = 0
    refusals = 0
    for line in _lines(interpreter, plan):
        if "wrong" in line:
            proof.violate(line["wrong"])
        elif "measured" in line:
            say(
                f"an update: {line['line']} B by the line, {line['steps']} steps,"
                f" {line['written']} B written and {line['erased']} blocks erased"
                f" on littlefs of {line['python']}"
            )
            proof.details["line_bytes"] = line["line"]
            proof.details["flash_bytes"] = line["written"]
            proof.details["erased_blocks"] = line["erased"]
        elif "round" in line:
            kinds[line["kind"]] += 1
            cuts += line["cuts"]
            kinds["first_" + ("new" if line["first"] == NEW else "old")] += 1
            if (line["round"] + 1) % 100 == 0:
                say(f"round {line['round'] + 1}: {proof.violation_count} violations")
        elif "refused" in line:
            refusals += 1
            say(f"refused, {line['refused']}: {line['said']}")
        elif "rollback" in line:
            kinds["rollbacks"] += 1
        elif "damaged" in line:
            kinds["damaged"] += 1
    proof.details |= {"cuts": cuts, "refused": refusals + 1, **sorted_counts(kinds)}
    if not options.without:  # a promise is switched off in the board's script alone
        proof.details |= run_line(options, proof.rounds, proof, say)
    done = sum(kinds[kind] for kind in ("byte", "step", "line", "trial"))
    if done != proof.rounds or kinds["rollbacks"] != ROLLBACKS or kinds["damaged"] != DAMAGES:
        proof.violate(f"only {done} of {proof.rounds} rounds came to their end")
    return proof


def sorted_counts(kinds: Counter[str]) -> dict[str, int]:
    """The counts by name."""
    return {name: kinds[name] for name in sorted(kinds)}


def _plan(options: ProveOptions, rounds: int) -> Path:
    """Build the versions, write what the board's script reads; the plan's path."""
    folder = options.folder
    key = folder / "signing.key"
    make_signing_key(key)
    (folder / "key.bin").write_bytes(KEY)

    def made(name: str, version: str, **changes: Any) -> Bundle:
        bundle, _, _ = build(
            folder / name,
            chip=changes.get("chip", CHIP),
            signing_key=key,
            version=version,
            floor=FLOOR if version >= FLOOR else version,
            source=_source(folder, name, version),
        )
        mac = hmac_sha256(changes.get("key", KEY), bundle.manifest)
        (bundle.path / MAC).write_bytes(mac)
        return bundle

    made("old", OLD)
    made("new", NEW)
    made("wrong_key", NEW, key=bytes(32))
    made("wrong_chip", NEW, chip="rp2")
    made("older", "1.3.9")
    spoilt = made("damaged_file", NEW)
    file = spoilt.path / "slot" / "firmware/pad/pad.mpy"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    refused = [
        (
            "a manifest under another key",
            str(folder / "wrong_key"),
            "not made with this pad's key",
        ),
        ("another chip", str(folder / "wrong_chip"), "firmware for 'rp2'"),
        ("older than the floor", str(folder / "older"), "older than 1.4.0"),
        ("a damaged file", str(folder / "damaged_file"), "sha256"),
    ]
    plan = folder / "plan.json"
    table = {
        "rounds": rounds,
        "rollbacks": ROLLBACKS,
        "damages": DAMAGES,
        "seed": options.seed,
        "chip": CHIP,
        "old": str(folder / "old"),
        "new": str(folder / "new"),
        "key": str(folder / "key.bin"),
        "refused": refused,
        "without": sorted(options.without),
    }
    plan.write_text(json.dumps(table), encoding="utf-8")
    return plan


def _source(folder: Path, name: str, version: str) -> Path:
    """The firmware's source with another VERSION and, for its size, another text."""
    import firmware

    source = folder / f"source_{name}"
    shutil.copytree(Path(firmware.__file__).parent / "pad", source / "pad")
    (source / "__init__.py").touch()
    (source / "pad" / "__init__.py").write_text(f'VERSION = "{version}"\n', encoding="utf-8")
    with (source / "pad" / "pad.py").open("a", encoding="utf-8") as file:
        file.write(f'\nBUILT_AS = "{name}"\n')
    return source


def _signatures(folder: Path, proof: Proof) -> None:
    """The tool's own judgement: a bundle whose signature or manifest was changed is refused."""
    public = folder / "signing.key.pub"
    read_bundle(folder / "new", public)
    forged = folder / "forged"
    shutil.copytree(folder / "new", forged)
    manifest = forged / "MANIFEST.json"
    manifest.write_bytes(manifest.read_bytes().replace(b'"1.5.0"', b'"1.6.0"', 1))
    try:
        read_bundle(forged, public)
    except NotTrusted:
        return
    proof.violate("a bundle with a changed manifest was trusted")


def _lines(interpreter: Path, plan: Path) -> list[dict[str, Any]]:
    """What the board's script printed. Raises NotStarted if it did not end well."""
    # The folder of proofs is no place for the interpreter to import from.
    script = plan.with_name("board.py")
    shutil.copy(BOARD, script)
    done = subprocess.run(
        [interpreter, "-X", "heapsize=64M", script, plan],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env=os.environ | {"MICROPYPATH": ".frozen"},
        check=False,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode:
        raise NotStarted(f"the board's script ended: {done.stderr[-800:]}{done.stdout[-300:]}")
    return lines
