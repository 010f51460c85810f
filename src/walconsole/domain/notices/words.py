"""A notice in the words of those who are told: lines for people, a body for each kind of receiver."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime

from walconsole.domain.notices.deciding import Notice, NoticeKind
from walconsole.domain.profile import WebhookShape
from walconsole.domain.standing.model import Level
from walconsole.domain.units import whole_duration_text

DOCUMENT, SCHEMA_VERSION = "walconsole notice", 1
REPEAT = "This may have been told before: the end of the first try was not seen."
_HEADS = {
    NoticeKind.WORSE: "{level}",
    NoticeKind.STILL: "still {level}",
    NoticeKind.WELL: "well again",
    NoticeKind.TEST: "a test",
}
_SIGNS = {Level.OK: "✔", Level.UNKNOWN: "?", Level.WARNING: "▲", Level.CRITICAL: "✖"}
_LONGEST_DISCORD = 2000
"""Discord's documentation, Execute Webhook: the content of a message has at most 2,000 characters."""
_LONGEST_SUMMARY = 1024
"""PagerDuty's documentation, Events API v2: the summary's limit."""
_DENIALS = frozenset({
    "action_prohibited", "channel_is_archived", "channel_not_found", "invalid_payload", "invalid_token",
    "no_active_hooks", "no_service", "no_service_id", "no_team", "no_text",
    "posting_to_general_channel_denied", "team_disabled", "too_many_attachments", "user_not_found",
})  # fmt: skip
"""Slack's documentation, Handling errors of incoming webhooks; some receivers say them with 200."""
_PRIORITIES = {Level.OK: 3, Level.UNKNOWN: 4, Level.WARNING: 4, Level.CRITICAL: 5}
"""ntfy's documentation, Message priority: 3 is the default, 5 the highest."""
_SEVERITIES = {
    Level.OK: "info",
    Level.UNKNOWN: "warning",
    Level.WARNING: "warning",
    Level.CRITICAL: "critical",
}


def subject(notice: Notice) -> str:
    """One line: whose it is, how it is, what the first line of the screen says."""
    head = _HEADS[notice.kind].format(level=notice.level.value.upper())
    return f"{notice.cluster}: {head}: {notice.verdict}"


def lines(notice: Notice, *, repeat: bool = False) -> Iterator[str]:
    """All of it for people: what is lost, the cause, the fix's command, since when."""
    yield f"{_SIGNS[notice.level]} {subject(notice)}"
    yield from (f"at risk: {line}" for line in notice.lost)
    if notice.cause:
        yield f"cause: {notice.cause} ({notice.rule})"
    if notice.remedy:
        yield f"do: {notice.remedy}"
    yield from (f"    {command}" for command in notice.commands)
    if notice.kind is not NoticeKind.TEST:
        lasted = whole_duration_text(max(0.0, notice.at - notice.since))
        over = f" to {_when(notice.at)}, {lasted}" if notice.kind is NoticeKind.WELL else ""
        yield f"since {_when(notice.since)}{over}; {notice.id}"
    if repeat:
        yield REPEAT


def text(notice: Notice, *, repeat: bool = False) -> str:
    """The lines as one text."""
    return "\n".join(lines(notice, repeat=repeat))


def document(notice: Notice, *, repeat: bool = False) -> dict[str, object]:
    """What a command reads and a webhook gets. `id` is the same however often it comes."""
    return {
        "document": DOCUMENT,
        "schema_version": SCHEMA_VERSION,
        "id": notice.id,
        "incident": notice.incident,
        "repeat": repeat,
        "kind": notice.kind.value,
        "cluster": notice.cluster,
        "level": notice.level.value,
        "before": notice.before.value,
        "at": _iso(notice.at),
        "since": _iso(notice.since),
        "verdict": notice.verdict,
        "lost": list(notice.lost),
        "cause": notice.cause,
        "rule": notice.rule,
        "remedy": notice.remedy,
        "commands": list(notice.commands),
        "text": text(notice, repeat=repeat),
    }


def webhook(shape: WebhookShape, notice: Notice, *, repeat: bool = False) -> tuple[bytes, Mapping[str, str]]:
    """The body of a POST and its headers. Mattermost takes what Slack takes."""
    told = text(notice, repeat=repeat)
    headers = {"Content-Type": "application/json", "Idempotency-Key": notice.id}
    match shape:
        case WebhookShape.SLACK:
            return _json({"text": _for_slack(told)}), headers
        case WebhookShape.MATTERMOST:
            return _json({"text": told}), headers
        case WebhookShape.DISCORD:
            content = told if len(told) <= _LONGEST_DISCORD else f"{told[: _LONGEST_DISCORD - 1]}…"
            return _json({"content": content, "allowed_mentions": {"parse": []}}), headers
        case WebhookShape.NTFY:
            headers = {
                "Content-Type": "text/plain; charset=utf-8",
                "Idempotency-Key": notice.id,
                "X-Sequence-ID": _sequence(notice),
                "Title": _ascii(f"{notice.cluster}: {notice.level.value.upper()}"),
                "Priority": str(_PRIORITIES[notice.level]),
            }
            return told.encode(), headers
        case _:
            return _json(document(notice, repeat=repeat)), headers


def pagerduty(notice: Notice, routing_key: str) -> bytes:
    """The body of an event (PagerDuty's documentation, Events API v2). One incident has one dedup key."""
    action = "resolve" if notice.kind is NoticeKind.WELL else "trigger"
    event: dict[str, object] = {
        "routing_key": routing_key,
        "event_action": action,
        "dedup_key": f"walconsole-{notice.incident}"[:255],
    }
    if action == "trigger":
        event["payload"] = {
            "summary": subject(notice)[:_LONGEST_SUMMARY],
            "source": notice.cluster,
            "severity": "info" if notice.kind is NoticeKind.TEST else _SEVERITIES[notice.level],
            "timestamp": _iso(notice.at),
            "component": "PostgreSQL WAL archive",
            "class": notice.rule or notice.kind.value,
            "custom_details": document(notice),
        }
    return _json(event)


def is_denial(said: bytes) -> bool:
    """Whether an answer of 2xx that begins so says that nothing was taken.

    A page is a proxy's or a login's: none of these receivers answers with one. Slack's Web API and what is
    like it say `"ok": false` with a status of 200.
    """
    begin = said.strip()
    if begin.startswith(b"<") or begin.decode("ascii", "replace") in _DENIALS:
        return True
    try:
        answer = json.loads(begin) if begin.startswith(b"{") else None
    except (ValueError, RecursionError):
        return False  # cut: how it goes on is not known, and its status says yes
    if not isinstance(answer, dict):
        return False
    denied = answer.get("ok") is False or answer.get("success") is False
    return denied or answer.get("status") in ("error", "invalid event") or bool(answer.get("error"))


def _sequence(notice: Notice) -> str:
    """ntfy's documentation, Updating notifications: what comes again with it takes the place of the first.

    A server before 2.16 ignores it. It has 64 letters and digits at most, which a notice's id may exceed.
    """
    return hashlib.sha256(notice.id.encode()).hexdigest()[:32]


def mail_date(notice: Notice) -> str:
    """As RFC 5322 has it."""
    return format_datetime(datetime.fromtimestamp(notice.at, UTC))


def _for_slack(told: str) -> str:
    """Slack's documentation, Formatting text: these three signs are control characters."""
    return told.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=True).encode()


def _ascii(value: str) -> str:
    return value.encode("ascii", "replace").decode()


def _iso(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _when(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"
