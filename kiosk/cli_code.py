"""``lobby provision technician-code``: makes a code for the kiosk's hidden menu, shows it once."""

import secrets
import sys
from collections.abc import Sequence

from kiosk.technician import CODE_DIGITS, hash_code


def main(arguments: Sequence[str]) -> int:
    """Print the code and the lines for kiosk.toml; exit status 2 for any argument."""
    if arguments:
        print("usage: lobby provision technician-code", file=sys.stderr)
        return 2
    code = "".join(secrets.choice("0123456789") for _ in range(CODE_DIGITS))
    print(f"code: {code}   (shown once; it is nowhere stored)", file=sys.stderr)
    print(f'[technician]\ncode_hash = "{hash_code(code, secrets.token_bytes(16))}"')
    return 0
