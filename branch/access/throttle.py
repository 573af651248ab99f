"""Failed sign-ins slow down those that follow, for the account and for the address. Pure.

An attempt counts as failed from its beginning until it passes: a thousand at once gain nothing.
A refused attempt is not counted and its secret is not looked at, so a wait tells nothing about it.
"""

from collections import OrderedDict
from dataclasses import dataclass

REMEMBERED = 10_000
"""Accounts (and addresses) that are remembered at most; the one longest unheard of goes first."""


@dataclass(frozen=True, slots=True)
class Limit:
    """``free`` failures cost nothing; the next one costs a wait of ``first_ms``, each further one
    twice as much, at most ``longest_ms``. All is forgotten ``forget_ms`` after the last one.
    """

    free: int
    first_ms: int = 15_000
    longest_ms: int = 15 * 60_000
    forget_ms: int = 30 * 60_000

    def wait_ms(self, failures: int) -> int:
        """How long the next attempt must wait after so many failures."""
        over = failures - self.free
        if over < 0:
            return 0
        return min(self.longest_ms, self.first_ms << min(over, 32))


PER_ACCOUNT = Limit(free=5)
PER_ADDRESS = Limit(free=20)
"""A branch behind one proxy or NAT has one address, and a whole shift signs in at eight."""


class Ledger:
    """Failures by key."""

    def __init__(self, limit: Limit, remembered: int = REMEMBERED) -> None:
        self._limit = limit
        self._remembered = remembered
        self._failed: OrderedDict[str, tuple[int, int]] = OrderedDict()  # failures, last at

    def wait_ms(self, key: str, now_ms: int) -> int:
        """0 when an attempt may be made now."""
        failures, last_ms = self._failed.get(key, (0, now_ms))
        if now_ms - last_ms >= self._limit.forget_ms:
            del self._failed[key]
            return 0
        return max(0, last_ms + self._limit.wait_ms(failures) - now_ms)

    def add(self, key: str, now_ms: int) -> None:
        """One more failure."""
        failures, _ = self._failed.pop(key, (0, now_ms))
        self._failed[key] = (failures + 1, now_ms)
        if len(self._failed) > self._remembered:
            self._failed.popitem(last=False)

    def take_back(self, key: str) -> None:
        """One failure was none."""
        failures, last_ms = self._failed.get(key, (0, 0))
        if failures > 1:
            self._failed[key] = (failures - 1, last_ms)
        else:
            self._failed.pop(key, None)

    def forget(self, key: str) -> None:
        """All of them."""
        self._failed.pop(key, None)


class Throttle:
    """Both limits. ``now_ms`` is a clock that only rises."""

    def __init__(self, account: Limit = PER_ACCOUNT, address: Limit = PER_ADDRESS) -> None:
        self._accounts = Ledger(account)
        self._addresses = Ledger(address)

    def begin(self, account: str, address: str, now_ms: int) -> int:
        """0: the attempt may go on, and counts as failed until ``passed``. Else the wait in ms
        after which to try again.
        """
        wait_ms = max(
            self._accounts.wait_ms(account, now_ms), self._addresses.wait_ms(address, now_ms)
        )
        if wait_ms == 0:
            self._accounts.add(account, now_ms)
            self._addresses.add(address, now_ms)
        return wait_ms

    def passed(self, account: str, address: str) -> None:
        """The secret was right. The address keeps its other failures: somebody who has one account
        must not buy guesses at the others with it.
        """
        self._accounts.forget(account)
        self._addresses.take_back(address)
