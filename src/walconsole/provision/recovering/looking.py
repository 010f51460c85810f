"""Looking before it counts: read-only questions to the paused server; a part of it dumped into a file."""

import re
from collections.abc import AsyncIterator
from hashlib import sha256
from shlex import join, quote

from walconsole.domain.recovery.recover_state import RecoveryLook, RecoveryPhase, RecoveryState, Seen
from walconsole.domain.redaction import safe
from walconsole.errors import ProvisionError
from walconsole.provision.droplet.commands import database_word, os_user, run, status_of
from walconsole.provision.engine.model import (
    Check,
    CheckState,
    Command,
    Event,
    Fact,
    FactState,
    Plan,
    Printed,
    Proved,
    Risk,
)
from walconsole.provision.engine.not_undone import NotUndone
from walconsole.provision.recovering.collations import MOST_ROWS, sorted_otherwise
from walconsole.provision.recovering.recovery import Recovery

_NO_TIME = re.compile(r"(?:ERROR|FATAL): +(55P03|57014):")
_UNLOGGED = re.compile(r"ERROR: +0A000: .*\bunlogged\b")
_NOT_A_LOOK = re.compile(
    r"\bpg_(?:promote|wal_replay_(?:resume|pause)|reload_conf)\s*\(|\bcopy\b.*\bto\s+(?:program\b|'|\$|e')|"
    r"^\s*\\(?![dlz])",
    re.IGNORECASE | re.DOTALL,
)
"""What a read-only transaction lets pass: what moves or opens the copy, writes a file, runs a program; and
psql's own commands but for those that describe.
"""
_FAR = "SELECT pg_last_wal_replay_lsn(), pg_is_in_recovery(), pg_last_xact_replay_timestamp()"
_LARGEST = """SELECT c.oid::regclass, CASE WHEN never THEN 'rows not known: never analysed'
    ELSE reltuples::bigint || ' rows, ' || pg_size_pretty(relpages::bigint * 8192) END
FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace,
    LATERAL (SELECT reltuples < 0
        OR relpages = 0 AND current_setting('server_version_num')::int < 140000) AS analysed (never)
WHERE relkind IN ('r', 'm') AND nspname NOT IN ('pg_catalog', 'information_schema') AND nspname !~ '^pg_toast'
ORDER BY relpages DESC, 1 LIMIT 10"""
_NO_QUESTION = (
    "not asked: that does more than look, at the copy or at its host. On to a later target: --step-to (on "
    "the screen T); to open it: --promote (x); into a file: --dump (e)"
)
_IS_UNLOGGED = (
    "an UNLOGGED table is in it: no base backup and no WAL holds the rows of one, and it is empty when the "
    "copy is opened"
)
_LOCKED = "it is locked by what is being replayed (a DROP or ALTER not committed yet), or it took too long"


