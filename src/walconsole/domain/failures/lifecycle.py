"""What a bucket does by itself: rules that take what a restore needs, and one that is worth having."""

import json
import shlex
from collections.abc import Iterable, Iterator

from walconsole.domain.archive.growth import DAY_S, stored_bytes_each
from walconsole.domain.archive.holding import Holding
from walconsole.domain.archive.layouts import Layout
from walconsole.domain.facts.evidence import LifecycleRule, PolicyFacts, RuleAction
from walconsole.domain.facts.observed import BucketFacts
from walconsole.domain.facts.snapshot import Reading, Snapshot
from walconsole.domain.recovery.backups import BaseBackup
from walconsole.domain.recovery.lifecycle import (
    Loss,
    Needed,
    NeededBackup,
    Taken,
    acting,
    ends_uploads,
    losses,
    takes_wal,
)
from walconsole.domain.recovery.ours import FOLDER
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.mode import FailureMode, Page, Risk
from walconsole.domain.standing.model import Finding, Fix, Proof, Severity
from walconsole.domain.standing.storage import pace, whole_backups
from walconsole.domain.units import duration_text, plural
from walconsole.domain.wal import Segment

_UPLOADS_END_DAYS = 7
"""Longer than any base backup's upload takes."""


def _each(snapshot: Snapshot) -> Iterator[tuple[str, Reading[PolicyFacts], PolicyFacts, BucketFacts]]:
    """Both copies' names, their policies' readings, and what was read of each."""
    both = (("primary", snapshot.policy, snapshot.primary), ("DR", snapshot.dr_policy, snapshot.dr))
    for name, policy, reading in both:
        bucket = reading.value
        if policy.value is not None and bucket is not None and bucket.holding is not None:
            yield name, policy, policy.value, bucket


# -- Rules that take what is needed.


def eats(assessment: Assessment) -> Iterator[Finding]:
    """A rule takes a base backup, or WAL that one needs, or a history."""
    for name, policy, facts, bucket in _each(assessment.snapshot):
        now = assessment.now + (bucket.store_clock_offset_s or 0.0)
        found = _losses(assessment, facts, bucket, now)
        if found:
            yield _finding(name, policy, bucket, found)


def _losses(assessment: Assessment, facts: PolicyFacts, bucket: BucketFacts, now: float) -> tuple[Loss, ...]:
    needed = _needed(assessment, bucket, now)
    if needed is None:
        return ()
    found = losses(facts.rules, needed, now)
    return found if needed.backups else (*_without_a_backup(facts.rules, needed, bucket, now), *found)


def _needed(assessment: Assessment, bucket: BucketFacts, now: float) -> Needed | None:
    holding, restorable = bucket.holding, assessment.recovery
    if holding is None or holding.newest is None:
        return None
    window = restorable.found.window if restorable is not None else None
    usable = [
        each.held.backup
        for each in (window.backups if window is not None else ())
        if bucket.role in each.held.complete_in
    ]
    a_day, _ = pace(whole_backups(bucket), now)
    newest = max((each.stopped or 0.0 for each in usable), default=0.0)
    return Needed(
        holding.root,
        holding.segment_bytes,
        stored_bytes_each(holding) or holding.segment_bytes,
        holding.newest,
        tuple(made for each in usable if (made := _backup(each, usable, holding)) is not None),
        tuple(holding.history_keys.values()),
        newest + DAY_S / a_day if a_day > 0 and newest else None,
        holding.place.layout is Layout.DATED,
    )


def _backup(backup: BaseBackup, usable: Iterable[BaseBackup], holding: Holding) -> NeededBackup | None:
    first = backup.first_segment(holding.segment_bytes)
    begun = backup.started or backup.stopped
    if first is None or begun is None:
        return None
    by_id = {each.id: each for each in usable if (each.writer, each.place) == (backup.writer, backup.place)}
    objects: list[tuple[str, int | None, float]] = []
    seen: set[str] = set()
    part: BaseBackup | None = backup
    while part is not None and part.id not in seen:
        seen.add(part.id)
        objects += _objects(part, holding.prefix, begun)
        part = by_id.get(part.parent or "")
    return NeededBackup(backup.id, tuple(objects), first, begun)


def _objects(backup: BaseBackup, prefix: str, begun: float) -> Iterator[tuple[str, int | None, float]]:
    """What it consists of; where its writer names no keys, its folder stands for them."""
    sizes = {each.name.rpartition("/")[2]: each.stored_bytes for each in backup.objects}
    stored_at = backup.stopped or backup.started or begun
    if not backup.keys:
        yield f"{prefix}{backup.place}{backup.id}/", backup.stored_bytes, stored_at
    for key in backup.keys:
        yield f"{prefix}{key}", sizes.get(key.rpartition("/")[2]), stored_at


