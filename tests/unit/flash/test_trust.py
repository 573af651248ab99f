"""Keys, bundles, codes and the registry: what is refused, and what each refusal says."""

import sqlite3
import stat

import pytest

from firmware.flash.bundle import SIGNATURE, build, read_bundle
from firmware.flash.errors import BadUse, NotAllowed, NotTrusted
from firmware.flash.keys import PadKeys, make_signing_key
from firmware.flash.label import label_text, write_label
from firmware.flash.registry import Registry, checked_operator


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    (folder / "pad").mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "pad/__init__.py").write_text('VERSION = "1.2.3"\n')
    for name in ("boot", "slots"):
        (folder / f"pad/{name}.py").write_text("x = 1\n")
    return folder


@pytest.fixture
def key(tmp_path):
    path = tmp_path / "keys/signing.key"
    make_signing_key(path)
    return path


def test_the_same_source_makes_the_same_manifest(tmp_path, source, key):
    first, slot, root = build(tmp_path / "1", chip="rp2", signing_key=key, source=source)
    again = build(tmp_path / "2", chip="rp2", signing_key=key, source=source)[0]
    assert first.manifest == again.manifest
    assert [item.file for item in root] == ["lib/slots.mpy", "main.py", "boot.py"]
    assert all(item.data[:2] == b"M\x06" for item in slot)
    read = read_bundle(tmp_path / "1", key.with_name("signing.key.pub"))
    assert (read.version, read.floor, read.hash) == ("1.2.3", "1.2.3", first.hash)


@pytest.mark.parametrize("damaged", ["MANIFEST.json", SIGNATURE, "slot/firmware/pad/boot.mpy"])
def test_a_changed_bundle_is_not_trusted(tmp_path, source, key, damaged):
    build(tmp_path / "1", chip="rp2", signing_key=key, source=source)
    path = tmp_path / "1" / damaged
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(NotTrusted, match=r"signature|not the file"):
        read_bundle(tmp_path / "1", key.with_name("signing.key.pub"))


def test_another_key_is_not_trusted(tmp_path, source, key):
    build(tmp_path / "1", chip="rp2", signing_key=key, source=source)
    other = make_signing_key(tmp_path / "keys/other.key")
    with pytest.raises(NotTrusted, match=r"not by the key of .*other\.key\.pub"):
        read_bundle(tmp_path / "1", other)


def test_what_cannot_be_built_is_said(tmp_path, source, key):
    with pytest.raises(BadUse, match=r"floor 2\.0\.0 is above"):
        build(tmp_path / "1", chip="rp2", signing_key=key, source=source, floor="2.0.0")
    with pytest.raises(BadUse, match="there are rp2, esp32, linux"):
        build(tmp_path / "1", chip="z80", signing_key=key, source=source)
    (source / "pad/boot.py").write_text("def\n")
    with pytest.raises(BadUse, match=r"(?s)boot\.py: does not compile: .*SyntaxError"):
        build(tmp_path / "1", chip="rp2", signing_key=key, source=source)


def test_private_keys_are_private_outside_the_project_and_never_overwritten(tmp_path, source, key):
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    with pytest.raises(BadUse, match="there is a key already"):
        make_signing_key(key)
    from firmware.flash.bundle import SOURCE

    with pytest.raises(NotAllowed, match="inside the project's own folder"):
        make_signing_key(SOURCE / "signing.key")
    key.chmod(0o644)
    with pytest.raises(NotAllowed, match="chmod 600"):
        build(tmp_path / "1", chip="rp2", signing_key=key, source=source)


def test_pad_keys(tmp_path):
    keys = PadKeys(tmp_path / "pads")
    assert keys.get("aa") is None
    key = keys.get_or_make("aa")
    assert len(key) == 32
    assert keys.get_or_make("aa") == key != keys.get_or_make("bb")
    assert stat.S_IMODE(keys.path("aa").stat().st_mode) == 0o600
    keys.path("bb").write_bytes(b"short")
    with pytest.raises(BadUse, match="5 bytes, a pad's key has 32"):
        keys.get("bb")
    keys.revoke("aa")
    keys.revoke("aa")
    assert keys.get("aa") is None


