"""What this kiosk offers now: kiosk.toml, with what the branch wants in its place. Pure."""

import msgspec

from kiosk.config import KioskConfig, ServiceConfig
from sync.offer import Offer


def offered(own: KioskConfig, offer: Offer | None) -> KioskConfig:
    """``own`` with the services, hours and words of ``offer``, where there is one."""
    if offer is None:
        return own
    return msgspec.structs.replace(
        own, services=offer.services, opening=offer.opening, content=offer.content
    )


def service_of(config: KioskConfig, letter: str) -> ServiceConfig:
    """The service, or, where the branch has taken it away since its ticket was issued, one that
    is named by its letter.
    """
    found = (service for service in config.services if service.letter == letter)
    return next(found, ServiceConfig(letter, letter, letter))


class Offering:
    """``config`` is in force; whoever keeps this object instead of it always has what holds."""

    def __init__(self, own: KioskConfig) -> None:
        self._own = self._wanted = self.config = own

    def want(self, offer: Offer | None) -> None:
        """The branch wants this offer; None: that of kiosk.toml."""
        self._wanted = offered(self._own, offer)

    def swap(self) -> bool:
        """Put into force what is wanted by now; False if that is so already."""
        before, self.config = self.config, self._wanted
        return self.config != before

    def service(self, letter: str) -> ServiceConfig:
        """See :func:`service_of`."""
        return service_of(self.config, letter)
