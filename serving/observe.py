"""What the service says about itself: log lines and metrics, without personal data."""

import logging
import sys
import time

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = structlog.get_logger()

SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """Counters and histograms of one application.

    Attributes:
        registry: Where they are kept; one per application, so that tests do not share.
        requests: Answers by method, route and status.
        seconds: Time to answer by route.
        decisions: Decisions by policy and by whether the fallback answered.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "rightrep_requests_total",
            "Answers given.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "rightrep_request_seconds",
            "Time to answer.",
            ["route"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.decisions = Counter(
            "rightrep_decisions_total",
            "Decisions made.",
            ["policy", "fallback"],
            registry=self.registry,
        )

    def decided(self, policy: str, *, is_fallback: bool) -> None:
        """Count one decision."""
        self.decisions.labels(policy, str(is_fallback)).inc()

    def page(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self.registry)


class Observed:
    """ASGI layer: a request id, one log line and the metrics of every answer.

    The line names the route, never the path: a path may carry a CRM's ids.
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on and note how it went."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noting)
        finally:
            route = getattr(scope.get("route"), "path", "(none)")
            took = time.perf_counter() - started
            self.metrics.requests.labels(scope["method"], route, status).inc()
            self.metrics.seconds.labels(route).observe(took)
            log.info(
                "answered",
                method=scope["method"],
                route=route,
                status=status,
                seconds=round(took, 4),
            )


class Bounded:
    """ASGI layer: a body over ``max_bytes`` is refused, declared or streamed."""

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, counting what arrives."""
        seen = 0

        async def counting() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self.max_bytes:
                raise HTTPException(
                    413, f"The body is over {self.max_bytes:,} bytes. Send less."
                )
            return message

        await self.app(scope, counting, send)


def log_as_json(*, level: str = "INFO") -> None:
    """Send every log line to standard error as one JSON object."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level]
        ),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
