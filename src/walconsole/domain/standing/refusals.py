"""What the store refuses to the archiver, from the droplet and in the command's own words: what it means."""

from collections.abc import Iterable, Sequence
from shlex import quote
from typing import Any

from walconsole.domain.facts.evidence import LogEntry, ProductionCheck, VerbResult
from walconsole.domain.facts.snapshot import AnySlot, Problem, Reading, Snapshot
from walconsole.domain.profile import is_folder
from walconsole.domain.records import record
from walconsole.domain.standing.elsewhere import elsewhere
from walconsole.domain.standing.failure_log import (
    is_commands,
)
from walconsole.domain.standing.model import Certainty, Fix
from walconsole.domain.standing.remedies import (
    RclonePlace,
    as_server,
    data_directory,
    endpoints,
    look_from_droplet,
    own_command,
    rclone_places,
    runs_rclone,
    tool_name,
)
from walconsole.domain.store.answers import Meaning, meaning_of
from walconsole.domain.store.printed import code_in


@record
class Refusal:
    """What a meaning is for the archiver: the failure mode's id, a phrase after "the store", the remedy.

    `here` is the phrase after "the primary bucket" where the console is refused itself. `surer` is what would
    prove the mode where the answer itself does not, empty where it does.
    """

    rule: str
    phrase: str
    remedy: str
    here: str = "could not be read"
    surer: str = ""

    @property
    def certainty(self) -> Certainty:
        """How sure the answer alone makes the mode."""
        return Certainty.LIKELY if self.surer else Certainty.PROVED


_ENDPOINT_REMEDY = (
    "check endpoint, region and address style in the client's configuration, then DNS, TLS and the network"
)
_UNREACHED = Refusal("endpoint-wrong", "cannot be reached as the archiver is configured", _ENDPOINT_REMEDY)
_UNTRUSTED = Refusal(
    "endpoint-wrong",
    "cannot be reached by TLS: a certificate that is not trusted (expired, not valid yet, of an unknown "
    "authority), or no TLS there",
    "look at the certificate's dates and issuer, at the droplet's clock, and at its ca-certificates",
    "cannot be reached by TLS: its certificate is not trusted, or it speaks no TLS",
)
_ELSEWHERE = Refusal(
    "endpoint-wrong",
    "is another, or signs for another region, than the archiver is configured for",
    _ENDPOINT_REMEDY,
    "is in another region than its endpoint's",
)
_NOT_OFFERED = Refusal(
    "store-error",
    "does not take the archiver's request as it is made",
    "look at the store's own message: a client's option may ask for what this store does not offer",
    "does not take the request",
)
_NO_BUCKET = Refusal(
    "bucket-404",
    "says that the bucket does not exist (as the archiver asks for it)",
    "make the bucket again, or correct its name",
    "does not exist",
)
_NOT_UNDERSTOOD = Refusal(
    "store-error",
    "answers what is not known here",
    "look up the store's code and message in its documentation, and at its status page",
    surer="look up the store's code and message in its documentation",
)

_ACCOUNT = Refusal(
    "store-error",
    "takes nothing more from this account: a quota, a cap or a bill",
    "look at the account's limits and bills at the store, and raise or pay what is due",
    "is not served: a quota, a cap or a bill of the account's",
)

