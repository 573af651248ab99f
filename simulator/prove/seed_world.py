"""One seed: a branch on virtual time whose devices, server, broker and network fail by chance.

The real parts are the journal and the outbox of each device, and the branch server with its store
and ingest, on real files. The programs may be stopped or killed and started again; a device's card
and the server's disk may be put back to a copy of earlier. In the end everything is mended, and
the ledger must come to rest with all that it owes.

A program is killed between two turns of its loop; ``lobby prove kills`` kills it anywhere. A card
or disk is put back only while its program is off for longer than any message is under way.
"""

import asyncio
import hashlib
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simulator.prove.network import CALM, Network, Weather
from simulator.prove.seed_nodes import BRANCH, COUNTERS, LEDGER, Card, Device, Node, Server
from simulator.prove.seed_oracle import Oracle, Verdict
from sync.errors import BadMessage
from sync.messages import Ack, decode
from sync.topics import node_of

SPAN_S = (20.0, 90.0)
CUSTOMERS = (4, 16)
COMMANDS = (0, 6)
FAULTS = (0, 5)
BURST_SHARE, BURST = 0.12, (3, 12)
CARD_SHARE, DISK_SHARE, PRUNE_SHARE = 0.35, 0.3, 0.2
SWAP_S = (15.0, 40.0)
"""A card or disk is out for so long: longer than a message is ever under way."""
OFF_S = (0.0, 15.0)
CUT_S = (0.5, 60.0)
CUT_WAYS = ((True, True), (True, True), (True, False), (False, True))
"""Up and down; a cut is of both ways, mostly."""
LAST_SHARE = 0.5
"""Of the devices that have one more customer after all is mended."""
REST_S = 120.0
"""Once all is mended, the ledger must be complete after at most so long."""
LINGER_S = 10.0
"""What is still under way may change nothing any more."""
LOSS, DOUBLED, LATE = (0.0, 0.02, 0.1, 0.3), (0.0, 0.05, 0.2), (0.0, 0.1)
DELAY_S, LATE_S = (0.01, 0.2, 1.0), (1.0, 5.0)


@dataclass(slots=True)
class Outcome:
    """What one seed came to. ``digest`` is the same whenever the seed is run."""

    seed: int
    shown: int = 0
    verdict: Verdict = field(default_factory=Verdict)
    figures: Counter[str] = field(default_factory=Counter)
    digest: str = ""


@dataclass(order=True, slots=True)
class _Act:
    at_s: float
    number: int
    what: str = field(compare=False)
    do: Callable[[], Awaitable[None]] = field(compare=False)