class LookBefore(NotUndone):
    """model.Step. Read-only, with a lock and a statement timeout: a table of a DROP that is not committed yet
    is locked while it is paused.
    """

    id = "recover-look"
    title = "Look before it counts"
    risk = Risk.READS
    gated = False
    always = False
    explanation = (
        "Asks the paused server, read-only: how far it is, the largest tables, the rows of those that "
        "were named, and your own statements. Paused before the commit of a DROP or an ALTER the lock of "
        "it is held: every statement has a lock timeout of 3 s and a statement timeout, and says so where"
        " it met one."
    )

    def __init__(self, recovery: Recovery) -> None:
        self._recovery = recovery
        self.seen: RecoveryLook | None = None
        """What the last run saw."""

    async def check(self) -> Check:
        """NEEDED while it can be asked: looking is never done."""
        state = await self._recovery.state()
        if state.phase in (RecoveryPhase.PROMOTED, RecoveryPhase.TAKEN_OVER, RecoveryPhase.DONE):
            return Check(CheckState.DONE, f"it was promoted: {state.words[0]}")
        facts = (Fact("stands", state.words[0], FactState.NOTE, state.words[1]),) if state.is_open else ()
        return Check(CheckState.NEEDED, "what was replayed is to be looked at", facts)

    async def plan(self) -> Plan:
        """What is asked."""
        wish = await self._recovery.wish()
        asked = [*(f"count the rows of {table}" for table in wish.tables), *wish.looks]
        return Plan(
            "ask the paused server, read-only", notes=tuple(asked or ["how far it is; its largest tables"])
        )

    async def apply(self) -> AsyncIterator[Event]:
        """Raises ProvisionError where it cannot be asked at all."""
        self.seen = seen = await look(self._recovery)
        yield Printed(f"replayed up to {seen.lsn}; the last commit is of {seen.reached or 'n/a'}")
        for answer in seen.answers:
            yield Printed(f"{answer.sql}:")
            for row in answer.rows or (answer.fault or "no row",):
                yield Printed(f"    {row}")
            if answer.cut:
                yield Printed(f"    and more: {MOST_ROWS} rows are shown")

    async def verify(self) -> AsyncIterator[Event]:
        """Raises ProvisionError where the target that was named was not reached: nobody shall miss it."""
        state = await self._recovery.state()
        if state.not_reached:
            how = state.target.how if state.target is not None else "the target"
            why = f"{how} was not reached: all that could be had is replayed, up to {state.lsn}"
            why += await self._but_has_ended(state)
            remedy = "--promote opens what there is; --step-to another target, or --give-up"
            raise ProvisionError(
                "recovering to the target", f"{why}, the last commit of {state.reached}", remedy
            )
        yield Proved(
            "nothing was changed by looking; next: --dump, --promote, --step-to or --give-up"
            " (Esc, then on the recovery's screen e, x, T, u)"
        )

    async def _but_has_ended(self, state: RecoveryState) -> str:
        """Of a transaction that the copy knows, and that was no target: why not."""
        if state.target is None or state.target.xid is None or not state.readable:
            return ""
        status, said = await self._recovery.ask_of_xid(state.target.xid)
        if status != 0 or said.strip() not in ("committed", "aborted"):
            return ""
        return (
            f" (it is {said.strip()} there: it ended before the base backup had stopped, or is a part of "
            "another one, of a SAVEPOINT or an exception block, and that one's number is a target)"
        )


async def look(recovery: Recovery) -> RecoveryLook:
    """What the paused server holds. Raises ProvisionError where it cannot be asked."""
    status, said = await recovery.ask_copy(_FAR)
    if status != 0:
        raise ProvisionError(
            "asking the recovery's server",
            safe(said.strip()[:300]),
            "run it again: it starts the server anew",
        )
    lsn, still, reached = (*said.strip("\n").split(" | "), "", "")[:3]
    if still != "t":
        raise ProvisionError(
            "asking the recovery's server",
            "somebody opened it: it is in recovery no more, and takes writes",
            "--give-up and begin anew; or, where that was meant, --promote goes on from there",
        )
    wish = await recovery.wish()
    counts = [f"SELECT count(*) FROM {table}" for table in wish.tables]  # noqa: S608  # the operator's own
    asked = [*counts, *wish.looks]
    answers = [await see(recovery, sql, wish.database) for sql in (asked or [_LARGEST])]
    otherwise = await sorted_otherwise(recovery, wish.database)
    return RecoveryLook(safe(lsn), safe(reached), (*answers, *([otherwise] if otherwise else [])))


async def see(recovery: Recovery, sql: str, database: str = "") -> Seen:
    """One statement's answer. Its own errors are an answer, too; what does more than look is not asked."""
    if _NOT_A_LOOK.search(sql):
        return Seen(safe(" ".join(sql.split()))[:200], fault=_NO_QUESTION)
    status, said = await recovery.ask_copy(sql, database=database)
    lines = [safe(line)[:400] for line in said.splitlines() if line.strip()]
    shown = "the largest tables, by the last ANALYZE"
    if sql != _LARGEST:
        shown = safe(" ".join(sql.split()))[:200]
    if status == 0:
        return Seen(shown, tuple(lines[:MOST_ROWS]), len(lines) > MOST_ROWS)
    if _UNLOGGED.search(said):
        return Seen(shown, fault=_IS_UNLOGGED)
    locked = _NO_TIME.search(said) is not None
    return Seen(shown, locked=locked, fault=_LOCKED if locked else "; ".join(lines[:2]))


_LONGEST_FILE = 120
_LONGEST_NAME = 63
"""NAMEDATALEN - 1 bytes: what is longer the server cuts."""


def dump_name(database: str, table: str = "") -> str:
    """A file's name for a part: of signs that every shell takes as they are, and two parts have two names."""
    said = f"{database}.{table}" if table else database
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", said)
    if name == said and len(name) <= _LONGEST_FILE:
        return name
    return f"{name[:_LONGEST_FILE]}-{sha256(said.encode()).hexdigest()[:8]}"


