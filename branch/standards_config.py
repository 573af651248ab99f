"""[standards] and [webhook] of branch.toml, and what is checked of them. Pure."""

from collections.abc import Collection, Iterator
from urllib.parse import urlsplit

import msgspec

MOST_MIN = 24 * 60.0
MOST_PEOPLE = 1000
SPOOL_MOST = 100_000

Problems = Iterator[tuple[str, str]]


class ServiceStandardsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One service's own standards; what is not written is that of the branch, 0 is none."""

    max_wait_min: float | None = None
    max_service_min: float | None = None
    max_idle_min: float | None = None
    max_line: int | None = None


class StandardsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is promised to be kept, per service; 0: no such standard. ``max_idle_min``: an open
    counter calls nobody so long, though somebody waits so long whom it may serve. ``max_line``:
    so many wait; more are a breach, until a fifth less than that wait.
    """

    max_wait_min: float = 30.0
    max_service_min: float = 30.0
    max_idle_min: float = 3.0
    max_line: int = 25
    services: dict[str, ServiceStandardsConfig] = {}


class WebhookConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where alerts are posted to. ``secret_file`` signs them; it is made where there is none."""

    url: str
    secret_file: str = "webhook.key"
    timeout_s: float = 5.0
    spool: int = 1000
    """So many alerts wait for a receiver that is away; older ones are given up."""


def standards_problems(config: StandardsConfig, letters: Collection[str]) -> Problems:
    """(key, what is wrong with it)."""
    yield from _limits("standards", config)
    for letter, own in config.services.items():
        if letter not in letters:
            yield f"standards.services.{letter}", f"{letter!r} is not one of the services"
        yield from _limits(f"standards.services.{letter}", own)


def _limits(key: str, limits: StandardsConfig | ServiceStandardsConfig) -> Problems:
    for name in ("max_wait_min", "max_service_min", "max_idle_min"):
        minutes = getattr(limits, name)
        if minutes is not None and not 0 <= minutes <= MOST_MIN:
            yield f"{key}.{name}", f"{minutes}; expected 0 (none) to {MOST_MIN:g} minutes"
    if limits.max_line is not None and not 0 <= limits.max_line <= MOST_PEOPLE:
        yield f"{key}.max_line", f"{limits.max_line}; expected 0 (none) to {MOST_PEOPLE} people"


def webhook_problems(config: WebhookConfig | None) -> Problems:
    """(key, what is wrong with it)."""
    if config is None:
        return
    try:
        parts = urlsplit(config.url)
        port: int | None = parts.port or 1
    except ValueError:
        parts, port = None, None
    if parts is None or port is None or parts.scheme not in ("http", "https"):
        yield "webhook.url", f"{config.url!r}; expected an address like https://host/path"
    elif not parts.hostname or parts.username is not None:
        yield "webhook.url", "expected a host, and no user name or password in the address"
    if not config.secret_file:
        yield "webhook.secret_file", "empty; expected a file name"
    if not 0.1 <= config.timeout_s <= 60:
        yield "webhook.timeout_s", f"{config.timeout_s}; expected 0.1 to 60 s"
    if not 1 <= config.spool <= SPOOL_MOST:
        yield "webhook.spool", f"{config.spool}; expected 1 to {SPOOL_MOST} alerts"
