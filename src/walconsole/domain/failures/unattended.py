"""Who looks when nobody does, the verifier on the droplet and the watcher here: whether they still do."""

import math
from collections.abc import Iterator

from walconsole.domain.facts.host import HostFacts, VerifierSchedule
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.recovery.words import moment_text
from walconsole.domain.standing.archiver import ArchiverState, host_age
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.mode import FailureMode, Page
from walconsole.domain.standing.model import Certainty, Finding, Fix, Proof, Severity
from walconsole.domain.units import age_text, duration_text, plural

VERIFIER_PERIOD_S = 3600.0
"""droplet/templates/verify.timer, verify.cron."""


def verifier_silent(assessment: Assessment) -> Iterator[Finding]:
    """The installed verifier is not run any more, or has called nothing clean for two of its periods."""
    reading, host = assessment.snapshot.host, assessment.snapshot.host.value
    if host is None or reading.read_at is None or reading.problem is not None:
        return
    beat = host.heartbeat_at
    age = math.inf if beat is None else host_age(assessment.snapshot, beat, reading.read_at)
    beats = age <= 2 * VERIFIER_PERIOD_S
    if host.verifier in (VerifierSchedule.STOPPED, VerifierSchedule.MISSING):
        yield _unscheduled(assessment, host, beats=beats)
    elif host.verifier is VerifierSchedule.RUNS and beat is not None and not beats and _is_clean(assessment):
        yield _overdue(assessment, age, reading.read_at)


def _is_clean(assessment: Assessment) -> bool:
    """Whether a verifier should call the archive clean: where archiving is in trouble it rightly does not."""
    working = (ArchiverState.WORKING, ArchiverState.IDLE, ArchiverState.STANDBY, ArchiverState.STREAMED)
    return assessment.state in working and assessment.agreement.ok is not False


def _unscheduled(assessment: Assessment, host: HostFacts, *, beats: bool) -> Finding:
    """Its timer is off, or the cron entry gone; where it `beats` all the same, something else may run it."""
    fact = f"the verifier is installed, and {host.verifier.value}"
    return Finding(
        "verifier-silent",
        Severity.NOTE if beats else Severity.WARNING,
        f"nothing{' that the console knows of' if beats else ''} runs the verifier any more",
        (f"{fact} (the droplet's files, systemctl)",),
        "switch its schedule on again: walconsole provision does",
        Snapshot.host,
        proof=(Proof(fact, "the droplet's files, systemctl", assessment.snapshot.host.read_at),),
        fixes=_by_hand(assessment),
        certainty=Certainty.LIKELY if beats else Certainty.PROVED,
        surer="it still beats: two hours without that would tell that nothing else runs it" if beats else "",
    )


def _overdue(assessment: Assessment, age: float, read_at: float) -> Finding:
    """It is scheduled, and its heartbeat too old."""
    return Finding(
        "verifier-silent",
        Severity.WARNING,
        f"no run of the verifier was clean for {duration_text(age)}",
        (f"its heartbeat is {duration_text(age)} old, and a clean run renews it every hour (stat)",),
        "run it by hand, and see what it says",
        Snapshot.host,
        since=read_at - age,
        proof=(Proof(f"heartbeat {age:.0f} s old", "stat on the droplet", read_at),),
        fixes=_by_hand(assessment),
        certainty=Certainty.LIKELY,
        surer="run it by hand: it may live, and find what the console does not see",
    )


def _by_hand(assessment: Assessment) -> tuple[Fix, ...]:
    verifier = f"{assessment.snapshot.profile_name}-verify-wal-archive"
    return (
        Fix(
            "see what runs it, and what it says",
            (
                f"systemctl list-timers {verifier}.timer",
                f"journalctl -u {verifier} -n 20",
                f"ls -l /etc/cron.d/{verifier}",
                f"/usr/local/bin/{verifier} --json",
            ),
        ),
        Fix("install it and its schedule again", ("walconsole provision",)),
    )


def watcher_died(assessment: Assessment) -> Iterator[Finding]:
    """Somebody relies on being told, and nobody watches any more."""
    snapshot, now = assessment.snapshot, assessment.now
    watcher = snapshot.watcher.value
    if watcher is None or watcher.began_at is None or not (watcher.died or watcher.hangs):
        return
    name = snapshot.profile_name
    heard = age_text(max(0.0, now - watcher.beat_at))
    untold = (f"{plural(watcher.untold, 'notice')} not told yet",) if watcher.untold else ()
    yield Finding(
        "watcher-died",
        Severity.WARNING,
        "the watcher HANGS: nobody would be told"
        if watcher.alive
        else "the watcher DIED: nobody would be told",
        (
            f"it had watched since {moment_text(watcher.began_at, now)}; its last sign of life was {heard}",
            *untold,
        ),
        "start it again on this machine; where none shall run any more, take its file away: docs/watch.md",
        Snapshot.watcher,
        since=watcher.beat_at,
        fixes=(
            Fix(
                "start it again, on this machine",
                (
                    "systemctl --user status walconsole-watch",
                    "systemctl --user restart walconsole-watch",
                    f"walconsole watch {name}",
                ),
            ),
        ),
    )


MODES: tuple[FailureMode, ...] = (
    FailureMode(
        "verifier-silent",
        Page(
            title="the verifier is dead, or calls nothing clean",
            symptom="Nothing: whatever happens to the archive, the droplet itself gives no alarm any more.",
            cause=(
                "The timer was switched off or the cron entry taken away, the verifier fails before it can "
                "judge, or it finds a fault that nobody read."
            ),
            signal=(
                "The verifier is installed, and its timer is inactive or failed, or there is neither timer "
                "nor cron entry (a note as long as its heartbeat is fresh); or the heartbeat, a file that "
                "every clean run touches, is older than two of its periods (2 h) while the console sees "
                "archiving work. Where no verifier is installed nothing is said."
            ),
            fix=(
                "See what runs it, and run it by hand; install it again with `walconsole provision`.\n\n"
                "```\n"
                "systemctl list-timers NAME-verify-wal-archive.timer\n"
                "journalctl -u NAME-verify-wal-archive -n 20\n"
                "NAME-verify-wal-archive --json\n"
                "```"
            ),
            never="Do not touch the heartbeat by hand: it says that somebody looked.",
        ),
        look=verifier_silent,
    ),
    FailureMode(
        "watcher-died",
        Page(
            title="the watcher on this machine died, or hangs",
            symptom="A watcher was started here (`walconsole watch`), and it is not there any more.",
            cause=(
                "It was killed, the machine was switched off, or its service does not start with it; "
                "or it is there, and has not looked for five minutes: it hangs."
            ),
            signal=(
                "The file in `~/.local/state/walconsole/watch` says that it watches since then, and not that "
                "it ended in good order; nobody holds its lock, or its time of modification stays as it is."
            ),
            fix=(
                "Start it again, and see why it ended. What it had not told yet it tells then.\n\n```\n"
                "systemctl --user status walconsole-watch\n"
                "journalctl --user -u walconsole-watch -n 50\n"
                "systemctl --user restart walconsole-watch\n```\n\n"
                "Where none shall run any more, take its file away:\n\n```\n"
                "rm ~/.local/state/walconsole/watch/PROFILE.state\n```"
            ),
            never="Do not take the file away while notices wait in it: they would never be told.",
            source="a watcher that is killed, in the tests of what it tells",
        ),
        look=watcher_died,
        untried="it is about the operator's own machine: a real watcher is killed in the tests of the check",
    ),
)
