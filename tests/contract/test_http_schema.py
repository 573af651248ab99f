"""The API description against a real branch server with a real SQLite file: schemathesis makes
requests that the description allows and requests that it forbids; no answer is a fault, and each
is as it is described.

Left out: event streams, which do not end, and who may ask for what (tests/unit/branch/
test_access_table.py asks for every route as everybody).
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, seed, settings, strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import CHECKS
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation import GenerationMode

from branch.access.roles import Role
from branch.web.app import create_app
from branch.web.guesses import GUESSES
from branch.web.server import bind, serve
from tests.ui.web_branch import ToyBranch
from tests.unit.branch.access_house import house, parts
from tests.unit.branch.bench import BranchBench, settle
from tests.unit.branch.test_ticket_page import issued

EXAMPLES = 12
KNOWN_COUNTERS = st.sampled_from([1, 2, 3, None])  # None: as it was made
KNOWN_PAGES = st.sampled_from([0, 1, 2])
"""A ticket that was served, one that waits, and one that nobody has."""
UNDESCRIBED = dict.fromkeys(
    ("/api/branch", "/branch.csv", "/branch/tickets.csv"), ("positive_data_acceptance",)
)
"""Which dates a branch has, no description can say: any other is 400, bad_date."""
Headers = dict[str, str]
Served = tuple[Any, Headers, list[str]]


def operations() -> list[str]:
    """METHOD and path of what the description speaks of."""
    with_sign_in = ("/api/sign-in", "/api/sign-out", "/api/sign-out-everywhere", "/api/me")
    there: Any = object()  # not asked anything
    app = create_app(ToyBranch(), version="1", hall=there, figures=there, tickets=there)
    paths = app.openapi_schema.to_schema()["paths"]
    return [
        *(
            f"{method.upper()} {path}"
            for path, methods in paths.items()
            for method in methods
            if not path.startswith("/events/")
        ),
        *(f"{'GET' if path.endswith('me') else 'POST'} {path}" for path in with_sign_in),
    ]


async def live(folder: Path, ready: threading.Event, found: dict[str, Any]) -> None:
    """A branch with a line, until ``found["stop"]`` is called."""
    stop, started = asyncio.Event(), asyncio.Event()
    bench = BranchBench(folder)
    async with bench:
        found["keys"] = [await issued(bench, "A001"), await issued(bench, "A002"), "0" * 16]
        await bench.branch.call_next(1, "c")
        await bench.branch.finish(1, "f")
        for number in ("A003", "A004", "A005"):
            bench.kiosk.stream.printed(bench.kiosk.stream.issued(number).id)
        bench.kiosk.send()
        await settle()
        with house(folder, branch=bench.branch, **parts(bench)) as there:
            listener = bind("127.0.0.1", 0)
            serving = asyncio.create_task(serve(there.app, listener, stop=stop, started=started))
            await started.wait()
            loop = asyncio.get_running_loop()
            found["url"] = f"http://127.0.0.1:{listener.getsockname()[1]}"
            found["headers"] = there.program(Role.ADMIN)
            found["stop"] = lambda: loop.call_soon_threadsafe(stop.set)
            ready.set()
            await serving


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The description as the server hands it out, what lets in, and keys of tickets' pages."""
    ready, found = threading.Event(), dict[str, Any]()
    folder = tmp_path_factory.mktemp("branch")
    thread = threading.Thread(target=lambda: asyncio.run(live(folder, ready, found)))
    thread.start()
    assert ready.wait(30)
    url, headers = found["url"], found["headers"]
    schema = schemathesis.openapi.from_url(f"{url}/schema/openapi.json", headers=headers)
    yield schema, headers, found["keys"]
    found["stop"]()
    thread.join(10)


SEEN: Counter[int] = Counter()
OF_TICKETS: Counter[int] = Counter()


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=str)
@pytest.mark.parametrize("label", operations())
def test_every_answer_is_as_described(served: Served, label: str, mode: GenerationMode) -> None:
    schema, headers, keys = served
    method, path = label.split()

    @seed(1)
    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(
        case=schema[path][method].as_strategy(generation_mode=mode), counter=KNOWN_COUNTERS,
        page=KNOWN_PAGES,
    )  # fmt: skip
    def ask(case: Any, counter: int | None, page: int) -> None:
        parameters = case.path_parameters or {}
        wrong = case.meta.components.get(ParameterLocation.PATH)
        if wrong is None or wrong.mode is GenerationMode.POSITIVE:  # else it is what is refused
            if counter and "counter" in parameters:
                parameters["counter"] = counter
            if "key" in parameters:
                parameters["key"] = keys[page]
        response = case.call(headers=headers)
        SEEN[response.status_code] += 1
        if path.startswith("/api/t/"):
            OF_TICKETS[response.status_code] += 1
        # Our own token goes with every request: whether another one is refused is not seen here.
        ignored = CHECKS.get_by_names(["ignored_auth", *UNDESCRIBED.get(path, ())])
        case.validate_response(response, excluded_checks=ignored)

    try:
        ask()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE, "nothing about this request can be wrong"


def test_after_too_many_keys_that_nobody_has_every_key_has_to_wait(served: Served) -> None:
    schema, headers, keys = served
    path = "/api/t/{key}"
    for key in [keys[2]] * (GUESSES.free + 1) + keys[:1]:
        case = schema[path]["GET"].Case(path_parameters={"key": key})
        response = case.call_and_validate(headers=headers)
        SEEN[response.status_code] += 1
    assert response.status_code == 429
    assert response.headers["retry-after"]


def test_nothing_that_is_described_was_left_out(served: Served) -> None:
    schema, _, _ = served
    described = {made.ok().label for made in schema.get_all_operations()}
    left = described - set(operations())
    assert {label for label in left if not label.startswith("GET /events/")} == set()


def test_the_answers_were_of_every_kind() -> None:
    if not SEEN:
        pytest.skip("nothing was asked: run the whole file")
    assert {200, 400, 403, 404, 409, 429} <= set(SEEN), SEEN
    assert {200, 400, 404, 409} <= set(OF_TICKETS), OF_TICKETS
    assert not any(status >= 500 for status in SEEN)