def _without_a_backup(
    rules: Iterable[LifecycleRule], needed: Needed, bucket: BucketFacts, now: float
) -> Iterator[Loss]:
    """No base backup is known to be of use: one may lie elsewhere, of which a label tells the WAL."""
    holding = bucket.holding
    if holding is None or not holding.timelines:
        return
    oldest = min(holding.timelines)
    first = holding.labels[-1] if holding.labels else Segment(oldest, holding.timelines[oldest].first)
    stored_at = holding.times.about(first.timeline, first.number)
    for rule in acting(rules):
        if not takes_wal(rule, needed, first):
            continue
        when = rule.date if rule.date is not None else (stored_at or now) + (rule.days or 0) * DAY_S
        if rule.date is not None or when - now <= DAY_S:
            yield Loss(rule, Taken.WAL, "", when - now, newest=True)
            return


def _finding(
    name: str, policy: Reading[PolicyFacts], bucket: BucketFacts, found: tuple[Loss, ...]
) -> Finding:
    worst = found[0]
    gone = worst.newest and worst.left_s <= 0
    severity = Severity.CRITICAL if gone and name == "primary" else Severity.WARNING
    first: dict[LifecycleRule, Loss] = {}
    for loss in found:
        first.setdefault(loss.rule, loss)
    told = tuple(first.values())
    return Finding(
        "lifecycle-eats-wal",
        severity,
        f"{'the bucket' if name == 'primary' else 'the DR bucket'} {_does(worst.rule)}: {_what(worst)}",
        tuple(f"{_rule_text(loss.rule)}: {_what(loss)} (S3 lifecycle)" for loss in told),
        "let the rule keep base backups until newer ones stand, WAL for longer than the oldest base backup, "
        "and .history files for ever",
        policy.slot,
        proof=tuple(Proof(_rule_text(loss.rule), policy.source, policy.read_at) for loss in told),
        fixes=(_switch_off(bucket, worst.rule),),
    )


def _does(rule: LifecycleRule) -> str:
    what = "deletes"
    if rule.action is RuleAction.FREEZE:
        what = f"moves to {rule.storage_class}, from where nothing is read at once,"
    where = f"what begins with {rule.prefix}" if rule.prefix else "everything"
    after = "on a date" if rule.date is not None else f"after {plural(rule.days or 0, 'day')}"
    return f"{what} {where} {after}"


def _what(loss: Loss) -> str:
    if loss.what is Taken.HISTORY:
        return "the .history files, which a restore needs for ever"
    when = "by now" if loss.left_s <= 0 else f"in {duration_text(loss.left_s)}"
    if not loss.id:
        return f"the oldest WAL {when}"
    if loss.what is Taken.BACKUP:
        return f"the newest base backup {loss.id} goes {when}, and no newer one is sure to stand by then"
    which = "the newest base backup" if loss.newest else "the base backup"
    return f"WAL that {which} {loss.id} needs goes {when}"


def _rule_text(rule: LifecycleRule) -> str:
    sizes = "" if rule.larger_than is None else f" larger than {rule.larger_than:,} bytes"
    sizes += "" if rule.smaller_than is None else f" smaller than {rule.smaller_than:,} bytes"
    return f"rule {rule.rule or '(no id)'} {_does(rule)}{sizes and f', of objects{sizes}'}"


def _switch_off(bucket: BucketFacts, rule: LifecycleRule) -> Fix:
    chosen = f"(.Rules[] | select(.ID == {json.dumps(rule.rule)})).Status"
    return Fix(
        "switch the rule off, with a key that has full access",
        tuple(_changed(bucket, f'{chosen} = "Disabled"')),
        risk="whoever made the rule wanted something to go: give that a rule of its own prefix",
        subject=rule.rule,
    )


def _changed(bucket: BucketFacts, change: str) -> Iterator[str]:
    """The bucket's rules, changed by a program of jq's, and put back whole: S3 knows no smaller step."""
    where = f"--bucket {shlex.quote(bucket.bucket)} --endpoint-url {shlex.quote(bucket.endpoint)}"
    yield (
        f"aws s3api get-bucket-lifecycle-configuration {where} "
        f"| jq {shlex.quote(f'{{Rules}} | {change}')} > rules.json"
    )
    yield (
        f"aws s3api put-bucket-lifecycle-configuration {where} --lifecycle-configuration file://rules.json"
    )


# -- A rule that is worth having.


