"""Which key files of pads are taken."""

from pathlib import Path

from kiosk.pad_keys import REVOKED, PadKeys

KEY = bytes(range(32))


def kept(folder: Path, unique_id: str, key: bytes = KEY, mode: int = 0o600) -> None:
    path = folder / f"{unique_id}.key"
    path.write_bytes(key)
    path.chmod(mode)


def test_a_key_is_found_as_soon_as_it_is_there(tmp_path: Path) -> None:
    keys = PadKeys(tmp_path / "pads")
    assert keys("ab01") is None
    (tmp_path / "pads").mkdir()
    kept(tmp_path / "pads", "ab01")
    assert keys("ab01") == KEY


def test_a_key_that_others_may_read_or_of_another_size_is_not_taken(tmp_path: Path) -> None:
    keys = PadKeys(tmp_path)
    kept(tmp_path, "ab01", mode=0o640)
    kept(tmp_path, "ab02", mode=0o604)
    kept(tmp_path, "ab03", KEY[:31])
    (tmp_path / "ab04.key").mkdir()
    assert [keys(f"ab0{number}") for number in (1, 2, 3, 4)] == [None] * 4


def test_only_the_counter_s_own_pad_has_a_key_there(tmp_path: Path) -> None:
    kept(tmp_path, "ab01")
    kept(tmp_path, "ab02")
    keys = PadKeys(tmp_path, only="ab02")
    assert [keys("ab01"), keys("ab02")] == [None, KEY]


def test_a_revoked_pad_is_told_from_one_without_a_key(tmp_path: Path) -> None:
    kept(tmp_path, "ab01")
    (tmp_path / "ab01.revoked").touch()
    assert PadKeys(tmp_path)("ab01") == REVOKED
    assert PadKeys(tmp_path, only="ab02")("ab01") == REVOKED
    (tmp_path / "ab01.revoked").unlink()
    assert PadKeys(tmp_path)("ab01") == KEY


def test_a_name_from_the_line_leads_to_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "pads").mkdir()
    kept(tmp_path, "ab01")
    keys = PadKeys(tmp_path / "pads")
    assert [keys("../ab01"), keys(""), keys("AB01")] == [None] * 3
