"""The rendered restore drill beside a real server that archives, with its copies in two real regions."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.integration.backup_parts import Backups, Region
from tests.integration.droplet_parts import PREFIX, Ended, objects
from walconsole.droplet.choices import DrillChoices
from walconsole.droplet.names import names_of
from walconsole.droplet.rendering import drill_script

CHOICES = DrillChoices(poll_s=1, patience_s=60, reserve_mib=64, limit_s=300)


class Drills:
    """The drill of a droplet that `backups` describes."""

    def __init__(self, backups: Backups, choices: DrillChoices = CHOICES) -> None:
        self.backups, self.at, self.server = backups, backups.at, backups.server
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
        script.write_text(drill_script(self.backups.profile, self.at.choices, choices))
        script.chmod(0o755)
        return script

    def run(self, script: Path | None = None, *arguments: str) -> Ended:
        """A drill, to its end."""
        process = self.begin(script, *arguments)
        stdout, stderr = process.communicate(timeout=600)
        for region in self.backups.regions:
            assert region.to.keys.secret_key not in stdout + stderr
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
        """What the last drill that ended with a verdict proved, which is the same in each copy."""
        told = (self.state / "last.json").read_bytes()
        found: dict[str, Any] = json.loads(told)
        for region in self.backups.regions:
            assert self.stored(region, f"walconsole/drills/{found['id']}.json") == told
        return found

    def stored(self, region: Region, key: str) -> bytes:
        client = region.gateway.client(region.to.keys)
        body: bytes = client.get_object(Bucket=region.to.bucket, Key=f"{PREFIX}{key}")["Body"].read()
        return body

    def listing(self) -> list[dict[str, str]]:
        """All objects of each copy with ETag and time, but for what drills tell."""
        return [
            {
                key: told
                for key, told in objects(region.gateway, region.to).items()
                if not key.startswith("walconsole/drills/")
            }
            for region in self.backups.regions
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


def with_queries(*queries: str) -> DrillChoices:
    """The tests' choices with these queries."""
    return replace(CHOICES, queries=queries)
