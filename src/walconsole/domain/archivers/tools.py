"""Whose an archive_command is, told by its words alone."""

import re

from walconsole.domain.records import record

OFF = frozenset({"", "(disabled)"})
"""An empty command, and what a server shows of any command while archive_mode is off (guc.c)."""

_WITH_BACKUPS = frozenset((
    "pgbackrest", "wal-g", "wal-e", "barman", "barman-cloud", "pghoard", "pg_probackup", "omnipitr",
    "cloudnativepg",
))  # fmt: skip
"""Archivers whose base backups are restored with the WAL that they themselves archived."""


def takes_backups(tool: str) -> bool:
    """Whether a tool, as `recognise` or a target names it, takes the base backups, too."""
    return tool.casefold() in _WITH_BACKUPS


_TOOLS = (
    ("pgBackRest", r"pgbackrest"),
    ("WAL-G", r"wal-g(?:-[\w.-]+)?|walg"),
    ("WAL-E", r"wal-e"),
    ("Barman", r"barman-wal-archive|barman-cloud-wal-archive|barman"),
    ("pgHoard", r"pghoard\w*"),
    ("pg_probackup", r"pg_probackup\S*"),
    ("OmniPITR", r"omnipitr-archive"),
    ("repmgr", r"repmgr"),
    ("rclone", r"rclone"),
    ("s3cmd", r"s3cmd"),
    ("aws", r"aws"),
    ("s5cmd", r"s5cmd"),
    ("mc", r"mc"),
    ("gsutil", r"gsutil|gcloud"),
    ("azcopy", r"azcopy"),
    ("rsync", r"rsync"),
    ("scp", r"scp|sftp"),
    ("ssh", r"ssh"),
    ("cp", r"cp|gzip|zstd|lz4|dd|install"),
    ("true", r"true|:|exit\s+0"),
)
"""Names by the program that does the work, the more telling first."""


@record
class ArchiveTool:
    """What an archive_command runs. `name` is what is typed before it is replaced, for it is another's.

    `ours` is the one that walconsole installs for this deployment.
    """

    name: str
    ours: bool = False


def recognise(command: str, ours: str = "") -> ArchiveTool | None:
    """Whose command it is; None for none at all. `ours` is the program that this deployment installs.

    A command that is not known is called by its program's file name.
    """
    text = command.strip()
    if text in OFF:
        return None
    program = _program(text)
    if ours and (program == ours or text.startswith(f"{ours} ")):
        return ArchiveTool(ours.rpartition("/")[2], ours=True)
    for name, pattern in _TOOLS:
        if re.search(rf"(?:^|[\s/;&|('\"`!])(?:{pattern})(?=$|[\s;&|)'\"`])", text):
            return ArchiveTool(name)
    return ArchiveTool(program.rpartition("/")[2] or program)


def _program(text: str) -> str:
    """The first word, quotes taken off; a test or a variable before it is passed over."""
    for word in re.findall(r"'[^']*'|\"[^\"]*\"|\S+", text):
        plain: str = word.strip("'\"")
        if plain in ("", "env", "exec", "test", "!", "&&", "sudo", "nice") or re.fullmatch(r"\w+=.*", plain):
            continue
        return plain
    return text
