"""What can go wrong in the kiosk that is not a device's or the exchange's own error.

KioskError   a command or a configuration that this kiosk cannot serve; the message says what to do
├── CatalogueError   kiosk.catalogue: a text, a key or a .po file
└── WindowError      kiosk.ui: the window cannot be opened, laid out or captured
    └── FontError    the typeface is missing
"""


class KioskError(Exception):
    """Root of every error raised by kiosk itself."""
