"""Logging for daemons: structlog to stderr, for people on a terminal, as JSON elsewhere or when told.

One event is one line, whoever logs it: what comes from outside cannot begin a second one. Only a traceback has more
lines, on the console, and those are indented. Of an error the first line alone is told: those below it may quote rows.
"""

import logging
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from types import TracebackType
from typing import Literal, TextIO, cast

import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

_LONGEST_WORDS = 300
_SELDOM_SECONDS = 30.0
_QUIET = {
    "apprise": logging.CRITICAL + 1,  # names addresses that hold secrets; who calls it tells what failed
    "apscheduler": logging.ERROR,
    "dramatiq": logging.ERROR,
    "httpcore": logging.ERROR,
    "httpx": logging.ERROR,
    "urllib3": logging.ERROR,  # names paths that hold secrets
}

log = structlog.get_logger()


def set_up(form: Literal["console", "json"] | None) -> None:
    """Send everything to stderr, one line each; what libraries log counts from WARNING on."""
    chosen = form or ("console" if sys.stderr.isatty() else "json")
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(_told),
    ]
    ending = _for_people() if chosen == "console" else _for_programs()
    lines = cast("TextIO", _Lossy(sys.stderr))
    structlog.configure(
        processors=[*shared, *ending],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(lines),  # a line in one write: processes share the stream
        cache_logger_on_first_use=True,
    )
    _take_in_libraries(shared, ending)
    sys.excepthook = _last_words
    threading.excepthook = lambda end: _last_words(end.exc_type, end.exc_value, end.exc_traceback)


def fall_silent() -> None:
    """For a command that tells by itself what is wrong."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


class _Lossy:
    """A disk that is full, or a reader that is gone, costs lines, and never what is being done as they are said."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, line: str) -> None:
        with suppress(OSError, ValueError):
            self._stream.write(line)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()


def _for_people() -> list[Processor]:
    plain = structlog.dev.plain_traceback
    return [_on_one_line, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]


def _for_programs() -> list[Processor]:
    return [structlog.processors.JSONRenderer(default=str)]


def _take_in_libraries(shared: list[Processor], ending: list[Processor]) -> None:
    """What they log, and Python's warnings, goes the same way."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_Seldom())
    without_meta = ProcessorFormatter.remove_processors_meta
    handler.setFormatter(ProcessorFormatter(processors=[without_meta, *ending], foreign_pre_chain=shared))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.captureWarnings(True)
    logging.raiseExceptions = False  # a record that cannot be formatted would be told with all it is about
    for library, level in _QUIET.items():
        logging.getLogger(library).setLevel(level)


class _Seldom(logging.Filter):
    """Dramatiq's consumers say many times a second that their queue is away: once in a while is enough, in one line."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith("dramatiq"):
            return True
        if record.exc_info and record.exc_info[1]:
            record.msg, record.args = f"{record.getMessage()} {_said(record.exc_info[1])}", ()
            record.exc_info = None
        words, now = record.getMessage(), time.monotonic()
        if now - self._said.get(words, -_SELDOM_SECONDS) < _SELDOM_SECONDS:
            return False
        self._said = {said: at for said, at in self._said.items() if now - at < _SELDOM_SECONDS} | {words: now}
        return True


def _on_one_line(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Nothing that moves a terminal's cursor: line breaks and the like become what Python would write for them."""
    for key, value in event.items():
        if key == "exception":
            event[key] = "\n".join(f"    {_plain(line)}" for line in value.splitlines())
        elif isinstance(value, str):
            event[key] = _plain(value)
    return event


def _plain(words: str) -> str:
    if words.isprintable():
        return words
    return "".join(it if it.isprintable() else it.encode("unicode_escape").decode() for it in words)


def _told(exc_info: ExcInfo) -> str:
    """The way to an error and to those that led to it, oldest first; never what variables held."""
    told = [line for error in _chain(exc_info[1]) for line in (*traceback.format_tb(error.__traceback__), _said(error))]
    return "\n".join(line.rstrip("\n") for line in told)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return reversed(chain)


def _said(error: BaseException) -> str:
    words = (str(error).splitlines() or [""])[0][:_LONGEST_WORDS]
    name = type(error).__qualname__
    return f"{name}: {words}" if words else name


def _last_words(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    """In place of Python's own, which would print a traceback between the events."""
    if issubclass(kind, KeyboardInterrupt | SystemExit):
        return
    log.critical("ended in an unforeseen way", exc_info=(kind, error, trace))
