"""What the store answers to the archive command: from the droplet, and in the command's own words."""

import re
from collections.abc import Iterator
from shlex import quote
from typing import Any

from walconsole.domain.facts.evidence import LogEntry, ProductionCheck, VerbResult
from walconsole.domain.facts.snapshot import Reading, Snapshot
from walconsole.domain.failures.client_calls import DENIALS, is_preflight, may_list
from walconsole.domain.failures.uploads import wait_in_vain
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.clocks import measured_skew
from walconsole.domain.standing.elsewhere import elsewhere
from walconsole.domain.standing.mode import REFUSED, FailureMode, Page
from walconsole.domain.standing.model import Certainty, Finding, Fix, Proof, Severity
from walconsole.domain.standing.proofs import answers, archiver_row, log_lines, refusal, setting_row
from walconsole.domain.standing.refusals import (
    READ_ALONE,
    REFUSALS,
    THROTTLED,
    fixes_for,
    most_telling,
    of_problem,
    of_result,
    of_words,
    phrase_of,
    reading_of,
    refused_here,
)
from walconsole.domain.standing.remedies import server_user
from walconsole.domain.store.answers import Meaning
from walconsole.domain.store.printed import code_in


def production_refused(assessment: Assessment) -> Iterator[Finding]:
    """The archiver's own configuration is refused: by a check from the droplet, else by its own words."""
    told: set[str] = set()
    for check, result in assessment.refused_checks:
        known = REFUSALS[of_result(result)]
        if known.rule not in told:
            told.add(known.rule)
            yield _by_check(assessment, check, result)
    if told or not assessment.has_failed:
        return
    words = assessment.words_of_refusal
    if not words:
        return
    code, meaning = most_telling(words)
    if (meaning in DENIALS and is_preflight(assessment)) or wait_in_vain(assessment):
        return
    over_ssh = next((host for _, entry in reversed(words) if (host := _ssh_host(entry.text))), "")
    if meaning in _NOT_REACHED and over_ssh:
        yield _by_ssh(assessment, over_ssh, tuple(entry for _, entry in words))
        return
    yield _by_words(assessment, code, meaning, tuple(entry for of_code, entry in words if of_code == code))


def _by_check(assessment: Assessment, check: ProductionCheck, result: VerbResult) -> Finding:
    snapshot, meaning, code = assessment.snapshot, of_result(result), result.code
    words = tuple(entry for _, entry in assessment.words_of_refusal)
    named = most_telling(assessment.words_of_refusal) if words and assessment.has_failed else ("", meaning)
    by_words = meaning in (Meaning.REFUSED, Meaning.UNKNOWN) and named[1] not in (
        Meaning.REFUSED,
        Meaning.UNKNOWN,
    )
    if by_words:  # the command was told a code where the check was told a status
        code, meaning = named
    known = REFUSALS[meaning]
    copy = reading_of(snapshot, check.where)
    here = tuple(refusal(copy)) if copy is not None else ()
    here = here or _answered_here(copy)
    return Finding(
        known.rule,
        assessment.urgency,
        f"the store {phrase_of(meaning, code)}",
        (
            f"{result.verb} of {check.where} as the archiver does it: {_answer(result)} (rclone on the "
            f"droplet)",
            *([f"{words[-1].text} (the archive command's own words)"] if by_words else []),
            *(f"from here: {proof.text}" for proof in here[:1]),
            *elsewhere(snapshot),
        ),
        known.remedy,
        Snapshot.production,
        since=assessment.failing_since,
        proof=(
            *answers(snapshot, check),
            *here,
            *log_lines(snapshot, words),
            *setting_row(snapshot, "archive_command"),
            *archiver_row(snapshot),
        ),
        fixes=fixes_for(snapshot, meaning, check.where, check.config),
        certainty=Certainty.LIKELY if by_words else known.certainty,
        surer="ask the store from the droplet for the same call" if by_words else known.surer,
    )


def _answer(result: VerbResult) -> str:
    """The store's code and its own message."""
    if result.code and result.code in result.said:
        return result.said
    return (
        f"{result.code}: {result.said}"
        if result.code and result.said
        else result.code or result.said or "refused"
    )


def _answered_here(copy: Reading[Any] | None) -> tuple[Proof, ...]:
    if copy is None or copy.value is None:
        return ()
    return (Proof("the console's own key reads the bucket", copy.source, copy.read_at),)


