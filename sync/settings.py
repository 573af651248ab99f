"""Configuration files: TOML into a frozen msgspec Struct, with one sentence that names file and
key when wrong.
"""

import difflib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin

import msgspec

_S = TypeVar("_S", bound=msgspec.Struct)

_IN_TOML = {
    "int": "a whole number",
    "float": "a number",
    "str": "text in quotes",
    "bool": "true or false",
    "array": "a list [...]",
    "object": "a table",
}
"""msgspec's names of types, as a reader of TOML knows them."""


class SettingsError(Exception):
    """The file cannot be used; the message names file, key, what was expected and what to do."""


class BrokerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where mosquitto listens."""

    host: str = "127.0.0.1"
    port: int = 1883


def load(path: Path, expected: type[_S]) -> _S:
    """Read ``path`` as ``expected``. Raises SettingsError."""
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise SettingsError(
            f"{path}: there is no such file; copy the sample from deploy/ and adapt it"
        ) from None
    except UnicodeDecodeError as error:
        raise SettingsError(
            f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8"
        ) from error
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror or error}") from error
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: not TOML: {error}") from error
    try:
        return fit(table, expected)
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from error


def fit(table: Any, expected: type[_S]) -> _S:
    """``table`` as ``expected``. Raises SettingsError, which begins with the key."""
    try:
        return msgspec.convert(table, expected, strict=True)
    except msgspec.ValidationError as error:
        raise SettingsError(_explain(str(error), table, expected)) from error


def _explain(problem: str, table: dict[str, Any], expected: type[msgspec.Struct]) -> str:
    """msgspec's message with the key first, as it stands in the file."""
    message, _, where = problem.partition(" - at `$")
    key, kind = _locate(where.rstrip("`"), table, expected)
    if unknown := re.fullmatch(r"Object contains unknown field `(.*)`", message):
        name = unknown.group(1)
        known = sorted(_fields(kind))
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(known)}"
        return f"{_join(key, name)}: unknown key; {hint}"
    if missing := re.fullmatch(r"Object missing required field `(.*)`", message):
        return f"{_join(key, missing.group(1))}: missing; it has no default, add it"
    if message.startswith("Invalid enum value"):
        return f"{key}: {message[19:]}; expected one of {', '.join(map(repr, _choices(kind)))}"
    words = re.sub(r"`([\w |]+)`", lambda found: _in_toml(found[1]), message)
    return f"{key}: {words[:1].lower()}{words[1:]}"


def _in_toml(types: str) -> str:
    """``object | null`` as a reader of TOML would say it, who leaves a key out for null."""
    return " or ".join(_IN_TOML.get(name, name) for name in types.split(" | ") if name != "null")


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _locate(where: str, value: Any, kind: Any) -> tuple[str, Any]:
    """The key that msgspec's ``.services[...].letter`` means, and the type expected there.

    msgspec may leave the index out: it is that of the first element that does not convert.
    """
    key = ""
    for part in re.findall(r"\[[^\]]*\]|[^.\[]+", where):
        if not part.startswith("["):
            key = _join(key, part)
            value, kind = value[part], _fields(kind)[part]
            continue
        container = next(k for k in _options(kind) if get_origin(k) in (list, dict))
        kind = get_args(container)[-1]
        items = dict(value.items() if isinstance(value, dict) else enumerate(value))
        index = next(i for i, item in items.items() if not _converts(item, kind))
        value = items[index]
        key = f"{key}[{index}]" if isinstance(index, int) else _join(key, index)
    return key, kind


def _converts(value: Any, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError:
        return False
    return True


def _options(kind: Any) -> Iterator[Any]:
    """``kind`` itself, or the members of a union."""
    if isinstance(kind, UnionType):
        yield from kind.__args__
    else:
        yield kind


def _fields(kind: Any) -> dict[str, Any]:
    """Names and types of the keys of the Struct in ``kind``."""
    table = next(
        option
        for option in _options(kind)
        if isinstance(option, type) and issubclass(option, msgspec.Struct)
    )
    return {field.encode_name: field.type for field in msgspec.structs.fields(table)}


def _choices(kind: Any) -> list[Any]:
    return [v for k in _options(kind) if get_origin(k) is Literal for v in get_args(k)]
