"""The hall's ear against the ledger: what was heard of what was called. Reads plain SQL."""

import json
import re
import sqlite3
from collections import Counter
from itertools import pairwise
from pathlib import Path

from hal.sim.speaker import Heard

DIGITS = "零一二三四五六七八九"
ZH = re.compile(r"zh 请 (.*)号到 (\d+) 号窗口")


def count_announcements(heard: list[Heard], branch_db: Path) -> tuple[dict[str, int], list[str]]:
    """Counts (called, heard), and a sentence for each overlap and for each call that was heard
    more often than it was made. One may be unheard: it became pointless before its turn.
    """
    with sqlite3.connect(f"file:{branch_db}?mode=ro", uri=True) as db:
        called = Counter(
            (number, int(json.loads(body)["data"]["counter"]))
            for number, body in db.execute(
                "SELECT ticket.number, event.raw FROM event JOIN ticket ON ticket.id = event.sub"
                " WHERE event.type IN ('ticket.called', 'ticket.recalled')"
            )
        )
    db.close()
    said = Counter(_call(one) for one in heard)
    wrong = [
        f"announcements overlap: {a.said!r} and {b.said!r}"
        for a, b in pairwise(heard)
        if b.began_ms < a.ended_ms
    ]
    wrong += [
        f"{number} to counter {counter} was called {called[number, counter]} times, heard {times}"
        for (number, counter), times in said.items()
        if times > called[number, counter]
    ]
    return {"called": called.total(), "heard": said.total()}, wrong


def _call(heard: Heard) -> tuple[str, int]:
    found = ZH.match(heard.said)
    if found is None:
        return heard.said, 0
    number = "".join(str(DIGITS.index(c)) if c in DIGITS else c for c in found[1])
    return number.replace(" ", ""), int(found[2])
