"""``lobby prove kiosk``: every screen of the kiosk in every mode, language and size, measured.

The real window under Xvfb, 1080 × 1920 at 21.5 inch and 1280 × 800 at 10.1 inch: each target and
each text in millimetres at the pixel pitch, contrast from the pixels that are drawn, the ring
round three controls of each screen, what is read aloud, the order of the keys, what is clipped,
covered, or in the wrong language. A screen with a fault is named, and lies in ``out/kiosk`` with
the fault marked. ``rounds`` is not used. ``--without target``, ``contrast``, ``translation``,
``room`` and ``ring`` spoil the kiosk, to see it fail.
"""

import asyncio
import json
import shutil
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simulator.errors import BadInput, NotStarted
from simulator.parts import Parts, start_xvfb
from simulator.prove.proof import Proof, ProveOptions, Say

SIZES = {"large": (1080, 1920), "small": (1280, 800)}
SPOILS = frozenset({"target", "contrast", "translation", "room", "ring"})
MARKED = Path("out/kiosk")
WORST = {
    "target_mm": "smallest_target_mm",
    "capital_mm": "smallest_text_mm",
    "text_contrast": "lowest_text_contrast",
    "edge_contrast": "lowest_edge_contrast",
    "ring_contrast": "lowest_ring_contrast",
}


@dataclass(slots=True)
class Gate:
    """What was measured so far."""

    screens: int = 0
    controls: int = 0
    texts: int = 0
    names: Counter[str] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    worst: dict[str, tuple[float, str]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def take(self, size: str, line: dict[str, Any]) -> None:
        """Count one measured screen."""
        where = f"{line['screen']} {line['mode']} {line['language']} {size}"
        self.screens += 1
        self.controls += line["controls"]
        self.texts += line["texts"]
        self.names[line["screen"]] += 1
        self.modes[line["mode"]] += 1
        self.languages[line["language"]] += 1
        for figure in WORST:
            value = line[figure]
            if value is not None and value < self.worst.get(figure, (float("inf"), ""))[0]:
                self.worst[figure] = value, where
        self.faults += [f"{where}: {fault['words']}" for fault in line["faults"]]

    def details(self) -> dict[str, Any]:
        """The report's own rows."""
        figures = {
            name: f"{self.worst[figure][0]:.2f} ({self.worst[figure][1]})"
            for figure, name in WORST.items()
            if figure in self.worst
        }
        return {
            "screens": len(self.names),
            "modes": ", ".join(self.modes),
            "languages": ", ".join(self.languages),
            "sizes": ", ".join(SIZES),
            "pictures": self.screens,
            "controls": self.controls,
            "texts": self.texts,
            **figures,
            "faults": len(self.faults),
        }


def run(options: ProveOptions, say: Say) -> Proof:
    """Measure every screen; a fault is a violation. Raises BadInput, MissingProgram,
    NotStarted.
    """
    unknown = options.without - SPOILS
    if unknown or len(options.without) > 1:
        raise BadInput(f"--without: one of {', '.join(sorted(SPOILS))}")
    shutil.rmtree(MARKED, ignore_errors=True)  # of the run before
    gate = asyncio.run(
        measured(
            options.folder,
            MARKED,
            spoil="".join(options.without),
            only="home" if options.without else "",  # one screen shows that the gate can fail
            jobs=options.jobs,
        )
    )
    proof = Proof("kiosk", gate.screens, options.seed)
    for fault in gate.faults:
        proof.violate(fault)
    proof.details |= gate.details()
    if gate.faults:
        say(f"marked pictures: {MARKED}")
    return proof


async def measured(
    folder: Path,
    marked: Path,
    *,
    spoil: str = "",
    only: str = "",
    jobs: int = 1,
    sizes: tuple[str, ...] = tuple(SIZES),
    locale: Path | None = None,
) -> Gate:
    """Measure in a window for each size, ``jobs`` at a time; logs go to ``folder``, marked
    pictures to ``marked``. ``only``: names of screens, separated by commas;
    ``locale``: a folder of catalogues other than the kiosk's own.
    """
    gate = Gate()
    turns = asyncio.Semaphore(jobs)

    async def one(parts: Parts, size: str) -> None:
        async with turns:
            display = await start_xvfb(parts, *SIZES[size])
            window = await parts.start(
                f"window-{size}", sys.executable, "-m", "simulator.prove.kiosk_window",
                "--size", size, "--out", str(marked), "--spoil", spoil, "--only", only,
                *(("--locale", str(locale)) if locale else ()),
                env={"DISPLAY": display}, piped=True,
            )  # fmt: skip
            assert window.process.stdout is not None
            while line := await window.process.stdout.readline():
                gate.take(size, json.loads(line))
            if await window.process.wait():
                raise NotStarted(f"the window of {size} broke off: {window.last_words()}")

    parts = Parts(folder)
    try:
        await asyncio.gather(*(one(parts, size) for size in sizes))
    finally:
        await parts.stop_all()
    return gate
