"""Keys of the pads: one file for each, ``data_dir/pads/<unique id>.key``, for its owner alone.

A file ``<unique id>.revoked`` beside it says that another pad took this one's place: it is
refused, whatever key it has. `lobby flash keys` writes both.
"""

import stat
from pathlib import Path

import structlog

KEY_SIZE = 32
FOLDER = "pads"
REVOKED = b""
"""In place of a key: this pad is revoked."""

log = structlog.get_logger()


class PadKeys:
    """Looks keys up anew each time: a key that arrives while the kiosk runs is used at once.

    ``only`` names the one pad (unique id, hex) that may stand at this counter, empty: any.
    """

    def __init__(self, folder: Path, only: str = "") -> None:
        self._folder = folder
        self._only = only
        self._complained: set[str] = set()

    def __call__(self, unique_id: str) -> bytes | None:
        """The key of a pad; None, with one line in the log, for a file that is not fit to be one;
        REVOKED for a pad that was replaced.

        ``unique_id`` comes from the line: what is no hex number names no file.
        """
        if not unique_id or set(unique_id) - set("0123456789abcdef"):
            return None
        if (self._folder / f"{unique_id}.revoked").exists():
            self._complain(unique_id, "revoked: another pad took its place")
            return REVOKED
        if self._only and unique_id != self._only:
            self._complain(unique_id, f"this counter's pad is {self._only}")
            return None
        path = self._folder / f"{unique_id}.key"
        try:
            mode = path.stat().st_mode
            key = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            self._complain(unique_id, f"{path}: cannot be read ({error.strerror})")
            return None
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            self._complain(unique_id, f"{path}: others may read it; chmod 600 it")
            return None
        if len(key) != KEY_SIZE:
            self._complain(unique_id, f"{path}: {len(key)} bytes, expected {KEY_SIZE}")
            return None
        return key

    def _complain(self, unique_id: str, problem: str) -> None:
        if problem not in self._complained:
            self._complained.add(problem)
            log.error("pad.key_unusable", pad=unique_id, error=problem)