REFUSALS: dict[Meaning, Refusal] = dict.fromkeys(Meaning, _NOT_UNDERSTOOD) | {
    Meaning.NO_PERMISSION: Refusal(
        "key-403",
        "refuses the archiver's key: it lacks the grant",
        "give the key readwrite on the bucket again",
        "refuses the key: it lacks the grant",
    ),
    Meaning.POLICY: Refusal(
        "key-403",
        "refuses the archiver's key by a policy: an explicit deny, which no grant outweighs",
        "find the statement that denies it, in the bucket's policy or in the user's, and the condition that "
        "is not met (an address, MFA, TLS, encryption)",
        "refuses the key by a policy",
    ),
    Meaning.KEY_UNKNOWN: Refusal(
        "key-403",
        "does not know the archiver's key: it was revoked, or never was one",
        "make a limited key, and write it into rclone's configuration",
        "does not know the key: revoked, or not active yet",
    ),
    Meaning.SIGNATURE_WRONG: Refusal(
        "key-403",
        "refuses the archiver's signature: the secret in rclone's configuration is wrong",
        "write the right secret into rclone's configuration, or make a new limited key",
        "refuses the signature: the secret is wrong",
    ),
    Meaning.CREDENTIALS_BAD: Refusal(
        "key-403",
        "refuses the archiver's credentials: expired, malformed, or not there",
        "write a living key and its secret into rclone's configuration",
        "refuses the credentials: expired, malformed, or not there",
    ),
    Meaning.CREDENTIALS_ABSENT: Refusal(
        "key-403",
        "was asked without a key: the archiver's client finds no credentials",
        "give the client its key where the server's user finds it: in its configuration, or (env_auth, "
        "AWS_*) in the "
        "postmaster's own environment, which a reload does not change",
        "was asked without a key",
    ),
    Meaning.REFUSED: Refusal(
        "key-403",
        "refuses the archiver (403)",
        "look which of key, secret and grant it is: a signed LIST with the same configuration tells",
        "refuses the key (403)",
        surer="a signed LIST with the same configuration has the code",
    ),
    Meaning.ABSENT_BUCKET: _NO_BUCKET,
    Meaning.CLOCK_SKEW: Refusal(
        "clock-skew",
        "refuses the archiver's clock",
        "let the droplet keep its time with NTP",
        "refuses the time: a clock is wrong",
    ),
    Meaning.NO_KEY: Refusal(
        "no-key",
        "was not asked: there is no key to ask with",
        "say in the profile where the key is",
        "was not asked: there is no key to ask with",
    ),
    Meaning.THROTTLED: Refusal(
        "throttled",
        "asks the archiver to slow down",
        "send less at a time; ask for a higher limit if it stays so",
        "asks for fewer requests",
    ),
    Meaning.UNAVAILABLE: Refusal(
        "throttled",
        "cannot serve the archiver now (503), which may be a way to ask for fewer requests",
        "send less at a time; where it stays so, look at the store's status page",
        "cannot be served now, which may be a way to ask for fewer requests",
    ),
    Meaning.FAULT: Refusal(
        "store-error",
        "fails by its own account",
        "it is the store's own fault: look at its status page; the archiver tries again by itself",
        "cannot be read: the store fails by its own account",
    ),
    Meaning.ENCRYPTION_KEY: Refusal(
        "store-error",
        "cannot encrypt what the archiver uploads: the key at its KMS is disabled, deleted, or denied to it",
        "enable the key at the KMS, let the archiver's user use it (kms:GenerateDataKey, kms:Decrypt), or "
        "have the bucket encrypt with another; what that key has encrypted cannot be read without it",
        "cannot be read: the key that it is encrypted with cannot be used",
    ),
    Meaning.ACCOUNT: _ACCOUNT,
    Meaning.TOO_MANY_BUCKETS: _ACCOUNT,
    Meaning.READ_ONLY: Refusal(
        "store-error",
        "does not let what is stored be changed",
        "look at the bucket's retention and object lock, and at who writes a segment a second time",
        "does not let what is stored be changed",
    ),
    Meaning.UNSUPPORTED: _NOT_OFFERED,
    Meaning.REQUEST_WRONG: _NOT_OFFERED,
    Meaning.WRONG_REGION: _ELSEWHERE,
    Meaning.NAME_INVALID: _UNREACHED,
    Meaning.NOT_S3: _UNREACHED,
    Meaning.UNREACHABLE: _UNREACHED,
    Meaning.UNTRUSTED: _UNTRUSTED,
    Meaning.PROXY: Refusal(
        "endpoint-wrong",
        "is not asked: the proxy that the archiver's environment names refuses, or is not there",
        "look at HTTPS_PROXY, HTTP_PROXY and NO_PROXY where the command sets them and in the postmaster's "
        "environment, which a reload does not change",
        "is not reached: a proxy on the way refuses, or is not there",
    ),
    Meaning.INTERRUPTED: Refusal(
        "endpoint-wrong",
        "waited in vain for the rest of the archiver's request",
        _ENDPOINT_REMEDY,
    ),
}
"""By what an answer means; whatever has no line of its own is told as it was written, and proves nothing."""

THROTTLED = frozenset({Meaning.THROTTLED, Meaning.UNAVAILABLE})
_BARE = Meaning.REFUSED


def phrase_of(meaning: Meaning, code: str) -> str:
    """What follows after "the store"; where the answer is not known, it is told as the store wrote it."""
    return f"answered {code}" if meaning is Meaning.UNKNOWN and code else REFUSALS[meaning].phrase


