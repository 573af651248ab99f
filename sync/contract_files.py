"""The contract as files: ``asyncapi.json`` and one JSON Schema a message."""

from pathlib import Path

import msgspec

from sync import contract, contract_schema
from sync.errors import SyncError

ASYNCAPI_FILE = "asyncapi.json"
SCHEMA_FOLDER = "schemas"


class ContractNotWritten(SyncError):
    """The folder cannot be written; says which file and why."""


def contract_files(version: str) -> dict[str, bytes]:
    """Every file by its name below the folder; the same bytes for the same ``version``."""
    files = {ASYNCAPI_FILE: _json(contract.asyncapi(version))}
    for tag, document in sorted(contract_schema.documents().items()):
        files[f"{SCHEMA_FOLDER}/{tag}.json"] = _json(document)
    return files


def write_contract(folder: Path, version: str) -> list[Path]:
    """Write every file into ``folder``, which is made where it is missing; returns their paths.
    Raises ContractNotWritten.
    """
    written = []
    for name, content in contract_files(version).items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        except OSError as error:
            raise ContractNotWritten(
                f"{error.filename or path}: {error.strerror};"
                " give a folder that you may write to, or a new name in one"
            ) from error
        written.append(path)
    return written


def _json(document: contract_schema.Schema) -> bytes:
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
