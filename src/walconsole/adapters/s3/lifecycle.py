"""A bucket's lifecycle configuration, as GET ?lifecycle answers (S3's API reference, LifecycleRule).

A rule is about objects by its `Filter` (or, older, its own `Prefix`), and may do several things to them; each
is an entry of its own. What it does to objects that are not whole, or not the newest, harms no archive; it is
read all the same, for what is not there is proposed.
"""

import re
from collections.abc import Iterator

from walconsole.adapters.s3.answers import timestamp, unescaped
from walconsole.domain.facts.evidence import LifecycleRule, RuleAction
from walconsole.domain.redaction import safe

MOST_RULES = 1000
"""S3's limit."""
_LONGEST = 1024
"""Of a prefix: a key has no more bytes. What is longer is cut, and is about no object."""
_FROZEN = frozenset({"GLACIER", "DEEP_ARCHIVE", "ARCHIVE", "COLD_ARCHIVE", "DEEP_COLD_ARCHIVE"})
"""Classes from which an object must be asked back before it can be read (S3's storage classes; others' "
"too)."""


def read_lifecycle(body: bytes) -> tuple[LifecycleRule, ...]:
    """What its rules do, in their order."""
    rules = _elements(body.decode("utf-8", "replace"), "Rule")
    return tuple(each for rule in rules[:MOST_RULES] for each in (*_rule(rule), *_googles_rule(rule)))


def _rule(rule: str) -> Iterator[LifecycleRule]:
    filtered = next(iter(_elements(rule, "Filter")), "")
    beside = rule.replace(filtered, "", 1) if filtered else rule
    about = LifecycleRule(
        rule=_text(beside, "ID"),
        action=RuleAction.EXPIRE,
        prefix=_text(filtered, "Prefix") or _text(beside, "Prefix"),
        enabled=_text(beside, "Status") == "Enabled",
        tags=tuple((_text(tag, "Key"), _text(tag, "Value")) for tag in _elements(filtered, "Tag")),
        larger_than=_number(_text(filtered, "ObjectSizeGreaterThan")),
        smaller_than=_number(_text(filtered, "ObjectSizeLessThan")),
    )
    for action, element, days in _ACTIONS:
        for told in _elements(beside, element):
            yield from _action(about, action, told, days)


_ACTIONS = (
    (RuleAction.EXPIRE, "Expiration", "Days"),
    (RuleAction.FREEZE, "Transition", "Days"),
    (RuleAction.OLD_VERSIONS, "NoncurrentVersionExpiration", "NoncurrentDays"),
    (RuleAction.ABORT, "AbortIncompleteMultipartUpload", "DaysAfterInitiation"),
)
"""What a rule does, by its element, and the element in that which counts the days."""


_OF_OLD_VERSIONS = (
    "<IsLive>false",
    "<NumNewerVersions>",
    "<DaysSinceNoncurrentTime>",
    "<NoncurrentTimeBefore>",
)


def _googles_rule(rule: str) -> Iterator[LifecycleRule]:
    """Google's own form: one Action under a Condition (Cloud Storage's XML API, "Set bucket lifecycle").

    All its classes can be read at once. One that asks for a suffix is told as if it did not; one that takes
    nothing but what was created before a day is not told: what comes later stays.
    """
    action, condition = (next(iter(_elements(rule, each)), "") for each in ("Action", "Condition"))
    done = next((each for element, each in _GOOGLES if f"<{element}" in action), None)
    if done is None:
        return
    if done is RuleAction.EXPIRE and any(each in condition for each in _OF_OLD_VERSIONS):
        done = RuleAction.OLD_VERSIONS
    days = _number(_text(condition, "Age"))
    if days is None and "<CreatedBefore>" in condition:
        return
    prefixes = [safe(unescaped(each)) for each in _elements(condition, "MatchesPrefix")]
    for prefix in prefixes or [""]:
        yield LifecycleRule("", done, prefix[:_LONGEST], days or 0)


_GOOGLES = (("Delete", RuleAction.EXPIRE), ("AbortIncompleteMultipartUpload", RuleAction.ABORT))


def _action(about: LifecycleRule, action: RuleAction, told: str, days: str) -> Iterator[LifecycleRule]:
    after, date = _number(_text(told, days)), timestamp(_text(told, "Date"))
    storage_class = _text(told, "StorageClass")
    if action is RuleAction.FREEZE and storage_class.upper() not in _FROZEN:
        return
    if action in (RuleAction.EXPIRE, RuleAction.FREEZE) and after is None and date is None:
        return  # ExpiredObjectDeleteMarker: what it takes is no object any more
    yield LifecycleRule(
        about.rule,
        action,
        about.prefix,
        after,
        date,
        about.enabled,
        about.tags,
        about.larger_than,
        about.smaller_than,
        storage_class,
    )


def _elements(text: str, element: str) -> list[str]:
    """What is in each of them."""
    return re.findall(rf"<{element}>(.*?)</{element}>", text, re.DOTALL)


def _text(part: str, element: str) -> str:
    """The first one's text, safe to show; empty where there is none."""
    match = re.search(rf"<{element}>\s*([^<]*?)\s*</{element}>", part)
    return safe(unescaped(match[1]))[:_LONGEST] if match is not None else ""


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None
