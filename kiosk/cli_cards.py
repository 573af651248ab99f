"""``lobby cards add``: one card at the reader becomes a line of the branch's table. What was read
is a token by then; no number is shown, kept or logged.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from hal.api import CardReader
from hal.errors import HalError
from kiosk.cli import build_card_reader
from kiosk.config import read
from kiosk.desired import write_durably
from kiosk.errors import KioskError
from sync.cards import check_cards, read_cards
from sync.errors import BadMessage
from sync.settings import SettingsError

WAIT_S = 60.0


async def next_token(reader: CardReader, wait_s: float = WAIT_S) -> str:
    """The token of the next card. Raises KioskError, HalError."""
    await reader.open()
    try:
        async with asyncio.timeout(wait_s):
            read = await reader.next_read()
    except TimeoutError:
        raise KioskError(f"no card was read within {wait_s:g} s") from None
    finally:
        await reader.close()
    if read.code:
        raise KioskError("this is a code of the branch, not a card")
    return read.token


def add(table: Path, token: str, segment: str) -> str:
    """Put a token into ``table``; returns what to say. Raises KioskError, OSError; the table is
    unchanged then.
    """
    try:
        cards = read_cards(table.read_bytes()) if table.exists() else {}
        before = cards.get(token)
        cards[token] = segment
        check_cards(cards)
    except BadMessage as error:
        raise KioskError(f"{table}: {error}") from error
    write_durably(table, (json.dumps(cards, indent=1) + "\n").encode())
    return f"{table}: {len(cards)} cards; this one was {before or 'not there'}, is {segment} now"


app = typer.Typer(
    name="cards",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def cards() -> None:
    """Whose card names a segment, such as vip: the table that the branch tells its kiosks."""


@app.command("add")
def add_card(
    config: Annotated[
        Path, typer.Option("--config", "-c", metavar="FILE", help="The kiosk's kiosk.toml.")
    ],
    segment: Annotated[str, typer.Option(metavar="NAME", help="As in branch.toml, like vip.")],
    table: Annotated[
        Path, typer.Option(metavar="FILE", help="The table; made if it is not there.")
    ] = Path("cards.json"),
) -> None:
    """Read one card at a kiosk's reader and put its token into the table. No number is kept.

    \b
    Example:
      lobby cards add --segment vip --table cards.json -c /etc/lobby/kiosk.toml
    """
    raise typer.Exit(main(config, table, segment))


def main(config_path: Path, table: Path, segment: str) -> int:
    """Run; returns the exit status: 0, or 2 with one sentence on standard error."""
    try:
        reader = build_card_reader(read(config_path))
        if reader is None:
            raise KioskError(f"{config_path}: card_reader: none; the card is read there")
        print("hold or swipe the card", file=sys.stderr, flush=True)
        print(add(table, asyncio.run(next_token(reader)), segment))
    except (SettingsError, HalError, KioskError, OSError) as error:
        print(f"lobby cards: {error}", file=sys.stderr, flush=True)
        return 2
    return 0
