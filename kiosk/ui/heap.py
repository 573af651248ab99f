"""Keeps what the process gave back from staying in its heap."""

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # of malloc.h
LARGE = 64 * 1024
"""Bytes: most texts' pictures are larger, most other things smaller."""
SPARE = 256 * 1024
"""Bytes free at the top of the heap that go back to the system."""
ARENAS = 2


def keep_flat() -> bool:
    """Give pictures pages of their own, which go back to the system with them; False where the C
    library is not glibc. By itself glibc would learn from the first large picture that is freed to
    keep such in the heap, where every smaller thing that outlives one holds its place.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # musl has none, and needs none
        return False
    settings = ((M_MMAP_THRESHOLD, LARGE), (M_TRIM_THRESHOLD, SPARE), (M_ARENA_MAX, ARENAS))
    return all([mallopt(name, value) == 1 for name, value in settings])
