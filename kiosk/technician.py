"""Who may open the technician's menu, and where in it a touch leads. Pure.

    stage   touched            next    action
    CODE    a digit, delete    CODE    -
    CODE    enter              CODE    CHECK; MENU if the code is right
    MENU    look again, slip   MENU    LOOK, SLIP
    MENU    touch grid         GRID    -
    MENU    restart            MENU    RESTART
    GRID    a cell             GRID    it counts as touched
    GRID    back               MENU    -
    any     leave              none    the first screen

After WRONG_FREE wrong codes the pad is closed for PAUSE_S, then for twice as long each time.
"""

import hashlib
import hmac
from base64 import b64decode, b64encode
from dataclasses import dataclass, replace
from enum import StrEnum

from kiosk.view import CONTROL_TECHNICIAN

OPEN = CONTROL_TECHNICIAN
PREFIX = f"{OPEN}."
KEY, DELETE, ENTER = f"{PREFIX}key.", f"{PREFIX}key.delete", f"{PREFIX}key.enter"
LEAVE, AGAIN, SLIP = f"{PREFIX}leave", f"{PREFIX}again", f"{PREFIX}slip"
GRID, BACK, RESTART, CELL = (
    f"{PREFIX}grid",
    f"{PREFIX}back",
    f"{PREFIX}restart",
    f"{PREFIX}cell.",
)
CODE_DIGITS = 8
MOST_DIGITS = 12
WRONG_FREE = 3
PAUSE_S, LONGEST_PAUSE_S = 30.0, 900.0
SCRYPT = {"n": 2**14, "r": 8, "p": 1}
"""16 MB and some 50 ms a try: eight digits by hand are out of reach, a stolen file costs weeks."""


class Stage(StrEnum):
    """Which of the menu's screens is up."""

    CODE = "code"
    MENU = "menu"
    GRID = "grid"


class Action(StrEnum):
    """What the shell is asked to do."""

    CHECK = "check"
    LOOK = "look"
    SLIP = "slip"
    RESTART = "restart"


@dataclass(frozen=True, slots=True)
class Session:
    """A technician at the screen; ``digits`` are what was typed so far."""

    stage: Stage = Stage.CODE
    digits: str = ""
    touched: frozenset[str] = frozenset()


def step(session: Session, control: str) -> tuple[Session | None, Action | None]:
    """The session after a touch, None when it is left. A touch that leads nowhere is no step."""
    if control == LEAVE:
        return None, None
    match session.stage:
        case Stage.CODE:
            if control == ENTER and session.digits:
                return session, Action.CHECK
            if control == DELETE:
                return replace(session, digits=session.digits[:-1]), None
            digit = control.removeprefix(KEY)
            if len(digit) == 1 and digit.isdecimal() and len(session.digits) < MOST_DIGITS:
                return replace(session, digits=session.digits + digit), None
        case Stage.MENU:
            if control == GRID:
                return replace(session, stage=Stage.GRID, touched=frozenset()), None
            action = {AGAIN: Action.LOOK, SLIP: Action.SLIP, RESTART: Action.RESTART}.get(control)
            return session, action
        case Stage.GRID:
            if control == BACK:
                return replace(session, stage=Stage.MENU), None
            if control.startswith(CELL):
                cell = control.removeprefix(CELL)
                return replace(session, touched=session.touched | {cell}), None
    return session, None


class Throttle:
    """Slows down whoever guesses. Times are seconds of any monotonic clock."""

    def __init__(self) -> None:
        self._wrong = 0
        self._closed_until_s = 0.0

    @property
    def wrong(self) -> int:
        """Wrong codes since the last right one."""
        return self._wrong

    def left_s(self, now_s: float) -> float:
        """How long no code is taken any more."""
        return max(0.0, self._closed_until_s - now_s)

    def note(self, right: bool, now_s: float) -> None:
        """A code was right, which forgives all, or wrong."""
        if right:
            self._wrong, self._closed_until_s = 0, 0.0
            return
        self._wrong += 1
        if self._wrong >= WRONG_FREE:
            pause_s = PAUSE_S * 2.0 ** min(self._wrong - WRONG_FREE, 10)
            self._closed_until_s = now_s + min(pause_s, LONGEST_PAUSE_S)


def hash_code(code: str, salt: bytes) -> str:
    """What kiosk.toml keeps of a code: ``scrypt:<salt>:<hash>``, both base64."""
    digest = hashlib.scrypt(code.encode(), salt=salt, dklen=32, **SCRYPT)
    return f"scrypt:{b64encode(salt).decode()}:{b64encode(digest).decode()}"


def is_hash(text: str) -> bool:
    """Whether it can be what :func:`hash_code` gives."""
    try:
        name, salt, digest = text.split(":")
        sizes = len(b64decode(salt, validate=True)), len(b64decode(digest, validate=True))
    except ValueError:
        return False
    return name == "scrypt" and sizes == (16, 32)


def is_right(code: str, stored: str) -> bool:
    """Whether ``code`` is the one of which ``stored`` is the hash."""
    salt = b64decode(stored.split(":")[1])
    return hmac.compare_digest(hash_code(code, salt), stored)
