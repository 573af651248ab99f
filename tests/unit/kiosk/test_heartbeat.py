import asyncio
import socket
from pathlib import Path

import pytest

from kiosk.heartbeat import ALIVE, EVERY_S, READY, Heartbeat, Notifier, every_s
from simulator import vtime


class Watcher:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)

    def heard(self) -> list[str]:
        words: list[str] = []
        while True:
            try:
                words.append(self._socket.recv(100).decode())
            except BlockingIOError:
                return words

    def close(self) -> None:
        self._socket.close()


@pytest.mark.parametrize("abstract", [False, True])
def test_words_reach_the_watcher(tmp_path: Path, abstract: bool) -> None:
    address = f"@lobby-{tmp_path}" if abstract else str(tmp_path / "notify")
    watcher, notifier = Watcher(address), Notifier(address)
    assert notifier.say(READY)
    assert watcher.heard() == [READY]
    watcher.close()
    notifier.close()


def test_a_watcher_that_is_away_or_full_costs_the_word_alone(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    notifier = Notifier(address)
    assert not notifier.say(READY)
    watcher = Watcher(address)
    assert notifier.say(READY)
    for _ in range(10_000):
        if not notifier.say(ALIVE):
            break
    else:
        pytest.fail("a full watcher blocks nobody, and loses words")
    notifier.close()
    notifier.close()
    assert not notifier.say(ALIVE)
    watcher.close()


def test_without_a_watcher_nothing_is_said() -> None:
    assert not Notifier("").say(READY)


@pytest.mark.parametrize(
    ("limit", "expected_s"),
    [("10000000", 2.5), ("", EVERY_S), ("0", EVERY_S), ("-1", EVERY_S), ("³", EVERY_S)],
)
def test_four_words_a_limit(limit: str, expected_s: float) -> None:
    assert every_s({"WATCHDOG_USEC": limit}) == expected_s
    assert every_s({}) == EVERY_S


def test_it_beats_only_while_frames_come(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    watcher, notifier = Watcher(address), Notifier(address)
    frames = asyncio.Event()

    async def frame() -> None:
        await frames.wait()

    async def play() -> None:
        beating = asyncio.create_task(Heartbeat(frame, notifier, 2.5).run())
        await asyncio.sleep(60)
        assert watcher.heard() == []
        frames.set()
        await asyncio.sleep(9)
        assert watcher.heard() == [READY] + [ALIVE] * 4
        frames.clear()  # the screen is frozen, the loop is not
        await asyncio.sleep(2.5)
        watcher.heard()
        await asyncio.sleep(60)
        assert watcher.heard() == []
        frames.set()
        await asyncio.sleep(0.1)
        assert watcher.heard() == [ALIVE]
        beating.cancel()

    vtime.run(play())
    watcher.close()
    notifier.close()
