"""A branch that is told people's data at every door, for ``lobby prove taint``: real mosquitto,
branch server with its HTTP interface, kiosk controller, printer driver and card reader.

What the feeders send is known byte by byte, so that the capture of the broker's traffic can tell
what the branch and the kiosk say from what they were told.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncIterator, Iterator
from datetime import UTC
from pathlib import Path
from typing import Any, get_args

import httpx
import msgspec
import structlog

from branch.cli import build_service
from branch.commands import AnyCommand
from branch.config import (
    BranchConfig,
    BranchName as ServerName,
    CounterConfig,
    ServiceConfig as ServerService,
)
from branch.store import Store
from branch.web.app import create_app
from branch.web.server import bind, serve
from hal.api import CardReader
from hal.link import link_to, memory_pair
from hal.registry import backend
from hal.sim.card import SimSerialReader
from hal.sim.printer import SimPrinter
from hal.sim.printer_ports import TcpPrinter
from kiosk.cards import salt_in
from kiosk.cli import transport_for
from kiosk.config import BranchName, KioskConfig, PrinterConfig, ServiceConfig
from kiosk.controller import KioskController
from kiosk.flow import Phase
from kiosk.view import CONTROL_ACKNOWLEDGE, CONTROL_DONE
from simulator.mosquitto import Mosquitto
from simulator.prove.taint_people import Person
from sync.clock import system_clock
from sync.contract_examples import AT_KIOSK, SESSION
from sync.identity import CHAIN_START, chain
from sync.journal import Journal
from sync.messages import encode
from sync.mqtt import MqttTransport
from sync.topics import Topic
from sync.transport import Message

KIOSK, BRANCH, STRANGER = "kiosk-1", "branch-1", "kiosk-9"
VERSION = "proof"
SOON_S = 20.0
LOOK_S = 0.02
KINDS = ("hello", "state", "ask", "res", "cfg/applied", "cmd", "answer")
PAGES = (
    "/", "/counter", "/counter/1", "/counter/2", "/hall", "/api/hall/", "/api/board",
    "/api/counters", "/api/counters/1",
    "/healthz", "/metrics", "/schema/openapi.json",
)  # fmt: skip


class RecordingPrinter(SimPrinter):
    """Keeps every byte that came down its wire."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = bytearray()

    def receive(self, data: bytes) -> bytes:
        self.bytes += data
        return super().receive(data)


