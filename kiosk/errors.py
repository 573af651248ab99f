"""What can go wrong in the kiosk that is not a device's or the exchange's own error.

KioskError   a command or a configuration that this kiosk cannot serve; the message says what to do
"""


class KioskError(Exception):
    """Root of every error raised by kiosk itself."""
