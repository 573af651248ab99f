"""The label of a pad: a QR code as PNG, and the same as text for a printer of labels."""

from pathlib import Path

import segno

from firmware.flash.errors import BadUse
from firmware.flash.registry import PadRow, place_of

SCALE = 8
"""Pixels a module: 29 modules and the quiet zone are 296 pixels, 25 mm at 300 dpi."""


def label_text(row: PadRow) -> str:
    """What the QR code says: no key, no name, nothing secret."""
    return f"LOBBY-PAD;{row.unique_id};{row.counter};{row.role}"


def write_label(row: PadRow, folder: Path) -> list[Path]:
    """Write UNIQUE_ID.png and UNIQUE_ID.txt; their paths. Raises BadUse."""
    if row.state != "active":
        raise BadUse(f"{row.unique_id} is {row.state}", "label the pad that took its place")
    folder.mkdir(parents=True, exist_ok=True)
    png = folder / f"{row.unique_id}.png"
    text = folder / f"{row.unique_id}.txt"
    segno.make(label_text(row), error="m", micro=False).save(str(png), scale=SCALE)
    text.write_text(
        f"{place_of(row.counter, row.role).capitalize()}\nRole    {row.role}\n"
        f"Pad     {row.unique_id}\n",
        encoding="utf-8",
    )
    return [png, text]
