"""T7: what a week's backlog takes to drain, and what a visitor notices of it."""

import asyncio
import multiprocessing
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from statistics import quantiles
from typing import Any

from kiosk import flow
from kiosk.issuing import Issuer
from simulator.bench_branch import DEADLINE_S, LETTERS, NODE, Server, kiosk_config, ticket_data
from simulator.figure import Figure
from simulator.mosquitto import Mosquitto
from sync.clock import system_clock
from sync.journal import Journal
from sync.logs import configure_logging
from sync.messages import PrintedData
from sync.mqtt import MqttTransport
from sync.outbox import Outbox

BACKLOG = 17_500
TAP_EVERY_S = 0.05
"""A busier visitor than any: the anchor's own sync must not hold the drain up."""
RECORD_BYTES = 228

_Say = Callable[[str], None]


def fill(path: Path, count: int) -> None:
    """A kiosk's journal with so many events that no server has."""
    journal = Journal(path, node=NODE, clock=system_clock())
    while journal.top_seq < count:
        with journal.transaction() as transaction:
            for _ in range(250):
                transaction.append("ticket.issued", ticket_data(transaction.top_seq), sub="self")
                ticket = transaction.events[-1].id
                printed = PrintedData(attempt=1, took_ms=900)
                transaction.append("ticket.printed", printed, sub=ticket)
    journal.close()


def _drain(path: str, host: str, port: int, results: Any, *, tapping: bool) -> None:
    """The kiosk after the outage: its backlog drains, and if ``tapping`` visitors tap meanwhile.
    Puts a list of (seconds of a ticket, seconds of an append with fdatasync), one for each tap.
    """
    configure_logging(quiet=True)

    async def run() -> list[tuple[float, float]]:
        clock = system_clock()
        journal = Journal(path, node=NODE, clock=clock)
        transport = MqttTransport(host=host, port=port, client_id=NODE)

        async def refuse(_command: object) -> None:
            raise RuntimeError("no commands here")

        outbox = Outbox(journal, transport, version="bench", on_command=refuse)
        issuer = Issuer(kiosk_config(1), journal, clock, lambda: "2026-11-25")
        await outbox.start()
        draining = asyncio.create_task(outbox.drained(DEADLINE_S))
        taps: list[tuple[float, float]] = []
        fd = os.open(f"{path}-anchor", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        record = os.urandom(RECORD_BYTES)
        while tapping and journal.acked < journal.top_seq // 2:
            began_s = time.perf_counter()
            event = issuer.issue(LETTERS[len(taps) % 4], secrets.token_hex(8), "", "en")
            ours_s = time.perf_counter() - began_s
            assert isinstance(event, flow.Issued)
            outbox.appended()
            began_s = time.perf_counter()
            os.write(fd, record)
            os.fdatasync(fd)
            taps.append((ours_s, time.perf_counter() - began_s))
            await asyncio.sleep(TAP_EVERY_S)
        os.close(fd)
        await draining
        await outbox.stop()
        journal.close()
        return taps

    results.put(asyncio.run(run()))


async def backlog(folder: Path, broker: Mosquitto, batch_rate: float, say: _Say) -> list[Figure]:
    """T7: a week of one branch drains after an outage, at a rate near that of T5; twice the
    backlog takes twice the time; a tap meanwhile takes no longer than T1 allows.
    """
    took_s: dict[int, float] = {}
    taps: list[tuple[float, float]] = []
    for count, tapping in ((BACKLOG, False), (2 * BACKLOG, False), (3 * BACKLOG, True)):
        say(f"backlog: {count} events{', with taps' if tapping else ''}")
        path = folder / f"backlog-{count}.db"
        await asyncio.to_thread(fill, path, count)
        async with Server(folder, broker) as server:
            context = multiprocessing.get_context("spawn")
            results = context.Queue()
            process = context.Process(
                target=_drain, args=(str(path), broker.host, broker.port, results),
                kwargs={"tapping": tapping}, daemon=True,
            )  # fmt: skip
            process.start()
            took_s[count] = await server.has(count)
            taps += await asyncio.to_thread(results.get, timeout=DEADLINE_S)
            await asyncio.to_thread(process.join)
    rate = BACKLOG / took_s[BACKLOG]
    figures = [
        Figure(
            "T7", f"backlog of {BACKLOG} drains / ingest of T5 batch", rate / batch_rate, 0.7,
            at_most=False, ours=f"{rate:,.0f} ev/s", anchor=f"{batch_rate:,.0f} ev/s",
        ),
        Figure(
            "T7 linear", "twice the backlog / twice the time", took_s[2 * BACKLOG]
            / (2 * took_s[BACKLOG]), 1.2,
            at_most=True, ours=f"{took_s[2 * BACKLOG]:.2f} s",
            anchor=f"{took_s[BACKLOG]:.2f} s",
        ),
    ]  # fmt: skip
    for rank, target in ((50, 1.5), (99, 5.0)):
        ours, anchor = (quantiles(side, n=100)[rank - 1] for side in zip(*taps, strict=True))
        figures.append(
            Figure(
                f"T7 taps p{rank}", f"a ticket meanwhile / append + fdatasync, {len(taps)} taps",
                ours / anchor, target, at_most=True, ours=f"{ours * 1e3:.3f} ms",
                anchor=f"{anchor * 1e3:.3f} ms",
            )
        )  # fmt: skip
    return figures
