"""Signing in, being signed in, and being signed out, over HTTP on the real application."""

import re
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from argon2 import PasswordHasher
from hypothesis import given, strategies as st
from litestar import Litestar
from litestar.testing import AsyncTestClient
from structlog.testing import capture_logs

from branch.access.config import AccessConfig
from branch.access.passwords import Passwords, csrf_of
from branch.access.roles import Role, local_path
from branch.web.sign_in import CSRF_HEADER
from sync.messages import decode_event
from tests.unit.branch.access_house import CHEAP, SECRET, House, house
from tests.unit.branch.bench import BranchBench, settle

Client = AsyncTestClient[Litestar]
KEY = {"Idempotency-Key": "k"}


@pytest.fixture
def there(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path, max_streams=0) as found:
        yield found


@pytest_asyncio.fixture
async def client(there: House) -> AsyncIterator[Client]:
    async with AsyncTestClient(there.app) as found:
        yield found


def meta(text: str) -> str:
    found = re.search(r'<meta name="csrf-token" content="(\w+)">', text)
    assert found, text
    return found[1]


async def sign_in(
    client: Client, name: str = "teller-1", password: str = SECRET, **more: str
) -> Any:
    """As the page does it."""
    page = await client.get("/sign-in")
    body = {"name": name, "password": password, **more}
    return await client.post("/api/sign-in", json=body, headers={CSRF_HEADER: meta(page.text)})


async def test_a_browser_signs_in_and_acts(client: Client) -> None:
    assert (await client.get("/counter/1", follow_redirects=False)).status_code == 303
    answer = await sign_in(client, name=" Teller-1 ", password="K7MW 3NPQ X2HT")
    assert answer.json() == {"next": "/counter"}
    cookie = answer.headers["Set-Cookie"].lower()
    assert cookie.startswith("lobby-session=")
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "path=/" in cookie
    assert "secure" not in cookie
    page = await client.get("/counter/1")
    assert page.status_code == 200
    assert "teller-1" in page.text
    headers = {**KEY, CSRF_HEADER: meta(page.text)}
    answer = await client.post("/api/counters/1/call-next", headers=headers)
    assert answer.json()["code"] == "nobody_waiting"
    assert (await client.get("/api/me")).json()["role"] == "teller"


async def test_the_session_is_a_new_one_at_each_sign_in(client: Client) -> None:
    await sign_in(client)
    first = client.cookies["lobby-session"]
    await sign_in(client)
    assert client.cookies["lobby-session"] != first
    client.cookies.set("lobby-session", first)
    assert (await client.get("/api/me")).status_code == 401


async def test_behind_tls_cookies_never_travel_without_it(tmp_path: Path) -> None:
    with house(tmp_path, AccessConfig(https=True)) as there:
        async with AsyncTestClient(there.app, base_url="https://branch.example") as client:
            cookie = (await sign_in(client)).headers["Set-Cookie"]
            assert cookie.startswith("__Host-lobby-session=")
            assert "; Secure" in cookie
            assert (await client.get("/api/me")).status_code == 200


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("csrf", [None, "wrong", csrf_of("another session")])
async def test_without_the_page_s_token_nothing_changes(
    tmp_path: Path, role: Role, csrf: str | None
) -> None:
    bench = BranchBench(tmp_path)
    async with bench:
        with house(tmp_path, branch=bench.branch) as there:
            async with AsyncTestClient(there.app) as client:
                headers = {**KEY, **there.browser(role, csrf)}
                for action, body in (("open", {"teller": "x"}), ("walk-in", {"service": "A"})):
                    answer = await client.post(
                        f"/api/counters/1/{action}", json=body, headers=headers
                    )
                    assert answer.status_code == 403
                    expected = "not_allowed" if role is Role.TECHNICIAN else "csrf"
                    assert answer.json()["code"] == expected
                for path in ("/api/sign-out", "/api/sign-out-everywhere"):
                    assert (await client.post(path, headers=headers)).json()["code"] == "csrf"
                assert (await client.get("/api/me", headers=headers)).status_code == 200
                assert bench.ledger() == []


async def test_signing_in_needs_the_token_of_the_door(client: Client) -> None:
    body = {"name": "teller-1", "password": SECRET}
    for headers in ({}, {CSRF_HEADER: csrf_of("")}, {CSRF_HEADER: "x"}):
        answer = await client.post("/api/sign-in", json=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "csrf")
        assert "lobby-session" not in client.cookies


