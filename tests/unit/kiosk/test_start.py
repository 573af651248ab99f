"""What the kiosk's program loads before its first frame."""

import subprocess
import sys
from pathlib import Path


def test_the_program_loads_no_coloured_tracebacks(tmp_path: Path) -> None:
    nowhere = tmp_path / "kiosk.toml"
    ended = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "kiosk", str(nowhere)],
        capture_output=True,
        text=True,
        check=False,
    )
    loaded = {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines()}
    assert ended.returncode == 2
    assert "structlog.dev" in loaded
    assert not [name for name in loaded if name.startswith("rich.")]
