"""A bucket's lifecycle configuration, as GET ?lifecycle answers (S3's API reference, LifecycleRule)."""

import re

from walconsole.domain.facts.evidence import ExpiryRule
from walconsole.domain.redaction import safe

_RULE = re.compile(r"<Rule>(.*?)</Rule>", re.DOTALL)
_ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&amp;", "&"))
MOST_RULES = 1000


def read_lifecycle(body: bytes) -> tuple[ExpiryRule, ...]:
    """The rules that delete objects; a thousand at most, which is S3's limit."""
    text = body.decode("utf-8", "replace")
    found: list[ExpiryRule] = []
    for match in list(_RULE.finditer(text))[:MOST_RULES]:
        rule = match[1]
        name, prefix = _text(rule, "ID"), _text(rule, "Prefix")
        enabled = _text(rule, "Status") == "Enabled"
        expiry = re.search(r"<Expiration>(.*?)</Expiration>", rule, re.DOTALL)
        if expiry is not None and (_text(expiry[1], "Days") or _text(expiry[1], "Date")):
            found.append(ExpiryRule(name, prefix, _number(_text(expiry[1], "Days")), enabled))
        old = re.search(r"<NoncurrentVersionExpiration>(.*?)</NoncurrentVersionExpiration>", rule, re.DOTALL)
        if old is not None:
            days = _number(_text(old[1], "NoncurrentDays"))
            found.append(ExpiryRule(name, prefix, days, enabled, noncurrent=True))
    return tuple(found)


def _text(part: str, element: str) -> str:
    match = re.search(rf"<{element}>\s*([^<]*?)\s*</{element}>", part)
    text = match[1] if match is not None else ""
    for entity, character in _ENTITIES:
        text = text.replace(entity, character)
    return safe(text)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else None
