"""Services within services: three taps at most, back in one, nothing to open in simple mode."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, strategies as st

from kiosk import tree
from kiosk.flow import Phase, Tapped, Visit, first_visit, step
from kiosk.presenter import present
from kiosk.view import HomeView, IdleView, Modes, TicketView, TriageView, Wait
from sync.offer import Document, Service, service_problems
from tests.unit.kiosk.bench import KIOSK, Bench, until, virtual

NOW = datetime(2026, 11, 23, 9, 5, tzinfo=UTC)
CASH = Service("A", "现金", "Cash")
CARDS = Service("B", "卡和账户", "Cards & accounts", simple_zh="卡", simple_en="Cards")
NEW = Service("E", "开卡", "New card", within="B", documents=[Document("身份证", "ID card")])
LOST = Service("F", "挂失", "Lost card", within="B")
PERSON = Service("P", "长者", "A person, please", priority=True)
ALL = [CASH, CARDS, NEW, LOST, PERSON]
CONFIG = msgspec.structs.replace(KIOSK, services=ALL)


def shown(visit: Visit, **more: object) -> HomeView:
    values = {"now": NOW, "waits": {}, "online": True, "on_paper": None, "staff_told": False}
    view = present(CONFIG, visit, **{**values, **more})  # type: ignore[arg-type]
    assert isinstance(view, HomeView)
    return view


def letters(view: HomeView) -> str:
    return "".join(tile.letter for tile in view.tiles)


def home() -> Visit:
    return first_visit("en", "P", frozenset("E"), groups=tree.groups(ALL))


@virtual
async def test_three_taps_to_a_ticket_and_one_back_without_the_branch(tmp_path: Path) -> None:
    async with Bench(tmp_path, config=CONFIG) as bench:
        await bench.start()
        view = bench.showing(HomeView)
        assert (letters(view), view.group, view.online) == ("ABP", {}, False)
        assert [tile.letter for tile in view.tiles if tile.group] == ["B"]
        bench.tap("service.B")
        view = bench.showing(HomeView)
        assert (letters(view), view.group["en"]) == ("EFP", "Cards & accounts")
        bench.tap("back")
        assert letters(bench.showing(HomeView)) == "ABP"
        for control in ("service.B", "service.E"):
            bench.tap(control)
        bench.showing(TriageView)
        bench.tap("back")  # to where the service was chosen
        assert letters(bench.showing(HomeView)) == "EFP"
        bench.tap("service.E")
        bench.tap("counter")
        await until(lambda: bench.kiosk.visit.phase is Phase.TICKET)
        assert bench.showing(TicketView).number == "E001"
        bench.tap("done")
        assert letters(bench.showing(HomeView)) == "ABP"
        await bench.stop()


@virtual
async def test_who_leaves_a_group_open_is_asked_and_it_closes(tmp_path: Path) -> None:
    async with Bench(tmp_path, config=CONFIG) as bench:
        await bench.start()
        bench.tap("service.B")
        await until(lambda: isinstance(bench.view, IdleView), within_s=60)
        behind = bench.showing(IdleView).behind
        assert isinstance(behind, HomeView)
        assert letters(behind) == "EFP"
        await until(lambda: isinstance(bench.view, HomeView))
        assert letters(bench.showing(HomeView)) == "ABP"
        await bench.stop()


@virtual
async def test_simple_mode_has_nothing_to_open(tmp_path: Path) -> None:
    async with Bench(tmp_path, config=CONFIG) as bench:
        await bench.start()
        for control in ("access", "access.simple", "access.go"):
            bench.tap(control)
        assert letters(bench.showing(HomeView)) == "BP"
        bench.tap("everything")
        assert letters(bench.showing(HomeView)) == "ABP"
        bench.tap("service.B")
        assert letters(bench.showing(HomeView)) == "EFP"
        bench.tap("back")
        bench.tap("access")
        bench.tap("access.go")
        assert letters(bench.showing(HomeView)) == "BP"
        bench.tap("service.B")
        await until(lambda: bench.kiosk.visit.phase is Phase.TICKET)
        assert bench.showing(TicketView).number == "B001"
        await bench.stop()


def test_a_group_tells_its_shortest_and_its_longest_wait() -> None:
    waits = {"E": Wait(4, 10, 20), "F": Wait(1, 5, 15), "B": Wait(9, 90, 99)}
    tile = shown(home(), waits=waits).tiles[1]
    assert (tile.group, tile.wait) == (True, Wait(None, 5, 20))
    assert shown(home(), waits={"E": Wait(4, 10, 20)}).tiles[1].wait == Wait()
    closed = shown(home(), waits=waits, joining={"F": "full", "B": "closed"}).tiles[1]
    assert (closed.wait, closed.closed) == (Wait(None, 10, 20), "")
    closed = shown(home(), waits=waits, joining={"E": "closing", "F": "full"}).tiles[1]
    assert (closed.wait, closed.closed) == (Wait(), "closed.closing")


def test_a_back_key_at_home_and_a_late_finger_do_nothing() -> None:
    assert step(home(), Tapped("back", "t1")) == (home(), ())
    opened, _ = step(home(), Tapped("service.B", "t1"))
    assert opened.path == ("B",)
    assert step(opened, Tapped("back", "t2"))[0] == home()
    left, _ = step(opened, Tapped("exit", "t3"))
    assert (left.path, left.modes) == ((), Modes())


@pytest.mark.parametrize(
    ("services", "problem"),
    [
        ([CASH, msgspec.structs.replace(LOST, within="Z")], ("services[1].within", "'Z' is not")),
        (
            [msgspec.structs.replace(CASH, within="F"), msgspec.structs.replace(LOST, within="A")],
            ("services[0].within", "'F' is itself within 'A'"),
        ),
        ([msgspec.structs.replace(CASH, within="A")], ("services[0].within", "'A' is itself")),
        ([CASH, msgspec.structs.replace(PERSON, within="A")], ("services[1].within", "not with")),
        ([PERSON, msgspec.structs.replace(LOST, within="P")], ("services[1].within", "not with")),
        (
            [CASH, Service("B", "乙", "B", within="A"), NEW],
            ("services[2].within", "more than 3 taps"),
        ),
        (
            [msgspec.structs.replace(CARDS, machine_min=5), LOST],
            ("services[0]", "documents, machine_min"),
        ),
        (
            [CARDS, *(Service(x, "甲", "A", within="B") for x in "EFGHI")],
            ("services[0]", "5 within it"),
        ),
    ],
)
def test_a_tree_that_cannot_be_shown(services: list[Service], problem: tuple[str, str]) -> None:
    key, says = problem
    assert any(k == key and p.startswith(says) for k, p in service_problems(services))


SERVICES = st.lists(
    st.builds(
        Service,
        letter=st.sampled_from("ABCDEFGH"),
        zh=st.just("甲"),
        en=st.just("A"),
        priority=st.sampled_from([False] * 5 + [True]),
        machine_min=st.sampled_from([0, 0, 5]),
        within=st.sampled_from(["", "", "A", "B", "C", "Z"]),
    ),
    min_size=1,
    max_size=8,
)


@given(SERVICES)
def test_every_service_of_a_good_tree_is_three_taps_away(services: list[Service]) -> None:
    if list(service_problems(services)):
        return
    opened = tree.groups(services)
    reached = dict[str, int]()

    def walk(group: str, taps: int) -> None:
        shown = tree.level(services, group)
        assert sum(not service.priority for service in shown) <= 4
        for service in shown:
            if service.letter in opened:
                walk(service.letter, taps + 1)
            else:
                taken = taps + 1 + service.has_step
                reached[service.letter] = min(taken, reached.get(service.letter, taken))

    walk("", 0)
    assert reached.keys() == {service.letter for service in services} - opened
    assert max(reached.values()) <= 3
    below = [tree.leaves(services, service.letter) for service in tree.level(services, "")]
    assert {leaf.letter for leaves in below for leaf in leaves} == reached.keys()
