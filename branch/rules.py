"""branch.toml's rules of calling, as the queue engine takes them."""

from branch.calling_config import segments_of
from branch.config import BranchConfig
from branch.queue import Counter, CounterState, Discipline, Engine
from branch.service_tree import served


def discipline_of(config: BranchConfig) -> Discipline:
    """The score of each segment, the promise, the ratio."""
    segments = segments_of(config.queue, config.segments)
    return Discipline(
        head_start_min={s.name: s.head_start_min for s in segments if s.head_start_min},
        rate={s.name: s.rate for s in segments if s.rate != 1},
        promise_min=config.queue.promise_min,
        emergencies=frozenset(s.name for s in segments if s.emergency),
        ratio=config.queue.ratio,
        ratio_segments=frozenset(config.queue.ratio_segments),
    )


def engine_of(config: BranchConfig, discipline: Discipline | None = None) -> Engine:
    """An empty queue for this branch; ``discipline`` in place of the configured one."""
    levels = {c.number: served(config.services, c) for c in config.counters}
    counters = {
        c.number: Counter(
            c.number,
            tuple(sorted(levels[c.number], key=levels[c.number].__getitem__)),
            levels={k: level for k, level in levels[c.number].items() if level > 1},
            help_below=c.help_below,
            cash=c.cash,
            elastic=c.elastic,
            state=CounterState.ELASTIC if c.elastic else CounterState.OPEN,
        )
        for c in config.counters
    }
    cash = frozenset(s.letter for s in config.services if s.cash)
    return Engine(counters, discipline or discipline_of(config), cash)


def segment_names(config: BranchConfig) -> frozenset[str]:
    """The segments that a ticket may be tagged with."""
    return frozenset(s.name for s in segments_of(config.queue, config.segments))