def no_end_of_uploads(assessment: Assessment) -> Iterator[Finding]:
    """Uploads that were begun and never finished are stored, paid for, and listed nowhere."""
    if not assessment.snapshot.told.expect_base_backups:
        return
    for name, policy, facts, bucket in _each(assessment.snapshot):
        prefix = bucket.holding.prefix if bucket.holding is not None else ""
        known = facts.supported and not facts.missing and policy.problem is None
        if known and not ends_uploads(facts.rules, f"{prefix}{FOLDER}"):
            yield _proposal(name, policy, facts, bucket, prefix)


def _proposal(
    name: str, policy: Reading[PolicyFacts], facts: PolicyFacts, bucket: BucketFacts, prefix: str
) -> Finding:
    rule = {
        "ID": "walconsole-unfinished-uploads",
        "Status": "Enabled",
        "Filter": {"Prefix": prefix},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": _UPLOADS_END_DAYS},
    }
    commands = tuple(_changed(bucket, f".Rules += {json.dumps([rule])}"))
    if not facts.rules:
        where = f"--bucket {shlex.quote(bucket.bucket)} --endpoint-url {shlex.quote(bucket.endpoint)}"
        whole = shlex.quote(json.dumps({"Rules": [rule]}))
        commands = (
            f"aws s3api put-bucket-lifecycle-configuration {where} --lifecycle-configuration {whole}",
        )
    return Finding(
        "no-end-of-uploads",
        Severity.NOTE,
        f"no rule of {bucket.bucket} ends uploads that were never finished",
        (
            f"{plural(len(facts.rules), 'lifecycle rule')} in the {name} bucket, none of which aborts "
            f"multipart uploads below {prefix or 'its root'} (S3 lifecycle)",
        ),
        "a base backup that is killed outright leaves its parts, which no listing shows: let the bucket end "
        f"them after {plural(_UPLOADS_END_DAYS, 'day')}",
        policy.slot,
        proof=(Proof(plural(len(facts.rules), "rule"), policy.source, policy.read_at),),
        fixes=(
            Fix(
                "let the bucket end them, with a key that has full access",
                commands,
                risk="an upload that takes longer than that is ended, too",
            ),
        ),
    )


MODES: tuple[FailureMode, ...] = (
    FailureMode(
        "lifecycle-eats-wal",
        Page(
            title="the bucket deletes what a restore needs",
            symptom="Old segments, base backups or .history files vanish, or cannot be read at once.",
            cause=(
                "A rule of the bucket's lifecycle takes base backups before newer ones stand, or WAL that a "
                "base backup which stays needs. One that moves objects to an archive class (GLACIER, "
                "DEEP_ARCHIVE) does the same to a restore at 3 am: they must be asked back first, for hours. "
                "A .history file is needed for ever."
            ),
            signal=(
                "The bucket's lifecycle rules (S3 GET ?lifecycle) against what every base backup in the "
                "window needs: its objects, its WAL, and when the next is due. A rule that takes a backup "
                "and its WAL together, after newer ones, is retention and no fault; nor is one that asks for "
                "a tag, which nothing that archives gives, or that takes old versions alone. Many limited "
                "keys may not read the rules: then the first line says so."
            ),
            fix=(
                "Keep base backups until newer ones stand, WAL for longer than the oldest base backup that "
                "shall be usable, and leave .history alone."
            ),
            source="plugin-barman-cloud#779; pgbackrest#2258",
        ),
        look=eats,
        explains=(
            "archive-shrunk",
            "gap",
            "history-missing",
            "no-base-backup",
            "backup-broken",
            "wal-before-backup-gone",
        ),
        risk=Risk.REPLAY,
    ),
    FailureMode(
        "no-end-of-uploads",
        Page(
            title="uploads that were never finished stay, and cost",
            symptom="The bill grows and no listing shows of what.",
            cause=(
                "What is larger than a part is uploaded in parts, which the store keeps until the upload is "
                "finished or ended. A base backup that is killed outright (kill -9, a power cut) ends "
                "nothing."
            ),
            signal=(
                "The bucket's lifecycle rules: none of them ends unfinished uploads where base backups are "
                "stored. Some stores do it by themselves after weeks; it is a proposal, and no alarm."
            ),
            fix=(
                "Give the bucket a rule; it needs a key with full access. Where there are other rules, add "
                "it to them, for what is put replaces all:\n\n"
                "```\n"
                '{"ID": "unfinished-uploads", "Status": "Enabled", "Filter": {"Prefix": ""},\n'
                ' "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}}\n'
                "```"
            ),
            source="S3's documentation of AbortIncompleteMultipartUpload",
        ),
        look=no_end_of_uploads,
    ),
)
