"""Services within services: who serves a service serves everything within it. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from branch.calling_config import CounterConfig, ServiceConfig

Problems = Iterator[tuple[str, str]]


def ancestors(letter: str, within: Mapping[str, str]) -> list[str]:
    """What the service is within, the nearest first; a ring ends where it would begin again."""
    found: list[str] = []
    while (letter := within.get(letter, "")) and letter not in found:
        found.append(letter)
    return found


def served(services: Sequence[ServiceConfig], counter: CounterConfig) -> dict[str, int]:
    """Letter -> level of all that the counter serves: what it names, and what is within that at
    the level of the nearest that it names. Without cash it serves no cash service.
    """
    within = {service.letter: service.within for service in services}
    cash = {service.letter for service in services if service.cash}
    found = {letter: counter.levels.get(letter, 1) for letter in counter.services}
    for service in services:
        letter = service.letter
        if letter in found or (letter in cash and not counter.cash):
            continue
        nearest = next((a for a in ancestors(letter, within) if a in counter.services), None)
        if nearest is not None:
            found[letter] = counter.levels.get(nearest, 1)
    return found


def tree_problems(services: Sequence[ServiceConfig]) -> Problems:
    """(key, what is wrong with it)."""
    within = {service.letter: service.within for service in services}
    for index, service in enumerate(services):
        if not service.within:
            continue
        key = f"services[{index}].within"
        if service.within not in within:
            yield key, f"{service.within!r} is not one of the services"
        elif service.letter in ancestors(service.letter, within):
            yield key, f"{service.within!r} is itself within {service.letter!r}; expected a tree"
