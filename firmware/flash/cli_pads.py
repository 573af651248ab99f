"""Commands that change one pad: pad, provision, rollback, backup, restore, selftest."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from firmware.flash import pads
from firmware.flash.blank import install, read_interpreter
from firmware.flash.bundle import read_bundle
from firmware.flash.errors import BadUse
from firmware.flash.options import (
    DEFAULT_DATA,
    PORT_HELP,
    BundleDir,
    Code,
    Data,
    Dry,
    Json,
    KioskKeys,
    Operator,
    Port,
    Ports,
    Role,
    Trust,
    drawn,
    hand_keys,
    hint,
    only_port,
    port_of,
    say,
)
from firmware.flash.ports import BY_PATH
from firmware.flash.registry import checked_operator, place_of
from firmware.flash.selftest import Result
from firmware.flash.work import Place, Wipe, Workshop

Erase = Annotated[
    bool | None,
    typer.Option("--erase/--keep", help="Format the board first, or keep what is on it."),
]


def pad_command(
    bundle: BundleDir,
    trust: Trust,
    operator: Operator,
    port: Annotated[str | None, typer.Argument(metavar="[PORT]", help=PORT_HELP)] = None,
    counter: Annotated[
        int, typer.Option(help="Its counter (or kiosk), for a pad without a place.")
    ] = 0,
    role: Role = "rating",
    code: Code = "",
    replace: Annotated[bool, typer.Option("--replace", help="Take a counter over.")] = False,
    uf2: Annotated[Path | None, typer.Option(metavar="FILE", help="MicroPython's UF2.")] = None,
    drive: Annotated[Path | None, typer.Option(metavar="DIR", help="The board's drive.")] = None,
    image: Annotated[
        Path | None, typer.Option(metavar="FILE", help="MicroPython's image, for an ESP32-C3.")
    ] = None,
    chip: Annotated[str, typer.Option(help="Of the image.")] = "esp32c3",
    sha256: Annotated[str | None, typer.Option(help="Of the UF2 file or image.")] = None,
    erase: Erase = None,
    kiosk_keys: KioskKeys = None,
    ports: Ports = BY_PATH,
    data: Data = DEFAULT_DATA,
    dry_run: Dry = False,
    as_json: Json = False,
) -> None:
    """Bring one pad to the bundle's version, whatever it runs now.

    Without PORT: the only board there is, or the one that a drive in UF2 mode comes back as.

    \b
    With LOBBY_OPERATOR=m012:
      lobby flash pad usb-1 --bundle fw --trust fw.pub
      lobby flash pad usb-1 --counter 5 --code 7K2M-9QRS --bundle fw --trust fw.pub
      lobby flash pad --uf2 mp.uf2 --counter 5 --code 7K2M-9QRS --bundle fw --trust fw.pub
      lobby flash pad usb-1 --image mp.bin --erase --bundle fw-c3 --trust fw.pub
    """
    firmware = read_bundle(bundle, trust)
    shop = Workshop(data, checked_operator(operator), kiosk_keys)
    if image is not None and erase is None and not dry_run:
        erase = _asked("Erase the whole flash first (key, place, kept presses)?")
    wanted = read_interpreter(uf2, image, chip, sha256, drive, bool(erase))
    found = port_of(shop, port, ports, to_come=uf2 is not None) if port else None
    if wanted is None and found is None:
        found = only_port(ports)
    place = Place(counter, role, code, replace) if counter else None
    steps: list[str] = []
    if wanted is not None:
        found, steps = install(shop, wanted, found, ports, dry_run)
    if dry_run:
        if found is not None and found.exists() and image is None:
            steps += shop.plan(found, firmware, place)
        else:
            steps.append(f"write {firmware.version}: {firmware.size} B; restart, verify")
        say(steps, as_json, "\n".join(steps))
        return
    for step in steps:
        hint(step)
    assert found is not None
    if image is not None:
        erase = False  # esptool has erased what was to be erased
    greeted = shop.flash(found, firmware, place, _no_rows, _wipe(erase), anew=erase is True)
    hand_keys(shop)
    text = f"{found.name}: {greeted.unique_id} runs {greeted.version} ({greeted.hash}), verified"
    say(greeted.table(), as_json, text)


def _no_rows(step: str, done: int, size: int) -> None:
    """One pad draws no rows."""


def _asked(question: str) -> bool:
    if not sys.stdin.isatty():
        raise BadUse("erase or keep what is on the board?", "add --erase or --keep")
    return typer.confirm(question, err=True)


def _wipe(erase: bool | None) -> Wipe | None:
    """Whether to format: as told, else asked if another program's files are there."""
    if erase is False:
        return None
    if erase:
        return lambda files: True

    def asked(files: list[str]) -> bool:
        if not files or not sys.stdin.isatty():
            return False
        return _asked(f"The board holds other files ({', '.join(files[:5])}). Erase everything?")

    return asked