def test_pairing_codes_are_for_one_counter_one_pad_and_a_time(tmp_path):
    clock = [1000.0]
    registry = Registry(tmp_path / "r.db", now_s=lambda: clock[0])
    code = registry.new_code(5, 600)
    with pytest.raises(NotAllowed, match="no such pairing code for counter 6"):
        registry.use_code(code, 6, "aa")
    registry.use_code(code.lower(), 5, "aa")
    registry.use_code(code, 5, "aa")
    with pytest.raises(NotAllowed, match="used for another pad"):
        registry.use_code(code, 5, "bb")
    many = registry.new_code(0, 600)
    registry.use_code(many, 5, "aa")
    registry.use_code(many, 6, "bb")
    clock[0] += 601
    with pytest.raises(NotAllowed, match="expired"):
        registry.use_code(code, 5, "aa")
    with pytest.raises(BadUse, match="1 to 3600"):
        registry.new_code(5, 0)
    with sqlite3.connect(tmp_path / "r.db") as database:
        assert code not in str(database.execute("SELECT * FROM codes").fetchall())


def test_one_active_pad_a_counter(tmp_path):
    registry = Registry(tmp_path / "r.db")
    assert registry.provisioned("aa", 5, "rating", "m012", replace=False) is None
    with pytest.raises(NotAllowed, match="add --replace"):
        registry.provisioned("bb", 5, "rating", "m012", replace=False)
    assert registry.provisioned("bb", 5, "rating", "m012", replace=True) == "aa"
    assert [(row.unique_id, row.state) for row in registry.pads()] == [
        ("bb", "active"), ("aa", "revoked"),
    ]  # fmt: skip
    old, new = registry.pad("aa"), registry.pad("bb")
    assert old is not None
    assert new is not None
    assert label_text(new) == "LOBBY-PAD;bb;5;rating"
    assert write_label(new, tmp_path)[0].read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(BadUse, match="aa is revoked"):
        write_label(old, tmp_path)


@pytest.mark.parametrize("name", ["Wang Xiulan", "wangxiulan", "", "m-12"])
def test_an_operator_is_an_id(name):
    with pytest.raises(BadUse, match="never a person's name"):
        checked_operator(name)


def test_the_keys_of_a_kiosk_take_no_counter_s_place(tmp_path):
    registry = Registry(tmp_path / "r.db")
    for unique_id, role in (("aa", "rating"), ("bb", "keys")):
        assert registry.provisioned(unique_id, 1, role, "m012", replace=False) is None
    with pytest.raises(NotAllowed, match="kiosk 1 has the pad bb"):
        registry.provisioned("cc", 1, "keys", "m012", replace=False)
    assert registry.provisioned("cc", 1, "keys", "m012", replace=True) == "bb"
    held = {role: registry.holder(1, role) for role in ("caller", "keys")}
    assert {role: row and row.unique_id for role, row in held.items()} == {
        "caller": "aa",
        "keys": "cc",
    }
    keys = registry.holder(1, "keys")
    assert keys is not None
    label = write_label(keys, tmp_path)[1].read_text()
    assert label.startswith("Kiosk 1\nRole    keys\n")


def test_a_registry_of_before_is_taken_over(tmp_path):
    registry = Registry(tmp_path / "r.db")
    registry.provisioned("aa", 1, "rating", "m012", replace=False)
    registry._database.executescript(
        "DROP INDEX one_pad_a_place;"
        "CREATE UNIQUE INDEX one_pad_a_counter ON pads (counter) WHERE state = 'active'"
    )
    registry.close()
    registry = Registry(tmp_path / "r.db")
    assert registry.provisioned("bb", 1, "keys", "m012", replace=False) is None
