"""Who may do what in the demo's branch: secrets made for one run, in the demo's own folder."""

import time
from dataclasses import dataclass
from pathlib import Path

from branch.access.accounts import Accounts
from branch.access.config import AccessConfig
from branch.access.passwords import Passwords, new_password
from branch.access.roles import Role

GUEST = "guest"


@dataclass(frozen=True, slots=True)
class DemoAccounts:
    """``token`` lets the simulated tellers act; with ``password`` the viewer signs in as GUEST."""

    token: str
    password: str


def make_accounts(folder: Path) -> DemoAccounts:
    """In ``folder``, where branch.toml will be. Raises AccessUnusable."""
    now_ms = time.time_ns() // 1_000_000
    passwords, password = Passwords(), new_password()
    accounts = Accounts(folder / AccessConfig().accounts)
    try:
        accounts.add(GUEST, Role.ADMIN, passwords.hash(password), now_ms)
        accounts.add("tellers", Role.TELLER, passwords.hash(new_password()), now_ms)
        return DemoAccounts(accounts.add_program("tellers", now_ms), password)
    finally:
        accounts.close()
