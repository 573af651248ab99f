"""Pictures of screens, compared as people see them: a button that moved by half a millimetre is
another picture, an edge that another driver smooths differently is not.
"""

from pathlib import Path

from PIL import Image, ImageChops

SCALE = 5
"""Pixels of the screen to one of the golden picture."""
CHANGED = 32
"""Of 255 in any colour. Smoothing an edge anew (blur by 0.8 px, a shift by 0.3 px) stays below
it; two pixels of movement leave 50 points and more above it.
"""
MOST_POINTS = 20


def golden_size(picture: Image.Image) -> Image.Image:
    """The picture as it is kept: each point is the mean of its square."""
    size = picture.width // SCALE, picture.height // SCALE
    return picture.convert("RGB").resize(size, Image.Resampling.BOX)


def changed(expected: Image.Image, actual: Image.Image) -> Image.Image:
    """Black where both are alike, white where they are not; of their golden size."""
    if expected.size != actual.size:
        return Image.new("L", expected.size, 255)
    bands = ImageChops.difference(expected, actual).split()
    most = ImageChops.lighter(ImageChops.lighter(bands[0], bands[1]), bands[2])
    return most.point(lambda value: 255 if value > CHANGED else 0)


def points(difference: Image.Image) -> int:
    """How many points of :func:`changed` are white."""
    return difference.histogram()[255]


def side_by_side(expected: Image.Image, actual: Image.Image, path: Path) -> None:
    """Write expected, actual and what differs, from left to right, for whoever decides."""
    pictures = (expected, actual, changed(expected, actual).convert("RGB"))
    gap = 8
    width = sum(picture.width for picture in pictures) + 2 * gap
    sheet = Image.new("RGB", (width, max(picture.height for picture in pictures)), (255, 0, 255))
    left = 0
    for picture in pictures:
        sheet.paste(picture, (left, 0))
        left += picture.width + gap
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)
