"""The catalogue refuses what would show a half-translated screen."""

import re
from pathlib import Path

import pytest

import kiosk.flow
import kiosk.guide
import kiosk.sheets
import kiosk.spoken
import kiosk.technician_menu
import kiosk.ui
import kiosk.view
from kiosk.catalogue import Catalogue, CatalogueError

FAMILIES = ("noprint.", "closed.", "why.", "suggest.", "code.")
HEAD = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n'


@pytest.fixture(scope="module")
def catalogue():
    return Catalogue.load()


def _write(folder: Path, language: str, *entries: str) -> None:
    (folder / f"{language}.po").write_text(HEAD + "\n".join(entries), encoding="utf-8")


def _entry(key: str, text: str) -> str:
    return f'msgid "{key}"\nmsgstr "{text}"\n'


def test_both_languages_have_the_same_keys_and_placeholders(catalogue):
    assert catalogue.languages == ("zh_CN", "en")
    for key in catalogue.keys:
        assert catalogue.placeholders("zh_CN", key) == catalogue.placeholders("en", key)


def test_texts_are_filled(catalogue):
    assert catalogue.text("zh_CN", "wait.range", a=15, b=25) == "约 15–25 分钟"
    assert catalogue.text("en", "noprint.ack", number="A042") == "I have it: A042"
    assert catalogue.around("zh_CN", "wait.ahead", "n") == ("前面 ", " 人")
    assert catalogue.around("en", "wait.ahead", "n") == ("", " ahead")


def test_copy_has_no_exclamation_marks_and_no_line_that_starts_with_a_comma(catalogue):
    for language in catalogue.languages:
        for key in catalogue.keys:
            template = catalogue.template(language, key)
            assert not set(template) & set("!！")
            assert "请耐心等待" not in template
            assert not any(line[:1] in "，。、：？,." for line in template.split("\n")), key


def test_every_key_that_the_window_names_is_there_and_every_text_is_named(catalogue):
    """Keys are spelt out in the window's modules, but for the last part of five families."""
    source = "\n".join(path.read_text() for path in Path(kiosk.ui.__path__[0]).glob("*.py"))
    # Controls, sheets and notices are named by their key.
    said = (kiosk.guide, kiosk.spoken)
    for module in (kiosk.view, kiosk.sheets, kiosk.flow, kiosk.technician_menu, *said):
        source += Path(str(module.__file__)).read_text()
    named = set(re.findall(r"""["']([a-z_]+(?:\.[a-z_]+)+)["']""", source))
    named |= {"person", "help", "done", "listen", "access", "feedback", "back", "check_in"}
    keys = {key.removesuffix(".small") for key in catalogue.keys}
    named |= {key for key in keys if key.startswith(FAMILIES)}
    families = {key.partition(".")[0] for key in keys}
    missing = {key for key in named if key.partition(".")[0] in families} - keys
    assert missing == set()
    assert keys - named == set()


def test_a_small_text_has_a_large_one(catalogue):
    keys = catalogue.keys
    assert {key.removesuffix(".small") for key in keys} <= keys


@pytest.mark.parametrize(
    ("key", "values", "words"),
    [
        ("home.nothing", {}, "en.po: no text has the key 'home.nothing'"),
        ("wait.range", {"a": 1}, "has the placeholders ['a', 'b'], given were ['a']"),
        ("home.title", {"n": 1}, "has the placeholders [], given were ['n']"),
    ],
)
def test_a_wrong_key_or_value_is_named(catalogue, key, values, words):
    with pytest.raises(CatalogueError, match=re.escape(words)):
        catalogue.text("en", key, **values)


def test_a_language_without_catalogue_is_named(catalogue):
    with pytest.raises(CatalogueError, match="language 'fr'; there are zh_CN, en"):
        catalogue.text("fr", "done")


def test_around_needs_its_one_placeholder(catalogue):
    with pytest.raises(CatalogueError, match=r"must have the one placeholder \{n\}"):
        catalogue.around("en", "wait.range", "n")


@pytest.mark.parametrize(
    ("chinese", "english", "words"),
    [
        ([_entry("a", "甲"), _entry("b", "乙")], [_entry("a", "A")], "en.po: the key 'b' is miss"),
        ([_entry("a", "甲")], [_entry("a", "A"), _entry("b", "B")], "zh_CN.po: the key 'b' is"),
        ([_entry("a", "甲 {n}")], [_entry("a", "A {m}")], "en.po: 'a' has the placeholders ['m']"),
        ([_entry("a", "甲")], [_entry("a", "")], "en.po: 'a' is not translated"),
        ([_entry("a", "甲")], ["#, fuzzy\n" + _entry("a", "A")], "en.po: 'a' is marked fuzzy"),
        ([_entry("a", "甲")], [_entry("a", "A {0}")], "'a': a placeholder is a plain name"),
        ([_entry("a", "甲")], [_entry("a", "A {n")], "en.po: 'a': "),
        ([_entry("a", "甲")], [], "en.po: holds no texts"),
        ([_entry("a", "甲")], ['msgid "a'], "en.po: cannot be read"),
        (
            [_entry("a", "甲")],
            ['msgid "a"\nmsgid_plural "as"\nmsgstr[0] "A"\nmsgstr[1] "As"\n'],
            "has plural forms",
        ),
    ],
)
def test_a_faulty_catalogue_is_refused_with_file_and_key(tmp_path, chinese, english, words):
    _write(tmp_path, "zh_CN", *chinese)
    _write(tmp_path, "en", *english)
    with pytest.raises(CatalogueError, match=re.escape(words)):
        Catalogue.load(tmp_path)


def test_a_missing_file_is_named(tmp_path):
    _write(tmp_path, "zh_CN", _entry("a", "甲"))
    with pytest.raises(CatalogueError, match=r"en\.po: there is no such catalogue"):
        Catalogue.load(tmp_path)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "zh_CN.po").write_bytes(HEAD.encode() + b'msgid "a"\nmsgstr "\xff\xfe"\n')
    with pytest.raises(CatalogueError, match=r"zh_CN\.po: cannot be read"):
        Catalogue.load(tmp_path, ("zh_CN",))
