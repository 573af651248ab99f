"""Draws a picture (SVG) from a text of boxes and arrows; architecture.txt begins with the format.

    python docs/draw_architecture.py [--check] architecture.txt architecture.svg

With --check nothing is written: the exit status is 1 if the picture is not the one of the text.
"""

import sys
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

# All sizes in SVG user units, which a browser shows as pixels.
WIDTH = 1120
MARGIN = 24
BOX_GAP = 88
ROW_GAP = 56
LINE_HEIGHT = 19
BOX_PADDING = 14
HEADING_HEIGHT = 44
ARROW_HEAD = 8
MAX_BOX_WIDTH = 470

STYLE = """
  text { font-family: "Noto Sans", "DejaVu Sans", sans-serif; font-size: 13px; fill: #333d49; }
  .heading { font-size: 17px; font-weight: 600; }
  .name { font-size: 15px; font-weight: 600; fill: #10233f; }
  .label { font-size: 12px; }
  rect.paper { fill: #ffffff; }
  rect.box { fill: #f2f6fb; stroke: #2f5f9e; stroke-width: 1.5; }
  path.arrow { stroke: #2f5f9e; stroke-width: 1.5; fill: none; }
  path.head { fill: #2f5f9e; }
"""


class DrawingError(ValueError):
    """A line of the text that cannot be drawn; the message names the line."""


@dataclass
class Box:
    """A box and, once it is placed, its rectangle."""

    name: str
    lines: list[str]
    x: float = 0
    y: float = 0
    width: float = 0
    height: float = 0

    @property
    def middle(self) -> float:
        return self.x + self.width / 2


@dataclass
class Heading:
    text: str


@dataclass
class Picture:
    """What a text describes: headings and rows from top to bottom, arrows between boxes."""

    parts: list[Heading | list[Box]] = field(default_factory=list)
    boxes: dict[str, Box] = field(default_factory=dict)
    arrows: list[tuple[Box, Box, str]] = field(default_factory=list)


def read(text: str) -> Picture:
    """Return the picture that the text describes.

    Raises DrawingError for a line of an unknown kind, a box outside a row, a name that is used
    twice, or an arrow whose end is no box.
    """
    picture = Picture()
    for number, line in enumerate(text.splitlines(), start=1):
        kind, _, rest = line.strip().partition(" ")
        if not kind or kind.startswith("#"):
            continue
        if kind == "heading":
            picture.parts.append(Heading(rest.strip()))
        elif kind == "row":
            picture.parts.append([])
        elif kind == "box":
            _read_box(picture, number, rest)
        elif kind == "arrow":
            _read_arrow(picture, number, rest)
        else:
            raise DrawingError(f"line {number}: expected heading, row, box or arrow, not {kind!r}")
    return picture


def _read_box(picture: Picture, number: int, rest: str) -> None:
    name, _, lines = rest.partition(":")
    row = picture.parts[-1] if picture.parts else None
    if not isinstance(row, list):
        raise DrawingError(f"line {number}: box {name.strip()!r} comes before any row")
    if name.strip() in picture.boxes:
        raise DrawingError(f"line {number}: there is a box {name.strip()!r} already")
    box = Box(name.strip(), [part.strip() for part in lines.split("|") if part.strip()])
    picture.boxes[box.name] = box
    row.append(box)


def _read_arrow(picture: Picture, number: int, rest: str) -> None:
    ends, _, label = rest.partition(":")
    names = [name.strip() for name in ends.split("->")]
    for name in names:
        if name not in picture.boxes:
            raise DrawingError(f"line {number}: no box above is named {name!r}")
    if len(names) != 2:
        raise DrawingError(f"line {number}: an arrow is `arrow A -> B: LABEL`")
    picture.arrows.append((picture.boxes[names[0]], picture.boxes[names[1]], label.strip()))


def place(picture: Picture) -> float:
    """Give each box its rectangle and return the picture's height."""
    y: float = MARGIN
    for part in picture.parts:
        if isinstance(part, Heading):
            y += HEADING_HEIGHT
            continue
        count = len(part)
        width = min(MAX_BOX_WIDTH, (WIDTH - 2 * MARGIN - BOX_GAP * (count - 1)) / count)
        x = (WIDTH - width * count - BOX_GAP * (count - 1)) / 2
        height = max(len(box.lines) + 1 for box in part) * LINE_HEIGHT + 2 * BOX_PADDING
        for box in part:
            box.x, box.y, box.width, box.height = x, y, width, height
            x += width + BOX_GAP
        y += height + ROW_GAP
    return y - ROW_GAP + MARGIN