async def test_the_server_says_who_opens_a_counter(tmp_path: Path) -> None:
    bench = BranchBench(tmp_path)
    async with bench:
        with house(tmp_path, branch=bench.branch) as there:
            async with AsyncTestClient(there.app) as client:
                headers = {**KEY, **there.browser(Role.TELLER)}
                body = {"teller": "somebody-else"}
                answer = await client.post("/api/counters/1/open", json=body, headers=headers)
                assert answer.status_code == 200, answer.text
            ((raw,),) = bench.rows("event", "raw")
            assert there.people[Role.TELLER].id in raw.decode()
            assert "somebody-else" not in raw.decode()
            assert "teller-1" not in raw.decode()


async def test_a_teller_who_finds_a_counter_open_works_under_the_own_id(tmp_path: Path) -> None:
    bench = BranchBench(tmp_path)
    async with bench:
        for number in ("A001", "A002", "A003"):
            bench.kiosk.stream.printed(bench.kiosk.stream.issued(number).id)
        bench.kiosk.send()
        await settle()
        with house(tmp_path, branch=bench.branch) as there:
            hashed = there.passwords.hash(SECRET)
            other = there.accounts.add("teller-2", Role.TELLER, hashed, 0)
            tellers = {
                there.people[Role.TELLER].id: there.browser(Role.TELLER),
                other.id: {"Authorization": f"Bearer {there.accounts.add_program('teller-2', 0)}"},
            }
            async with AsyncTestClient(there.app) as client:

                async def does(who: str, action: str, key: str, turn: int | None = None) -> Any:
                    headers = {**tellers[who], "Idempotency-Key": key}
                    if turn is not None:
                        headers["Counter-Turn"] = str(turn)
                    return await client.post(f"/api/counters/1/{action}", headers=headers)

                first, second = tellers
                assert (await does(first, "call-next", "a", turn=0)).json()["number"] == "A001"
                again = await does(first, "call-next", "a", turn=0)  # its answer was lost
                assert again.json()["number"] == "A001"
                assert (await does(second, "start", "b")).status_code == 200  # not hers: helps out
                assert (await does(first, "finish", "c")).status_code == 200
                stale = await does(second, "call-next", "d", turn=0)
                assert stale.json()["code"] == "expired"
                assert (await does(second, "call-next", "e")).json()["number"] == "A002"
                assert (await does(second, "finish", "f")).status_code == 200
                manager = {**there.browser(Role.MANAGER), "Idempotency-Key": "g"}
                answer = await client.post("/api/counters/1/call-next", headers=manager)
                assert answer.json()["teller"] == second
                headers = {**manager, "Idempotency-Key": "h"}
                await client.post("/api/counters/1/finish", headers=headers)
                headers = {**headers, "Idempotency-Key": "i"}
                await client.post("/api/counters/1/pause", json={}, headers=headers)
                paused = await does(first, "call-next", "j")
                assert paused.json()["code"] == "paused"
        opened = [
            decode_event(raw).data.teller  # type: ignore[union-attr]
            for (raw,) in bench.rows("event WHERE type = 'counter.opened' ORDER BY seq", "raw")
        ]
        assert opened == [first, second]
        assert bench.ledger()[:3] == ["counter.opened", "ticket.called", "service.started"]


async def test_failures_slow_an_account_down(there: House, client: Client) -> None:
    for _ in range(5):
        answer = await sign_in(client, password="wrong")
        assert (answer.status_code, answer.json()["code"]) == (401, "wrong")
    answer = await sign_in(client)  # the right one is not looked at either
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many")
    assert answer.headers["Retry-After"] == "15"
    assert (await sign_in(client, name="manager-1")).status_code == 200
    there.hands.turn(14)
    assert (await sign_in(client)).headers["Retry-After"] == "1"
    there.hands.turn(1)
    assert (await sign_in(client)).status_code == 200
    assert (await sign_in(client, password="wrong")).status_code == 401


async def test_an_unknown_account_is_refused_and_slowed_down_like_a_known_one(
    client: Client,
) -> None:
    seen: dict[str, list[tuple[int, str, str | None]]] = {}
    for name in ("teller-1", "nobody"):
        for _ in range(7):
            answer = await sign_in(client, name=name, password="wrong")
            said = (answer.status_code, answer.text, answer.headers.get("Retry-After"))
            seen.setdefault(name, []).append(said)
    assert seen["teller-1"] == seen["nobody"]


