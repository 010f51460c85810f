"""How a run of retention ended, as the operator's machine remembers it: for the next one, for the console."""

import json
import math
from collections.abc import Mapping
from dataclasses import replace

from walconsole.domain.profile import BucketRole
from walconsole.domain.records import record
from walconsole.domain.recovery.hostile import RefusedError, count, field, json_object, words
from walconsole.domain.redaction import safe

LONGEST_BYTES = 16 * 1024


@record
class ExpiryRun:
    """One run of `walconsole expire --apply`. Times are seconds since the epoch, by that machine's clock.

    It ended `at` with the program's `exit_code`, and `line` is its last word, safe to show. `waited`: nothing
    was judged or deleted, for a base backup was to come or something to end first. `since_at` is when
    retention last did what it should; `after` are the ids of the newest complete base backups then, by their
    copy's role. It never did: `since_at` is when it was first tried, and `after` is empty.
    """

    at: float
    exit_code: int
    line: str = ""
    waited: bool = False
    since_at: float = 0.0
    after: Mapping[str, str] | None = None

    @property
    def failed(self) -> bool:
        """Whether it could not do what it should."""
        return self.exit_code != 0

    def since(self, before: "ExpiryRun | None") -> "ExpiryRun":
        """With what the one before knew of retention's last success, where this one was none itself."""
        if not self.failed and not self.waited:
            return replace(self, since_at=self.at)
        if before is None:
            return replace(self, since_at=self.at, after=None)
        return replace(self, since_at=before.since_at, after=before.after)


def run_document(run: ExpiryRun) -> str:
    """The file's content."""
    told = {
        "format": 1,
        "at": run.at,
        "exit": run.exit_code,
        "line": run.line,
        "waited": run.waited,
        "since_at": run.since_at,
        "after": dict(run.after or {}),
    }
    return f"{json.dumps(told)}\n"


def read_run(text: str) -> ExpiryRun:
    """What the file says. Raises RefusedError where it is none."""
    told = json_object(text)
    after = field(told, "after", dict)
    if not all(isinstance(id, str) for id in after.values()):
        raise RefusedError("its 'after' is wrong")
    return ExpiryRun(
        _moment(told, "at"),
        count(told, "exit", 255),
        safe(words(told, "line")),
        field(told, "waited", bool),
        _moment(told, "since_at"),
        {role: after[role] for role in map(str, BucketRole) if role in after},
    )


def _moment(told: Mapping[str, object], name: str) -> float:
    at = field(told, name, float)
    if not math.isfinite(at):
        raise RefusedError(f"its {name!r} is no time")
    return at
