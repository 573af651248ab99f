"""What can go wrong in the exchange.

SyncError
├── BadMessage        bytes that are not a message of ours: keep them aside, count, go on
├── JournalFull       nothing can be journalled: refuse to issue
└── JournalUnusable   the file is damaged or of a newer version: stop, call the technician
"""


class SyncError(Exception):
    """Root of every error raised by sync."""


class BadMessage(SyncError):
    """Bytes that cannot be read as a message; says which field, what was expected."""


class JournalFull(SyncError):
    """The row could not be made durable; nothing was written."""


class JournalUnusable(SyncError):
    """The journal's file cannot be used; the message says why and what to do."""