def provision_command(
    port: Port,
    counter: Annotated[int, typer.Option(min=1, help="Its counter; for keys, its kiosk.")],
    code: Annotated[str, typer.Option(help="From `lobby provision pairing-code`.")],
    operator: Operator,
    role: Role = "rating",
    replace: Annotated[bool, typer.Option("--replace", help="Revoke the pad before.")] = False,
    kiosk_keys: KioskKeys = None,
    ports: Ports = BY_PATH,
    data: Data = DEFAULT_DATA,
    dry_run: Dry = False,
    as_json: Json = False,
) -> None:
    """Give a pad its key, counter and role.

    \b
    With LOBBY_OPERATOR=m012:
      lobby flash provision usb-1 --counter 5 --code 7K2M-9QRS
      lobby flash provision usb-1 --counter 5 --role both --replace --code 7K2M-9QRS
    """
    shop = Workshop(data, checked_operator(operator), kiosk_keys)
    found_port = port_of(shop, port, ports)
    if dry_run:
        holder = shop.registry.holder(counter, role)
        before = f", in place of {holder.unique_id}" if holder else ""
        steps = [f"write key and place: {place_of(counter, role)}, {role}{before}", "restart"]
        say(steps, as_json, "\n".join(steps))
        return
    with shop.prompt(found_port, "provision") as repl:
        found = pads.look(repl)
        replaced = shop.give_place(repl, found, Place(counter, role, code, replace))
    what = f"{place_of(counter, role)} {role}" + (f", {replaced} revoked" if replaced else "")
    shop.note("provision", found_port, found.unique_id, what)
    hand_keys(shop)
    table = {
        "unique_id": found.unique_id, "counter": counter, "role": role, "replaced": replaced,
    }  # fmt: skip
    after = f"; {replaced} is revoked" if replaced else ""
    say(table, as_json, f"{found.unique_id} is {place_of(counter, role)}, {role}{after}")


def rollback_command(
    port: Port,
    operator: Operator,
    kiosk_keys: KioskKeys = None,
    ports: Ports = BY_PATH,
    data: Data = DEFAULT_DATA,
    dry_run: Dry = False,
    as_json: Json = False,
) -> None:
    """Go back to the firmware of the other slot, if it is good.

    \b
    With LOBBY_OPERATOR=m012:
      lobby flash rollback usb-1
    """
    shop = Workshop(data, checked_operator(operator), kiosk_keys)
    found_port = port_of(shop, port, ports)
    if dry_run:
        steps = ["send into its prompt", "start the other slot, if it is good", "verify"]
        say(steps, as_json, "\n".join(steps))
        return
    greeted = shop.rollback(found_port)
    text = f"{found_port.name}: runs {greeted.version} ({greeted.hash})"
    say(greeted.table(), as_json, text)


def backup_command(
    port: Port,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="A new file.")],
    kiosk_keys: KioskKeys = None,
    ports: Ports = BY_PATH,
    data: Data = DEFAULT_DATA,
    dry_run: Dry = False,
    as_json: Json = False,
) -> None:
    """Save a pad's configuration (never its key).

    \b
    Example:
      lobby flash backup usb-1 --out pad-5.json
    """
    if out.exists():
        raise BadUse(f"{out}: there is a file already", "name another")
    shop = Workshop(data, "", kiosk_keys)
    found_port = port_of(shop, port, ports)
    if dry_run:
        say([f"read /state, write {out}"], as_json, f"read /state, write {out}")
        return
    with shop.prompt(found_port, "backup") as repl:
        table = pads.backup(repl)
    out.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
    names = sorted(table["files"])
    value = {"unique_id": table["unique_id"], "file": str(out), "files": names}
    say(value, as_json, f"{out}: {', '.join(names) or 'nothing to save'}")


