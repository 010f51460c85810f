"""What a look at the base backups of one copy found, whoever writes them."""

from walconsole.domain.profile import BucketTarget
from walconsole.domain.records import record
from walconsole.domain.recovery.backups import BaseBackup


@record
class BackupLook:
    """What one copy holds. `backup` is its newest complete one of this cluster, with the WAL that it needs.

    Where it is None `why` says what is there instead, or why nothing could be seen; then `remedy` may help.
    `later` are the segments of its timeline after it, as far as the listing was read.
    """

    target: BucketTarget
    backup: BaseBackup | None = None
    later: frozenset[int] = frozenset()
    why: str = ""
    remedy: str = ""

    @property
    def where(self) -> str:
        """`BUCKET in REGION`."""
        return f"{self.target.bucket} in {self.target.region}"
