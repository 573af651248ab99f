"""Services that the branch pushes: in force between two visits, kept, refused whole."""

from pathlib import Path
from typing import Any

import msgspec

from firmware.flash.keys import make_signing_key, sign
from kiosk.config import UpdatesConfig
from kiosk.flow import Phase
from kiosk.offering import Offering, offered, service_of
from kiosk.view import HomeView, NoSlipView, TicketView, TriageView
from sync.configuration import Configuration, DesiredConfig, signed_bytes, text_of
from sync.offer import Document, Offer, Service
from tests.unit.kiosk.bench import KIOSK, SERVICES, Bench, until, virtual

CARDS = Service("B", "卡", "Cards", documents=[Document("身份证", "ID card")])
ADVICE = Service("D", "理财", "Advice")
PERSON = SERVICES[2]


class Pushed:
    """A bench whose kiosk takes what ``push`` signs."""

    def __init__(self, folder: Path) -> None:
        key = folder / "config.key"
        make_signing_key(key)
        self._key = key
        self._version = 0
        updates = UpdatesConfig(f"{key}.pub")
        config = msgspec.structs.replace(KIOSK, data_dir=str(folder), updates=updates)
        self.bench = Bench(folder, config=config)

    async def push(self, *services: Service, text: str = "", **more: Any) -> None:
        """The branch wants these services; none: those of kiosk.toml."""
        self._version += 1
        offer = Offer(list(services), "kiosk-offer.toml", **more) if services else None
        configuration = Configuration(
            node="kiosk-1", version=self._version, issued_ms=0, offer=offer
        )
        text = text or text_of(configuration)
        message = DesiredConfig(config=text, signature=sign(self._key, signed_bytes(text)))
        await self.bench.kiosk.updates.take(message)


def letters(bench: Bench) -> str:
    return "".join(tile.letter for tile in bench.showing(HomeView).tiles)


@virtual
async def test_the_screen_shows_what_is_pushed_and_a_restart_keeps_it(tmp_path: Path) -> None:
    pushed = Pushed(tmp_path)
    async with pushed.bench as bench:
        await bench.start()
        assert letters(bench) == "ABP"
        await pushed.push(CARDS, ADVICE, PERSON)
        assert letters(bench) == "BDP"
        assert (await bench.take("D")).number == "D001"
        bench.tap("service.A")  # a finger that was late
        assert letters(bench) == "BDP"
        bench.tap("service.B")
        assert bench.showing(TriageView).documents[0].name["en"] == "ID card"
        await bench.kill()
        await bench.start()  # nobody pushes anything
        assert letters(bench) == "BDP"
        await pushed.push()
        assert letters(bench) == "ABP"
        await bench.stop()


@virtual
async def test_nobody_in_a_visit_meets_other_services(tmp_path: Path) -> None:
    pushed = Pushed(tmp_path)
    async with pushed.bench as bench:
        await bench.start()
        await pushed.push(CARDS, PERSON)
        bench.tap("service.B")
        bench.showing(TriageView)
        await pushed.push(ADVICE, PERSON)
        assert bench.showing(TriageView).service.letter == "B"
        bench.tap("counter")
        await until(lambda: bench.kiosk.visit.phase is Phase.TICKET)
        assert bench.showing(TicketView).service_name["en"] == "Cards"
        bench.tap("done")
        assert letters(bench) == "DP"
        bench.tap("language")  # a visit has begun
        await pushed.push(CARDS, PERSON)
        assert letters(bench) == "DP"
        await until(lambda: bench.kiosk.visit.language == "zh_CN", within_s=100)  # it is over
        assert letters(bench) == "BP"
        await bench.stop()


@virtual
async def test_a_ticket_outlives_its_service(tmp_path: Path) -> None:
    pushed = Pushed(tmp_path)
    async with pushed.bench as bench:
        await bench.start()
        bench.paper.paper_out()
        await bench.take("A", dismiss=False)
        await pushed.push(ADVICE, PERSON)
        assert bench.showing(NoSlipView).service_name["en"] == "Cash"
        await bench.kill()
        await bench.start()  # now only its number tells what it was for
        view = bench.showing(NoSlipView)
        assert (view.number, view.service_name["en"]) == ("A001", "A")
        bench.paper.load_paper()
        await until(lambda: bench.showing(NoSlipView).may_reprint)
        bench.tap("reprint")
        await until(lambda: bench.kiosk.visit.phase is Phase.TICKET)
        bench.tap("done")
        assert letters(bench) == "DP"
        await bench.stop()


@virtual
async def test_what_is_wrong_is_refused_whole_and_told(tmp_path: Path) -> None:
    pushed = Pushed(tmp_path)
    async with pushed.bench as bench:
        await bench.start()
        await pushed.push(CARDS, PERSON)
        await pushed.push(ADVICE, Service("D", "理财", "Advice again"))
        assert letters(bench) == "BP"
        told = bench.kiosk.updates._told
        assert told is None or told.version == 1
        assert bench.kiosk.updates._refused == (
            2, "kiosk-offer.toml: services[1].letter: 'D' is taken by another service",
        )  # fmt: skip
        await bench.stop()


def test_an_offering_changes_only_when_it_is_swapped() -> None:
    offering = Offering(KIOSK)
    assert not offering.swap()
    offering.want(Offer([ADVICE]))
    assert offering.config == KIOSK
    assert offering.swap()
    assert offering.config == offered(KIOSK, Offer([ADVICE]))
    assert not offering.swap()
    offering.want(None)
    assert offering.swap()
    assert offering.config is KIOSK
    assert offering.service("B") is SERVICES[1]
    assert service_of(KIOSK, "Z") == Service("Z", "Z", "Z")
