"""[announcements] of branch.toml: the volume of the hour, and what is refused."""

from pathlib import Path

import msgspec
import pytest

from branch.announce_config import (
    AnnouncementsConfig,
    SoundHours,
    announcement_problems,
    volume_at,
)
from branch.config import check, read
from sync.settings import SettingsError
from tests.unit.branch.bench import CONFIG


def test_the_volume_of_the_hour() -> None:
    hours = [SoundHours("22:00", "07:00"), SoundHours("12:00", "14:00", 0.4)]
    config = AnnouncementsConfig(volume=0.9, hours=hours)
    assert [volume_at(config, 60 * h) for h in (0, 6.99, 7, 12, 13.99, 14, 22, 23)] == [
        0.0, 0.0, 0.9, 0.4, 0.4, 0.9, 0.0, 0.0,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"languages": []}, "announcements.languages: none; expected at least one of en, zh"),
        ({"languages": ["fr"]}, "announcements.languages: 'fr'; expected one of en, zh"),
        ({"languages": ["en", "en"]}, "announcements.languages: one of them is there twice"),
        ({"texts": {"fr": "{number}"}}, "announcements.texts: 'fr'; expected one of en, zh"),
        ({"voices": {"fr": "fr"}}, "announcements.voices: 'fr'; expected one of en, zh"),
        ({"volume": 0.0}, "announcements.volume: 0.0; expected more than 0, at most 1"),
        ({"sayings": 4}, "announcements.sayings: 4; expected 1 to 3"),
        ({"max_age_s": 601.0}, "announcements.max_age_s: 601.0; expected 0 to 600 s"),
        ({"hours": [SoundHours("7", "09:00")]}, "announcements.hours[0]: begins, ends: '7'"),
        ({"hours": [SoundHours("07:00", "09:00", 2.0)]}, "announcements.hours[0].volume: 2.0"),
        ({"texts": {"en": "{nummer}"}}, "announcements.texts.en: '{nummer}'; expected words"),
        ({"texts": {"en": "{number}"}}, "announcements.texts.en: without {number} or {counter}"),
    ],
)
def test_what_is_refused(wrong, says: str) -> None:
    config = msgspec.structs.replace(CONFIG, announcements=AnnouncementsConfig(**wrong))
    with pytest.raises(SettingsError) as error:
        check(config, "branch.toml")
    assert str(error.value).startswith(f"branch.toml: {says}")


def test_the_sample_is_silent_and_right() -> None:
    sample = read(Path(__file__).parents[3] / "deploy/branch.toml").announcements
    assert not sample.enabled
    assert sample == AnnouncementsConfig()
    good = AnnouncementsConfig(texts={"zh": "{number}，{counter}", "en": "{number} {counter}"})
    assert not list(announcement_problems(good))
