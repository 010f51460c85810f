"""A deployment on the virtual droplet: two regions over TLS, each with a name, the keys API, the program.

The program is run in a mount namespace whose /etc/hosts has the stores' names, as the droplet's has: one
endpoint serves both sides.
"""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from tests.e2e.terminal import Terminal
from tests.servers.ports import LOOPBACK
from tests.servers.programs import find_program
from tests.servers.rgw import RadosGateway
from tests.servers.spaces_account import SpacesAccount
from tests.servers.workspace import Workspace
from tests.vm.machine import HOST_ADDRESS, SUDOER, Machine
from tests.vm.watching import Seen, Watcher
from walconsole.config.writer import profile_as_toml
from walconsole.domain.profile import (
    ApiTarget,
    BucketRole,
    BucketTarget,
    ClusterName,
    DrillSettings,
    PostgresTarget,
    Profile,
    SshTarget,
    default_bucket,
    default_paths,
)
from walconsole.sandbox.keys_api.api import ALL_SCOPES, KeysApi
from walconsole.sandbox.keys_api.keys import Grant, Key

NAME = "lab"
LONGEST_S = 400.0
"""Within which a droplet on an emulated, shared processor has done whatever it was to do."""
TOKEN = "dop_v1_" + "0123456789abcdef" * 4
STORES = {BucketRole.PRIMARY: "s3.here.lab.internal", BucketRole.DR: "s3.there.lab.internal"}
_SECTION = """\
[{remote}]
type = s3
provider = Ceph
endpoint = {endpoint}
region = us-east-1
access_key_id = {key.access_key}
secret_access_key = {key.secret}
force_path_style = true

"""


@dataclass(frozen=True)
class Said:
    """How the program ended and what it said; `objects` are its lines of JSON."""

    code: int
    text: str
    errors: str
    seconds: float

    @property
    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines() if line.startswith("{")]

    @property
    def stages(self) -> dict[str, str]:
        """Where each step of a run stood at its end."""
        return next((one["stages"] for one in reversed(self.objects) if "stages" in one), {})

    def __str__(self) -> str:
        return f"exit code {self.code} after {self.seconds:.0f} s\n{self.text[-6000:]}\n{self.errors[-3000:]}"


@dataclass(frozen=True)
class Looked:
    """What `walconsole check --json` said."""

    document: Mapping[str, Any]
    said: Said

    @property
    def level(self) -> str:
        return str(self.document.get("level", ""))

    @property
    def findings(self) -> dict[str, Mapping[str, Any]]:
        """By id: causes and what follows from them."""
        stories = self.document.get("stories", [])
        return {one["id"]: one for story in stories for one in (story["root"], *story["consequences"])}

    def __str__(self) -> str:
        keys = ("severity", "title", "evidence")
        told = {name: [one[key] for key in keys] for name, one in self.findings.items()}
        return (
            f"{self.level}: {self.document.get('verdict')}\n{json.dumps(told, indent=1)}\n{self.said.errors}"
        )


