"""What a session of provisioning did, to keep: Markdown for people, JSON for programs. Redacted.

It is written by itself when a run that changed something ends.
"""

from __future__ import annotations

import dataclasses
import json
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from walconsole.domain.redaction import safe
from walconsole.operator_files.places import places
from walconsole.operator_files.private import make_private
from walconsole.provision.engine.model import (
    Change,
    ChangeKind,
    Changing,
    Command,
    Event,
    FileChange,
    Moving,
    Printed,
    Progress,
    Proved,
    Ran,
    Stage,
    Waiting,
    Where,
)
from walconsole.ui.board.export import Export

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from walconsole.ui.board.provision_run import ShownStep

_ENDS = frozenset(
    (
        Stage.DONE,
        Stage.CHANGED,
        Stage.REFUSED,
        Stage.BLOCKED,
        Stage.FAILED,
        Stage.SKIPPED,
        Stage.UNDONE,
        Stage.KEPT,
    )
)


def as_markdown(
    profile: str, steps: Sequence[ShownStep], history: Iterable[Progress], changes: Sequence[Change]
) -> str:
    """A section for each time that a step was run, in the order it happened; then what stays changed."""
    titles = {step.id: step.title for step in steps}
    lines = [f"# Provisioning {safe(profile)}", ""]
    current = ""
    for news in history:
        if news.step != current:
            current = news.step
            lines += ["", f"## {titles.get(news.step, news.step)} ({_time(news.at)})", ""]
        lines += _news(news)
    return "\n".join([*lines, *_changes(changes), ""])


def as_json(profile: str, history: Iterable[Progress], changes: Sequence[Change]) -> str:
    """One object: `profile`; `changes`, each with its `undo`; `news`, each with `step`, `stage`, `at`."""
    changed = [
        {**_fields(dataclasses.asdict(change)), "undo": safe(undo_words(change))} for change in changes
    ]
    document = {"profile": safe(profile), "changes": changed, "news": [_object(news) for news in history]}
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _news(news: Progress) -> list[str]:
    lines = []
    if news.check is not None:
        lines.append(f"- {safe(news.check.summary)}")
    if news.plan is not None and news.stage is Stage.ASKING:
        lines.append(f"- asked: {safe(news.plan.summary)}")
        for file in news.plan.files:
            lines += _diff(file)
    if news.event is not None:
        lines += _event(news.event)
    if news.error is not None:
        lines.append(f"- **{news.stage}**: {safe(news.error.line())}")
    elif news.stage in _ENDS and news.check is None and news.event is None:
        lines.append(f"- **{news.stage}**")
    return lines


def _diff(file: FileChange) -> list[str]:
    """A file's change as `diff -u` shows it; nothing of one that holds keys."""
    if file.secret:
        return [f"- {safe(file.path)} changes; it holds keys, and is not shown"]
    lines = [safe(line).replace("```", "'''") for line in file.diff()]
    return ["", "```diff", *lines, "```", ""] if lines else []


def _event(event: Event) -> list[str]:
    match event:
        case Ran(command):
            return _command(command)
        case Printed(text):
            return [f"  {safe(text)}"]
        case Proved(text):
            return [f"- proved: {safe(text)}"]
        case Changing(change):
            kept = f"; the earlier one is kept as {change.kept}" if change.kept else ""
            return [f"- changed: {safe(f'{change.kind} {change.what}{kept}')}"]
        case Waiting() | Moving():
            return []


def _command(command: Command) -> list[str]:
    place = "here" if command.where is Where.HERE else command.user
    return ["", *(f"      {place}$ {safe(line)}" for line in command.text.splitlines()), ""]


def _grant_back(before: str) -> str:
    return f"give it {before} again" if before not in ("", "none") else "take the grant away again"


def undo_words(change: Change) -> str:
    """How this one is taken back; not redacted."""
    if change.kept:
        return f"put {change.kept} back"
    return {
        ChangeKind.FILE: f"remove {change.what}",
        ChangeKind.GRANT: _grant_back(change.before),
        ChangeKind.KEY: "delete the key",
        ChangeKind.SCHEDULE: "switch it off",
        ChangeKind.SETTING: f"ALTER SYSTEM SET it to {change.before!r}",
    }.get(change.kind, "it stays")


def _changes(changes: Sequence[Change]) -> list[str]:
    if not changes:
        return ["", "Nothing stays changed by this session."]
    undo = "Undo: `walconsole undo`; it never deletes a bucket or an object of the archive."
    return ["", "## Changed", "", *(_changed(change) for change in changes), "", undo]


def _changed(change: Change) -> str:
    return f"- {safe(f'{change.kind} {change.what}')}; undo: {safe(undo_words(change))}"


def _object(news: Progress) -> dict[str, object]:
    found: dict[str, object] = {"step": news.step, "stage": news.stage.value, "at": news.at}
    for name in ("check", "plan"):
        value = getattr(news, name)
        if value is not None:
            found[name] = _redacted(dataclasses.asdict(value))
    if news.event is not None:
        kind = type(news.event).__name__.lower()
        found["event"] = {"kind": kind, **_fields(dataclasses.asdict(news.event))}
    if news.error is not None:
        found["error"] = safe(news.error.line())
    return found


def _fields(value: dict[str, object]) -> dict[str, object]:
    return {key: _redacted(each) for key, each in value.items()}


def _redacted(value: object) -> object:
    if isinstance(value, str):
        return "\n".join(safe(line) for line in value.split("\n"))
    if isinstance(value, dict):
        return _fields(value)
    if isinstance(value, list | tuple):
        return [_redacted(each) for each in value]
    return value


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def transcript_of(
    title: str, steps: Sequence[ShownStep], history: Sequence[Progress], changes: Sequence[Change]
) -> Export:
    """Markdown and JSON, redacted; named by when the run began."""
    began = datetime.fromtimestamp(history[0].at if history else 0.0, UTC)
    texts = (
        ("md", as_markdown(title, steps, history, changes)),
        ("json", as_json(title, history, changes)),
    )
    return Export(f"walconsole-provisioning-{began:%Y%m%dT%H%M%SZ}", texts)


def save_transcript(
    title: str, steps: Sequence[ShownStep], history: Sequence[Progress], changes: Sequence[Change]
) -> tuple[str, str]:
    """Write it into the operator's data folder: why it failed (empty: it did not), and the files."""
    folder = places(os.environ).transcripts
    try:
        make_private(folder)
    except OSError as error:
        return f"{folder}: {error.strerror or error}", ""
    return transcript_of(title, steps, history, changes).write(folder)