def restore_command(
    port: Port,
    source: Annotated[Path, typer.Option("--from", metavar="FILE", help="What backup wrote.")],
    kiosk_keys: KioskKeys = None,
    ports: Ports = BY_PATH,
    data: Data = DEFAULT_DATA,
    dry_run: Dry = False,
    as_json: Json = False,
) -> None:
    """Put a backup's configuration back into the same pad.

    \b
    Example:
      lobby flash restore usb-1 --from pad-5.json
    """
    try:
        table = json.loads(source.read_bytes())
        names = pads.restored(table)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadUse(f"{source}: no backup ({error})", "name a file of `backup`") from error
    shop = Workshop(data, "", kiosk_keys)
    found_port = port_of(shop, port, ports)
    if not dry_run:
        with shop.prompt(found_port, "restore") as repl:
            names = pads.restore(repl, table)
        shop.note("restore", found_port, table["unique_id"], source.name)
    text = f"{found_port.name}: {', '.join(names) or 'nothing to restore'}"
    say({"files": names, "dry_run": dry_run}, as_json, text)


def selftest_command(
    port: Port,
    operator: Operator,
    answer: Annotated[
        list[str] | None,
        typer.Option("--answer", metavar="PART=yes|no", help="Instead of asking; all=yes."),
    ] = None,
    wait_s: Annotated[
        float, typer.Option("--wait", help="Seconds that a key is waited for.")
    ] = 20,
    kiosk_keys: KioskKeys = None,
    ports: Ports = BY_PATH,
    data: Data = DEFAULT_DATA,
    dry_run: Dry = False,
    as_json: Json = False,
) -> None:
    """Test each key, lamp, tone and display with a person, then the link.

    Press what it names; answer y or n to what it asks. Ends with status 1 if a part failed.

    \b
    With LOBBY_OPERATOR=m012:
      lobby flash selftest usb-1
      lobby flash selftest usb-1 --answer all=yes --answer lamp-3=no --json
    """
    answers = dict(item.partition("=")[::2] for item in answer or ())
    if wrong := {said for said in answers.values() if said not in ("yes", "no")}:
        raise BadUse(f"--answer …={min(wrong)}", "an answer is PART=yes or PART=no")
    shop = Workshop(data, checked_operator(operator), kiosk_keys)
    found_port = port_of(shop, port, ports)
    if dry_run:
        steps = [
            "send into its prompt",
            "ask for each key, lamp, tone, display",
            "restart",
            "greet",
        ]
        say(steps, as_json, "\n".join(steps))
        return

    def ask(name: str, question: str) -> bool:
        hint(f"{name}: {question} [y/n]")
        said = answers.get(name) or answers.get("all") or sys.stdin.readline().strip().lower()
        return said in ("y", "yes")

    unique_id, results = shop.selftest(found_port, hint, ask, wait_s)
    passed = all(result.ok for result in results)
    if as_json:
        parts = [{"part": item.name, "ok": item.ok, "said": item.said} for item in results]
        say({"unique_id": unique_id, "passed": passed, "parts": parts}, True, "")
    else:
        _tell_results(unique_id, results)
    raise typer.Exit(0 if passed else 1)


def _tell_results(unique_id: str, results: list[Result]) -> None:
    rows = [(item.name, "good" if item.ok else "FAILED", item.said) for item in results]
    drawn(("part", "result", ""), rows)
    bad = [item.name for item in results if not item.ok]
    if bad:
        print(f"{unique_id}: {', '.join(bad)} failed: mend or swap the pad, then test again.")
    else:
        print(f"{unique_id}: all {len(results)} parts are good.")
