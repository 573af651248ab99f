"""``lobby prove taint``: made-up people's identity cards, phones, accounts and names go into every
door of a running branch; nothing of them may be found in what it keeps and says.

Doors: the kiosk's card reader and its controls; every command of the HTTP interface in each field,
paths, queries and headers; every message of the feed, of a stranger's device and in the server's
name, in each field and in unknown ones. Ways out that are searched: the bytes of the slips, the
broker's traffic (without what was fed), both databases with their logs, everything that is logged,
pages and figures, the kiosk's folder.

Each datum is looked for plain, reversed, in groups, full-width, in four encodings, as hex, base64
and percent escapes, and as a plain hash of seven kinds, whole or cut. The search itself is tried
first: a planted datum in each form must be found. ``rounds`` is the number of people.

Not fed: pinyin where a program chooses the word (keys, devices' codes); nothing tells it from one.

``--without notes``: tellers write freely. ``--without withhold``: what devices send is kept as it
comes.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from simulator.errors import BadInput
from simulator.prove.proof import Proof, ProveOptions, Say
from simulator.prove.taint_house import House
from simulator.prove.taint_people import Person, forms, people

ROUNDS = 3
PROMISES = frozenset({"notes", "withhold"})

Needles = list[tuple[str, str, bytes]]
"""Kind of datum, form, bytes."""


def run(options: ProveOptions, say: Say) -> Proof:
    """Feed, stop, search. Raises SimulatorError."""
    if unknown := options.without - PROMISES:
        raise BadInput(f"--without {min(unknown)}: there are {', '.join(sorted(PROMISES))}")
    rounds = options.rounds or ROUNDS
    proof = Proof("taint", rounds, options.seed)
    chance = random.Random(options.seed)
    crowd = people(rounds, chance)
    needles = needles_of(crowd)
    for form in unfound(crowd[0]):
        proof.violate(f"the search does not find a planted datum as {form}")
    with _switched_off(options.without):
        corpora = asyncio.run(_feed(options.folder, crowd, chance, say, proof))
    hits: Counter[tuple[str, str, str]] = Counter()
    for where, data in corpora.items():
        for kind, form, _ in found(data, needles):
            hits[where, kind, form] += 1
    for (where, kind, form), count in sorted(hits.items()):
        proof.violate(f"{where} holds {count} of {rounds} made-up {kind}, as {form}")
    proof.details |= {
        "hits": hits.total(),
        "forms_searched": len(needles),
        "bytes_searched": sum(len(data) for data in corpora.values()),
        **{f"bytes_{where}": len(data) for where, data in corpora.items()},
    }
    for where, data in corpora.items():
        if not data:
            proof.violate(f"{where} is empty: nothing was proved of it")
    return proof


def needles_of(crowd: Iterable[Person]) -> Needles:
    """Everything that is looked for."""
    return [
        (kind, form, data)
        for person in crowd
        for kind, text in person.items().items()
        for form, data in forms(text)
    ]


def found(data: bytes, needles: Needles) -> Needles:
    """Those that are there."""
    return [needle for needle in needles if needle[2] in data]


def unfound(person: Person) -> Iterator[str]:
    """Forms in which a planted datum is not found: a search that cannot find proves nothing."""
    hay = bytes(range(256)) * 4
    for needle in needles_of([person]):
        if needle not in found(hay + needle[2] + hay, [needle]) or found(hay, [needle]):
            yield f"{needle[0]} {needle[1]}"


async def _feed(
    folder: Path, crowd: list[Person], chance: random.Random, say: Say, proof: Proof
) -> dict[str, bytes]:
    house = House(folder, chance)
    async with house.open():
        for number, person in enumerate(crowd):
            await house.visit(person)
            await house.work(number)
            await house.ask(person)
            await house.publish(person)
            say(f"{number + 1} people, {house.fed} times told")
        await house.settled()
        pages = await house.pages()
    slips = bytes(house.printer.bytes)
    proof.shown = proof.stored = len(house.printer.slips)
    proof.details |= {
        "fed": house.fed,
        "http_refused": house.refused,
        "cards_read": house.cards.health.counters.get("read", 0),
    }

    def files(*patterns: str) -> bytes:
        paths = sorted(path for pattern in patterns for path in folder.glob(pattern))
        return b"\n".join(path.read_bytes() for path in paths if path.is_file())

    return {
        "slips": slips,
        "feed": b"\n".join(topic.encode() + b" " + payload for topic, payload in house.heard),
        "branch_db": files("branch.db*"),
        "journal": files("kiosk/journal.db*"),
        "kiosk_folder": files("kiosk/[!j]*"),
        "logs": files("log.jsonl", "mosquitto.log"),
        "pages": pages,
    }


@contextmanager
def _switched_off(without: frozenset[str]) -> Iterator[None]:
    """The product without some of its promises."""

    def anything(*_: Any) -> None:
        return None

    def nothing(_: bytes) -> bool:
        return False

    off: dict[str, list[tuple[str, Callable[..., Any]]]] = {
        "notes": [("branch.desk.refuse_personal", anything)],
        "withhold": [("sync.personal.sent", nothing), ("branch.ingest.sent", nothing)],
    }
    with ExitStack() as patches:
        for promise in without:
            for target, instead in off[promise]:
                patches.enter_context(patch(target, instead))
        yield