def test_an_unknown_account_takes_as_long_as_a_wrong_password() -> None:
    passwords = Passwords(PasswordHasher(time_cost=2, memory_cost=8192, parallelism=1))
    known = passwords.hash(SECRET)

    def cost_s(account: str | None) -> float:
        began_s = time.thread_time()
        assert not passwords.verify(account, "k7mw-3npq-x2hh")
        return time.thread_time() - began_s

    fastest = {who: min(cost_s(who) for _ in range(7)) for who in (known, None)}
    assert 0.7 < fastest[known] / fastest[None] < 1.4
    assert fastest[None] > 0.003


@pytest.mark.parametrize(
    ("proxy", "forwarded", "last"),
    [
        ("", "10.9.9.9, 10.0.0.{}", 429),  # anybody can write this header
        ("testclient", "10.9.9.9, 10.0.0.{}", 401),
        ("testclient", "10.0.0.{}, 10.9.9.9", 429),  # ... and what stands before the last entry
    ],
)
async def test_an_address_is_what_our_own_proxy_says(
    tmp_path: Path, proxy: str, forwarded: str, last: int
) -> None:
    with house(tmp_path, AccessConfig(trusted_proxy=proxy)) as there:
        async with AsyncTestClient(there.app) as client:
            for number in range(21):
                client.headers["X-Forwarded-For"] = forwarded.format(number)
                answer = await sign_in(client, name=f"n{number}", password="wrong")
            assert answer.status_code == last


async def test_a_session_survives_a_restart_of_the_server(there: House, client: Client) -> None:
    headers = there.browser(Role.TELLER)
    assert (await client.get("/counter/1", headers=headers)).status_code == 200
    there.restart()
    async with AsyncTestClient(there.app) as anew:
        answer = await anew.get("/counter/1", headers=headers, follow_redirects=False)
        assert answer.status_code == 200
        command = await anew.post("/api/counters/1/call-next", headers={**KEY, **headers})
        assert command.json()["code"] == "nobody_waiting"


async def test_a_session_ends_when_it_is_idle_or_old(there: House, client: Client) -> None:
    headers = there.browser(Role.TELLER)

    async def status(path: str) -> int:
        answer = await client.get(path, headers=headers, follow_redirects=False)
        return int(answer.status_code)

    for _ in range(11):
        there.hands.turn(59 * 60)
        assert await status("/counter/1") == 200
        assert await status("/events/counter/1") == 503  # open to us, and full
    there.hands.turn(59 * 60)
    assert await status("/counter/1") == 200
    there.hands.turn(13 * 60)  # used, but twelve hours old
    assert await status("/counter/1") == 303

    headers = there.browser(Role.TELLER)
    for _ in range(4):  # a page that nobody touches comes back to its stream, and is no use
        there.hands.turn(16 * 60)
        last = await status("/events/counter/1")
    assert last == 401


async def test_signing_out_here_and_everywhere(there: House, client: Client) -> None:
    here, there_too, other = (
        there.browser(Role.TELLER),
        there.browser(Role.TELLER),
        there.browser(Role.MANAGER),
    )
    program = there.program(Role.TELLER)

    async def who(headers: dict[str, str]) -> int:
        return int((await client.get("/api/me", headers=headers)).status_code)

    answer = await client.post("/api/sign-out", headers=here)
    assert answer.json() == {"next": "/sign-in"}
    assert "max-age=0" in answer.headers["Set-Cookie"].lower()
    client.cookies.clear()
    assert [await who(h) for h in (here, there_too, other, program)] == [401, 200, 200, 200]
    here = there.browser(Role.TELLER)
    await client.post("/api/sign-out-everywhere", headers=here)
    client.cookies.clear()
    assert [await who(h) for h in (here, there_too, other, program)] == [401, 401, 200, 200]
    there.accounts.remove("teller-1")  # as the command line does while the server runs
    assert await who(program) == 401


async def test_a_password_reset_ends_sessions_and_tokens(there: House, client: Client) -> None:
    headers = (there.browser(Role.TELLER), there.program(Role.TELLER))
    there.accounts.reset("teller-1", there.passwords.hash("abcd"))
    for header in headers:
        assert (await client.get("/api/me", headers=header)).status_code == 401
    assert (await sign_in(client)).status_code == 401
    assert (await sign_in(client, password="abcd")).status_code == 200


@pytest.mark.parametrize("kind", ["Bearer", "Basic", "bearer"])
async def test_a_wrong_header_is_not_made_good_by_a_cookie(
    there: House, client: Client, kind: str
) -> None:
    headers = {**there.browser(Role.TELLER), "Authorization": f"{kind} wrong"}
    assert (await client.get("/api/me", headers=headers)).status_code == 401


