"""Clusters of one list upon one deployment, each broken in a way of its own where its console looks at it."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.integration.provision_stage import Stage
from tests.servers.fixtures import MakeProxy
from walconsole.domain.fleet.row import FleetRow
from walconsole.domain.profile import ClusterName, DrillSettings, KeyReference, KeySource, SshTarget
from walconsole.domain.standing.model import Level

NOBODY = "http://127.0.0.1:1"


@dataclass(frozen=True, slots=True)
class Broken:
    """What is another in its profile; what the list must say of it: the level, words of its sentence."""

    changes: Mapping[str, Any]
    level: Level
    says: str

    def is_told_by(self, row: FleetRow) -> bool:
        return row.level is self.level and self.says in row.verdict


def through(stage: Stage, port: int, folder: Path, *, known: bool = True) -> SshTarget:
    """Its SSH on another port, whose key is `known` or not."""
    ssh, file = stage.profile.ssh, folder / f"known-{port}-{known}"
    lines = Path(str(ssh.known_hosts_file)).read_text().replace(f"]:{ssh.port} ", f"]:{port} ")
    file.write_text(lines if known else "")
    return replace(ssh, port=port, known_hosts_file=str(file), connect_timeout_s=2.0)


def broken_ways(stage: Stage, folder: Path, make_proxy: MakeProxy) -> dict[str, Broken]:
    """By a name for each."""
    stranger = folder / "stranger"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(stranger)], check=True)
    profile = stage.profile
    ssh, primary, dr = profile.ssh, profile.primary, profile.dr
    silent, hanging = make_proxy(ssh.port or 22), make_proxy(int(primary.endpoint.rpartition(":")[2]))
    silent.stall()
    hanging.stall()
    wrong = KeyReference(KeySource.ENVIRONMENT, "WRONG_KEY", "WRONG_SECRET")
    unknown, critical, warning = Level.UNKNOWN, Level.CRITICAL, Level.WARNING
    unread = "primary bucket could not be read"
    return {
        "silent": Broken({"ssh": through(stage, silent.port, folder)}, unknown, "cannot be reached"),
        "refused": Broken({"ssh": through(stage, 1, folder)}, unknown, "connection refused"),
        "unvouched": Broken(
            {"ssh": through(stage, ssh.port or 22, folder, known=False)},
            unknown,
            "is unknown and was not accepted",
        ),
        "no-login": Broken({"ssh": replace(ssh, identity_files=(str(stranger),))}, unknown, "not accepted"),
        "other-cluster": Broken(
            {"postgres": replace(profile.postgres, cluster=ClusterName("99", "none"))}, unknown, "99/none"
        ),
        "elsewhere": Broken({"primary": replace(primary, prefix="elsewhere/")}, critical, "would be lost"),
        "no-bucket": Broken(
            {"primary": replace(primary, bucket=f"{primary.bucket}-gone")}, unknown, "NoSuchBucket"
        ),
        "no-key": Broken({"primary": replace(primary, keys=wrong)}, unknown, "InvalidAccessKeyId"),
        "no-store": Broken(
            {"primary": replace(primary, endpoint=f"http://127.0.0.1:{hanging.port}")}, unknown, unread
        ),
        "no-copy": Broken({"dr": replace(dr, endpoint=NOBODY)}, unknown, "DR bucket could not be read"),
        "no-drill": Broken({"drills": DrillSettings(every_days=1)}, warning, "no restore was ever proved"),
    }
