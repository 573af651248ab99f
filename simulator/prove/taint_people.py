"""Made-up people for ``lobby prove taint``, and every form in which their data could be in a file.
Imports nothing of the product. Nobody's data: the names are of characters drawn at random.
"""

import base64
import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS = "10X98765432"
"""GB 11643: the check character by the weighted sum modulo 11."""
_REGIONS = ("110105", "310104", "440305", "510107", "330106")
_FAMILIES = ("欧阳", "诸葛", "慕容", "司徒", "上官", "令狐", "皇甫", "尉迟")
_GIVEN = "璟骁玥翀骥霁颢珩旻昶淼焱翊隽瑄曦"
_SYLLABLES = ("zhao", "qian", "xun", "bing", "heng", "shuo", "yue", "chong", "jun", "xuan")
_FULL_WIDTH = {ord("0") + n: 0xFF10 + n for n in range(10)}
SHORTEST = 6
"""A form of fewer bytes could be there by chance."""
HASHES = ("md5", "sha1", "sha256", "sha512", "blake2b", "blake2s", "sha3_256")
BRIEF = 16
"""Bytes of a hash that suffice: tokens are often cut."""


@dataclass(frozen=True, slots=True)
class Person:
    """What a careless program would keep of somebody."""

    id_card: str
    phone: str
    account: str
    name: str
    pinyin: str

    def items(self) -> dict[str, str]:
        """Kind of datum -> its text."""
        return {
            "id_card": self.id_card,
            "phone": self.phone,
            "account": self.account,
            "name": self.name,
            "pinyin": self.pinyin,
        }


def people(count: int, chance: random.Random) -> list[Person]:
    """``count`` people who do not exist."""
    return [_person(chance) for _ in range(count)]


def _person(chance: random.Random) -> Person:
    born = f"{chance.randint(1940, 2009)}{chance.randint(1, 12):02}{chance.randint(1, 28):02}"
    body = f"{chance.choice(_REGIONS)}{born}{chance.randint(1, 999):03}"
    check = _CHECKS[sum(int(d) * w for d, w in zip(body, _WEIGHTS, strict=True)) % 11]
    return Person(
        id_card=body + check,
        phone=f"1{chance.choice('3456789')}{chance.randrange(10**9):09}",
        account=f"6222{chance.randrange(10**15):015}",
        name=chance.choice(_FAMILIES) + "".join(chance.sample(_GIVEN, 2)),
        pinyin=" ".join(word.title() for word in chance.sample(_SYLLABLES, 3)),
    )


def forms(text: str) -> Iterator[tuple[str, bytes]]:
    """How the text could be written down: (form, bytes). Hashes raw and as hex, cut to 16 B."""
    written = {"plain": text, "reversed": text[::-1]}
    if text.isdigit() or text[:-1].isdigit():
        written |= {
            "blanks": _grouped(text, " "),
            "dashes": _grouped(text, "-"),
            "full_width": text.translate(_FULL_WIDTH),
        }
    else:
        written["joined"] = text.replace(" ", "").lower()
    for form, word in written.items():
        for encoding in ("utf-8", "utf-16-le", "utf-16-be", "gb18030"):
            data = word.encode(encoding)
            if len(data) >= SHORTEST:
                yield f"{form}/{encoding}", data
    raw = text.encode()
    escaped = text.encode("ascii", "backslashreplace")
    for form, data in (
        ("hex", raw.hex().encode()),
        ("base64", base64.b64encode(raw).rstrip(b"=")[:-1]),
        ("percent", "".join(f"%{byte:02X}" for byte in raw).encode()),
        ("json", escaped),
        *_hashes(raw),
    ):
        if len(data) >= SHORTEST:
            yield form, data


def _grouped(digits: str, between: str) -> str:
    """As people write it: 138 0013 8000, 6222 0212 …"""
    head = 3 if len(digits) == 11 else 4
    rest = [digits[at : at + 4] for at in range(head, len(digits), 4)]
    return between.join((digits[:head], *rest))


def _hashes(raw: bytes) -> Iterator[tuple[str, bytes]]:
    for name in HASHES:
        digest = hashlib.new(name, raw).digest()[:BRIEF]
        yield f"{name}/raw", digest
        yield f"{name}/hex", digest.hex().encode()
        yield f"{name}/HEX", digest.hex().upper().encode()
    for size in (8, 16):
        digest = hashlib.blake2b(raw, digest_size=size).digest()
        yield f"blake2b-{size}/raw", digest
        yield f"blake2b-{size}/hex", digest.hex().encode()
