"""branch.toml: a good file is read, every bad one gets one sentence with file and key."""

from pathlib import Path

import pytest

from branch.config import read
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
    ("rating_window_s", "colour", "colour: unknown key; known here: branch, broker, counters"),
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
