"""`lobby branch` as it is installed: closed until somebody may come in, and open to them again as
soon as it answers after it was killed.
"""

import asyncio
import logging
import re
import subprocess
import sys
import time
from pathlib import Path

import httpx

from tests.system.test_calling_kills import ROOT, configure, fill, free_port, open_server

CSRF = re.compile(r'name="csrf-token" content="(\w+)"')
log = logging.getLogger(__name__)
HANGS_S = 15.0


def account(config: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, str(ROOT / "lobby.py"), "branch", "account", *words, "-c", str(config)],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    return done.stdout.strip()


async def answering(client: httpx.AsyncClient, path: str) -> httpx.Response:
    async with asyncio.timeout(20):
        while True:
            try:
                return await client.get(path)
            except httpx.TransportError:
                await asyncio.sleep(0.02)


async def test_a_signed_in_teller_is_back_at_her_ticket_after_a_kill(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    port = free_port()
    config = configure(tmp_path, port)
    async with (
        open_server(config, port) as hall,
        httpx.AsyncClient(base_url=hall.url, timeout=10) as client,
    ):
        page = await answering(client, "/counter/1")
        assert page.status_code == 303
        assert (await client.get("/")).status_code == 200
        password = account(config, "add", "teller-1", "--role", "teller")  # while it runs
        page = await client.get("/sign-in")
        headers = {"X-CSRF-Token": CSRF.findall(page.text)[0]}
        body = {"name": "teller-1", "password": password, "next": "/counter/1"}
        answer = await client.post("/api/sign-in", json=body, headers=headers)
        assert answer.json() == {"next": "/counter/1"}
        page = await client.get("/counter/1")
        headers = {"X-CSRF-Token": CSRF.findall(page.text)[0], "Idempotency-Key": "k1"}
        called = (await client.post("/api/counters/1/call-next", headers=headers)).json()["number"]

        await hall.kill()
        await hall.start()
        page = await answering(client, "/counter/1")
        began = time.monotonic()
        assert page.status_code == 200
        assert called in page.text
        # The page stands open: its token still counts, as does its stream.
        headers["Idempotency-Key"] = "k2"
        answer = await client.post("/api/counters/1/finish", headers=headers)
        assert answer.status_code == 200
        async with client.stream("GET", "/events/counter/1") as events:
            assert events.status_code == 200
        back_s = time.monotonic() - began
        log.info("back %.2f s after the server", back_s)
        assert back_s < HANGS_S
        account(config, "remove", "teller-1")
        assert (await client.get("/counter/1")).status_code == 303
    logs = (tmp_path / "branch.log").read_text("utf-8")
    assert "access.signed_in" in logs
    assert "lobby branch account add NAME --role admin" in logs
    for secret in (password, client.cookies["lobby-session"], headers["X-CSRF-Token"]):
        assert secret not in logs
