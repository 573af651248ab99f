"""Noto Sans CJK SC as two font files of its own.

The distribution's ``.ttc`` opened without an index gives its first face, the Japanese one, in
which several characters have shapes that are foreign to a Chinese reader. The simplified Chinese
face is number 2; it is written to a cache folder once and used from there.

Beside each whole face, of 65,535 glyphs, lies a lean one: the letters of GB 2312 and of Latin
alphabets, 7,700 glyphs of the same shapes. The renderer opens a face anew for every size of
letters; that takes 2.6 MB of the whole face and 0.2 MB of the lean one. A text with any other
character is drawn with the whole face.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kiosk.ui import FontError

if TYPE_CHECKING:
    from fontTools.ttLib import TTFont

SC_FACE = 2  # order of NotoSansCJK-*.ttc: JP, KR, SC, TC, HK, then the monospaced ones
FOLDERS = (
    Path("/usr/share/fonts/opentype/noto"),  # Debian and Raspberry Pi OS
    Path("/usr/share/fonts/noto-cjk"),  # Arch
    Path("/usr/share/fonts/google-noto-cjk"),  # Fedora
)
_SC_NAME = "Noto Sans CJK SC"
WEIGHTS = ("Regular", "Bold")
LEAN = "-gb2312"
"""Before the suffix of a lean face's file."""
LEAN_S = 300.0
"""Longest making of the lean faces: 6 s of a desktop's processor for each."""

_LATIN_END = 0x180  # with the letters of every European language
_PUNCTUATION = range(0x2000, 0x2070)  # dashes, quotes, the ellipsis


@dataclass(frozen=True, slots=True)
class Fonts:
    """Paths of the two weights, as Kivy takes them; the lean ones may be the whole ones."""

    regular: str
    bold: str
    lean_regular: str
    lean_bold: str

    def face(self, text: str, *, bold: bool) -> str:
        """The face to draw ``text`` with."""
        if is_common(text):
            return self.lean_bold if bold else self.lean_regular
        return self.bold if bold else self.regular


def is_common(text: str) -> bool:
    """Whether a lean face has all characters of ``text``."""
    others = [c for c in text if ord(c) >= _LATIN_END and ord(c) not in _PUNCTUATION]
    try:
        "".join(others).encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True


def common() -> set[int]:
    """The code points that a lean face has, as far as the whole one has them."""
    points = {*range(0x20, _LATIN_END), *_PUNCTUATION}
    for row in range(0xA1, 0xF8):
        for cell in range(0xA1, 0xFF):
            points.update(map(ord, bytes((row, cell)).decode("gb2312", "ignore")))
    return points


def cache_folder() -> Path:
    """``lobby/fonts`` under ``$XDG_CACHE_HOME`` or ``~/.cache``."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "lobby" / "fonts"


def load(folders: tuple[Path, ...] = FOLDERS, cache: Path | None = None) -> Fonts:
    """Return the faces, taking them out of the collection if the cache lacks them.

    Where the lean ones cannot be made the whole ones stand for them. Raises :class:`FontError`
    naming the missing collection, or what is wrong with it.
    """
    cache = cache or cache_folder()
    whole = [_face(weight, folders, cache) for weight in WEIGHTS]
    missing = [face for face in whole if not lean_of(face).is_file()]
    if missing:
        _make_lean(missing)
    lean = [lean_of(face) if lean_of(face).is_file() else face for face in whole]
    return Fonts(*map(str, (*whole, *lean)))


def lean_of(face: Path) -> Path:
    """Where the lean face beside a whole one is."""
    return face.with_stem(face.stem + LEAN)


def _make_lean(faces: Iterable[Path]) -> None:
    """In processes of their own: what reads a font takes hundreds of megabytes, and would keep
    them as long as the kiosk runs.
    """
    makers = [
        subprocess.Popen(
            (sys.executable, "-m", "kiosk.ui.lean_face", str(face), str(lean_of(face))),
            stderr=subprocess.DEVNULL,
        )
        for face in faces
    ]
    for maker in makers:
        try:
            maker.wait(LEAN_S)
        except subprocess.TimeoutExpired:
            maker.kill()
            maker.wait()


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
            save_whole(font, face)
    except TTLibError as error:
        raise FontError(f"{collection}: {error}; reinstall fonts-noto-cjk") from error
    except OSError as error:
        raise FontError(f"{face}: cannot be written: {error}; free some disk space") from error


def save_whole(font: "TTFont", path: Path) -> None:
    """Write ``font`` to ``path``, all of it or nothing. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as stream:
            font.save(stream)
            stream.flush()
            os.fsync(stream.fileno())
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
