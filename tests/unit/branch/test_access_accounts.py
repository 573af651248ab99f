"""The file of accounts, and `lobby branch account`."""

import os
import re
import sqlite3
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from branch.access.accounts import AccessUnusable, AccountRefused, Accounts
from branch.access.passwords import LETTERS, Passwords, new_password
from branch.access.roles import Role
from branch.typed import TELLER
from lobby import app
from tests.unit.branch.access_house import CHEAP
from tests.unit.branch.test_config import GOOD

PASSWORD = re.compile(rf"[{LETTERS}]{{4}}-[{LETTERS}]{{4}}-[{LETTERS}]{{4}}")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        accounts = Accounts(tmp_path / "access.db")
        accounts.add("teller-1", Role.TELLER, "x", 0)
        files = list(tmp_path.glob("access.db*"))
        assert len(files) == 3  # with the WAL
        assert {mode(file) for file in files} == {0o600}
        accounts.close()
    finally:
        os.umask(before)


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "access.db"
    Accounts(path).close()
    path.chmod(0o640)
    with pytest.raises(AccessUnusable, match=rf"{path}: mode 640, others can read it; `chmod 600"):
        Accounts(path)


def test_what_is_no_file_of_accounts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AccessUnusable, match="is the folder there and writable"):
        Accounts(tmp_path / "nowhere" / "access.db")
    broken = tmp_path / "broken.db"
    broken.write_bytes(b"not a database" * 100)
    broken.chmod(0o600)
    with pytest.raises(AccessUnusable, match="is it a file of accounts"):
        Accounts(broken)
    later = tmp_path / "later.db"
    Accounts(later).close()
    with sqlite3.connect(later) as db:
        db.execute("PRAGMA user_version = 9")
    db.close()
    with pytest.raises(AccessUnusable, match="schema 9, this version knows 1"):
        Accounts(later)


@pytest.mark.parametrize("name", ["", "Teller", "teller 1", "王", "-a", "a" * 33, "a/b", "a\n"])
def test_a_name_that_cannot_be_typed_is_refused(tmp_path: Path, name: str) -> None:
    accounts = Accounts(tmp_path / "access.db")
    with pytest.raises(AccountRefused, match="expected a-z"):
        accounts.add(name, Role.TELLER, "x", 0)
    accounts.close()


def test_a_pseudonym_is_never_given_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter([7, 7, 7, 8])
    monkeypatch.setattr("branch.access.accounts.secrets.randbelow", lambda _: next(drawn))
    accounts = Accounts(tmp_path / "access.db")
    first = accounts.add("teller-1", Role.TELLER, "x", 0).id
    accounts.remove("teller-1")
    second = accounts.add("teller-1", Role.TELLER, "x", 0).id
    accounts.close()
    assert (first, second) == ("t-100007", "t-100008")
    assert TELLER.fullmatch(first)  # what the ledger takes


def test_passwords_are_verified_as_people_copy_them() -> None:
    passwords = Passwords(CHEAP)
    known = passwords.hash("k7mw-3npq-x2ht")
    for typed in ("k7mw-3npq-x2ht", "K7MW3NPQX2HT", " k7mw 3npq x2ht "):
        assert passwords.verify(known, typed)
    for wrong in ("", "k7mw-3npq-x2h", "k7mw-3npq-x2ht" + " " * 300, "\ud800", "x" * 10_000):
        assert not passwords.verify(known, wrong)
    assert not passwords.verify("no hash", "k7mw-3npq-x2ht")
    assert not passwords.verify(None, "k7mw-3npq-x2ht")
    assert len({new_password() for _ in range(1000)}) == 1000


def test_the_product_hashes_by_argon2id_at_rfc_9106() -> None:
    assert Passwords().hash("x").startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_the_command_line(tmp_path: Path) -> None:
    config = tmp_path / "branch.toml"
    config.write_text(GOOD, "utf-8")

    def run(*words: str) -> tuple[int, str, str]:
        done = CliRunner().invoke(app, ["branch", "account", *words, "--config", str(config)])
        return done.exit_code, done.stdout, done.stderr

    status, password, said = run("add", "teller-1", "--role", "teller")
    assert status == 0
    assert PASSWORD.fullmatch(password.strip())
    assert "shown once" in said
    assert mode(tmp_path / "access.db") == 0o600
    ident = re.search(r"t-\d{6}", said)
    assert ident
    assert run("list")[1].split() == ["teller-1", "teller", ident[0]]
    assert run("add", "teller-1", "--role", "admin")[0] == 2
    assert (
        "expected one of teller, manager, technician, admin"
        in run("add", "x", "--role", "boss")[2]
    )

    accounts = Accounts(tmp_path / "access.db")
    known = accounts.existing("teller-1").password
    assert Passwords().verify(known, password.strip())
    _, token, _ = run("token", "teller-1")
    found = accounts.of_program(token.strip())
    assert found is not None
    assert found.name == "teller-1"
    _, anew, _ = run("reset", "teller-1")
    assert PASSWORD.fullmatch(anew.strip())
    assert anew != password
    assert accounts.of_program(token.strip()) is None
    assert run("remove", "teller-1")[:2] == (0, "")
    assert accounts.all() == []
    accounts.close()
    status, out, said = run("token", "teller-1")
    assert (status, out) == (2, "")
    assert said == "lobby branch account: there is no account 'teller-1'; there are: none\n"
