"""[standards] and [webhook] of branch.toml: read, and refused with one sentence."""

from pathlib import Path

import pytest

from branch.config import read
from branch.standards import standards_of
from sync.settings import SettingsError
from tests.unit.branch.test_config import GOOD, write

MIN = 60_000
HOOK = '[webhook]\nurl = "https://example.org/lobby"\n'


def test_without_them_the_defaults_hold(tmp_path: Path) -> None:
    config = read(write(tmp_path, GOOD))
    assert config.webhook is None
    one = standards_of(config.standards, ["A"])["A"]
    assert (one.max_wait_ms, one.max_service_ms, one.max_idle_ms, one.max_line) == (
        30 * MIN, 30 * MIN, 3 * MIN, 25,
    )  # fmt: skip


def test_a_service_s_own_and_where_the_secret_is(tmp_path: Path) -> None:
    own = "[standards]\nmax_line = 9\n[standards.services.B]\nmax_wait_min = 7.5\nmax_line = 0\n"
    config = read(write(tmp_path, GOOD + own + HOOK))
    found = standards_of(config.standards, ["A", "B"])
    assert [found[s].max_line for s in "AB"] == [9, 0]
    assert [found[s].max_wait_ms for s in "AB"] == [30 * MIN, 450_000]
    assert config.webhook is not None
    assert config.webhook.secret_file == str(tmp_path / "webhook.key")


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("[standards]\nmax_wait_min = -1", r"standards.max_wait_min: -1.0; expected 0 \(none\)"),
        ("[standards]\nmax_line = 1001", "standards.max_line: 1001; expected 0 .* 1000 people"),
        ("[standards]\nmax_wait = 3", "standards.max_wait: .*max_wait_min"),
        (
            "[standards.services.Z]\nmax_line = 3",
            "standards.services.Z: 'Z' is not one of the services",
        ),
        (
            "[standards.services.A]\nmax_idle_min = 1441",
            "standards.services.A.max_idle_min: 1441.0; expected 0 .* 1440 minutes",
        ),
        (HOOK.replace("https", "ftp"), "webhook.url: 'ftp://.*like https://host/path"),
        (HOOK.replace("example.org", "example.org:port"), "webhook.url: .*like https://host/path"),
        (
            HOOK.replace("example.org", "me:word@example.org"),
            "webhook.url: .*no user name or pass",
        ),
        (HOOK.replace("example.org", ""), "webhook.url: expected a host"),
        (HOOK + 'secret_file = ""', "webhook.secret_file: empty; expected a file name"),
        (HOOK + "timeout_s = 0.0", "webhook.timeout_s: 0.0; expected 0.1 to 60 s"),
        (HOOK + "spool = 0", "webhook.spool: 0; expected 1 to 100000 alerts"),
    ],
)
def test_every_refusal_is_one_sentence(tmp_path: Path, more: str, says: str) -> None:
    path = write(tmp_path, f"{GOOD}\n{more}\n")
    with pytest.raises(SettingsError, match=says) as refused:
        read(path)
    assert "\n" not in str(refused.value)
