"""Numbers over several bands: none is given twice, the digit appears with the second band."""

from pathlib import Path

from kiosk.config import BranchName, KioskConfig, PrinterConfig, ServiceConfig
from kiosk.flow import Declined, Issued
from kiosk.issuing import Issuer
from kiosk.numbering import LAST_IN_BAND
from sync.clock import system_clock
from sync.journal import Journal

DAY = "2026-11-23"


def issuer(journal: Journal, spare: list[int]) -> Issuer:
    config = KioskConfig(
        node="kiosk-1",
        production=False,
        branch=BranchName(zh="示例", en="Sample"),
        services=[ServiceConfig("A", "现金", "Cash")],
        printer=PrinterConfig(address="tcp://127.0.0.1:9100"),
        spare_bands=spare,
    )
    return Issuer(config, journal, system_clock(), lambda: DAY)


def test_a_spare_band_follows_a_full_one_and_shows_its_digit(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db", node="kiosk-1", clock=system_clock())
    for band, last in ((1, LAST_IN_BAND - 1), (3, LAST_IN_BAND - 2)):
        with journal.transaction() as transaction:
            transaction.keep_number(DAY, "A", band, last)
    desk = issuer(journal, [3])
    numbers = []
    for count in range(3):
        event = desk.issue("A", f"t{count}", "", "en")
        assert isinstance(event, Issued)
        numbers.append(event.ticket.number)
    assert numbers == ["A999", "A3998", "A3999"]
    assert desk.full() == {"A"}
    assert desk.issue("A", "t9", "", "en") == Declined("numbers_exhausted")
    assert issuer(journal, [3]).full() == {"A"}
    assert issuer(journal, [3, 4]).full() == frozenset()
    journal.close()
