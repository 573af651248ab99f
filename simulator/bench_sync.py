"""The exchange against its anchors: ingest, round trip, backlog, numbers under contention.

Publisher and kiosk are processes of their own, as in a branch; the server is the real one (broker,
SQLite with FULL, queue engine) in this process.
"""

import asyncio
import multiprocessing
import secrets
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from kiosk import flow
from kiosk.issuing import Issuer
from simulator import bench_backlog
from simulator.anchors import publish, receive_only_s
from simulator.bench_branch import DEADLINE_S, LETTERS, NODE, Server, kiosk_config, ticket_data
from simulator.figure import Figure
from simulator.mosquitto import Mosquitto
from sync.clock import system_clock
from sync.identity import CHAIN_START, chain
from sync.journal import Journal
from sync.messages import EVENT_TYPES, Clk, IssuedData, PrintedData, encode
from sync.mqtt import MqttTransport
from sync.topics import EVT, Topic

SINGLE = 6_000
BATCHED = 30_000
BATCH = 100
INGEST_ROUNDS = 5
TRIPS = 400
CLIENTS, ISSUES = 8, 200

_Say = Callable[[str], None]


def stream(count: int) -> list[bytes]:
    """``count`` events of one kiosk as they travel: tickets issued and printed in turn."""
    raws: list[bytes] = []
    prev, ticket = CHAIN_START, ""
    clock = system_clock()
    for seq in range(1, count + 1):
        event_id = clock.new_id()
        issued = seq % 2 == 1
        ticket = event_id if issued else ticket
        data: IssuedData | PrintedData = PrintedData(attempt=1, took_ms=900)
        if issued:
            data = ticket_data(seq)
        event = EVENT_TYPES["ticket.issued" if issued else "ticket.printed"](
            id=event_id, src=NODE, epoch=1, seq=seq, prev=prev, ts=clock.wall_ms(),
            clk=Clk(boot="bench", mono_ms=seq), sub=ticket, data=data,  # type: ignore[call-arg]
        )  # fmt: skip
        raws.append(encode(event))
        prev = chain(raws[-1])
    return raws


def batches(raws: list[bytes]) -> list[bytes]:
    """The same events, BATCH a message."""
    return [b"[" + b",".join(raws[at : at + BATCH]) + b"]" for at in range(0, len(raws), BATCH)]


async def ingest(folder: Path, broker: Mosquitto, say: _Say) -> tuple[list[Figure], float]:
    """T5: events committed and applied a second, against a paho loop that only receives. Returns
    the rate of 100-event messages too.
    """
    singles, many = stream(SINGLE), batches(stream(BATCHED))
    topic = EVT.of(node=NODE)
    loops: list[float] = []
    alone: list[float] = []
    together: list[float] = []
    say(f"ingest: {INGEST_ROUNDS} rounds of {SINGLE} single events and {BATCHED} in messages")
    for _ in range(INGEST_ROUNDS):
        took_s = await asyncio.to_thread(
            receive_only_s, broker.host, broker.port, "bench/anchor", singles
        )
        loops.append(SINGLE / took_s)
        for payloads, count, rates in ((singles, SINGLE, alone), (many, BATCHED, together)):
            async with Server(folder, broker) as server:
                process = publish(broker.host, broker.port, topic, payloads)
                rates.append(count / await server.has(count))
                await asyncio.to_thread(process.join)
    loop, single, batch = median(loops), median(alone), median(together)
    anchor = f"{loop:,.0f} msg/s"
    return [
        Figure(
            "T5 single", "ingest, one event a message / paho receive-only", single / loop, 0.6,
            at_most=False, ours=f"{single:,.0f} ev/s", anchor=anchor,
        ),
        Figure(
            "T5 batch", f"ingest, {BATCH} events a message / paho receive-only", batch / loop, 1.5,
            at_most=False, ours=f"{batch:,.0f} ev/s", anchor=anchor,
        ),
    ], batch  # fmt: skip