class SeedWorld:
    """Draws what happens, lets it happen, judges."""

    def __init__(self, seed: int, folder: Path, *, check_chain: bool = True) -> None:
        """``folder`` is empty. Make it and run it inside one loop of virtual time."""
        self._seed = seed
        self._chance = random.Random(seed)
        self._network = Network(seed, self._weather())
        self._network.watch = self._watch
        self._oracle = Oracle(BRANCH)
        self._outcome = Outcome(seed)
        self._plan: list[_Act] = []
        self._cards: dict[str, Card] = {}
        self._uncaught: list[str] = []
        devices = self._chance.randint(1, 3)
        self._devices = [
            Device(
                number + 1, folder, self._network, self._own_chance(), self._oracle,
                server_file=folder / BRANCH / LEDGER, check_chain=check_chain,
            )
            for number in range(devices)
        ]  # fmt: skip
        self._server = Server(
            folder, self._network, self._own_chance(), self._oracle, self._journals,
            check_chain=check_chain,
        )  # fmt: skip
        self._nodes: list[Node] = [self._server, *self._devices]

    async def live(self) -> Outcome:
        """From the first start to the verdict."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._raised)
        self._draw()
        for node in self._nodes:
            await node.start()
        for act in sorted(self._plan):
            await asyncio.sleep(max(0.0, act.at_s - loop.time()))
            self._network.note("plan", "does", act.what)
            await act.do()
        await self._come_to_rest()
        for node in reversed(self._nodes):
            await node.stop(kill=False)
        return self._judge()

    # --- what will happen ---------------------------------------------------------------------

    def _own_chance(self) -> random.Random:
        return random.Random(self._chance.getrandbits(64))

    def _weather(self) -> Weather:
        pick = self._chance.choice
        return Weather(
            loss=pick(LOSS),
            doubled=pick(DOUBLED),
            delay_s=(0.001, pick(DELAY_S)),
            late=pick(LATE),
            late_s=pick(LATE_S),
        )

    def _draw(self) -> None:
        chance = self._chance
        span_s = chance.uniform(*SPAN_S)
        for _ in range(chance.randint(*CUSTOMERS)):
            self._at(chance.uniform(0, span_s), "customers", self._serve())
        for _ in range(chance.randint(*COMMANDS)):
            counter = chance.choice(COUNTERS)
            self._at(chance.uniform(0, span_s), "teller", self._teller(counter))
        for _ in range(chance.randint(*FAULTS)):
            self._draw_fault(chance.uniform(0, span_s))
        for node in self._nodes:
            share = DISK_SHARE if node is self._server else CARD_SHARE
            if chance.random() < share:
                self._draw_restore(node, span_s)
        for device in self._devices:
            if chance.random() < PRUNE_SHARE:
                self._at(chance.uniform(0, span_s), f"prune {device.name}", self._prune(device))

    def _draw_fault(self, at_s: float) -> None:
        chance = self._chance
        node = chance.choice(self._nodes)
        match chance.choice(("cut", "cut", "restart", "restart", "broker", "weather")):
            case "cut":
                up, down = chance.choice(CUT_WAYS)
                self._at(at_s, f"cut {node.name} {up} {down}", self._cut(node.name, up, down))
                until_s = at_s + chance.uniform(*CUT_S)
                self._at(until_s, f"heal {node.name}", self._heal(node.name))
            case "restart":
                self._draw_restart(node, at_s, chance.uniform(*OFF_S))
            case "broker":
                self._at(at_s, "broker forgets", self._forget(chance.uniform(*OFF_S)))
            case _:
                self._at(at_s, "weather", self._change(self._weather()))

    def _draw_restart(self, node: Node, at_s: float, off_s: float) -> None:
        kill = self._chance.random() < 0.6
        self._at(at_s, f"{'kill' if kill else 'stop'} {node.name}", self._off(node, kill=kill))
        self._at(at_s + off_s, f"start {node.name}", self._on(node))

    def _draw_restore(self, node: Node, span_s: float) -> None:
        """A copy, later the copy put back, then often customers who go beyond what it holds."""
        chance = self._chance
        copied_s = chance.uniform(0, span_s)
        at_s = chance.uniform(copied_s, span_s)
        off_s = chance.uniform(*SWAP_S)
        self._at(copied_s, f"copy {node.name}", self._copy(node))
        self._at(at_s, f"put back {node.name}", self._put_back(node, off_s))
        self._at(at_s + off_s, f"start {node.name}", self._on(node))
        if isinstance(node, Device):
            for _ in range(chance.randint(0, 4)):
                after_s = at_s + off_s + chance.uniform(0.0, 20.0)
                self._at(after_s, "customers", self._serve(node))

    def _at(self, at_s: float, what: str, do: Callable[[], Awaitable[None]]) -> None:
        self._plan.append(_Act(at_s, len(self._plan), what, do))

    # --- what happens -------------------------------------------------------------------------

    def _serve(self, device: Device | None = None) -> Callable[[], Awaitable[None]]:
        one = device or self._chance.choice(self._devices)
        burst = self._chance.random() < BURST_SHARE
        customers = self._chance.randint(*BURST) if burst else 1

        async def do() -> None:
            self._outcome.shown += one.serve(customers)

        return do

    def _prune(self, device: Device) -> Callable[[], Awaitable[None]]:
        async def do() -> None:
            device.prune()

        return do

    def _teller(self, counter: int) -> Callable[[], Awaitable[None]]:
        async def do() -> None:
            await self._server.work(counter)

        return do

    def _cut(self, name: str, up: bool, down: bool) -> Callable[[], Awaitable[None]]:
        async def do() -> None:
            self._network.cut(name, up=up, down=down)

        return do

    def _heal(self, name: str) -> Callable[[], Awaitable[None]]:
        async def do() -> None:
            self._network.heal(name)

        return do

    def _forget(self, away_s: float) -> Callable[[], Awaitable[None]]:
        async def do() -> None:
            self._network.forget(away_s)

        return do

    def _change(self, weather: Weather) -> Callable[[], Awaitable[None]]:
        async def do() -> None:
            self._network.weather = weather

        return do

    def _off(self, node: Node, *, kill: bool) -> Callable[[], Awaitable[None]]:
        async def do() -> None:
            if node.on:
                self._outcome.figures["kills" if kill else "stops"] += 1
                await node.stop(kill=kill)

        return do

    def _on(self, node: Node) -> Callable[[], Awaitable[None]]:
        async def do() -> None:
            if not node.on and asyncio.get_running_loop().time() >= node.not_before_s:
                await node.start()

        return do

    def _copy(self, node: Node) -> Callable[[], Awaitable[None]]:
        async def do() -> None:
            self._cards[node.name] = node.copy()

        return do

    def _put_back(self, node: Node, off_s: float) -> Callable[[], Awaitable[None]]:
        async def do() -> None:
            if node.on:
                await node.stop(kill=True)
            node.put_back(self._cards[node.name])
            node.not_before_s = asyncio.get_running_loop().time() + off_s - 0.001
            kind = "disks_put_back" if node is self._server else "cards_put_back"
            self._outcome.figures[kind] += 1

        return do

    def _watch(self, client: str, name: str, payload: bytes) -> None:
        """Every publish of everybody; the server's acks are compared with its file."""
        node = node_of(name)
        if client == BRANCH and node is not None and name.endswith("/ack"):
            with suppress(BadMessage):
                ack = decode(payload, Ack)
                self._oracle.acknowledged(self._server.path, node, ack.epoch, ack.hw)

    # --- the end ------------------------------------------------------------------------------

    async def _come_to_rest(self) -> None:
        """Mend everything, wait until the ledger is complete, and a little longer."""
        network = self._network
        network.weather = CALM
        for node in self._nodes:
            network.heal(node.name)
            if not node.on:
                await asyncio.sleep(
                    max(0.0, node.not_before_s - asyncio.get_running_loop().time())
                )
                await node.start()
        for device in self._devices:
            if self._chance.random() < LAST_SHARE:
                self._outcome.shown += device.serve(1)
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        while not self._complete():
            if loop.time() - began_s > REST_S:
                self._complain_of_unrest()
                return
            await asyncio.sleep(1.0)
        self._outcome.figures["rest_ms"] += round((loop.time() - began_s) * 1000)
        self._outcome.figures["rest_ms_most"] = round((loop.time() - began_s) * 1000)
        await asyncio.sleep(LINGER_S)

    def _raised(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """An exception that nobody caught: in a callback, or in a task that nobody awaits."""
        what = repr(context.get("exception") or context["message"])
        if what not in self._uncaught:
            self._uncaught.append(what)

    def _complete(self) -> bool:
        return all(device.at_rest for device in self._devices) and not self._oracle.missing(
            self._server.path
        )

    def _complain_of_unrest(self) -> None:
        missing = self._oracle.missing(self._server.path)
        states = "; ".join(device.state for device in self._devices)
        self._outcome.verdict.sentences.append(
            f"did not come to rest within {REST_S:.0f} s: {len(missing)} events missing; {states}"
        )

    def _journals(self) -> list[Path]:
        return [device.path for device in self._devices]

    def _judge(self) -> Outcome:
        outcome, network = self._outcome, self._network
        unrest = outcome.verdict.sentences
        journals = {device.name: device.path for device in self._devices}
        verdict = outcome.verdict = self._oracle.judge(self._server.path, journals)
        verdict.sentences[:0] = unrest
        verdict.say("exceptions that nobody caught", self._uncaught)
        for node in self._nodes:
            outcome.figures += node.figures
            verdict.sentences += node.complaints
        outcome.figures += network.figures
        outcome.figures["events_gone_on_both_sides"] += self._oracle.gone
        outcome.figures["events_set_aside"] += verdict.set_aside
        outcome.figures["epochs_begun"] += self._oracle.epochs_begun
        digest = hashlib.blake2b(digest_size=8)
        for line in sorted(network.log):
            digest.update(repr(line).encode())
        for event_id in sorted(self._oracle.journalled):
            digest.update(event_id.encode())
        outcome.digest = digest.hexdigest()
        return outcome
