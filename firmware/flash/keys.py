"""Keys on the host: the signing key of firmware, a key for every pad.

The signing key (Ed25519) lives outside the project's tree and outside every kiosk; only its public
half is handed around. A pad's key is 32 random bytes in ``pads/<unique_id>.key``, readable by its
owner only. Key files are made in one step that fails if the file is there: a key is never
overwritten.
"""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from firmware.flash.errors import BadUse, NotAllowed, NotTrusted
from firmware.pad.slots import KEY_SIZE

PUBLIC_SUFFIX = ".pub"
KEY_SUFFIX = ".key"
REVOKED_SUFFIX = ".revoked"


@dataclass(frozen=True, slots=True)
class KeyTable:
    """Keys of pads by unique id, and the pads that are revoked."""

    keys: dict[str, bytes]
    revoked: frozenset[str]


def make_signing_key(path: Path) -> Path:
    """Write a new private key (mode 600) and its public half beside it; the latter's path.

    Raises BadUse, NotAllowed.
    """
    project = Path(__file__).resolve().parents[2]
    if (project / "pyproject.toml").exists() and path.resolve().is_relative_to(project):
        raise NotAllowed(
            f"{path}: inside the project's own folder {project}",
            "name a file elsewhere: a private key never lies where it could be committed",
        )
    private = Ed25519PrivateKey.generate()
    _write_secret(
        path,
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )
    public = path.with_name(path.name + PUBLIC_SUFFIX)
    public.write_bytes(
        private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return public


def sign(path: Path, data: bytes) -> bytes:
    """The signature (64 bytes) by the private key in a file. Raises BadUse, NotAllowed."""
    if _read(path) and path.stat().st_mode & 0o077:
        raise NotAllowed(f"{path}: others may read this private key", f"run: chmod 600 {path}")
    try:
        key = serialization.load_pem_private_key(_read(path), None)
    except (ValueError, TypeError) as error:
        raise BadUse(f"{path}: no private key ({error})", _MAKE) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise BadUse(f"{path}: a private key, but not Ed25519", _MAKE)
    return key.sign(data)


def verify(path: Path, data: bytes, signature: bytes, what: str) -> None:
    """Check a signature with the public key in a file. Raises NotTrusted, BadUse."""
    try:
        key = serialization.load_pem_public_key(_read(path))
    except (ValueError, TypeError) as error:
        raise BadUse(f"{path}: no public key ({error})", _MAKE) from error
    if not isinstance(key, Ed25519PublicKey):
        raise BadUse(f"{path}: a public key, but not Ed25519", _MAKE)
    try:
        key.verify(signature, data)
    except InvalidSignature as error:
        raise NotTrusted(
            f"{what}: the signature is not by the key of {path}",
            "take a bundle that was signed for this installation, or the public key it belongs to",
        ) from error


class PadKeys:
    """The key files of pads in one folder (the kiosk's ``data_dir/pads`` has the same form).

    ``<unique_id>.key`` is a pad's key; ``<unique_id>.revoked`` says that this pad was replaced: a
    kiosk refuses it, whatever key it has. ``also``: another such folder, where keys that are not
    here are looked for.
    """

    def __init__(self, folder: Path, also: Path | None = None) -> None:
        self.folder = folder
        self._also = None if also is None else PadKeys(also)

    def path(self, unique_id: str) -> Path:
        """Where the key of a pad lies."""
        return self.folder / f"{unique_id}{KEY_SUFFIX}"

    def mark(self, unique_id: str) -> Path:
        """The file that says that a pad is revoked."""
        return self.folder / f"{unique_id}{REVOKED_SUFFIX}"

    def get(self, unique_id: str) -> bytes | None:
        """The key of a pad, None if there is none or it is revoked. Raises BadUse."""
        path = self.path(unique_id)
        if self.mark(unique_id).exists():
            return None
        if not path.exists():
            return None if self._also is None else self._also.get(unique_id)
        key = path.read_bytes()
        if len(key) != KEY_SIZE:
            raise BadUse(
                f"{path}: {len(key)} bytes, a pad's key has {KEY_SIZE}",
                "put the file back from a copy, or remove it and provision the pad anew",
            )
        return key

    def get_or_make(self, unique_id: str) -> bytes:
        """The key of a pad, made if there is none; a revoked one gets a new key. Raises BadUse."""
        if self.mark(unique_id).exists():
            self.path(unique_id).unlink(missing_ok=True)
            self.mark(unique_id).unlink()
        if (key := self.get(unique_id)) is not None:
            return key
        key = secrets.token_bytes(KEY_SIZE)
        _write_secret(self.path(unique_id), key)
        return key

    def revoke(self, unique_id: str) -> None:
        """Take a pad's key away and mark the pad; harmless if there is none."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.mark(unique_id).touch(mode=0o600)
        self.path(unique_id).unlink(missing_ok=True)

    def table(self) -> KeyTable:
        """Every key and every revoked pad of the folder. Raises BadUse."""
        found = {path.stem: self.get(path.stem) for path in self.folder.glob(f"*{KEY_SUFFIX}")}
        revoked = {path.stem for path in self.folder.glob(f"*{REVOKED_SUFFIX}")}
        return KeyTable({name: key for name, key in found.items() if key}, frozenset(revoked))

    def install(self, table: KeyTable, *, dry_run: bool = False) -> list[str]:
        """Bring keys and marks into this folder, which may be a kiosk's; what was changed, a line
        each. Nothing is changed twice. Files belong to the folder's owner. Raises BadUse.
        """
        changed = []
        try:
            if not dry_run:
                self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for name in sorted(table.revoked):
                if not self.mark(name).exists() or self.path(name).exists():
                    if not dry_run:
                        # The mark first: at no moment is the pad neither known nor refused.
                        self._replace(self.mark(name), b"")
                        self.path(name).unlink(missing_ok=True)
                    changed.append(f"{name}: revoked")
            for name, key in sorted(table.keys.items()):
                path = self.path(name)
                if not path.exists() or path.read_bytes() != key or self.mark(name).exists():
                    if not dry_run:
                        self._replace(path, key)
                        self.mark(name).unlink(missing_ok=True)
                    changed.append(f"{name}: key")
        except OSError as error:
            raise BadUse(
                f"{self.folder}: {error.strerror} ({error.filename})",
                "run this as the kiosk's user or as root",
            ) from error
        return changed

    def _replace(self, path: Path, data: bytes) -> None:
        fresh = path.with_name(path.name + ".new")
        fresh.unlink(missing_ok=True)
        _write_secret(fresh, data)
        owner = self.folder.stat()
        if os.geteuid() == 0:
            os.chown(fresh, owner.st_uid, owner.st_gid)
        fresh.replace(path)


_MAKE = "make a pair by: lobby provision signing-key --out FILE"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadUse(f"{path}: cannot be read ({error.strerror})", _MAKE) from error


def _write_secret(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise BadUse(
            f"{path}: there is a key already", "name another file, or move this one away first"
        ) from error
    with os.fdopen(fd, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
