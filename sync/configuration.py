"""What a branch wants of a kiosk, signed, and what the kiosk says became of it. Pure.

``config`` of a DesiredConfig is the JSON text of a Configuration; its bytes, behind SIGNED, are
what is signed (Ed25519), so a reader checks what came and not what it understood. Firmware rides
along unsigned here: each bundle has a signature of its own, by another key, and the text names it
by hash. What visitors are offered is an :class:`~sync.offer.Offer` in that text. Versions of a
node's configuration only rise. A configuration refuses keys that it does not know, unlike
messages.

Errors: BadMessage, with the field and what was expected.
"""

import hashlib
from typing import Any, Literal

import msgspec

from sync.cards import check_cards
from sync.errors import BadMessage
from sync.offer import Offer, offer_problems
from sync.settings import SettingsError, fit

SIGNED = b"lobby-cfg-1\n"
"""Stands before the signed text: what is signed here is never firmware, nor the other way."""
HASH_DIGITS = 16
"""A manifest is named for short by so many digits of its SHA-256, as a pad does."""


class WantedFirmware(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Firmware for the pads of one chip; ``manifest`` is the SHA-256 of its manifest, hex."""

    chip: str
    version: str
    manifest: str

    @property
    def hash(self) -> str:
        """What a pad says that runs it."""
        return self.manifest[:HASH_DIGITS]


class Configuration(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """What ``node`` shall have. ``version`` counts from 1; what is missing has its default.
    Without an ``offer`` a kiosk offers what its own kiosk.toml says.
    ``cards`` is the table of :mod:`sync.cards`; without it the kiosk has its own, an empty one
    knows no card.
    """

    node: str
    version: int
    issued_ms: int
    firmware: list[WantedFirmware] = []
    offer: Offer | None = None
    cards: dict[str, str] | msgspec.UnsetType = msgspec.UNSET


class FirmwareBundle(msgspec.Struct, frozen=True, kw_only=True):
    """A bundle of the flash tool: manifest, its signature, files by their path in its folder
    (``slot/…``, ``root/…``). Bytes are base64 in JSON.
    """

    manifest: bytes
    signature: bytes
    files: dict[str, bytes]

    @property
    def sha256(self) -> str:
        """How a Configuration names it."""
        return hashlib.sha256(self.manifest).hexdigest()


class DesiredConfig(msgspec.Struct, frozen=True, kw_only=True, tag="cfg", tag_field="type"):
    """What a node shall have: the signed text of a configuration, its Ed25519 signature, and the
    firmware that it names.
    """

    v: int = 1
    config: str
    signature: bytes
    bundles: list[FirmwareBundle] = []


class PadApplied(msgspec.Struct, frozen=True, kw_only=True):
    """One pad of a kiosk. ``state``: current (runs what is wanted), waiting, updating, trial,
    failed (went back; not tried again with this firmware), newer, absent, none (nothing is wanted
    for its chip). ``detail`` says why it waits or failed.
    """

    counter: int
    state: Literal["current", "waiting", "updating", "trial", "failed", "newer", "absent", "none"]
    unique_id: str = ""
    firmware: str = ""
    firmware_hash: str = ""
    detail: str = ""


class AppliedConfig(
    msgspec.Struct, frozen=True, kw_only=True, tag="cfg.applied", tag_field="type"
):
    """What a node has: ``version`` of its last good configuration (0: none), and the last one
    that it refused, with the reason (0: none since).
    """

    v: int = 1
    node: str
    version: int
    refused: int = 0
    reason: str = ""
    pads: list[PadApplied] = []


_OFFER = "offer."


def signed_bytes(config: str) -> bytes:
    """What is signed of a configuration's text."""
    return SIGNED + config.encode()


def text_of(configuration: Configuration) -> str:
    """The text that is signed and sent."""
    return msgspec.json.encode(configuration).decode()


def read_configuration(text: str) -> Configuration:
    """Read the text of a configuration and check all of it. Raises BadMessage; what is wrong with
    the offer begins with the branch's file and the key there.
    """
    try:
        table = msgspec.json.decode(text)
        found = fit(table, Configuration)
    except SettingsError as error:
        raise BadMessage(_in_its_file(str(error), table)) from error
    except (msgspec.DecodeError, UnicodeError) as error:
        raise BadMessage(f"not a configuration: {error}") from error
    if found.version < 1:
        raise BadMessage(f"version {found.version}: configurations count from 1")
    if (offer := found.offer) is not None:
        for key, problem in offer_problems(offer):
            raise BadMessage(f"{offer.file or 'offer'}: {key}: {problem}")
    if found.cards is not msgspec.UNSET:
        try:
            check_cards(found.cards)
        except BadMessage as error:
            raise BadMessage(f"cards: {error}") from error
    return found


def claimed_version(text: str) -> int:
    """The version that a refused text claims to be; 0 if that cannot be read."""
    try:
        return msgspec.json.decode(text, type=_Claim).version
    except (msgspec.DecodeError, UnicodeError):
        return 0


class _Claim(msgspec.Struct):
    version: int


def _in_its_file(problem: str, table: Any) -> str:
    """``offer.services[0].zh: …`` as ``kiosk-offer.toml: services[0].zh: …``."""
    file = table["offer"].get("file") if problem.startswith(_OFFER) else None
    if isinstance(file, str) and file:
        return f"{file}: {problem.removeprefix(_OFFER)}"
    return f"not a configuration: {problem}"
