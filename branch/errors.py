"""What can go wrong in the branch server that is not the exchange's own error.

BranchError
├── StoreUnusable   the database cannot be opened or is of another version: stop, call the
│                   technician
└── NotStored       one change could not be committed: nothing has changed, try again
"""


class BranchError(Exception):
    """Root of every error raised by branch itself."""


class StoreUnusable(BranchError):
    """The database cannot be used; the message says why and what to do."""


class NotStored(BranchError):
    """A change could not be committed; neither the ledger nor the queue has it."""
