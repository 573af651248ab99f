"""A recorded day: every bad row is named by its line, and nothing else can go wrong."""

import re
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from simulator.errors import BadInput
from simulator.recorded_day import COLUMNS, USUAL_SERVICE_S, parse_map, read
from tests.unit.simulator.days import DATE, Person, text_of, write

HEADING = ",".join(COLUMNS) + "\r\n"
GOOD = f"T1,{DATE},PS,ORD,100,110,110,200,SERVED\r\n"
RECORDED = Path(__file__).parents[4] / "shared" / "data" / "bank_calls_1999_02_01-19.csv"


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "day.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_good_day(tmp_path: Path) -> None:
    path = write(tmp_path, [
        Person(200, 60, service="NW", segment="VIP"), Person(100, 90), Person(150, None, 30),
    ])  # fmt: skip
    day = read(path, date=None)
    assert (day.date, day.skipped) == (DATE, [])
    assert [(a.line, a.ticket, a.service, a.segment, a.arrive_s) for a in day.arrivals] == [
        (3, "T2", "PS", "ORD", 100.0),
        (4, "T3", "PS", "ORD", 150.0),
        (2, "T1", "NW", "VIP", 200.0),
    ]
    assert [(a.service_s, a.patience_s) for a in day.arrivals] == [
        (90.0, None), (None, 30.0), (60.0, None),
    ]  # fmt: skip
    assert day.median_service_s() == {"PS": 90.0, "NW": 60.0}


def test_medians_of_services_that_nobody_was_served_in(tmp_path: Path) -> None:
    people = [Person(1, 10), Person(2, 30), Person(3, 20), Person(4, None, 5, "NW")]
    assert read(write(tmp_path, people), date=DATE).median_service_s() == {"PS": 20.0, "NW": 20.0}
    alone = read(write(tmp_path, people[3:]), date=DATE)
    assert alone.median_service_s() == {"NW": USUAL_SERVICE_S}


BAD_ROWS = [
    (f"T1,{DATE},PS,ORD,100,110,110,110,SERVED", "service of 0 s"),
    (f"T1,{DATE},PS,ORD,100,110,110,90,SERVED", "service of -20 s"),
    (f"T1,{DATE},PS,ORD,100,90,-1,-1,ABANDONED", "left 10 s before it arrived"),
    (f"T1,{DATE},,ORD,100,110,110,200,SERVED", "service is missing"),
    ("T1,,PS,ORD,100,110,110,200,SERVED", "date is missing"),
    ("T1,  ,PS,ORD,100,110,110,200,SERVED", "date is missing"),
    (f"T1,{DATE},PS,ORD,,110,110,200,SERVED", "arrive_s is missing"),
    (f"T1,{DATE},PS,ORD,noon,110,110,200,SERVED", "arrive_s 'noon' is not a number"),
    (f"T1,{DATE},PS,ORD,nan,110,110,200,SERVED", "arrive_s nan is not a second of the day"),
    (f"T1,{DATE},PS,ORD,1e9,110,110,200,SERVED", "arrive_s 1e9 is not a second of the day"),
    (f"T1,{DATE},PS,ORD,-1,110,110,200,SERVED", "arrive_s -1 is not a second of the day"),
    (f"T1,{DATE},PS,ORD,100,110,110,,SERVED", "end_s is missing"),
    (f"T1,{DATE},PS,ORD,100,,-1,-1,ABANDONED", "leave_queue_s is missing"),
    (f"T1,{DATE},PS,ORD,100,110,110,200,LOST", "outcome 'LOST'"),
    (f"T1,{DATE},PS,ORD,100,110,110,200,", "outcome is missing"),
    (f"T1,{DATE},PS,ORD", "outcome is missing"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "reason"), BAD_ROWS)
def test_a_bad_row_is_named_by_its_line(tmp_path: Path, row: str, reason: str) -> None:
    day = read(written(tmp_path, HEADING + GOOD + row + "\r\n" + GOOD), date=DATE)
    assert [a.line for a in day.arrivals] == [2, 4]
    assert [bad.line for bad in day.skipped] == [3]
    assert day.skipped[0].reason.startswith(reason)


def test_lines_are_counted_as_an_editor_does(tmp_path: Path) -> None:
    text = HEADING + "\r\n" + GOOD.replace("T1", '"T\n1"') + GOOD.replace("100", "x")
    day = read(written(tmp_path, text), date=DATE)
    assert [a.line for a in day.arrivals] == [4]
    assert [bad.line for bad in day.skipped] == [5]


def test_a_byte_order_mark_and_more_columns_do_not_matter(tmp_path: Path) -> None:
    text = "more," + HEADING + "x," + GOOD.strip() + ",and more\r\n"
    day = read(written(tmp_path, b"\xef\xbb\xbf" + text.encode()), date=None)
    assert len(day.arrivals) == 1