class House:
    """Everything on, with a microphone at every way out."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self.folder = folder
        self.fed = 0
        self.refused = 0
        self.printer = RecordingPrinter()
        self.heard: list[tuple[str, bytes]] = []
        self._chance = chance
        self._told: set[bytes] = set()
        self._touches = self._keys = 0
        self._hall_commands: list[tuple[str, dict[str, Any]]] = []
        self._seq, self._prev = 0, CHAIN_START

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator["House"]:
        """Switch everything on, and off at the end, in good order."""
        async with contextlib.AsyncExitStack() as parts:
            broker = await asyncio.to_thread(Mosquitto, self.folder)
            parts.callback(broker.stop)
            parts.enter_context(_logging_to(self.folder / "log.jsonl"))
            await self._ears(broker, parts)
            await self._server(broker, parts)
            await self._kiosk_on(broker, parts)
            await self._until(lambda: self.kiosk.outbox.online)
            yield self
            await self.kiosk.outbox.drained(SOON_S)

    async def _ears(self, broker: Mosquitto, parts: contextlib.AsyncExitStack) -> None:
        ears = MqttTransport(host=broker.host, port=broker.port, client_id="ears")
        ears.listen(on_up=lambda: None, on_down=lambda _: None, on_messages=self._hear)
        ears.subscribe("#")
        self._mouth = MqttTransport(host=broker.host, port=broker.port, client_id="mouth")
        self._mouth.listen(on_up=lambda: None, on_down=lambda _: None, on_messages=lambda _: None)
        for client in (ears, self._mouth):
            await client.start()
            parts.push_async_callback(client.stop)
        await self._until(lambda: ears.connected and self._mouth.connected)

    async def _server(self, broker: Mosquitto, parts: contextlib.AsyncExitStack) -> None:
        config = BranchConfig(
            node=BRANCH,
            branch=ServerName("示例银行", "Sample Bank"),
            services=[ServerService("A", "现金业务", "Cash"), ServerService("B", "业务", "Cards")],
            counters=[CounterConfig(1, ["A", "B"], KIOSK), CounterConfig(2, ["A", "B"], KIOSK)],
            database=f"sqlite:///{self.folder / 'branch.db'}",
        )
        config = msgspec.structs.replace(
            config, broker=msgspec.structs.replace(config.broker, port=broker.port)
        )
        store = Store(config.database)
        parts.callback(store.close)
        service = build_service(config, store, VERSION)
        await service.open()
        parts.push_async_callback(service.close)
        listener = bind("127.0.0.1", 0)
        stop, started = asyncio.Event(), asyncio.Event()
        app = create_app(service, version=VERSION, hall=service.hall)
        serving = asyncio.create_task(serve(app, listener, stop=stop, started=started))
        await started.wait()

        async def end() -> None:
            stop.set()
            await serving

        parts.push_async_callback(end)
        port = listener.getsockname()[1]
        self.http = await parts.enter_async_context(
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=SOON_S)
        )

    async def _kiosk_on(self, broker: Mosquitto, parts: contextlib.AsyncExitStack) -> None:
        data_dir = self.folder / "kiosk"
        data_dir.mkdir()
        port = TcpPrinter(self.printer)
        await port.plug_in()
        parts.push_async_callback(port.unplug)
        config = KioskConfig(
            node=KIOSK,
            production=False,
            branch=BranchName("示例银行", "Sample Bank"),
            services=[ServiceConfig("A", "现金业务", "Cash"), ServiceConfig("B", "业务", "Cards")],
            printer=PrinterConfig(port.address),
            data_dir=str(data_dir),
        )
        config = msgspec.structs.replace(
            config, broker=msgspec.structs.replace(config.broker, port=broker.port)
        )
        clock = system_clock()
        journal = Journal(data_dir / "journal.db", node=KIOSK, clock=clock)
        parts.callback(journal.close)
        near, far = memory_pair("card")
        await far.open()
        self.reader = SimSerialReader(far)
        salt = salt_in(data_dir)
        self.cards: CardReader = backend("card", "serial")(near, name="card", salt=salt)
        self.kiosk = KioskController(
            config, journal=journal, pads={}, transport=transport_for(config), clock=clock,
            printer=backend("printer", "escpos")(link_to(port.address), name="printer"),
            show=lambda _: None, version=VERSION, tz=UTC, card_reader=self.cards,
        )  # fmt: skip
        await self.kiosk.start()
        parts.push_async_callback(self.kiosk.stop)

    async def _until(self, true: Any) -> None:
        async with asyncio.timeout(SOON_S):
            while not true():  # noqa: ASYNC110 - several parts, no common event
                await asyncio.sleep(LOOK_S)

    def _hear(self, messages: list[Message]) -> None:
        for message in messages:
            if message.payload not in self._told:
                self.heard.append((message.topic, message.payload))
            message.done()

    # --- doors ------------------------------------------------------------------------------

    async def visit(self, person: Person) -> None:
        """Somebody swipes a card and everything else at the reader, touches strange controls,
        takes a ticket.
        """
        for text in person.items().values():
            await self.reader.swipe(text)
            await self.reader.swipe(f";{text}=2912?")
            await self.reader.swipe(f"L1:{text}")
            self.kiosk.tap(f"service.{text}", self._touch())
            self.kiosk.tap(text, self._touch())
            self.kiosk.identify("")
            self.fed += 5
        await asyncio.sleep(LOOK_S)
        self.kiosk.tap(CONTROL_DONE, self._touch())
        self.kiosk.tap(f"service.{self._chance.choice('AB')}", self._touch())
        await self._until(lambda: self.kiosk.visit.phase in (Phase.TICKET, Phase.NO_SLIP))
        for control in (CONTROL_DONE, CONTROL_ACKNOWLEDGE):
            self.kiosk.tap(control, self._touch())

    async def ask(self, person: Person) -> None:
        """Every command, page and header with the person's data in each field."""
        for kind, text in person.items().items():
            for command in get_args(AnyCommand):
                await self._command(command, text)
            for path, fields in await self._hall():
                for name in (*fields, "customer"):
                    body = {**fields, name: text}
                    await self._request("POST", path, json=body, keyed=True)
            quoted = text.replace(" ", "-")
            for path in (f"/counter/{text}", f"/api/counters/{text}/call-next", f"/{text}"):
                await self._request("GET", path)
            await self._request("GET", "/", params={"lang": text, kind: text})
            headers = {
                "User-Agent": quoted,
                "Referer": f"http://x/{quoted}",
                "Cookie": f"n={quoted}",
            }
            await self._request("GET", "/counter/1", headers=headers)
            await self._request(
                "POST", "/api/counters/1/call-next", headers={"Counter-Turn": quoted}
            )
            if kind != "pinyin":  # a key is chosen by a program; nothing tells a word from a name
                await self._request(
                    "POST", "/api/counters/1/call-next", headers={"Idempotency-Key": quoted}
                )

    async def _hall(self) -> list[tuple[str, dict[str, Any]]]:
        """The lobby manager's commands and their fields, as the interface describes itself."""
        if not self._hall_commands:
            described = (await self.http.get("/schema/openapi.json")).json()
            schemas = described["components"]["schemas"]
            for path, methods in described["paths"].items():
                if path.startswith("/api/hall/") and "requestBody" in methods.get("post", {}):
                    content = methods["post"]["requestBody"]["content"]["application/json"]
                    schema = schemas[content["schema"]["$ref"].rsplit("/", 1)[-1]]
                    fields = {
                        name: 1 if field.get("type") == "integer" else "A001"
                        for name, field in schema["properties"].items()
                    }
                    self._hall_commands.append((path, fields))
        return self._hall_commands

    async def _command(self, command: Any, text: str) -> None:
        """One command with the text in each of its text fields in turn, and in an unknown one."""
        tag = command.__struct_config__.tag
        good = {"service": "B", "number": "A001", "reason": "break", "segment": "vip"}
        fields = [f.name for f in msgspec.structs.fields(command)]
        known = {name: good[name] for name in fields if name in good}
        texts = [f for f in fields if f in (*good, "note", "teller")]
        for name in (*texts, "customer"):
            body = {**known, name: text}
            await self._request("POST", f"/api/counters/1/{tag}", json=body, keyed=True)

    async def _request(
        self, method: str, path: str, *, keyed: bool = False, **more: Any
    ) -> httpx.Response | None:
        if keyed:
            self._keys += 1
            more["headers"] = {"Idempotency-Key": f"k-{self._keys}"}
        if "headers" in more:
            more["headers"] = {
                name: value.encode("utf-8") for name, value in more["headers"].items()
            }
        self.fed += 1
        answer = await self.http.request(method, path, **more)
        self.refused += answer.status_code >= 400
        return answer

    async def work(self, number: int) -> None:
        """An honest teller between them: open, call, a note from the list, finish."""
        for action, body in (
            ("open", {"teller": f"t-{number}"}),
            ("call-next", None),
            ("start", None),
            ("park", {"note": "document missing"}),
        ):
            self._keys += 1
            await self.http.post(
                f"/api/counters/2/{action}", json=body,
                headers={"Idempotency-Key": f"w-{self._keys}"},
            )  # fmt: skip

    async def publish(self, person: Person) -> None:
        """Every message of a device and of a server with the data in each of its text fields."""
        for text in person.items().values():
            if text == person.pinyin:
                continue  # letters of a device's code; nothing tells them from a name
            for example in AT_KIOSK:
                for tainted in _in_each_text(msgspec.json.decode(encode(example)), text):
                    await self._event(tainted)
            for message in SESSION:
                for tainted in _in_each_text(msgspec.json.decode(encode(message)), text):
                    raw = msgspec.json.encode(tainted)
                    await self._say(f"bq/1/{BRANCH}/cmd", raw)
                    for node in (STRANGER, KIOSK):
                        for kind in self._chance.sample(KINDS, 2):
                            await self._say(f"bq/1/{node}/{kind}", raw)
            await self._say("bq/1/pub/queue/A", text.encode())
            await self._say(f"bq/1/{STRANGER}/evt", text.encode())
            await self._say(f"bq/1/{STRANGER}/evt", b'{"id": "' + text.encode("gb18030"))

    async def _event(self, fields: dict[str, Any]) -> None:
        """As the stranger's next event, its place in the chain in order."""
        self._seq += 1
        fields |= {"src": STRANGER, "epoch": 1, "seq": self._seq, "prev": self._prev}
        raw = msgspec.json.encode(fields)
        self._prev = chain(raw)
        await self._say(f"bq/1/{STRANGER}/evt", raw)

    async def _say(self, topic: str, raw: bytes) -> None:
        self.fed += 1
        self._told.add(raw)
        async with asyncio.timeout(SOON_S):
            # Its queue is full: it says so, and nothing tells when there is room.
            while not self._mouth.publish(Topic(topic, 1, False, None), topic, raw):  # noqa: ASYNC110
                await asyncio.sleep(LOOK_S)

    async def settled(self) -> None:
        """Until the server has worked off what it was told."""
        before = -1
        while before != len(self.heard):
            before = len(self.heard)
            await asyncio.sleep(1.0)

    async def pages(self) -> bytes:
        """What everybody can look at."""
        answers = [await self.http.get(path) for path in PAGES]
        return b"\n".join(answer.content for answer in answers)

    def _touch(self) -> str:
        self._touches += 1
        return f"touch-{self._touches}"


