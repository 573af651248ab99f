"""The webhook against a real HTTP server that refuses, hangs, answers nonsense and comes back."""

import asyncio
import hashlib
import hmac
import json
import ssl
import stat
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import branch.webhook as module
from branch.alert_spool import AlertSpool
from branch.http_post import BadAnswer, post
from branch.service import BranchService
from branch.standards_config import WebhookConfig
from branch.store import Store
from branch.webhook import Webhook, read_secret
from simulator.broker import LocalBroker
from sync.clock import system_clock
from sync.messages import DeviceData
from sync.settings import SettingsError
from tests.system.test_calling_kills import free_port
from tests.system.test_feed import until
from tests.unit.branch.bench import CONFIG, Device

SECRET = b"a secret of thirty-two characters"


class Receiver:
    """An HTTP server with a mood: ok, 500, hang, cut, nonsense, endless. It keeps what it got."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.mood = "ok"
        self.bodies: list[dict[str, Any]] = []
        self.taken: list[dict[str, Any]] = []
        self.forged = 0
        self.hanging = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._answer(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines[1:] if line)
        assert lines[0] == "POST /lobby?branch=1 HTTP/1.1"
        assert headers["Host"] == f"127.0.0.1:{self.port}"
        body = await reader.readexactly(int(headers["Content-Length"]))
        self.forged += not genuine(headers["X-Lobby-Signature"], body)
        self.bodies.append(json.loads(body))
        match self.mood:
            case "hang":
                self.hanging += 1
                await asyncio.Event().wait()
            case "cut":
                return
            case "nonsense":
                writer.write(b"220 smtp.example.org ready\r\n")
            case "endless":
                writer.write(b"x" * 100_000)
            case "500":
                writer.write(b"HTTP/1.1 500 Internal Server Error\r\n\r\n")
            case _:
                self.taken.append(json.loads(body))
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await writer.drain()

    @property
    def devices(self) -> list[str]:
        return [body["device"] for body in self.taken]


def genuine(header: str, body: bytes) -> bool:
    """As docs/alerts.md tells the receiver to."""
    at, _, code = header.partition(",")
    signed = at.removeprefix("t=").encode() + b"." + body
    expected = hmac.new(SECRET, signed, hashlib.sha256).hexdigest()
    fresh = abs(time.time() - int(at.removeprefix("t="))) < 60
    return fresh and hmac.compare_digest(code.removeprefix("v1="), expected)


class House:
    """A branch server and its webhook on one file."""

    def __init__(self, folder: Path, port: int, spool: int = 1000) -> None:
        self.folder = folder
        self.config = WebhookConfig(
            f"http://127.0.0.1:{port}/lobby?branch=1", timeout_s=0.3, spool=spool
        )
        self.broker = LocalBroker()
        self.kiosk = Device(self.broker)

    async def start(self) -> None:
        clock = system_clock()
        self.store = Store(f"sqlite:///{self.folder}/branch.db")
        self.server = BranchService(
            CONFIG, store=self.store, transport=self.broker.transport(), clock=clock, version="1",
            tz=UTC,
        )  # fmt: skip
        spool = AlertSpool(self.store, CONFIG.node, "webhook")
        self.webhook = Webhook(self.config, SECRET, spool, clock)
        self.server.listeners.append(self.webhook.note)
        await self.server.open()
        await self.webhook.open()

    async def stop(self) -> None:
        await self.webhook.close()
        await self.server.close()
        self.store.close()

    def fault(self, name: str) -> None:
        """One alert."""
        data = DeviceData(device=name, kind="pad", state="fault", detail="silent")
        self.kiosk.stream.make("device.changed", data)
        self.kiosk.send(self.kiosk.stream.raws[-1])

    async def faults(self, *names: str) -> None:
        """Alerts in this order."""
        for name in names:
            self.fault(name)
            await until(
                lambda name=name: any(  # type: ignore[misc]
                    line.about.device == name for line in self.server.hall.view().alerts
                )
            )


@asynccontextmanager
async def house(folder: Path, port: int, spool: int = 1000) -> AsyncIterator[House]:
    built = House(folder, port, spool)
    await built.start()
    await built.kiosk.transport.start()
    try:
        yield built
    finally:
        await built.stop()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second between two tries is long for a test."""
    monkeypatch.setattr(module, "BACKOFF_FIRST_S", 0.02)
    monkeypatch.setattr(module, "BACKOFF_MOST_S", 0.1)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("mood", ["refuse", "hang", "cut", "500", "nonsense", "endless"])
