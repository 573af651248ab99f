"""What stands in the teller's dialogs from the start and does not change while they are open.
Pure.
"""

from branch.desk_view import DeskView
from branch.web.actions import KEYS, PRIMARY_KEY
from branch.web.desk_page import note_words
from branch.web.teller_words import NOT_OF_CUSTOMERS, REASONS
from branch.web.words import WORDS, Words

PARK_MINUTES = (0, 5, 10, 15, 30, 60)
POSTPONE_MINUTES = (10, 5, 15, 20, 30, 60, 0)
"""In minutes, the usual one first; 0: until the ticket is taken back."""

_DONE = ("transfer", "park", "unpark", "rejoin", "postpone", "tag")
_WINDOW = ("open", "pause", "close")
_NOT_LISTED = ("start", "finish", "keys")


def dialog_choices(desk: DeskView, words: Words) -> dict[str, object]:
    """The parts of the page's context that the dialogs need."""
    chinese = words.lang == "zh"
    return {
        "services": [
            {"letter": s.letter, "name": s.zh if chinese else s.en, "here": s.here}
            for s in desk.services
        ],
        "reasons": [(code, words(f"reason.{code}")) for code in REASONS],
        "segments": [(name, words.texts.get(f"segment.{name}", name)) for name in desk.segments],
        "notes": _notes(desk, words),
        "park_minutes": [(m, _minutes(m, words)) for m in PARK_MINUTES],
        "postpone_minutes": [(m, _minutes(m, words)) for m in POSTPONE_MINUTES],
        "done": {name: words.texts[f"done.{name}"] for name in _DONE},
        "key_table": key_table(words),
    }


def key_table(words: Words) -> list[tuple[str, str]]:
    """Every key and what it does, as the page lists them."""
    table = [(PRIMARY_KEY, words("keys.enter"))]
    for name, key in KEYS.items():
        if name not in _NOT_LISTED:
            table.append((key, words(f"window.{name}" if name in _WINDOW else f"do.{name}")))
    return [
        *table,
        ("Tab", words("keys.tab")),
        (words("keys.letter.key"), words("keys.letter")),
        ("Esc", words("keys.escape")),
        ("?", words("keys.help")),
    ]


def _notes(desk: DeskView, words: Words) -> list[tuple[str, str]]:
    """The branch's notes in the reader's language, each once."""
    found: dict[str, str] = {}
    for note in desk.notes:
        if note_words(note, WORDS["en"]) not in NOT_OF_CUSTOMERS:
            found.setdefault(note_words(note, words), note)
    return [(note, label) for label, note in found.items()]


def _minutes(minutes: int, words: Words) -> str:
    return words("ask.minutes.n", m=minutes) if minutes else words("ask.minutes.open")
