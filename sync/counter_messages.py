"""The commands of a counter on the wire, and their answers. Pure."""

from typing import Annotated

import msgspec

from sync.counter_commands import AnyCommand
from sync.events import VERSION

KEY_LENGTH = 64
KEY_EXPECTED = f"1 to {KEY_LENGTH} printable ASCII characters without blanks, new for each intent"

Key = Annotated[
    str,
    msgspec.Meta(
        min_length=1, max_length=KEY_LENGTH, pattern="^[!-~]+$", description=KEY_EXPECTED
    ),
]


class CounterCommand(
    msgspec.Struct, frozen=True, kw_only=True, tag="counter.command", tag_field="type"
):
    """A counter of the branch is told to do something. A repeat of ``key`` is the same command,
    over HTTP too. ``turn`` is the counter's that it is meant for, null any; after ``expires_ms``
    (Unix ms, 0 never) nothing is done.
    """

    v: int = VERSION
    key: Key
    counter: int
    command: AnyCommand
    turn: int | None = None
    expires_ms: int = 0


class CounterResult(
    msgspec.Struct, frozen=True, kw_only=True, tag="counter.result", tag_field="type"
):
    """What became of the command ``key``. ``code`` is stable and "" when it was carried out,
    ``message`` is for people. ``event`` is what it made ("": there was nothing to do), about
    ``ticket`` with ``number``.
    """

    v: int = VERSION
    key: str
    ok: bool
    code: str = ""
    message: str = ""
    counter: int = 0
    command: str = ""
    event: str = ""
    ticket: str = ""
    number: str = ""
