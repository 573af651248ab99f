"""The pad's link against its anchors: stream decoder, and a press until it is acknowledged.

The far end of the second is lean (simulator.bench_pad_end): the target is about the host's path.
"""

import asyncio
import multiprocessing
import os
import struct
import tempfile
import time
from binascii import crc32
from collections.abc import Callable
from pathlib import Path
from statistics import median

from firmware.pad import link
from hal.api import RatingPad
from hal.link import link_to
from hal.registry import backend
from kiosk.presses import PressKeeper
from simulator import bench_pad_end
from simulator.bench_pad_size import flash_bytes, ram_bytes
from simulator.figure import Figure
from sync.clock import system_clock
from sync.journal import Journal

STREAM_FRAMES = 4_000
STREAM_ROUNDS = 9
PIECE = 64
LINE_BYTES_PER_S = 11_520
"""115200 baud, 10 bits a byte."""
BURSTS = 2_000
WARM_UP = 300
PRESSES = 1_500
LIMIT_S = 120.0

_Say = Callable[[str], None]


def stream_decoder(say: _Say) -> list[Figure]:
    """T8: the decoder of the pad link on a stream of presses, against one that takes byte by
    byte, and against the line; and the frames that a burst of junk costs.
    """
    frames = [link.encode(0x05, 7, seq, os.urandom(24)) for seq in range(STREAM_FRAMES)]
    stream = b"".join(frames)
    say(f"stream decoder: {len(stream)} bytes, {STREAM_ROUNDS} rounds")
    ours: list[float] = []
    anchor: list[float] = []
    for _ in range(STREAM_ROUNDS):
        decoder = link.Decoder()
        began_s = time.perf_counter()
        found = 0
        for at in range(0, len(stream), PIECE):
            found += len(decoder.feed(stream[at : at + PIECE]))
        ours.append(time.perf_counter() - began_s)
        assert found == decoder.frames == STREAM_FRAMES
        began_s = time.perf_counter()
        assert _bytewise(stream) == STREAM_FRAMES
        anchor.append(time.perf_counter() - began_s)
    a, b = median(ours), median(anchor)
    rate = f"{len(stream) / a / 1e6:.1f} MB/s"
    return [
        Figure(
            "T8", "stream decoder / byte-wise Python (speed)", b / a, 2.0,
            at_most=False, ours=rate, anchor=f"{len(stream) / b / 1e6:.1f} MB/s",
        ),
        Figure(
            "T8 line", "stream decoder / the line at 115200 baud",
            len(stream) / a / LINE_BYTES_PER_S, 500.0,
            at_most=False, ours=rate, anchor=f"{LINE_BYTES_PER_S / 1e6:.4f} MB/s",
        ),
        _resynchronising(frames),
    ]  # fmt: skip


def _resynchronising(frames: list[bytes]) -> Figure:
    """Frames that junk without a delimiter costs, the one that it is glued to included."""
    most = lost = 0
    for burst in range(BURSTS):
        junk = bytes(byte or 1 for byte in os.urandom(1 + burst % 300))
        decoder = link.Decoder()
        pair = frames[burst % len(frames)], frames[(burst + 1) % len(frames)]
        results = decoder.feed(pair[0] + junk + pair[1] + pair[0])
        good = sum(isinstance(result, link.Frame) for result in results)
        most = max(most, 3 - good)
        lost += 3 - good
    return Figure(
        "T8 junk", "frames lost to a burst of junk, at most", float(most), 1.0,
        at_most=True, ours=f"{lost} lost", anchor=f"{BURSTS} bursts",
    )  # fmt: skip


def _bytewise(stream: bytes) -> int:
    """The anchor does the same work one byte at a time: cap, un-stuff, check, header, frame."""
    found: list[link.Frame] = []
    frame = bytearray()
    left = code = 0
    for byte in stream:
        if byte == 0:
            end = len(frame) - link.CRC_SIZE
            if end >= link.HEADER_SIZE and crc32(frame[:end]) == _number(frame, end):
                kind, boot_id, seq = struct.unpack_from(link.HEADER, frame)
                found.append(link.Frame(kind, boot_id, seq, bytes(frame[link.HEADER_SIZE : end])))
            frame.clear()
            left = code = 0
        elif len(frame) == link.MAX_FRAME:
            continue
        elif left == 0:
            if code not in (0, 0xFF):
                frame.append(0)
            code = left = byte
            left -= 1
        else:
            frame.append(byte)
            left -= 1
    return len(found)


def _number(frame: bytearray, at: int) -> int:
    return int(struct.unpack_from("<I", frame, at)[0])


async def press_to_ack(say: _Say) -> list[Figure]:
    """T9: a press on the line until its acknowledgement is there, journalled in between, by the
    real driver, PressKeeper and journal; against a raw round trip and a bare commit.
    """
    say(f"press to acknowledgement: {WARM_UP} to warm up, {PRESSES} counted")
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="lobby-bench-") as name:
        line, pad_line = context.Pipe()
        to_echo, echo_line = context.Pipe()
        processes = [
            context.Process(target=bench_pad_end.echo, args=(echo_line,), daemon=True),
            context.Process(
                target=bench_pad_end.press_and_compare,
                args=(pad_line, to_echo, name, WARM_UP, PRESSES),
                daemon=True,
            ),
        ]
        for process in processes:
            process.start()
        try:
            port = await asyncio.to_thread(line.recv)
            clock = system_clock()
            journal = Journal(Path(name) / "journal.db", node="kiosk-1", clock=clock)
            pad: RatingPad = backend("pad", "serial")(
                link_to(f"serial:{port}"),
                name="pad-1",
                now_ms=clock.mono_ms,
                key_of=lambda _: bench_pad_end.KEY,
            )
            keeper = PressKeeper(journal, {1: pad}, clock, lambda: None)
            await keeper.start()
            line.send(True)
            async with asyncio.timeout(LIMIT_S):
                while not line.poll():  # noqa: ASYNC110 - another process; looks rarely
                    await asyncio.sleep(0.25)
            took = line.recv()
            await keeper.stop()
            kept = journal.top_seq
            journal.close()
        finally:
            for process in processes:
                process.kill()
                process.join()
    assert kept == WARM_UP + PRESSES
    trip, commit, press = (median(values) for values in zip(*took, strict=True))
    return [
        Figure(
            "T9 p50", "press to acknowledgement / (pty round trip + FULL commit)",
            press / (trip + commit), 1.5, at_most=True, ours=f"{press * 1e3:.3f} ms",
            anchor=f"{trip * 1e3:.3f} + {commit * 1e3:.3f} ms",
        )
    ]  # fmt: skip


async def measure(say: _Say) -> tuple[list[Figure], dict[str, dict[str, int]]]:
    """T8 and T9, and the bytes that the firmware takes."""
    figures = stream_decoder(say) + await press_to_ack(say)
    sizes = {"flash_bytes": flash_bytes(), "ram_bytes": await ram_bytes(say)}
    say(f"flash of one slot: {sum(sizes['flash_bytes'].values())} bytes")
    for path, size in sizes["flash_bytes"].items():
        say(f"  {size:6} {path}")
    say("RAM (heap under the unix port, 64-bit words: about twice that of an RP2040):")
    for moment, size in sizes["ram_bytes"].items():
        say(f"  {size:6} {moment}")
    return figures, sizes
