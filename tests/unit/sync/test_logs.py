"""Log lines: JSON for a service manager, without local variables, errors only when quiet."""

import json
import sys
from collections.abc import Iterator

import pytest
import structlog

from sync.logs import configure_logging


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def fail(password: str) -> None:
    raise ValueError(f"{len(password)} letters")


@pytest.mark.parametrize("terminal", [False, True])
def test_a_line_of_its_own_without_secrets(
    terminal: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    configure_logging()
    log = structlog.get_logger()
    log.debug("not.told")
    log.info("kiosk.ready", name="一号")
    try:
        fail("".join(["ge", "heim"]))  # the traceback quotes this line, it may not quote the value
    except ValueError:
        log.exception("kiosk.failed")
    out, err = capsys.readouterr()
    assert out == ""
    assert "geheim" not in err
    assert "not.told" not in err
    assert "6 letters" in err
    if not terminal:
        ready, failed = map(json.loads, err.splitlines())
        assert (ready["event"], ready["level"], ready["name"]) == ("kiosk.ready", "info", "一号")
        assert ready["timestamp"].endswith("Z")
        assert failed["exception"][0]["exc_type"] == "ValueError"


def test_quiet_leaves_errors(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(quiet=True)
    structlog.get_logger().warning("w")
    structlog.get_logger().error("e")
    assert [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()] == ["e"]
