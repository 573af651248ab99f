"""Event ids (UUIDv7) and the hash chain. Pure: time and chance are arguments."""

import hashlib

CHAIN_START = "0" * 16
"""``prev`` of the first event of an epoch."""
PAGE_KEY_LENGTH = 16


def uuid7(ts_ms: int, random_bits: int) -> str:
    """A UUIDv7 (RFC 9562 §5.7) from Unix time in ms and 74 random bits."""
    rand_a, rand_b = (random_bits >> 62) & 0xFFF, random_bits & ((1 << 62) - 1)
    value = (ts_ms & ((1 << 48) - 1)) << 80 | 0x7 << 76 | rand_a << 64 | 0b10 << 62 | rand_b
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def page_key(event_id: str) -> str:
    """What a public page is known by: the 62 random bits of its event's id, nobody guesses it."""
    return event_id.replace("-", "")[-PAGE_KEY_LENGTH:]


def page_ids(key: str) -> str | None:
    """The ids that have this page key, as a pattern of SQL's LIKE; None where none can have it."""
    if len(key) != PAGE_KEY_LENGTH or not key.isalnum() or not key.isascii():
        return None
    return f"%-{key[:4]}-{key[4:]}".lower()


def chain(raw: bytes) -> str:
    """Digest of one encoded event, which holds its own ``prev``: the next event's ``prev``."""
    return hashlib.blake2b(raw, digest_size=8).hexdigest()
