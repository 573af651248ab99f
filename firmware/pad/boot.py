"""What is decided once at power-up: whether the pad program starts at all.

Safe mode: two keys held while the pad gets power leave the program out, so that the board's own
prompt answers on USB (a technician's way in, since the running program takes Ctrl-C for data).
Slots for updates will be decided here too.
"""

SAFE_MODE_KEYS = 2


def safe_mode(keys_down: int) -> bool:
    """Whether the mask of keys held at power-up asks for safe mode."""
    held = 0
    while keys_down:
        held += keys_down & 1
        keys_down >>= 1
    return held >= SAFE_MODE_KEYS
