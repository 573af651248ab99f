"""The kiosk's window, the only Kivy in the house. Importing it opens nothing.

Errors::

    WindowError(KioskError)         the window cannot be what was asked for
        FontError                   the typeface is not there or not readable
"""

from kiosk.errors import KioskError


class WindowError(KioskError):
    """The window cannot be opened, laid out or captured as asked; the text says what to do."""


class FontError(WindowError):
    """The typeface is missing or unreadable; names the file and the package that brings it."""
