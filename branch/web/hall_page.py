"""What stands on the lobby manager's page, in one language, ready to draw. Pure."""

import re
from collections.abc import Callable, Iterable

import msgspec

from branch.hall_view import AlertLine, ComplaintLine, HallCounter, HallTicket, HallView
from branch.web.words import Words
from sync.alerts import AlertData

MS_PER_MIN = 60_000
_KIOSK, _SERVER = re.compile(r"kiosk-(\d+)"), re.compile(r"branch-\d+")
URGENCY = ("unhappy", "help", "wait", "line", "service", "idle", "vip", "no_slip", "device")
"""The most urgent kind of alert first; a complaint has days."""
COMPLAINT = "complaint"
ICONS = {
    "unhappy": "unhappy", "help": "staff", "wait": "clock", "line": "people",
    "service": "hourglass", "idle": "window", "no_slip": "slip", "vip": "staff",
    "device": "printer",
}  # fmt: skip


class Act(msgspec.Struct, frozen=True):
    """A button: what it says, and what it posts where (below /api/hall/); ``complaint-open`` posts
    nothing, it leads to the complaint.
    """

    name: str
    label: str
    body: dict[str, str | int]
    primary: bool = False


class Card(msgspec.Struct, frozen=True):
    """One alert, or those of one service's waits. ``id`` stays while it is open."""

    id: str
    kind: str
    icon: str
    title: str
    note: str
    age_ms: int
    seen: bool
    taken: str
    acts: list[Act]


class TicketRow(msgspec.Struct, frozen=True):
    """A ticket of the list."""

    number: str
    service: str
    name: str
    segment: str
    segment_name: str
    state: str
    waited_ms: int
    waits: bool
    over: bool


class CounterRow(msgspec.Struct, frozen=True):
    """A counter of the list."""

    counter: int
    title: str
    window: str
    state: str
    detail: str
    services: str
    act: Act | None


class Choice(msgspec.Struct, frozen=True):
    """A service or a segment to choose."""

    value: str
    label: str


class HallPage(msgspec.Struct, frozen=True):
    """The whole page. Ages and waits count on from the moment it was made."""

    build: str
    revision: int
    clock: str
    waiting: int
    longest: str
    longest_note: str
    open_counters: int
    counters_total: int
    heading: str
    needed: int
    cards: list[Card]
    tickets: list[TicketRow]
    counters: list[CounterRow]
    services: list[Choice]
    segments: list[Choice]