async def test_a_receiver_that_was_away_gets_each_alert_in_order(
    tmp_path: Path, mood: str
) -> None:
    receiver = Receiver(free_port())
    async with house(tmp_path, receiver.port) as branch:
        if mood != "refuse":
            receiver.mood = mood
            await receiver.start()
        await branch.faults("pad-1", "pad-2", "pad-3")
        await until(lambda: branch.webhook.failure)
        row = branch.webhook.health()
        assert (row["posted"], row["waiting"], row["dropped"]) == (0, 3, 0)
        assert branch.webhook.failure
        receiver.mood = "ok"
        if mood == "refuse":
            await receiver.start()
        await until(lambda: len(receiver.taken) == 3)
        await until(lambda: not branch.webhook.failure)
        assert receiver.devices == ["pad-1", "pad-2", "pad-3"]
        assert receiver.forged == 0
        await until(lambda: branch.webhook.health()["waiting"] == 0)
    assert len({body["id"] for body in receiver.bodies}) == 3  # a repeat has the same id
    await receiver.stop()


@pytest.mark.timeout(60)
async def test_a_receiver_that_hangs_never_holds_up_a_call(tmp_path: Path) -> None:
    receiver = Receiver(free_port())
    receiver.mood = "hang"
    await receiver.start()
    async with house(tmp_path, receiver.port) as branch:
        await branch.faults("pad-1")
        await until(lambda: receiver.hanging)
        stream, took_s = branch.kiosk.stream, []
        for number in range(20):
            first = len(stream.raws)
            stream.printed(stream.issued(f"A{number:03}").id)
            branch.kiosk.send(*stream.raws[first:])
            await until(lambda: branch.server.engine.waiting(["A"]))
            began_s = time.perf_counter()
            await branch.server.call_next(1, f"c{number}")
            await branch.server.finish(1, f"f{number}")
            took_s.append(time.perf_counter() - began_s)
        assert max(took_s) < branch.config.timeout_s
    await receiver.stop()


@pytest.mark.timeout(60)
async def test_what_waits_goes_after_a_restart_and_what_has_gone_does_not(tmp_path: Path) -> None:
    receiver = Receiver(free_port())
    await receiver.start()
    async with house(tmp_path, receiver.port) as branch:
        await branch.faults("pad-1")
        await until(lambda: branch.webhook.posted)
        receiver.mood = "500"
        await branch.faults("pad-2")
        await branch.stop()
        receiver.mood = "ok"
        await branch.start()
        await until(lambda: len(receiver.taken) == 2)
    assert receiver.devices == ["pad-1", "pad-2"]
    await receiver.stop()


@pytest.mark.timeout(60)
async def test_the_oldest_are_given_up_and_counted(tmp_path: Path) -> None:
    receiver = Receiver(free_port())
    async with house(tmp_path, receiver.port, spool=3) as branch:
        await branch.faults(*(f"pad-{number}" for number in range(1, 8)))
        await until(lambda: branch.webhook.health()["dropped"] == 4)
        await receiver.start()
        await until(lambda: len(receiver.taken) == 3)
    assert receiver.devices == ["pad-5", "pad-6", "pad-7"]
    await receiver.stop()


# --- its parts --------------------------------------------------------------------------------


async def test_a_post_says_what_went_wrong(tmp_path: Path) -> None:
    receiver = Receiver(free_port())
    url = f"http://127.0.0.1:{receiver.port}/lobby?branch=1"
    headers = {"X-Lobby-Signature": module.signature(SECRET, int(time.time()), b"{}")}
    with pytest.raises(OSError, match="Connect call failed"):
        await post(url, headers, b"{}", 5)
    await receiver.start()
    assert await post(url, headers, b"{}", 5) == 204
    for mood, error in (("nonsense", BadAnswer), ("endless", BadAnswer), ("cut", BadAnswer)):
        receiver.mood = mood
        with pytest.raises(error):
            await post(url, headers, b"{}", 5)
    receiver.mood = "hang"
    with pytest.raises(TimeoutError):
        await post(url, headers, b"{}", 0.1)
    await receiver.stop()


async def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    heard = list[bytes]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(100))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=self_signed(tmp_path))
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(ssl.SSLCertVerificationError):
        await post(f"https://127.0.0.1:{port}/", {}, b"{}", 5)
    server.close()
    assert heard in ([], [b""])


def self_signed(folder: Path) -> ssl.SSLContext:
    """A server's context with a certificate of its own making."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


def test_the_secret_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "webhook.key"
    made = read_secret(path)
    assert len(made) == 64
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_secret(path) == made
    path.chmod(0o640)
    with pytest.raises(SettingsError, match="mode 640, others may read it"):
        read_secret(path)
    path.chmod(0o600)
    path.write_text("short")
    with pytest.raises(SettingsError, match="5 characters"):
        read_secret(path)
    with pytest.raises(SettingsError, match="No such file"):
        read_secret(tmp_path / "nowhere" / "webhook.key")