AWAY = [
    "//evil.example", "https://evil.example/", "/\\evil.example", "\\\\evil.example",
    "/\t/evil.example", "/ /evil.example", "javascript:alert(1)", "/x\r\nSet-Cookie: a=b", "",
    "counter/1", "/\x7f/evil.example", "/a\\b", "\n//evil.example",
]  # fmt: skip


@pytest.mark.parametrize("wanted", AWAY)
async def test_nobody_is_sent_to_another_site(client: Client, wanted: str) -> None:
    answer = await sign_in(client, next=wanted)
    assert answer.json() == {"next": "/counter"}
    page = await client.get("/sign-in", params={"next": wanted})
    assert 'data-next=""' in page.text


async def test_the_way_back_keeps_its_question(client: Client) -> None:
    answer = await client.get("/counter/1?lang=en", follow_redirects=False)
    assert answer.headers["Location"] == "/sign-in?next=/counter/1%3Flang%3Den&lang=en"
    page = await client.get(answer.headers["Location"])
    assert 'data-next="/counter/1?lang=en"' in page.text
    assert "Sign in" in page.text
    answer = await sign_in(client, next="/counter/1?lang=en")
    assert answer.json() == {"next": "/counter/1?lang=en"}


@given(st.text(alphabet="/\\ \t\n:.ae?#@%\x00\x7f", max_size=12))
def test_what_is_kept_is_a_path_for_a_browser_too(wanted: str) -> None:
    kept = local_path(wanted, "/home")
    read = "".join(c for c in kept if c not in "\t\n\r").replace("\\", "/").strip("\x00 ")
    assert read.startswith("/")
    assert not read.startswith("//")


async def test_no_secret_is_in_the_file_or_in_a_log(there: House, client: Client) -> None:
    with capture_logs() as logs:
        program = there.program(Role.ADMIN)["Authorization"].split()[1]
        await client.get("/api/counters", headers={"Authorization": f"Bearer {program}"})
        await sign_in(client, password="a wrong one")
        await sign_in(client, name="a-secret-typed-as-name")
        await sign_in(client)
        page = await client.get("/counter/1")
        await client.post("/api/counters/1/call-next", headers={CSRF_HEADER: meta(page.text)})
        await client.post("/api/sign-out", headers={CSRF_HEADER: meta(page.text)})
        await sign_in(client)
    secrets = [
        SECRET, SECRET.replace("-", ""), program, "a wrong one", "a-secret-typed-as-name",
        client.cookies["lobby-session"], client.cookies["lobby-door"], meta(page.text),
    ]  # fmt: skip
    kept = b"".join(path.read_bytes() for path in there.accounts.path.parent.glob("access.db*"))
    assert b"argon2id" in kept
    for secret in secrets:
        assert secret.encode() not in kept
        assert secret not in repr(logs)
    events = {entry["event"] for entry in logs}
    assert events >= {"access.signed_in", "access.refused", "access.acts", "access.signed_out"}


async def test_an_older_hash_is_made_anew(there: House, client: Client) -> None:
    there.sign_in.passwords = Passwords(PasswordHasher(time_cost=2, memory_cost=8, parallelism=1))
    before = there.people[Role.TELLER].password
    assert "t=1," in before
    assert (await sign_in(client)).status_code == 200
    after = there.accounts.existing("teller-1").password
    assert "t=2," in after
    assert (await sign_in(client)).status_code == 200


async def test_a_full_disk_lets_a_teller_work_on_and_nobody_new_in(
    there: House, client: Client
) -> None:
    headers = there.browser(Role.TELLER)
    there.hands.turn(120)
    there.accounts._db.execute("PRAGMA query_only = ON")
    with pytest.raises(sqlite3.Error):
        there.accounts.end_sessions("x")
    command = await client.post("/api/counters/1/call-next", headers={**KEY, **headers})
    assert command.json()["code"] == "nobody_waiting"
    answer = await sign_in(client)
    assert (answer.status_code, answer.json()["code"]) == (503, "not_stored")


async def test_the_page_of_a_wrong_role_says_so_in_words(there: House, client: Client) -> None:
    answer = await client.get("/counter/1?lang=en", headers=there.browser(Role.TECHNICIAN))
    assert answer.status_code == 403
    assert "You are signed in as: technician" in answer.text
    assert 'href="/healthz?lang=en"' in answer.text
    assert CHEAP is there.passwords._hasher
