"""The kiosk's words in each language, from ``locale/<language>.po``, by key (``home.title``).

A screen is never half translated: :meth:`Catalogue.load` refuses a catalogue in which a text is
missing, empty or marked as doubtful, or in which two languages differ in keys or placeholders.

Errors::

    CatalogueError(KioskError)   a file, key, language or placeholder is not what it should be
"""

import string
from collections.abc import Mapping
from pathlib import Path

from babel.messages.pofile import PoFileError, read_po

from kiosk.errors import KioskError
from kiosk.view import LANGUAGES

FOLDER = Path(__file__).parent / "locale"


class CatalogueError(KioskError):
    """Names the file or the key, and what was expected."""


class Catalogue:
    """Texts by language and key; immutable after loading."""

    def __init__(self, texts: Mapping[str, Mapping[str, str]]) -> None:
        """Take ``{language: {key: text}}``; raise :class:`CatalogueError` if languages differ."""
        self._texts = {language: dict(table) for language, table in texts.items()}
        self._fields = {
            language: {key: _placeholders(language, key, text) for key, text in table.items()}
            for language, table in self._texts.items()
        }
        self._compare()

    @classmethod
    def load(cls, folder: Path = FOLDER, languages: tuple[str, ...] = ()) -> "Catalogue":
        """Read ``<language>.po`` of every language, if none is named of all there are; raise
        :class:`CatalogueError` on any fault.
        """
        languages = languages or available(folder)
        return cls({language: _read(folder / f"{language}.po") for language in languages})

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages that were loaded, in the order given."""
        return tuple(self._texts)

    @property
    def keys(self) -> frozenset[str]:
        """All keys; every language has the same."""
        return frozenset(next(iter(self._texts.values()), {}))

    def has(self, key: str) -> bool:
        """Whether there is a text of that key."""
        return key in self.keys

    def template(self, language: str, key: str) -> str:
        """The text of ``key`` with its placeholders unfilled."""
        table = self._texts.get(language)
        if table is None:
            raise CatalogueError(
                f"no catalogue for the language {language!r}; there are {', '.join(self._texts)}"
            )
        if key not in table:
            raise CatalogueError(f"{language}.po: no text has the key {key!r}")
        return table[key]

    def placeholders(self, language: str, key: str) -> frozenset[str]:
        """The names that :meth:`text` wants for ``key``."""
        self.template(language, key)
        return self._fields[language][key]

    def text(self, language: str, key: str, **values: object) -> str:
        """The text with its placeholders filled; raise :class:`CatalogueError` on a wrong one."""
        template = self.template(language, key)
        wanted = self._fields[language][key]
        if wanted != values.keys():
            raise CatalogueError(
                f"{language}.po: {key!r} has the placeholders {sorted(wanted)}, "
                f"given were {sorted(values)}"
            )
        return template.format(**values)

    def around(self, language: str, key: str, name: str) -> tuple[str, str]:
        """What stands before and after the one placeholder ``name``, so that it may be larger."""
        template = self.template(language, key)
        if self._fields[language][key] != {name}:
            raise CatalogueError(
                f"{language}.po: {key!r} must have the one placeholder {{{name}}}: {template!r}"
            )
        before, _, after = template.partition("{" + name + "}")
        return before, after

    def _compare(self) -> None:
        languages = list(self._texts)
        for other in languages[1:]:
            first = languages[0]
            apart = self._texts[first].keys() ^ self._texts[other].keys()
            for key in sorted(apart):
                lacking = other if key in self._texts[first] else first
                raise CatalogueError(f"{lacking}.po: the key {key!r} is missing; add its text")
            for key, fields in self._fields[first].items():
                if fields != self._fields[other][key]:
                    raise CatalogueError(
                        f"{other}.po: {key!r} has the placeholders "
                        f"{sorted(self._fields[other][key])}, {first}.po has {sorted(fields)}"
                    )


def available(folder: Path = FOLDER) -> tuple[str, ...]:
    """The languages of ``folder``: those of the configuration first, then one for each file."""
    more = sorted(path.stem for path in folder.glob("*.po"))
    return (*LANGUAGES, *(language for language in more if language not in LANGUAGES))


def _read(path: Path) -> dict[str, str]:
    try:
        with path.open("rb") as stream:
            catalogue = read_po(stream, locale=path.stem, abort_invalid=True)
    except FileNotFoundError:
        raise CatalogueError(f"{path}: there is no such catalogue") from None
    except (PoFileError, UnicodeDecodeError, ValueError) as error:
        raise CatalogueError(f"{path}: cannot be read: {error}") from error
    texts: dict[str, str] = {}
    for message in catalogue:
        if message.id == "":
            continue
        if not isinstance(message.id, str) or not isinstance(message.string, str):
            raise CatalogueError(f"{path.name}: {message.id!r} has plural forms; use one text")
        if message.string == "":
            raise CatalogueError(f"{path.name}: {message.id!r} is not translated")
        if message.fuzzy:
            raise CatalogueError(f"{path.name}: {message.id!r} is marked fuzzy; check its text")
        texts[message.id] = message.string
    if not texts:
        raise CatalogueError(f"{path.name}: holds no texts")
    return texts


def _placeholders(language: str, key: str, text: str) -> frozenset[str]:
    try:
        fields = [field for _, field, _, _ in string.Formatter().parse(text) if field is not None]
    except ValueError as error:
        raise CatalogueError(f"{language}.po: {key!r}: {error}: {text!r}") from error
    for field in fields:
        if not field.isidentifier():
            raise CatalogueError(
                f"{language}.po: {key!r}: a placeholder is a plain name, not {field!r}"
            )
    return frozenset(fields)
