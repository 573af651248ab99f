"""Services within services, as the screens show them. Pure."""

from collections.abc import Sequence

from kiosk.view import Wait
from sync.offer import Service


def groups(services: Sequence[Service]) -> frozenset[str]:
    """The letters of services that others are within: their tile opens those."""
    return frozenset(service.within for service in services if service.within)


def level(services: Sequence[Service], group: str) -> list[Service]:
    """What one screen offers: the services within ``group`` ("": within none), and the way to a
    person.
    """
    return [service for service in services if service.priority or service.within == group]


def leaves(services: Sequence[Service], letter: str) -> list[Service]:
    """The services below ``letter`` that give tickets; itself where none is within it."""
    below = [service for service in services if service.within == letter]
    if not below:
        return [service for service in services if service.letter == letter]
    return [leaf for service in below for leaf in leaves(services, service.letter)]


def span(waits: Sequence[Wait]) -> Wait:
    """What is known of a group: from the shortest of its waits to the longest, unknown where one
    is. People ahead are told for each service: their sum would be nobody's line.
    """
    lows = [wait.low_min for wait in waits if wait.low_min is not None]
    highs = [wait.high_min for wait in waits if wait.high_min is not None]
    if not waits or len(lows) + len(highs) < 2 * len(waits):
        return Wait()
    return Wait(None, min(lows), max(highs))
