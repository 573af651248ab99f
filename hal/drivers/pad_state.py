"""Where the session with a pad stands. Pure.

The session, changed only by ``SerialPad._become``::

    state    | means                                   | leaves for
    CLOSED   | not opened, or closed                   | CALLING by open()
    DOWN     | the link broke, is being opened again   | CALLING when it opens
    CALLING  | the link is open, nobody is trusted yet | READY when greeted, REFUSED
    READY    | greeted: commands are answered          | SILENT after SILENT_AFTER_S, CALLING by an
             |                                         | unkeyed frame of another boot
    SILENT   | greeted once, nothing heard since       | READY by any frame of its session
    REFUSED  | a pad is there and is not taken         | READY when greeted

Health: CLOSED and CALLING unknown (CALLING for SILENT_AFTER_S: lost "silent"), DOWN lost "link",
SILENT lost "silent", REFUSED a fault named in pad_talk.REASONS, READY ok, or a warning about its
firmware, or fault "stuck_key".

Any state but CLOSED leaves for DOWN when the link breaks, and for CLOSED by close().
"""

from enum import Enum, auto

from hal.api import HealthState


class PadState(Enum):
    """Where the session with a pad stands; the table is in the module's docstring."""

    CLOSED = auto()
    DOWN = auto()
    CALLING = auto()
    READY = auto()
    SILENT = auto()
    REFUSED = auto()


HEALTH = {
    PadState.CLOSED: (HealthState.UNKNOWN, ""),
    PadState.DOWN: (HealthState.LOST, "link"),
    PadState.CALLING: (HealthState.UNKNOWN, ""),
    PadState.READY: (HealthState.OK, ""),
    PadState.SILENT: (HealthState.LOST, "silent"),
    PadState.REFUSED: (HealthState.FAULT, ""),
}
"""What the health row says in each state."""
