"""The key of a public page, and the pattern that finds its id again."""

import pytest
from hypothesis import given, strategies as st

from sync.identity import page_ids, page_key, uuid7


@given(st.integers(0, (1 << 48) - 1), st.integers(0, (1 << 74) - 1))
def test_the_pattern_of_a_key_is_the_end_of_its_id(ts_ms, random_bits):
    own = uuid7(ts_ms, random_bits)
    pattern = page_ids(page_key(own).upper())
    assert pattern is not None
    assert pattern[0] == "%"
    assert own.endswith(pattern[1:])


@pytest.mark.parametrize(
    "key", ["", "0" * 15, "0" * 17, "0" * 15 + "%", "0" * 15 + "_", "0" * 15 + "-", "零" * 16]
)
def test_no_id_has_a_key_of_another_shape(key):
    assert page_ids(key) is None
