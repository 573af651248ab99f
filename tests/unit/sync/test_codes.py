"""Codes and what stands for them on the wire."""

import pytest
from hypothesis import given, strategies as st

from sync import personal
from sync.codes import is_code, slip_code, ticket_code, token_of
from sync.messages import AskCode, encode

CODES = st.integers(0, 999_999).map("{:06}".format)


@given(CODES, CODES)
def test_a_token_is_letters_only_and_each_code_has_its_own(one: str, other: str) -> None:
    token = token_of(one)
    assert len(token) == 16
    assert set(token) <= set("abcdefghijklmnop")
    assert (token == token_of(other)) == (one == other)
    assert not personal.sent(encode(AskCode(key="k", code=token)))


@pytest.mark.parametrize(
    ("text", "fits"),
    [("482915", True), ("000000", True), ("48291", False), ("4829150", False), ("48291a", False),
     ("４８２９１５", False), ("", False)],
)  # fmt: skip
def test_a_code_has_six_plain_digits(text: str, fits: bool) -> None:
    assert is_code(text) is fits


@given(st.uuids())
def test_a_slip_s_code_follows_from_what_is_printed_on_it(ticket: object) -> None:
    ticket_id = str(ticket)
    code = ticket_code(ticket_id)
    tail = ticket_id.replace("-", "")[-8:]
    assert code == slip_code(f"{tail[:4]}-{tail[4:]}")
    assert is_code(code)
    assert code[0] == "8"
