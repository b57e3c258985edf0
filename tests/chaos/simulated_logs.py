"""What the product logs as an error while it is simulated; the rest is not even written."""

import logging
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import structlog

from repository import ROOMS as _ROOMS


@dataclass
class Told:
    """`unforeseen`: errors that the product did not expect, with what was raised."""

    errors: list[str] = field(default_factory=list)
    unforeseen: list[str] = field(default_factory=list)


@contextmanager
def told() -> Iterator[Told]:
    heard = Told()

    def hear(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> Any:
        heard.errors.append(str(event["event"]))
        if event.get("exc_info"):
            traced = structlog.processors.format_exc_info(None, "error", dict(event))
            heard.unforeseen.append(f"{event['event']}: {traced.get('exception')}")
        raise structlog.DropEvent

    quiet = structlog.wrap_logger(
        None, processors=[hear], wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR)
    )
    with ExitStack() as patches:
        for module in [sys.modules[name] for name in sorted(sys.modules) if name.partition(".")[0] in _ROOMS]:
            if hasattr(module, "log"):  # cached or not: other tests may have set logging up
                patches.enter_context(patch.object(module, "log", quiet))
        yield heard
