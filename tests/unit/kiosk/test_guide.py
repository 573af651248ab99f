"""The audio guide: each key at each place, what is said of a screen that changes, and any walk."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, strategies as st

from hal.body import GuideKey
from kiosk.catalogue import Catalogue
from kiosk.guide import (
    SPEEDS,
    VOLUMES,
    Effects,
    Ended,
    Event,
    Focus,
    Guide,
    Held,
    Listened,
    Press,
    Pressed,
    Say,
    Scene,
    Shown,
    Stop,
    spell,
    step,
)

PREVIOUS, NEXT, SELECT, REPEAT = GuideKey
WORDS = Catalogue.load()
DIGITS = WORDS.text("en", "spoken.digits")
CASH = Stop("service.A", "Cash", "Cash, 6 ahead.", True)
FULL = Stop("service.B", "Cards", "Cards, Full today.", False)
SWITCH = Stop("language", "中文", "中文", True)
HOME = Scene("home", "en", "What do you need?", (CASH, FULL, SWITCH))
TICKET = Scene("ticket", "en", "Your number is A042.", (Stop("done", "Done", "Done", True),))
STAY = Stop("stay", "Continue", "Continue", True)
IDLE = Scene("idle", "en", "Still there?", (STAY, Stop("finish", "Finish", "Finish", True)))
BARE = Scene("closed", "en", "Closed.", ())


def run(*events: Event, guide: Guide | None = None) -> tuple[Guide, Effects]:
    """The guide after these events, and what the last one made it do."""
    guide = guide or Guide()
    effects: Effects = ()
    for event in events:
        guide, effects = step(guide, event, WORDS)
    return guide, effects


def heard(effects: Effects) -> str:
    """What is said, in all languages."""
    [say] = [effect for effect in effects if isinstance(effect, Say)]
    return " ".join(text for _, text in say.parts)


def on(scene: Scene = HOME, **changes: Any) -> Guide:
    """A guide that has begun at ``scene``."""
    return replace(run(Shown(scene), Pressed(NEXT))[0], **changes)


def test_nothing_is_said_before_a_key() -> None:
    assert run(Shown(HOME), Shown(TICKET), Shown(HOME)) == (Guide(scene=HOME), ())
    assert run(Pressed(NEXT)) == (Guide(), ()), "there is no screen yet"
    assert run(Shown(HOME), Ended()) == (Guide(scene=HOME), ())


@pytest.mark.parametrize("event", [*map(Pressed, GuideKey), *map(Held, GuideKey)], ids=str)
def test_the_first_key_only_starts(event: Event) -> None:
    guide, effects = run(Shown(HOME), event)
    assert (guide.on, guide.at, guide.step, guide.speed) == (True, "", 3, 0)
    assert effects[0] == Focus("")
    keys = WORDS.text("en", "guide.keys")
    assert heard(effects) == f"{keys} What do you need? Choices here: 3. Press next to hear them."


def test_next_and_previous_go_round_over_the_introduction() -> None:
    guide, places, said = on(), [], []
    for key in (NEXT, NEXT, NEXT, NEXT, PREVIOUS, PREVIOUS):
        guide, effects = step(guide, Pressed(key), WORDS)
        assert effects[0] == Focus(guide.at)
        places.append(guide.at)
        said.append(heard(effects))
    assert places == ["service.A", "service.B", "language", "", "language", "service.B"]
    assert said[:2] == ["Cash, 6 ahead. 1 of 3.", "Cards, Full today. 2 of 3."]
    assert said[3].startswith("What do you need?")


def test_the_language_switch_is_named_in_its_language() -> None:
    _, effects = run(Pressed(REPEAT), guide=on(at="language"))
    assert effects == (Say((("zh_CN", "中文"), ("en", "3 of 3.")), VOLUMES[2], 1.0),)
    chinese = replace(HOME, language="zh_CN")
    _, effects = run(Pressed(REPEAT), guide=on(chinese, at="language"))
    assert isinstance(effects[0], Say)
    assert [language for language, _ in effects[0].parts] == ["en", "zh_CN"]


def test_select_presses_what_can_be_pressed() -> None:
    guide, effects = run(Pressed(SELECT), guide=on(at="service.A"))
    assert effects[1] == Press("service.A")
    assert (heard(effects), guide.chosen) == ("You chose: Cash.", CASH)
    for at, said in (
        ("service.B", "Cards, Full today. 2 of 3. This cannot be chosen now."),
        ("", "Press next to hear the choices, then select."),
    ):
        _, effects = run(Pressed(SELECT), guide=on(at=at))
        assert not any(isinstance(effect, Press) for effect in effects)
        assert heard(effects) == said


def test_volume_has_ends_and_is_heard_at_once() -> None:
    guide = on()
    levels = []
    for key in (*[NEXT] * 4, *[PREVIOUS] * 6):
        guide, effects = step(guide, Held(key), WORDS)
        assert isinstance(effects[0], Say)
        assert effects[0].volume == VOLUMES[guide.step - 1]
        assert heard(effects) == f"Volume {guide.step} of 5."
        levels.append(guide.step)
    assert levels == [4, 5, 5, 5, 4, 3, 2, 1, 1, 1]
    assert guide.at == "", "holding a key moves nothing"


def test_speed_goes_round_and_is_heard_at_once() -> None:
    guide, speeds = on(), []
    for _ in range(3):
        guide, effects = step(guide, Held(REPEAT), WORDS)
        assert isinstance(effects[0], Say)
        speeds.append((heard(effects), effects[0].speed))
    assert speeds == [("Fast.", 1.5), ("Slow.", 0.75), ("Usual speed.", 1.0)]
    assert heard(run(Held(SELECT), guide=guide)[1]) == WORDS.text("en", "guide.keys")


def test_the_next_visitor_has_the_usual_volume_and_speed() -> None:
    guide = on(step=5, speed=1, at="service.A")
    guide, effects = step(guide, Ended(), WORDS)
    assert guide == Guide(scene=HOME)
    assert effects[0] == Focus("")
    assert heard(effects).startswith("The audio guide ends.")
    quiet = Guide(scene=HOME, step=5, default_step=2, on=True)
    assert step(quiet, Ended(), WORDS)[0].step == 2


def test_a_new_screen_is_announced_and_its_number_is_spelt() -> None:
    guide, effects = run(Shown(TICKET), guide=on(at="service.A"))
    assert (guide.at, effects[0]) == ("", Focus(""))
    assert heard(effects).startswith("Your number is A, zero, four, two. Choices here: 1.")
    assert heard(run(Shown(BARE), guide=guide)[1]) == "Closed."


def test_a_warning_stands_on_the_way_back() -> None:
    guide, effects = run(Shown(IDLE), guide=on())
    assert (guide.at, effects[0]) == ("stay", Focus("stay"))
    assert heard(effects) == "Still there? Continue 1 of 2."
    assert run(Pressed(SELECT), guide=guide)[1][1] == Press("stay")


def test_what_changes_by_itself_is_not_said() -> None:
    fewer = replace(HOME, stops=(replace(CASH, spoken="Cash, 5 ahead."), FULL, SWITCH))
    assert run(Shown(fewer), guide=on(at="service.A")) == (on(fewer, at="service.A"), ())


def test_what_was_chosen_is_said_when_it_changes() -> None:
    off, up = (Stop("access.low", "Low", f"Low, {state}", True) for state in ("Off", "On"))
    sheet = Scene("access", "en", "What would help?", (off,))
    guide, _ = run(Pressed(SELECT), guide=on(sheet, at="access.low"))
    guide, effects = run(Shown(sheet), guide=guide)
    assert effects == ()
    guide, effects = run(Shown(replace(sheet, stops=(up,))), guide=guide)
    assert (heard(effects), guide.chosen) == ("Low, On 1 of 1.", None)
    assert run(Shown(sheet), guide=guide)[1] == ()


def test_new_words_of_the_same_screen_are_said_where_the_visitor_stands() -> None:
    german = replace(HOME, spoken="您好", language="zh_CN")
    guide, effects = run(Shown(german), guide=on(at="language"))
    assert guide.at == "language"
    assert heard(effects).startswith("您好")
    gone = replace(HOME, spoken="Gone.", stops=(CASH,))
    guide, effects = run(Shown(gone), guide=on(at="language"))
    assert (guide.at, effects[0]) == ("", Focus(""))
    silent = replace(HOME, stops=(CASH,))
    assert run(Shown(silent), guide=on(at="language"))[1] == (Focus(""),)


def test_listen_reads_everything() -> None:
    guide, effects = run(Shown(HOME), Listened())
    everything = "What do you need? Cash, 6 ahead. 1 of 3. Cards, Full today. 2 of 3. 中文 3 of 3."
    assert (guide.on, heard(effects)) == (True, everything)
    assert heard(run(Listened(), guide=guide)[1]) == everything


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("A042", "A, zero, four, two"),
        ("I have it: A1042", "I have it: A, one, zero, four, two"),
        ("您的号码是A042。", "您的号码是A, zero, four, two。"),
        ("A4, BA042, A04251 and 15 to 25", "A4, BA042, A04251 and 15 to 25"),
    ],
)
def test_a_number_is_said_digit_by_digit(text: str, said: str) -> None:
    assert spell(text, DIGITS) == said


def test_a_description_is_a_scene() -> None:
    control = {"id": "done", "label": "Done", "spoken": "Done", "enabled": True, "rect": []}
    description = {"screen": "ticket", "language": "en", "spoken": "Here.", "controls": [control]}
    assert Scene.of(description) == Scene("ticket", "en", "Here.", TICKET.stops)


SCENES = (
    HOME,
    TICKET,
    IDLE,
    BARE,
    replace(HOME, language="zh_CN"),
    replace(HOME, stops=(SWITCH,)),
)
EVENTS = st.one_of(
    st.builds(Pressed, st.sampled_from(GuideKey)),
    st.builds(Held, st.sampled_from(GuideKey)),
    st.builds(Shown, st.sampled_from(SCENES)),
    st.just(Listened()),
    st.just(Ended()),
)


@given(st.lists(EVENTS, max_size=40))
def test_on_any_walk_nobody_is_lost(events: list[Event]) -> None:
    """The place is always there, one thing is said at a time, and each key is answered."""
    guide = Guide()
    for event in events:
        before = guide
        guide, effects = step(guide, event, WORDS)
        assert guide.scene is None or not guide.at or guide.scene.find(guide.at) is not None
        says = [effect for effect in effects if isinstance(effect, Say)]
        assert len(says) <= 1
        assert all(say.volume in VOLUMES and say.speed in dict(SPEEDS).values() for say in says)
        assert all(text for say in says for _, text in say.parts)
        if isinstance(event, Pressed | Held) and guide.scene is not None:
            assert says
            assert guide.on
        presses = [effect for effect in effects if isinstance(effect, Press)]
        assert not presses or (before.on and event == Pressed(SELECT))
