"""Noto Sans CJK SC as two font files of its own.

The distribution's ``.ttc`` opened without an index gives its first face, the Japanese one, in
which several characters have shapes that are foreign to a Chinese reader. The simplified Chinese
face is number 2; it is written to a cache folder once and used from there.
"""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from kiosk.ui import FontError

SC_FACE = 2  # order of NotoSansCJK-*.ttc: JP, KR, SC, TC, HK, then the monospaced ones
FOLDERS = (
    Path("/usr/share/fonts/opentype/noto"),  # Debian and Raspberry Pi OS
    Path("/usr/share/fonts/noto-cjk"),  # Arch
    Path("/usr/share/fonts/google-noto-cjk"),  # Fedora
)
_SC_NAME = "Noto Sans CJK SC"


@dataclass(frozen=True, slots=True)
class Fonts:
    """Paths of the two weights, as Kivy takes them."""

    regular: str
    bold: str


def cache_folder() -> Path:
    """``lobby/fonts`` under ``$XDG_CACHE_HOME`` or ``~/.cache``."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "lobby" / "fonts"


def load(folders: tuple[Path, ...] = FOLDERS, cache: Path | None = None) -> Fonts:
    """Return the two faces, taking them out of the collection if the cache lacks them.

    Raises :class:`FontError` naming the missing collection, or what is wrong with it.
    """
    cache = cache or cache_folder()
    regular, bold = (_face(weight, folders, cache) for weight in ("Regular", "Bold"))
    return Fonts(str(regular), str(bold))


def _face(weight: str, folders: tuple[Path, ...], cache: Path) -> Path:
    face = cache / f"NotoSansCJKsc-{weight}.otf"
    if not face.is_file():
        _extract(_collection(weight, folders), face)
    return face


def _collection(weight: str, folders: tuple[Path, ...]) -> Path:
    name = f"NotoSansCJK-{weight}.ttc"
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    raise FontError(
        f"{name} is not in {', '.join(map(str, folders))}; "
        "run `make setup` or install the package fonts-noto-cjk"
    )


def _extract(collection: Path, face: Path) -> None:
    # 40 ms to import, once in the life of an installation
    from fontTools.ttLib import TTCollection, TTLibError

    try:
        with collection.open("rb") as source:
            faces = TTCollection(source, lazy=True)
            if len(faces.fonts) <= SC_FACE:
                raise FontError(f"{collection}: has no face {SC_FACE}; reinstall fonts-noto-cjk")
            font = faces.fonts[SC_FACE]
            found = str(font["name"].getDebugName(1))
            if not found.startswith(_SC_NAME):
                raise FontError(
                    f"{collection}: face {SC_FACE} is {found!r}, not {_SC_NAME!r}; "
                    "reinstall fonts-noto-cjk"
                )
            face.parent.mkdir(parents=True, exist_ok=True)
            handle, draft = tempfile.mkstemp(dir=face.parent, suffix=".part")
            try:
                with os.fdopen(handle, "wb") as stream:
                    font.save(stream)
                    stream.flush()
                    os.fsync(stream.fileno())
                Path(draft).replace(face)
            except BaseException:
                Path(draft).unlink(missing_ok=True)
                raise
    except TTLibError as error:
        raise FontError(f"{collection}: {error}; reinstall fonts-noto-cjk") from error
    except OSError as error:
        raise FontError(f"{face}: cannot be written: {error}; free some disk space") from error
