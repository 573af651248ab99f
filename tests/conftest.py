"""What all tests share: hypothesis profiles, seeds, golden files, no network beyond loopback."""

import ipaddress
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings

from tests import longest

# Examples per property: while one works, in CI (always the same ones), and overnight.
PROFILES = {"dev": 50, "ci": 300, "nightly": 5000}
PROFILE_VARIABLE = "LOBBY_HYPOTHESIS"
SEED_VARIABLE = "LOBBY_SEED"
TESTS = Path(__file__).parent
GOLDEN = TESTS / "golden"

_profile = os.environ.get(PROFILE_VARIABLE) or ("ci" if os.environ.get("CI") else "dev")
_seed = int(os.environ.get(SEED_VARIABLE) or random.SystemRandom().randrange(2**32))
os.environ[SEED_VARIABLE] = str(_seed)  # the processes that share the tests have one seed

for _name, _examples in PROFILES.items():
    settings.register_profile(
        _name,
        max_examples=_examples,
        derandomize=_name == "ci",
        print_blob=True,
        # A busy machine is no finding; pytest's own timeout ends what hangs.
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
settings.load_profile(_profile)

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell's background job ignores it, and so would every program that a test stops with it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rewrite-golden",
        action="store_true",
        help="write the golden files as they come out now; read the diff before keeping it",
    )


def pytest_report_header() -> list[str]:
    return [
        f"hypothesis: {PROFILE_VARIABLE}={_profile}, {PROFILES[_profile]} examples",
        f"seed: {SEED_VARIABLE}={_seed}",
    ]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: longest.rank(item.path.relative_to(TESTS)))


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """A command that a test runs in this process writes its log to that test's terminal."""
    yield
    structlog.reset_defaults()


def pytest_configure() -> None:
    sys.addaudithook(_refuse_the_network)


def _refuse_the_network(event: str, arguments: tuple[object, ...]) -> None:
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return  # not a connection, or a Unix socket
    if host and not _is_loopback(host.decode() if isinstance(host, bytes) else str(host)):
        raise PermissionError(f"a test wanted to connect to {host}: tests stay on loopback")


def _is_loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host == "localhost"
    # 0.0.0.0 and :: are what a server listens on.
    return address.is_loopback or address.is_unspecified


@pytest.fixture
def seed() -> int:
    """The seed of this run; it is printed at the top. LOBBY_SEED=N repeats a run."""
    return _seed


@pytest.fixture
def rng() -> random.Random:
    """A stream of chance of this test's own, from the seed of this run."""
    return random.Random(_seed)


Eventually = Callable[..., None]


@pytest.fixture
def eventually() -> Eventually:
    """Wait for a condition with a deadline: `eventually(lambda: paper.slips, within_s=5)`."""

    def wait(condition: Callable[[], object], within_s: float = 5.0, poll_s: float = 0.01) -> None:
        deadline = time.monotonic() + within_s
        pause = threading.Event()
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail(f"did not come true within {within_s} s")
            pause.wait(poll_s)

    return wait


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, bytes], None]:
    """Compare bytes with a file of tests/golden; `make golden` writes it anew."""

    def compare(name: str, actual: bytes) -> None:
        path = GOLDEN / name
        if request.config.getoption("--rewrite-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(actual)
            return
        assert path.exists(), f"no golden file {path}: run `make golden` and read what it wrote"
        assert actual == path.read_bytes(), f"{path} differs: a change of meaning? `make golden`"

    return compare
