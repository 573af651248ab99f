"""What keeps a pad from being stuck: watchdog, crash count, report, maintenance."""

import json

from firmware.pad import link, main, pad, state, watch
from tests.firmware.core_bench import BOOT, Bench
from tests.firmware.test_greeting import KeyedBench


class Board:
    """A board whose keys break after a while; what main.run asked of it."""

    def __init__(self, folder: str, breaks_after: int) -> None:
        self.state_folder = folder
        self.left = breaks_after
        self.fed = 0
        self.resets = 0
        self.watchdog_ms = 0
        self.now = 0

    def unique_id(self) -> bytes:
        return b"board"

    def random(self, size: int) -> bytes:
        return bytes(size)

    def ticks_ms(self) -> int:
        return self.now

    def claim_line(self, kind: str, baud: int) -> None: ...

    def keys(self) -> int:
        self.left -= 1
        if self.left < 0:
            raise OSError("the keys came off")
        return 0

    def show(self, leds: int) -> None: ...

    def show_digits(self, digits: bytes) -> None: ...

    def show_text(self, text: int, stars: int) -> None: ...

    def give_tone(self, tone: int) -> None: ...

    def start_watchdog(self, ms: int) -> None:
        self.watchdog_ms = ms

    def feed_watchdog(self) -> None:
        self.fed += 1

    def by_watchdog(self) -> bool:
        return True  # as the RP2040 says after any reset

    def reset(self) -> None:
        self.resets += 1

    def read_into(self, buffer: bytearray) -> int:
        return 0

    def write(self, view: memoryview) -> int:
        return len(view)

    def wait(self, ms: int, want_write: bool) -> None:
        self.now += ms


def run(folder: str, breaks_after: int = 50) -> Board:
    board = Board(folder, breaks_after)
    try:
        main.run(board)
    except OSError:
        return board
    raise AssertionError("it should have broken")


def crash_file(folder: str) -> dict[str, object]:
    table: dict[str, object] = json.loads(state.read(folder + "/" + watch.CRASH_FILE, 1024))
    return table


def test_the_watchdog_is_fed_only_when_every_part_worked():
    fed: list[int] = []
    supervisor = watch.Supervisor(lambda: fed.append(1))
    for _ in range(5):
        supervisor.worked(watch.LINE)
        supervisor.worked(watch.KEYS)
    assert fed == []
    supervisor.worked(watch.TALK)
    assert fed == [1]
    supervisor.worked(watch.TALK)
    supervisor.worked(watch.LINE)
    assert fed == [1]


def test_a_crash_is_written_down_and_ends_in_a_reset(tmp_path):
    board = run(str(tmp_path))
    assert (board.resets, board.watchdog_ms) == (1, watch.WATCHDOG_MS)
    assert board.fed > 40
    assert watch.WATCHDOG_MS <= 8388
    table = crash_file(str(tmp_path))
    assert (table["in_a_row"], table["last"]) == (2, "OSError: the keys came off")
    assert table["ours"]


def test_five_short_lives_in_a_row_put_aside_what_the_next_would_read(tmp_path):
    (tmp_path / state.PRESSES_FILE).write_bytes(b"whatever ends it")
    (tmp_path / state.KEY_FILE).write_bytes(bytes(32))
    for _ in range(watch.MAX_IN_A_ROW - 1):  # the very first start was by the watchdog
        run(str(tmp_path))
        assert (tmp_path / state.PRESSES_FILE).exists()
    run(str(tmp_path))
    assert not (tmp_path / state.PRESSES_FILE).exists()
    assert (tmp_path / (state.PRESSES_FILE + state.ASIDE)).exists()
    assert (tmp_path / state.KEY_FILE).exists()


def test_a_minute_of_work_makes_a_start_a_good_one(tmp_path):
    run(str(tmp_path), 5)
    run(str(tmp_path), 1_000)
    assert crash_file(str(tmp_path))["in_a_row"] == 1  # the crash after that minute
    assert crash_file(str(tmp_path))["crashes"] == 3


def test_a_power_cut_is_no_crash_and_costs_no_write(tmp_path):
    for _ in range(20):
        crashes = watch.Crashes(str(tmp_path), False, 0)
        assert (crashes.careful, crashes.crashes) == (False, 0)
        crashes.turn(watch.STEADY_MS)
    assert not (tmp_path / watch.CRASH_FILE).exists()


def test_the_watchdog_is_a_crash_unless_the_program_wished_it(tmp_path):
    crashes = watch.Crashes(str(tmp_path), True, 0)
    assert (crashes.crashes, crashes.last) == (1, "watchdog")
    crashes.will_reset()
    again = watch.Crashes(str(tmp_path), True, 0)
    assert again.crashes == 1
    assert watch.Crashes(str(tmp_path), True, 0).crashes == 2
    again.turn(watch.STEADY_MS - 1)
    assert again.in_a_row == 1
    again.turn(watch.STEADY_MS)
    assert crash_file(str(tmp_path))["in_a_row"] == 0


def test_a_damaged_crash_file_is_no_crash(tmp_path):
    for text in ("", "[]", '{"in_a_row": "x"}', "\xff"):
        (tmp_path / watch.CRASH_FILE).write_text(text)
        crashes = watch.Crashes(str(tmp_path), False, 0)
        assert (crashes.in_a_row, crashes.crashes, crashes.careful) == (0, 0, False)


def test_the_report_is_repeated_until_acknowledged():
    bench = Bench()
    bench.pad.report(3, "OSError: 号 " + "x" * 300)
    bench.greet()
    bench.run(5_000)
    reports = bench.of(link.REPORT)
    assert len(reports) == 3
    crashes, text = link.unpack_report(reports[0].body)
    assert (crashes, text[:13], len(text)) == (3, "OSError: ??? ", link.MAX_REPORT)
    bench.host(link.ACK, boot_id=BOOT, seq=reports[0].seq)
    bench.run(5_000)
    assert len(bench.of(link.REPORT)) == 3


def test_maintenance_is_a_command_under_the_key_only():
    plain = Bench().greet()
    plain.host(link.MAINTAIN, seq=1)
    plain.turn()
    assert not plain.pad.maintenance
    assert link.unpack_done(plain.of(link.DONE)[-1].body) == link.REFUSED
    keyed = KeyedBench().greet()
    keyed.plain_frame(link.MAINTAIN)
    wishes = [keyed.pad.maintenance]
    keyed.say(link.MAINTAIN)
    wishes.append(keyed.pad.maintenance)
    assert wishes == [False, True]
    assert keyed.pad.greeting == pad.GREETED
