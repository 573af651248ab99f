"""Secrets: made here, hashed here, never kept in clear.

Passwords are generated (twelve letters and digits without those that look alike: 59 bits) and
hashed with argon2id at RFC 9106's second recommended setting. Tokens have 256 random bits:
SHA-256 is enough for them, nobody guesses one.
"""

import hashlib
import hmac
import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
GROUPS, GROUP = 3, 4
LONGEST = 256
"""Characters of a password that are looked at; a longer one is wrong."""


def new_password() -> str:
    """Like ``k7mw-3npq-x2ht``."""
    return "-".join("".join(secrets.choice(LETTERS) for _ in range(GROUP)) for _ in range(GROUPS))


def new_token() -> str:
    """What a browser or a program shows instead of a password."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> bytes:
    """What is kept of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def csrf_of(token: str) -> str:
    """The page's token of a cookie: only who can read our page, or the cookie, knows it. It needs
    no place in the database.
    """
    return hmac.new(token.encode("utf-8", "surrogatepass"), b"csrf", hashlib.sha256).hexdigest()


def same(one: str, other: str) -> bool:
    """Equal, in a time that does not depend on where they differ."""
    return hmac.compare_digest(one.encode("utf-8"), other.encode("utf-8", "surrogatepass"))


class Passwords:
    """Hashes and verifies. A verification takes some 50 ms of a core: call it in a thread."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
        self._nobody = self.hash(new_password())

    def hash(self, password: str) -> str:
        """For the database."""
        return self._hasher.hash(_typed(password))

    def verify(self, known: str | None, password: str) -> bool:
        """``known`` is the account's hash, None for no such account: that takes as long as a wrong
        password, so a clock does not tell who has an account.
        """
        try:
            self._hasher.verify(known or self._nobody, _typed(password[:LONGEST]))
        except (VerificationError, InvalidHashError):
            return False
        return known is not None and len(password) <= LONGEST

    def outdated(self, known: str) -> bool:
        """Whether ``known`` was made with weaker settings than today's."""
        return self._hasher.check_needs_rehash(known)


def _typed(password: str) -> bytes:
    """Without the hyphens, blanks and capitals with which people copy it."""
    return "".join(password.split()).replace("-", "").lower().encode("utf-8", "surrogatepass")
