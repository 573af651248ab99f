"""Whatever is wrong with a configuration file: one sentence, with the file and the key."""

from pathlib import Path
from typing import Literal

import msgspec
import pytest
from hypothesis import given, strategies as st

from sync.settings import SettingsError, _explain, load


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    size: int
    colour: Literal["red", "green"] = "red"
    names: list[str] = []


class Whole(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    title: str
    some_parts: list[Part] = []
    weights: dict[str, float] = {}
    by_name: dict[str, Part] = {}
    spare: Part | None = None
    extra: list[Part] | None = None
    quick: bool = False


def test_a_good_file(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text('title = "字"\nsome-parts = [{size = 1}]\n[weights]\nvip = 2', "utf-8")
    assert load(path, Whole) == Whole(title="字", some_parts=[Part(1)], weights={"vip": 2.0})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "title: missing; it has no default, add it"),
        ("title = 3", "title: expected text in quotes, got a whole number"),
        ('quick = 1\ntitle = ""', "quick: expected true or false, got a whole number"),
        ('titel = ""', "titel: unknown key; did you mean 'title'?"),
        ('zzz = ""', "zzz: unknown key; known here: by-name, extra, quick, some-parts, spare,"),
        ('title = ""\nsome_parts = []', "some_parts: unknown key; did you mean 'some-parts'?"),
        ('title = ""\nsome-parts = 3', "some-parts: expected a list [...], got a whole number"),
        ('title = ""\nsome-parts = [{size = 1}, 3]', "some-parts[1]: expected a table, got a w"),
        ('title = ""\nsome-parts = [{size = 1}, {}]', "some-parts[1].size: missing"),
        ('title = ""\n[[some-parts]]\nsize = ""', "some-parts[0].size: expected a whole number"),
        ('title = ""\n[[some-parts]]\nsize = 1\ncolor = ""', "some-parts[0].color: unknown key; "
         "did you mean 'colour'?"),
        ('title = ""\n[[some-parts]]\nsize = 1\ncolour = "blue"', "some-parts[0].colour: 'blue'; "
         "expected one of 'red', 'green'"),
        ('title = ""\n[[some-parts]]\nsize = 1\nnames = ["a", "b", 3]', "some-parts[0].names[2]: "
         "expected text in quotes, got a whole number"),
        ('title = ""\n[weights]\na = 1\nb = "x"', "weights.b: expected a number, got text in q"),
        ('title = ""\n[by-name.left]\nsize = 1\n[by-name.right]\nsize = ""', "by-name.right.size:"
         " expected a whole number, got text in quotes"),
        ('title = ""\nspare = 3', "spare: expected a table, got a whole number"),
        ('title = ""\n[spare]\nsise = 3', "spare.sise: unknown key; did you mean 'size'?"),
        ('title = ""\n[[extra]]\nsize = 1\n[[extra]]\nsize = ""', "extra[1].size: expected a"),
        ("title = ", "not TOML: Invalid value (at end of document)"),
        ("title = ''\ntitle = 1\n", "not TOML: Cannot overwrite a value (at line 2, column 10)"),
    ],
)  # fmt: skip
def test_one_sentence_with_file_and_key(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "x.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(SettingsError) as error:
        load(path, Whole)
    assert str(error.value).startswith(f"{path}: {says}")
    assert "\n" not in str(error.value)
    assert "`" not in str(error.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    missing = tmp_path / "none.toml"
    with pytest.raises(SettingsError, match=rf"^{missing}: there is no such file; copy the samp"):
        load(missing, Whole)
    with pytest.raises(SettingsError, match=rf"^{tmp_path}: cannot be read: Is a directory"):
        load(tmp_path, Whole)
    latin = tmp_path / "latin.toml"
    latin.write_bytes('title = "Café"'.encode("latin-1"))
    with pytest.raises(SettingsError, match="byte 12 is not UTF-8; save the file as UTF-8"):
        load(latin, Whole)


values = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=3) | st.floats(allow_nan=False),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["size", "names", "colour", "odd"]), inner, max_size=3)
    ),
    max_leaves=6,
)
KEYS = ["title", "some-parts", "weights", "by-name", "spare", "extra", "quick", "odd"]


@given(st.dictionaries(st.sampled_from(KEYS), values))
def test_no_table_is_too_odd_for_a_sentence(table: dict[str, object]) -> None:
    """Through JSON's TOML-like values: a file is read or refused, never a traceback."""
    said = "a: good one"
    try:
        msgspec.convert(table, Whole, strict=True)
    except msgspec.ValidationError as error:
        said = _explain(str(error), table, Whole)
    assert ": " in said