def draw(picture: Picture) -> str:
    """Return the picture as SVG; the same text gives the same bytes."""
    height = place(picture)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}"'
        f' width="{WIDTH}" height="{height:g}">',
        f"<style>{STYLE}</style>",
        f'<rect class="paper" width="{WIDTH}" height="{height:g}"/>',
    ]
    y: float = MARGIN
    for part in picture.parts:
        if isinstance(part, Heading):
            out.append(_text(WIDTH / 2, y + LINE_HEIGHT, part.text, "heading"))
            y += HEADING_HEIGHT
            continue
        for box in part:
            out += _box(box)
        y = part[0].y + part[0].height + ROW_GAP
    for arrow in picture.arrows:
        out += _arrow(picture, *arrow)
    return "\n".join([*out, "</svg>", ""])


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    mark = f' class="{kind}"' if kind else ""
    return f'<text x="{x:g}" y="{y:g}" text-anchor="middle"{mark}>{escape(text)}</text>'


def _box(box: Box) -> list[str]:
    out = [
        f'<rect class="box" x="{box.x:g}" y="{box.y:g}" width="{box.width:g}"'
        f' height="{box.height:g}" rx="6"/>'
    ]
    y = box.y + BOX_PADDING + LINE_HEIGHT * 0.75
    out.append(_text(box.middle, y, box.name, "name"))
    for number, line in enumerate(box.lines, start=1):
        out.append(_text(box.middle, y + number * LINE_HEIGHT, line))
    return out


def _arrow(picture: Picture, start: Box, end: Box, label: str) -> list[str]:
    if start.y == end.y:
        left = start.x < end.x
        x1, x2 = (start.x + start.width, end.x) if left else (start.x, end.x + end.width)
        y1 = y2 = start.y + start.height / 2
        turn = 0 if left else 180
    else:
        # The ends share the edge, in the order of what is at the other side: no needless crossing.
        leaving = sorted((b for a, b, _ in picture.arrows if a is start), key=lambda box: box.x)
        coming = sorted((a for a, b, _ in picture.arrows if b is end), key=lambda box: box.x)
        x1 = start.x + start.width * (leaving.index(end) + 1) / (len(leaving) + 1)
        x2 = end.x + end.width * (coming.index(start) + 1) / (len(coming) + 1)
        y1, y2 = start.y + start.height, end.y
        turn = 90
    bend = (y2 - y1) / 2 if turn == 90 else 0
    back = ARROW_HEAD if turn == 0 else -ARROW_HEAD if turn == 180 else 0
    down = ARROW_HEAD if turn == 90 else 0
    out = [
        f'<path class="arrow" d="M{x1:g},{y1:g} C{x1:g},{y1 + bend:g} {x2 - back:g},{y2 - bend:g}'
        f' {x2 - back:g},{y2 - down:g}"/>',
        f'<path class="head" transform="translate({x2:g},{y2:g}) rotate({turn})"'
        f' d="M0,0 L{-ARROW_HEAD},{ARROW_HEAD / 2:g} L{-ARROW_HEAD},{-ARROW_HEAD / 2:g} Z"/>',
    ]
    if label:
        out.append(_text((x1 + x2) / 2, (y1 + y2) / 2 - ARROW_HEAD, label, "label"))
    return out


def main(arguments: list[str]) -> int:
    """Draw or check; return the exit status."""
    check = "--check" in arguments
    names = [name for name in arguments if name != "--check"]
    if len(names) != 2:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    source, target = (Path(name) for name in names)
    try:
        svg = draw(read(source.read_text(encoding="utf-8")))
    except DrawingError as error:
        sys.stderr.write(f"{source}: {error}\n")
        return 2
    if check:
        if target.exists() and target.read_text(encoding="utf-8") == svg:
            return 0
        sys.stderr.write(f"{target} is not the picture of {source}: run `make docs`\n")
        return 1
    target.write_text(svg, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
