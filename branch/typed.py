"""What tellers may write: nothing of a customer. Pure.

A note is chosen from the branch's list and never typed freely: a name cannot be told from a word.
"""

import re
from collections.abc import Iterator, Sequence

import msgspec

from branch.commands import AnyCommand, CloseCounter, OpenCounter, Park, PauseCounter, Transfer
from branch.view import CommandRefused
from sync.personal import TYPED, sent, typed

NOTES = (
    "has the form", "fills in a form", "document missing", "copy missing", "to be authorised",
    "wants advice", "needs an interpreter", "break", "handover", "training",
    "已填单", "正在填单", "缺证件", "缺复印件", "待授权",
    "想咨询", "需要翻译", "休息", "交接班", "培训",
)  # fmt: skip
NOTE_LENGTH = 80
TELLER = re.compile(r"(?:[A-Za-z]{1,3}-?)?[0-9]{1,6}|")
"""A badge's number, as ``t-12``: no name, and no account."""


CODE = re.compile(r"[A-Z]{0,2}[a-z0-9_-]*")
"""A number of a slip, the name of a segment or of a reason. Anything else is nothing of ours, and
not repeated: what was refused is kept, with its reason.
"""
UNKNOWN = {"number": "unknown_ticket", "segment": "unknown_segment", "reason": "bad_reason"}


def refuse_key(key: str) -> None:
    """Raises CommandRefused (personal_data) for a command's key that no program would make."""
    if sent(key.encode("utf-8", "replace")):
        raise CommandRefused("personal_data", "the command's key looks like a person's number")


def refuse_personal(command: AnyCommand, notes: Sequence[str]) -> None:
    """Raises CommandRefused (unknown_note, bad_teller, personal_data); its words repeat nothing of
    what was typed.
    """
    note = _note(command)
    if note and note not in notes:
        raise CommandRefused(
            "unknown_note", f"expected one of the notes of branch.toml: {', '.join(notes)}"
        )
    if isinstance(command, OpenCounter) and not TELLER.fullmatch(command.teller):
        raise CommandRefused(
            "bad_teller", "teller: expected a badge number like t-12, at most 6 digits; no name"
        )
    for name, value in msgspec.structs.asdict(command).items():
        if not isinstance(value, str) or value == note:
            continue
        if typed(value):
            raise CommandRefused("personal_data", f"{name} {TYPED}")
        if not CODE.fullmatch(value):
            raise CommandRefused(UNKNOWN.get(name, "bad_request"), f"{name}: there is no such one")


def _note(command: AnyCommand) -> str:
    if isinstance(command, Transfer | Park):
        return command.note
    return command.reason if isinstance(command, PauseCounter | CloseCounter) else ""


def note_problems(notes: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What is wrong with the list in branch.toml: key and sentence."""
    for index, note in enumerate(notes):
        if not note.strip() or len(note) > NOTE_LENGTH or not note.isprintable():
            yield f"notes[{index}]", f"{note!r}; expected 1 to {NOTE_LENGTH} printable characters"
        elif typed(note):
            yield f"notes[{index}]", TYPED
