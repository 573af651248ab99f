"""What this branch wants of its kiosks: signed, under versions that only rise, and what they say.

Each node that has a pad here, or greets us, gets a configuration of its own, retained on the
broker. Its version
is kept in the database with a digest of what it says: the same wish keeps its version, another one
gets the next. A kiosk that has a higher version than we remember (a database restored from a copy)
is told again above it. Without ``[updates]`` in branch.toml nobody is told anything.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import structlog
from sqlalchemy import delete, insert, select
from sqlalchemy.exc import SQLAlchemyError

from branch.calling_config import ServiceConfig
from branch.card_table import CardTable
from branch.config import UpdatesConfig
from branch.database import Database
from branch.offer_file import MAX_OFFER_BYTES, OfferFile
from branch.tables import configuration_table
from sync.clock import Clock
from sync.configuration import (
    AppliedConfig,
    Configuration,
    DesiredConfig,
    FirmwareBundle,
    WantedFirmware,
    signed_bytes,
    text_of,
)
from sync.messages import MAX_MESSAGE_BYTES, encode
from sync.offer import Offer
from sync.settings import SettingsError
from sync.topics import CFG
from sync.transport import Transport

HIGHEST_VERSION = 1 << 52
"""A node that claims more is not believed: versions would have no room to rise."""

log = structlog.get_logger()


@dataclass(frozen=True)
class Wanted:
    """What every kiosk of this branch shall have, and the key that signs it."""

    key: Path
    firmware: Sequence[WantedFirmware]
    bundles: Sequence[FirmwareBundle]
    offer_file: OfferFile | None = None

    @property
    def offer(self) -> Offer | None:
        """What kiosks shall offer; None: what their own kiosk.toml says."""
        return self.offer_file.offer if self.offer_file else None

    def signed(self, configuration: Configuration) -> DesiredConfig:
        """The message. Raises FlashError."""
        from firmware.flash.keys import sign

        text = text_of(configuration)
        named = {one.manifest for one in configuration.firmware}
        return DesiredConfig(
            config=text,
            signature=sign(self.key, signed_bytes(text)),
            bundles=[bundle for bundle in self.bundles if bundle.sha256 in named],
        )


def read_wanted(
    settings: UpdatesConfig | None,
    path: str = "branch.toml",
    services: Sequence[ServiceConfig] = (),
) -> Wanted | None:
    """Read and check keys, bundles and the offer, which is of the branch's ``services``. Raises
    SettingsError, which names the file ``path``, or that of the offer.
    """
    if settings is None:
        return None
    from firmware.flash.bundle import read_bundle
    from firmware.flash.errors import FlashError

    firmware: list[WantedFirmware] = []
    bundles: list[FirmwareBundle] = []
    try:
        for name in settings.bundles:
            folder = Path(name)
            bundle = read_bundle(folder, Path(settings.firmware_key))
            if any(bundle.chip == other.chip for other in firmware):
                raise SettingsError(
                    f"{path}: updates.bundles: two for the chip {bundle.chip}; leave the older one"
                    " out"
                )
            sent = _sent(folder, bundle.slot_files, bundle.root_files)
            bundles.append(sent)
            firmware.append(
                WantedFirmware(chip=bundle.chip, version=bundle.version, manifest=sent.sha256)
            )
        offer_file = OfferFile(Path(settings.offer), services) if settings.offer else None
        wanted = Wanted(Path(settings.config_key), firmware, bundles, offer_file)
        # Once now: a key that cannot sign, or too much firmware, is found at the start.
        trial = Configuration(
            node="x" * 32, version=HIGHEST_VERSION, issued_ms=HIGHEST_VERSION,
            firmware=list(firmware),
        )  # fmt: skip
        size = len(encode(wanted.signed(trial)))
        # The offer may change while the server runs; quotes in it take two bytes.
        size += 2 * MAX_OFFER_BYTES if offer_file else 0
    except FlashError as error:
        raise SettingsError(f"{path}: updates: {error}") from error
    if size > MAX_MESSAGE_BYTES:
        raise SettingsError(
            f"{path}: updates.bundles: {size} bytes in one message, at most {MAX_MESSAGE_BYTES}"
            " are taken; leave a chip out"
        )
    return wanted


def _sent(folder: Path, slot: dict[str, bytes], root: dict[str, bytes]) -> FirmwareBundle:
    from firmware.flash.bundle import SIGNATURE
    from firmware.pad.slots import MANIFEST

    files = {f"slot/{name}": data for name, data in slot.items()}
    files |= {f"root/{name}": data for name, data in root.items()}
    return FirmwareBundle(
        manifest=(folder / MANIFEST).read_bytes(),
        signature=(folder / SIGNATURE).read_bytes(),
        files=files,
    )


class ConfigurationDesk:
    """Tells ``nodes`` what is wanted of them, and keeps what they answer. Firmware is for nodes
    with pads, ``nodes``; the table of cards for those that it names itself.
    """

    def __init__(
        self,
        wanted: Wanted | None,
        nodes: Sequence[str],
        *,
        store: Database,
        transport: Transport,
        clock: Clock,
        cards: CardTable | None = None,
    ) -> None:
        self._wanted = wanted
        self._with_pads = frozenset(nodes)
        self._cards = cards
        self._nodes = sorted({*nodes, *(cards.kiosks if cards else ())})
        self._store = store
        self._transport = transport
        self._clock = clock
        self._applied: dict[str, AppliedConfig] = {}
        self._versions: dict[str, int] = {}

    def greeted(self, node: str) -> None:
        """A node says hello: it shall have a configuration, too."""
        if node not in self._nodes:
            self._nodes.append(node)
            self._tell(node)

    def look(self) -> None:
        """Tell every node of an offer or a table of cards that was changed in its file."""
        offer_file = self._wanted.offer_file if self._wanted else None
        offered = offer_file is not None and offer_file.look()
        known = self._cards is not None and self._cards.look()
        if offered or known:
            self.connected()

    def alerts(self) -> list[str]:
        """``offer_refused`` for the file of the offer, ``config_refused NODE`` for each node that
        did not take what it was told last.
        """
        ours = ["offer_refused"] if self.offer_refused else []
        theirs = [node for node, applied in sorted(self._applied.items()) if applied.reason]
        return [*ours, *(f"config_refused {node}" for node in theirs)]

    @property
    def offer_refused(self) -> str:
        """Why the file of the offer, as it is now, is not told: file, key, reason; "" if it is."""
        offer_file = self._wanted.offer_file if self._wanted else None
        return offer_file.refused if offer_file is not None else ""

    def connected(self) -> None:
        """The broker is there: tell every node."""
        for node in self._nodes:
            self._tell(node)

    def applied(self, node: str, applied: AppliedConfig) -> None:
        """A node says what it has."""
        before = self._applied.get(node)
        self._applied[node] = applied
        if applied.reason and (before is None or before.reason != applied.reason):
            log.error("config.refused", node=node, version=applied.refused, reason=applied.reason)
        ours = self._versions.get(node, 0)
        another = applied.refused == applied.version == ours  # the same number, another text
        behind = ours < applied.version or another
        if self._wanted is not None and ours and behind and applied.version < HIGHEST_VERSION:
            log.warning("config.behind", node=node, ours=ours, theirs=applied.version)
            self._tell(node, above=applied.version)

    def health(self) -> dict[str, object]:
        """For ``/healthz``: what each node shall have, has, and refused, and its pads."""
        return {
            node: {
                "wanted": self._versions.get(node, 0),
                "applied": applied.version if applied else None,
                "refused": f"{applied.refused}: {applied.reason}"
                if applied and applied.reason
                else "",
                "pads": {
                    str(pad.counter): {
                        "state": pad.state,
                        "firmware": pad.firmware,
                        "hash": pad.firmware_hash,
                        "detail": pad.detail,
                    }
                    for pad in (applied.pads if applied else [])
                },
            }
            for node in sorted({*self._versions, *self._applied})
            for applied in [self._applied.get(node)]
        }

    def _tell(self, node: str, above: int = 0) -> None:
        if self._wanted is None:
            return
        from firmware.flash.errors import FlashError

        try:
            configuration = self._configuration(node, above)
            message = self._wanted.signed(configuration)
        except (SQLAlchemyError, FlashError) as error:
            log.error("config.not_told", node=node, error=str(error))
            return
        raw = encode(message)
        if len(raw) > MAX_MESSAGE_BYTES:
            log.error("config.not_told", node=node, error=f"{len(raw)} bytes in one message")
            return
        self._versions[node] = configuration.version
        self._transport.publish(CFG, CFG.of(node=node), raw)

    def _configuration(self, node: str, above: int) -> Configuration:
        """The node's configuration under the version that is due. Raises SQLAlchemyError."""
        assert self._wanted is not None
        firmware = list(self._wanted.firmware) if node in self._with_pads else []
        wish = [msgspec.json.encode(one) for one in firmware]
        if self._wanted.offer is not None:
            wish.append(msgspec.json.encode(self._wanted.offer))
        cards: dict[str, str] | msgspec.UnsetType = msgspec.UNSET
        if self._cards is not None and node in self._cards.kiosks:
            cards = self._cards.cards
            wish.append(msgspec.json.encode(cards, order="sorted"))
        digest = hashlib.sha256(b"\n".join(wish)).hexdigest()
        table = configuration_table
        with self._store.transaction() as connection:
            row = connection.execute(
                select(table.c.version, table.c.wanted, table.c.issued_ms).where(
                    table.c.node == node
                )
            ).first()
            version, issued_ms = (row.version, row.issued_ms) if row else (0, 0)
            if row is None or row.wanted != digest or version <= above:
                version, issued_ms = max(version, above) + 1, self._clock.wall_ms()
                connection.execute(delete(table).where(table.c.node == node))
                connection.execute(
                    insert(table).values(
                        node=node, version=version, wanted=digest, issued_ms=issued_ms
                    )
                )
        return Configuration(
            node=node,
            version=version,
            issued_ms=issued_ms,
            firmware=firmware,
            offer=self._wanted.offer,
            cards=cards,
        )
