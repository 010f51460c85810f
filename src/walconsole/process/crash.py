"""What happens when the app fails: the traceback to the log, one line to the operator."""

from typing import Any

from textual.app import App
from textual.worker import WorkerFailed

from walconsole.domain.redaction import safe
from walconsole.errors import WalconsoleError
from walconsole.process.logs import log_crash, log_file


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
