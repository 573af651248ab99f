"""One more .po file is one more language of the screens, through the same gate."""

import shutil

import pytest

from kiosk.catalogue import FOLDER, Catalogue, CatalogueError, available
from kiosk.flow import Tapped, first_visit, step
from simulator.prove.kiosk import measured

FRENCH = {
    'msgstr "English"': 'msgstr "Français"',
    'msgstr "What do you need?"': 'msgstr "Que désirez-vous ?"',
    'msgstr "Done"': 'msgstr "Terminé"',
}


@pytest.fixture
def locale(tmp_path):
    """The kiosk's own catalogues and one more, of which three texts are translated."""
    folder = tmp_path / "locale"
    shutil.copytree(FOLDER, folder)
    text = (folder / "en.po").read_text(encoding="utf-8")
    for english, french in FRENCH.items():
        assert english in text
        text = text.replace(english, french)
    (folder / "fr.po").write_text(text.replace("Language: en", "Language: fr"), encoding="utf-8")
    return folder


def test_the_kiosk_has_the_languages_that_there_are_files_of(locale):
    assert available() == ("zh_CN", "en")
    assert available(locale) == ("zh_CN", "en", "fr")
    assert Catalogue.load(locale).text("fr", "done") == "Terminé"
    (locale / "fr.po").write_text(
        (locale / "fr.po").read_text(encoding="utf-8").replace("Terminé", ""), encoding="utf-8"
    )
    with pytest.raises(CatalogueError, match=r"fr\.po: 'done' is not translated"):
        Catalogue.load(locale)


def test_the_switch_goes_through_all_of_them(locale):
    visit = first_visit("zh_CN", languages=available(locale))
    spoken = []
    for number in range(4):
        visit, _ = step(visit, Tapped("language", f"touch-{number}"))
        spoken.append(visit.language)
    assert spoken == ["en", "fr", "zh_CN", "en"]


@pytest.mark.window
async def test_it_goes_through_the_gate_and_its_overlong_text_does_not(locale, tmp_path):
    found = await measured(tmp_path, tmp_path, only="home,access", locale=locale, sizes=("large",))
    assert found.faults == []
    assert set(found.languages) == {"zh_CN", "en", "fr"}
    text = (locale / "fr.po").read_text(encoding="utf-8")
    long = "Terminé, merci, la banque vous souhaite une bonne journée et à bientôt"
    (locale / "fr.po").write_text(text.replace("Terminé", long), encoding="utf-8")
    found = await measured(tmp_path, tmp_path, only="ticket", locale=locale, sizes=("large",))
    assert any("plain fr large: 'Terminé, merci" in fault for fault in found.faults)