def _in_each_text(value: dict[str, Any], text: str) -> Iterator[dict[str, Any]]:
    """The message again and again, the text in one of its text fields; and in an unknown one."""
    for name, part in value.items():
        if isinstance(part, dict):
            for inner in _in_each_text(part, text):
                yield {**value, name: inner}
        elif isinstance(part, str) and name not in ("type", "prev", "src"):
            yield {**value, name: text}
    yield {**value, "customer": text}


@contextlib.contextmanager
def _logging_to(path: Path) -> Iterator[None]:
    """Everything that any part logs, down to debug, as JSON in one file."""
    before = structlog.get_config()
    handler = logging.FileHandler(path, encoding="utf-8")
    # The feeders' own words are no log of the product.
    handler.addFilter(lambda record: not record.name.startswith(("httpx", "httpcore")))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    with path.open("a", encoding="utf-8") as file:
        structlog.configure(
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.ExceptionRenderer(
                    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
                ),
                structlog.processors.JSONRenderer(ensure_ascii=False, default=repr),
            ],
            wrapper_class=structlog.make_filtering_bound_logger("debug"),
            logger_factory=structlog.PrintLoggerFactory(file=file),
            cache_logger_on_first_use=False,
        )
        try:
            yield
        finally:
            structlog.configure(**before)
            root.setLevel(level)
            root.removeHandler(handler)
            handler.close()