READ_ALONE = "lets the archiver's key list, and refuses what it uploads: the key may only read"
"""The phrase where LIST was answered and PUT was refused."""


def phrase_here(meaning: Meaning, code: str) -> str:
    """What follows after "the primary bucket", where the console is refused itself."""
    told = REFUSALS[meaning].here
    return f"{told} ({code})" if meaning is Meaning.UNKNOWN and code else told


def of_problem(problem: Problem) -> Meaning:
    """What it means that a bucket could not be read."""
    return meaning_of(problem.code, said=problem.why)


def of_result(result: VerbResult) -> Meaning:
    """What a call from the droplet was answered."""
    return meaning_of(result.code, said=result.said)


def of_words(code: str, entry: LogEntry) -> Meaning:
    """What a line of the archive command's says."""
    return meaning_of(code, said=entry.text)


def words_of_refusal(entries: Sequence[LogEntry]) -> tuple[tuple[str, LogEntry], ...]:
    """What the archive command has said about the store, with its code."""
    told = ((code_in(entry.text), entry) for entry in entries if is_commands(entry))
    return tuple((code, entry) for code, entry in told if code)


def refused_checks(snapshot: Snapshot) -> tuple[tuple[ProductionCheck, VerbResult], ...]:
    """What the store refused to the archiver's configuration, unless archiving has succeeded since."""
    facts, archiver = snapshot.production.value, snapshot.archiver.value
    read_at = snapshot.production.read_at
    if facts is None or read_at is None or snapshot.production.problem is not None:
        return ()
    if archiver is not None and archiver.last_archived_at is not None and archiver.last_archived_at > read_at:
        return ()
    return tuple((check, result) for check in facts.checks for result in check.results if not result.ok)


def most_telling(words: Sequence[tuple[str, LogEntry]]) -> tuple[str, Meaning]:
    """The newest code that says more than a bare 403, and what it means; that one where there is no other."""
    told = [(code, of_words(code, entry)) for code, entry in words]
    return next((one for one in reversed(told) if one[1] is not _BARE), told[-1])


def told_of_the_archiver(
    snapshot: Snapshot,
    checks: Iterable[tuple[ProductionCheck, VerbResult]],
    words: Sequence[tuple[str, LogEntry]],
) -> frozenset[tuple[str, AnySlot]]:
    """Failure modes, by copy, that the archiver itself shows: there the console's view is proof of them."""
    found: set[tuple[str, AnySlot]] = set()
    for check, result in checks:
        copy = reading_of(snapshot, check.where)
        if copy is not None:
            found.add((REFUSALS[of_result(result)].rule, copy.slot))
    if not found and words:
        rule = REFUSALS[most_telling(words)[1]].rule
        found |= {(rule, copy.slot) for copy in refused_here(snapshot, rule)}
    return frozenset(found)


def refused_here(snapshot: Snapshot, rule: str) -> list[Reading[Any]]:
    """The copies that refuse the console for the same reason."""
    return [
        copy
        for copy in (snapshot.primary, snapshot.dr)
        if copy.problem is not None and REFUSALS[of_problem(copy.problem)].rule == rule
    ]


def reading_of(snapshot: Snapshot, where: str) -> Reading[Any] | None:
    """The console's own reading of the bucket that `REMOTE:BUCKET/…` names, None for another one."""
    bucket = where.partition(":")[2].partition("/")[0]
    readings: tuple[Reading[Any], ...] = (snapshot.primary, snapshot.dr)
    for reading in readings:
        name = getattr(reading.value, "bucket", None) or ""
        if bucket and (name == bucket or reading.source.endswith(f" {bucket}")):
            return reading
    return None


