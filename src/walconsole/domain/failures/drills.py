"""Whether a restore was proved: what the last restore drills found."""

from collections.abc import Iterator

from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.recovery.drill_result import DRILLS, LEVELS, DrillResult, Outcome
from walconsole.domain.recovery.words import moment_text
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.mode import FailureMode, Page, Risk
from walconsole.domain.standing.model import Finding, Fix, Proof, Severity
from walconsole.domain.standing.remedies import base_backup
from walconsole.domain.units import age_text, whole_duration_text

_DAY_S = 86_400.0


def last_drill_failed(assessment: Assessment) -> Iterator[Finding]:
    """The newest drill came to no good end, and no better one has come since."""
    drills = assessment.drills
    newest = drills.newest if drills is not None else None
    if newest is None or newest.good:
        return
    failed = newest.outcome is Outcome.FAILED
    means, remedy = newest.why
    age = age_text(max(0.0, assessment.now - newest.ended))
    name = assessment.snapshot.profile_name
    before = drills.good if drills is not None else None
    proved = (
        "no restore was ever proved"
        if before is None
        else f"one was proved last {moment_text(before.ended, assessment.now)}"
    )
    what = "the restore drill FAILED" if failed else "the last restore drill could not be made"
    yield Finding(
        "drill-failed",
        Severity.CRITICAL if failed else Severity.WARNING,
        f"{what}: {means}: {newest.message}",
        (
            f"the drill {newest.id} on {newest.host or 'n/a'} ended {age}: {newest.outcome}, {newest.reason}",
            f"what it had proved by then: {LEVELS[newest.level]}",
            proved,
        ),
        remedy,
        Snapshot.primary,
        since=newest.ended,
        proof=(_proof(newest, assessment),),
        fixes=(
            base_backup(assessment.snapshot),
            Fix(
                "run a drill",
                (f"sudo -u postgres /usr/local/bin/{name}-restore-drill",),
                step="drill",
                risk="reads a base backup, and writes as much as the cluster takes",
            ),
        ),
    )


def no_recent_drill(assessment: Assessment) -> Iterator[Finding]:
    """The profile wants drills, and the last good one is older than it says, or there was none."""
    snapshot, drills, every_s = assessment.snapshot, assessment.drills, assessment.snapshot.told.drill_every_s
    recovery = assessment.recovery
    if every_s is None or drills is None or recovery is None or recovery.found.window is None:
        return
    good = drills.good
    age_s = None if good is None else assessment.now - good.ended
    if age_s is not None and age_s <= every_s:
        return
    if drills.newest is not None and drills.newest.outcome is Outcome.FAILED:
        return  # which is worse, and says why
    title = (
        "no restore was ever proved: no restore drill has ended well"
        if good is None or age_s is None
        else f"the last restore that was proved is {_old(age_s)} old"
    )
    name = snapshot.profile_name
    yield Finding(
        "drill-stale",
        Severity.WARNING,
        f"{title} (drills.every is {_old(every_s)})",
        (
            f"the profile wants a good drill every {_old(every_s)}",
            "none lies in a copy or on the droplet" if good is None else f"the newest good one is {good.id}",
        ),
        f"run one: walconsole drill {name} --plan; see whether its schedule still runs",
        Snapshot.primary,
        since=None if good is None else good.ended + every_s,
        proof=(_proof(good, assessment),) if good is not None else (),
        fixes=(
            Fix(
                "run a drill",
                (f"sudo -u postgres /usr/local/bin/{name}-restore-drill",),
                step="drill",
                risk="reads a base backup, and writes as much as the cluster takes",
            ),
        ),
    )


def _old(seconds: float) -> str:
    return f"{int(seconds // _DAY_S)} d" if seconds >= 2 * _DAY_S else whole_duration_text(max(0.0, seconds))


def _proof(told: DrillResult, assessment: Assessment) -> Proof:
    snapshot = assessment.snapshot
    said = f"{told.outcome} {told.reason}: {told.message}".replace(" :", ":")
    for copy in snapshot.copies:
        if copy.value is not None and told in (copy.value.drills or ()):
            return Proof(said, f"{DRILLS}{told.id}.json", copy.read_at)
    return Proof(said, f"the drill's folder on {told.host or 'the droplet'}", snapshot.host.read_at)


MODES: tuple[FailureMode, ...] = (
    FailureMode(
        "drill-failed",
        Page(
            title="the restore drill fails",
            symptom="Backups are taken and WAL is archived, and a restore that was tried did not end well.",
            cause=(
                "What is archived cannot be restored: a segment is missing, an object is damaged, the backup "
                "is another cluster's, what was restored cannot be read. Or (a warning then) the host had no "
                "room to try it."
            ),
            signal=(
                "`PREFIX/walconsole/drills/ID.json` in either copy, of another tool's archive "
                "`/var/lib/NAME-restore-drill/last.json` on the droplet: the newest result of this cluster "
                "is not `proved`. The drill says the reason in the words of the failure modes: "
                "`missing-segment`, `restore-command`, `damaged-object`, `wrong-identifier`, "
                "`no-base-backup`, `no-room`, `missing-library`, `not-reached`, `not-consistent`, "
                "`not-readable`, `query`."
            ),
            fix=(
                "A new base backup needs nothing of what is older: take one first, and try again. Then look "
                "for the cause: the finding names the object.\n\n```\n"
                "sudo -u postgres /usr/local/bin/NAME-base-backup --fast\n"
                "sudo -u postgres /usr/local/bin/NAME-restore-drill\n```"
            ),
            never="Do not let retention delete older base backups while the newest cannot be restored.",
            source="each reason brought about in the tests of the installed script",
        ),
        look=last_drill_failed,
        explains=("drill-stale",),
        risk=Risk.BASE,
    ),
    FailureMode(
        "drill-stale",
        Page(
            title="no restore was proved for long",
            symptom="All is green, and nobody has restored anything since the time that the profile says.",
            cause="The schedule of drills does not run, or each run is refused or ends without a verdict.",
            signal=(
                "The newest result in `PREFIX/walconsole/drills/`, or on the droplet, that says `proved` "
                "is older than the profile's `drills.every`, or there is none. Only where the profile has "
                "`drills.every`."
            ),
            fix=(
                "Run one, and see what it says.\n\n```\n"
                "walconsole drill NAME --plan\n"
                "walconsole drill NAME --apply --confirm NAME\n"
                "journalctl -t NAME-wal-archive -n 50\n```"
            ),
            never="Do not take a green line for a proof: a backup that was never restored is a hope.",
            source="cloudnative-pg#7197, pgbackrest#451",
        ),
        look=no_recent_drill,
    ),
)
