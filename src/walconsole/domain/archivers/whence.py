"""Which of a tool's options say where the archive is, and whose key it takes.

One table for all that is made of the words of an archive command: what asks the store, what restores by hand,
what a drill and a recovery run.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from walconsole.domain.records import record

OPTIONS_THAT_SAY_WHERE: Mapping[str, tuple[str, ...]] = {
    "aws": ("--endpoint-url", "--profile", "--region", "--no-verify-ssl", "--no-sign-request"),
    "s3cmd": ("-c", "--config", "--host", "--host-bucket", "--region", "--access_key", "--no-ssl", "--ssl"),
    "s5cmd": ("--endpoint-url", "--profile", "--credentials-file", "--no-verify-ssl"),
    "barman-cloud-wal-archive": (
        "--cloud-provider", "--endpoint-url", "-P", "--profile", "--aws-profile", "--read-timeout",
        "--aws-region", "--credential", "--azure-credential", "--gcp-project", "--addressing-style",
    ),
    "barman-wal-archive": ("-U", "--user", "-c", "--config", "--port"),
    "pgbackrest": ("--stanza", "--config", "--config-path", "--config-include-path", "--repo"),
    "wal-g": ("--config",),
    "pghoard_postgres_command": ("--site",),
    "pg_probackup": ("-B", "--backup-path", "--instance", "--remote-host", "--remote-user", "--remote-port"),
}  # fmt: skip
"""By the tool's program. `--repo` stands for --repo1-path and the like, which pgBackRest numbers."""
VARIABLES_THAT_SAY_WHERE = (
    "AWS_", "WALG_", "WALE_", "PGBACKREST_", "RCLONE_", "S3_", "S3CMD_", "MC_HOST_", "BACKUP_PATH",
)  # fmt: skip
"""How variables begin that say where a store is, and whose key."""
_BARE = frozenset(("--no-verify-ssl", "--no-sign-request", "--no-ssl", "--ssl"))
"""Those without a value."""
_PGBACKRESTS = re.compile(r"--(?:no-)?repo")
_COMMAND = "archive-push"
"""pgBackRest's yes-or-no options need no value: what follows is the command."""


@record
class Option:
    """An option as it stands in a command: its `name` with its dashes, `value` empty where it has none.

    `apart`: the value is a word of its own.
    """

    name: str
    value: str = ""
    apart: bool = False

    @property
    def words(self) -> tuple[str, ...]:
        """As it was written."""
        return (self.name, self.value) if self.apart else (self.joined,)

    @property
    def joined(self) -> str:
        """As one word."""
        return f"{self.name}={self.value}" if self.value else self.name


def options_that_say_where(tool: str, words: Sequence[str]) -> Iterator[Option]:
    """Those among the words behind the program of `tool`, in their order."""
    named = OPTIONS_THAT_SAY_WHERE.get(tool, ())
    for at, word in enumerate(words):
        name, given, value = word.partition("=")
        if name not in named and not ("--repo" in named and _PGBACKRESTS.match(name)):
            continue
        following = words[at + 1] if at + 1 < len(words) else ""
        if given or name in _BARE or not following or following == _COMMAND or following.startswith("--"):
            yield Option(name, value)
        else:
            yield Option(name, following, apart=True)
