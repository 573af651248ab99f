"""``lobby branch account``: add, list, remove, reset, token. A secret is shown once, on standard
output; everything else is said on standard error.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

from branch.access.accounts import Accounts
from branch.access.passwords import Passwords, new_password
from branch.access.roles import Role
from branch.config import read
from branch.errors import BranchError
from sync.settings import SettingsError


def add(config: Path, name: str, role: str) -> int:
    """A new account and its password."""
    if role not in list(Role):
        _say(f"lobby branch account: role {role!r}; expected one of {', '.join(Role)}")
        return 2

    def work(accounts: Accounts) -> None:
        password = new_password()
        account = accounts.add(name, Role(role), Passwords().hash(password), _now_ms())
        _say(
            f"{account.role} {account.name}, {account.id} in the ledger; the password, shown once:"
        )
        print(password)

    return _with_accounts(config, work)


def token(config: Path, name: str) -> int:
    """A token for a program that acts with the account's role."""

    def work(accounts: Accounts) -> None:
        made = accounts.add_program(name, _now_ms())
        _say("the header is `Authorization: Bearer TOKEN`; the token, shown once:")
        print(made)

    return _with_accounts(config, work)


def reset(config: Path, name: str) -> int:
    """A new password; sessions and tokens of the account end."""

    def work(accounts: Accounts) -> None:
        password = new_password()
        accounts.reset(name, Passwords().hash(password))
        _say(f"{name} is signed out everywhere; the new password, shown once:")
        print(password)

    return _with_accounts(config, work)


def remove(config: Path, name: str) -> int:
    """The account, its sessions and its tokens go."""

    def work(accounts: Accounts) -> None:
        accounts.remove(name)
        _say(f"{name} is removed")

    return _with_accounts(config, work)


def listing(config: Path) -> int:
    """One line an account: name, role, pseudonym."""

    def work(accounts: Accounts) -> None:
        for account in accounts.all():
            print(f"{account.name:32} {account.role:10} {account.id}")

    return _with_accounts(config, work)


def _with_accounts(config: Path, work: Callable[[Accounts], None]) -> int:
    try:
        accounts = Accounts(Path(read(config).access.accounts))
        try:
            work(accounts)
        finally:
            accounts.close()
    except (SettingsError, BranchError) as error:
        print(f"lobby branch account: {error}", file=sys.stderr, flush=True)
        return 2
    return 0


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
