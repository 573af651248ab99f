"""The HTTP API: commands, refusals, metrics, what is said about wrong requests; the words."""

import json
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, strategies as st
from litestar import Litestar
from litestar.testing import AsyncTestClient
from prometheus_client import CollectorRegistry

from branch.view import CounterState
from branch.web.app import create_app
from branch.web.pages import counter_page
from branch.web.words import LANGUAGES, WORDS, elapsed_words, wait_words
from tests.ui.web_branch import ToyBranch, Window

Client = AsyncTestClient[Litestar]


@pytest.fixture
def branch() -> ToyBranch:
    return ToyBranch()


@pytest.fixture
async def client(branch: ToyBranch) -> AsyncIterator[Client]:
    async with AsyncTestClient(create_app(branch, version="9.9", max_streams=0)) as client:
        yield client


def key(text: str) -> dict[str, str]:
    return {"Idempotency-Key": text}


async def test_a_ticket_goes_from_call_to_finish(branch: ToyBranch, client: Client) -> None:
    branch.take_ticket("B017", 18)
    states = []
    for action in ("call-next", "recall", "start", "finish"):
        answer = await client.post(f"/api/counters/2/{action}", headers=key(action))
        assert answer.status_code == 200
        states.append((answer.json()["state"], answer.json()["number"], answer.json()["calls"]))
    assert states == [
        ("calling", "B017", 1),
        ("calling", "B017", 2),
        ("serving", "B017", 2),
        ("free", None, 2),
    ]


async def test_the_same_key_is_one_command(branch: ToyBranch, client: Client) -> None:
    branch.take_ticket("A001")
    branch.take_ticket("A002")
    answers = [
        (await client.post("/api/counters/1/call-next", headers=key("k"))).json() for _ in "123"
    ]
    assert answers[0] == answers[1] == answers[2]
    assert [number for number, _ in branch.line] == ["A002"]


@pytest.mark.parametrize("bad", [None, "", "x" * 65, "two words", "\x7f"])
async def test_a_wrong_key_is_a_clear_400(
    branch: ToyBranch, client: Client, bad: str | None
) -> None:
    branch.take_ticket("A001")
    headers = {} if bad is None else key(bad)
    answer = await client.post("/api/counters/1/call-next", headers=headers)
    assert answer.status_code == 400
    assert answer.json()["code"] == "idempotency_key"
    assert "Idempotency-Key: expected 1 to 64" in answer.json()["message"]
    assert branch.commands_done == []


async def test_the_longest_key_is_taken(branch: ToyBranch, client: Client) -> None:
    branch.take_ticket("A001")
    answer = await client.post("/api/counters/1/call-next", headers=key("x" * 64))
    assert answer.status_code == 200


async def test_what_the_state_forbids_is_409_with_its_code(client: Client) -> None:
    codes = {}
    for action in ("call-next", "recall", "start", "miss", "finish"):
        answer = await client.post(f"/api/counters/1/{action}", headers=key(action))
        assert answer.status_code == 409
        assert answer.json()["message"]
        codes[action] = answer.json()["code"]
    assert codes.pop("call-next") == "nobody_waiting"
    assert set(codes.values()) == {"no_ticket"}


async def test_an_unknown_counter_says_which_exist(client: Client) -> None:
    for answer in (
        await client.get("/api/counters/7"),
        await client.post("/api/counters/7/recall", headers=key("k")),
        await client.get("/events/counter/7"),
    ):
        assert answer.status_code == 404
        assert answer.json() == {
            "code": "unknown_counter",
            "message": "there is no counter 7; the counters are 1, 2, 3, 5",
        }


async def test_reading(branch: ToyBranch, client: Client) -> None:
    branch.take_ticket("A007", 3)
    branch.announce("B001", 2, "10:20")
    assert (await client.get("/api/counters")).json() == [1, 2, 3, 5]
    assert (await client.get("/api/counters/3")).json()["up_next"][0]["number"] == "A007"
    board = (await client.get("/api/board")).json()
    assert (board["latest"]["number"], board["latest"]["counter"]) == ("B001", 2)
    assert board["services"][0]["waiting"] == 1


async def test_health_follows_the_branch(branch: ToyBranch, client: Client) -> None:
    answer = await client.get("/healthz")
    assert (answer.status_code, answer.json()["feed"]) == (200, "live")
    branch.healthy = False
    answer = await client.get("/healthz")
    assert (answer.status_code, answer.json()["ok"]) == (503, False)
    assert answer.json()["broker"] == "connected"


async def test_health_fails_when_the_feed_has_ended(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(ToyBranch):
        async def changed(self, revision: int, timeout_s: float) -> int:
            raise RuntimeError("no news")

    async with AsyncTestClient(create_app(Broken(), version="1")) as broken:
        answer = await broken.get("/healthz")
    assert (answer.status_code, answer.json()["feed"]) == (503, "stopped")
    assert "the live pages stopped" in caplog.text


async def test_no_more_streams_than_allowed(client: Client) -> None:
    answer = await client.get("/events/board")
    assert (answer.status_code, answer.json()["code"]) == (503, "too_many_streams")
    assert answer.headers["retry-after"]


async def test_metrics_have_bounded_labels() -> None:
    registry = CollectorRegistry()
    app = create_app(ToyBranch(), version="1", registry=registry)
    async with AsyncTestClient(app) as client:
        for number in range(1, 40):
            await client.get(f"/api/counters/{number}")
            await client.get(f"/no/such/{number}")
            await client.request(f"X{number}", "/")
        text = (await client.get("/metrics")).text
    labels = {line.split(" ")[0] for line in text.splitlines() if "requests_total{" in line}
    assert len(labels) == 4, labels
    assert 'route="/api/counters/{counter}",status="404"' in text
    assert 'lobby_http_requests_total{method="GET",route="unmatched",status="404"} 39.0' in text
    assert 'lobby_http_request_seconds_count{method="GET",route="unmatched"} 39.0' in text
    assert "lobby_http_streams 0.0" in text


async def test_every_answer_carries_the_security_headers(client: Client) -> None:
    paths = ("/", "/counter/1", "/counter/9", "/static/board.js", "/api/board", "/nothing")
    for path in paths:
        headers = (await client.get(path)).headers
        assert "script-src 'self'" in headers["content-security-policy"], path
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] in ("no-store", "no-cache"), path


