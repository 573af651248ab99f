"""The speaker's contract on real espeak-ng, a real player program and the ear at its far end."""

import asyncio
import itertools
import re
import subprocess
from pathlib import Path

import pytest

from hal.api import HealthState, Speech
from hal.drivers.speaker import LETTER_A, LETTER_SOUND, VOICES, EspeakSpeaker, player_command
from hal.errors import DeviceRefused, DeviceSilent, LinkUnavailable
from hal.registry import backend
from hal.sim.speaker import SpeakerBench

ZH = Speech("zh", "请 A 零零五号到 2 号窗口")
EN = Speech("en", "Ticket A zero zero five, please go to counter two")
SPEED = 20.0
DIGITS = "零一二三四五六七八九"


@pytest.fixture
def bench(tmp_path: Path) -> SpeakerBench:
    bench = SpeakerBench(tmp_path, SPEED)
    bench.plug_in()
    return bench


@pytest.fixture
def speaker(bench: SpeakerBench) -> EspeakSpeaker:
    made: EspeakSpeaker = backend("speaker", "espeak")(bench.address, grace_s=3.0)
    return made


async def test_chime_then_both_languages_as_one_sound(
    speaker: EspeakSpeaker, bench: SpeakerBench
) -> None:
    await speaker.open()
    assert bench.heard() == []  # silence is not heard
    await speaker.say([ZH, EN], volume=0.4)
    await speaker.say([EN], volume=0.2, chime=False)
    both, english = bench.heard()
    assert both.said == f"zh {ZH.text}\nen {EN.text}"
    assert (both.chime, english.chime) == (True, False)
    assert both.length_s > english.length_s > 2.0
    assert 0.1 < both.peak <= 0.4  # the volume of one is not that of the next
    assert 0.05 < english.peak <= 0.2
    assert (speaker.health.state, speaker.health.counters) == (
        HealthState.OK, {"said": 2, "failed": 0},
    )  # fmt: skip


async def test_the_speed_is_of_one_announcement(
    speaker: EspeakSpeaker, bench: SpeakerBench
) -> None:
    for speed in (0.7, 1.0, 1.5):
        await speaker.say([EN], chime=False, speed=speed)
    slow, usual, fast = (heard.length_s for heard in bench.heard())
    assert slow > 1.2 * usual
    assert usual > 1.2 * fast


async def test_what_is_cut_off_is_silent_before_the_next_is_heard(tmp_path: Path) -> None:
    bench = SpeakerBench(tmp_path, speed=0.5)
    bench.plug_in()
    speaker = EspeakSpeaker(bench.address)
    old = asyncio.create_task(speaker.say([EN], chime=False))
    async with asyncio.timeout(10):
        while not bench.begun():  # noqa: ASYNC110 - a program of its own writes it
            await asyncio.sleep(0.01)
    old.cancel()
    await speaker.say([Speech("en", "two")], chime=False)
    assert [said.text for said in bench.begun()] == [EN.text, "two"]
    assert [heard.said for heard in bench.heard()] == ["en two"]
    assert old.cancelled()
    assert speaker.health.state is HealthState.OK


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 4, 5, 6, 8, 12, 20, 40])
async def test_it_can_be_cut_off_at_any_moment(
    speaker: EspeakSpeaker, bench: SpeakerBench, turns: int
) -> None:
    """``turns`` of the loop after the beginning: while espeak-ng starts, speaks, and is read."""
    old = asyncio.create_task(speaker.say([Speech("en", "a long story " * 40)], chime=False))
    for _ in range(turns):
        await asyncio.sleep(0)
    old.cancel()
    async with asyncio.timeout(10):
        await speaker.say([Speech("en", "two")], chime=False)
        await asyncio.gather(old, return_exceptions=True)
    assert [heard.said for heard in bench.heard()] == ["en two"]


async def test_it_can_be_cut_off_while_it_is_read(
    speaker: EspeakSpeaker, bench: SpeakerBench
) -> None:
    for wait_s in (0.01, 0.02, 0.03, 0.05, 0.08):
        old = asyncio.create_task(speaker.say([Speech("en", "a long story " * 40)], chime=False))
        await asyncio.sleep(wait_s)
        old.cancel()
    async with asyncio.timeout(10):
        await speaker.say([Speech("en", "two")], chime=False)
    assert bench.heard()[-1].said == "en two"


async def test_a_long_sound_can_be_cut_off_while_it_is_made(tmp_path: Path, monkeypatch) -> None:
    """What is not read any more must not keep the next one waiting."""
    (tmp_path / "espeak-ng").write_text("#!/bin/sh\nexec head -c 500000000 /dev/zero\n")
    (tmp_path / "espeak-ng").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    speaker = EspeakSpeaker("program:/bin/true")
    busy = asyncio.create_task(_keep_busy())
    for n in range(20):
        said = asyncio.create_task(speaker.say([EN], chime=False))
        await asyncio.sleep(0.02 + 0.003 * n)
        said.cancel()
        done, _ = await asyncio.wait([said], timeout=10)
        assert done, f"it hangs at the {n + 1}th time"
    busy.cancel()


