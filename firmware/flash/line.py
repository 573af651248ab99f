"""Opening a serial port for the tool alone."""

import errno
from pathlib import Path

import serial

from firmware.flash.errors import NoPad, PortBusy

BAUD = 115200
READ_S = 0.05
"""How long a read waits for its first byte."""


def open_line(port: Path, write_s: float = 2.0) -> serial.Serial:
    """The open port; a write that takes longer than ``write_s`` fails. Raises NoPad, PortBusy."""
    try:
        return serial.Serial(
            str(port), BAUD, timeout=READ_S, write_timeout=write_s, exclusive=True
        )
    except (serial.SerialException, OSError) as error:
        if "exclusively lock" in str(error) or error.errno in (errno.EBUSY, errno.EAGAIN):
            raise PortBusy(
                f"{port}: another program has it open",
                "stop that program (the kiosk, or another run of this tool), then run this again",
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM):
            raise NoPad(
                f"{port}: this user may not open it",
                "add the user to the group dialout and log in anew",
            ) from error
        raise NoPad(
            f"{port}: cannot be opened ({error})", "plug the pad in, see `lobby flash list`"
        ) from error
