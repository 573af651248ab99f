"""Alerts by HTTP to another system of the bank: signed, in order, at least once.

The receiver checks ``X-Lobby-Signature: t=<Unix seconds>,v1=<hex>``: v1 is HMAC-SHA256 under the
secret over ``t``, a full stop and the body. It answers 2xx once it has the alert; anything else,
and silence, is tried again, each time later up to BACKOFF_MOST_S. ``id`` of the body tells a
repeat.
"""

import asyncio
import contextlib
import hashlib
import hmac
import os
import secrets
from pathlib import Path

import structlog
from sqlalchemy.exc import SQLAlchemyError

from branch.alert_spool import AlertSpool
from branch.http_post import BadAnswer, post
from branch.standards_config import WebhookConfig
from sync.alerts import Alert, AlertCleared, AlertRaised, AlertReopened
from sync.clock import Clock
from sync.messages import AnyEvent, UnknownEvent, encode
from sync.settings import SettingsError

BACKOFF_FIRST_S = 1.0
BACKOFF_MOST_S = 60.0
SECRET_BYTES = 32
LEAST_SECRET = 32
"""Characters of a secret that somebody else has made."""

log = structlog.get_logger()


class Webhook:
    """Posts what ``spool`` has; ``note`` belongs into the service's ``listeners``."""

    def __init__(
        self, config: WebhookConfig, secret: bytes, spool: AlertSpool, clock: Clock
    ) -> None:
        self._config = config
        self._secret = secret
        self._spool = spool
        self._clock = clock
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.failure = ""
        """Why the last try failed, "" when it did not."""
        self.posted = 0

    def note(self, event: AnyEvent | UnknownEvent) -> None:
        """An event was committed."""
        if isinstance(event, AlertRaised | AlertCleared | AlertReopened):
            self._news.set()

    async def open(self) -> None:
        """Begin; what waited for the start goes first."""
        self._task = asyncio.create_task(self._keep_posting(), name="webhook")

    async def close(self) -> None:
        """Stop; what has not gone goes after the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def health(self) -> dict[str, object]:
        """The row of ``/healthz``. Raises SQLAlchemyError."""
        return {
            "posted": self.posted,
            "waiting": self._spool.waiting,
            "dropped": self._spool.dropped,
            "failure": self.failure,
        }

    async def _keep_posting(self) -> None:
        tries = 0
        while True:
            self._news.clear()
            try:
                found = self._spool.next()
                if found is None:
                    await self._news.wait()
                    continue
                failure = await self._try(found[1])
                if not failure:
                    self._spool.done(found[0])
                    self.posted += 1
                else:
                    self._spool.keep(self._config.spool)
            except SQLAlchemyError as error:
                failure = str(error)
            except Exception as error:
                # A task that ends here would post nothing any more.
                log.exception("webhook.broken")
                failure = str(error)
            self._learn(failure)
            tries = tries + 1 if failure else 0
            if failure:
                await asyncio.sleep(self._pause_s(tries))

    async def _try(self, alert: Alert) -> str:
        """Why the alert was not taken, "" if it was."""
        body = encode(alert)
        headers = {
            "Content-Type": "application/json",
            "X-Lobby-Signature": signature(self._secret, self._clock.wall_ms() // 1000, body),
        }
        try:
            status = await post(self._config.url, headers, body, self._config.timeout_s)
        except TimeoutError:
            return f"no answer in {self._config.timeout_s:g} s"
        except (OSError, BadAnswer) as error:
            return str(error) or type(error).__name__
        return "" if 200 <= status < 300 else f"HTTP {status}"

    def _pause_s(self, tries: int) -> float:
        """Twice as long after each try, spread by a quarter either way."""
        pause_s = min(BACKOFF_FIRST_S * 2 ** min(tries - 1, 10), BACKOFF_MOST_S)
        return float(pause_s * (0.75 + self._clock.random_bits(16) / 2**17))

    def _learn(self, failure: str) -> None:
        before, self.failure = self.failure, failure
        if failure and failure != before:
            log.error("webhook.failed", url=self._config.url, failure=failure)
        elif before and not failure:
            log.info("webhook.back", after=before)


def signature(secret: bytes, at_s: int, body: bytes) -> str:
    """What the receiver compares with."""
    code = hmac.new(secret, f"{at_s}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at_s},v1={code}"


def read_secret(path: Path) -> bytes:
    """The secret of the file; a file that is not there is made, for its owner alone. Raises
    SettingsError.
    """
    try:
        with contextlib.suppress(FileExistsError):
            made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(made, "w") as file:
                file.write(secrets.token_hex(SECRET_BYTES) + "\n")
        mode = path.stat().st_mode & 0o777
        text = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"webhook.secret_file: {path}: {error}") from error
    if mode & 0o077:
        raise SettingsError(
            f"webhook.secret_file: {path}: mode {mode:o}, others may read it; chmod 600 it"
        )
    if len(text) < LEAST_SECRET:
        raise SettingsError(
            f"webhook.secret_file: {path}: {len(text)} characters; expected {LEAST_SECRET} or"
            " more, or remove the file and one is made"
        )
    return text.encode()
