"""The log file: the only place that log records, warnings and tracebacks go to."""

import logging
import os
import sys
import threading
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType
from typing import Any

from textual.app import App
from textual.worker import WorkerFailed

from walconsole.domain.redaction import printable, redact, safe
from walconsole.errors import UsageError, WalconsoleError
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


# -- What happens when the app fails: the traceback to the log, one line to the operator.


class Crash:
    """The first failure that ended the app, if one did."""

    def __init__(self) -> None:
        self.error: BaseException | None = None

    def contain(self, app: App[Any]) -> None:
        """Keep Textual from printing tracebacks, which may hold what must not be shown."""
        end = app._close_messages_no_wait

        def handle(error: Exception) -> None:
            self.note(error)
            app._return_code = 1
            end()

        app._handle_exception = handle  # type: ignore[method-assign]

    def note(self, error: BaseException) -> None:
        """Log `error`; the first one counts."""
        cause = error.error if isinstance(error, WorkerFailed) else error
        if self.error is None:
            self.error = cause
        if not isinstance(cause, WalconsoleError):
            log_crash(cause)

    @property
    def exit_code(self) -> int:
        return self.error.exit_code if isinstance(self.error, WalconsoleError) else 1

    def line(self) -> str:
        """What the operator reads once the terminal is restored."""
        if isinstance(self.error, WalconsoleError):
            return safe(self.error.line())
        first = str(self.error).partition("\n")[0]
        log = log_file()
        where = f"; the details are in {log}" if log else "; there is no log"
        return safe(f"internal error: {type(self.error).__name__}: {first}{where}")
