"""Whom the host believes: keyed pads of this process on virtual time, and what others say."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from firmware.pad import link as wire
from hal.api import ByteLink
from hal.drivers.pad import SerialPad
from hal.drivers.pad_firmware import WantedFirmware, version_of
from hal.drivers.pad_talk import PadTalk
from hal.errors import DeviceRefused
from hal.link import memory_pair
from hal.sim.pad import CorePad
from simulator import vtime

KEY = bytes(range(32))
OTHER_KEY = bytes(32)


class Tap:
    """A link that records what the host sends and hears, and lets a test add bytes of its own."""

    def __init__(self, inner: ByteLink) -> None:
        self.inner = inner
        self.heard: list[bytes] = []
        self.sent: list[bytes] = []
        self._injected: asyncio.Queue[bytes] = asyncio.Queue()
        self._reading: asyncio.Task[bytes] | None = None

    @property
    def address(self) -> str:
        return self.inner.address

    async def open(self) -> None:
        await self.inner.open()

    async def read(self, limit: int = 4096) -> bytes:
        if self._reading is None:
            self._reading = asyncio.create_task(self.inner.read(limit))
        injected = asyncio.create_task(self._injected.get())
        try:
            done, _ = await asyncio.wait(
                (self._reading, injected), return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            if not injected.done():
                injected.cancel()
        if injected in done:
            return injected.result()
        data = self._reading.result()
        self._reading = None
        self.heard.append(data)
        return data

    async def write(self, data: bytes) -> None:
        self.sent.append(data)
        await self.inner.write(data)

    async def close(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None
        await self.inner.close()

    def inject(self, data: bytes) -> None:
        self._injected.put_nowait(data)

    def frames(self, kind: int) -> list[bytes]:
        """Sealed frames of a kind that the host heard, as on the wire."""
        pieces = [piece + b"\0" for data in self.heard for piece in data.split(b"\0")]
        return [
            piece
            for piece in pieces
            for result in wire.Decoder().feed(piece)
            if isinstance(result, wire.Sealed) and result.kind == kind
        ]


class Lab:
    """A pad, the link, and what the host's configuration says."""

    def __init__(self, key: bytes | None = KEY) -> None:
        loop = asyncio.get_running_loop()
        self.rng = random.Random(3)
        self.near, far = memory_pair()
        self.now_ms = lambda: int(loop.time() * 1000)
        self.pad = CorePad(
            far,
            now_ms=self.now_ms,
            boot_ids=lambda: self.rng.getrandbits(32),
            key=key,
            random=self.rng.randbytes,
        )
        self.keys: dict[str, bytes] = {self.pad.unique_id: KEY}

    @asynccontextmanager
    async def driver(self, **options: object) -> AsyncIterator[tuple[SerialPad, Tap]]:
        tap = Tap(self.near)
        driver = SerialPad(
            tap,
            name="pad 1",
            now_ms=self.now_ms,
            key_of=self.keys.get,
            random=self.rng.randbytes,
            **options,  # type: ignore[arg-type]
        )
        await self.pad.start()
        await driver.open()
        try:
            await asyncio.sleep(3)
            yield driver, tap
        finally:
            await driver.close()
            await self.pad.stop()


