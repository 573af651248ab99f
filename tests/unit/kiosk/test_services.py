"""Services of the configuration as the screens show them: documents, machines, simple mode."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from kiosk.config import DocumentConfig, KioskConfig, ServiceConfig, _check
from kiosk.flow import Phase, Visit, first_visit
from kiosk.presenter import letters_with_steps, person_letter, present
from kiosk.view import (
    AccessView,
    CodeSaidView,
    HomeView,
    IdleView,
    Modes,
    ServiceTile,
    TriageView,
    View,
    Wait,
    Words,
)
from sync.settings import SettingsError
from tests.unit.kiosk.bench import KIOSK, Bench, virtual

NOW = datetime(2026, 11, 23, 9, 5, tzinfo=UTC)
ID_CARD = DocumentConfig("本人身份证", "Your ID card", "原件", "original")
CASH = ServiceConfig("A", "现金", "Cash", simple_zh="存钱 取钱", simple_en="Money in or out")
CARDS = ServiceConfig("B", "非现金", "Accounts", documents=[ID_CARD], machine_min=5)
BUSINESS = ServiceConfig("C", "对公", "Business", short_en="Firms")
PERSON = ServiceConfig("P", "长者", "A person, please", priority=True)


def kiosk(*services: ServiceConfig) -> KioskConfig:
    return msgspec.structs.replace(KIOSK, services=list(services))


ALL = kiosk(CASH, CARDS, BUSINESS, PERSON)


def show(visit: Visit, config: KioskConfig = ALL, **more: object) -> View:
    values = {"now": NOW, "waits": {}, "online": True, "on_paper": None, "staff_told": False}
    return present(config, visit, **{**values, **more})  # type: ignore[arg-type]


def test_the_list_and_the_machine_are_the_service_s_own() -> None:
    assert letters_with_steps(ALL) == {"B"}
    visit = Visit(Phase.TRIAGE, "en", "zh_CN", person="P", service="B", modes=Modes(low=True))
    view = show(visit, waits={"B": Wait(9, 25, 40)})
    assert isinstance(view, TriageView)
    assert [(d.icon, d.name["en"], d.note["zh_CN"]) for d in view.documents] == [
        ("id", "Your ID card", "原件")
    ]
    assert (view.service.letter, view.service.wait) == ("B", Wait(9, 25, 40))
    assert (view.machine_min, view.person, view.modes.low) == (5, True, True)


def test_nobody_is_offered_a_person_for_whom_there_is_no_number() -> None:
    for phase in (Phase.TRIAGE, Phase.ACCESS):
        visit = Visit(phase, "en", "zh_CN", person="P", service="B")
        view = show(visit, full={"P"})
        assert isinstance(view, TriageView | AccessView)
        assert not view.person
        always = show(visit, joining={"P": "closed"})
        assert isinstance(always, TriageView | AccessView)
        assert always.person, "who needs a person may always ask"
    assert person_letter(ALL) == "P"
    assert person_letter(kiosk(CASH)) == ""


def test_the_warning_shows_what_waits_behind_it() -> None:
    visit = Visit(Phase.WARNING, "en", "zh_CN", service="B", behind=Phase.TRIAGE, left_s=7)
    view = show(visit)
    assert isinstance(view, IdleView)
    assert isinstance(view.behind, TriageView)
    assert (view.left_s, view.whole_s) == (7, 20)


@pytest.mark.parametrize(
    ("services", "letters"),
    [
        ((CASH, CARDS, BUSINESS, PERSON), "AP"),
        ((CARDS, BUSINESS, PERSON), "BCP"),
        ((BUSINESS,), "C"),
    ],
)
def test_simple_mode_has_the_named_services_or_the_first_two(
    services: tuple[ServiceConfig, ...], letters: str
) -> None:
    visit = Visit(Phase.HOME, "en", "zh_CN", modes=Modes(simple=True, contrast=True))
    view = show(visit, kiosk(*services))
    assert isinstance(view, HomeView)
    assert "".join(tile.letter for tile in view.tiles) == letters
    assert view.modes == Modes(simple=True, contrast=True)


def test_simple_names_are_for_simple_mode_alone() -> None:
    simple = Visit(Phase.HOME, "en", "zh_CN", modes=Modes(simple=True))
    everything = Visit(
        Phase.HOME, "en", "zh_CN", modes=Modes(simple=True, low=True), everything=True
    )
    for visit, names, modes in (
        (simple, ["Money in or out", "A person, please"], Modes(simple=True)),
        (everything, ["Cash", "Accounts", "Business", "A person, please"], Modes(low=True)),
    ):
        view = show(visit)
        assert isinstance(view, HomeView)
        assert ([tile.name["en"] for tile in view.tiles], view.modes) == (names, modes)
    plain = show(first_visit("zh_CN"))
    assert isinstance(plain, HomeView)
    assert [tile.short for tile in plain.tiles] == [{}, {}, {"en": "Firms"}, {}]


@pytest.mark.parametrize(
    ("service", "words"),
    [
        (
            ServiceConfig("P", "长者", "A person", priority=True, machine_min=5),
            "services[0].machine_min: not for the priority service",
        ),
        (
            ServiceConfig("P", "长者", "A person", priority=True, documents=[ID_CARD]),
            "services[0].documents: not for the priority service",
        ),
        (ServiceConfig("A", "现金", "Cash", documents=[ID_CARD] * 4), "documents: more than 3"),
        (ServiceConfig("A", "现金", "Cash", machine_min=61), "machine_min: 61; expected 0 to 60"),
        (
            ServiceConfig("A", "现金", "Cash", documents=[DocumentConfig(" ", "ID card")]),
            "services[0].documents[0].zh: ' '; expected a text",
        ),
        (ServiceConfig("A", "现金", "Cash", simple_zh="存钱"), "simple_zh: needs simple_en too"),
        (
            ServiceConfig("P", "长者", "A", priority=True, simple_zh="找人", simple_en="Help"),
            "simple_zh: a priority service is in simple mode already",
        ),
    ],
)
def test_what_cannot_be_shown_is_refused_with_its_key(
    tmp_path, service: ServiceConfig, words: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        _check(kiosk(service), tmp_path / "kiosk.toml")
    assert words in str(refused.value)
    assert "kiosk.toml" in str(refused.value)


def test_simple_mode_has_two_services_at_most(tmp_path) -> None:
    three = [
        msgspec.structs.replace(CASH, letter=letter, zh=letter, en=letter) for letter in "ABC"
    ]
    with pytest.raises(SettingsError, match="more than two with simple_zh"):
        _check(kiosk(*three), tmp_path / "kiosk.toml")


@virtual
async def test_a_visitor_reads_goes_to_the_machine_and_comes_back_for_a_ticket(
    tmp_path: Path,
) -> None:
    config = kiosk(ServiceConfig("A", "现金", "Cash"), CARDS, PERSON)
    async with Bench(tmp_path, config=config) as bench:
        await bench.start()
        bench.tap("service.B")
        assert bench.showing(TriageView).machine_min == 5
        bench.tap("machine")
        assert bench.showing(CodeSaidView).state == "return"
        assert bench.story() == [], "nothing is journalled about who goes to a machine"
        bench.tap("done")
        bench.tap("service.B")
        bench.tap("counter")
        await bench.take("B", dismiss=False)
        assert bench.slips[-1] == "B001"
        bench.tap("done")
        bench.tap("service.B")
        bench.tap("person")
        await bench.take("P", dismiss=False)
        assert bench.slips[-1].startswith("P")
        await bench.stop()


def test_a_language_that_the_configuration_lacks_has_the_english_words() -> None:
    assert Words(zh_CN="现金", en="Cash")["fr"] == "Cash"
    tile = ServiceTile(
        "B",
        Words(zh_CN="非现金业务", en="Cards & accounts"),
        Words(en=""),
        Wait(),
        short={"en": "Cards"},
    )
    assert [tile.brief(each) for each in ("zh_CN", "en", "fr")] == [
        "非现金业务",
        "Cards",
        "Cards",
    ]
