"""The device's end of the exchange: drives the session, reads the journal, takes commands. The
shell around session.py.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog

from sync.crashpoint import reach
from sync.errors import BadMessage
from sync.journal import Journal, pack
from sync.journal_space import SpaceLevel
from sync.journal_upkeep import RETENTION_MS
from sync.messages import (
    MAX_MESSAGE_BYTES,
    Ack,
    Answer,
    AppliedConfig,
    Ask,
    Command,
    CommandResult,
    DesiredConfig,
    Hello,
    QueueState,
    State,
    Welcome,
    decode,
    encode,
)
from sync.personal import SENT, sent
from sync.session import (
    Acked,
    BeginEpoch,
    Effect,
    Report,
    SendEvents,
    SendHello,
    Session,
    SessionState,
)
from sync.topics import (
    ACK,
    ANSWER,
    ASK,
    CFG,
    CFG_APPLIED,
    CMD,
    EVT,
    FEED,
    HELLO,
    QUEUE,
    RES,
    SRV_STATE,
    STATE,
    WELCOME,
    Topic,
    node_of,
)
from sync.transport import NO_SUBSCRIBER, NOT_AUTHORISED, Message, Transport

TICK_S = 0.1
HEARTBEAT_S = 15.0
ALERT_S = 3.0
"""An alert is told within this time."""
KEEP_CURSOR_S = 1.0
"""How often the acknowledged cursor is made durable: a lost one costs a few events sent again."""
PRUNE_EVERY_S = 3600.0
PRUNE_ROWS = 2_000
"""Rows thrown away at a time: some 20 ms."""
MESSAGE_BYTES = MAX_MESSAGE_BYTES - 1024
"""Events a message, by bytes; one that is longer goes alone."""
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
        on_welcome: Callable[[Welcome, int], None] = lambda _welcome, _sent_ms: None,
        on_answer: Callable[[Answer], None] | None = None,
        on_config: Callable[[DesiredConfig], None] | None = None,
        root: str = FEED,
        check_chain: bool = True,
    ) -> None:
        """``on_command`` carries a command out or raises; the text of what it raises goes back to
        the server. ``on_welcome(welcome, when)`` is told of each welcome before it is acted upon;
        ``when`` is the boot time (ms) at which its hello was sent. ``root`` is the feed's.
        ``on_answer`` is told the answers to ``ask``; None where nothing is asked. ``on_config`` is
        told what the server wants of this device; None where nobody configures it.
        """
        self._journal = journal
        self._transport = transport
        self._version = version
        self._on_command = on_command
        self._on_queue = on_queue
        self._on_online = on_online
        self._on_welcome = on_welcome
        self._on_answer = on_answer
        self._on_config = on_config
        self._root = root
        self._session = Session(
            journal.epoch,
            journal.acked,
            journal.top_seq,
            chance=lambda: journal.clock.random_bits(16) / 65_536,
            check_chain=check_chain,
        )
        self._server: tuple[str, int] | None = None  # which start of the server we know
        self._kept_ms = self._pruned_ms = self._now_ms()
        self._results: dict[str, asyncio.Task[CommandResult]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._progress = asyncio.Event()
        self._busy = asyncio.Event()
        self.bad_messages = 0
        self.failed_handlers = 0
        self.report = ""
        self._told: tuple[str, ...] = ()
        transport.listen(
            on_up=self._connected,
            on_down=self._disconnected,
            on_messages=self._received,
            on_refused=self._refused,
        )
        own = [topic.of(node=journal.node, root=root) for topic in (WELCOME, ACK, CMD)]
        transport.subscribe(*own, QUEUE.every(root), SRV_STATE.of(root=root))
        if on_answer is not None:
            transport.subscribe(ANSWER.of(node=journal.node, root=root))
        if on_config is not None:
            transport.subscribe(CFG.of(node=journal.node, root=root))

    @property
    def online(self) -> bool:
        """Whether the server has greeted us on this connection."""
        return self._session.state is SessionState.STREAMING

    @property
    def unacknowledged(self) -> int:
        """Journalled events that the server has not confirmed."""
        return self._journal.top_seq - self._session.cursor

    def has_reached(self, epoch: int, seq: int) -> bool:
        """Whether the server has committed this event of ours."""
        return self._journal.epoch == epoch and self._session.cursor >= seq

    @property
    def alerts(self) -> tuple[str, ...]:
        """What staff must know now, as codes."""
        space = self._journal.space
        found = []
        if space is not SpaceLevel.AMPLE:
            found.append("storage_low" if space is SpaceLevel.LOW else "storage_full")
        if self._session.state is SessionState.REFUSED and self.report:
            found.append(self.report.partition(":")[0])
        return tuple(found)

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
        self._keep_cursor()
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

    def ask(self, ask: Ask) -> bool:
        """Ask the server; False when it is not there to answer."""
        name = ASK.of(node=self._journal.node, root=self._root)
        return self.online and self._transport.publish(ASK, name, encode(ask))

    def tell_applied(self, applied: AppliedConfig) -> bool:
        """Say what became of the configuration; False when nobody can be told now."""
        name = CFG_APPLIED.of(node=self._journal.node, root=self._root)
        return self._transport.publish(CFG_APPLIED, name, encode(applied))

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
        state = State(
            node=self._journal.node,
            status=status,  # type: ignore[arg-type]
            connect=self._session.connect,
            version=self._version,
            alerts=list(self.alerts),
        )
        self._told = self.alerts
        self._publish(STATE, encode(state))

    def _publish(self, topic: Topic, payload: bytes) -> None:
        name = topic.of(node=self._journal.node, root=self._root)
        self._transport.publish(topic, name, payload)

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
        if kind != "cfg" and sent(message.payload):
            raise BadMessage(SENT)
        if message.topic.startswith(f"{self._root}/pub/queue/"):
            self._on_queue(decode(message.payload, QueueState))
        elif message.topic == SRV_STATE.of(root=self._root):
            self._server_said(decode(message.payload, State), retained=message.retained)
        elif kind == "ack":
            ack = decode(message.payload, Ack)
            digest = self._journal.digest_at(ack.hw)
            self._perform(self._session.acked(ack, digest, self._now_ms()))
        elif kind == "welcome":
            self._welcomed(decode(message.payload, Welcome))
        elif kind == "answer" and self._on_answer is not None:
            answer: Answer = decode(message.payload, Answer)  # type: ignore[arg-type]
            self._on_answer(answer)
        elif kind == "cfg" and self._on_config is not None:
            self._on_config(decode(message.payload, DesiredConfig))
        elif kind == "cmd":
            command: Command = decode(message.payload, Command)  # type: ignore[arg-type]
            self._spawn(self._serve(command, message))
            return True
        return False

    def _welcomed(self, welcome: Welcome) -> None:
        if welcome.connect == self._session.connect:
            self._on_welcome(welcome, welcome.hello_mono_ms)
        digest = self._journal.digest_at(welcome.hw)
        effects = self._session.welcomed(welcome, digest, self._now_ms())
        if self.online:
            self._journal.lower_acked(self._session.cursor)
        self._perform(effects)
        reach("outbox.welcomed")
        self._on_online(self.online)

    def _server_said(self, state: State, *, retained: bool) -> None:
        """Greet a server that has started; the one that was there when we came is greeted
        already. Once it has gone, nothing more is sent, until it is back.
        """
        start = (state.server_gen, state.connect)
        if state.status != "online":
            if not _is_before(start, self._server):
                self._server = None
                self._perform(self._session.unheard(self._now_ms()))
                self._on_online(self.online)
                self._busy.set()
            return
        known, self._server = self._server, start
        if start != known and not (retained and known is None):
            self._perform(self._session.server_started(self._now_ms()))
            self._busy.set()

    def _refused(self, name: str, code: int) -> None:
        """The broker did not pass on what we published under ``name``."""
        if name.rsplit("/", 1)[-1] not in ("hello", "evt"):
            if code == NOT_AUTHORISED:
                self.report = f"not_authorised: the broker does not let us publish {name}"
                log.error("sync.refused", node=self._journal.node, topic=name)
            return
        if code == NO_SUBSCRIBER:
            self._perform(self._session.unheard(self._now_ms()))
            self._on_online(self.online)
        elif code == NOT_AUTHORISED:
            detail = f"the broker does not let {self._journal.node} publish {name}; check its ACL"
            self._perform(self._session.refused("not_authorised", detail, self._now_ms()))
            self._on_online(self.online)
        self._busy.set()

    async def _serve(self, command: Command, message: Message) -> None:
        """Carry a command out once, however often it arrives; answer each time."""
        doing = self._results.get(command.key)
        if doing is None:
            doing = self._results[command.key] = asyncio.ensure_future(self._carry_out(command))
            while len(self._results) > REMEMBERED_COMMANDS:
                del self._results[next(iter(self._results))]
        result = await doing
        own = RES.of(node=self._journal.node, root=self._root)
        asked = message.response_topic
        self._transport.publish(
            RES, asked if asked and node_of(asked, self._root) else own, encode(result),
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
                for part in _parts(rows):
                    reach("outbox.sending")
                    self._publish(EVT, pack(part))
                    reach("outbox.sent")
            case Acked():
                self._progress.set()
                if self._now_ms() - self._kept_ms >= KEEP_CURSOR_S * 1000:
                    self._keep_cursor()
                reach("outbox.acked")
            case BeginEpoch(epoch, reason):
                self._begin_epoch(epoch, reason)
            case Report(code, detail):
                self.report = f"{code}: {detail}"
                log.error("sync.refused", node=self._journal.node, code=code, detail=detail)

    def _begin_epoch(self, epoch: int, reason: str) -> None:
        """One of the two was restored from a copy: the whole retained journal goes again, with
        the same ids, under a new epoch.
        """
        journal = self._journal
        log.warning("sync.forked", node=journal.node, reason=reason, new_epoch=epoch)
        journal.begin_epoch(epoch)
        self._busy.set()
        self._perform(self._session.epoch_begun(epoch, journal.top_seq, self._now_ms()))

    def _keep_cursor(self) -> None:
        self._kept_ms = self._now_ms()
        try:
            self._journal.mark_acked(self._session.cursor)
        except Exception as error:  # noqa: BLE001 - a lost cursor costs events sent again
            self.failed_handlers += 1
            log.error("sync.cursor_not_kept", node=self._journal.node, error=repr(error))

    def _prune(self) -> None:
        """Throw away what the server has had for long enough."""
        self._pruned_ms = self._now_ms()
        try:
            self._journal.prune(self._journal.clock.wall_ms() - RETENTION_MS, PRUNE_ROWS)
        except Exception as error:  # noqa: BLE001 - there is another hour
            self.failed_handlers += 1
            log.error("sync.not_pruned", node=self._journal.node, error=repr(error))

    def _send_hello(self, connect: int) -> None:
        journal = self._journal
        stamp = journal.clock.stamp()
        hello = Hello(
            node=journal.node,
            epoch=journal.epoch,
            top_seq=journal.top_seq,
            acked=self._session.cursor,
            digest=journal.digest,
            boot=journal.clock.boot,
            connect=connect,
            version=self._version,
            ts=journal.clock.wall_ms(),
            mono_ms=journal.clock.mono_ms(),
            first_seq=journal.first_seq,
            quality=stamp.quality,
            err_ms=stamp.err_ms,
        )
        self._publish(HELLO, encode(hello))

    async def _keep_time(self) -> None:
        beat_ms = self._now_ms()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ALERT_S):  # wait_for may swallow a cancel
                    await self._busy.wait()
            if self._session.waits:
                await asyncio.sleep(TICK_S)
                self._perform(self._session.tick(self._now_ms()))
            else:
                self._busy.clear()
            if self._journal.acked < self._session.cursor and not self._session.waits:
                self._keep_cursor()
            if self._now_ms() - self._pruned_ms >= PRUNE_EVERY_S * 1000:
                self._prune()
            alerted = self.alerts != self._told
            if alerted or self._now_ms() - beat_ms >= HEARTBEAT_S * 1000:
                beat_ms = self._now_ms()
                if self._transport.connected:
                    self._announce("online")

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _is_before(start: tuple[str, int], known: tuple[str, int] | None) -> bool:
    """Whether it is an earlier start of the server that we know; its will may come late."""
    return known is not None and start[0] == known[0] and start[1] < known[1]


def _parts(rows: list[tuple[int, bytes]]) -> list[list[tuple[int, bytes]]]:
    """The rows as messages that a server takes: by bytes, for the number is bounded already."""
    parts: list[list[tuple[int, bytes]]] = []
    size = MESSAGE_BYTES
    for row in rows:
        size += len(row[1]) + 1
        if size > MESSAGE_BYTES:
            parts.append([])
            size = len(row[1]) + 2
        parts[-1].append(row)
    return parts
