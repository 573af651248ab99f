"""branch.toml: [access], and what is checked of it. Pure."""

from collections.abc import Iterator
from ipaddress import ip_address

import msgspec

IDLE_MAX_MIN = 24 * 60.0
SESSION_MAX_H = 7 * 24.0


class AccessConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who may use pages and API. ``enabled`` False opens everything to whoever reaches the port.
    ``accounts`` is a file of its own. A session ends ``idle_min`` after its last use and
    ``session_max_h`` after its beginning. ``https``: a proxy in front speaks TLS, cookies must not
    travel without it. ``trusted_proxy``: whose X-Forwarded-For is believed.
    """

    enabled: bool = True
    accounts: str = "access.db"
    idle_min: float = 60.0
    session_max_h: float = 12.0
    https: bool = False
    trusted_proxy: str = ""


def access_problems(config: AccessConfig) -> Iterator[tuple[str, str]]:
    """(key, what is wrong with it)."""
    if not config.accounts:
        yield "access.accounts", "empty; expected a file name like access.db"
    for name, value, most in (
        ("idle_min", config.idle_min, IDLE_MAX_MIN),
        ("session_max_h", config.session_max_h, SESSION_MAX_H),
    ):
        if not 0 < value <= most:
            yield f"access.{name}", f"{value}; expected more than 0, at most {most:g}"
    if config.trusted_proxy:
        try:
            ip_address(config.trusted_proxy)
        except ValueError:
            yield (
                "access.trusted_proxy",
                f"{config.trusted_proxy!r}; expected an IP address like 127.0.0.1",
            )
