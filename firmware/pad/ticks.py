"""Ticks of 1 ms that wrap at 2^30, as ``time.ticks_ms`` does on the RP2040 after 12.4 days."""

TICKS_MASK = (1 << 30) - 1
TICKS_HALF = 1 << 29


def ticks_add(ticks: int, delta_ms: int) -> int:
    """Return ``ticks`` + ``delta_ms`` modulo 2^30; no step leaves the RP2040's small integers."""
    if ticks > TICKS_MASK - delta_ms:
        return ticks - TICKS_MASK - 1 + delta_ms
    return ticks + delta_ms


def ticks_diff(end: int, start: int) -> int:
    """Return ``end`` - ``start`` in ms across the wrap, for distances under 2^29 ms (6.2 days)."""
    diff = (end - start) & TICKS_MASK
    return diff - TICKS_MASK - 1 if diff >= TICKS_HALF else diff
