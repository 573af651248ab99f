"""The pad's bench measures what it says: nothing is timed here, only counted."""

import pytest

from simulator import bench_pad, bench_pad_size


def test_the_anchor_decodes_what_the_decoder_decodes():
    figures = {figure.name: figure for figure in bench_pad.stream_decoder(lambda _: None)}
    assert set(figures) == {"T8", "T8 line", "T8 junk"}
    assert figures["T8 junk"].ratio == 1.0


async def test_each_press_is_journalled_and_acknowledged(monkeypatch):
    monkeypatch.setattr(bench_pad, "WARM_UP", 2)
    monkeypatch.setattr(bench_pad, "PRESSES", 5)
    (figure,) = await bench_pad.press_to_ack(lambda _: None)
    assert (figure.name, figure.target) == ("T9 p50", 1.5)
    assert figure.ratio > 0


@pytest.mark.micropython
async def test_the_firmware_tells_what_it_takes(monkeypatch):
    monkeypatch.setattr(bench_pad_size, "PRESSES", 20)
    ram = await bench_pad_size.ram_bytes(lambda _: None)
    assert list(ram) == ["imported", "greeted", "after_20_presses"]
    assert 10_000 < ram["imported"] < ram["greeted"] < 234_000
    flash = bench_pad_size.flash_bytes()
    assert {"firmware/pad/frames.mpy", "firmware/pad/board.mpy"} <= set(flash)
    assert "firmware/pad/board_host.mpy" not in flash
    assert 20_000 < sum(flash.values()) < 80_000
