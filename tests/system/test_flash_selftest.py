"""The self-test with a bench that has fingers and eyes: it presses and looks as it is told."""

import json
import re
import subprocess

import pytest

from tests.system.flash_bench import ROOT, Bench

pytestmark = pytest.mark.micropython

RATING = [f"key-{n}" for n in range(1, 6)] + [f"lamp-{n}" for n in range(1, 6)] + ["display"]
CALLER = [f"teller-{n}" for n in range(1, 6)] + ["digits"]


class Person:
    """Does what the tool says at one board; dead keys and lamps are not felt, not seen."""

    def __init__(self, board, dead=(), stuck_for=None) -> None:
        self.board = board
        self.dead = dead
        self.instead = dict(stuck_for or {})

    def obey(self, line: str) -> str:
        """What is typed in answer to a line of the tool; nothing for most lines."""
        if found := re.match(r"Press ((key|teller)-(\d)) ", line):
            name: str = self.instead.get(found[1], str(found[1]))
            if name not in self.dead:
                key = name.replace("key-", "").replace("teller-", "t")
                self.board.bench._write(f"down {key}\n")
                self.board.bench._write(f"up {key}\n")
            return ""
        if found := re.match(r"lamp-(\d): ", line):
            lit = [at + 1 for at, on in enumerate(self.board.bench.leds()) if on]
            seen = [lamp for lamp in lit if f"lamp-{lamp}" not in self.dead]
            return "y\n" if seen == [int(found[1])] else "n\n"
        if line.startswith("digits: "):
            return "y\n" if self.board.bench.digits() == "8888" else "n\n"
        if line.startswith("buzzer: "):
            return "y\n" if self.board.bench._leds_path.read_text().split()[3] == "1" else "n\n"
        return "y\n" if line.endswith("[y/n]\n") else ""


@pytest.fixture
def bench(tmp_path):
    bench = Bench(tmp_path)
    yield bench
    for board in bench.boards:
        board.stop()


def run_at(bench, board, person, *options):
    """Run the self-test; its exit status and its table."""
    tool = subprocess.Popen(
        bench.command("selftest", board.port, "--json", "--wait", "1", *options),
        cwd=ROOT, env=bench.environment, text=True, bufsize=1,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert tool.stdin is not None
    assert tool.stderr is not None
    assert tool.stdout is not None
    said = []
    for line in tool.stderr:
        said.append(line)
        if typed := person.obey(line):
            tool.stdin.write(typed)
            tool.stdin.flush()
    table = tool.stdout.read()
    status = tool.wait(10)
    for pipe in (tool.stdin, tool.stdout, tool.stderr):
        pipe.close()
    assert table, said
    return status, json.loads(table)


def failed(table) -> dict[str, str]:
    return {row["part"]: row["said"] for row in table["parts"] if not row["ok"]}


def test_every_part_of_both_roles_is_good(bench):
    board = bench.ready("usb-1", 7, bench.bundle(), role="both")
    status, table = run_at(bench, board, Person(board))
    assert (status, table["passed"], failed(table)) == (0, True, {})
    assert [row["part"] for row in table["parts"]] == [*RATING, *CALLER, "buzzer", "link"]
    log = json.loads(bench.lobby("log", "--json").stdout)
    assert log["log"][-1]["outcome"] == "passed: 19 parts"
    kept = log["selftests"][board.unique_id]
    assert [row["part"] for row in kept] == [row["part"] for row in table["parts"]]
    assert all(row["ok"] and row["operator"] == "m012" for row in kept)


def test_a_pad_for_keys_has_four_keys_and_four_lamps(bench):
    board = bench.ready("usb-1", 1, bench.bundle(), role="keys")
    status, table = run_at(bench, board, Person(board, stuck_for={"key-3": "key-5"}))
    assert status == 1
    parts = [f"{part}-{n}" for part in ("key", "lamp") for n in range(1, 5)]
    assert [row["part"] for row in table["parts"]] == [*parts, "buzzer", "link"]
    assert failed(table) == {"key-3": "key-5 answered instead"}


def test_a_dead_key_and_a_dead_lamp_are_named(bench):
    board = bench.ready("usb-1", 7, bench.bundle())
    person = Person(board, dead=("key-2", "lamp-4"), stuck_for={"key-5": "key-3"})
    status, table = run_at(bench, board, person)
    assert status == 1
    assert failed(table) == {
        "key-2": "not felt within 1 s",
        "key-5": "key-3 answered instead",
        "lamp-4": "not seen or heard as it should be",
    }
    log = json.loads(bench.lobby("log", "--json").stdout)
    assert log["log"][-1]["outcome"] == "failed: key-2, key-5, lamp-4"
    listed = bench.lobby("list", "--ports", bench.ports).stdout
    assert "ready" in listed  # it runs again


def test_answers_may_be_given_beforehand(bench):
    board = bench.ready("usb-1", 7, bench.bundle())
    told = ["--answer", "all=yes", "--answer", "lamp-3=no"]
    status, table = run_at(bench, board, Person(board, dead=("lamp-1",)), *told)
    assert (status, list(failed(table))) == (1, ["lamp-3"])
    refused = bench.lobby("selftest", board.port, "--answer", "lamp-3=perhaps")
    assert refused.returncode == 2
    assert "an answer is PART=yes or PART=no" in refused.stderr


def test_a_board_without_firmware_has_nothing_to_be_tested_with(bench):
    board = bench.board("usb-1")
    refused = bench.lobby("selftest", board.port)
    assert refused.returncode == 1
    assert "no firmware to test with" in refused.stderr
    assert "flash the pad first" in refused.stderr
