"""One error type per area. Each says what was tried, on what, why it failed, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from walconsole.domain.store.answers import Meaning


class WalconsoleError(Exception):
    """`tried` (what, on what), `why` it failed, `remedy` (what the operator does next)."""

    exit_code = 1

    def __init__(self, tried: str, why: str, remedy: str = "") -> None:
        self.tried, self.why, self.remedy = tried, why, remedy
        super().__init__(self.line())

    def line(self) -> str:
        """The one line that is shown."""
        text = f"{self.tried}: {self.why}"
        return f"{text}; {self.remedy}" if self.remedy else text


class UsageError(WalconsoleError):
    """The command line or the environment asks for what cannot be."""

    exit_code = 2


class BusyError(UsageError):
    """What it takes is held by another process: once that has ended the same command will do."""

    exit_code = 14


class ConfigError(WalconsoleError):
    """A profile, theme or configuration file is wrong; `why` begins with `FILE:LINE:`."""

    exit_code = 3


class SshError(WalconsoleError):
    """The host could not be reached, or the connection to it was lost."""

    exit_code = 4


class HostKeyError(SshError):
    """The host's key is unknown and was not accepted, or it is not the one that is known.

    Trying again by itself would not help: only the operator can decide.
    """


class AuthenticationError(SshError):
    """The host refused every key that was offered. Trying again by itself would not help."""


class ShellError(WalconsoleError):
    """A command on the host failed, ran too long, or sudo wanted a password.

    `code` is `Sudo`, `Hangs` or `Overdue` (domain/patience.py), or `Shell` for the rest.
    """

    exit_code = 4

    def __init__(self, tried: str, why: str, remedy: str = "", *, code: str = "Shell") -> None:
        self.code = code
        super().__init__(tried, why, remedy)


class DatabaseError(WalconsoleError):
    """PostgreSQL could not be reached through SSH, or refused the connection or the query.

    `sqlstate` is the server's five characters, empty when the server was never asked.
    """

    exit_code = 5

    def __init__(self, tried: str, why: str, remedy: str = "", *, sqlstate: str = "") -> None:
        self.sqlstate = sqlstate
        super().__init__(tried, why, remedy)


class ClusterChoiceError(DatabaseError):
    """Several clusters on the host, none, or not the named one: the operator must choose."""


class ObjectStoreError(WalconsoleError):
    """An S3 call failed. `code` is S3's own (`AccessDenied`) or ours (`NoKey`, `Unreachable`).

    `why` has the store's own message, where it sent one: what an answer means may depend on it.
    """

    exit_code = 6

    def __init__(
        self, tried: str, why: str, remedy: str = "", *, code: str, status: int | None = None
    ) -> None:
        self.code, self.status = code, status
        super().__init__(tried, why, remedy)

    @property
    def meaning(self) -> Meaning:
        """What is known of the answer."""
        from walconsole.domain.store.answers import meaning_of  # its table: not for every start

        return meaning_of(self.code, self.status, self.why)


class RegisterError(WalconsoleError):
    """The file of accepted gaps could not be read or written."""


class KeyServiceError(WalconsoleError):
    """The keys API failed, or its answer does not prove what happened.

    `status` is HTTP's, None without an answer; `retry_after_s` is what the API asked to wait. `sent` False:
    no connection came about, so that nothing was asked of it.
    """

    exit_code = 7

    def __init__(
        self,
        tried: str,
        why: str,
        remedy: str = "",
        *,
        status: int | None = None,
        retry_after_s: float | None = None,
        sent: bool = True,
    ) -> None:
        self.status, self.retry_after_s, self.sent = status, retry_after_s, sent
        super().__init__(tried, why, remedy)


class SandboxError(WalconsoleError):
    """The embedded droplet could not be started."""

    exit_code = 8


class ProvisionError(WalconsoleError):
    """A step failed while it was applied or verified; what it changed is in the record."""

    exit_code = 9


class BlockedError(ProvisionError):
    """A step cannot be done as things are; it changed nothing."""

    exit_code = 10


class RefusedError(ProvisionError):
    """The operator did not say yes; nothing was changed by that step or after it."""

    exit_code = 11


class TemporaryKeyError(ProvisionError):
    """A key that was asked for, and is nobody's, may be alive: its name is in the ledger."""

    exit_code = 12


class NoticeError(WalconsoleError):
    """A notice could not be told by one of its ways. `unsure`: it may have been, the end was not seen.

    `retry_after_s` is what the receiver asked to wait.
    """

    exit_code = 13

    def __init__(
        self,
        tried: str,
        why: str,
        remedy: str = "",
        *,
        unsure: bool = False,
        retry_after_s: float | None = None,
    ) -> None:
        self.unsure, self.retry_after_s = unsure, retry_after_s
        super().__init__(tried, why, remedy)


EXIT_CODES: dict[int, str] = {
    0: "the console was left, or the command did what it should",
    1: "an internal error; the log file has the details",
    UsageError.exit_code: "the command line, the environment or the terminal asks for what cannot be",
    ConfigError.exit_code: "a configuration file is wrong (the message names file and line)",
    SshError.exit_code: "the host could not be reached or refused to serve",
    DatabaseError.exit_code: "PostgreSQL could not be reached through SSH, or refused",
    ObjectStoreError.exit_code: "Spaces could not be reached, or refused",
    KeyServiceError.exit_code: "the keys API could not be reached, or refused",
    SandboxError.exit_code: "the embedded droplet of `walconsole demo` could not be started",
    ProvisionError.exit_code: "a provisioning step failed; run it again when its cause is mended",
    BlockedError.exit_code: "a provisioning step cannot be done as things are (the message says why)",
    RefusedError.exit_code: "a gate was not answered with yes, nothing was changed after it",
    TemporaryKeyError.exit_code: "a key that was asked for may still be alive (the message names it)",
    NoticeError.exit_code: "a way by which `walconsole watch` tells failed its test",
    BusyError.exit_code: "another process has what `walconsole watch` takes; a service is begun again",
}
"""What the program's exit status means, where no signal ended it."""

SIGNAL_EXIT_CODES: dict[int, str] = {
    129: "the terminal was closed (or signal HUP)",
    130: "signal INT (Ctrl-C; in the console that is a key)",
    143: "signal TERM",
}
"""128 + the number of the signal that ended it, whatever the command."""

PLUGIN_UNKNOWN = 3

PLUGIN_EXIT_CODES: dict[int, str] = {
    0: "ok",
    1: "warning",
    2: "critical",
    PLUGIN_UNKNOWN: (
        "unknown: something could not be looked at, or the command line or the configuration is wrong"
    ),
}
"""What it means for `walconsole check` and `report`, in the place of EXIT_CODES: as monitoring plugins do."""