def test_other_names_by_map(tmp_path: Path) -> None:
    text = (HEADING + GOOD).replace("arrive_s", "came").replace("service", "queue", 1)
    path = written(tmp_path, text)
    with pytest.raises(BadInput, match=r"no column 'service'; it has: .*--map service=NAME"):
        read(path, date=None)
    names = parse_map(["service=queue", "arrive_s=came"])
    assert read(path, date=None, names=names).arrivals[0].arrive_s == 100.0
    with pytest.raises(BadInput, match="no column 'nowhere'"):
        read(path, date=None, names={**names, "end_s": "nowhere"})


@pytest.mark.parametrize("option", ["service", "service=", "=queue", "colour=red", ""])
def test_a_map_that_cannot_be(option: str) -> None:
    with pytest.raises(BadInput, match=r"expected OURS=THEIRS, where OURS is one of ticket"):
        parse_map([option])


def test_the_date_is_chosen(tmp_path: Path) -> None:
    other = GOOD.replace(DATE, " 2026-11-24 ")
    path = written(tmp_path, HEADING + GOOD + other + other)
    with pytest.raises(BadInput, match=r"2 dates; choose one with --date: 2026-11-23, 2026-11-24"):
        read(path, date=None)
    assert len(read(path, date="2026-11-24").arrivals) == 2
    with pytest.raises(BadInput, match="nothing on 2026-11-25; it has: 2026-11-23"):
        read(path, date="2026-11-25")


@pytest.mark.parametrize("date", ["23.11.2026", "20261123", "2026-W48-1", "1969-12-31", "today"])
def test_a_date_in_another_style_is_refused(tmp_path: Path, date: str) -> None:
    path = written(tmp_path, HEADING + GOOD.replace(DATE, date))
    with pytest.raises(BadInput, match=f"the date '{re.escape(date)}' is not written YYYY-MM-DD"):
        read(path, date=None)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "no column 'ticket'; it has: none"),
        (HEADING, "has 0 dates; choose one with --date: none"),
        (HEADING + GOOD.replace("SERVED", "?"), "no row of .* can be used; first: outcome"),
        (HEADING.encode() + b"\xff\xfe\n", "cannot be read as CSV in UTF-8"),
        (HEADING + '"' + "x" * 200_000 + '",\n', "cannot be read as CSV.*field"),
    ],
)
def test_files_that_hold_no_day(tmp_path: Path, content: str | bytes, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        read(written(tmp_path, content), date=None)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there is no such file"):
        read(tmp_path / "nowhere.csv", date=None)
    with pytest.raises(BadInput, match="cannot be read"):
        read(tmp_path, date=None)


cells = st.one_of(
    st.sampled_from([DATE, "PS", "SERVED", "ABANDONED", "100", "200.5", "-1", "nan", "", " "]),
    st.text(st.characters(codec="utf-8"), max_size=6),
)
tables = st.lists(st.lists(cells, max_size=11).map(",".join), max_size=6).map("\n".join)


contents = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")),
    tables.map(str.encode),
    tables.map(lambda rows: (HEADING + rows).encode()),
)


@given(contents, st.sampled_from([None, DATE]))
def test_no_text_raises_anything_but_bad_input(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, date: str | None
) -> None:
    said, day = "", None
    try:
        day = read(written(tmp_path_factory.getbasetemp(), content), date=date)
    except BadInput as error:
        said = str(error)
    assert "day.csv" in said or day is not None
    if day is not None:
        assert day.arrivals
        assert all(value > 0 for value in day.median_service_s().values())


people = st.builds(
    Person,
    arrive_s=st.floats(0, 80_000).map(lambda s: round(s, 3)),
    service_s=st.none() | st.floats(1, 5_000).map(lambda s: round(s, 3)),
    patience_s=st.floats(0, 900).map(lambda s: round(s, 3)),
)


@given(st.lists(people, min_size=1, max_size=20))
def test_what_was_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, day_out: list[Person]
) -> None:
    day = read(written(tmp_path_factory.getbasetemp(), text_of(day_out)), date=None)
    assert not day.skipped
    assert [a.arrive_s for a in day.arrivals] == sorted(p.arrive_s for p in day_out)
    for arrival in day.arrivals:
        person = day_out[arrival.line - 2]
        assert arrival.arrive_s == person.arrive_s
        assert arrival.service_s == pytest.approx(person.service_s, abs=2e-3)
        if person.service_s is None:
            assert arrival.patience_s == pytest.approx(person.patience_s, abs=2e-3)


@pytest.mark.skipif(
    not RECORDED.exists(), reason=f"the recorded days are not here: {RECORDED.name}"
)
def test_the_recorded_days() -> None:
    day = read(RECORDED, date="1999-02-08")
    assert (len(day.arrivals), [bad.line for bad in day.skipped]) == (1154, [8757, 8934, 9288])
    with pytest.raises(BadInput, match="choose one with --date"):
        read(RECORDED, date=None)
