"""What a recovery stumbles over: what an earlier one left behind, and what a target is refused for."""

from collections.abc import Iterator
from shlex import quote

from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.pgconf.resolution import Origin, Place
from walconsole.domain.redaction import safe
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.mode import FailureMode, Page
from walconsole.domain.standing.model import Certainty, Finding, Fix, Proof, Severity
from walconsole.domain.standing.recovery import asked_by_restore, restoring
from walconsole.domain.standing.remedies import RELOAD, restart_by_hand

TARGETS = (
    "recovery_target",
    "recovery_target_name",
    "recovery_target_time",
    "recovery_target_xid",
    "recovery_target_lsn",
)
"""Of these a server takes one: a second one, from whatever file, keeps it from starting."""


def target_left(assessment: Assessment) -> Iterator[Finding]:
    """A target of an earlier recovery stands in a file that a server started now would read."""
    snapshot = assessment.snapshot
    left = [(name, place) for name in TARGETS if (place := _set(snapshot, name)) is not None]
    if not left or _is_standby(snapshot):
        return
    named = ", ".join(name for name, _ in left)
    yield Finding(
        "recovery-target-left",
        Severity.WARNING,
        f"an earlier recovery left {named}: the next one would stop there, or not start",
        tuple(f"{place.where}: {name} = {safe(place.value)}" for name, place in left),
        "take it out of the file; base backups that were taken meanwhile carry it",
        Snapshot.files,
        left[0][0],
        proof=tuple(_proof(snapshot, name, place) for name, place in left),
        fixes=tuple(_away(snapshot, name, place) for name, place in left),
    )


def signal_left(assessment: Assessment) -> Iterator[Finding]:
    """A file that makes the next start a recovery lies beside a server that takes writes."""
    snapshot = assessment.snapshot
    host, server = snapshot.host.value, snapshot.server.value
    cluster = host.cluster if host is not None else None
    if cluster is None or not cluster.signals or server is None or server.in_recovery:
        return
    paths = tuple(f"{cluster.data_directory}/{signal}" for signal in cluster.signals)
    standby = "standby.signal" in cluster.signals
    becomes = (
        "a standby that takes no writes" if standby else "an archive recovery that opens on another timeline"
    )
    yield Finding(
        "signal-file-left",
        Severity.WARNING,
        f"{' and '.join(cluster.signals)} beside a running primary: its next start is {becomes}",
        tuple(f"{path} is there, and pg_is_in_recovery() says no" for path in paths),
        "take the file away before anything restarts the server",
        Snapshot.host,
        proof=tuple(Proof(path, snapshot.host.source, snapshot.host.read_at) for path in paths),
        fixes=(Fix("move it away", tuple(f"mv {quote(path)} {quote(f'{path}.unused')}" for path in paths)),),
    )


def settings_left(assessment: Assessment) -> Iterator[Finding]:
    """postgresql.auto.conf has where a standby got its WAL from, or a restore_command of another archive."""
    snapshot = assessment.snapshot
    if _is_standby(snapshot) or snapshot.server.value is None:
        return
    left = [
        (name, place)
        for name in ("primary_conninfo", "restore_command")
        if (place := _set(snapshot, name)) is not None and place.origin is Origin.AUTO_CONF
    ]
    read = any(each.value is not None for each in snapshot.copies)
    left = [
        each for each in left if each[0] != "restore_command" or (read and not asked_by_restore(snapshot))
    ]
    if not left:
        return
    named = " and ".join(name for name, _ in left)
    yield Finding(
        "recovery-settings-left",
        Severity.NOTE,
        f"postgresql.auto.conf of this primary has {named}, which a restored server obeys",
        tuple(f"{place.where}: {name}" for name, place in left),
        "where it is of an earlier recovery or of a time as a standby: ALTER SYSTEM RESET it",
        Snapshot.files,
        left[0][0],
        proof=tuple(
            Proof(f"{place.where}: {name}", "postgresql.auto.conf", snapshot.files.read_at)
            for name, place in left
        ),
        fixes=tuple(_away(snapshot, name, place) for name, place in left),
        certainty=Certainty.POSSIBLE,
        surer="a restore_command that names neither copy may still read one: a script, another tool",
    )


