"""The hidden gesture: the four corners of the screen in order. Pure: the time is an argument."""

WITHIN_S = 8.0
"""From the first corner to the last."""
ORDER = ("top left", "top right", "bottom right", "bottom left")


class Corners:
    """Follows touches of a screen of ``size`` pixels; a corner is a square of ``edge`` pixels, in
    the margin where no control is.
    """

    def __init__(self, size: tuple[int, int], edge: int) -> None:
        self._size = size
        self._edge = edge
        self._reached = 0
        self._began_s = 0.0

    def touch(self, x: float, y: float, now_s: float) -> bool:
        """Whether this touch (y downwards) is the last corner of the round. Any touch beside the
        next corner begins anew.
        """
        corner = self._corner(x, y)
        if self._reached and now_s - self._began_s > WITHIN_S:
            self._reached = 0
        if corner != ORDER[self._reached]:
            self._reached = 0
        if corner == ORDER[self._reached]:
            if not self._reached:
                self._began_s = now_s
            self._reached += 1
        if self._reached < len(ORDER):
            return False
        self._reached = 0
        return True

    def _corner(self, x: float, y: float) -> str:
        width, height = self._size
        across = "left" if x < self._edge else "right" if x >= width - self._edge else ""
        down = "top" if y < self._edge else "bottom" if y >= height - self._edge else ""
        return f"{down} {across}" if across and down else ""
