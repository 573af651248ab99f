"""What [access] of branch.toml may say."""

from pathlib import Path

import pytest

from branch.access.config import AccessConfig, access_problems
from branch.access.roles import ANYONE, Role, Row, table_text
from branch.config import read
from sync.settings import SettingsError
from tests.unit.branch.test_config import GOOD, write


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ('accounts = ""', "access.accounts: empty; expected a file name like access.db"),
        ("idle_min = 0", "access.idle_min: 0.0; expected more than 0, at most 1440"),
        ("idle_min = nan", "access.idle_min: nan; expected more than 0"),
        ("session_max_h = 169", "access.session_max_h: 169.0; expected more than 0, at most 168"),
        (
            'trusted_proxy = "proxy.local"',
            "access.trusted_proxy: 'proxy.local'; expected an IP address like 127.0.0.1",
        ),
        ("enable = false", "access.enable: unknown key; did you mean 'enabled'"),
    ],
)
def test_every_refusal_names_the_key(tmp_path: Path, row: str, says: str) -> None:
    path = write(tmp_path, f"{GOOD}\n[access]\n{row}\n")
    with pytest.raises(SettingsError, match=rf"^{path}: {says}"):
        read(path)


def test_without_the_table_a_sign_in_is_asked_for(tmp_path: Path) -> None:
    access = read(write(tmp_path, GOOD)).access
    assert access.enabled
    assert access.accounts == f"{tmp_path}/access.db"
    assert list(access_problems(AccessConfig(trusted_proxy="::1"))) == []


def test_the_table_is_printed_a_row_a_route() -> None:
    table = (Row("GET", "/", ANYONE), Row("POST", "/x*", frozenset({Role.TECHNICIAN})))
    assert table_text(table).splitlines()[2:] == [
        "| GET | `/` | yes |  |  |  |  |",
        "| POST | `/x*` |  |  |  | yes |  |",
    ]
