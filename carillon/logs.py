"""Logging for daemons: structlog to stderr, for people on a terminal, as JSON elsewhere or when told."""

import logging
import sys
from typing import Literal

import structlog


def set_up(form: Literal["console", "json"] | None) -> None:
    """Send everything to stderr, one line each; what libraries log counts from WARNING on."""
    chosen = form or ("console" if sys.stderr.isatty() else "json")
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if chosen == "console"
        else structlog.processors.JSONRenderer(default=str)
    )
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, force=True)
    for chatty in ("httpx", "httpcore", "apscheduler", "dramatiq"):
        logging.getLogger(chatty).setLevel(logging.ERROR)
