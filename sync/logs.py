"""One log line an event: readable on a terminal, JSON where a service manager collects it. To
standard error.
"""

import sys

import structlog


def configure_logging(*, quiet: bool = False) -> None:
    """Set structlog up for a program of ours; ``quiet`` leaves out everything below an error."""
    terminal = sys.stderr.isatty()
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if terminal
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    processors: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if not terminal:
        # Without local variables: they may hold a password or what a customer said.
        tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        processors.append(structlog.processors.ExceptionRenderer(tracebacks))
    structlog.configure(
        processors=[*processors, renderer],
        wrapper_class=structlog.make_filtering_bound_logger("error" if quiet else "info"),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
    )
