"""Fails on a library whose licence Lobby may not use (part of `make check`).

Lobby is Apache-2.0. What it links must be permissive, or copyleft by the file only (MPL-2.0). GPL
is never linked: such programs run as processes of their own. LGPL is accepted for one driver, in
the extra `hq` only. The list holds for developers' tools too, but for the programs named here.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

DISTRIBUTION = "lobby-kiosk"
# The extras that a user installs; `dev` is not among them.
LINKED_EXTRAS = ("kiosk", "branch", "pad", "flash", "simulator")
LGPL_EXTRA = "hq"
LGPL_ALLOWED = frozenset({"psycopg", "psycopg-binary", "psycopg-c"})

# Each name is one way to say it: SPDX identifiers, classifiers and what authors wrote by hand.
PERMISSIVE = frozenset({
    "0BSD",
    "Apache 2.0",
    "Apache License 2.0",
    "Apache Software License",
    "Apache-2.0",
    "Apache License, Version 2.0",
    "BSD",
    "BSD License",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CNRI-Python",
    "HPND",
    "ISC",
    "ISC License (ISCL)",
    "MIT",
    "MIT License",
    "MIT-0",
    "MIT-CMU",
    "PSF-2.0",
    "Python Software Foundation License",
    "Public Domain",
    "The Unlicense (Unlicense)",
    "Unlicense",
    "Zlib",
})  # fmt: skip
WEAK_COPYLEFT = frozenset({"MPL-2.0", "Mozilla Public License 2.0 (MPL 2.0)"})
LINKED = PERMISSIVE | WEAK_COPYLEFT

# A library whose metadata says too little or too much, with the reason why it may stay.
EXPLAINED = {
    "atheris": "Apache-2.0 by its LICENSE file, of which its metadata says nothing; in tests only",
    "qrcode": "a dependency of python-escpos, in tests only; BSD, its origin MIT",
    "pytest-timeout": "MIT; `DFSG approved` is a verdict, not a licence",
    "docutils": "a dependency of Kivy; the GPL part is an editor mode that nothing imports",
}
# Developers' programs under a strong licence: run as processes, never imported, never shipped.
PROGRAMS_ONLY = {
    "codespell": "GPL-2.0; a program of its own",
    "esptool": "GPL-2.0-or-later; a program of its own, in the extra `esp` alone",
}


def closure(names: Iterable[tuple[str, tuple[str, ...]]]) -> set[str]:
    """Return the canonical names of the installed distributions that these and extras need."""
    found: set[str] = set()
    seen: set[tuple[str, str]] = set()
    waiting = [(canonical(name), extra) for name, extras in names for extra in ("", *extras)]
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        try:
            needs = distribution(name).requires or []
        except PackageNotFoundError:
            continue  # for another platform or interpreter
        found.add(name)
        for line in needs:
            need = Requirement(line)
            if need.marker is None or need.marker.evaluate({"extra": extra}):
                waiting += [(canonical(need.name), wanted) for wanted in ("", *need.extras)]
    return found


def canonical(name: str) -> str:
    """Return the name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def licences() -> dict[str, str]:
    """Return what each installed distribution says its licence is."""
    program = Path(sys.executable).parent / "pip-licenses"
    command = [str(program), "--from=mixed", "--with-system", "--format=json"]
    rows = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    # Some authors put the whole text there: its first line is the name.
    return {canonical(row["Name"]): row["License"].partition("\n")[0].strip() for row in rows}


def allowed(said: str, names: frozenset[str]) -> bool:
    """Return whether a licence statement is covered: all of an AND or a list, one of an OR."""
    if said.strip() in names:
        return True
    if " OR " in said:
        return any(allowed(part, names) for part in said.split(" OR "))
    for mark in (" AND ", ";"):
        if mark in said:
            return all(allowed(part, names) for part in said.split(mark))
    return False


def problems(found: dict[str, str], linked: set[str], hq: set[str]) -> list[str]:
    """Return one sentence for each distribution that may not be where it is."""
    wrong = []
    for name, said in sorted(found.items()):
        if name == DISTRIBUTION or name in EXPLAINED or allowed(said, LINKED):
            continue
        if "LGPL" in said or "Lesser" in said:
            if name in LGPL_ALLOWED and name in hq and name not in linked:
                continue
        elif name not in linked | hq and name in PROGRAMS_ONLY:
            continue
        where = "linked by Lobby" if name in linked | hq else "a developer's tool"
        wrong.append(
            f"{name} ({where}) says its licence is {said!r}, which is not on the list of "
            "deploy/check_licences.py: replace the library, or add the licence there with a reason"
        )
    return wrong


def main() -> int:
    """Print what is wrong; return the exit status."""
    linked = closure([(DISTRIBUTION, LINKED_EXTRAS)])
    hq = closure([(DISTRIBUTION, (LGPL_EXTRA,))])
    if DISTRIBUTION not in linked:
        sys.stderr.write(f"licences: {DISTRIBUTION} is not installed here: run make setup\n")
        return 1
    wrong = problems(licences(), linked, hq)
    for line in wrong:
        sys.stderr.write(f"licences: {line}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
