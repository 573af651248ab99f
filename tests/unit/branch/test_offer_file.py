"""The file of what kiosks offer: read again when it changes, the last good one kept."""

from pathlib import Path

import pytest

from branch.calling_config import ServiceConfig
from branch.config import read
from branch.offer_file import MAX_OFFER_BYTES, OfferFile
from sync.settings import SettingsError

CASH = '[[services]]\nletter = "A"\nzh = "现金"\nen = "Cash"\n'
CARDS = '[[services]]\nletter = "B"\nzh = "卡"\nen = "Cards"\n'
BRANCH = [ServiceConfig("A", "现金", "Cash"), ServiceConfig("B", "卡", "Cards")]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "kiosk-offer.toml"
    path.write_text(CASH, "utf-8")
    return path


def letters(file: OfferFile) -> str:
    return "".join(service.letter for service in file.offer.services)


def test_a_change_is_seen_once(path: Path) -> None:
    file = OfferFile(path, BRANCH)
    assert (letters(file), file.offer.file) == ("A", "kiosk-offer.toml")
    assert not file.look()
    path.write_text(CASH + CARDS, "utf-8")
    assert file.look()
    assert letters(file) == "AB"
    assert not file.look()
    path.write_text("# what it says has not changed\n" + CASH + CARDS, "utf-8")
    assert not file.look()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (CASH.replace("zh", "hz"), r"services\[0\]\.hz: unknown key"),
        (CASH.replace('"A"', '"C"'), r"services\[0\]\.letter: 'C' is not one of the services of"),
        (CASH + CASH, r"services\[1\]\.letter: 'A' is taken"),
        ("[[services", "not TOML"),
        (CASH.replace("Cash", "x" * MAX_OFFER_BYTES), r"\d+ bytes for a kiosk, at most 32768"),
    ],
)
def test_a_mistake_changes_nothing_and_is_told(path: Path, text: str, says: str) -> None:
    file = OfferFile(path, BRANCH)
    path.write_text(text, "utf-8")
    assert not file.look()
    assert letters(file) == "A"
    with pytest.raises(SettingsError, match=rf"kiosk-offer\.toml: {says}") as caught:
        OfferFile(path, BRANCH)  # at the start of the server the same words end it
    assert file.refused == str(caught.value)
    path.write_text(CASH, "utf-8")
    assert not file.look()  # as before, so nobody needs to be told
    assert file.refused == ""


def test_a_file_that_is_away_for_a_moment(path: Path) -> None:
    file = OfferFile(path, BRANCH)
    path.unlink()
    assert not file.look()
    assert "there is no such file" in file.refused
    path.write_text(CARDS, "utf-8")
    assert file.look()
    assert (letters(file), file.refused) == ("B", "")


def test_the_sample_fits_the_sample_of_the_branch() -> None:
    deploy = Path(__file__).parents[3] / "deploy"
    found = OfferFile(deploy / "kiosk-offer.toml", read(deploy / "branch.toml").services)
    assert letters(found) == "ABCDP"


def test_hours_of_the_branch_hold_where_the_file_has_none(path: Path) -> None:
    hours = {"opens": "09:00", "closes": "17:00", "daily_limit": 40}
    branch = [ServiceConfig(letter, "甲", "A", **hours) for letter in "ABP"]  # type: ignore[arg-type]
    person = '[[services]]\nletter = "P"\nzh = "人"\nen = "A person"\npriority = true\n'
    path.write_text(CASH + CARDS + 'opens = "13:30"\n' + person, "utf-8")
    offered = OfferFile(path, branch).offer.services
    assert [(s.opens, s.closes, s.daily_limit) for s in offered] == [
        ("09:00", "17:00", 40),
        ("13:30", "17:00", 40),
        ("", "", 0),  # who asks for a person may always ask
    ]
