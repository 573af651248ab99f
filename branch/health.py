"""What ``/healthz`` says of the store, the feed and the nodes."""

from collections.abc import Sequence

from branch.ingest import Ingest
from branch.store import Store
from sync.transport import Transport


def health_of(
    store: Store, transport: Transport, ingest: Ingest, own_alerts: Sequence[str]
) -> dict[str, object]:
    """A table for JSON; ``ok`` speaks of the store alone."""
    counters = ingest.counters
    return {
        "ok": not store.failure,
        "store": store.failure or "ok",
        "mqtt": "online" if transport.connected else "offline",
        "events": counters.events,
        "duplicates": counters.duplicates,
        "quarantined": counters.quarantined,
        "bad_messages": counters.bad_messages,
        "failed_commits": counters.failed_commits,
        "failed_handlers": counters.failed_handlers,
        "unreadable_events": store.unreadable,
        "nodes": {name: row.status for name, row in sorted(ingest.nodes.items())},
        "alerts": [
            *own_alerts,
            *(
                f"{name}: {alert}"
                for name, row in sorted(ingest.nodes.items())
                for alert in row.alerts
            ),
        ],
    }
