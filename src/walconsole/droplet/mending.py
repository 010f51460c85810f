"""What the script that mends a hole is told: where a segment is, and where it shall be."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MendSource:
    """`object` at `where`: in a copy `REMOTE:BUCKET/FOLDER/`, else a folder of the droplet."""

    where: str
    object: str
    in_copy: bool


@dataclass(frozen=True, slots=True)
class MendTarget:
    """The copy called `copy`: the object goes to `where` (`REMOTE:BUCKET/FOLDER/`), and ends in `suffix`."""

    copy: str
    where: str
    suffix: str