async def round_trip(broker: Mosquitto, say: _Say) -> list[Figure]:
    """T6: publish and receive on one connection, QoS 1 against QoS 0, in turn."""
    say(f"round trip: {TRIPS} of each")
    came = asyncio.Event()
    transport = MqttTransport(host=broker.host, port=broker.port, client_id="tripper")

    def received(messages: list[Any]) -> None:
        for message in messages:
            message.done()
        came.set()

    transport.listen(on_up=lambda: None, on_down=lambda _: None, on_messages=received)
    topics = [Topic("{node}/note", qos=qos, retain=False, expiry_s=None) for qos in (0, 1)]
    name = topics[0].of(node="tripper")
    transport.subscribe(name)
    await transport.start()
    async with asyncio.timeout(DEADLINE_S):
        while not transport.connected:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)
    took: dict[int, list[float]] = {0: [], 1: []}
    for _ in range(TRIPS):
        for topic in topics:
            came.clear()
            began_s = time.perf_counter()
            transport.publish(topic, name, b"x" * 200)
            async with asyncio.timeout(DEADLINE_S):
                await came.wait()
            took[topic.qos].append(time.perf_counter() - began_s)
    await transport.stop()
    one, zero = median(took[1]), median(took[0])
    return [
        Figure(
            "T6", "round trip at QoS 1 / at QoS 0, one connection", one / zero, 3.0,
            at_most=True, ours=f"{one * 1e3:.3f} ms", anchor=f"{zero * 1e3:.3f} ms",
        )
    ]  # fmt: skip


def _issue(folder: str, band: int, results: Any) -> None:
    config = kiosk_config(band)
    clock = system_clock()
    journal = Journal(Path(folder) / f"kiosk-{band}.db", node=config.node, clock=clock)
    issuer = Issuer(config, journal, clock, lambda: "2026-11-24")
    numbers = []
    for count in range(ISSUES):
        event = issuer.issue(LETTERS[count % 4], secrets.token_hex(8), "", "en")
        assert isinstance(event, flow.Issued)
        numbers.append(event.ticket.number)
    journal.close()
    results.put(numbers)


def contention(folder: Path, say: _Say) -> list[Figure]:
    """T3: clients that issue at once, each a process with its journal. Counts, no ratio: the
    anchor is FQM's 18 duplicates in 800.
    """
    say(f"contention: {CLIENTS} processes, {ISSUES} tickets each")
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    processes = [
        context.Process(target=_issue, args=(str(folder), band, results), daemon=True)
        for band in range(1, CLIENTS + 1)
    ]
    for process in processes:
        process.start()
    numbers = [number for _ in processes for number in results.get(timeout=DEADLINE_S)]
    for process in processes:
        process.join()
    doubled = sum(count - 1 for count in Counter(numbers).values())
    runs: dict[str, list[int]] = {}
    for number in numbers:
        runs.setdefault(number[:2], []).append(int(number[2:]))
    gaps = sum(max(run) - len(set(run)) for run in runs.values())
    return [
        Figure(
            "T3", f"{CLIENTS} x {ISSUES} issues: duplicates + gaps", float(doubled + gaps), 0.0,
            at_most=True, ours=f"{doubled} doubled, {gaps} gaps in {len(numbers)}",
            anchor="18 in 800 (FQM)",
        )
    ]  # fmt: skip


async def measure(say: _Say) -> list[Figure]:
    """T3, T5, T6 and T7."""
    with tempfile.TemporaryDirectory(prefix="lobby-bench-") as name:
        folder = Path(name)
        broker = Mosquitto(folder)
        try:
            figures, batch_rate = await ingest(folder, broker, say)
            figures += await round_trip(broker, say)
            figures += await bench_backlog.backlog(folder, broker, batch_rate, say)
            figures += await asyncio.to_thread(contention, folder, say)
        finally:
            broker.stop()
    return figures
