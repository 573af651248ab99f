"""What the queue refuses. Pure."""


class ImpossibleEvent(Exception):
    """An event that the ticket's phase or the counter's state cannot meet."""
