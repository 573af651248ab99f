"""The icons as strokes on a grid of 48 × 48, y downwards, stroke 4, round caps. Pure.

``line`` is open, ``poly`` closed (x,y pairs); ``circle cx cy r``; ``dot`` the same, filled;
``arc cx cy r from to`` in degrees clockwise from 12 o'clock; ``half`` is the filled sector.
"""

from dataclasses import dataclass

GRID = 48
STROKE = 4


@dataclass(frozen=True, slots=True)
class Strokes:
    """Corners joined by straight strokes."""

    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Arc:
    """Part of a circle, degrees clockwise from the top; 0 to 360 is the whole."""

    x: float
    y: float
    radius: float
    start: float = 0
    end: float = 360


@dataclass(frozen=True, slots=True)
class Dot:
    """A filled circle."""

    x: float
    y: float
    radius: float


@dataclass(frozen=True, slots=True)
class Sector:
    """A filled part of a circle, degrees clockwise from the top."""

    x: float
    y: float
    radius: float
    start: float
    end: float


Shape = Strokes | Arc | Dot | Sector

_SHAPES = {
    "staff": "circle 18 15 7.5; arc 18 43 14 270 450; line 4,43 32,43; "
    "poly 30,5 44,5 44,19 38,19 34,24 34,19 30,19",
    "wheelchair": "dot 20 7 4.5; line 20,15 20,28 32,28 37,40 42,38; line 20,20 31,20; "
    "arc 19 32 12 75 345",
    "sound": "poly 5,18 13,18 23,9 23,39 13,30 5,30; arc 23 24 10 45 135; arc 23 24 18 45 135",
    "people": "circle 17 15 7.5; arc 17 41 13 270 450; line 4,41 30,41; "
    "arc 32 15 7.5 0 180; arc 31 41 13 20 90",
    "slip": "poly 11,5 37,5 37,43 32.7,38 28.3,43 24,38 19.7,43 15.3,38 11,43; "
    "line 18,15 30,15; line 18,24 30,24",
    "printer": "poly 6,18 42,18 42,34 34,34 34,28 14,28 14,34 6,34; "
    "line 14,18 14,6 34,6 34,18; line 14,34 14,43 34,43 34,34",
    "check": "line 8,25 19,36 40,12",
    "cross": "line 12,12 36,36; line 36,12 12,36",
    "clock": "circle 24 24 19; line 24,12 24,24 32,30",
    "back": "line 29,9 14,24 29,39",
    "machine": "poly 9,4 39,4 39,44 9,44; poly 16,11 32,11 32,23 16,23; line 16,31 22,31; "
    "line 16,37 32,37",
    "id": "poly 3,9 45,9 45,39 3,39; circle 15 20 4.5; arc 15 34 8 270 450; line 29,19 38,19; "
    "line 29,28 38,28",
    "card": "poly 3,9 45,9 45,39 3,39; line 3,19 45,19; line 10,30 20,30",
    "phone": "poly 13,3 35,3 35,45 13,45; dot 24 38 2.4",
    "textsize": "line 3,39 10,21 17,39; line 5.5,33 14.5,33; line 19,39 32,7 45,39; "
    "line 24,29 40,29",
    "contrast": "circle 24 24 19; half 24 24 19 0 180",
    "warn": "poly 24,6 45,42 3,42; line 24,19 24,29; dot 24 35.5 2.6",
    "offline": "arc 24 40 30 315 405; arc 24 40 18 315 405; dot 24 39 4; line 7,7 41,45",
    "next": "line 19,9 34,24 19,39",
    "down": "line 9,18 24,33 39,18",
    "arrow": "line 6,24 41,24; line 28,11 41,24 28,37",
    "hand": "line 18,32 18,9; arc 21.5 9 3.5 270 450; line 25,9 25,22; arc 28.5 22 3.5 270 450;"
    " line 32,22 32,25; arc 35.5 25 3.5 270 450; line 39,25 39,34 35,43 21,43 8,31 12,27 18,32",
    "speech": "poly 5,7 43,7 43,34 23,34 13,43 13,34 5,34; line 14,16 34,16; line 14,25 27,25",
    "bell": "line 12,36 12,22; arc 24 22 12 270 450; line 36,22 36,36; line 7,36 41,36;"
    " line 20,43 28,43; line 24,5 24,9",
    "home": "line 4,25 24,7 44,25; line 10,20 10,42 38,42 38,20",
    "hourglass": "line 11,5 37,5; line 11,43 37,43; poly 14,5 34,5 24,24; poly 24,24 34,43 14,43",
    "window": "poly 5,6 43,6 43,28 5,28; line 2,36 46,36; line 24,36 24,44",
    "face2": "circle 24 24 20; dot 17 19 2.8; dot 31 19 2.8; arc 24 44 14 325 395",
    "face1": "circle 24 24 20; dot 17 19 2.8; dot 31 19 2.8; arc 24 38 9.5 290 430",
    "pause": "line 16,9 16,39; line 32,9 32,39",
}


def _parse(text: str) -> tuple[Shape, ...]:
    return tuple(_shape(*part.split()) for part in text.split(";"))


def _shape(kind: str, *words: str) -> Shape:
    if kind in ("line", "poly"):
        points = [(float(x), float(y)) for x, y in (word.split(",") for word in words)]
        return Strokes(tuple(points + points[:1] if kind == "poly" else points))
    numbers = [float(word) for word in words]
    if kind == "half":
        return Sector(*numbers)
    return Dot(*numbers) if kind == "dot" else Arc(*numbers)


ICONS: dict[str, tuple[Shape, ...]] = {name: _parse(text) for name, text in _SHAPES.items()}
