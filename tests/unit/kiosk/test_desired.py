"""What the kiosk takes from the branch: whole or not at all, kept, never older."""

from pathlib import Path

import msgspec
import pytest

from branch.config import UpdatesConfig as BranchUpdates
from branch.configuration import read_wanted
from firmware.flash.keys import make_signing_key, sign
from kiosk.config import UpdatesConfig
from kiosk.desired import DESIRED_FILE, DesiredKeeper, Refusal
from sync.configuration import (
    Configuration,
    DesiredConfig,
    WantedFirmware,
    signed_bytes,
    text_of,
)
from tests.firmware.slot_bench import CHIP, bundle

NODE = "kiosk-1"


class Branch:
    """Makes messages as the branch server does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config_key, self.firmware_key = folder / "config.key", folder / "firmware.key"
        for key in (self.config_key, self.firmware_key):
            make_signing_key(key)
        self.count = 0

    def message(
        self, config_version: int, *firmware: str, node: str = NODE, **options: str
    ) -> DesiredConfig:
        folders = []
        for version in firmware:
            self.count += 1
            folder = self.folder / f"fw-{self.count}"
            folders.append(str(bundle(folder, version, self.firmware_key, **options)))
        wanted = read_wanted(
            BranchUpdates(str(self.config_key), f"{self.firmware_key}.pub", folders)
        )
        assert wanted is not None
        return wanted.signed(
            Configuration(
                node=node,
                version=config_version,
                issued_ms=0,
                firmware=list(wanted.firmware),
            )
        )

    def signed(self, text: str) -> DesiredConfig:
        return DesiredConfig(config=text, signature=sign(self.config_key, signed_bytes(text)))

    @property
    def settings(self) -> UpdatesConfig:
        return UpdatesConfig(f"{self.config_key}.pub", f"{self.firmware_key}.pub")


@pytest.fixture
def branch(tmp_path):
    return Branch(tmp_path)


@pytest.fixture
def keeper(tmp_path, branch):
    return DesiredKeeper(tmp_path / "data", NODE, branch.settings, frozenset({CHIP}))


def again(tmp_path, branch) -> DesiredKeeper:
    """The keeper after a restart of the kiosk."""
    keeper = DesiredKeeper(tmp_path / "data", NODE, branch.settings, frozenset({CHIP}))
    keeper.load()
    return keeper


def test_it_is_taken_once_and_outlives_a_restart(tmp_path, branch, keeper):
    keeper.load()
    assert keeper.version == 0
    message = branch.message(3, "1.0.0")
    assert keeper.take(message)
    assert not keeper.take(message)
    kept = again(tmp_path, branch)
    assert kept.version == 3
    assert kept.now is not None
    assert kept.now.bundles[CHIP].version == "1.0.0"
    assert not kept.take(message)
    assert list((tmp_path / "data").glob("**/*.part")) == []


def test_the_table_of_cards_is_kept_and_only_the_branch_empties_it(tmp_path, branch, keeper):
    assert keeper.cards is None
    keeper.take(branch.message(1))
    assert keeper.cards is None
    for version, cards in ((2, {"ab" * 16: "vip"}), (3, {})):
        wanted = Configuration(node=NODE, version=version, issued_ms=0, cards=cards)
        keeper.take(branch.signed(text_of(wanted)))
        assert keeper.cards == again(tmp_path, branch).cards == cards


def test_the_next_one_replaces_it_and_its_firmware(tmp_path, branch, keeper):
    keeper.take(branch.message(1, "1.0.0"))
    keeper.take(branch.message(2, "1.1.0"))
    folders = list((tmp_path / "data/firmware").iterdir())
    assert [folder.name for folder in folders] == [keeper.now.bundles[CHIP].hash]
    keeper.take(branch.message(3))
    assert keeper.now.bundles == {}
    assert list((tmp_path / "data/firmware").iterdir()) == []
    assert again(tmp_path, branch).version == 3


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda b: b.message(1, "1.1.0"), "configuration 1 is older than 2"),
        (lambda b: b.message(2, "1.1.0"), "another configuration 2 is here already"),
        (lambda b: b.message(3, "0.9.0", floor="0.9.0"), r"0\.9\.0 is older than 1\.0\.0"),
        (lambda b: b.message(3, "1.1.0", node="kiosk-2"), "for kiosk-2, this is kiosk-1"),
        (lambda b: b.message(3, "1.1.0", chip="rp2"), f"for rp2; the pads here are {CHIP}"),
        (lambda b: b.signed("{"), "not a configuration"),
        (lambda b: b.signed('{"node":"kiosk-1","version":0,"issued_ms":0}'), "count from 1"),
        (
            lambda b: b.signed('{"node":"kiosk-1","version":9,"issued_ms":0,"colour":1}'),
            "not a configuration: colour: unknown key",
        ),
        (
            lambda b: b.signed(
                '{"node":"kiosk-1","version":9,"issued_ms":0,"cards":{"4417":"vip"}}'
            ),
            "cards: card 1: not a token",
        ),
        (lambda b: msgspec.structs.replace(b.message(3), signature=bytes(64)), "signature"),
        (lambda b: msgspec.structs.replace(b.message(3, "1.1.0"), bundles=[]), "did not come"),
    ],
)
def test_what_is_refused_changes_nothing(tmp_path, branch, keeper, make, says):
    good = branch.message(2, "1.0.0")
    keeper.take(good)
    with pytest.raises(Refusal, match=says):
        keeper.take(make(branch))
    for one in (keeper, again(tmp_path, branch)):
        assert one.now is not None
        assert one.now.text == good.config
        assert one.now.bundles[CHIP].version == "1.0.0"


def test_firmware_is_what_its_maker_signed(branch, keeper):
    message = branch.message(1, "1.0.0")
    (sent,) = message.bundles
    name = next(name for name in sent.files if "core" in name)
    for bad in (
        msgspec.structs.replace(sent, signature=bytes(64)),
        msgspec.structs.replace(sent, files=sent.files | {name: b"x"}),
        msgspec.structs.replace(sent, files={}),
    ):
        with pytest.raises(Refusal, match=r"firmware 1\.0\.0"):
            keeper.take(msgspec.structs.replace(message, bundles=[bad]))
    other = text_of(
        Configuration(
            node=NODE,
            version=1,
            issued_ms=0,
            firmware=[WantedFirmware(chip=CHIP, version="1.9.0", manifest=sent.sha256)],
        )
    )
    with pytest.raises(Refusal, match=r"1\.0\.0 for .* came as 1\.9\.0"):
        keeper.take(msgspec.structs.replace(branch.signed(other), bundles=[sent]))
    assert keeper.now is None


def test_no_file_lands_outside_its_folder(tmp_path, branch, keeper):
    message = branch.message(1, "1.0.0")
    (sent,) = message.bundles
    files = sent.files | {"../../outside": b"x", "slot/../../outside": b"x", "extra": b"x"}
    keeper.take(
        msgspec.structs.replace(message, bundles=[msgspec.structs.replace(sent, files=files)])
    )
    assert not list(tmp_path.rglob("outside"))
    assert not list(tmp_path.rglob("extra"))


def test_without_updates_in_kiosk_toml_nothing_is_taken(tmp_path, branch):
    keeper = DesiredKeeper(tmp_path / "data", NODE, None)
    with pytest.raises(Refusal, match=r"kiosk\.toml has no \[updates\]"):
        keeper.take(branch.message(1))


def test_what_is_damaged_on_disk_is_fetched_again(tmp_path, branch, keeper):
    message = branch.message(1, "1.0.0")
    keeper.take(message)
    core = next((tmp_path / "data/firmware").rglob("core.mpy"))
    core.write_bytes(b"damaged")
    damaged = again(tmp_path, branch)
    assert damaged.now is None
    assert damaged.take(message)
    (tmp_path / "data" / DESIRED_FILE).write_bytes(b"{")
    assert again(tmp_path, branch).now is None


def test_a_disk_that_takes_nothing_is_a_refusal(tmp_path, branch, keeper):
    (tmp_path / "data").write_text("no folder")
    with pytest.raises(Refusal, match="cannot be kept on this kiosk's disk"):
        keeper.take(branch.message(1, "1.0.0"))
