"""The log file: the only place that log records, warnings and tracebacks go to."""

import logging
import os
import sys
import threading
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType

from walconsole.domain.redaction import printable, redact
from walconsole.errors import UsageError
from walconsole.operator_files.private import make_private, open_appending

LARGEST_LOG_BYTES = 1 << 20
KEPT_LOGS = 3

_log = logging.getLogger(__name__)


class _PrivateFileHandler(RotatingFileHandler):
    """Readable by the operator alone, from its creation on."""

    def _open(self) -> TextIOWrapper:
        descriptor = open_appending(Path(self.baseFilename))
        return os.fdopen(descriptor, "a", encoding="utf-8", errors="backslashreplace")


class _SafeFormatter(logging.Formatter):
    """Redacted, and without control characters: a log is read with `less` and `cat`."""

    def format(self, record: logging.LogRecord) -> str:
        lines = redact(super().format(record)).split("\n")
        return "\n    ".join(printable(line) for line in lines)


def start_logging(path: Path, *, chosen: bool) -> str | None:
    """Send every record to `path`. Returns why there is no log, or raises UsageError when it was `chosen`."""
    root = logging.getLogger()
    logging.raiseExceptions = False  # a full disk must not print into the screen
    logging.captureWarnings(True)
    root.setLevel(logging.WARNING)
    logging.getLogger("walconsole").setLevel(logging.INFO)
    threading.excepthook = _log_thread_exception
    sys.unraisablehook = _log_unraisable
    try:
        if chosen:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        else:
            make_private(path.parent)
        handler: logging.Handler = _PrivateFileHandler(
            path, maxBytes=LARGEST_LOG_BYTES, backupCount=KEPT_LOGS
        )
    except OSError as error:
        root.addHandler(logging.NullHandler())
        why = f"cannot be written: {error.strerror}"
        if chosen:
            raise UsageError(f"opening the log {path}", why, "choose another with --log-file") from None
        return f"the log {path} {why}; going on without"
    handler.setFormatter(_SafeFormatter("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"))
    root.addHandler(handler)
    return None


def log_file() -> Path | None:
    """The file that is logged to, None when there is none."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, _PrivateFileHandler):
            return Path(handler.baseFilename)
    return None


def log_crash(error: BaseException) -> None:
    """The traceback of `error`, to the log."""
    details: tuple[type[BaseException], BaseException, TracebackType | None]
    details = (type(error), error, error.__traceback__)
    _log.critical("internal error", exc_info=details)


def _log_thread_exception(failure: threading.ExceptHookArgs) -> None:
    if failure.exc_value is not None:
        log_crash(failure.exc_value)


def _log_unraisable(failure: "sys.UnraisableHookArgs") -> None:
    if failure.exc_value is not None:
        _log.error("%s %r", failure.err_msg or "ignored in", failure.object, exc_info=failure.exc_value)
