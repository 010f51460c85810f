"""Programs without which the installed scripts cannot work. Pure."""

from collections.abc import Mapping

from walconsole.provision.droplet.survey import Survey
from walconsole.provision.engine.model import Check, CheckState

FIRST_RCLONE = (1, 53, 0)
"""The first with --s3-no-check-bucket, without which a limited key may not write."""
PACKAGES: Mapping[str, str] = {
    "rclone": "rclone",
    "timeout": "coreutils",
    "psql": "postgresql-client",
    "zstd": "zstd",
    "gzip": "gzip",
    "flock": "util-linux",
    "systemctl": "systemd",
}


def how_to_install(program: str) -> str:
    """What an operator types, on Debian and Ubuntu."""
    return f"apt-get install {PACKAGES.get(program, program)}"


def version_text(version: tuple[int, int, int]) -> str:
    """`1.60.1`."""
    return ".".join(map(str, version))


def blocked_without(survey: Survey, *programs: str) -> Check | None:
    """BLOCKED by the first of `programs` that is missing or too old; None where all can be used."""
    for program in programs:
        if program not in survey.tools:
            return Check(
                CheckState.BLOCKED, f"there is no {program} on the droplet", remedy=how_to_install(program)
            )
    version = survey.rclone.version
    if "rclone" in programs and version is not None and version < FIRST_RCLONE:
        return Check(
            CheckState.BLOCKED,
            f"rclone {version_text(version)} is too old: it takes {version_text(FIRST_RCLONE)}",
            remedy="install a newer one (rclone.org/install)",
        )
    return None
