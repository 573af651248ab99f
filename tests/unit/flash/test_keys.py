"""Keys that go to a kiosk: what is installed, what is revoked, what a sealed file gives away."""

import json
import stat

import pytest

from firmware.flash.errors import BadUse, NotAllowed
from firmware.flash.handover import FORMAT, read_sealed, write_sealed
from firmware.flash.keys import KeyTable, PadKeys
from kiosk.pad_keys import REVOKED, PadKeys as KioskKeys

OLD, NEW = "e661aa", "e661bb"


def test_a_swap_arrives_at_the_kiosk_in_one_act_and_changes_nothing_twice(tmp_path):
    tool, kiosk = PadKeys(tmp_path / "tool"), PadKeys(tmp_path / "kiosk")
    old_key = tool.get_or_make(OLD)
    assert kiosk.install(tool.table()) == [f"{OLD}: key"]
    asked = KioskKeys(kiosk.folder)
    assert asked(OLD) == old_key
    tool.revoke(OLD)
    key = tool.get_or_make(NEW)
    assert kiosk.install(tool.table()) == [f"{OLD}: revoked", f"{NEW}: key"]
    assert (asked(OLD), asked(NEW)) == (REVOKED, key)
    assert not kiosk.path(OLD).exists()
    assert stat.S_IMODE(kiosk.path(NEW).stat().st_mode) == 0o600
    assert kiosk.install(tool.table()) == []


def test_a_revoked_pad_that_comes_back_gets_another_key(tmp_path):
    keys, kiosk = PadKeys(tmp_path / "tool"), PadKeys(tmp_path / "kiosk")
    before = keys.get_or_make(OLD)
    keys.revoke(OLD)
    assert keys.get(OLD) is None
    kiosk.install(keys.table())
    after = keys.get_or_make(OLD)
    assert after != before
    assert keys.table() == KeyTable({OLD: after}, frozenset())
    kiosk.install(keys.table())
    assert KioskKeys(kiosk.folder)(OLD) == after


def test_a_key_beside_a_mark_is_no_key(tmp_path):
    keys = PadKeys(tmp_path)
    before = keys.get_or_make(OLD)
    keys.mark(OLD).touch()
    assert keys.get(OLD) is None
    assert keys.get_or_make(OLD) != before


def test_a_sealed_file_says_nothing_without_its_code(tmp_path):
    table = KeyTable({NEW: bytes(range(32))}, frozenset({OLD}))
    path = tmp_path / "keys.sealed"
    code = write_sealed(table, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert bytes(range(32)).hex() not in path.read_text()
    assert NEW not in path.read_text()
    assert read_sealed(path, code.lower()) == table
    with pytest.raises(NotAllowed, match="does not open it"):
        read_sealed(path, code[:-1] + ("A" if code[-1] != "A" else "B"))
    with pytest.raises(BadUse, match="File exists"):
        write_sealed(table, path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no file of `keys export`"),
        ("[]", "no file of `keys export`"),
        (json.dumps({"format": "other"}), "'other', expected 'lobby pad keys 1'"),
        (json.dumps({"format": FORMAT}), "no file of `keys export`"),
    ],
)
def test_another_file_is_named(tmp_path, text, said):
    path = tmp_path / "x"
    path.write_text(text)
    with pytest.raises(BadUse, match=said):
        read_sealed(path, "code")


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (KeyTable({"../x": bytes(32)}, frozenset()), "'../x' is no unique id"),
        (KeyTable({}, frozenset({""})), "'' is no unique id"),
        (KeyTable({NEW: bytes(31)}, frozenset()), "has 31 bytes"),
    ],
)
def test_what_leads_elsewhere_is_not_installed(tmp_path, table, said):
    path = tmp_path / "x"
    with pytest.raises(BadUse, match=said):
        read_sealed(path, write_sealed(table, path))
