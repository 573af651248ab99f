"""What looks like a person's data, and what only looks a little like it."""

import random

import pytest
from hypothesis import given, strategies as st

from sync.configuration import DesiredConfig
from sync.contract_examples import EVENTS, SESSION
from sync.identity import chain, uuid7
from sync.messages import encode
from sync.personal import sent, typed


@pytest.mark.parametrize(
    "text",
    [
        "13800138000",
        "tel 138 0013 8000",
        "138-0013-8000",
        "１３８００１３８０００",
        "一三八零零一三八零零零",
        "1.3.8.0.0.1.3",
        "11010519491231002X",
        "6222 0212 3456 7890 123",
        "010-62345678",
        "٠١٢٣٤٥٦٧",
    ],
)
def test_long_numbers_are_found_however_they_are_typed(text: str):
    assert typed(text)


@pytest.mark.parametrize(
    "text", ["", "A042", "has the form", "缺证件", "3 号窗口", "100000", "t-12"]
)
def test_short_numbers_and_words_are_not(text: str):
    assert not typed(text)


@given(st.integers(10**6, 10**19), st.sampled_from(["", " ", "-", ".", "\u200b", " - "]))
def test_any_run_of_seven_digits_is_found(number: int, between: str):
    assert typed(f"x {between.join(str(number))} y")


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":"13800138000"}',
        b'{"a":13800138000}',
        b"138 0013 8000",
        b"138-00138000",
        b"1380013-8000",
        b"+8613800138000",
        b"86138 0013 8000",
        b"11010519491231002X",
        b"6222021234567890123",
        b"6222 0212 3456 7890",
        '{"a":"欧阳"}'.encode(),
        b'{"a":"\\u6b27\\u9633"}',
        "欧阳".encode("gb18030"),
    ],
)
def test_the_forms_are_found_in_messages(raw: bytes):
    assert sent(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"ts":1795392000000,"clk":{"mono_ms":13800138000}}',
        b'{"prev":"6222021234567890"}',
        b'{"id":"\\u0000"}',
        b'{"id":"019ab0a4-1380-7138-8000-138001380001"}',
        b"",
    ],
)
def test_times_digests_and_ids_are_not(raw: bytes):
    assert not sent(raw)


def test_no_message_of_ours_looks_like_one():
    """But for the branch's configuration, which has the words of the screens."""
    messages = [one for one in (*EVENTS, *SESSION) if not isinstance(one, DesiredConfig)]
    assert not any(sent(encode(message)) for message in messages)


def test_ids_and_digests_do_not_look_like_one(seed: int):
    chance = random.Random(seed)
    for _ in range(20_000):
        text = uuid7(chance.randrange(2**41), chance.getrandbits(74))
        assert not sent(f'{{"id":"{text}","prev":"{chain(text.encode())}"}}'.encode())
