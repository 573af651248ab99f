"""What can go wrong with the technician's tool; every error says what to do next.

FlashError             exit status 1, a pad or file that did not do as expected
├── LinkDied           4, the line to a pad broke or went silent: a second run goes on
├── NoPad              3, nothing at the port, or nothing that can be flashed
├── PortBusy           5, another program holds the port
├── NotTrusted         6, a signature, a chip, a version or a hash that must not be flashed
├── NotAllowed         7, a pairing code, an operator or a key is missing
└── BadUse             2, a file or an option that cannot be used
"""


class FlashError(Exception):
    """Root of the tool's errors: what happened, and ``next_step``, what to do about it."""

    status = 1

    def __init__(self, what: str, next_step: str) -> None:
        super().__init__(f"{what}; {next_step}")
        self.what = what
        self.next_step = next_step


class BadUse(FlashError):
    """A file or an option that cannot be used."""

    status = 2


class NoPad(FlashError):
    """Nothing at the port, or nothing that can be flashed."""

    status = 3


class LinkDied(FlashError):
    """The line to a pad broke or went silent."""

    status = 4


class PortBusy(FlashError):
    """Another program holds the port."""

    status = 5


class NotTrusted(FlashError):
    """Firmware that must not be flashed."""

    status = 6


class NotAllowed(FlashError):
    """A code, an operator or a key is missing."""

    status = 7
