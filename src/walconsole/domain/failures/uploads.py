"""A store that answers whoever reads, and lets whoever writes wait in vain."""

import re
from collections.abc import Iterator
from shlex import quote

from walconsole.domain.facts.evidence import LogEntry, ProductionCheck, VerbResult
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.mode import REFUSED, FailureMode, Page
from walconsole.domain.standing.model import Certainty, Finding, Fix, Proof, Severity
from walconsole.domain.standing.proofs import archiver_row, log_lines, setting_row
from walconsole.domain.standing.refusals import of_words, see_writing
from walconsole.domain.standing.remedies import endpoints
from walconsole.domain.store.answers import TIMED_OUT, Meaning

_NO_CONNECTION = re.compile(r"\bdial\b|\bconnect(?:ing|ion)?\b.{0,40}tim|connect timeout", re.IGNORECASE)
"""Nobody was spoken to: that is no upload that waits."""


def wait_in_vain(assessment: Assessment) -> tuple[LogEntry, ...]:
    """What the command says of uploads that nothing answers, where its own configuration lists the bucket."""
    said = assessment.words_of_refusal
    if not said or assessment.refused_checks or _listed(assessment) is None:
        return ()
    newest, entry = said[-1]
    if not _is_silence(newest, entry):
        return ()
    return tuple(entry for code, entry in said if _is_silence(code, entry))


def _is_silence(code: str, entry: LogEntry) -> bool:
    """No answer in time after it was spoken to; or the store's word that the rest of a request never came."""
    if of_words(code, entry) is Meaning.INTERRUPTED:
        return True
    return code == TIMED_OUT and _NO_CONNECTION.search(entry.text) is None


def _listed(assessment: Assessment) -> tuple[ProductionCheck, VerbResult] | None:
    """A LIST from the droplet that was answered, since it fails."""
    reading, since = assessment.snapshot.production, assessment.failing_since
    if reading.value is None or reading.problem is not None or reading.read_at is None:
        return None
    if since is not None and reading.read_at < since:
        return None
    every = ((check, result) for check in reading.value.checks for result in check.results)
    return next(((check, result) for check, result in every if result.ok), None)


def uploads_unanswered(assessment: Assessment) -> Iterator[Finding]:
    """Small requests are answered and uploads are not: a full store, or a path that loses large packets."""
    words, listed = wait_in_vain(assessment), _listed(assessment)
    if not words or listed is None or not assessment.has_failed:
        return
    snapshot, (check, result) = assessment.snapshot, listed
    took = "" if result.seconds is None else f" within {max(result.seconds, 0.1):.1f} s"
    answered = f"{result.verb} of {check.where} as the archiver does it is answered{took}"
    yield Finding(
        "uploads-unanswered",
        Severity.CRITICAL,
        "the store answers the archiver's questions, and no upload of its",
        (
            f"{words[-1].text} (the archive command's own words)",
            f"{answered} (rclone on the droplet)",
        ),
        "look at the store: one whose disks are full (Ceph's OSD_FULL) takes no write and still answers "
        "whoever reads; then at the path: where large packets are lost (an MTU too small on the way), "
        "small requests get through and uploads wait",
        Snapshot.log,
        since=assessment.failing_since,
        proof=(
            Proof(answered, snapshot.production.source, snapshot.production.read_at),
            *log_lines(snapshot, words),
            *setting_row(snapshot, "archive_command"),
            *archiver_row(snapshot),
        ),
        fixes=(*see_writing(snapshot, check.where, check.config), *_packets(snapshot)),
        certainty=Certainty.LIKELY,
        surer="write a small object as the archiver: if that is answered, it is the path, else the store",
    )


def _packets(snapshot: Snapshot) -> tuple[Fix, ...]:
    """Whether packets of a full Ethernet frame (1,472 bytes and 28 of headers) arrive whole."""
    hosts = [quote(host.rpartition(":")[0]) for host in endpoints(snapshot)]
    commands = tuple(f"ping -c 3 -W 2 -M do -s 1472 {host}" for host in hosts)
    return (Fix("see whether large packets get through", commands),) if commands else ()


MODES: tuple[FailureMode, ...] = (
    FailureMode(
        "uploads-unanswered",
        Page(
            title="the store answers whoever reads, and no upload",
            symptom="Time-outs in the command's words while the bucket can be listed; segments wait.",
            cause=(
                "A store without room that lets writes wait (Ceph at its full ratio), one that is "
                "overloaded, a proxy before it that holds what is sent; or a path on which large packets "
                "are lost and the word of it (ICMP) is filtered: a tunnel or VPN with a smaller MTU. "
                "Endpoint, key and name are right, or the LIST would not be answered."
            ),
            signal=(
                "A LIST with the archiver's own configuration from the droplet is answered after uploads "
                "have failed with a time-out. A small object that is written tells the two apart."
            ),
            fix=(
                "The store's status page, or on a Ceph of one's own `ceph health detail`. The path:\n\n"
                "```\n"
                "ping -c 3 -W 2 -M do -s 1472 nyc3.digitaloceanspaces.com\n"
                "```\n\n"
                "Where that fails and `-s 1200` does not, lower the interface's MTU or clamp the MSS."
            ),
            source="Ceph's documentation of OSD_FULL; RFC 2923, 2.1 (black hole detection)",
        ),
        look=uploads_unanswered,
        explains=(*REFUSED, "command-hangs", "too-slow", "archiver-crash-loop"),
    ),
)
