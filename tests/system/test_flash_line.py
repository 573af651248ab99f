"""``lobby flash line`` against a board at the raw REPL of a real MicroPython."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from firmware.flash.errors import BadUse
from firmware.flash.kiosk_line import check_line, set_line
from firmware.flash.repl import RawRepl
from firmware.pad import state
from hal.sim.repl_pad import ReplPad
from tests.system.flash_bench import Bench

pytestmark = pytest.mark.micropython

ROOT = Path(__file__).parents[2]


@pytest.fixture
def board(tmp_path):
    board = ReplPad(tmp_path, "usb-1")
    board.start()
    yield board
    board.stop()


def config(repl: RawRepl) -> dict[str, object]:
    table: dict[str, object] = json.loads(repl.get("/state/config.json"))
    return table


def test_the_line_is_written_beside_what_the_configuration_says(board, tmp_path):
    with RawRepl(board.port) as repl:
        repl.put("/state/config.json", b'{"counter": 5, "roles": ["caller"]}')
        set_line(repl, "bus", 5, 57_600)
        rest = {"counter": 5, "roles": ["caller"]}
        assert config(repl) == rest | {"line": "bus", "address": 5, "baud": 57_600}
        (tmp_path / state.CONFIG_FILE).write_bytes(repl.get("/state/config.json"))
        assert state.line(str(tmp_path)) == ("bus", 5, 57_600)
        set_line(repl, "uart")
        assert config(repl) == rest | {"line": "uart"}
        set_line(repl, "usb")
        assert config(repl) == rest
        for wrong in (b"{", b"[]", b""):
            repl.put("/state/config.json", wrong)
            set_line(repl, "bus", 31)
            assert config(repl) == {"line": "bus", "address": 31}


@pytest.mark.parametrize(
    ("line", "address"), [("bus", 0), ("bus", 32), ("usb", 5), ("uart", 1), ("wlan", 0)]
)
def test_a_line_that_no_pad_has_is_refused(line, address):
    with pytest.raises(BadUse, match="line"):
        check_line(line, address)


def lobby(data: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lobby", "flash", *map(str, arguments)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=50,
        env=os.environ | {"LOBBY_FLASH_DATA": str(data), "LOBBY_OPERATOR": "m012"},
    )  # fmt: skip


def test_the_command(board, tmp_path):
    done = lobby(tmp_path / "data", "line", board.port, "--line", "bus", "--address", 7)
    assert (done.returncode, done.stderr) == (0, "")
    assert "speaks on bus 7 after its next start" in done.stdout
    with RawRepl(board.port) as repl:
        assert config(repl)["address"] == 7
    wrong = lobby(tmp_path / "data", "line", board.port, "--line", "bus")
    assert wrong.returncode == 2
    assert "give --address with --line bus" in wrong.stderr + wrong.stdout


def test_a_pad_that_runs_is_told_its_line_by_the_tool(tmp_path):
    bench = Bench(tmp_path)
    try:
        board = bench.ready("usb-1", 7, bench.bundle())
        told = ["usb-1", "--line", "bus", "--address", 5, "--ports", bench.ports]
        tried = bench.lobby("line", *told, "--dry-run")
        assert (tried.returncode, tried.stdout) == (0, "write the line bus 5\n")
        done = bench.lobby("line", *told)
        assert done.returncode == 0, done.stderr
        assert f"{board.unique_id} speaks on bus 5 after its next start" in done.stdout
        with RawRepl(board.port) as repl:
            written = config(repl)
        assert (written["line"], written["address"], written["counter"]) == ("bus", 5, 7)
    finally:
        for started in bench.boards:
            started.stop()
