"""Which pad this is, and which firmware it should have. Pure."""

from dataclasses import dataclass

from firmware.pad import link as wire
from hal.api import PadIdentity

OLD = "firmware_old"
UNKNOWN = "firmware_unknown"


def version_of(text: str) -> tuple[int, ...]:
    """``0.2.0`` as (0, 2, 0); nothing for a text that is no version, which is older than any."""
    try:
        return tuple(int(part) for part in text.split("."))
    except ValueError:
        return ()


def identity_of(hello: wire.Hello, boot_id: int) -> PadIdentity:
    """What a HELLO says, as the rest of the system reads it."""
    return PadIdentity(
        hello.unique_id.hex(),
        boot_id,
        wire.PROTOCOL,
        hello.firmware,
        hello.interpreter,
        hello.firmware_hash.hex(),
        hello.roles,
        bool(hello.flags & wire.KEYED),
    )


@dataclass(frozen=True, slots=True)
class WantedFirmware:
    """``oldest``: version that is just new enough, empty: any. ``hashes``: hex of the manifests'
    first 8 bytes of SHA-256, empty: any.
    """

    oldest: str = ""
    hashes: frozenset[str] = frozenset()

    def complaint(self, identity: PadIdentity | None) -> str:
        """Detail of the health row for a pad that works and should not stay so; empty: none."""
        if identity is None:
            return ""
        if self.oldest and version_of(identity.firmware) < version_of(self.oldest):
            return OLD
        if self.hashes and identity.firmware_hash not in self.hashes:
            return UNKNOWN
        return ""
