"""From the visit and what is known of the queues to a view for the window. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from kiosk import tree
from kiosk.attract import attract_view
from kiosk.closing import closed_because, closed_view
from kiosk.code_views import code_said_view, code_view
from kiosk.config import BranchName, KioskConfig, ServiceConfig
from kiosk.dates import date_words
from kiosk.flow import SERVICE_PREFIX, Phase, Visit
from kiosk.offering import service_of
from kiosk.sheets import Known, sheet_view
from kiosk.view import (
    LANGUAGES,
    AccessView,
    ClosedView,
    CodeSaidView,
    CodeView,
    Document,
    Header,
    HomeView,
    IdleView,
    NoSlipView,
    OutOfServiceView,
    Printing,
    ServiceTile,
    SheetView,
    TicketView,
    TriageView,
    View,
    Wait,
    Words,
)
from sync.hours import Hall
from sync.identity import page_key

CAUSES_IN_WORDS = frozenset({"paper_out"})
"""Causes of a missing slip for which the catalogue has words of their own."""
SIMPLE_SERVICES = 2
NOTHING_KNOWN = Known()


@dataclass(frozen=True, slots=True)
class OnPaper:
    """What the ticket on screen said when it was issued: it does not change while it is looked
    at.
    """

    issued_clock: str  # "10:24"
    issued_at_text: str  # "2026-11-23 10:24"
    wait: Wait

    @classmethod
    def at(cls, issued_at: datetime, wait: Wait) -> "OnPaper":
        """What a ticket issued at this local time says."""
        return cls(f"{issued_at:%H:%M}", f"{issued_at:%Y-%m-%d %H:%M}", wait)


def header(config: KioskConfig, now: datetime) -> Header:
    """Branch, date and clock of the header band."""
    return Header(
        branch=branch_names(config.branch),
        date=date_words(now),
        clock=f"{now:%H:%M}",
    )


def branch_names(branch: BranchName) -> Words:
    """The branch's name by language."""
    return Words(zh_CN=branch.zh, en=branch.en)


def paper_language(language: str) -> str:
    """The language of the paper that belongs to a screen: slips have words of their own."""
    return language if language in LANGUAGES else "en"


def names(service: ServiceConfig) -> Words:
    """A service's name by language."""
    return Words(zh_CN=service.zh, en=service.en)


def person_letter(config: KioskConfig) -> str:
    """The letter of the service that brings a person, "" if there is none."""
    return next((service.letter for service in config.services if service.priority), "")


def tile_of(
    service: ServiceConfig, waits: Mapping[str, Wait], closed: tuple[str, str] = ("", "")
) -> ServiceTile:
    """The service as the first screen shows it; ``closed``: see ``closed_because``."""
    short = Words(zh_CN=service.short_zh, en=service.short_en)
    return ServiceTile(
        service.letter,
        names(service),
        Words(zh_CN=service.examples_zh, en=service.examples_en),
        waits.get(service.letter, Wait()),
        service.priority,
        short={language: name for language, name in short.items() if name},
        closed=closed[0],
        opens=closed[1],
    )


def level_tiles(config: KioskConfig, tiles: list[ServiceTile], group: str) -> list[ServiceTile]:
    """What one screen of the tree offers of ``tiles``; one that opens others has the waits of
    those, and is closed where they all are.
    """
    by_letter = {tile.letter: tile for tile in tiles}
    shown = []
    for service in tree.level(config.services, group):
        tile = by_letter[service.letter]
        inside = [by_letter[leaf.letter] for leaf in tree.leaves(config.services, tile.letter)]
        if inside != [tile]:
            offered = [one for one in inside if not one.closed]
            wait = tree.span([one.wait for one in offered])
            why = tile if offered else inside[0]
            closed, opens = ("", "") if offered else (why.closed, why.opens)
            tile = replace(tile, group=True, wait=wait, closed=closed, opens=opens)
        shown.append(tile)
    return shown


def simple_tiles(
    config: KioskConfig, tiles: list[ServiceTile], top_level: Collection[str]
) -> list[ServiceTile]:
    """What simple mode offers of ``tiles``, which are in the order of the configuration: no tree,
    a service that opens others gives its own ticket.
    """
    named = {service.letter: service for service in config.services if service.simple_zh}
    ordinary = [tile for tile in tiles if not tile.priority]
    first = [tile for tile in ordinary if tile.letter in top_level][:SIMPLE_SERVICES]
    chosen = [tile for tile in ordinary if tile.letter in named] or first
    for index, tile in enumerate(chosen):
        if service := named.get(tile.letter):
            chosen[index] = replace(
                tile,
                name=Words(zh_CN=service.simple_zh, en=service.simple_en),
                examples=Words(zh_CN=service.simple_examples_zh, en=service.simple_examples_en),
            )
    return [*chosen, *(tile for tile in tiles if tile.priority)]


def letters_with_steps(config: KioskConfig) -> frozenset[str]:
    """The services with something to read before the ticket."""
    return frozenset(service.letter for service in config.services if service.has_step)


def triage(
    service: ServiceConfig, tile: ServiceTile, visit: Visit, top: Header, *, has_person: bool
) -> TriageView:
    """What to bring for ``service``, and where it can be done."""
    documents = tuple(
        Document(
            document.icon,
            Words(zh_CN=document.zh, en=document.en),
            Words(zh_CN=document.note_zh, en=document.note_en),
        )
        for document in service.documents
    )
    return TriageView(
        visit.language, top, tile, documents, service.machine_min, has_person, visit.modes
    )


