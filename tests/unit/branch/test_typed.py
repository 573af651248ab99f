"""What tellers may write: a note of the list, a badge's number, nothing of a customer."""

import pytest

from branch.commands import (
    AnyCommand,
    CallTicket,
    CloseCounter,
    OpenCounter,
    Park,
    PauseCounter,
    TagTicket,
    Transfer,
    Unpark,
)
from branch.typed import NOTES, note_problems, refuse_key, refuse_personal
from branch.view import CommandRefused

PHONE = "13800138000"


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (Transfer(service="B", note="欧阳璟骁"), "unknown_note"),
        (Park(note=f"call {PHONE}"), "unknown_note"),
        (PauseCounter(reason="with Mr Ouyang"), "unknown_note"),
        (CloseCounter(reason=PHONE), "unknown_note"),
        (OpenCounter(teller="欧阳"), "bad_teller"),
        (OpenCounter(teller="zhao qian"), "bad_teller"),
        (OpenCounter(teller="12345678"), "bad_teller"),
        (CallTicket(number="A001", reason="1380013 8000"), "personal_data"),
        (TagTicket(number="A001", segment="13800138000"), "personal_data"),
        (Unpark(number="１２３４５６７"), "personal_data"),
        (Unpark(number="欧阳璟骁"), "unknown_ticket"),
        (TagTicket(number="A001", segment="zhao qian"), "unknown_segment"),
        (CallTicket(number="A001", reason="欧阳"), "bad_reason"),
    ],
)
def test_it_is_refused_and_not_repeated(command: AnyCommand, code: str):
    with pytest.raises(CommandRefused) as caught:
        refuse_personal(command, NOTES)
    assert caught.value.code == code
    for told in ("138", "欧阳", "Ouyang", "zhao", "1234567"):
        assert told not in str(caught.value)


@pytest.mark.parametrize(
    "command",
    [
        Transfer(service="B", note="缺证件"),
        Transfer(service="B"),
        Park(minutes=5, note="fills in a form"),
        PauseCounter(reason="break"),
        OpenCounter(teller="t-12"),
        Unpark(number="AW001"),
        OpenCounter(),
        CallTicket(number="A001", reason="frail"),
    ],
)
def test_what_tellers_need_is_taken(command: AnyCommand):
    refuse_personal(command, NOTES)


def test_a_key_is_no_number_of_a_person():
    refuse_key("019ab0a4-7c11-7138-8000-138001380001")
    with pytest.raises(CommandRefused) as caught:
        refuse_key(f"k {PHONE}")
    assert caught.value.code == "personal_data"
    assert PHONE not in str(caught.value)


def test_a_list_of_notes_is_checked():
    assert list(note_problems(NOTES)) == []
    keys = [key for key, _ in note_problems(["ok", "", "x" * 81, "\x07", f"call {PHONE}"])]
    assert keys == ["notes[1]", "notes[2]", "notes[3]", "notes[4]"]
