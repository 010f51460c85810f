"""The rendered restore drill beside a real server that archives, with its copies in two real regions."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.integration.backup_parts import Backups, Region, region
from tests.integration.droplet_parts import PREFIX, Ended, objects
from tests.servers.archived import fill_segment, wait_archived
from tests.servers.fixtures import or_skip
from tests.servers.postgres import PostgresServer, system_bin_dir
from tests.servers.rgw import RadosGateway
from tests.servers.workspace import Workspace
from walconsole.domain.archivers.own_restore import OwnRestore
from walconsole.droplet.choices import DrillChoices
from walconsole.droplet.names import names_of
from walconsole.droplet.rendering import drill_script

CHOICES = DrillChoices(poll_s=1, patience_s=60, reserve_mib=64, limit_s=300, nice=0)
"""As nice as on a droplet it would wait for minutes where other tests keep the machine busy."""


class Drills:
    """The drill of a droplet that `backups` describes, or of what another tool archives from it."""

    def __init__(
        self, backups: Backups, choices: DrillChoices = CHOICES, other: OwnRestore | None = None
    ) -> None:
        self.backups, self.at, self.server = backups, backups.at, backups.server
        self.other = other
        names = names_of(backups.profile)
        self.state, self.restore = Path(names.drill_state), Path(names.restore)
        for folder in (self.state, *reversed(self.restore.parents[:3])):
            if not folder.exists():
                folder.mkdir()
                self.server.give(folder)
        self.restore.write_text(backups.at.restore.read_text())
        self.restore.chmod(0o755)
        self.script = self.render(choices)

    def render(self, choices: DrillChoices, name: str = "restore-drill") -> Path:
        """The script with these choices, installed."""
        script = self.at.folder / f"tried-{name}"
        script.write_text(drill_script(self.backups.profile, self.at.choices, choices, self.other))
        script.chmod(0o755)
        return script

    def run(self, script: Path | None = None, *arguments: str) -> Ended:
        """A drill, to its end."""
        process = self.begin(script, *arguments)
        stdout, stderr = process.communicate(timeout=600)
        for each in self.backups.regions:
            assert each.to.keys.secret_key not in stdout + stderr
        return Ended(process.returncode, stdout, stderr)

    def begin(self, script: Path | None = None, *arguments: str) -> subprocess.Popen[str]:
        """A drill that goes on by itself."""
        return self.at.start(script or self.script, *arguments)

    @property
    def status(self) -> dict[str, Any]:
        """What the script says of itself."""
        found: dict[str, Any] = json.loads((self.state / "status.json").read_text())
        return found

    @property
    def result(self) -> dict[str, Any]:
        """What the last drill that ended with a verdict proved, which is the same in each copy of ours."""
        told = (self.state / "last.json").read_bytes()
        found: dict[str, Any] = json.loads(told)
        for each in self.backups.regions if self.other is None else ():
            assert self.stored(each, f"walconsole/drills/{found['id']}.json") == told
        return found

    def stored(self, where: Region, key: str) -> bytes:
        client = where.gateway.client(where.to.keys)
        body: bytes = client.get_object(Bucket=where.to.bucket, Key=f"{PREFIX}{key}")["Body"].read()
        return body

    def listing(self) -> list[dict[str, str]]:
        """All objects of each copy with ETag and time, but for what drills tell."""
        return [
            {
                key: told
                for key, told in objects(each.gateway, each.to).items()
                if not key.startswith("walconsole/drills/")
            }
            for each in self.backups.regions
        ]

    @property
    def servers(self) -> list[str]:
        """The processes of drills' servers that run on this host, of this droplet."""
        found = subprocess.run(
            ["pgrep", "-f", f"{self.state}/tried-restore-drill"], capture_output=True, text=True, check=False
        )
        return found.stdout.split()

    def assert_nothing_left(self) -> None:
        """No file, no process, no lock."""
        assert {path.name for path in self.state.iterdir()} <= {"last.json", "proved", "status.json"}
        assert self.servers == []
        assert not [path for path in self.at.leftovers if "restore-drill" in path.name]
        for held in self.listing():
            assert "walconsole/lock.json" not in held


@contextmanager
def beside_production(workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway) -> Iterator[Backups]:
    """A server that archives, with a thousand rows in `kept`, one base backup, and WAL after it."""
    server = or_skip(lambda: PostgresServer.make(workspace, system_bin_dir(), wal_segment_mib=1))
    with ExitStack() as stack:
        stack.callback(server.stop, "immediate")
        backups = Backups(server, region(rgw), region(rgw_dr))
        backups.at.choices = replace(backups.at.choices, idle_timeout_s=30)  # for a busy machine
        backups.archive()
        server.sql("CREATE TABLE kept (n int)")
        server.sql("INSERT INTO kept SELECT generate_series(1, 1000)")
        backups.taken()
        wait_archived(server, [fill_segment(server), fill_segment(server)])
        yield backups


def with_queries(*queries: str) -> DrillChoices:
    """The tests' choices with these queries."""
    return replace(CHOICES, queries=queries)