def _beside(database: str) -> str:
    """The name of a database for what was dumped of this one."""
    suffix = "_restored"
    return database.encode()[: _LONGEST_NAME - len(suffix)].decode(errors="ignore") + suffix


class DumpPart(NotUndone):
    """model.Step. One table, or one database, of the paused server, as pg_dump writes it, into a file."""

    id = "recover-dump"
    title = "Dump a part of it"
    risk = Risk.ADDS
    gated = True
    always = False
    explanation = (
        "Writes one table or one database of the paused server into a file in the recovery's own folder, "
        "by pg_dump's custom format. Most of the time that is all that is needed after a wrong DELETE: "
        "nothing is promoted, and the old server goes on. How to load it is shown; nothing is loaded by "
        "this step."
    )

    def __init__(self, recovery: Recovery, database: str = "", table: str = "") -> None:
        self._recovery, self._site = recovery, recovery.site
        self._database = database or self._site.profile.postgres.database
        self._table = table

    async def check(self) -> Check:
        """BLOCKED where nothing is paused."""
        state = await self._recovery.state()
        if not state.readable:
            return Check(CheckState.BLOCKED, state.words[0], remedy=state.words[1])
        return Check(CheckState.NEEDED, f"{self._what} is to be dumped")

    async def plan(self) -> Plan:
        """The commands to dump, and to load."""
        state = await self._recovery.state()
        return Plan(
            f"dump {self._what} into {self._file(state)}",
            commands=(self._command(state),),
            notes=self._load(state),
            undo="the file stays until you remove it",
        )

    async def apply(self) -> AsyncIterator[Event]:
        """Raises ProvisionError with what pg_dump said."""
        state = await self._recovery.state()
        async for event in run(self._site, self._command(state), timeout_s=4 * 3600.0):
            yield event

    async def verify(self) -> AsyncIterator[Event]:
        """Its table of contents is read. Raises ProvisionError."""
        state = await self._recovery.state()
        script = f"pg_restore -l -- {quote(self._file(state))} | grep -c 'TABLE DATA'"
        status, said = await status_of(self._site, script, user=os_user(self._site))
        if said.strip() == "0":
            why = (
                f"{self._what}: it holds no rows; a view has none, a partitioned table's are in its "
                "partitions, and those of an UNLOGGED table are in no backup"
            )
            raise ProvisionError("reading the dump", why, "look what it is: --look '\\d+ TABLE'")
        if status != 0 or not said.strip().isdigit():
            raise ProvisionError(
                "reading the dump", safe(said.strip()[:200]) or "it holds no table", "see the file"
            )
        yield Proved(f"{self._file(state)} holds the rows of {said.strip()} tables")
        for line in self._load(state):
            yield Printed(line)

    @property
    def _what(self) -> str:
        return f"table {self._table} of {self._database}" if self._table else f"database {self._database}"

    def _file(self, state: RecoveryState) -> str:
        return f"{state.work}/{dump_name(self._database, self._table)}.dump"

    def _command(self, state: RecoveryState) -> Command:
        postgres = self._site.profile.postgres
        words = ["pg_dump", "-Fc", "-h", state.socket, "-p", str(state.port), "-U", postgres.user, "-w"]
        words += ["--lock-wait-timeout=5s", *(["-t", self._table] if self._table else [])]
        words += ["-f", self._file(state), "-d", database_word(self._database)]
        return Command(join(words), user=os_user(self._site))

    def _load(self, state: RecoveryState) -> tuple[str, ...]:
        """What loads it, in words and as commands: nothing that is there is dropped."""
        user, file = f"sudo -u {quote(os_user(self._site))}", self._file(state)
        there = (
            () if self._site.production is None else (f"it is on {self._site.where}: bring it from there",)
        )
        if not self._table:
            beside = _beside(self._database)
            return (
                *there,
                "to load it, into a database of its own:",
                f"{user} createdb -T template0 {quote(beside)}",
                f"{user} {join(['pg_restore', '-d', database_word(beside), file])}",
            )
        words = [
            "pg_restore",
            "-d",
            database_word(self._database),
        ]  # no -t: that leaves indexes and constraints away
        return (
            *there,
            "to load it where the table is gone, then where only rows are:",
            f"{user} {join([*words, file])}",
            f"{user} {join([*words, '--data-only', file])}",
        )