def restore_program_missing(assessment: Assessment) -> Iterator[Finding]:
    """The program of the restore command that a recovery here would call is not there, or may not be run."""
    snapshot = assessment.snapshot
    facts = snapshot.command.value
    bad = [each for each in facts.restore if each.path is None or not each.executable] if facts else []
    if facts is None or not bad:
        return
    first, (command, own) = bad[0], restoring(snapshot)
    why = "is not there" if first.path is None else f"may not be run: {first.why_not or 'not executable'}"
    whose = "the server's restore_command" if own else "the restore command that is installed with ours"
    make = (f"chmod 0755 {quote(first.path)}",) if first.path is not None else ()
    yield Finding(
        "restore-command-missing",
        Severity.WARNING if own and first == facts.restore[0] else Severity.NOTE,
        f"a recovery here could fetch nothing: {first.name} {why}",
        (f"{whose}: {safe(command)}", f"{first.name} {why}, as the server's user finds it"),
        "put it back (walconsole provision installs ours), or correct restore_command, before it is needed",
        Snapshot.command,
        "restore_command",
        proof=(Proof(f"{first.name} {why}", "the droplet, as the server's user", snapshot.command.read_at),),
        fixes=(Fix("make it executable", make),) if make else (),
    )


def _is_standby(snapshot: Snapshot) -> bool:
    return snapshot.server.value is not None and snapshot.server.value.in_recovery


def _set(snapshot: Snapshot, name: str) -> Place | None:
    """Where the files, or the command line, set it to anything; None where nothing does."""
    files = snapshot.files.value
    chain = files.resolution.chain(name) if files is not None and files.resolution is not None else None
    winner = chain.winner if chain is not None else None
    if winner is None or winner.origin is Origin.DEFAULT or not winner.value.strip():
        return None
    return winner


def _proof(snapshot: Snapshot, name: str, place: Place) -> Proof:
    text = safe(f"{place.where}: {name} = {place.value}")
    return Proof(text, place.file or "the server's arguments", snapshot.files.read_at)


def _away(snapshot: Snapshot, name: str, place: Place) -> Fix:
    if place.origin is Origin.AUTO_CONF:
        return Fix(
            f"take {name} back", (f"ALTER SYSTEM RESET {name};", RELOAD), "reset-setting", subject=name
        )
    if place.file is not None and place.line is not None:
        commands = (f"sed -i '{place.line}s/^/#/' {quote(place.file)}", *restart_by_hand(snapshot))
        return Fix(f"comment it out in {place.where}", commands, risk="a restart ends every connection")
    return Fix(f"start the server without {name} in its arguments")


_TRIED = "seen with PostgreSQL 15"

