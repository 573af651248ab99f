"""The file of what this branch's kiosks offer, read again whenever it changes.

A file that cannot be used changes nothing: what was read before holds, and ``refused`` says why.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import structlog

from branch.calling_config import ServiceConfig
from sync.offer import Offer, Service, offer_problems
from sync.settings import SettingsError, load

MAX_OFFER_BYTES = 32 * 1024
"""As JSON; the message that takes it to a kiosk has room for firmware as well."""

log = structlog.get_logger()


class OfferFile:
    """``services`` are those of the branch: kiosks offer none that nobody calls. Raises
    SettingsError: file, key and what was expected.
    """

    def __init__(self, path: Path, services: Sequence[ServiceConfig]) -> None:
        self._path = path
        self._services = list(services)
        self.refused = ""
        self._seen = self._stamp()
        self.offer = self._read()

    def look(self) -> bool:
        """Read the file if it is another one than before; whether something else holds now."""
        seen = self._stamp()
        if seen == self._seen:
            return False
        self._seen = seen
        try:
            offer = self._read()
        except SettingsError as error:
            self.refused = str(error)
            log.error("offer.refused", reason=self.refused)
            return False
        self.refused = ""
        before, self.offer = self.offer, offer
        if offer == before:
            return False
        log.info("offer.taken", file=str(self._path))
        return True

    def _stamp(self) -> tuple[int, int, int]:
        try:
            found = self._path.stat()
        except OSError:
            return (0, 0, 0)
        return (found.st_ino, found.st_mtime_ns, found.st_size)

    def _read(self) -> Offer:
        offer = load(self._path, Offer)
        called = {service.letter for service in self._services}
        for index, service in enumerate(offer.services):
            if service.letter not in called:
                raise SettingsError(
                    f"{self._path}: services[{index}].letter: {service.letter!r} is not one of the"
                    " services of branch.toml; nobody would call its tickets"
                )
        services = [self._with_hours(service) for service in offer.services]
        offer = msgspec.structs.replace(offer, services=services)
        for key, problem in offer_problems(offer):
            raise SettingsError(f"{self._path}: {key}: {problem}")
        size = len(msgspec.json.encode(offer))
        if size > MAX_OFFER_BYTES:
            raise SettingsError(
                f"{self._path}: {size} bytes for a kiosk, at most {MAX_OFFER_BYTES} are taken"
            )
        return msgspec.structs.replace(offer, file=self._path.name)

    def _with_hours(self, service: Service) -> Service:
        """The service with the branch's own hours and limit, where the file does not say."""
        if service.priority:
            return service  # who asks for a person may always ask
        branch = next(one for one in self._services if one.letter == service.letter)
        return msgspec.structs.replace(
            service,
            opens=service.opens or branch.opens,
            closes=service.closes or branch.closes,
            daily_limit=service.daily_limit or branch.daily_limit,
        )
