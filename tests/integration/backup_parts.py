"""The rendered base backup beside a real server that archives, with its copies in two real regions."""

import json
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.integration.droplet_parts import EMPTY, PREFIX, Droplet, Ended
from tests.servers.archived import destination, start_archiving
from tests.servers.postgres import PostgresServer
from tests.servers.rgw import RadosGateway
from tests.servers.s3 import ACTIONS
from tests.servers.writer import Destination
from walconsole.droplet.choices import DEFAULT_PATH, BackupChoices, DropletChoices
from walconsole.droplet.names import names_of
from walconsole.droplet.rendering import backup_script

UPLOADS = ("s3:AbortMultipartUpload", "s3:ListBucketMultipartUploads", "s3:ListMultipartUploadParts")
"""What a key needs, besides, to clear away an upload that was killed."""

CHOICES = BackupChoices(fast_checkpoint=True, patience_s=60, poll_s=1, jitter_s=0, nice=0)


@dataclass
class Region:
    """One copy: the gateway and what of it the droplet uses."""

    gateway: RadosGateway
    to: Destination

    @property
    def backups(self) -> dict[str, set[str]]:
        """The names below base/, by backup."""
        found: dict[str, set[str]] = {}
        listed = self.gateway.client().list_objects_v2(Bucket=self.to.bucket, Prefix=f"{PREFIX}base/")
        for one in listed.get("Contents", []):
            identity, _, name = one["Key"].removeprefix(f"{PREFIX}base/").partition("/")
            found.setdefault(identity, set()).add(name)
        return found

    @property
    def uploads(self) -> list[str]:
        """The keys of uploads that are neither complete nor aborted."""
        listed = self.gateway.client().list_multipart_uploads(Bucket=self.to.bucket)
        return [str(upload.get("Key")) for upload in listed.get("Uploads", [])]

    def get(self, identity: str, name: str) -> bytes:
        key = f"{PREFIX}base/{identity}/{name}"
        return self.gateway.client(self.to.keys).get_object(Bucket=self.to.bucket, Key=key)["Body"].read()

    def put(self, identity: str, name: str, body: bytes) -> None:
        key = f"{PREFIX}base/{identity}/{name}"
        self.gateway.client().put_object(Bucket=self.to.bucket, Key=key, Body=body)

    def clear(self) -> None:
        """Take every backup away."""
        for identity, names in self.backups.items():
            for name in names:
                key = f"{PREFIX}base/{identity}/{name}"
                self.gateway.client().delete_object(Bucket=self.to.bucket, Key=key)

    def allow(self, *actions: str) -> None:
        """Give the droplet's key `readwrite` and these besides, for good."""
        statement = {
            "Effect": "Allow",
            "Principal": {"AWS": [f"arn:aws:iam:::user/{self.to.keys.user}"]},
            "Action": [*ACTIONS["readwrite"], *actions],
            "Resource": [f"arn:aws:s3:::{self.to.bucket}", f"arn:aws:s3:::{self.to.bucket}/*"],
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.gateway.client().put_bucket_policy(Bucket=self.to.bucket, Policy=policy)


class Backups:
    """A droplet whose server archives to two regions, and its base backup's script."""

    def __init__(
        self,
        server: PostgresServer,
        primary: Region,
        dr: Region,
        *,
        endpoint: str = "",
        to_dr: bool = True,
        choices: BackupChoices = CHOICES,
    ) -> None:
        self.server, self.primary, self.dr = server, primary, dr
        path = f"{server.bin_dir}:{DEFAULT_PATH}"
        scripts = DropletChoices(idle_timeout_s=2, restore_pauses_s=(), to_dr=to_dr, path=path)
        self.at = Droplet(server, primary.to, dr.to, scripts, endpoint)
        memory = self.at.folder / "memory"
        memory.mkdir(mode=0o700)
        server.give(memory)
        self.memory_root = memory
        self.profile = replace(
            self.at.profile, paths=replace(self.at.profile.paths, root=str(self.at.folder))
        )
        self.state = Path(names_of(self.profile).backup_state)
        for folder in (self.state.parent.parent, self.state.parent, self.state):
            folder.mkdir()
            server.give(folder)
        self.script = self.render(choices)
        self.took_s = 0.0
        """How long the last good one took."""

    def render(self, choices: BackupChoices, name: str = "backup", tools: Path | None = None) -> Path:
        """The script with these choices, installed. Programs in `tools` go before all others."""
        path = f"{tools}:{self.at.choices.path}" if tools else self.at.choices.path
        placed = choices
        if choices.memory_root == BackupChoices().memory_root:
            placed = replace(choices, memory_root=str(self.memory_root))
        script = self.at.folder / f"tried-{name}"
        script.write_text(backup_script(self.profile, replace(self.at.choices, path=path), placed))
        script.chmod(0o755)
        return script

    def tools(self, **programs: str) -> Path:
        """A folder with these shell scripts by their names."""
        folder = self.server.workspace.folder("tools")
        folder.chmod(0o755)
        for name, text in programs.items():
            (folder / name).write_text(f"#!/bin/sh\n{text}")
            (folder / name).chmod(0o755)
        return folder

    @property
    def regions(self) -> tuple[Region, ...]:
        return (self.primary, self.dr) if self.at.choices.to_dr else (self.primary,)

    @property
    def archive_command(self) -> str:
        return f'{self.at.archive} "%p" "%f"'

    def archive(self, server: PostgresServer | None = None) -> None:
        """Have the server archive; starts it where it is stopped."""
        start_archiving(server or self.server, self.archive_command)

    def take(self, script: Path | None = None, env: Mapping[str, str] = EMPTY) -> Ended:
        """A base backup, to its end."""
        return self.at.run(script or self.script, env=env)

    def begin(self, script: Path | None = None) -> subprocess.Popen[str]:
        """A base backup that goes on by itself."""
        return self.at.start(script or self.script)

    def taken(self) -> str:
        """A base backup that went well: its id."""
        began = time.monotonic()
        ended = self.take()
        assert ended.status == 0, ended.stderr
        self.took_s = time.monotonic() - began
        return str(self.status["id"])

    @property
    def status(self) -> dict[str, Any]:
        """What the script says of itself."""
        found: dict[str, Any] = json.loads((self.state / "status.json").read_text())
        return found

    @property
    def runs(self) -> bool:
        """Whether one runs, as the page says how to tell."""
        return subprocess.run(["flock", "-n", self.state, "true"], check=False).returncode != 0

    def sessions(self) -> list[tuple[Any, ...]]:
        """Replication sessions that are open."""
        return self.server.sql("SELECT pid, application_name FROM pg_stat_replication")

    @property
    def complete(self) -> list[set[str]]:
        """The ids that readers take for backups, in each copy."""
        return [
            {identity for identity, names in region.backups.items() if "backup.json" in names}
            for region in self.regions
        ]

    def assert_nothing_left(self) -> None:
        """No half backup, no upload, no session, no file."""
        for region in self.regions:
            for identity, names in region.backups.items():
                assert "backup.json" in names, f"{identity} is half a backup: {names}"
            assert region.uploads == []
        assert self.sessions() == []
        assert list(self.memory_root.iterdir()) == []
        until = time.monotonic() + 10  # the server's archive command has its own there, while it runs
        while self.at.leftovers and time.monotonic() < until:
            time.sleep(0.1)
        assert self.at.leftovers == []


def region(gateway: RadosGateway) -> Region:
    """A new bucket and a key that may clear away its own uploads."""
    made = Region(gateway, destination(gateway))
    made.allow(*UPLOADS)
    return made
