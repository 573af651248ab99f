"""Tells whoever watches over the kiosk that people can see it and touch it (sd_notify).

The watcher is systemd or ``lobby kiosk --supervised``: it gives the kiosk the address of a
datagram socket and kills and restarts it when the word stays away. The word is given only after a
frame that was asked for came on the screen, by the loop that takes the touches: a blocked loop, a
hung graphics driver and a stopped process are all silent.
"""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Mapping

READY = "READY=1"
ALIVE = "WATCHDOG=1"
STOPPING = "STOPPING=1"
ADDRESS_VARIABLE = "NOTIFY_SOCKET"
LIMIT_VARIABLE = "WATCHDOG_USEC"
BEATS_A_LIMIT = 4
"""So that three may come late on a busy machine."""
EVERY_S = 5.0
"""Where nobody names a limit."""


class Notifier:
    """Says words to the watcher; without one it says nothing. A watcher that went away or does not
    listen costs the word, never the kiosk.
    """

    def __init__(self, address: str) -> None:
        """``address`` as in NOTIFY_SOCKET: a path, ``@name`` for an abstract one, "" for none."""
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket = None
        if address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.setblocking(False)

    def say(self, word: str) -> bool:
        """Whether the word was taken."""
        if self._socket is None:
            return False
        try:
            self._socket.sendto(word.encode(), self._address)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Say nothing more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def every_s(environment: Mapping[str, str]) -> float:
    """Seconds between two words for the limit that the watcher gave. That it gave the limit to
    another process is not looked at: the kiosk's parent may be a compositor that hands it down.
    """
    limit_us = environment.get(LIMIT_VARIABLE, "")
    if not (limit_us.isascii() and limit_us.isdigit() and int(limit_us)):
        return EVERY_S
    return int(limit_us) / 1e6 / BEATS_A_LIMIT


class Heartbeat:
    """``frame()`` returns once a frame that was begun after its call is on the screen; ``up`` is
    called after the first one.
    """

    def __init__(
        self,
        frame: Callable[[], Awaitable[None]],
        notifier: Notifier,
        every_s: float,
        up: Callable[[], None] = lambda: None,
    ) -> None:
        self._frame = frame
        self._notifier = notifier
        self._every_s = every_s
        self._up = up

    async def run(self) -> None:
        """Beat until cancelled; the first word is that the kiosk can be used."""
        await self._frame()
        self._notifier.say(READY)
        self._up()
        while True:
            await self._frame()
            self._notifier.say(ALIVE)
            await asyncio.sleep(self._every_s)


def heartbeat(
    frame: Callable[[], Awaitable[None]], up: Callable[[], None]
) -> tuple[Heartbeat, Notifier]:
    """The heartbeat of this process, for the watcher that its environment names."""
    notifier = Notifier(os.environ.get(ADDRESS_VARIABLE, ""))
    return Heartbeat(frame, notifier, every_s(os.environ), up), notifier