def virtual(scenario: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def test() -> None:
        vtime.run(scenario())

    test.__name__ = scenario.__name__
    return test


def health(driver: SerialPad) -> tuple[str, str]:
    return driver.health.state.value, driver.health.detail


@virtual
async def test_a_pad_whose_key_is_here_is_taken():
    async with Lab().driver() as (driver, tap):
        assert health(driver) == ("ok", "")
        assert driver.identity is not None
        assert driver.identity.keyed
        await driver.arm(7, 1_000)
        plain = [
            frame.kind
            for data in tap.sent
            for frame in wire.Decoder().feed(data)
            if isinstance(frame, wire.Frame)
        ]
        assert set(plain) <= {wire.WHO, wire.CHALLENGE}


@pytest.mark.parametrize(
    ("pad_key", "host_key", "lax", "detail", "says"),
    [
        (KEY, None, False, "key_missing", "no key for this pad on this machine"),
        (KEY, None, True, "key_missing", "no key for this pad on this machine"),
        (KEY, OTHER_KEY, False, "key_wrong", "another key"),
        (None, KEY, False, "pad_unkeyed", "has no key"),
        (None, KEY, True, "pad_unkeyed", "has no key"),
        (None, None, False, "pad_unkeyed", "has no key"),
        (KEY, b"", False, "revoked", "replaced by another and is revoked"),
        (None, b"", True, "revoked", "replaced by another and is revoked"),
    ],
)
def test_without_the_right_key_the_row_says_what_is_wrong(pad_key, host_key, lax, detail, says):
    async def scenario() -> None:
        lab = Lab(pad_key)
        lab.keys.clear()
        if host_key is not None:
            lab.keys[lab.pad.unique_id] = host_key
        async with lab.driver(allow_unkeyed=lax) as (driver, _):
            assert health(driver) == ("fault", detail)
            with pytest.raises(DeviceRefused, match=says):
                await driver.arm(7, 1_000)
            await lab.pad.press(3)
            await asyncio.sleep(10)
            assert driver.health.counters["presses"] == 0
            assert health(driver) == ("fault", detail)

    vtime.run(scenario())


@virtual
async def test_a_key_that_arrives_later_is_used_at_once():
    lab = Lab()
    lab.keys.clear()
    async with lab.driver() as (driver, _):
        lab.keys[lab.pad.unique_id] = OTHER_KEY
        await asyncio.sleep(6)
        assert health(driver) == ("fault", "key_wrong")
        lab.keys[lab.pad.unique_id] = KEY
        await asyncio.sleep(4)
        assert health(driver) == ("ok", "")


@virtual
async def test_old_and_unknown_firmware_works_and_is_named():
    lab = Lab()
    for options, detail in (
        ({"oldest_firmware": "99.0.0"}, "firmware_old"),
        ({"firmware_hashes": frozenset({"00" * 7 + "01"})}, "firmware_unknown"),
    ):
        async with lab.driver(**options) as (driver, _):
            assert health(driver) == ("warning", detail)
            await driver.arm(7, 1_000)


@virtual
async def test_forged_plain_frames_change_nothing():
    async with Lab().driver() as (driver, tap):
        assert driver.identity is not None
        boot_id = driver.identity.boot_id
        changes: list[object] = []
        driver.on_health(changes.append)
        press = wire.pack_press(7, 5, 0, boot_id)
        tap.inject(wire.encode(wire.PRESS, boot_id, 1, press))
        tap.inject(wire.encode(wire.DONE, boot_id, 1, wire.pack_done(wire.OK)))
        forged = wire.Hello(bytes.fromhex("c07e"), "6.6.6", "forger")
        for hello in (
            wire.pack_hello(forged),
            wire.pack_hello(wire.Hello(b"other", "6.6.6", "forger", flags=wire.KEYED)),
            b"\1an old one",
        ):
            tap.inject(wire.encode(wire.HELLO, 0xBAD, 1, hello))
        await asyncio.sleep(1)
        counters = driver.health.counters
        assert (counters["presses"], counters["plain_refused"], counters["boots"]) == (0, 2, 1)
        assert (health(driver), driver.identity.boot_id) == (("ok", ""), boot_id)
        assert not changes
        await driver.arm(7, 1_000)


@virtual
async def test_a_hello_with_a_sniffed_nonce_gives_no_false_identity():
    lab = Lab()
    async with lab.driver() as (driver, tap):
        await lab.pad.restart()
        sniffed = lab.pad.core._greeting._hello  # what is on the line for all to see
        false = wire.Hello(
            sniffed.unique_id, "6.6.6", "forger", flags=wire.KEYED, nonce=sniffed.nonce
        )
        for _ in range(20):
            tap.inject(wire.encode(wire.HELLO, 0xBAD, 1, wire.pack_hello(false)))
            await asyncio.sleep(0.1)
        assert driver.identity is not None
        assert driver.health.counters["boots"] == 2
        assert driver.identity.firmware == sniffed.firmware
        assert driver.identity.boot_id == lab.pad.core.boot_id


@virtual
async def test_replayed_presses_are_refused_in_this_session_and_in_the_next():
    lab = Lab()
    async with lab.driver() as (driver, tap):
        await driver.arm(7, 1_000)
        await lab.pad.press(4)
        press = await driver.next_press()
        await driver.acknowledge(press)
        await asyncio.sleep(1)
        recorded = b"".join(tap.heard)
        presses = tap.frames(wire.PRESS)
        assert presses
        before = driver.health.counters["repeats"]
        for frame in presses:
            tap.inject(frame)
        tap.inject(recorded)
        await asyncio.sleep(1)
        assert driver.health.counters["replayed"] >= 2 * len(presses)
        assert driver.health.counters["repeats"] == before
        await driver.arm(8, 1_000)
    async with lab.driver() as (after, tap):
        tap.inject(recorded)
        await asyncio.sleep(1)
        counters = after.health.counters
        assert (counters["presses"], counters["repeats"]) == (0, 0)
        assert counters["forged"] > 0
        assert health(after) == ("ok", "")


@virtual
async def test_what_the_host_said_is_no_answer_of_the_pad():
    async with Lab().driver() as (driver, tap):
        await driver.arm(7, 1_000)
        forged = driver.health.counters["forged"]
        for data in list(tap.sent):
            tap.inject(data)
        await asyncio.sleep(1)
        assert driver.health.counters["forged"] > forged
        assert driver.health.counters["unknown_frames"] == 0


@virtual
async def test_forged_hellos_do_not_make_a_dead_pad_look_alive():
    lab = Lab()
    async with lab.driver() as (driver, tap):
        lab.pad._core.due = lambda buffer, now_ms: 0  # type: ignore[method-assign]
        for _ in range(10):
            hello = wire.Hello(
                bytes.fromhex("c07e"), "1", "x", flags=wire.KEYED, nonce=lab.rng.randbytes(8)
            )
            tap.inject(wire.encode(wire.HELLO, 1, 1, wire.pack_hello(hello)))
            await asyncio.sleep(1)
        assert health(driver) == ("lost", "silent")


@virtual
async def test_a_pad_that_lost_its_key_is_named_once_the_session_is_dead():
    lab = Lab()
    async with lab.driver() as (driver, _):
        lab.pad._key = None
        await lab.pad.restart()
        await asyncio.sleep(15)
        assert health(driver) == ("fault", "pad_unkeyed")


def test_nothing_is_sealed_for_nobody():
    talk = PadTalk(lambda _: None, allow_unkeyed=False, random=bytes)
    assert talk.encode(wire.ARM, 1, 1, wire.pack_arm(1, 1)) is None
    assert not talk.greeted


def test_a_session_begins_with_its_proof_and_nothing_else():
    talk = PadTalk({"01": KEY}.get, allow_unkeyed=False, random=bytes)
    hello = wire.Hello(b"\1", "1.0.0", "x", flags=wire.KEYED)
    talk.hear_hello(wire.Frame(wire.HELLO, 5, 1, wire.pack_hello(hello)))
    pad = wire.Session(wire.session_key(KEY, bytes(8), bytes(8), b"\1"), wire.FROM_PAD)
    for kind, body in (
        (wire.PING, wire.pack_hello(hello)),
        (wire.PROOF, b"no hello"),
        (wire.PROOF, b""),
    ):
        (sealed,) = wire.Decoder().feed(pad.seal(kind, 5, 1, body))
        assert isinstance(sealed, wire.Sealed)
        with contextlib.suppress(wire.BadBody):
            assert talk.open(sealed) is None
        assert not talk.greeted
    (sealed,) = wire.Decoder().feed(pad.seal(wire.PROOF, 5, 2, wire.pack_hello(hello)))
    assert isinstance(sealed, wire.Sealed)
    assert talk.open(sealed) is not None
    assert (talk.greeted, talk.boot_id, talk.hello) == (True, 5, hello)


@pytest.mark.parametrize(
    ("text", "version"), [("0.2.10", (0, 2, 10)), ("", ()), ("dev", ()), ("1", (1,))]
)
def test_versions_are_numbers(text, version):
    assert version_of(text) == version


def test_without_a_wish_every_firmware_is_right():
    assert WantedFirmware().complaint(None) == ""
