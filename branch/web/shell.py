"""Around every answer, also to unknown addresses: security headers and the request's metrics."""

import time
from typing import cast

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from prometheus_client import CollectorRegistry, Counter, Histogram

# Only our own files: no inline script or style, no other origin, no frame round a teller's page.
SECURITY_HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        b"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
DEFAULT_CACHING = (b"cache-control", b"no-store")
KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS"})
# From a call on loopback to the second in which a board must have it.
LATENCY_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Shell:
    """ASGI wrapper; labels are bounded: known methods, route templates, "unmatched" else."""

    def __init__(self, app: ASGIApp, registry: CollectorRegistry) -> None:
        self._app = app
        self._requests = Counter(
            "lobby_http_requests",
            "HTTP requests answered",
            ("method", "route", "status"),
            registry=registry,
        )
        self._latency = Histogram(
            "lobby_http_request_seconds",
            "From request to the first byte of its answer",
            ("method", "route"),
            buckets=LATENCY_BUCKETS_S,
            registry=registry,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        method = scope["method"] if scope["method"] in KNOWN_METHODS else "other"

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = cast("dict[str, str]", scope).get("path_template") or "unmatched"
                self._requests.labels(method, route, str(message["status"])).inc()
                self._latency.labels(method, route).observe(time.perf_counter() - began)
                headers = [*message["headers"], *SECURITY_HEADERS]
                if not any(name.lower() == b"cache-control" for name, _ in headers):
                    headers.append(DEFAULT_CACHING)
                message["headers"] = headers
            await send(message)

        await self._app(scope, receive, send_with_headers)
