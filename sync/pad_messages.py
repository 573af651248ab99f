"""Messages about a teller's own pad: its keys, their answers, what its digits show. Pure."""

from typing import Literal

import msgspec

from sync.events import VERSION

KEY_LIFE_MS = 4_500
"""A teller's key that is older is not carried out: its "next" would call somebody to a teller who
has gone on. The pad itself gives up after 5 s.
"""


TellerAction = Literal["next", "recall", "no_show", "finish", "pause"]


class ShowPad(msgspec.Struct, frozen=True, kw_only=True, tag="pad.show", tag_field="type"):
    """What the teller's digits show: the number being served ("" for nobody), how many wait for
    the counter (None: not known), the teller's stars (0: none), whether the counter is paused.
    """

    v: int = VERSION
    key: str
    counter: int
    number: str
    waiting: int | None = None
    stars: int = 0
    paused: bool = False


class TellerKey(msgspec.Struct, frozen=True, kw_only=True, tag="teller.key", tag_field="type"):
    """A teller pressed a key, ``age_ms`` before this was sent, which was at ``mono_ms`` of the
    node's boot ``boot``. ``key`` names the press for ever: a repeat of it is the same press.
    """

    v: int = VERSION
    key: str
    counter: int
    action: TellerAction
    age_ms: int
    boot: str = ""
    mono_ms: int = 0


class TellerAnswer(
    msgspec.Struct, frozen=True, kw_only=True, tag="teller.answer", tag_field="type"
):
    """What became of the press ``key``. ``reason`` says why nothing did: expired, not_here (the
    counter has no such pad at this node), not_stored, too_soon, paused, or as a teller's page is
    refused: nobody_waiting, no_ticket, already_serving, busy.
    """

    v: int = VERSION
    key: str
    ok: bool
    reason: str = ""
