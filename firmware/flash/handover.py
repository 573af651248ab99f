"""Keys of pads on their way to a kiosk: one file, sealed under a code that is told by word.

The file may travel on a stick. Whoever has it without the code has nothing: the key of
ChaCha20-Poly1305 is scrypt of 16 characters (80 bits of chance).
"""

import json
import os
import secrets
from base64 import b64decode, b64encode
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from firmware.flash.errors import BadUse, NotAllowed
from firmware.flash.keys import KEY_SUFFIX, KeyTable
from firmware.flash.registry import CODE_ALPHABET
from firmware.pad.slots import KEY_SIZE

FORMAT = "lobby pad keys 1"
CODE_SIZE = 16
SALT_SIZE = 16
NONCE_SIZE = 12
SCRYPT_N = 2**15
"""32 MiB and a tenth of a second a guess."""

HEX = frozenset("0123456789abcdef")


def write_sealed(table: KeyTable, path: Path) -> str:
    """Write a new file (mode 600); the code that opens it. Raises BadUse."""
    code = "".join(secrets.choice(CODE_ALPHABET) for _ in range(CODE_SIZE))
    salt, nonce = secrets.token_bytes(SALT_SIZE), secrets.token_bytes(NONCE_SIZE)
    plain = {
        "keys": {name: key.hex() for name, key in table.keys.items()},
        "revoked": sorted(table.revoked),
    }
    sealed = _cipher(code, salt).encrypt(nonce, json.dumps(plain).encode(), FORMAT.encode())
    parts = {"salt": salt, "nonce": nonce, "sealed": sealed}
    text = json.dumps({"format": FORMAT} | {k: b64encode(v).decode() for k, v in parts.items()})
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise BadUse(f"{path}: {error.strerror}", "name a new file") from error
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        file.write(text + "\n")
    return "-".join(code[at : at + 4] for at in range(0, CODE_SIZE, 4))


def read_sealed(path: Path, code: str) -> KeyTable:
    """What a file holds. Raises BadUse, NotAllowed for another code."""
    try:
        outer = json.loads(path.read_bytes())
        if outer["format"] != FORMAT:
            raise BadUse(f"{path}: {outer['format']!r}, expected {FORMAT!r}", _NAME_IT)
        salt, nonce, sealed = (b64decode(outer[name]) for name in ("salt", "nonce", "sealed"))
        plain = _cipher(code, salt).decrypt(nonce, sealed, FORMAT.encode())
    except InvalidTag as error:
        raise NotAllowed(
            f"{path}: the code does not open it",
            "give --code as `keys export` printed it, or export again",
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadUse(f"{path}: no file of `keys export` ({error})", _NAME_IT) from error
    table = json.loads(plain)
    keys = {name: bytes.fromhex(key) for name, key in table["keys"].items()}
    for name in (*keys, *table["revoked"]):
        if not name or set(name) - HEX:
            raise BadUse(f"{path}: {name!r} is no unique id", "export again")
    for name, key in keys.items():
        if len(key) != KEY_SIZE:
            raise BadUse(f"{path}: {name}{KEY_SUFFIX} has {len(key)} bytes", "export again")
    return KeyTable(keys, frozenset(table["revoked"]))


_NAME_IT = "name a file that `lobby flash keys export` wrote"


def _cipher(code: str, salt: bytes) -> ChaCha20Poly1305:
    plain = code.replace("-", "").strip().upper()
    return ChaCha20Poly1305(
        Scrypt(salt=salt, length=32, n=SCRYPT_N, r=8, p=1).derive(plain.encode())
    )
