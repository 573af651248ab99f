"""The pad's driver against a far end that says what a pad would not, on virtual time."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given, strategies as st

from firmware.pad import link as wire
from hal.api import HealthState, PadPress
from hal.drivers import pad as driver_module, pad_commands, pad_presses
from hal.drivers.pad import SerialPad
from hal.errors import DeviceRefused, DeviceSilent, LinkLost, LinkUnavailable
from hal.link import memory_pair
from simulator import vtime

BOOT = 0xB007
SESSION = 0x4057
HELLO = wire.pack_hello(wire.Hello(b"\xab\xcd", "0.1.0", "bench"))
QUIET = wire.pack_ping(0, 0, 0, 0, 0)


class FarEnd:
    """The pad's side of a memory link, played by hand, and the driver at the near side."""

    def __init__(self) -> None:
        self.near, self.link = memory_pair()
        self.decoder = wire.Decoder()
        self.heard: list[wire.Frame] = []
        loop = asyncio.get_running_loop()
        self.driver = SerialPad(
            self.near,
            name="pad 1",
            now_ms=lambda: int(loop.time() * 1000),
            session=SESSION,
            allow_unkeyed=True,
        )
        self.states: list[tuple[str, str]] = []
        self.driver.on_health(lambda h: self.states.append((h.state.value, h.detail)))

    async def say(self, kind: int, body: bytes, *, boot_id: int = BOOT, seq: int = 1) -> None:
        await self.link.write(wire.encode(kind, boot_id, seq, body))
        await self.settle()

    async def settle(self) -> None:
        """Let what is ready run, then read what the host sent. Takes no virtual time."""
        for _ in range(30):
            await asyncio.sleep(0)
        while True:
            try:
                async with asyncio.timeout(0):
                    for frame in self.decoder.feed(await self.link.read()):
                        assert isinstance(frame, wire.Frame)
                        self.heard.append(frame)
            except TimeoutError:
                return

    def take(self) -> list[tuple[int, int, int]]:
        """(kind, boot id, seq) of what the host sent since the last call."""
        taken = [(frame.kind, frame.boot_id, frame.seq) for frame in self.heard]
        self.heard.clear()
        return taken

    async def greeted(self) -> SerialPad:
        await self.link.open()
        await self.driver.open()
        await self.say(wire.HELLO, HELLO)
        assert self.driver.health.state is HealthState.OK
        self.take()
        self.states.clear()
        return self.driver

    async def press(self, seq: int, nonce: int = 5) -> None:
        await self.say(wire.PRESS, wire.pack_press(nonce, 4, 0, BOOT), seq=seq)


def on_virtual_time(scenario: Callable[[FarEnd], Awaitable[None]]) -> None:
    async def play() -> None:
        far = FarEnd()
        try:
            await scenario(far)
        finally:
            await far.driver.close()
            await far.link.close()

    vtime.run(play())


def virtual(scenario: Callable[[FarEnd], Awaitable[None]]) -> Callable[[], None]:
    def test() -> None:
        on_virtual_time(scenario)

    test.__name__ = scenario.__name__
    return test


@virtual
async def test_opening_asks_who_is_there_until_somebody_says_hello(far):
    await far.link.open()
    await far.driver.open()
    await far.driver.open()
    await asyncio.sleep(3.2)
    await far.settle()
    assert far.take() == [(wire.WHO, SESSION, number) for number in (1, 2, 3, 4)]
    await far.say(wire.HELLO, HELLO, seq=9)
    assert far.take() == [(wire.HELLO_ACK, BOOT, 9)]
    assert far.driver.identity.unique_id == "abcd"
    await asyncio.sleep(3)
    await far.settle()
    assert far.take() == []


@virtual
async def test_noise_since_the_last_frame_does_not_cost_the_next_one(far):
    await far.link.open()
    await far.driver.open()
    await asyncio.sleep(0)
    decoder = wire.Decoder()
    (result,) = decoder.feed(await far.link.read())
    assert result == wire.Frame(wire.WHO, SESSION, 1, b"")
    await asyncio.sleep(1.1)
    noise = b"\x55\xaa"
    wrong, right = decoder.feed(noise + await far.link.read())
    assert isinstance(wrong, wire.Wrong)
    assert right == wire.Frame(wire.WHO, SESSION, 2, b"")


@virtual
async def test_a_port_that_cannot_be_opened_is_an_error_of_open(far):
    await far.link.open()
    await far.link.close()
    with pytest.raises(LinkUnavailable):
        await far.driver.open()
    with pytest.raises(LinkLost, match="is not open"):
        await far.driver.arm(1, 1000)


@virtual
async def test_a_pad_that_never_answers_is_silent(far):
    await far.link.open()
    await far.driver.open()
    began_s = asyncio.get_running_loop().time()
    with pytest.raises(DeviceSilent, match="pad 1: no answer within 3 s"):
        await far.driver.arm(1, 1000)
    assert asyncio.get_running_loop().time() - began_s == pytest.approx(3.0)
    await asyncio.sleep(driver_module.SILENT_AFTER_S)
    assert far.states == [("lost", "silent")]


