"""A teller's keys on their way through the driver: handed on once, answered as often as asked."""

import pytest

from firmware.pad import link as wire
from hal.api import KeyAction, PadKey
from hal.drivers.pad_keys import DONE, MAX_SEEN, MAX_WAITING, KeyDesk, code_bytes
from hal.errors import LinkLost


def key(seq: int) -> PadKey:
    return PadKey("c0", 7, seq, KeyAction.NEXT, 10)


class Line:
    def __init__(self) -> None:
        self.sent: list[tuple[int, int, bytes]] = []
        self.broken = False
        self.desk = KeyDesk(self.send)

    async def send(self, kind: int, _boot_id: int, seq: int, body: bytes) -> None:
        if self.broken:
            raise LinkLost("unplugged")
        self.sent.append((kind, seq, body))


async def test_a_key_is_handed_on_once_and_told_nothing_before_its_answer() -> None:
    line = Line()
    for _ in range(3):
        await line.desk.take(key(1))
    assert (line.desk.waiting.qsize(), line.sent) == (1, [])


@pytest.mark.parametrize(("answer", "kind"), [(DONE, wire.ACK), (b"E-02", wire.DENY)])
async def test_a_repeat_is_answered_again(answer: bytes, kind: int) -> None:
    line = Line()
    await line.desk.take(key(1))
    line.broken = True
    await line.desk.answer(key(1), answer)
    line.broken = False
    await line.desk.take(key(1))
    assert (line.sent, line.desk.waiting.qsize()) == ([(kind, 1, answer)], 1)


async def test_a_key_that_finds_no_room_comes_again() -> None:
    line = Line()
    for seq in range(MAX_WAITING + 1):
        await line.desk.take(key(seq))
    assert line.desk.waiting.qsize() == MAX_WAITING
    line.desk.waiting.get_nowait()
    await line.desk.take(key(MAX_WAITING))
    assert line.desk.waiting.qsize() == MAX_WAITING


async def test_only_so_many_answers_are_kept() -> None:
    line = Line()
    for seq in range(MAX_SEEN + 1):
        await line.desk.answer(key(seq), DONE)
    await line.desk.take(key(0))
    assert line.desk.waiting.qsize() == 1


@pytest.mark.parametrize("code", ["E-1", "E-001", "错误", "E\n01"])
def test_a_code_that_four_digits_cannot_hold(code: str) -> None:
    with pytest.raises(ValueError, match=r"DENY|ascii"):
        code_bytes(code)
