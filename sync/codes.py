"""Codes that a visitor types or shows at a kiosk, and what the branch says of one. Pure.

Six digits, by the first one: 0 to 7 an appointment's, 8 a slip's, 9 a return from the
self-service machine, which only its own kiosk knows. On the wire a code is a token: it proves that
somebody has the code, and says nothing of who.
"""

import hashlib
from typing import Literal

import msgspec

from sync.envelope import VERSION

CODE_DIGITS = 6
SLIP_FIRST, RETURN_FIRST = "8", "9"
_LETTERS = str.maketrans("0123456789abcdef", "abcdefghijklmnop")
_DOMAIN = b"lobby code 1\0"


def is_code(text: str) -> bool:
    """Whether ``text`` has the form of a code."""
    return len(text) == CODE_DIGITS and text.isascii() and text.isdigit()


def token_of(code: str) -> str:
    """What stands for a code on the wire and in the ledger: 16 letters, so that no run of digits
    looks like somebody's number.
    """
    digest = hashlib.sha256(_DOMAIN + code.encode()).hexdigest()[:16]
    return digest.translate(_LETTERS)


def slip_code(reference: str) -> str:
    """The code of a slip from its printed reference, ``7f3a-9c21``."""
    digest = hashlib.sha256(_DOMAIN + reference.replace("-", "").encode()).hexdigest()
    number = int(digest, 16) % 10 ** (CODE_DIGITS - 1)
    return f"{SLIP_FIRST}{number:0{CODE_DIGITS - 1}}"


def ticket_code(ticket_id: str) -> str:
    """The code of the slip of a ticket, from the ticket's id."""
    return slip_code(ticket_id.replace("-", "")[-8:])


class AskCode(msgspec.Struct, frozen=True, kw_only=True, tag="code.ask", tag_field="type"):
    """A visitor has shown the code behind ``code`` (its token). ``action`` look: what is it;
    later: set the ticket aside for ``for_ms``, then back in its old place, once for a ``key``.
    """

    v: int = VERSION
    key: str
    code: str
    action: Literal["look", "later"] = "look"
    for_ms: int = 0


class CodeAnswer(msgspec.Struct, frozen=True, kw_only=True, tag="code.answer", tag_field="type"):
    """``state`` of an appointment: on_time, early, late, other_day, used (``ticket`` and
    ``number`` are the first one's); of a ticket: waiting, breached (longer than the branch
    promises, ``limit_ms``), parked, called (to ``counter``), over; or unknown, refused.

    An appointment has ``service``, ``at_ms`` (Unix ms) and the ``counter`` that expects it for
    ``hold_ms``, 0: any. A ticket has ``waited_ms`` and what was forecast at its issue, in minutes
    (None: nothing was).
    """

    v: int = VERSION
    key: str
    state: str
    service: str = ""
    at_ms: int = 0
    counter: int = 0
    hold_ms: int = 0
    ticket: str = ""
    number: str = ""
    waited_ms: int = 0
    limit_ms: int = 0
    low_min: int | None = None
    high_min: int | None = None
