"""A finding in the words of the tool that archives: what the rules say of rclone is said of that one."""

import re
from collections.abc import Callable
from dataclasses import replace

from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.standing.model import Finding, Fix
from walconsole.domain.standing.remedies import found_copy, look_from_droplet, runs_rclone, tool_name

_FOR_RCLONE = frozenset({"limited-key", "rclone-endpoint", "write-probe", "readable-config"})
"""Steps that write rclone's configuration, or ask by it."""
_CONFIGURATION = re.compile(r"rclone's configuration")
_FILES = {
    "pgBackRest": "/etc/pgbackrest/pgbackrest.conf",
    "pghoard": "/var/lib/pghoard/pghoard.json",
}
"""Where a tool's configuration is where nothing says it."""


def in_tools_words(finding: Finding, snapshot: Snapshot) -> Finding:
    """The same where the archiver is another tool than rclone; a fix that only rclone's host has is left out.

    Where one that is left out had the look from the droplet, a look in the tool's own words takes its place.
    """
    if runs_rclone(snapshot) or not tool_name(snapshot):
        return finding
    said = _renamed(snapshot)
    kept = [_told(fix, said) for fix in finding.fixes if fix.step not in _FOR_RCLONE]
    looks = look_from_droplet(snapshot)
    shown = {command for fix in kept for command in fix.commands}
    if len(kept) < len(finding.fixes) and looks and not shown & set(looks):
        kept.insert(0, Fix(f"see what {tool_name(snapshot)} itself is answered", looks))
    return replace(
        finding,
        title=said(finding.title),
        remedy=said(finding.remedy),
        surer=said(finding.surer),
        fixes=tuple(kept),
    )


def _told(fix: Fix, said: Callable[[str], str]) -> Fix:
    return replace(fix, title=said(fix.title), risk=said(fix.risk))


def _renamed(snapshot: Snapshot) -> Callable[[str], str]:
    name = configuration_of(snapshot)

    def said(text: str) -> str:
        return _CONFIGURATION.sub(lambda _: name, text)

    return said


def configuration_of(snapshot: Snapshot) -> str:
    """What the tool reads its key and place from, in words, with its file where that is known."""
    tool, found = tool_name(snapshot), found_copy(snapshot)
    path = (found.config if found is not None else "") or _FILES.get(tool, "")
    return f"{tool}'s configuration ({path})" if path else f"{tool}'s configuration"