def _by_words(assessment: Assessment, code: str, meaning: Meaning, alike: tuple[LogEntry, ...]) -> Finding:
    """`alike` are the lines that say so. Only what the store is seen to answer elsewhere proves it."""
    snapshot = assessment.snapshot
    here = refused_here(snapshot, REFUSALS[meaning].rule)
    if meaning is Meaning.REFUSED and here and here[0].problem is not None:
        meaning = of_problem(here[0].problem)  # a bare 403 hides what a signed LIST from here is told
    listed = meaning in DENIALS and may_list(snapshot)
    if listed:
        meaning = Meaning.NO_PERMISSION
    known, noted = REFUSALS[meaning], _noted(snapshot, code)
    skew = measured_skew(snapshot) if meaning is Meaning.CLOCK_SKEW else ()
    proved = bool(here or skew) and not known.surer  # the spool is the same witness as the words
    return Finding(
        known.rule,
        Severity.CRITICAL,
        f"the store {READ_ALONE if listed else phrase_of(meaning, code)}",
        (
            f"{alike[-1].text} (the archive command's own words)",
            *(["the same key may list the bucket (rclone on the droplet)"] if listed else []),
            *(f"from here: {proof.text}" for copy in here[:1] for proof in refusal(copy)),
            *(proof.text for proof in skew[:1]),
            *elsewhere(snapshot),
        ),
        known.remedy,
        here[0].slot if here else Snapshot.log,
        since=assessment.failing_since,
        proof=(
            *noted,
            *skew,
            *log_lines(snapshot, alike),
            *(proof for copy in here for proof in refusal(copy)),
            *setting_row(snapshot, "archive_command"),
            *archiver_row(snapshot),
        ),
        fixes=fixes_for(snapshot, meaning),
        certainty=Certainty.PROVED if proved else Certainty.LIKELY,
        surer="" if proved else "ask the store from the droplet, with the archiver's own configuration",
    )


_NOT_REACHED = frozenset({Meaning.UNREACHABLE, Meaning.NAME_INVALID, Meaning.INTERRUPTED})
_SSH = re.compile(
    r"^ssh: (?:connect to host|Could not resolve hostname) (\w[\w.:%-]{0,254}?)(?: port \d+)?: "
)


def _ssh_host(text: str) -> str:
    """The host that ssh could not reach, as it says itself; empty where the words are none of ssh's."""
    match = _SSH.match(text)
    return match[1] if match is not None else ""


def _by_ssh(assessment: Assessment, host: str, said: tuple[LogEntry, ...]) -> Finding:
    """The archive is on another host, which no store's words are about."""
    snapshot, user = assessment.snapshot, server_user(assessment.snapshot)
    return Finding(
        "endpoint-wrong",
        Severity.CRITICAL,
        f"the host that it archives to cannot be reached by ssh: {host}",
        (f"{said[-1].text} (the archive command's own words)",),
        "look at its name and address, its sshd, and the network and firewalls between",
        Snapshot.log,
        since=assessment.failing_since,
        proof=(
            *log_lines(snapshot, said),
            *setting_row(snapshot, "archive_command"),
            *archiver_row(snapshot),
        ),
        fixes=(
            Fix(
                "reach it as the server's user does",
                (
                    f"getent hosts {quote(host)}",
                    f"runuser -u {quote(user)} -- ssh -v -o BatchMode=yes -o ConnectTimeout=10 "
                    f"{quote(host)} true",
                ),
            ),
        ),
        certainty=Certainty.LIKELY,
        surer="reach it from the droplet, as the server's user",
    )


def _noted(snapshot: Snapshot, code: str) -> tuple[Proof, ...]:
    """The files of the archiver's spool that hold the same answer."""
    facts = snapshot.spool.value
    errors = facts.errors if facts is not None else ()
    return tuple(Proof(note.text, note.path, note.at) for note in errors if code_in(note.text) == code)


def throttled(assessment: Assessment) -> Iterator[Finding]:
    """The store asked to slow down, to the archiver or to the console."""
    snapshot = assessment.snapshot
    if assessment.has_failed:
        return  # told as a refusal
    words = tuple(entry for code, entry in assessment.words_of_refusal if of_words(code, entry) in THROTTLED)
    problems = [
        reading
        for reading in (snapshot.primary, snapshot.dr)
        if reading.problem is not None and of_problem(reading.problem) in THROTTLED
    ]
    if not words and not problems:
        return
    yield Finding(
        "throttled",
        Severity.CRITICAL if assessment.troubled and words else Severity.WARNING,
        "the store asks to slow down",
        tuple(
            [entry.text for entry in words[-1:]]
            + [reading.problem.why for reading in problems if reading.problem]
        ),
        REFUSALS[Meaning.THROTTLED].remedy,
        Snapshot.log if words else problems[0].slot,
        since=assessment.failing_since,
        proof=(*log_lines(snapshot, words), *(proof for reading in problems for proof in refusal(reading))),
        certainty=Certainty.PROVED if problems else Certainty.LIKELY,
        surer="" if problems else "does the store ask the console to slow down, too?",
    )