def fixes_for(snapshot: Snapshot, meaning: Meaning, where: str = "", config: str = "") -> tuple[Fix, ...]:
    """What mends a refusal of `where` (REMOTE:BUCKET/PREFIX), by the rclone configuration `config`.

    Where neither is told they are those of the archive command in force. Keys in a configuration that is not
    rclone's are not written: there grants are given, and the rest is the operator's.
    """
    look, rclone = look_from_droplet(snapshot, where, config), runs_rclone(snapshot)
    rule = REFUSALS[meaning].rule
    if meaning is Meaning.NO_PERMISSION:
        return (
            Fix("give the archiver's keys their grants again", look, "restore-grant"),
            *see_writing(snapshot, where, config),
        )
    if meaning is Meaning.CREDENTIALS_ABSENT and not rclone:
        return _keys_for_its_tool(snapshot, look)  # there is no key that could be granted anything
    if meaning is Meaning.POLICY:
        return (*_policies(snapshot), *see_writing(snapshot, where, config))
    if rule == "key-403":
        new = Fix("make a new limited key, and write it into rclone's configuration", look, "limited-key")
        return (
            *((new,) if rclone else ()),
            Fix("give the archiver's keys their grants again", look, "restore-grant"),
            *see_writing(snapshot, where, config),
        )
    if rule == "bucket-404":
        return (
            Fix(
                "make the bucket again (with a temporary key that is deleted at once)",
                look,
                "buckets",
                "what was in a deleted bucket is lost: take a new base backup",
            ),
        )
    if rule == "clock-skew":
        return (
            Fix("let the droplet keep its time", ("timedatectl set-ntp true", "chronyc makestep || true")),
        )
    if rule == "endpoint-wrong":
        moved = Fix(
            "write the endpoint where the archive stands into rclone's configuration",
            look,
            "rclone-endpoint",
            "where the archive shall move to the other place, correct the profile instead",
        )
        moves = meaning is not Meaning.PROXY and rclone and elsewhere(snapshot)
        return (*_proxies(snapshot, meaning), *((moved,) if moves else ()), see_endpoint(snapshot, look))
    return ()


def _policies(snapshot: Snapshot) -> tuple[Fix, ...]:
    """The bucket's policy; a user's is its account's to show."""
    bucket = snapshot.primary.value
    if bucket is None or is_folder(bucket.bucket):
        return ()
    of = f"--bucket {quote(bucket.bucket)} --endpoint-url {quote(bucket.endpoint)}"
    return (
        Fix("see the bucket's policy", (f"aws s3api get-bucket-policy {of} --query Policy --output text",)),
    )


def _proxies(snapshot: Snapshot, meaning: Meaning) -> tuple[Fix, ...]:
    data = data_directory(snapshot)
    if meaning is not Meaning.PROXY or not data:
        return ()
    pid = f'"$(head -n 1 {quote(f"{data}/postmaster.pid")})"'
    return (
        Fix(
            "see which proxy the server was started with",
            (f"xargs -0n1 </proc/{pid}/environ | grep -i proxy",),
        ),
    )


def _keys_for_its_tool(snapshot: Snapshot, look: tuple[str, ...]) -> tuple[Fix, ...]:
    """Where a client finds no key at all: its own dialogue writes one, as the server's user.

    It is called as the archive command calls it: by a bare name it may be another, or on no PATH.
    """
    asking, tool = own_command(snapshot, "keys"), tool_name(snapshot)
    return (
        *(
            [Fix(f"have {tool} ask for its keys, and write them for the server's user", asking)]
            if asking
            else []
        ),
        *([Fix("see what the server's user is answered", look)] if look else []),
    )


def see_endpoint(snapshot: Snapshot, look: tuple[str, ...] = ()) -> Fix:
    """Name, address and certificate of each store that the archiver is configured for."""
    hosts = endpoints(snapshot)
    commands = [
        text
        for host in hosts
        for text in (
            f"getent hosts {quote(host.rpartition(':')[0])}",
            f"openssl s_client -connect {quote(host)} </dev/null",
        )
    ]
    return Fix("see what the endpoint answers", (*look, *commands), "probe-network")


def see_writing(snapshot: Snapshot, where: str, config: str) -> tuple[Fix, ...]:
    """Each call by itself: which of them is refused tells a grant from a key. By rclone, where it is used."""
    if not runs_rclone(snapshot):
        return ()
    places = rclone_places(snapshot)
    place = RclonePlace(where, config) if where and config else places[0] if places else None
    commands: tuple[str, ...] = ()
    if place is not None:
        name = f"{quote(f'{place.where}/walconsole-probe')} --config {quote(place.config)}"
        calls = (f"rclone cat {name}", f"rclone deletefile {name}")
        commands = (
            f"echo x | {as_server(snapshot, f'rclone rcat {name}')}",
            *(as_server(snapshot, c) for c in calls),
        )
    return (
        Fix(
            "write, read and delete a small object as the archiver: which call is refused?",
            commands,
            "write-probe",
            "an object of a few bytes is stored, and taken away again",
        ),
    )
