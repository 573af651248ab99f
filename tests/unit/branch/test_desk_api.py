"""The counters' other commands over HTTP: bodies, refusals, repeats, the OpenAPI document."""

import asyncio
import random
from pathlib import Path
from typing import Any

from litestar import Litestar
from litestar.testing import AsyncTestClient

from branch.commands import EVENT_OF
from branch.web.app import create_app
from tests.unit.branch.bench import BranchBench, settle
from tests.unit.branch.test_desk import BANK

Client = AsyncTestClient[Litestar]


def headers(key: str, turn: int | None = None) -> dict[str, str]:
    found = {"Idempotency-Key": key}
    if turn is not None:
        found["Counter-Turn"] = str(turn)
    return found


async def test_a_visit_by_http(tmp_path: Path) -> None:
    bench = BranchBench(tmp_path, BANK)
    async with bench, AsyncTestClient(create_app(bench.branch, version="1")) as client:
        kiosk = bench.kiosk
        ticket = kiosk.stream.issued("A001").id
        kiosk.stream.printed(ticket)
        kiosk.send(*kiosk.stream.raws)
        await settle()

        async def post(action: str, key: str, body: Any = None, turn: int | None = None) -> Any:
            return await client.post(
                f"/api/counters/1/{action}", json=body, headers=headers(key, turn)
            )

        called = (await post("call-next", "k1", turn=0)).json()
        assert (called["number"], called["turn"], called["window"]) == ("A001", 1, "open")
        stale = await post("park", "k2", {"minutes": 5}, turn=0)
        assert (stale.status_code, stale.json()["code"]) == (409, "expired")
        body = {"service": "B", "counter": 2, "back": True, "note": "has the form"}
        answers = [await post("transfer", "k3", body, turn=1) for _ in range(2)]
        assert [a.status_code for a in answers] == [200, 200], answers[0].text
        assert [a.json()["turn"] for a in answers] == [2, 2]
        for action, wrong in (
            ("transfer", {"service": "cash"}),
            ("transfer", {}),
            ("park", {"minutes": -1}),
            ("park", {"minutes": 1, "until": 2}),
            ("park", {"note": "x" * 81}),
            ("unpark", {"number": ""}),
            ("call-ticket", {"number": "A001"}),
            ("open", []),
        ):
            answer = await post(action, "k5", wrong)
            assert answer.status_code == 400, (action, wrong, answer.text)
        missing = await client.post("/api/counters/1/pause", json={})
        assert (missing.status_code, missing.json()["code"]) == (400, "idempotency_key")
        unknown = await client.post("/api/counters/77/pause", json={}, headers=headers("k"))
        assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_counter")
        assert bench.ledger()[:2] == ["ticket.called", "ticket.transferred"]


async def test_two_tellers_at_one_instant_by_http(tmp_path: Path) -> None:
    bench = BranchBench(tmp_path, BANK)
    async with bench, AsyncTestClient(create_app(bench.branch, version="1")) as client:
        stream = bench.kiosk.stream
        for number in range(1, 21):
            stream.printed(stream.issued(f"A{number:03}", at=number).id, at=number)
        bench.kiosk.send(*stream.raws)
        await settle()

        async def work(counter: int) -> list[str]:
            numbers = []
            for turn in range(10):
                url = f"/api/counters/{counter}"
                # Each answer is asked for twice at once, as a page does whose line is bad.
                first, again = await asyncio.gather(
                    *(client.post(f"{url}/call-next", headers=headers(f"c{turn}"))
                      for _ in range(2))
                )  # fmt: skip
                assert first.json()["number"] == again.json()["number"]
                numbers.append(first.json()["number"])
                await client.post(f"{url}/finish", headers=headers(f"f{turn}"))
            return numbers

        found = await asyncio.gather(work(1), work(3))
        assert sorted([*found[0], *found[1]]) == [f"A{n:03}" for n in range(1, 21)]


async def test_every_command_is_described(tmp_path: Path) -> None:
    bench = BranchBench(tmp_path, BANK)
    async with bench, AsyncTestClient(create_app(bench.branch, version="1")) as client:
        schema = (await client.get("/schema")).json()
        for kind in EVENT_OF:
            name = str(kind.__struct_config__.tag)
            path = schema["paths"][f"/api/counters/{{counter}}/{name}"]["post"]
            assert path["operationId"] == name
            assert {"200", "400", "404", "409", "503"} <= set(path["responses"])
            (media,) = path["requestBody"]["content"].values()
            assert kind.__name__ in str(media["schema"]), name


LONG = "现金" * 40
ODD: tuple[Any, ...] = (None, True, -1, 0, 2**63, 1.5, "", "A", "Z", "A001", "\0", LONG, [], {})
KEYS = ("service", "counter", "back", "note", "minutes", "number", "reason", "segment", "teller")


async def test_no_body_makes_the_server_stumble(tmp_path: Path) -> None:
    """Anything may come; it is done or refused, and the ledger stays whole."""
    rng = random.Random(5)
    bench = BranchBench(tmp_path, BANK)
    async with bench, AsyncTestClient(create_app(bench.branch, version="1")) as client:
        stream = bench.kiosk.stream
        for number in range(1, 30):
            stream.printed(stream.issued(f"A{number:03}", "ABC"[number % 3]).id)
        bench.kiosk.send(*stream.raws)
        await settle()
        names = [str(kind.__struct_config__.tag) for kind in EVENT_OF]
        codes: set[int] = set()
        for number in range(600):
            body: Any = {key: rng.choice(ODD) for key in rng.sample(KEYS, rng.randint(0, 3))}
            if rng.random() < 0.5:
                body = {
                    "transfer": {"service": rng.choice("ABCZ"), "counter": rng.choice((0, 2, 9))},
                    "unpark": {"number": f"A{rng.randint(1, 30):03}"},
                    "rejoin": {"number": f"A{rng.randint(1, 30):03}"},
                    "walk-in": {"service": rng.choice("ABC")},
                    "tag": {"number": f"A{rng.randint(1, 30):03}", "segment": "vip"},
                    "call-ticket": {"number": f"A{rng.randint(1, 30):03}", "reason": "frail"},
                }  # fmt: skip
            action = rng.choice([*names, "call-next", "start", "miss", "finish", "recall"])
            if isinstance(body, dict) and action in body:
                body = body[action]
            url = f"/api/counters/{rng.choice((1, 2, 3, 4, 77))}/{action}"
            answer = await client.post(url, json=body, headers=headers(f"k{number}"))
            assert answer.status_code in (200, 400, 404, 409), (url, body, answer.text)
            codes.add(answer.status_code)
        assert codes == {200, 400, 404, 409}
        live = bench.branch.engine
        await bench.restart()
        assert bench.branch.engine == live
        assert bench.branch.skipped_events == 0