MODES: tuple[FailureMode, ...] = (
    FailureMode(
        "key-403",
        Page(
            title="the store refuses the key",
            symptom="403 in the command's words; segments fail and wait.",
            cause=(
                "Causes that look alike. `AccessDenied`: the key is known and its grant is missing, or it "
                "may "
                "only read (LIST is answered, PUT is refused). `InvalidAccessKeyId`: it was deleted, or is "
                "another account's. `SignatureDoesNotMatch`: the secret is wrong. `ExpiredToken` and the "
                "like: "
                "it was good once. And where the client finds no credentials at all (env_auth with "
                "nothing in "
                "the postmaster's environment, no profile, no metadata service) it asks without a key."
            ),
            signal=(
                "A signed LIST from the droplet with the command's own configuration, beside one from "
                "here: rclone's first request is a HEAD, whose answer has no code, so that its own words "
                "are a bare 403. The command's words alone prove nothing."
            ),
            fix=(
                "AccessDenied: give the key readwrite on the bucket again. The others: make a limited key "
                "and write it into rclone's configuration.\n\n"
                "```\n"
                "runuser -u postgres -- rclone --config /etc/rclone-NAME.conf lsf --max-depth 1 "
                "REMOTE:BUCKET\n"
                "```"
            ),
            never="Do not put a full-access key on the droplet.",
            source="owncloud/files_primary_s3#690",
        ),
        look=production_refused,
        explains=(*REFUSED, "preflight-403", "archiver-crash-loop"),
    ),
    FailureMode(
        "bucket-404",
        Page(
            title="the bucket does not exist",
            symptom="`NoSuchBucket`.",
            cause=(
                "It was never created, was deleted, or is another region's (the endpoint names the region)."
            ),
            signal="A LIST from here and from the droplet.",
            fix=(
                "Create it (`walconsole provision` does it with a key that it deletes at once), then take "
                "a base backup: what was in a deleted bucket is gone."
            ),
            source="barman#477; the incident that walconsole began with",
        ),
        look=production_refused,
        explains=(
            *REFUSED,
            "archiver-crash-loop",
            "archive-frozen",
            "archive-shrunk",
            "stanza-missing",
            "preflight-403",
        ),
    ),
    FailureMode(
        "endpoint-wrong",
        Page(
            title="the endpoint does not answer as S3 does",
            symptom="Connection refused, no such host, TLS errors, 301 or 400, or XML that is none.",
            cause=(
                "Region, endpoint or address style is wrong, or the network between is cut. An endpoint "
                "that contains the bucket's name stores WAL in BUCKET/BUCKET with exit 0."
            ),
            signal=(
                "The answer to a signed request from here and from the droplet, side by side: which side "
                "fails tells whether it is the network."
            ),
            fix=(
                "```\n"
                "getent hosts nyc3.digitaloceanspaces.com\n"
                "openssl s_client -connect nyc3.digitaloceanspaces.com:443 </dev/null\n"
                "```\n\n"
                "The endpoint is https://REGION.digitaloceanspaces.com, without the bucket."
            ),
            source="pgbackrest#1380",
        ),
        look=production_refused,
        explains=(*REFUSED, "archiver-crash-loop", "command-hangs"),
    ),
    FailureMode(
        "throttled",
        Page(
            title="the store asks to slow down",
            symptom="503 SlowDown or 429.",
            cause=(
                "Too many requests at once: parallel pushes, a listing by another tool, a limit of the "
                "account."
            ),
            signal="The words of the command, or the answers to the console's own requests.",
            fix="Send less at a time; compress; ask for a higher limit if it stays so.",
            source="pgbackrest#2207",
        ),
        look=throttled,
        explains=("failing", "stalled", "too-slow", "disk-filling", "dr-behind"),
    ),
    FailureMode(
        "store-error",
        Page(
            title="the store answers with an error of its own, or with one that is not known here",
            symptom="500, a quota or an account that is blocked, a code that no page here names.",
            cause=(
                "The store fails; the account's storage or transaction cap is reached, or a bill is due; the "
                "client asks for what this store does not offer (a checksum trailer, object lock); or a "
                "maker's own code. That the archive's endpoint, name or key is wrong is *not* said by it."
            ),
            signal=(
                "The code and the store's own message, in the command's words, or in the answer to a request "
                "from the droplet or from here. A code that is not known proves nothing."
            ),
            fix=(
                "Look the code up in the store's documentation and at its status page. A quota: raise it, or "
                "delete what is not needed (never WAL that a base backup needs)."
            ),
            source="Backblaze B2's caps; MinIO's XMinioStorageFull; Ceph's QuotaExceeded and UserSuspended",
        ),
        look=production_refused,
        explains=(*REFUSED, "too-slow", "disk-filling", "archiver-crash-loop"),
    ),
)
