"""Writes that must not be given up: what they say is known to nobody else."""

import time
from collections.abc import Callable
from typing import TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError

from carillon.ledger.connect import first_line

log = structlog.get_logger()

T = TypeVar("T")


def written(what: str, write: Callable[[], T], **about: object) -> T:
    """Tried for as long as it takes, whatever the error is. `what` cannot be written meanwhile, as the log says."""
    pause = 0.1
    while True:
        try:
            return write()
        except SQLAlchemyError as error:
            log.error(f"{what} cannot be written yet", **about, error=first_line(error))
            time.sleep(pause)
            pause = min(5.0, pause * 2)
