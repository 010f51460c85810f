"""The embedded droplet for a benchmark, reached directly or through proxies that stand for a distance."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from tests.servers.proxy import Proxy, Traffic
from walconsole.config.writer import profile_as_toml
from walconsole.domain.profile import BucketTarget, Profile, SshTarget
from walconsole.domain.profile_json import profile_from_json

NAME = "bench"
"""The profile's name in its file: the droplet's own, `demo`, is a command."""


@contextmanager
def droplet(scenario: str) -> Iterator[Profile]:
    """Run the embedded droplet; its profile once it is ready. Raises RuntimeError with its error."""
    process = subprocess.Popen(
        [sys.executable, "-m", "walconsole.sandbox", "--scenario", scenario],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield _ready(process)
    finally:
        process.communicate(timeout=30)  # closes its standard input: it takes everything away


def _ready(process: "subprocess.Popen[str]") -> Profile:
    for line in process.stdout or ():
        news = json.loads(line)
        if "ready" in news:
            return profile_from_json(json.dumps(news["ready"]))
        if "error" in news:
            raise RuntimeError(f"the embedded droplet: {news['error']}")
    raise RuntimeError(f"the embedded droplet ended with status {process.wait()}")


@dataclass(frozen=True, slots=True)
class Distance:
    """The proxies on the way to one droplet: SSH, both regions of Spaces, the keys API."""

    proxies: dict[str, Proxy]

    def delay(self, round_trip_s: float) -> None:
        """Half of it each way."""
        for proxy in self.proxies.values():
            proxy.delay(round_trip_s / 2)

    def take_traffic(self) -> dict[str, Traffic]:
        """What passed on each way since the last time."""
        return {name: proxy.reset_traffic() for name, proxy in self.proxies.items()}


@contextmanager
def distant(profile: Profile, folder: Path) -> Iterator[tuple[Profile, Distance]]:
    """The same droplet behind a proxy on each of its ports; `folder` takes a known_hosts file for it."""
    with ExitStack() as stack:
        proxies: dict[str, Proxy] = {}

        def through(name: str, port: int) -> int:
            proxies[name] = Proxy(port)
            stack.callback(proxies[name].close)
            return proxies[name].port

        moved = replace(
            profile,
            ssh=_moved_ssh(profile.ssh, through("ssh", profile.ssh.port or 22), folder),
            primary=_moved_bucket(profile.primary, through("primary", _port(profile.primary.endpoint))),
            dr=_moved_bucket(profile.dr, through("dr", _port(profile.dr.endpoint))),
        )
        yield moved, Distance(proxies)


def _port(endpoint: str) -> int:
    port = urlsplit(endpoint).port
    if port is None:
        raise ValueError(f"{endpoint}: the embedded droplet names its ports")
    return port


def _moved_bucket(bucket: BucketTarget, port: int) -> BucketTarget:
    return replace(bucket, endpoint=f"http://127.0.0.1:{port}")


def _moved_ssh(ssh: SshTarget, port: int, folder: Path) -> SshTarget:
    known = Path(ssh.known_hosts_file or "").read_text()
    file = folder / "known_hosts"
    file.write_text(known.replace(f"]:{ssh.port} ", f"]:{port} "))
    return replace(ssh, port=port, known_hosts_file=str(file))


def command(profile: Profile, folder: Path) -> list[str | Path]:
    """The command line of a console on `profile`; `folder` takes its configuration file."""
    config = folder / "walconsole.toml"
    config.write_text(profile_as_toml(profile, NAME))
    return [Path(sys.executable).parent / "walconsole", "--config", config, NAME]
