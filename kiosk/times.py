"""How long each timer of the flow runs. Pure."""

from kiosk.flow import Timer, Visit
from sync.offer import Content

IDLE_S, IDLE_SIMPLE_S = 45.0, 90.0
"""Without a touch, before the warning; EN 301 549 and the need of the old: never under 60 s."""
TICKET_SIMPLE_S = 60.0
REASON_S = 30.0
"""How long a low rating waits for its reason; nobody may stand there."""
RETRY_S = 5.0
"""How often a kiosk out of service looks whether it can issue again."""


def length_s(timer: Timer, visit: Visit, ticket_screen_s: float, content: Content) -> float:
    """The length of ``timer`` for this visit; ``ticket_screen_s`` and those of ``content`` are the
    configured ones.
    """
    slow = visit.unhurried
    return {
        Timer.IDLE: IDLE_SIMPLE_S if slow else IDLE_S,
        Timer.SECOND: 1.0,
        Timer.TICKET: max(ticket_screen_s, TICKET_SIMPLE_S) if slow else ticket_screen_s,
        Timer.RETRY: RETRY_S,
        Timer.REASON: REASON_S,
        Timer.QUIET: content.quiet_s,
        Timer.SLIDE: content.slide_s,
    }[timer]
