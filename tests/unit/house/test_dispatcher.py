"""lobby.py is a thin dispatcher: it imports ours only inside functions."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
OURS = {"firmware", "hal", "sync", "kiosk", "branch", "simulator", "tests"}


def imports_outside_functions(source: str) -> set[str]:
    """Return the top-level names that running the file imports, before any function is called."""
    found: set[str] = set()
    waiting: list[ast.AST] = [ast.parse(source)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
        waiting += ast.iter_child_nodes(node)
    return found


def test_lobby_imports_ours_only_inside_functions():
    source = (ROOT / "lobby.py").read_text(encoding="utf-8")
    assert not imports_outside_functions(source) & OURS


@pytest.mark.parametrize(
    "planted",
    ["import kiosk.cli", "from branch.cli import run", "try:\n    import hal\nfinally:\n    pass"],
)
def test_an_import_outside_functions_is_seen(planted):
    assert imports_outside_functions(f"{planted}\ndef run(): import sync") & OURS
    assert "sync" not in imports_outside_functions(f"{planted}\ndef run(): import sync")


@pytest.mark.parametrize("arguments", [["--help"], ["kiosk", "--help"], ["branch", "--help"]])
def test_help_works_without_loading_any_part(arguments):
    code = (
        f"import sys; sys.argv = ['lobby', *{arguments!r}]\n"
        "import lobby\n"
        "try: lobby.main()\n"
        "except SystemExit as end: assert not end.code, end\n"
        f"loaded = {OURS!r} & set(sys.modules); assert not loaded, loaded\n"
        "assert 'kivy' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Example" in done.stdout


def test_version_is_that_of_the_distribution():
    done = subprocess.run(
        [sys.executable, "-m", "lobby", "--version"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    declared = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'version = "{done.stdout.split()[1]}"' in declared


@pytest.mark.parametrize("command", ["kiosk", "branch"])
def test_a_missing_configuration_is_one_sentence(command, tmp_path):
    missing = tmp_path / "nowhere.toml"
    done = subprocess.run(
        [sys.executable, "-m", "lobby", command, "--config", str(missing)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith(f"lobby {command}: {missing}: there is no such file")
    assert done.stderr.count("\n") == 1