@virtual
async def test_silence_is_lost_and_any_frame_brings_it_back(far):
    driver = await far.greeted()
    await asyncio.sleep(driver_module.SILENT_AFTER_S - 0.1)
    assert far.states == []
    await asyncio.sleep(driver_module.WATCH_S + 0.1)
    assert far.states == [("lost", "silent")]
    await far.say(wire.PING, QUIET, seq=8)
    assert far.states[1:] == [("ok", "")]
    assert far.take()[-1] == (wire.PONG, BOOT, 8)
    assert driver.health.detail == ""


@virtual
async def test_heartbeats_keep_it_ok(far):
    await far.greeted()
    for seq in range(30):
        await asyncio.sleep(2)
        await far.say(wire.PING, QUIET, seq=seq)
    assert far.states == []
    assert far.take() == [(wire.PONG, BOOT, seq) for seq in range(30)]


@virtual
async def test_a_command_is_repeated_under_one_sequence_until_done(far):
    driver = await far.greeted()
    task = asyncio.create_task(driver.arm(7, 1000))
    await asyncio.sleep(pad_commands.COMMAND_RETRY_S * 2.5)
    await far.settle()
    assert far.take() == [(wire.ARM, SESSION, 1)] * 3
    await far.say(wire.DONE, wire.pack_done(wire.OK), boot_id=SESSION + 1, seq=1)
    await far.say(wire.DONE, wire.pack_done(wire.OK), boot_id=SESSION, seq=99)
    assert not task.done()
    await far.say(wire.DONE, wire.pack_done(wire.OK), boot_id=SESSION, seq=1)
    assert task.done()
    await task
    await far.say(wire.DONE, wire.pack_done(wire.OK), boot_id=SESSION, seq=1)


@virtual
async def test_commands_wait_for_each_other(far):
    driver = await far.greeted()
    first = asyncio.create_task(driver.arm(7, 1000))
    second = asyncio.create_task(driver.disarm())
    await far.settle()
    assert far.take() == [(wire.ARM, SESSION, 1)]
    await far.say(wire.DONE, wire.pack_done(wire.OK), boot_id=SESSION, seq=1)
    await first
    await far.settle()
    assert far.take() == [(wire.DISARM, SESSION, 2)]
    await far.say(wire.DONE, wire.pack_done(wire.REFUSED), boot_id=SESSION, seq=2)
    with pytest.raises(DeviceRefused, match="pad 1"):
        await second


@virtual
async def test_bad_arguments_are_refused_before_the_wire(far):
    driver = await far.greeted()
    for nonce, window_ms in ((0, 1000), (2**32, 1000), (1, 0), (1, 90_001)):
        with pytest.raises(ValueError, match="expected 1"):
            await driver.arm(nonce, window_ms)
    assert far.take() == []


@virtual
async def test_another_protocol_is_a_fault_and_refuses_commands(far):
    await far.link.open()
    await far.driver.open()
    await far.say(wire.HELLO, b"\x01earlier", seq=4)
    assert far.states == [("fault", "protocol")]
    assert far.heard[-1].body == wire.pack_hello_ack(wire.REFUSED)
    assert far.take()[-1] == (wire.HELLO_ACK, BOOT, 4)
    with pytest.raises(DeviceRefused, match="does not speak protocol 2"):
        await far.driver.arm(1, 1000)
    await far.say(wire.HELLO, HELLO)
    assert far.driver.health.state is HealthState.OK


@virtual
async def test_a_press_of_an_unknown_boot_is_not_taken_but_asked_about(far):
    driver = await far.greeted()
    await asyncio.sleep(1)
    await far.say(wire.PRESS, wire.pack_press(1, 4, 0, BOOT + 1), boot_id=BOOT + 1)
    await far.say(wire.PING, QUIET, boot_id=BOOT + 1)
    assert [kind for kind, _, _ in far.take()] == [wire.WHO]
    assert driver.health.counters["presses"] == 0
    await far.say(wire.HELLO, HELLO, boot_id=BOOT + 1)
    assert driver.health.counters["boots"] == 2
    await far.say(wire.PRESS, wire.pack_press(1, 4, 0, BOOT + 1), boot_id=BOOT + 1)
    assert (await driver.next_press()).boot_id == BOOT + 1


@virtual
async def test_presses_nobody_fetches_stay_in_the_pad(far):
    driver = await far.greeted()
    for seq in range(1, pad_presses.MAX_WAITING + 3):
        await far.press(seq)
    assert driver.health.counters["held_back"] == 2
    assert [(await driver.next_press()).seq for _ in range(3)] == [1, 2, 3]
    await far.press(pad_presses.MAX_WAITING + 1)
    assert driver.health.counters["presses"] == pad_presses.MAX_WAITING + 1


@virtual
async def test_memory_of_presses_is_bounded(far):
    driver = await far.greeted()
    for seq in range(1, pad_presses.MAX_SEEN + 100):
        await far.press(seq)
        await driver.acknowledge(await driver.next_press())
    assert len(driver._desk.seen) == pad_presses.MAX_SEEN
    await far.settle()
    far.take()
    await far.press(seq)
    assert far.take() == [(wire.ACK, BOOT, seq)]


