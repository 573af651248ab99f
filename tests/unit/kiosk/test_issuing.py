"""Numbers over several bands and dates: none is given twice, the date moves forward only."""

from pathlib import Path
from typing import Literal

import pytest

from kiosk.config import BranchName, KioskConfig, PrinterConfig, ServiceConfig
from kiosk.flow import Declined, Issued, Refused
from kiosk.issuing import Granted, Issuer
from kiosk.numbering import LAST_IN_BAND
from sync.clock import Clock, system_clock
from sync.journal import Journal
from sync.messages import Clk, LastNumber

DAY = "2026-11-23"


class Calendar(Clock):
    """A clock of a known quality."""

    quality: Literal["ntp", "srv", "rtc", "none"] = "ntp"

    def stamp(self) -> Clk:
        return Clk(boot=self.boot, mono_ms=self.mono_ms(), quality=self.quality)


def number(event: object) -> str:
    assert isinstance(event, Issued), event
    return event.ticket.number


def issuer(
    journal: Journal, spare: list[int], day: str = DAY, clock: Clock | None = None
) -> Issuer:
    config = KioskConfig(
        node="kiosk-1",
        production=False,
        branch=BranchName(zh="示例", en="Sample"),
        services=[ServiceConfig("A", "现金", "Cash")],
        printer=PrinterConfig(address="tcp://127.0.0.1:9100"),
        spare_bands=spare,
    )
    return Issuer(config, journal, clock or system_clock(), lambda: day)


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


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal.db", node="kiosk-1", clock=system_clock())


def clock_of(quality: Literal["ntp", "srv", "rtc", "none"]) -> Clock:
    class Known(Calendar):
        pass

    Known.quality = quality
    return Known(wall_ms=lambda: 0, mono_ms=lambda: 0, boot="b")


def test_a_granted_number_is_used_once_and_for_its_date_only(journal: Journal) -> None:
    desk = issuer(journal, [])
    assert number(desk.issue("A", "t1", "", "en", Granted(DAY, 7))) == "A0007"
    assert desk.last_granted(DAY, "A") == 7
    assert number(desk.issue("A", "t2", "", "en", Granted(DAY, 7))) == "A001"
    assert number(desk.issue("A", "t3", "", "en", Granted(DAY, 6))) == "A002"
    assert number(desk.issue("A", "t4", "", "en", Granted("2026-11-22", 8))) == "A003"
    assert number(desk.issue("A", "t5", "", "en", Granted(DAY, LAST_IN_BAND + 1))) == "A004"
    assert number(desk.issue("A", "t6", "", "en", Granted(DAY, 8))) == "A0008"


def test_a_full_own_band_does_not_stop_the_servers_numbers(journal: Journal) -> None:
    with journal.transaction() as transaction:
        transaction.keep_number(DAY, "A", 1, LAST_IN_BAND)
    desk = issuer(journal, [])
    assert number(desk.issue("A", "t1", "", "en", Granted(DAY, 1))) == "A0001"
    assert desk.issue("A", "t2", "", "en") == Declined("numbers_exhausted")


def test_what_the_server_has_seen_is_not_given_again(journal: Journal) -> None:
    desk = issuer(journal, [])
    assert number(desk.issue("A", "t1", "", "en")) == "A001"
    seen = [
        LastNumber(business_date=DAY, service="A", band=band, last=last)
        for band, last in ((1, 41), (0, 12))
    ]
    desk.raise_numbers(seen)
    assert number(desk.issue("A", "t2", "", "en")) == "A042"
    assert desk.last_granted(DAY, "A") == 12
    desk.raise_numbers([LastNumber(business_date=DAY, service="A", band=1, last=3)])
    assert number(desk.issue("A", "t3", "", "en")) == "A043"
    desk.raise_numbers([LastNumber(business_date="2026-11-25", service="A", band=1, last=5)])
    assert number(desk.issue("A", "t4", "", "en")) == "A006"
    assert desk.business_date == "2026-11-25", "the card was restored to an older date"


def test_numbers_that_a_full_disk_did_not_take_are_raised_before_the_next_ticket(
    journal: Journal,
) -> None:
    desk = issuer(journal, [])
    journal._db.execute("PRAGMA query_only = 1")
    desk.raise_numbers([LastNumber(business_date=DAY, service="A", band=1, last=41)])
    assert isinstance(desk.issue("A", "t1", "", "en"), Refused)
    journal._db.execute("PRAGMA query_only = 0")
    assert number(desk.issue("A", "t2", "", "en")) == "A042"


@pytest.mark.parametrize(
    ("quality", "day", "used"),
    [
        ("ntp", "2036-11-23", "2036-11-23"),
        ("srv", "2036-11-23", "2036-11-23"),
        ("none", "2036-11-23", DAY),
        ("rtc", "2026-12-25", DAY),
        ("rtc", "2026-12-24", "2026-12-24"),
        ("none", "2026-11-24", "2026-11-24"),
        ("ntp", "2016-11-23", DAY),
        ("none", "1970-01-01", DAY),
    ],
)
def test_a_date_over_a_restart(
    journal: Journal, quality: Literal["ntp", "srv", "rtc", "none"], day: str, used: str
) -> None:
    assert number(issuer(journal, []).issue("A", "t1", "", "en")) == "A001"
    desk = issuer(journal, [], day, clock_of(quality))
    assert desk.business_date == used
    assert number(desk.issue("A", "t2", "", "en")) == ("A002" if used == DAY else "A001")
    assert issuer(journal, []).business_date == used