async def _keep_busy() -> None:
    """As a window does: between two looks at the pipe it fills again."""
    while True:
        sum(range(100_000))
        await asyncio.sleep(0)


async def test_announcements_at_the_same_instant_do_not_overlap(
    speaker: EspeakSpeaker, bench: SpeakerBench
) -> None:
    await asyncio.gather(*(speaker.say([EN]) for _ in range(4)))
    heard = bench.heard()
    assert len(heard) == 4
    assert all(a.ended_ms <= b.began_ms for a, b in itertools.pairwise(heard))


@pytest.mark.parametrize(
    ("fault", "error", "state", "detail"),
    [
        ("missing", LinkUnavailable, HealthState.LOST, "player_missing"),
        ("hang", DeviceSilent, HealthState.LOST, "silent"),
        ("die", DeviceRefused, HealthState.FAULT, "player"),
    ],
)
async def test_a_lost_sound_is_an_error_and_mended_by_itself(
    speaker: EspeakSpeaker,
    bench: SpeakerBench,
    fault: str,
    error: type[Exception],
    state: HealthState,
    detail: str,
) -> None:
    bench.break_it(fault)
    with pytest.raises(error):
        await speaker.say([EN])
    assert (speaker.health.state, speaker.health.detail) == (state, detail)
    assert speaker.health.counters == {"said": 0, "failed": 1}
    bench.mend()
    assert (await speaker.check()).state is HealthState.OK
    await speaker.say([EN])
    assert bench.heard()[-1].complete


async def test_a_program_that_is_missing_is_named(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    speaker = EspeakSpeaker("alsa:default")
    with pytest.raises(LinkUnavailable, match=r"espeak-ng: .*apt-get install espeak-ng"):
        await speaker.open()
    assert speaker.health.detail == "espeak_missing"
    assert (await speaker.check()).detail == "player_missing"


@pytest.mark.parametrize(
    ("script", "error", "detail"),
    [
        ("cat >/dev/null", DeviceRefused, "not_played"),
        ("echo 'aplay: main:831: audio open error: No such file' >&2; exit 1", LinkUnavailable,
         "device_missing"),
    ],
)  # fmt: skip
async def test_what_no_sound_card_would_do(
    tmp_path: Path, monkeypatch, script: str, error: type[Exception], detail: str
) -> None:
    (tmp_path / "aplay").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "aplay").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    speaker = EspeakSpeaker("alsa:default")
    with pytest.raises(error, match="alsa:default"):
        await speaker.open()
    assert speaker.health.detail == detail


@pytest.mark.parametrize("address", ["", "alsa:", "hw:0", "program:"])
def test_an_address_of_no_known_kind(address: str) -> None:
    with pytest.raises(ValueError, match="expected alsa:DEVICE"):
        player_command(address)


async def test_what_cannot_be_said(bench: SpeakerBench) -> None:
    speaker = EspeakSpeaker(bench.address, voices={"en": "xx"})
    with pytest.raises(ValueError, match="fr"):
        await speaker.say([Speech("fr", "bonjour")])
    with pytest.raises(ValueError, match=r"volume 1\.5"):
        await speaker.say([ZH], volume=1.5)
    with pytest.raises(ValueError, match=r"speed 3"):
        await speaker.say([ZH], speed=3)
    with pytest.raises(DeviceRefused, match="xx"):
        await speaker.say([EN])
    with pytest.raises(DeviceRefused, match="no WAV: 0 bytes"):
        await speaker.say([Speech("zh", "")])
    assert bench.heard() == []


def phonemes(voice: str, text: str) -> str:
    command = ["espeak-ng", "-v", voice, "-q", "-x", "-b", "1", "--stdin"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def test_mandarin_is_read_in_mandarin() -> None:
    read = phonemes(VOICES["zh"], ZH.text)
    assert "(en)" not in read  # what `cmn` makes of it
    counters = range(1, 100)
    digits = phonemes(VOICES["zh"], "\n".join(f"到 {n} 号窗口。" for n in counters))
    words = phonemes(VOICES["zh"], "\n".join(f"到 {in_words(n)} 号窗口。" for n in counters))
    assert syllables(digits) == syllables(words)


def in_words(number: int) -> str:
    tens, ones = divmod(number, 10)
    return (
        ("" if tens < 2 else DIGITS[tens])
        + ("十" if tens else "")
        + (DIGITS[ones] if ones else "")
    )


def syllables(read: str) -> str:
    """Without stress and boundaries, which espeak-ng sets otherwise in a number."""
    return re.sub(r"[',_| ]", "", read)


def test_the_letter_is_no_article() -> None:
    assert (
        phonemes(VOICES["en"], "Ticket A zero").split()[1] == "a#"
    )  # why it is spelt for the voice
    spelt = LETTER_A.sub(LETTER_SOUND["en"], "Ticket A zero")
    assert phonemes(VOICES["en"], spelt).split()[1] == "'eI"
