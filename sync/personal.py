"""What looks like a person's data in a text: identity numbers, phones, accounts. Pure.

Two places ask. What a person typed is refused whole where it has a long run of digits, however
they are written. What a program sent is looked at for the forms themselves, because messages are
full of digits of their own (times, digests, ids). Names cannot be told from words: where people
could type one, they choose from a list instead (branch.toml, ``notes``).
"""

import re
import unicodedata

LONGEST_RUN = 6
"""A number on a slip has 5 characters, an amount that tellers tell each other 6 digits; a landline
has 7, a mobile phone 11, an account 16 to 19, an identity card 15 or 18.
"""
_NUMERALS = str.maketrans(
    "〇零○一壹幺二贰两三叁四肆五伍六陆七柒八捌九玖", "00011122233445566778899"
)
_BETWEEN = re.compile(r"[\s\-_.,/·:()+\u200b-\u200f\u2060\ufeff]+")
_RUN = re.compile(rf"[0-9]{{{LONGEST_RUN + 1},}}")
_ID_CARD = (
    rb"[1-9][0-9]{5}(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{3}[0-9Xx]"
)
"""GB 11643: region, date of birth, order, check character."""
_MOBILE = rb"(?:86[ -]?)?1[3-9][0-9][ -]?[0-9]{4}[ -]?[0-9]{4}"
_CARD = rb"62[0-9]{17}|62[0-9]{2}(?:[ -][0-9]{4}){3}(?:[ -][0-9]{3})?"
"""UnionPay. 16 digits without a blank are as likely the digest of an event."""
_FORMS = re.compile(
    rb"(?<![0-9A-Za-z])(?<!_ms\":)(?:%b|%b|%b)(?![0-9A-Za-z])" % (_ID_CARD, _MOBILE, _CARD)
)
_ESCAPED = re.compile(rb"\\u(?!00[01])")
"""A character of JSON beyond ASCII; control characters are rubbish, and nobody's name."""
_CLASSES = bytes(
    ord("d" if chr(byte).isdigit() else "h" if chr(byte).isalpha() else ".")
    if byte < 128
    else byte
    for byte in range(256)
)
_SHAPES = (
    b"d" * 17,
    b".ddddddddddd.",
    b".ddddddd.dddd.",
    b".ddd.dddddddd.",
    b".ddd.dddd.dddd.",
    b".ddddd.dddd.dddd.",
    b".dddd.dddd.dddd.dddd.",
)
"""Digits, letters and the rest: searched for thirty times as fast as the forms."""
TYPED = (
    f"has more than {LONGEST_RUN} digits in a row: an identity card, phone or account number must"
    " not be kept here; leave it out"
)
SENT = "holds what looks like a person's data; it is not kept"


def typed(text: str) -> bool:
    """Whether a text that somebody typed has a number of a person: full-width, Chinese and parted
    digits count.
    """
    plain = unicodedata.normalize("NFKC", text).translate(_NUMERALS)
    digits = "".join(
        str(unicodedata.digit(char)) if unicodedata.digit(char, None) is not None else char
        for char in _BETWEEN.sub("", plain)
    )
    return _RUN.search(digits) is not None


def sent(raw: bytes) -> bool:
    """Whether a device's message or a program's key holds one, or text beyond ASCII: devices say
    codes, never words. A number in a field ``…_ms`` is a duration: 150 days look like a phone.
    """
    if not raw.isascii() or b"+86" in raw or (b"\\u" in raw and _ESCAPED.search(raw)):
        return True
    shapes = b"." + raw.translate(_CLASSES) + b"."
    return any(shape in shapes for shape in _SHAPES) and _FORMS.search(raw) is not None