class KeysInThread:
    """The keys API on an event loop of its own."""

    def __init__(self, account: SpacesAccount) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="keys API", daemon=True)
        self._api = KeysApi(account, {TOKEN: ALL_SCOPES})

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._api.__aenter__(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._api.__aexit__(None, None, None), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    @property
    def url(self) -> str:
        return self._api.url


@dataclass
class Lab:
    """`tried` is what the page tells: a row for each thing, in order."""

    workspace: Workspace
    machine: Machine
    gateways: Mapping[BucketRole, RadosGateway]
    account: SpacesAccount
    app: Key
    dr: Key
    profile: Profile
    home: Path
    hosts: Path
    booted_in_s: float = 0.0
    tried: list[tuple[str, str]] = field(default_factory=list)
    _watcher: Watcher | None = None

    @classmethod
    @contextlib.contextmanager
    def opened(cls, workspace: Workspace, machine: Machine, user: str = SUDOER) -> Iterator[Self]:
        """The incident's state on a droplet that has just been booted: nothing is set up.

        The program comes to it as `user`: root, or one who has sudo.
        """
        with ExitStack() as stack:
            booting = stack.enter_context(ThreadPoolExecutor(1)).submit(machine.boot)
            stack.callback(machine.stop)
            gateways: dict[BucketRole, RadosGateway] = {}
            for role, store in STORES.items():
                gateway = RadosGateway(workspace, role.value, names=[store])
                gateway.start()
                stack.callback(gateway.stop)
                gateways[role] = gateway
            account = stack.enter_context(SpacesAccount(tuple(gateways.values())))
            keys = stack.enter_context(KeysInThread(account))
            app, dr = account.create(f"{NAME}-prod-app-rw", ()), account.create(f"{NAME}-dr", ())
            home = workspace.folder("home")
            hosts = home / "hosts"
            hosts.write_text(f"{LOOPBACK} localhost {' '.join(STORES.values())}\n")
            profile = _profile(machine, user, gateways, keys.url)
            booted = booting.result()
            lab = cls(workspace, machine, gateways, account, app, dr, profile, home, hosts, booted)
            lab._prepare()
            stack.callback(lab.stop_watching)
            yield lab

    def _prepare(self) -> None:
        (self.home / ".config/walconsole").mkdir(parents=True)
        self.configure(self.profile)
        names = " ".join(STORES.values())
        self.machine.run(f"echo {HOST_ADDRESS} {names} >>/etc/hosts")
        text = _SECTION.format(remote="spaces-prod", endpoint=self.profile.primary.endpoint, key=self.app)
        text += _SECTION.format(remote="spaces-dr", endpoint=self.profile.dr.endpoint, key=self.dr)
        self.machine.put(self.profile.paths.rclone_config, text, "0640")
        self.machine.run(f"chgrp postgres {self.profile.paths.rclone_config}")

    def configure(self, *profiles: Profile) -> None:
        """The console's configuration file: these profiles."""
        file = self.home / ".config/walconsole/config.toml"
        file.write_text("\n".join(profile_as_toml(each, each.name) for each in profiles))
        file.chmod(0o600)

    def configure_root(self) -> None:
        """Beside the profile the same one for root, `lab-root`, which only looks."""
        ssh = replace(self.profile.ssh, user="root")
        root = replace(self.profile, ssh=ssh, sudo=False, read_only=True)
        file = self.home / ".config/walconsole/config.toml"
        text = profile_as_toml(root, f"{NAME}-root")
        file.write_text(f"{profile_as_toml(self.profile, NAME)}\n{text}")

    # -- The program.

    @property
    def environment(self) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        own = {"HOME": str(self.home), "PATH": path, "DIGITALOCEAN_TOKEN": TOKEN, "TERM": "xterm-256color"}
        return own | {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}

    def command(self, *arguments: str) -> list[str]:
        """The program with these arguments, where the stores' names are known."""
        program = [sys.executable, "-m", "walconsole", *arguments]
        unshare = find_program("unshare", server="a virtual droplet", package="util-linux")
        here = ["sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', str(self.hosts)]
        return [str(unshare), "--mount", *here, *program]

    def walconsole(self, *arguments: str, timeout_s: float = 900.0) -> Said:
        """Run it to its end."""
        began, running = time.monotonic(), self.begin(*arguments)
        try:
            text, errors = running.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            running.terminate()
            text, errors = running.communicate()
            errors += f"\nended by the test after {timeout_s:.0f} s"
        return Said(running.returncode, text, errors, time.monotonic() - began)

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """The same, while it runs."""
        return subprocess.Popen(
            self.command(*arguments), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.environment, cwd=self.home,
        )  # fmt: skip

    def screen(self, *arguments: str, columns: int = 120, rows: int = 40) -> Terminal:
        """The console in a terminal."""
        return Terminal(
            self.command(*arguments), environment=self.environment, columns=columns, rows=rows, cwd=self.home
        )

    def apply(self, command: str, *arguments: str, profile: str = NAME) -> Said:
        """A command that changes something, agreed to."""
        return self.walconsole(command, profile, "--apply", "--confirm", profile, "--json", *arguments)

    def look(self, profile: str = NAME) -> Looked:
        """What `check` says now."""
        said = self.walconsole("check", profile, "--json", "--timeout", "150")
        try:
            return Looked(json.loads(said.text), said)
        except ValueError:
            return Looked({}, said)

    # -- What the watcher sees: begun with the first question, and there until the end.

    def stop_watching(self) -> None:
        """So that what comes is seen by nobody, or that the next question begins anew."""
        if self._watcher is not None:
            self._watcher.stop()
            self._watcher = None

    def until(self, holds: Callable[[Seen], bool], what: str, timeout_s: float = LONGEST_S) -> Seen:
        """Ask the watcher until `holds`; raises AssertionError with what a `check` says then."""
        if self._watcher is None:
            self._watcher = Watcher(self.workspace, self.command, self.environment, NAME)
        deadline = time.monotonic() + timeout_s
        while (seen := self._watcher.seen()) is None or not holds(seen):
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"{what}: not within {timeout_s:.0f} s\n{seen}\n{self._watcher.output()[-2000:]}\n"
                    f"{self.look()}"
                )
            time.sleep(0.5)
        return seen

    def until_well(self) -> Seen:
        """Until nothing alarms."""
        return self.until(lambda seen: seen.well, "all is well")

    def until_told(self, *ids: str) -> Seen:
        """Until each of these is found."""
        return self.until(lambda seen: set(ids) <= set(seen.findings), " and ".join(ids))

    # -- The droplet and the stores.

    def switch(self) -> str:
        """Have a segment be archived that holds something; its name."""
        return self.machine.sql(
            "SELECT pg_walfile_name(pg_switch_wal()) FROM pg_logical_emit_message(true, 'lab', 'x')"
        ).splitlines()[-1]

    def until_archived(self, name: str, timeout_s: float = LONGEST_S) -> None:
        """Until both copies hold it."""
        deadline = time.monotonic() + timeout_s
        while not all(any(key.startswith(name) for key in self.objects(role)) for role in BucketRole):
            assert time.monotonic() < deadline, f"{name} is not in both copies: {self.logged()}"
            time.sleep(0.5)

    def logged(self) -> str:
        """The end of PostgreSQL's own log file."""
        return self.machine.try_("tail -n 12 /var/log/postgresql/postgresql-17-main.log").stdout

    def objects(self, role: BucketRole) -> set[str]:
        """What the copy's bucket holds."""
        answer = self.gateways[role].client().list_objects_v2(Bucket=self.target(role).bucket)
        return {str(one["Key"]) for one in answer.get("Contents", [])}

    def target(self, role: BucketRole) -> BucketTarget:
        return self.profile.primary if role is BucketRole.PRIMARY else self.profile.dr

    def grant(self, *grants: Grant) -> None:
        """What the primary's key may do from now on."""
        self.account.replace(self.app, self.app.name, grants)

    def saw(self, what: str, seen: str) -> None:
        """A row of the page."""
        self.tried.append((what, seen))


def _profile(machine: Machine, user: str, gateways: Mapping[BucketRole, RadosGateway], api: str) -> Profile:
    def bucket(role: BucketRole) -> BucketTarget:
        gateway = gateways[role]
        return replace(
            default_bucket(role, NAME, gateway.region),
            endpoint=f"https://{STORES[role]}:{gateway.tls_port}",
            path_style=True,
            ca_file=str(gateway.certificate.authority),
        )

    return Profile(
        name=NAME,
        ssh=SshTarget(
            LOOPBACK,
            port=machine.port,
            user=user,
            identity_files=(str(machine.image.key),),
            known_hosts_file=str(machine.known_hosts),
            use_agent=False,
            connect_timeout_s=45.0,
        ),
        sudo=user != "root",
        postgres=PostgresTarget(cluster=ClusterName("17", "main")),
        primary=bucket(BucketRole.PRIMARY),
        dr=bucket(BucketRole.DR),
        paths=default_paths(NAME),
        api=ApiTarget(endpoint=api),
        drills=DrillSettings(reserve_mib=64),
    )
