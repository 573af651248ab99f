"""Every command of the technician's tool shows an example, and takes each that it shows."""

import shlex
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

from firmware.flash.cli import app
from firmware.flash.cli_records import provision_app


def commands(program: typer.Typer, name: str):
    """(names, command) of everything below a program."""
    waiting: list[tuple[tuple[str, ...], Any]] = [((name,), typer.main.get_command(program))]
    while waiting:
        path, command = waiting.pop()
        if isinstance(command, TyperGroup):
            waiting += [((*path, word), below) for word, below in command.commands.items()]
        else:
            yield pytest.param(path, command, id=" ".join(path))


ALL = [*commands(app, "flash"), *commands(provision_app, "provision")]
assert len(ALL) > 15


@pytest.mark.parametrize(("path", "command"), ALL)
def test_an_example_is_shown_and_taken(path, command, monkeypatch):
    monkeypatch.setenv("LOBBY_OPERATOR", "m012")
    lines = [line.strip() for line in (command.help or "").splitlines()]
    said = "lobby " + " ".join(path)
    examples = [line for line in lines if line == said or line.startswith(said + " ")]
    assert examples, f"{said}: no example in its help"
    for example in examples:
        words = shlex.split(example)[1 + len(path) :]
        command.make_context(said, words)  # refuses unknown options and missing ones


WRITES = {"pad", "batch", "provision", "rollback", "backup", "restore", "selftest", "label"}
WRITES |= {"install", "export", "import", "line"}


@pytest.mark.parametrize(("path", "command"), ALL)
def test_programs_get_json_and_what_writes_can_be_tried_dry(path, command):
    options = {word for parameter in command.params for word in parameter.opts}
    assert "--json" in options
    if path[-1] in WRITES and path[0] == "flash":
        assert "--dry-run" in options
