"""The device's end of the exchange: drives the session, reads the journal, takes commands. The
shell around session.py.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog

from sync.errors import BadMessage
from sync.journal import Journal, pack
from sync.messages import (
    Ack,
    Command,
    CommandResult,
    Hello,
    QueueState,
    State,
    Welcome,
    decode,
    encode,
)
from sync.session import Acked, Effect, Report, SendEvents, SendHello, Session, SessionState
from sync.topics import ACK, CMD, EVT, HELLO, QUEUE, RES, STATE, WELCOME, node_of
from sync.transport import Message, Transport

TICK_S = 0.25
HEARTBEAT_S = 15.0
REMEMBERED_COMMANDS = 256
"""Results kept for commands that arrive again; far more than can be under way."""

log = structlog.get_logger()


class Outbox:
    """Sends the journal to the server until the server has committed it; serves the server's
    commands.
    """

    def __init__(
        self,
        journal: Journal,
        transport: Transport,
        *,
        version: str,
        on_command: Callable[[Command], Awaitable[None]],
        on_queue: Callable[[QueueState], None] = lambda _: None,
        on_online: Callable[[bool], None] = lambda _: None,
    ) -> None:
        """``on_command`` carries a command out or raises; the text of what it raises goes back to
        the server.
        """
        self._journal = journal
        self._transport = transport
        self._version = version
        self._on_command = on_command
        self._on_queue = on_queue
        self._on_online = on_online
        self._session = Session(journal.epoch, journal.acked, journal.top_seq)
        self._results: dict[str, asyncio.Task[CommandResult]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._progress = asyncio.Event()
        self._busy = asyncio.Event()
        self.bad_messages = 0
        self.failed_handlers = 0
        self.report = ""
        transport.listen(
            on_up=self._connected, on_down=self._disconnected, on_messages=self._received
        )
        node = journal.node
        transport.subscribe(
            WELCOME.of(node=node), ACK.of(node=node), CMD.of(node=node), QUEUE.everyone
        )

    @property
    def online(self) -> bool:
        """Whether the server has greeted us on this connection."""
        return self._session.state is SessionState.STREAMING

    @property
    def unacknowledged(self) -> int:
        """Journalled events that the server has not confirmed."""
        return self._journal.top_seq - self._session.cursor

    async def start(self) -> None:
        """Connect, and keep the session going in the background."""
        await self._transport.start()
        self._spawn(self._keep_time())

    async def stop(self) -> None:
        """Say goodbye and stop; what is unacknowledged stays in the journal."""
        tasks = [*self._tasks, *self._results.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._transport.connected:
            self._announce("stopped")
        await self._transport.stop()

    async def drained(self, timeout_s: float) -> bool:
        """Wait until the server has everything; False when the time is over first."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self.unacknowledged:
                    self._progress.clear()
                    await self._progress.wait()
        return not self.unacknowledged

    def appended(self) -> None:
        """The journal has grown: send it."""
        self._perform(self._session.appended(self._journal.top_seq, self._now_ms()))

    def _now_ms(self) -> int:
        return self._journal.clock.mono_ms()

    def _connected(self) -> None:
        try:
            connect = self._journal.count_connect()
        except Exception:
            # On a full disk the journal must still be drained; the number only tells hellos apart.
            self.failed_handlers += 1
            log.exception("sync.connect_not_counted", node=self._journal.node)
            connect = self._session.connect + 1
        self._session.top = self._journal.top_seq
        self._perform(self._session.connected(connect, self._now_ms()))
        self._announce("online")

    def _disconnected(self, reason: str) -> None:
        log.info("sync.down", node=self._journal.node, reason=reason)
        self._session.disconnected()
        self._on_online(False)

    def _announce(self, status: str) -> None:
        node = self._journal.node
        state = State(
            node=node,
            status=status,  # type: ignore[arg-type]
            connect=self._session.connect,
            version=self._version,
        )
        self._transport.publish(STATE, STATE.of(node=node), encode(state))

    def _received(self, messages: list[Message]) -> None:
        for message in messages:
            try:
                if self._dispatch(message):
                    continue
            except BadMessage as error:
                self.bad_messages += 1
                log.warning("sync.bad_message", topic=message.topic, error=str(error))
            except Exception:
                # Acks and welcomes come again; one that fails must not take the others with it.
                self.failed_handlers += 1
                log.exception("sync.not_handled", topic=message.topic)
            message.done()

    def _dispatch(self, message: Message) -> bool:
        """Handle one message; True for a command, which is acknowledged when it is done."""
        kind = message.topic.rsplit("/", 1)[-1]
        if message.topic.startswith("bq/1/pub/queue/"):
            self._on_queue(decode(message.payload, QueueState))
        elif kind == "ack":
            self._perform(self._session.acked(decode(message.payload, Ack), self._now_ms()))
        elif kind == "welcome":
            welcome = decode(message.payload, Welcome)
            digest = self._journal.digest_at(welcome.hw)
            self._perform(self._session.welcomed(welcome, digest, self._now_ms()))
            self._on_online(self.online)
        elif kind == "cmd":
            command: Command = decode(message.payload, Command)  # type: ignore[arg-type]
            self._spawn(self._serve(command, message))
            return True
        return False

    async def _serve(self, command: Command, message: Message) -> None:
        """Carry a command out once, however often it arrives; answer each time."""
        doing = self._results.get(command.key)
        if doing is None:
            doing = self._results[command.key] = asyncio.ensure_future(self._carry_out(command))
            while len(self._results) > REMEMBERED_COMMANDS:
                del self._results[next(iter(self._results))]
        result = await doing
        own = RES.of(node=self._journal.node)
        asked = message.response_topic
        self._transport.publish(
            RES, asked if asked and node_of(asked) else own, encode(result),
            correlation=message.correlation,
        )  # fmt: skip
        message.done()

    async def _carry_out(self, command: Command) -> CommandResult:
        try:
            await self._on_command(command)
        except Exception as error:  # noqa: BLE001 - whatever it is, the server must hear of it
            return CommandResult(key=command.key, ok=False, error=str(error))
        return CommandResult(key=command.key, ok=True)

    def _perform(self, effects: list[Effect]) -> None:
        """Carry effects out, each for itself: what fails now (a full disk) is tried again by the
        session's own resending.
        """
        for effect in effects:
            try:
                self._carry_effect_out(effect)
            except Exception as error:  # noqa: BLE001 - one line each: a full disk fails them all
                self.failed_handlers += 1
                log.error("sync.effect_failed", node=self._journal.node, error=repr(error))

    def _carry_effect_out(self, effect: Effect) -> None:
        match effect:
            case SendHello(connect):
                self._busy.set()
                self._send_hello(connect)
            case SendEvents(first, last):
                self._busy.set()
                rows = self._journal.after(first - 1, last - first + 1)
                node = self._journal.node
                if rows:
                    self._transport.publish(EVT, EVT.of(node=node), pack(rows))
            case Acked(hw):
                self._progress.set()
                self._journal.mark_acked(hw)
            case Report(code, detail):
                self.report = f"{code}: {detail}"
                log.error("sync.refused", node=self._journal.node, code=code, detail=detail)

    def _send_hello(self, connect: int) -> None:
        journal = self._journal
        hello = Hello(
            node=journal.node,
            epoch=journal.epoch,
            top_seq=journal.top_seq,
            acked=journal.acked,
            digest=journal.digest,
            boot=journal.clock.boot,
            connect=connect,
            version=self._version,
            ts=journal.clock.wall_ms(),
            mono_ms=journal.clock.mono_ms(),
        )
        self._transport.publish(HELLO, HELLO.of(node=journal.node), encode(hello))

    async def _keep_time(self) -> None:
        beat_ms = self._now_ms()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_S):  # wait_for may swallow a cancel
                    await self._busy.wait()
            if self._waits_for_server:
                await asyncio.sleep(TICK_S)
                self._perform(self._session.tick(self._now_ms()))
            else:
                self._busy.clear()
            if self._now_ms() - beat_ms >= HEARTBEAT_S * 1000:
                beat_ms = self._now_ms()
                if self._transport.connected:
                    self._announce("online")

    @property
    def _waits_for_server(self) -> bool:
        session = self._session
        return session.state is SessionState.GREETING or session.sent > session.cursor

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
