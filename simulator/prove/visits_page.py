"""docs/visits.md from a run of ``lobby prove visits``: ``python -m simulator.prove.visits_page
out/visits docs`` (``make docs``).
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
from PIL import Image

from simulator.prove.visits_transcript import Step, Visit

PICTURE_PX = (216, 384)
COLOURS = 64
IMAGES = Path("images/visits")
WIDTH_PX = 150
REFERENCE = re.compile(r"\b[0-9a-f]{4}-[0-9a-f]{4}\b")
CODE = re.compile(r"\b8\d\d \d{3}$")
"""Both are another one in each run."""
HEAD = """# Visits at the kiosk

Made by `make docs` from a run of `lobby prove visits`, which fails where a visit does not go as
it must: see `simulator/prove/visits_oracle.py`. Everything is real but the people, the printer,
the card reader, the four keys and the loudspeakers, which are simulated at the far end of their
wires. Each visitor comes into a branch that has just opened; it is 10:24. All taps and keys are
counted, those in vain, too.

"""


def page(visits: list[Visit]) -> str:
    """The document."""
    rows = [
        f"| [{visit.title}](#{_anchor(visit.title)}) | {_hands(visit)} |"
        f" {visit.mode_taps or ''} | {_ends(visit)} |"
        for visit in visits
    ]
    table = [
        "| Visitor | Taps to the ticket | Before them, for a mode | In the end |",
        "|---|---|---|---|",
        *rows,
    ]
    return HEAD + "\n".join(table) + "\n" + "".join(map(_visit, visits))


def _visit(visit: Visit) -> str:
    lines = [
        f"\n## {visit.title}\n",
        "| | What the visitor does | Touched or pressed, and what is read aloud | The screen |",
        "|---|---|---|---|",
        *(_row(number, step) for number, step in enumerate(visit.steps, 1)),
        "",
        *_ending(visit),
    ]
    return "\n".join(lines) + "\n"


def _row(number: int, step: Step) -> str:
    touched = f"`{step.tap}`: {step.spoken}" if step.tap else ""
    if step.keys:
        touched = " ".join(f"`{key}`" for key in step.keys) + ": " + "<br>".join(step.heard)
    shown = f"`{step.screen}`"
    if step.picture:
        path = IMAGES / step.picture
        shown = f'<img src="{path}" width="{WIDTH_PX}" alt="{step.screen} screen">'
    return f"| {number} | {step.words} | {touched} | {shown} |"


def _ending(visit: Visit) -> Iterator[str]:
    for slip in visit.slips:
        yield "The slip:\n\n```text"
        for line in slip["lines"]:
            yield CODE.sub("8xx xxx", REFERENCE.sub("xxxx-xxxx", line))
        yield "```\n"
    told = ", ".join(f"`{kind}`" for kind, _ in visit.events)
    yield f"Journalled: {told}. {_ends(visit)}."
    for heard in visit.heard:
        languages = (line.partition(" ")[2] for line in heard.splitlines())
        yield f"Then the hall hears: {' / '.join(languages)}."


def _ends(visit: Visit) -> str:
    parts = [
        f"the branch has {row['number']}, {row['segment']}, {row['paper'].replace('_', ' ')}"
        for row in visit.tickets
    ]
    text = "; ".join(parts) + (", number acknowledged" if "shown" in visit.paper else "")
    return text[:1].upper() + text[1:]


def _hands(visit: Visit) -> str:
    keys = f", {visit.ticket_presses} keys" if visit.ticket_presses else ""
    return f"{visit.ticket_taps}{keys}"


def _anchor(title: str) -> str:
    return re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")


def write(run: Path, docs: Path) -> None:
    """Write the document and its pictures, and remove those of before."""
    visits = msgspec.json.decode((run / "visits.json").read_bytes(), type=list[Visit])
    images = docs / IMAGES
    images.mkdir(parents=True, exist_ok=True)
    for old in images.glob("*.png"):
        old.unlink()
    for step in (step for visit in visits for step in visit.steps if step.picture):
        with Image.open(run / step.picture) as picture:
            small = picture.convert("RGB").resize(PICTURE_PX, Image.Resampling.LANCZOS)
            small.quantize(COLOURS).save(images / step.picture, optimize=True)
    (docs / "visits.md").write_text(page(visits), "utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