def present(
    config: KioskConfig,
    visit: Visit,
    *,
    now: datetime,
    waits: dict[str, Wait],
    online: bool,
    on_paper: OnPaper | None,
    staff_told: bool,
    printer_able: bool = False,
    full: Collection[str] = (),
    joining: Mapping[str, str] | None = None,
    known: Known = NOTHING_KNOWN,
    clock_known: bool = True,
) -> View:
    """The view of the moment; ``waits`` by service letter, missing ones are unknown.

    ``printer_able``: a slip would come out now, as far as is known. ``full`` are the letters of
    services that have no number left today. ``joining`` is the branch's word on new tickets by
    service letter ("open", "closing", "full", "closed"); a service it does not name is open.
    ``known`` is what the sheets of feedback say of the branch.
    Where the clock is not known, nothing is closed by it.
    """
    top = header(config, now)
    if visit.phase is Phase.CLOSED:
        return OutOfServiceView(
            visit.language, top, visit.cause, machine=config.node, modes=visit.modes
        )
    if visit.phase is Phase.WARNING:
        behind = present(
            config,
            replace(visit, phase=visit.behind),
            now=now,
            waits=waits,
            online=online,
            on_paper=None,
            staff_told=staff_told,
            full=full,
            joining=joining,
            known=known,
            clock_known=clock_known,
        )
        assert isinstance(
            behind,
            HomeView | AccessView | TriageView | SheetView | ClosedView | CodeView | CodeSaidView,
        )
        whole_s = visit.whole_s
        return IdleView(visit.language, top, behind, visit.left_s, whole_s, visit.modes)
    if visit.phase is Phase.FEEDBACK and visit.talk is not None:
        return sheet_view(visit.talk, visit.language, top, visit.modes, known)
    if visit.ticket is None or on_paper is None:
        hall = config.opening.at(now) if clock_known else Hall(True)
        minute = now.hour * 60 + now.minute if clock_known else None
        tiles = [
            tile_of(service, waits, closed_because(service, full, joining or {}, minute))
            for service in config.services
        ]
        has_person = hall.is_open and any(tile.priority and not tile.closed for tile in tiles)
        if visit.phase is Phase.TRIAGE:
            index = next(n for n, s in enumerate(config.services) if s.letter == visit.service)
            return triage(config.services[index], tiles[index], visit, top, has_person=has_person)
        if visit.phase in (Phase.CODE, Phase.LOOKING):
            return code_view(visit, top, reader=config.card_reader is not None, person=has_person)
        if visit.phase is Phase.CODE_SAID and visit.said is not None:
            of = next((s for s in config.services if s.letter == visit.said.service), None)
            name = names(of) if of else Words(en="")
            return code_said_view(visit, visit.said, top, name, person=has_person)
        if visit.phase is Phase.ACCESS:
            sample = next((tile for tile in tiles if not tile.priority), tiles[0])
            return AccessView(visit.language, top, visit.chosen, sample, has_person, visit.modes)
        modes = visit.modes
        if not hall.is_open:
            return closed_view(config.opening, hall, now, visit.language, top, modes)
        if visit.phase is Phase.ATTRACT:
            return attract_view(config.content, visit, top)
        if modes.simple and visit.everything:
            modes = replace(modes, simple=False)  # four services have no room in large print
        group = visit.path[-1] if visit.path else ""
        if modes.simple:
            top_level = {service.letter for service in tree.level(config.services, "")}
            tiles = simple_tiles(config, tiles, top_level)
        else:
            tiles = level_tiles(config, tiles, group)
        return HomeView(
            visit.language,
            top,
            tuple(tiles),
            online=online,
            notice=visit.notice,
            modes=modes,
            group=names(service_of(config, group)) if group else {},
            left_min=left if (left := hall.left_min or 0) < config.opening.closing_min else 0,
        )
    ticket = visit.ticket
    service = service_of(config, ticket.service)
    if visit.phase is Phase.NO_SLIP:
        return NoSlipView(
            visit.language,
            top,
            names(service),
            ticket.number,
            on_paper.issued_clock,
            on_paper.wait,
            visit.cause if visit.cause in CAUSES_IN_WORDS else "other",
            staff_told,
            ticket_page(config.branch.public_url, ticket.id),
            may_reprint=visit.again and printer_able,
            modes=visit.modes,
        )
    printing = Printing.RUNNING if visit.phase is Phase.PRINTING else Printing.DONE
    return TicketView(
        visit.language,
        top,
        names(service),
        ticket.number,
        on_paper.issued_clock,
        on_paper.wait,
        printing,
        visit.modes,
    )


def lets_nobody_join(control: str, view: View | None) -> bool:
    """Whether the control is a service's and the screen says why it gives no ticket now."""
    if isinstance(view, ClosedView):
        return control.startswith(SERVICE_PREFIX)
    letter = control.removeprefix(SERVICE_PREFIX)
    tiles = view.tiles if isinstance(view, HomeView) else ()
    return any(tile.letter == letter and tile.closed for tile in tiles)


def reference(ticket_id: str) -> str:
    """The short opaque reference on the slip: the random end of the ticket's id, ``7f3a-9c21``."""
    tail = ticket_id.replace("-", "")[-8:]
    return f"{tail[:4]}-{tail[4:]}"


def ticket_page(public_url: str, ticket_id: str) -> str | None:
    """The ticket's page for a customer's phone; None where no public address is configured."""
    return f"{public_url.rstrip('/')}/t/{page_key(ticket_id)}" if public_url else None


def complaint_page(public_url: str, complaint_id: str) -> str | None:
    """The complaint's page, as ``ticket_page``."""
    return f"{public_url.rstrip('/')}/c/{page_key(complaint_id)}" if public_url else None
