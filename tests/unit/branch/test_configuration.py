"""What the branch tells its kiosks: signed, versions that rise, and what they answer."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from branch.card_table import CardTable
from branch.config import UpdatesConfig
from branch.configuration import HIGHEST_VERSION, ConfigurationDesk, read_wanted
from branch.store import Store
from firmware.flash.keys import make_signing_key, verify
from sync.clock import system_clock
from sync.configuration import (
    AppliedConfig,
    Configuration,
    DesiredConfig,
    PadApplied,
    read_configuration,
    signed_bytes,
)
from sync.messages import decode
from sync.settings import SettingsError
from sync.topics import CFG
from tests.firmware.slot_bench import bundle

TOKEN = "0123456789abcdef0123456789abcdef"


class Told:
    """A transport that keeps what is published."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, DesiredConfig]] = []

    def publish(self, topic: object, name: str, payload: bytes, **_: object) -> bool:
        assert topic is CFG
        self.messages.append((name, decode(payload, DesiredConfig)))
        return True

    def last(self) -> Configuration:
        return read_configuration(self.messages[-1][1].config)


class Server:
    """A desk on its database; ``desk()`` is a new start of the server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config_key, self.firmware_key = folder / "config.key", folder / "firmware.key"
        for key in (self.config_key, self.firmware_key):
            make_signing_key(key)
        self.store = Store(f"sqlite:///{folder}/branch.db")
        self.told = Told()
        self.bundles: list[str] = []

    def build(self, version: str, chip: str = "rp2") -> str:
        folder = self.folder / f"fw-{version}-{chip}"
        return str(bundle(folder, version, self.firmware_key, chip=chip))

    @property
    def settings(self) -> UpdatesConfig:
        return UpdatesConfig(str(self.config_key), f"{self.firmware_key}.pub", self.bundles)

    def desk(self, *nodes: str) -> ConfigurationDesk:
        transport: Any = self.told
        return ConfigurationDesk(
            read_wanted(self.settings),
            nodes or ("kiosk-1",),
            store=self.store,
            transport=transport,
            clock=system_clock(),
        )


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    server.store.close()


def test_each_node_is_told_what_is_wanted_signed(server: Server) -> None:
    server.bundles = [server.build("1.0.0"), server.build("1.0.0", "esp32")]
    server.desk("kiosk-1", "kiosk-2").connected()
    assert [name for name, _ in server.told.messages] == ["bq/1/kiosk-1/cfg", "bq/1/kiosk-2/cfg"]
    _, message = server.told.messages[0]
    public = Path(f"{server.config_key}.pub")
    verify(public, signed_bytes(message.config), message.signature, "it")
    said = read_configuration(message.config)
    assert (said.node, said.version) == ("kiosk-1", 1)
    assert [(one.chip, one.version) for one in said.firmware] == [
        ("rp2", "1.0.0"),
        ("esp32", "1.0.0"),
    ]
    assert [one.sha256 for one in message.bundles] == [one.manifest for one in said.firmware]
    assert any(name.startswith("slot/") for name in message.bundles[0].files)


def test_the_same_wish_keeps_its_version_and_another_gets_the_next(server: Server) -> None:
    server.desk().connected()
    server.desk().connected()
    first, second = (message for _, message in server.told.messages)
    assert first == second
    server.bundles = [server.build("1.0.0")]
    server.desk().connected()
    assert server.told.last().version == 2
    server.bundles = []
    server.desk().connected()
    assert server.told.last().version == 3


@pytest.mark.parametrize(
    "answer",
    [
        AppliedConfig(node="kiosk-1", version=7),
        AppliedConfig(node="kiosk-1", version=1, refused=1, reason="another 1 is here already"),
    ],
)
def test_a_restored_database_is_raised_above_what_its_kiosks_have(
    server: Server, answer: AppliedConfig
) -> None:
    desk = server.desk()
    desk.connected()
    desk.applied("kiosk-1", answer)
    assert server.told.last().version == answer.version + 1
    desk.applied("kiosk-1", AppliedConfig(node="kiosk-1", version=answer.version + 1))
    assert len(server.told.messages) == 2
    server.desk().connected()
    assert server.told.last().version == answer.version + 1


def test_a_version_that_leaves_no_room_is_not_believed(server: Server) -> None:
    desk = server.desk()
    desk.connected()
    desk.applied("kiosk-1", AppliedConfig(node="kiosk-1", version=HIGHEST_VERSION))
    assert len(server.told.messages) == 1


def test_health_says_who_applied_what(server: Server) -> None:
    desk = server.desk()
    desk.connected()
    assert desk.health() == {"kiosk-1": {"wanted": 1, "applied": None, "refused": "", "pads": {}}}
    applied = AppliedConfig(
        node="kiosk-1",
        version=0,
        refused=1,
        reason="the signature is wrong",
        pads=[PadApplied(counter=2, state="failed", firmware="1.0.0", firmware_hash="ab")],
    )
    with capture_logs() as logs:
        desk.applied("kiosk-1", applied)
        desk.applied("kiosk-1", applied)
    assert [line["event"] for line in logs] == ["config.refused"]
    assert desk.health()["kiosk-1"] == {
        "wanted": 1,
        "applied": 0,
        "refused": "1: the signature is wrong",
        "pads": {"2": {"state": "failed", "firmware": "1.0.0", "hash": "ab", "detail": ""}},
    }


def test_without_a_wish_nobody_is_told_and_all_are_heard(server: Server) -> None:
    transport: Any = server.told
    desk = ConfigurationDesk(
        read_wanted(None),
        ["kiosk-1"],
        store=server.store,
        transport=transport,
        clock=system_clock(),
    )
    desk.connected()
    desk.applied("kiosk-1", AppliedConfig(node="kiosk-1", version=9))
    assert server.told.messages == []
    assert list(desk.health()) == ["kiosk-1"]


def test_a_key_that_went_away_is_told_and_stops_nothing(server: Server) -> None:
    desk = server.desk()
    server.config_key.unlink()
    with capture_logs() as logs:
        desk.connected()
    assert [line["event"] for line in logs] == ["config.not_told"]
    assert server.told.messages == []


def test_the_start_refuses_what_it_could_not_send(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = server.build("1.0.0")
    server.bundles = [one, server.build("1.1.0")]
    with pytest.raises(
        SettingsError, match=r"^branch\.toml: updates\.bundles: two for the chip rp2"
    ):
        read_wanted(server.settings)
    server.bundles = [one]
    monkeypatch.setattr("branch.configuration.MAX_MESSAGE_BYTES", 1_000)
    with pytest.raises(SettingsError, match="in one message, at most 1000 are taken"):
        read_wanted(server.settings)
    server.bundles = [f"{one}-gone"]
    with pytest.raises(SettingsError, match="no bundle"):
        read_wanted(server.settings)
    server.bundles = []
    server.config_key.chmod(0o644)
    with pytest.raises(SettingsError, match="others may read this private key"):
        read_wanted(server.settings)


def test_the_table_of_cards_is_told_to_its_kiosks_and_anew_when_it_changes(
    server: Server,
) -> None:
    server.bundles = [server.build("1.0.0")]
    table = server.folder / "cards.json"
    table.write_text(json.dumps({TOKEN: "vip"}))
    cards = CardTable(table, ["kiosk-2"], frozenset({"vip", "ordinary"}))
    transport: Any = server.told
    desk = ConfigurationDesk(
        read_wanted(server.settings), ["kiosk-1"], store=server.store, transport=transport,
        clock=system_clock(), cards=cards,
    )  # fmt: skip
    desk.connected()
    (with_pads, _), (with_reader, message) = server.told.messages
    assert (with_pads, with_reader) == ("bq/1/kiosk-1/cfg", "bq/1/kiosk-2/cfg")
    assert server.told.last().cards == {TOKEN: "vip"}
    assert (server.told.last().firmware, message.bundles) == ([], [])
    desk.look()
    assert len(server.told.messages) == 2
    for wrong in ("{", json.dumps({TOKEN: "king"})):
        _rewrite(table, wrong)
        with capture_logs() as logs:
            desk.look()
            desk.look()
        (entry,) = logs
        assert (entry["event"], entry["kept"]) == ("cards.refused", 1)
        assert str(table) in entry["error"]
    assert len(server.told.messages) == 2
    _rewrite(table, "{}")
    desk.look()
    assert (server.told.last().cards, server.told.last().version) == ({}, 2)
    table.unlink()
    desk.look()
    assert cards.cards == {}
    with pytest.raises(SettingsError, match="lobby cards add"):
        CardTable(table, ["kiosk-2"], frozenset())


def _rewrite(path: Path, text: str) -> None:
    path.write_text(text)
    at = path.stat().st_mtime_ns + 1_000_000_000
    os.utime(path, ns=(at, at))
