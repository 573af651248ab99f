import pytest
from hypothesis import given, strategies as st

from kiosk import technician
from kiosk.cli_code import main
from kiosk.technician import (
    LONGEST_PAUSE_S,
    MOST_DIGITS,
    PAUSE_S,
    WRONG_FREE,
    Action,
    Session,
    Stage,
    Throttle,
    hash_code,
    is_hash,
    is_right,
    step,
)
from kiosk.ui.corners import WITHIN_S, Corners

SALT = bytes(range(16))
CONTROLS = [
    *(f"{technician.KEY}{digit}" for digit in "0123456789"),
    technician.DELETE,
    technician.ENTER,
    technician.LEAVE,
    technician.AGAIN,
    technician.SLIP,
    technician.GRID,
    technician.BACK,
    technician.RESTART,
    f"{technician.CELL}7",
    "service.A",
    "",
    f"{technician.KEY}²",
    f"{technician.KEY}12",
]


def typed(*controls: str, start: Session | None = None) -> Session:
    session: Session | None = start or Session()
    for control in controls:
        assert session is not None
        session, _ = step(session, control)
    assert session is not None
    return session


def keys(code: str) -> list[str]:
    return [f"{technician.KEY}{digit}" for digit in code]


def test_a_code_is_typed_corrected_and_asked_about() -> None:
    session = typed(*keys("123"), technician.DELETE, *keys("4"))
    assert session.digits == "124"
    assert step(session, technician.ENTER) == (session, Action.CHECK)
    assert step(Session(), technician.ENTER) == (Session(), None)
    assert step(Session(), technician.DELETE) == (Session(), None)
    assert len(typed(*keys("1" * 40)).digits) == MOST_DIGITS


def test_the_menu_and_the_grid() -> None:
    menu = Session(Stage.MENU)
    for control, action in (
        (technician.AGAIN, Action.LOOK),
        (technician.SLIP, Action.SLIP),
        (technician.RESTART, Action.RESTART),
    ):
        assert step(menu, control) == (menu, action)
    grid = typed(technician.GRID, f"{technician.CELL}7", f"{technician.CELL}7", start=menu)
    assert grid.stage is Stage.GRID
    assert grid.touched == frozenset({"7"})
    assert typed(technician.BACK, start=grid).stage is Stage.MENU
    assert typed(technician.BACK, technician.GRID, start=grid).touched == frozenset()
    for session in (Session(), menu, grid):
        assert step(session, technician.LEAVE) == (None, None)


@given(st.lists(st.sampled_from(CONTROLS)))
def test_no_touches_lead_past_the_code(controls: list[str]) -> None:
    session: Session | None = Session()
    for control in controls:
        if session is not None:
            session, action = step(session, control)
            assert action in (None, Action.CHECK)
    assert session is None or session.stage is Stage.CODE


def test_the_third_wrong_code_closes_the_pad_for_longer_each_time() -> None:
    throttle = Throttle()
    for _ in range(WRONG_FREE - 1):
        throttle.note(right=False, now_s=100.0)
        assert throttle.left_s(100.0) == 0
    pauses = []
    for _ in range(12):
        throttle.note(right=False, now_s=100.0)
        pauses.append(throttle.left_s(100.0))
    assert pauses[:3] == [PAUSE_S, 2 * PAUSE_S, 4 * PAUSE_S]
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE_S
    assert throttle.left_s(100.0 + LONGEST_PAUSE_S) == 0
    throttle.note(right=True, now_s=100.0)
    assert throttle.left_s(100.0) == 0
    throttle.note(right=False, now_s=100.0)
    assert throttle.left_s(100.0) == 0


def test_only_the_code_itself_is_right() -> None:
    stored = hash_code("40216385", SALT)
    assert is_hash(stored)
    assert "40216385" not in stored
    assert is_right("40216385", stored)
    assert not is_right("40216384", stored)
    assert not is_right("", stored)


@pytest.mark.parametrize(
    "text", ["", "40216385", "scrypt:", "scrypt:a:b:c", "scrypt:AAAA:AAAA", "scrypt:é:é", "x:y:z"]
)
def test_what_is_no_hash(text: str) -> None:
    assert not is_hash(text)


def test_the_command_shows_the_code_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    printed = capsys.readouterr()
    code = printed.err.split()[1]
    stored = printed.out.splitlines()[1].split('"')[1]
    assert len(code) == technician.CODE_DIGITS
    assert is_right(code, stored)
    assert code not in printed.out
    assert main(["--help"]) == 2


# --- the hidden gesture --------------------------------------------------------------------------

SIZE, EDGE = (1080, 1920), 48
ROUND = [(0, 0), (1079, 0), (1079, 1919), (0, 1919)]


def felt(*touches: tuple[float, float, float]) -> list[bool]:
    corners = Corners(SIZE, EDGE)
    return [corners.touch(x, y, now_s) for x, y, now_s in touches]


def test_four_corners_in_order_open_it() -> None:
    assert felt(*((x, y, float(n)) for n, (x, y) in enumerate(ROUND))) == [False] * 3 + [True]


def test_a_touch_beside_a_corner_begins_anew() -> None:
    touches = [*ROUND[:3], (48, 1000), ROUND[3]]
    assert not any(felt(*((x, y, 0.0) for x, y in touches)))
    assert felt(*((x, y, 0.0) for x, y in [ROUND[0], *ROUND]))[-1]


def test_a_slow_round_counts_for_nothing() -> None:
    step_s = WITHIN_S / 2
    assert not any(felt(*((x, y, n * step_s) for n, (x, y) in enumerate(ROUND))))


@given(
    st.lists(st.tuples(st.floats(48, 1031.9), st.floats(0, 1919)), max_size=30),
)
def test_touches_of_controls_never_open_it(touches: list[tuple[float, float]]) -> None:
    """Every control lies between the margins."""
    assert not any(felt(*((x, y, 0.0) for x, y in touches)))
