"""One display for all window tests of a run."""

from collections.abc import Iterator

import pytest

from tests.ui.kiosk_process import Display


@pytest.fixture(scope="session")
def display() -> Iterator[str]:
    """The name of an X display of our own."""
    display = Display()
    yield display.name
    display.close()
