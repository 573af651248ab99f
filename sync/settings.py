"""Configuration files: TOML into a frozen msgspec Struct, with one sentence that names file and
key when wrong.
"""

import difflib
import re
import tomllib
from pathlib import Path
from typing import Any, TypeVar, get_args

import msgspec

_S = TypeVar("_S", bound=msgspec.Struct)


class SettingsError(Exception):
    """The file cannot be used; the message names file, key, what was expected and what to do."""


def load(path: Path, expected: type[_S]) -> _S:
    """Read ``path`` as ``expected``. Raises SettingsError."""
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise SettingsError(
            f"{path}: there is no such file; copy the sample from deploy/ and adapt it"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read: {error}") from error
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: not TOML: {error}") from error
    try:
        return msgspec.convert(table, expected, strict=True)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{path}: {_explain(str(error), expected)}") from error


def _explain(problem: str, expected: type[msgspec.Struct]) -> str:
    """msgspec's message with the key first, as it stands in the file."""
    message, _, where = problem.partition(" - at `$")
    key = where.rstrip("`").lstrip(".").replace("[...]", "[]")
    unknown = re.fullmatch(r"Object contains unknown field `(.*)`", message)
    if unknown:
        name = unknown.group(1)
        known = sorted(_fields(expected, key))
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(known)}"
        return f"{_join(key, name)}: unknown key; {hint}"
    missing = re.fullmatch(r"Object missing required field `(.*)`", message)
    if missing:
        return f"{_join(key, missing.group(1))}: missing; it has no default, add it"
    return f"{key}: {message[:1].lower()}{message[1:]}"


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _fields(expected: type[msgspec.Struct], key: str) -> list[str]:
    """Names of the keys allowed at ``key``."""
    kind: Any = expected
    for part in [p for p in key.replace("[]", "").split(".") if p]:
        kind = next(f.type for f in msgspec.structs.fields(kind) if f.name == part)
        structs = [k for k in (kind, *get_args(kind)) if isinstance(k, type)]
        kind = next(k for k in structs if issubclass(k, msgspec.Struct))
    return [field.encode_name for field in msgspec.structs.fields(kind)]
