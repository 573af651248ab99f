"""Configuration as TOML text: what :mod:`tomllib` reads and cannot write. Pure."""

import json
from typing import Any


def toml(table: dict[str, Any], path: tuple[str, ...] = ()) -> str:
    """The table's own values, then its tables and arrays of tables, as tomllib reads them."""
    plain, below = [], []
    for name, value in table.items():
        inner = (*path, name)
        if isinstance(value, dict):
            below.append(f"\n[{'.'.join(inner)}]\n{toml(value, inner)}")
        elif isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
            below += [f"\n[[{'.'.join(inner)}]]\n{toml(one, inner)}" for one in value]
        else:
            plain.append(f"{name} = {_value(value)}\n")
    return "".join((*plain, *below))


def _value(value: Any) -> str:
    # JSON's strings are TOML's, but for one control character.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
