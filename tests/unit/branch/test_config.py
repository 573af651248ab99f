"""branch.toml: a good file is read, every bad one gets one sentence with file and key."""

from pathlib import Path

import pytest

from branch.config import read
from branch.rules import engine_of
from sync.settings import SettingsError

GOOD = """\
node = "branch-1"
database = "branch.db"
rating_window_s = 10.0

[branch]
zh = "示例支行"
en = "Example branch"

[http]
host = "127.0.0.1"
port = 8080

[broker]
port = 1883

[queue.head_start_min]
priority = 5.0

[[services]]
letter = "A"
zh = "个人"
en = "Personal"
mean_service_s = 300

[[services]]
letter = "B"
zh = "对公"
en = "Business"

[[counters]]
number = 1
services = ["A", "B"]
pad_node = "kiosk-1"

[[counters]]
number = 2
services = ["B"]
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "branch.toml"
    path.write_text(text, "utf-8")
    return path


def test_a_good_file(tmp_path: Path) -> None:
    config = read(write(tmp_path, GOOD))
    assert config.database == f"sqlite:///{tmp_path}/branch.db"
    assert config.services[0].mean_service_s == 300
    assert config.counters[0].pad_node == "kiosk-1"
    assert config.counters[1].pad_node == ""
    assert config.queue.head_start_min == {"priority": 5.0}


def test_a_database_elsewhere_keeps_its_url(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace("branch.db", "postgresql://lobby@db/lobby"))
    assert read(path).database == "postgresql://lobby@db/lobby"


REFUSALS = [
    # replaced, by, the message after "…/branch.toml: "
    ('node = "branch-1"', 'node = "Branch 1"', "node: 'Branch 1'; expected a-z, 0-9 and '-'"),
    ('node = "branch-1"', 'node = "srv"', "node: 'srv'; expected .*, not pub or srv"),
    ('node = "branch-1"\n', "", "node: missing; it has no default, add it"),
    ('database = "branch.db"', 'database = ""', "database: empty; expected a file name"),
    (
        "_window_s = 10.0",
        "_window_s = 0",
        "rating_window_s: 0.0; expected more than 0, at most 90",
    ),
    ("_window_s = 10.0", "_window_s = 91", "rating_window_s: 91.0; .* at most 90"),
    ("_window_s = 10.0", "_window_s = nan", "rating_window_s: nan"),
    ("rating_window_s", "rating_windows_s", "rating_windows_s: unknown key; did you mean 'rat"),
    (
        "rating_window_s",
        "colour",
        "colour: unknown key; known here: access, announcements, appointments, branch",
    ),
    ('host = "127.0.0.1"', 'host = ""', "http.host: empty; expected an address"),
    ("port = 8080", "port = 65536", "http.port: 65536; expected 0 to 65535"),
    ("port = 8080", 'port = "8080"', "http.port: expected a whole number, got text in quotes"),
    ("port = 8080", "prot = 8080", "http.prot: unknown key; did you mean 'port'"),
    ("port = 1883", "port = 0", "broker.port: 0; expected 1 to 65535"),
    ("port = 1883", 'host = ""', "broker.host: empty"),
    (
        "priority = 5.0",
        "priority = -1",
        r"queue.head_start_min.priority: -1.0; expected 0 to 1440",
    ),
    ("priority = 5.0", "priority = inf", "queue.head_start_min.priority: inf"),
    ("priority = 5.0", "priority = true", "queue.head_start_min.priority: expected a number, got"),
    ('letter = "B"', 'letter = "b"', r"services\[1\].letter: 'b'; expected one of A to Z"),
    ('letter = "B"', 'letter = "AB"', r"services\[1\].letter: 'AB'; expected one of A to Z"),
    ('letter = "B"', 'letter = "A"', r"services\[1\].letter: 'A' is there already"),
    ('letter = "B"', "letter = 2", r"services\[1\].letter: expected text in quotes, got a whole"),
    ('letter = "B"\n', "", r"services\[1\].letter: missing"),
    ('en = "Business"', 'en = "B"\nlettre = "B"', r"services\[1\].lettre: unknown key; did you m"),
    ("mean_service_s = 300", "mean_service_s = 0", r"services\[0\].mean_service_s: 0.0; expected"),
    ("mean_service_s = 300", "mean_service_s = inf", r"services\[0\].mean_service_s: inf"),
    ("number = 2", "number = 1", r"counters\[1\].number: 1 is there already"),
    ("number = 2", "number = 0", r"counters\[1\].number: 0; expected 1 to 99"),
    ("number = 2", "number = 2.5", r"counters\[1\].number: expected a whole number, got a number"),
    ('services = ["B"]', 'services = ["D"]', r"counters\[1\].services: 'D' is not one of the s"),
    ('services = ["B"]', "services = []", r"counters\[1\].services: none"),
    ('services = ["B"]', 'services = ["B", "B"]', r"counters\[1\].services: 'B' is there twice"),
    ('services = ["B"]', 'services = ["B", 2]', r"counters\[1\].services\[1\]: expected text"),
    ('services = ["A", "B"]', 'services = ["B"]', r"services\[0\].letter: 'A' is served by no"),
    ('"kiosk-1"', '"kiosk/1"', r"counters\[0\].pad_node: 'kiosk/1'; expected a-z"),
    ('"kiosk-1"', '"branch-1"', r"counters\[0\].pad_node: 'branch-1' is this server"),
    ('pad_node = "kiosk-1"', 'caller_node = "kiosk/1"', r"counters\[0\].caller_node: 'kiosk/1'; "),
    ('pad_node = "kiosk-1"', 'caller_node = "branch-1"', r"counters\[0\].caller_node: 'branch-1'"),
    ("priority = 5.0", "vip = 6", "segments: elderly would wait behind vip; a social segment has"),
    (
        'letter = "B"',
        'letter = "B"\nopens = "9:00"',
        r"services\[1\]: opens, .*'9:00'; expected a",
    ),
    (
        'letter = "B"',
        'letter = "B"\nopens = "09:00"\ncloses = "09:00"',
        r"services\[1\]: .*opens and closes at the same time",
    ),
    ('letter = "B"', 'letter = "B"\ndaily_limit = -1', r"services\[1\]: .*daily limit -1"),
    ("number = 2", "number = 2\nlevels = {A = 2}", r"counters\[1\].levels.A: is not one of the"),
    ("number = 2", "number = 2\nlevels = {B = 0}", r"counters\[1\].levels.B: 0; expected 1 .*9"),
    ("number = 2", "number = 2\nhelp_below = 0", r"counters\[1\].help_below: 0; expected 1 to"),
    ("number = 2", "number = 2\nelastik = true", r"counters\[1\].elastik: .*did you mean 'elast"),
    ("[broker]", "[brokers]", "brokers: unknown key; did you mean 'broker'"),
    ("[branch]\n", "[[branch]]\n", r"branch: expected a table, got a list \[...\]"),
    ('zh = "示例支行"', "zh = 示例支行", r"not TOML: .*line 6"),
]


@pytest.mark.parametrize(("old", "new", "says"), REFUSALS)
def test_every_refusal_is_one_sentence(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert GOOD.count(old) >= 1
    path = write(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(SettingsError, match=rf"^{path}: {says}") as error:
        read(path)
    assert "\n" not in str(error.value)


def test_a_branch_needs_services_and_counters(tmp_path: Path) -> None:
    head = GOOD[: GOOD.index("[[services]]")]
    counters = GOOD[GOOD.index("[[counters]]") :]
    services = GOOD[GOOD.index("[[services]]") : GOOD.index("[[counters]]")]
    for text, says in (
        ("services = []\n" + head + counters, "services: none"),
        ("counters = []\n" + head + services, "counters: none"),
    ):
        with pytest.raises(SettingsError, match=says):
            read(write(tmp_path, text))


def test_paths_of_updates_are_relative_to_the_file(tmp_path: Path) -> None:
    more = '[updates]\nconfig_key = "c.key"\nfirmware_key = "f.pub"\nbundles = ["fw", "/srv/fw"]\n'
    updates = read(write(tmp_path, GOOD + more)).updates
    assert updates is not None
    assert updates.config_key == str(tmp_path / "c.key")
    assert updates.firmware_key == str(tmp_path / "f.pub")
    assert updates.bundles == [str(tmp_path / "fw"), "/srv/fw"]
    assert read(write(tmp_path, GOOD)).updates is None


def test_a_table_of_cards_needs_a_key_that_signs_it_and_kiosks(tmp_path: Path) -> None:
    key = '[updates]\nconfig_key = "c.key"\nfirmware_key = "f.pub"\n'
    cards = '[cards]\ntable = "cards.json"\nkiosks = ["kiosk-1"]\n'
    found = read(write(tmp_path, GOOD + key + cards)).cards
    assert found is not None
    assert found.table == str(tmp_path / "cards.json")
    for text, says in (
        (cards, r"cards: needs \[updates\]"),
        (key + cards.replace('"kiosk-1"', ""), "cards.kiosks: none"),
        (key + cards.replace("kiosk-1", "kiosk/1"), "cards.kiosks: 'kiosk/1'"),
    ):
        with pytest.raises(SettingsError, match=says):
            read(write(tmp_path, GOOD + text))


CASH = GOOD.replace('letter = "A"', 'letter = "A"\ncash = true')


def test_a_counter_without_cash_has_no_cash_service(tmp_path: Path) -> None:
    text = CASH.replace("number = 1", "number = 1\ncash = false")
    with pytest.raises(SettingsError, match=r"counters\[0\].services: 'A' is a cash service; the"):
        read(write(tmp_path, text))
    config = read(write(tmp_path, CASH.replace("number = 2", "number = 2\ncash = false")))
    engine = engine_of(config)
    assert engine.cash == {"A"}
    assert [c.cash for c in engine.counters.values()] == [True, False]


def test_what_the_queue_takes_from_the_file(tmp_path: Path) -> None:
    text = GOOD.replace(
        "[queue.head_start_min]", "[queue]\npromise_min = 20\n[queue.head_start_min]"
    )
    text = text.replace('services = ["A", "B"]', 'services = ["A", "B"]\nlevels = {A = 3}')
    text = text.replace("number = 2", "number = 2\nelastic = true\nhelp_below = 4")
    engine = engine_of(read(write(tmp_path, text)))
    assert engine.discipline.promise_min == 20
    assert engine.discipline.rate == dict.fromkeys(
        ("vip", "elderly", "disabled", "pregnant", "military", "priority"), 2.0
    )
    assert engine.discipline.emergencies == {"emergency"}
    one, two = engine.counters.values()
    assert (one.services, one.levels, one.state.value) == (("B", "A"), {"A": 3}, "open")
    assert (two.state.value, two.help_below) == ("elastic", 4)


def segments(*rows: str) -> str:
    return GOOD + "".join(f"\n[[segments]]\n{row}\n" for row in rows)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (segments('name = "VIP"'), r"segments\[0\].name: 'VIP'; expected a-z, 0-9 and _, at most"),
        (segments('name = "a"', 'name = "a"'), r"segments\[1\].name: 'a' is there already"),
        (segments('name = "a"\nrate = 0'), r"segments\[0\].rate: 0.0; expected 0.1 to 10"),
        (segments('name = "a"\nrate = 5'), "segments: rates from 1 to 5; the greatest may be 4"),
        (
            segments('name = "a"\nhead_start_min = -2'),
            r"segments\[0\].head_start_min: -2.0; expected 0 to 1440 minutes",
        ),
        (
            segments('name = "old"\nsocial = true', 'name = "vip"\nrate = 2'),
            "segments: old would wait behind vip; a social segment has at least",
        ),
    ],
)
def test_unfair_segments_are_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        read(write(tmp_path, text))


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("promise_min = -1", "queue.promise_min: -1.0; expected 0 to 1440 minutes"),
        ("same_teller_min = 2000", "queue.same_teller_min: 2000.0; expected 0 to 1440"),
        ("call_gap_s = 601", "queue.call_gap_s: 601.0; expected 0 to 600 s"),
        ("calls = 0", "queue.calls: 0; expected 1 to 10"),
        ("ratio = 11", r"queue.ratio: 11; expected 0 \(by score\) to 10"),
        ("ratio = 2", "queue.ratio_segments: none; a ratio needs the segments that it favours"),
        (
            'ratio = 2\nratio_segments = ["rich"]',
            "queue.ratio_segments: 'rich' is not one of the segments",
        ),
        (
            'ratio = 2\nratio_segments = ["vip"]',
            "queue.ratio_segments: elderly is missing; a ratio may not favour others before",
        ),
    ],
)
def test_rules_that_cannot_be(tmp_path: Path, row: str, says: str) -> None:
    text = GOOD.replace("[queue.head_start_min]", f"[queue]\n{row}\n[queue.head_start_min]")
    with pytest.raises(SettingsError, match=says):
        read(write(tmp_path, text))


def test_the_sample_is_a_good_file() -> None:
    config = read(Path(__file__).parents[3] / "deploy" / "branch.toml")
    assert any(service.cash for service in config.services)
    assert any(not counter.cash for counter in config.counters)
    assert any(counter.elastic for counter in config.counters)