async def test_the_description_of_the_api_needs_no_other_server(client: Client) -> None:
    for path in ("/schema", "/schema/openapi.json", "/schema/openapi.yaml"):
        answer = await client.get(path)
        assert answer.status_code == 200, path
        assert "cdn" not in answer.text.lower()
    schema = (await client.get("/schema")).json()
    command = schema["paths"]["/api/counters/{counter}/call-next"]["post"]
    assert command["summary"] == "Call the next ticket"
    assert {"200", "400", "404", "409"} <= set(command["responses"])
    headers = {one["name"]: one for one in command["parameters"] if one["in"] == "header"}
    assert set(headers) == {"Idempotency-Key", "Counter-Turn"}
    header = headers["Idempotency-Key"]
    assert (header["name"], header["required"]) == ("Idempotency-Key", True)
    for path, operations in schema["paths"].items():
        assert all(operation["summary"] for operation in operations.values()), path


async def test_an_unknown_page_says_what_there_is(client: Client) -> None:
    answer = await client.get("/tickets")
    assert answer.status_code == 404
    assert "/counter/<number>" in answer.json()["message"]
    for name in ("9", "x", "²", "-1"):
        page = await client.get(f"/counter/{name}")
        assert page.status_code == 404
        assert f"没有 {name} 号窗口" in page.text
        assert '<a href="/counter/5?lang=zh">5 号窗口</a>' in page.text
    assert "Counter 5" in (await client.get("/counter?lang=en")).text


async def test_an_unforeseen_error_is_logged_and_told_apart(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken(ToyBranch):
        def counters(self) -> tuple[int, ...]:
            raise RuntimeError("the disk is gone")

    app = create_app(Broken(), version="1")
    async with AsyncTestClient(app, raise_server_exceptions=False) as client:
        answer = await client.get("/api/counters")
    assert answer.status_code == 500
    assert "the disk is gone" in caplog.text
    assert "the disk is gone" not in answer.text


async def test_names_cannot_bring_markup(branch: ToyBranch, client: Client) -> None:
    branch.announce("<b>", 1, "10:24")
    branch.windows[1] = Window(state=CounterState.CALLING, number='"><script>')
    for path in ("/", "/counter/1"):
        text = (await client.get(path)).text
        assert "<script>" not in text
        assert "<b></p>" not in text


@pytest.mark.parametrize(
    ("wait_min", "zh", "en"),
    [
        ((15, 25), "15–25 分钟", "15–25 min"),
        ((5, 5), "约 5 分钟", "about 5 min"),
        ((0, 0), "现在不用等", "No wait"),
        ((0, 3), "0–3 分钟", "0–3 min"),
        (None, "时间未知", "Unknown"),
    ],
)
def test_waits_in_words(wait_min: tuple[int, int] | None, zh: str, en: str) -> None:
    assert (wait_words(wait_min, "zh"), wait_words(wait_min, "en")) == (zh, en)


@given(st.integers(min_value=-5000, max_value=10**9))
def test_elapsed_is_a_duration_again_when_read(ms: int) -> None:
    parts = [int(part) for part in elapsed_words(ms).split(":")]
    seconds = sum(part * 60**power for power, part in enumerate(reversed(parts)))
    assert seconds == max(0, ms) // 1000
    assert all(part < 60 for part in parts[1:])


@pytest.mark.parametrize("state", list(CounterState))
@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("pad", ["ready", "armed", "rated", "lost", "none", "new kind"])
def test_every_state_has_its_words(state: CounterState, lang: str, pad: str) -> None:
    number = "A001" if state in (CounterState.CALLING, CounterState.SERVING) else None
    branch = ToyBranch()
    branch.windows[1] = Window(state=state, number=number, pad=pad)
    page = counter_page(branch.counter(1), branch.desk(1), WORDS[lang], "1")
    assert page.pad in {"ready", "armed", "rated", "lost", "none"}
    possible = [action.name for action in (page.primary, *page.others) if action.can]
    assert (
        possible
        == {
            CounterState.CLOSED: ["open"],
            CounterState.FREE: ["call-next", "call-next", "call-ticket", "walk-in"],
            CounterState.CALLING: ["start", "recall", "miss", "park", "transfer"],
            CounterState.SERVING: ["finish", "park", "transfer"],
            CounterState.PAUSED: ["open"],
        }[state]
    )
    for action in (page.primary, *page.others):
        assert action.label
        assert action.can or action.note or not action.name, "greyed out without a reason"
    assert "{" not in json.dumps([page.said, page.facts, page.waiting, page.pad_note])


def test_both_languages_have_each_sentence() -> None:
    assert WORDS["zh"].texts.keys() == WORDS["en"].texts.keys()
    chinese_only = {key for key, text in WORDS["en"].texts.items() if not text}
    assert chinese_only == {"board.people"}, "English counts people without a word"
