"""``python -m kiosk.ui.lean_face WHOLE LEAN``: writes a lean face, see :mod:`kiosk.ui.fonts`."""

import sys
from pathlib import Path

from fontTools import subset

from kiosk.ui.fonts import common, save_whole

FEATURES = ("ccmp", "liga", "kern", "mark")
"""What is applied to every horizontal text; without them letters stand elsewhere."""
UNUSED = ("BASE", "VORG", "vhea", "vmtx")
"""Tables of vertical text."""


def write(whole: Path, lean: Path) -> None:
    """Write to ``lean`` what ``whole`` has of the common characters. Raises OSError,
    TTLibError.
    """
    options = subset.Options()
    options.layout_features = list(FEATURES)
    options.drop_tables = [*options.drop_tables, *UNUSED]
    options.notdef_outline = True
    # Subroutines are read into memory with each opening; outlines stay in the file until drawn.
    options.desubroutinize = True
    font = subset.load_font(str(whole), options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=common())
    subsetter.subset(font)
    save_whole(font, lean)


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