MODES: tuple[FailureMode, ...] = (
    FailureMode(
        "recovery-target-left",
        Page(
            title="a target of an earlier recovery is still configured",
            symptom=(
                "Nothing, until the next recovery: it stops at the old target, says that recovery ended "
                "before the target was reached, or does not start (`multiple recovery targets specified`)."
            ),
            cause=(
                "recovery_target_time, _lsn, _xid, _name or recovery_target was written into postgresql.conf "
                "or by ALTER SYSTEM for one recovery, and stayed. A running primary does not mind; a base "
                "backup carries it to wherever it is restored."
            ),
            signal="The files as a server started now would read them: one of the five has a value.",
            fix="```\nALTER SYSTEM RESET recovery_target_time;\n```\n\nor take the line out of its file.",
            never="Do not add a second target beside it: a server takes one, from all files together.",
            source="PostgreSQL's documentation of recovery targets; guc.c",
        ),
        look=target_left,
    ),
    FailureMode(
        "signal-file-left",
        Page(
            title="standby.signal or recovery.signal beside a running primary",
            symptom="All works, and after the next restart no write does.",
            cause=(
                "The file was made by hand, by a tool or by a clone while the server ran. It is read at a "
                "start alone: standby.signal then makes a standby, recovery.signal an archive recovery, "
                "which ends on a new timeline."
            ),
            signal="The file lies in the data directory, and pg_is_in_recovery() is false.",
            fix="```\nmv DATA/standby.signal DATA/standby.signal.unused\n```",
            never="Do not restart the server to see whether it matters.",
            source="access/transam/xlogrecovery.c (readRecoverySignalFile)",
        ),
        look=signal_left,
    ),
    FailureMode(
        "recovery-settings-left",
        Page(
            title="postgresql.auto.conf carries an old primary_conninfo or restore_command",
            symptom="Nothing here; a restored copy reads WAL from somewhere else, or connects to a server.",
            cause=(
                "The server was a standby once (`pg_basebackup -R`), or was restored by a tool that wrote "
                "its settings there. The file lies in the data directory, every base backup has it, it is "
                "read after all other files."
            ),
            signal=(
                "On a primary the last word about primary_conninfo is postgresql.auto.conf's, or about a "
                "restore_command that names neither copy of the archive."
            ),
            fix=(
                "```\nALTER SYSTEM RESET primary_conninfo;\nALTER SYSTEM RESET restore_command;\n```\n\n"
                "`walconsole recover` and drills give their own on the command line, which beats the file."
            ),
            never="Do not restore a copy with the file as it is while the old primary runs.",
            source="pgbackrest#2534, pg_probackup#395",
        ),
        look=settings_left,
    ),
    FailureMode(
        "target-before-consistency",
        Page(
            title="the target lies before the base backup's end",
            symptom=(
                "`requested recovery stop point is before consistent recovery point`; or no error, and a "
                "database that is later than was asked for."
            ),
            cause=(
                "A copy of files that were written meanwhile is whole from the backup's stop on. The server "
                "refuses an earlier target only where a transaction ended between the two."
            ),
            signal="The target's time or LSN against the stop of every base backup that can be replayed.",
            fix="Take an older base backup, or the earliest moment that can be reached: both are named.",
            never="Do not trust that the server refuses it.",
            source=f"pgbackrest#543, #2841; {_TRIED}",
        ),
        refused=True,
    ),
    FailureMode(
        "target-after-archive",
        Page(
            title="the target lies after the archive's end",
            symptom="All WAL is replayed, then FATAL: `recovery ended before configured recovery target`.",
            cause="What was committed last was not archived yet, or the time was taken from another clock.",
            signal=(
                "The target against the end of the last segment that all copies together can give. A warning "
                "where the old server's pg_wal may still be had, which is replayed after the archive."
            ),
            fix=(
                "Push the old server's last WAL first, if it can still be read; else recover to the "
                "archive's end, without a target."
            ),
            never="",
            source=f"CloudNativePG#5177; {_TRIED}",
        ),
        refused=True,
    ),
    FailureMode(
        "target-after-last-commit",
        Page(
            title="no transaction was committed after the target",
            symptom="The same FATAL, though the time lies within the archive.",
            cause=(
                "A server knows the time from commits alone. Where nothing was committed after the target, "
                "it never learns that it has come to it."
            ),
            signal=(
                "Refused where the WAL was read to its end and the last commit is known; a warning where it "
                "is not, or where the old server's pg_wal may have more."
            ),
            fix="Recover to the archive's end: the data are the same.",
            never="",
            source=f"CloudNativePG#5177, cozystack#3383; {_TRIED}",
        ),
        refused=True,
    ),
    FailureMode(
        "target-not-placed",
        Page(
            title="it is not known where the target stands in the WAL",
            symptom="A transaction's number, a restore point's name or a time without a zone is the target.",
            cause="Neither says which base backup comes before it, nor whether the archive reaches it.",
            signal="The target has no LSN, and no moment was found that has one.",
            fix="`walconsole moment` finds it, with its LSN and what is lost after it. Write times in UTC.",
            never="",
            source="access/transam/xlogrecovery.c (recoveryStopsBefore)",
        ),
        refused=True,
    ),
    FailureMode(
        "restore-command-missing",
        Page(
            title="the restore command's program is not there, or may not be run",
            symptom=(
                "Nothing, until the next recovery: it ends with FATAL (`could not restore file … from "
                "archive`, exit status 126 or 127); with a command that makes 1 of it, it takes that for the "
                "archive's end."
            ),
            cause=(
                "A restore command is called by recoveries and standbys alone. Whoever takes its program "
                "away, moves it or changes its mode sees no failure for months."
            ),
            signal=(
                "The programs of the restore_command in force, looked for on the droplet as the server's "
                "user; where the server has none and archives by the installed command, the one that is "
                "installed with it."
            ),
            fix="Put the program back, or correct restore_command; `walconsole drill` then proves it.",
            never="Do not take a recovery that ends early for the end of the archive.",
            source="access/transam/xlogarchive.c (RestoreArchivedFile)",
        ),
        restore_program_missing,
    ),
    FailureMode(
        "timeline-not-a-child",
        Page(
            title="the timeline does not descend from the base backup's",
            symptom="FATAL: `requested timeline 3 is not a child of this server's history`.",
            cause=(
                "Another server archived into the same prefix after a recovery or a promotion, and 'latest' "
                "ends on its timeline; or the base backup was taken on a branch that was left before."
            ),
            signal="Each timeline's .history against the timeline and the place of each base backup.",
            fix="Name the timeline by its number; the ones that can be reached are told.",
            never="Do not let a recovered server archive into the prefix of the old one while that runs.",
            source=f"pgbackrest#2064, #1908, #2534; {_TRIED}",
        ),
        refused=True,
    ),
    FailureMode(
        "recovery-opens-at-hole",
        Page(
            title="a hole in the archive, at which a server opens without an error",
            symptom="The recovery succeeds, and everything after some moment is not there.",
            cause=(
                "Without a target a server takes the first segment that is nowhere for the archive's end. "
                "With one behind the hole it ends with FATAL. Where the hole is at a switch of timelines it "
                "goes on in the old timeline's segment, onto another branch."
            ),
            signal="Every segment that the recovery would read, against what the copies hold.",
            fix="Fill the hole from wherever the segments are (archive screen, `f`); else recover up to it.",
            never="Do not take the end of the recovery for the end of the archive.",
            source=_TRIED,
        ),
        refused=True,
    ),
    FailureMode(
        "recovery-tablespaces",
        Page(
            title="tablespaces go to their old paths",
            symptom="A restore beside the old cluster writes into the old cluster's tablespaces.",
            cause=(
                "The base backup has their absolute paths, in tablespace_map or as links in pg_tblspc. One "
                "that was made after the base backup is made again by the replay, at the path that the WAL "
                "names: no option maps that one."
            ),
            signal=(
                "pg_tablespace has more than pg_default and pg_global, and the base backup holds none; in "
                "the recovery itself, what pg_tblspc of the old cluster has and the restored one has not."
            ),
            fix=(
                "Take a base backup that has them all. `walconsole recover` maps each of pgBackRest's to a "
                "folder beside the new data directory; by hand: `pg_basebackup -T`, pgBackRest's "
                "`--tablespace-map-all`."
            ),
            never="Do not restore such a cluster beside the old one without it.",
            source="Barman's documentation of recovery; PostgreSQL's commands/tablespace.c (tblspc_redo)",
        ),
        refused=True,
    ),
    FailureMode(
        "collation-mismatch",
        Page(
            title="another C library, another order of text",
            symptom="`database has a collation version mismatch`; unique indexes hold what they refuse.",
            cause=(
                "The copy is restored on a host whose glibc or ICU sorts text otherwise than the one that "
                "built the indexes."
            ),
            signal=(
                "In the paused copy: pg_database.datcollversion (15 and later) and pg_collation.collversion "
                "against what the library says now; a drill notes its databases."
            ),
            fix="```\nREINDEX DATABASE name;\nALTER DATABASE name REFRESH COLLATION VERSION;\n```",
            never="Do not refresh the version before the indexes are built anew.",
            source="teslamate#3717, wal-g#724",
        ),
        refused=True,
    ),
)
