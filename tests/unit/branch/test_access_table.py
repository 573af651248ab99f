"""Every route of the application, asked for by everybody: nobody gets past the table."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from litestar import Litestar, get
from litestar.testing import AsyncTestClient

from branch.access.roles import TABLE, Role, RouteNotInTable, Row, row_of
from branch.web.app import create_app
from branch.web.sign_in import check_routes
from tests.ui.web_branch import ToyBranch
from tests.unit.branch.access_house import House, house, parts
from tests.unit.branch.bench import BranchBench

FILLED = {
    "key": "0" * 16,
    "counter": "1",
    "name": "1",
    "file_path": "staff.css",
    "path": "x",
    "n": "1",
}
LETTERS = {"t": Role.TELLER, "m": Role.MANAGER, "x": Role.TECHNICIAN, "a": Role.ADMIN}
# By hand, and on purpose not from the table: "" is anyone.
EXPECTED = {
    ("GET", r"/|/board|/api/board|/events/board|/healthz|/static/.*|/sign-in"): "",
    ("GET", r"/window(/.*)?|/events/window/.*"): "",
    ("GET", r"/t/.*|/api/t/.*|/c/.*"): "",
    ("POST", r"/api/t/.*"): "",
    ("OPTIONS", r".*"): "",
    ("POST", r"/api/sign-in"): "",
    ("POST", r"/api/sign-out(-everywhere)?"): "tmxa",
    ("GET", r"/api/me|/schema(/.*)?"): "tmxa",
    ("GET", r"/counter(/.*)?|/events/counter/.*|/api/counters(/.*)?"): "tma",
    ("POST", r"/api/counters/.*"): "tma",
    ("GET", r"/hall(/.*)?|/events/hall|/api/hall(/.*)?|/branch.*|/api/branch.*"): "ma",
    ("POST", r"/api/hall/.*"): "ma",
    ("GET", r"/metrics"): "xa",
}


def expected(method: str, path: str) -> set[Role] | None:
    """Who may, None for anyone."""
    method = "GET" if method == "HEAD" else method
    found = [
        letters
        for (known, pattern), letters in EXPECTED.items()
        if known == method and re.fullmatch(pattern, path)
    ]
    assert len(found) == 1, f"{method} {path}: say in this test who may"
    return {LETTERS[letter] for letter in found[0]} or None


def asked(app: Litestar) -> list[tuple[str, str]]:
    """Every method of every route."""
    return sorted(
        (method, route.path_format)
        for route in app.routes
        for method in getattr(route, "methods", ())
    )


@pytest_asyncio.fixture
async def there(tmp_path: Path) -> AsyncIterator[House]:
    """With everything that `lobby branch` serves."""
    bench = BranchBench(tmp_path)
    async with bench:
        with house(tmp_path, branch=bench.branch, **parts(bench), max_streams=0) as found:
            yield found


async def test_every_route_for_every_role_and_nobody(there: House) -> None:
    routes = asked(there.app)
    assert len(routes) > 100
    async with AsyncTestClient(there.app) as client:
        for method, template in routes:
            path = re.sub(r"{(\w+)}", lambda name: FILLED[name[1]], template)
            may = expected(method, template)
            said = f"{method} {template}"
            for role in Role:
                for headers in (there.program, there.browser):
                    answer = await client.request(
                        method, path, headers=headers(role), follow_redirects=False
                    )
                    if may is None or role in may:
                        refused = (401,) if path == "/api/sign-in" else (401, 403)
                        assert answer.status_code not in refused, f"{said} as {role}"
                        full = template.startswith("/events/")
                        assert answer.status_code < 500 or full, f"{said} as {role}"
                    else:
                        assert answer.status_code == 403, f"{said} as {role}"
            client.cookies.clear()
            answer = await client.request(method, path, follow_redirects=False)
            if may is None:
                refused = (401,) if path == "/api/sign-in" else (401, 403)
                assert answer.status_code not in refused, said
            elif answer.status_code == 303:
                assert answer.headers["Location"] == f"/sign-in?next={path}", said
                assert not path.startswith(("/api", "/events", "/metrics")), said
            else:
                assert answer.status_code == 401, said
                assert answer.json()["code"] == "sign_in"
                assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_each_row_is_of_a_known_method_and_of_use() -> None:
    assert {row.method for row in TABLE} <= {"GET", "POST", "OPTIONS"}
    for row in TABLE:
        sample = row.path.replace("*", "x")
        assert row_of(row.method, sample) is row


@pytest.mark.parametrize("path", ["/nobody/thought/of/it", "/api/counter", "/counters"])
def test_a_route_without_a_row_stops_the_start(path: str) -> None:
    @get(path)
    async def forgotten() -> str:
        return ""

    with pytest.raises(RouteNotInTable, match=rf"GET {path} has no row .*access/roles.py"):
        check_routes(Litestar([forgotten], openapi_config=None))


def test_the_application_itself_does_not_start_with_such_a_route(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @get("/nobody/thought")
    async def forgotten() -> str:
        return ""

    monkeypatch.setattr("branch.web.app.desk_routes", lambda _: forgotten)
    with pytest.raises(RouteNotInTable, match="GET /nobody/thought"):
        create_app(ToyBranch(), version="1")


def test_two_rows_for_one_route_stop_the_start() -> None:
    table = (Row("GET", "/a*", None), Row("GET", "/ab", frozenset(Role)))
    assert row_of("HEAD", "/ac", table) is table[0]
    with pytest.raises(RouteNotInTable, match=r"2 rows \(GET /a\* and GET /ab\)"):
        row_of("GET", "/ab", table)


async def test_a_route_that_came_later_without_a_row_is_closed(there: House) -> None:
    @get("/later")
    async def later() -> str:
        return "open"

    there.app.register(later)
    async with AsyncTestClient(there.app) as client:
        answer = await client.get("/later", headers=there.program(Role.ADMIN))
        assert answer.status_code == 500
        assert "open" not in answer.text