@virtual
async def test_a_press_of_another_pad_is_not_acknowledged_on_this_line(far):
    driver = await far.greeted()
    await driver.acknowledge(PadPress("beef", 1, 1, 5, 3, 0))
    await far.settle()
    assert far.take() == []
    await far.press(1)
    press = await driver.next_press()
    await driver.close()
    await driver.acknowledge(press)


@virtual
async def test_what_the_pad_reports_is_in_health(far):
    driver = await far.greeted()
    await far.say(wire.PING, wire.pack_ping(wire.FLAG_STUCK_KEY, 4, 3, 2, 9))
    assert far.states == [("fault", "stuck_key")]
    counters = driver.health.counters
    assert [counters[name] for name in ("pad_kept", "pad_dropped", "pad_bad_frames")] == [3, 2, 9]
    await far.say(wire.PING, QUIET)
    assert far.states == [("fault", "stuck_key"), ("ok", "")]


@virtual
async def test_what_does_not_fit_is_counted(far):
    driver = await far.greeted()
    await far.say(wire.PRESS, b"short")
    await far.say(wire.HELLO, b"")
    await far.say(wire.ARM, wire.pack_arm(1, 1))  # an echo of the host's own
    await far.say(0x2F, b"")
    await far.link.write(b"\x05junk\x00" + wire.encode(wire.PING, BOOT, 1, QUIET)[:-3] + b"\x00")
    await far.settle()
    counters = driver.health.counters
    assert (counters["bad_bodies"], counters["unknown_frames"]) == (2, 2)
    assert counters["short"] + counters["cobs_errors"] + counters["crc_errors"] == 2


@virtual
async def test_a_pulled_cable_is_tried_again_ever_more_slowly(far):
    driver = await far.greeted()
    loop = asyncio.get_running_loop()
    tried_s: list[float] = []
    really_open = far.near.open

    async def counted_open() -> None:
        tried_s.append(loop.time())
        await really_open()

    far.near.open = counted_open
    pulled_s = loop.time()
    await far.link.close()
    await asyncio.sleep(10)
    pauses = [b - a for a, b in zip([pulled_s, *tried_s], tried_s, strict=False)]
    assert pauses[:7] == pytest.approx([0.1, 0.25, 0.5, 1.0, 2.0, 2.0, 2.0], abs=0.01)
    assert far.states == [("lost", "link")]
    with pytest.raises(LinkLost):
        await driver.arm(1, 1000)
    await far.link.open()
    await asyncio.sleep(2.1)
    await far.say(wire.HELLO, HELLO)
    assert far.states == [("lost", "link"), ("unknown", ""), ("ok", "")]
    assert driver.health.counters["reopened"] == 1


@virtual
async def test_a_line_that_takes_no_bytes_is_opened_anew(far):
    driver = await far.greeted()
    far.near.write = lambda data: asyncio.Event().wait()
    await far.press(1)
    await driver.acknowledge(await driver.next_press())
    await asyncio.sleep(0.05)
    assert far.states == [("lost", "link")]


@virtual
async def test_a_write_that_fails_is_a_broken_link(far):
    driver = await far.greeted()

    async def fails(data: bytes) -> None:
        raise LinkLost("gone")

    far.near.write = fails
    with pytest.raises(LinkLost, match="gone"):
        await driver.arm(1, 1000)
    await asyncio.sleep(0.05)
    assert far.states == [("lost", "link")]


@virtual
async def test_a_fault_in_a_listener_is_seen_in_health(far):
    driver = await far.greeted()
    reported = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: reported.append(context["message"]))

    def broken(_: object) -> None:
        if driver.health.detail == "stuck_key":
            raise ZeroDivisionError

    driver.on_health(broken)
    await far.say(wire.PING, wire.pack_ping(wire.FLAG_STUCK_KEY, 1, 0, 0, 0))
    await asyncio.sleep(0)
    assert far.states[-1] == ("fault", "driver")
    assert reported == ["pad 1: pad 1: listen ended"]


FRAMES = st.lists(
    st.tuples(
        st.sampled_from([wire.HELLO, wire.PRESS, wire.DONE, wire.PING, wire.WHO, 0x3F]),
        st.sampled_from([BOOT, SESSION, 0]),
        st.integers(0, 3),
        st.binary(max_size=12) | st.sampled_from([HELLO, QUIET, wire.pack_press(5, 4, 0, BOOT)]),
    ),
    max_size=15,
)


@given(FRAMES)
def test_no_frame_stops_the_driver_and_no_press_comes_twice(frames):
    async def scenario(far: FarEnd) -> None:
        driver = await far.greeted()
        for kind, boot_id, seq, body in frames:
            await far.say(kind, body, boot_id=boot_id, seq=seq)
        waiting = [driver._desk.waiting.get_nowait() for _ in range(driver._desk.waiting.qsize())]
        names = [(press.unique_id, press.boot_id, press.seq) for press in waiting]
        assert len(names) == len(set(names))
        await far.say(wire.HELLO, HELLO)
        assert driver.health.detail in ("", "stuck_key")

    on_virtual_time(scenario)