def hall_page(view: HallView, words: Words, build: str) -> HallPage:
    """The page of ``view``."""
    names = _names(view, words)
    cards = sorted(
        _cards(view, words, names),
        key=lambda c: (c.seen, [*URGENCY, COMPLAINT].index(c.kind), -c.age_ms, c.id),
    )
    needed = sum(not card.seen for card in cards)
    longest = max(view.services, key=lambda s: s.longest_ms, default=None)
    somebody = longest is not None and longest.waiting > 0
    return HallPage(
        build=build,
        revision=view.revision,
        clock=view.clock,
        waiting=sum(service.waiting for service in view.services),
        longest=str(longest.longest_ms // MS_PER_MIN) if longest and somebody else "",
        longest_note=words("hall.longest", service=names(longest.letter))
        if longest and somebody
        else words("hall.nobody"),
        open_counters=sum(counter.window == "open" for counter in view.counters),
        counters_total=len(view.counters),
        heading=words("hall.alerts", n=needed) if needed else words("hall.quiet"),
        needed=needed,
        cards=cards,
        tickets=[_ticket_row(ticket, words, names) for ticket in view.tickets],
        counters=[_counter_row(counter, words) for counter in view.counters],
        services=[Choice(service.letter, names(service.letter)) for service in view.services],
        segments=[Choice(name, segment_name(name, words)) for name in view.segments],
    )


def segment_name(segment: str, words: Words) -> str:
    """The segment in words; one of the branch's own by its name."""
    key = f"segment.{segment}"
    return words(key) if key in words.texts else segment


def _names(view: HallView, words: Words) -> Callable[[str], str]:
    names = {s.letter: s.zh if words.lang == "zh" else s.en for s in view.services}
    return lambda letter: names.get(letter, letter)


# --- cards ------------------------------------------------------------------------------------


def _cards(view: HallView, words: Words, names: Callable[[str], str]) -> Iterable[Card]:
    waits: dict[str, list[AlertLine]] = {}
    for line in view.alerts:
        if line.about.kind == "wait":
            waits.setdefault(line.about.service, []).append(line)
        elif line.about.kind in ICONS:
            yield _card(line, view, words, names)
    for complaint in view.complaints:
        yield _complaint_card(complaint, words)
    for service, lines in waits.items():
        first = max(lines, key=lambda line: line.age_ms)
        note = _note(first, words, names)
        if len(lines) > 1:
            note += words("alert.wait.more", n=len(lines) - 1)
        yield Card(
            id=f"wait:{service}",
            kind="wait",
            icon=ICONS["wait"],
            title=_title(first, words, names),
            note=note,
            age_ms=first.age_ms,
            seen=False,
            taken="",
            acts=_open_acts(service, view, words),
        )


def _card(line: AlertLine, view: HallView, words: Words, names: Callable[[str], str]) -> Card:
    about = line.about
    return Card(
        id=line.id,
        kind=about.kind,
        icon="warn" if about.kind == "device" and about.device != "printer" else ICONS[about.kind],
        title=_title(line, words, names),
        note=_note(line, words, names),
        age_ms=line.age_ms,
        seen=not line.open,
        taken=_taken(line, words),
        acts=_acts(line, view, words),
    )


def _complaint_card(complaint: ComplaintLine, words: Words) -> Card:
    of: dict[str, str | int] = {"complaint": complaint.id}
    answer = Act("complaint-open", words("do.complaint-answer"), of, primary=complaint.taken)
    take = Act("complaint-take", words("do.complaint-take"), of, primary=True)
    owner = words("complaint.owner", by=complaint.owner) if complaint.owner else words("taken")
    due = "complaint.overdue" if complaint.overdue else "complaint.due"
    return Card(
        id=complaint.id,
        kind=COMPLAINT,
        icon="slip",
        title=words("complaint.title", number=complaint.number),
        note=words(
            due, topic=words.coded("topic", complaint.topic, "topic.other"),
            date=complaint.due_date,
        ),
        age_ms=complaint.age_ms,
        seen=complaint.taken and not complaint.overdue,
        taken=owner if complaint.taken else "",
        acts=[answer] if complaint.taken else [take, answer],
    )  # fmt: skip


def _taken(line: AlertLine, words: Words) -> str:
    if not line.open:
        return words("seen")
    if not line.taken:
        return ""
    return words("taken.by", by=line.taken_by) if line.taken_by else words("taken")


def _acts(line: AlertLine, view: HallView, words: Words) -> list[Act]:
    of: dict[str, str | int] = {"alert": line.id}
    if not line.open:
        return [Act("reopen", words("do.reopen"), of)]
    if line.about.kind == "line":
        return _open_acts(line.about.service, view, words)
    if not line.by_hand:
        return []
    if line.about.kind != "unhappy":
        return [Act("settle", words("do.answered"), of, primary=True)]
    settle = Act("settle", words("do.recovered"), of, primary=line.taken)
    return [settle] if line.taken else [Act("take", words("do.take"), of, primary=True), settle]


def _open_acts(service: str, view: HallView, words: Words) -> list[Act]:
    """Open the counter that is there for it: an elastic one before a closed one."""
    resting = [c for c in view.counters if c.window in ("elastic", "closed")]
    fits = [c for c in resting if service in c.services]
    if not fits:
        return []
    best = min(fits, key=lambda c: (c.window != "elastic", c.counter))
    label = words("do.open-counter", counter=best.counter)
    return [Act("open-counter", label, {"counter": best.counter}, primary=True)]


def _title(line: AlertLine, words: Words, names: Callable[[str], str]) -> str:
    about = line.about
    return words(
        f"alert.{about.kind}",
        service=names(about.service),
        counter=about.counter,
        node=node_words(about.node, words),
        subject=_subject(about, words)[0],
        fault=fault_words(about.detail, words),
    )


def _note(line: AlertLine, words: Words, names: Callable[[str], str]) -> str:
    about = line.about
    key = f"alert.{about.kind}"
    key += f".{about.score_1to5}" if about.kind == "unhappy" else ".note"
    if about.kind == "help" and about.detail:  # pressed at the kiosk, no ticket was taken
        key = f"alert.help.{about.detail if about.detail in ('home', 'reason') else 'feedback'}"
    took_ms = line.age_ms + about.limit_ms
    return words(
        key,
        service=names(about.service),
        counter=about.counter,
        number=about.number,
        place=_subject(about, words)[1],
        n=about.people,
        m=took_ms // MS_PER_MIN,
        limit=about.limit_people if about.kind == "line" else about.limit_ms // MS_PER_MIN,
    )


def _subject(about: AlertData, words: Words) -> tuple[str, str]:
    """What of a device has a fault, and what it belongs to: a counter's pad is known by the
    counter, all else by its machine.
    """
    node, device = node_words(about.node, words), device_words(about.device, words)
    return (device, node) if about.device.startswith("pad-") else (node, device)


def node_words(node: str, words: Words) -> str:
    """Whose device it is, as people call it; a name of the branch's own as it is."""
    kiosk, server = _KIOSK.fullmatch(node), _SERVER.fullmatch(node)
    if kiosk:
        return words("node.kiosk", n=kiosk[1])
    return words("node.server") if server else node


def device_words(device: str, words: Words) -> str:
    """Which device of it; "" for the whole."""
    name, _, number = device.partition("-")
    key = f"device.{name}"
    return words(key, n=number.partition("-")[0]) if key in words.texts else device


def fault_words(detail: str, words: Words) -> str:
    """A device's own code in words, with the counter that it may name; one that has none as it
    is.
    """
    code, _, counter = detail.partition(" ")
    key = f"fault.{code}"
    return words(key, n=counter) if key in words.texts else detail


# --- lists ------------------------------------------------------------------------------------


def _ticket_row(ticket: HallTicket, words: Words, names: Callable[[str], str]) -> TicketRow:
    state = words(f"phase.{ticket.phase}")
    if ticket.reissued:
        state += f" · {words('ticket.reissued', n=ticket.reissued)}"
    ordinary = ticket.segment in ("", "ordinary")
    return TicketRow(
        number=ticket.number,
        service=ticket.service,
        name=names(ticket.service),
        segment=ticket.segment,
        segment_name="" if ordinary else segment_name(ticket.segment, words),
        state=state,
        waited_ms=ticket.waited_ms,
        waits=ticket.phase == "waiting",
        over=ticket.over,
    )


def _counter_row(counter: HallCounter, words: Words) -> CounterRow:
    of: dict[str, str | int] = {"counter": counter.counter}
    act = None
    if counter.window in ("elastic", "closed"):
        label = words("do.open-counter", counter=counter.counter)
        act = Act("open-counter", label, of, primary=True)
    elif not counter.number:
        act = Act("close-counter", words("do.close-counter"), of)
    free = words("window.free") if counter.window == "open" else ""
    return CounterRow(
        counter=counter.counter,
        title=words("counter.title", n=counter.counter),
        window=counter.window,
        state=words(f"window.{counter.window}"),
        detail=counter.number or free,
        services=counter.services,
        act=act,
    )
