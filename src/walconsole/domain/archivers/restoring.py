"""Which copies a restore_command takes WAL from, told by its words alone."""

import re
from collections.abc import Mapping

from walconsole.domain.archivers.tools import recognise
from walconsole.domain.profile import BucketRole


def copies_asked(command: str, ours: str, buckets: Mapping[BucketRole, str]) -> tuple[BucketRole, ...]:
    """The copies that it asks; empty where its words do not tell: a script, a tool with a file of its own.

    `ours` is the installed restore command, which asks both, or with a third argument that copy alone.
    """
    tool = recognise(command, ours)
    if tool is None:
        return ()
    if tool.ours:
        last = command.split()[-1].strip("'\"")
        named = tuple(role for role in BucketRole if role.value == last)
        return named or tuple(BucketRole)
    return tuple(
        role
        for role, bucket in buckets.items()
        if bucket and re.search(rf"(?<![\w.-]){re.escape(bucket)}(?![\w.-])", command)
    )
