"""The table of cards: a salted token names its visitor's segment. Pure.

A token is what a reader makes of a card (16 bytes, hex); the salt is not here and never on the
wire. Errors: BadMessage, with the key and what was expected.
"""

import re

import msgspec

from sync.errors import BadMessage

MOST_CARDS = 2000
"""With firmware for two chips beside it, so many fit into one message."""
_TOKEN = re.compile(r"[0-9a-f]{32}\Z")
_SEGMENT = re.compile(r"[a-z][a-z0-9_]{0,15}\Z")
_decoder = msgspec.json.Decoder(dict[str, str])


def read_cards(raw: bytes) -> dict[str, str]:
    """Read a table, ``{"<token>": "<segment>"}``. Raises BadMessage."""
    try:
        cards: dict[str, str] = _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise BadMessage(f"not a table of cards: {error}") from error
    check_cards(cards)
    return cards


def check_cards(cards: dict[str, str]) -> None:
    """Raise BadMessage for a table that nobody may use, whole. A wrong token is named by its
    place: it may be a number that somebody typed.
    """
    if len(cards) > MOST_CARDS:
        raise BadMessage(f"{len(cards)} cards; at most {MOST_CARDS} are taken")
    for place, (token, segment) in enumerate(cards.items(), 1):
        if not _TOKEN.match(token):
            raise BadMessage(f"card {place}: not a token; expected 32 hex digits of a reader")
        if not _SEGMENT.match(segment):
            raise BadMessage(
                f"card {place}: segment {segment!r}; expected a-z, 0-9 and _, at most 16"
            )
