"""The kiosk's window in a process of its own, measured screen by screen (``lobby prove kiosk``).

Kivy allows one window in a process, so each size has its own. For every screen one JSON line goes
to standard output: ``{"screen": "home zh_CN", "faults": [...], "target_mm": 31.2, ...}``; a screen
with faults is written to ``--out`` as a marked picture.
"""

import argparse
import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kiosk.catalogue import FOLDER, Catalogue
from kiosk.ui import tokens
from kiosk.ui.window import KioskWindow
from kiosk.view import CONTROL_CHECK_IN, CONTROL_LISTEN
from simulator.prove import kiosk_screens as screens
from simulator.prove.kiosk_measure import marked, measure, measure_ring

SPOILS = ("target", "contrast", "translation", "room", "ring")


def shrink_a_button() -> None:
    """Draw the row under the services too small; the window is open, no page is built yet."""
    from kiosk.ui import home

    class Shrunk(home.HomePage):
        def _bottom_button(self, control_id, box):  # type: ignore[no-untyped-def]
            x, y, _, _ = box
            return super()._bottom_button(control_id, (x, y, 76, 76))

    home.HomePage = Shrunk  # type: ignore[misc]


def hide_the_ring() -> None:
    """Let nobody see where the keys are."""
    from kiosk.ui.focus import FocusRing

    FocusRing.draw = lambda self, control, kit: None  # type: ignore[method-assign]


def catalogue(folder: Path, spoil: str) -> Catalogue:
    """The kiosk's words; one of them in the wrong language, or too long, if asked for."""
    words = Catalogue.load(folder)
    texts = {
        language: {key: words.template(language, key) for key in words.keys}
        for language in words.languages
    }
    if spoil == "room":
        texts["en"]["home.hint"] += " There is nothing else to do, and it takes no time at all."
    if spoil == "translation":
        texts["en"]["home.title"] = texts["en"]["home.title.small"] = texts["zh_CN"]["home.title"]
    return Catalogue(texts)


def stops(controls: list[dict[str, Any]], turn: int) -> list[dict[str, Any]]:
    """Where the ring is measured: the first, the last, and one between, another in each turn."""
    return [
        *controls[:1],
        *controls[1:-1][turn % max(len(controls) - 2, 1) :][:1],
        *controls[1:][-1:],
    ]


async def drive(
    window: KioskWindow,
    size: str,
    out: Path,
    only: set[str],
    keep: Path | None,
    languages: tuple[str, ...],
) -> None:
    """Show, measure and report every screen; then close the window."""
    try:
        window.show(screens.out_of_service("en"))
        await window.first_frame.wait()
        for turn, shot in enumerate(screens.shots(size, languages)):
            if only and shot.name not in only:
                continue
            window.show(shot.view)
            picture = window.pixels()
            described = window.describe()  # of the frame that the picture drew
            found = measure(described, picture, screens.SIZES[size][1], shot.limits)
            for control in stops(described["controls"], turn):
                window.focus(control["id"])
                measure_ring(control, picture, window.pixels(), found)
            window.focus("")
            if keep is not None:
                picture.save(keep / f"{shot.file}-{size}.png")
            if found.faults:
                marked(picture, found.faults).save(out / f"{shot.file}.png")
            line = {"screen": shot.name, "mode": shot.mode, "language": shot.language}
            sys.stdout.write(json.dumps({**line, **asdict(found)}, ensure_ascii=False) + "\n")
            sys.stdout.flush()
    finally:
        window.stop()


async def main() -> None:
    """Open the window of ``--size`` and measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", required=True, choices=sorted(screens.SIZES))
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--spoil", default="", choices=("", *SPOILS))
    parser.add_argument("--only", default="")
    parser.add_argument("--locale", type=Path, default=FOLDER, help="a folder of catalogues")
    parser.add_argument("--keep", type=Path, help="a folder for every picture, marked or not")
    options = parser.parse_args()
    size, pitch_mm = screens.SIZES[options.size]
    pale = {tokens.MUTED: tokens.colour("#8A959D")} if options.spoil == "contrast" else {}
    words = catalogue(options.locale, options.spoil)
    window = KioskWindow(
        size=size,
        pixel_pitch_mm=pitch_mm,
        catalogue=words,
        on_control=lambda control, touch: None,
        palette={**tokens.DAY, **pale},
        served={CONTROL_CHECK_IN, CONTROL_LISTEN},
    )
    if options.spoil == "target":
        shrink_a_button()
    if options.spoil == "ring":
        hide_the_ring()
    out = options.out / options.size
    out.mkdir(parents=True, exist_ok=True)
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
    only = {name for name in options.only.split(",") if name}
    driving = asyncio.create_task(
        drive(window, options.size, out, only, options.keep, words.languages)
    )
    await window.run()
    await driving


if __name__ == "__main__":
    asyncio.run(main())
    sys.exit(0)
