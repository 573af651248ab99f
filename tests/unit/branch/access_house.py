"""A branch with an account of each role, over its real application; a wall clock to turn."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher
from litestar import Litestar

from branch.access.accounts import Account, Accounts
from branch.access.config import AccessConfig
from branch.access.passwords import Passwords, csrf_of
from branch.access.roles import Role
from branch.view import Branch
from branch.web.app import create_app
from branch.web.sign_in import CSRF_HEADER, SignIn
from sync.clock import Clock
from tests.ui.web_branch import ToyBranch
from tests.unit.branch.bench import BranchBench

SECRET = "k7mw-3npq-x2ht"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""Not for a bank: a test signs in hundreds of times."""


@dataclass
class Hands:
    """A clock that stands until it is turned."""

    now_ms: int = 1_700_000_000_000

    def clock(self) -> Clock:
        return Clock(wall_ms=lambda: self.now_ms, mono_ms=lambda: self.now_ms, boot="boot")

    def turn(self, seconds: float) -> None:
        self.now_ms += round(seconds * 1000)


@dataclass
class House:
    """``app`` is served anew after ``restart``: same file, nothing kept in memory."""

    accounts: Accounts
    branch: Branch
    config: AccessConfig
    hands: Hands = field(default_factory=Hands)
    passwords: Passwords = field(default_factory=lambda: Passwords(CHEAP))
    people: dict[Role, Account] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for role in Role:
            hashed = self.passwords.hash(SECRET)
            self.people[role] = self.accounts.add(f"{role}-1", role, hashed, self.hands.now_ms)
        self.start()

    def start(self) -> None:
        self.sign_in = SignIn(
            self.accounts, self.config, self.hands.clock(), passwords=self.passwords
        )
        self.app: Litestar = create_app(
            self.branch, version="1", sign_in=self.sign_in, **self.settings
        )

    def restart(self) -> None:
        path = self.accounts.path
        self.accounts.close()
        self.accounts = Accounts(path)
        self.start()

    def program(self, role: Role) -> dict[str, str]:
        """The headers of a program with the role."""
        token = self.accounts.add_program(f"{role}-1", self.hands.now_ms)
        return {"Authorization": f"Bearer {token}"}

    def browser(self, role: Role, csrf: str | None = "") -> dict[str, str]:
        """The headers of a signed-in browser; ``csrf`` None leaves the page's token out."""
        token = self.accounts.begin_session(
            self.people[role].id, self.sign_in.life, self.hands.now_ms
        )
        headers = {"Cookie": f"{self.sign_in.session_cookie}={token}"}
        return headers if csrf is None else {**headers, CSRF_HEADER: csrf or csrf_of(token)}


def parts(bench: BranchBench) -> dict[str, Any]:
    """Everything that `lobby branch` serves besides."""
    branch = bench.branch
    return {
        "hall": branch.hall, "figures": branch.day_book, "tickets": branch.tickets,
        "complaints": branch.hall.complaint_pages,
    }  # fmt: skip


@contextmanager
def house(
    folder: Path, config: AccessConfig | None = None, branch: Branch | None = None, **settings: Any
) -> Iterator[House]:
    """The house, closed at the end."""
    there = House(
        Accounts(folder / "access.db"),
        branch or ToyBranch(),
        config or AccessConfig(),
        settings=settings,
    )
    try:
        yield there
    finally:
        there.accounts.close()
