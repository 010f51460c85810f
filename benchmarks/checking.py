"""`walconsole check` from start to exit, beside the shell script that asks the same of psql and rclone."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.droplet import NAME, droplet
from benchmarks.report import Result, middle
from walconsole.config.writer import profile_as_toml
from walconsole.domain.profile import Profile

BUDGET_S = 2.0


def measure(runs: int) -> list[Result]:
    """Medians of `runs`, in turn: the first check lists the buckets, the later ones what is new."""
    ours: list[float] = []
    script: list[float] = []
    with tempfile.TemporaryDirectory(prefix="walconsole-bench-") as temporary, droplet("healthy") as profile:
        folder = Path(temporary)
        config = folder / "config.toml"
        config.write_text(profile_as_toml(profile, NAME))
        config.chmod(0o600)
        command = [sys.executable, "-m", "walconsole", "check", NAME, "--config", str(config)]
        for _ in range(runs):
            ours.append(_timed(command, folder))
            script.append(_timed(_by_hand(profile), folder))
    return [
        Result("check, start to exit", middle(ours), "s", BUDGET_S, f"slowest {max(ours):.2f} s"),
        Result("ssh, psql and rclone lsf by a script", middle(script), "s", note="tells no cause"),
    ]


def _by_hand(profile: Profile) -> list[str]:
    """What a monitoring script of one's own does: three questions over one SSH connection."""
    ssh, paths = profile.ssh, profile.paths
    socket = profile.postgres.socket_dir or "/var/run/postgresql"
    listing = " && ".join(
        f"rclone --config {paths.rclone_config} lsf {target.keys.rclone_remote}:{target.bucket} | tail -n 1"
        for target in (profile.primary, profile.dr)
    )
    query = "select last_archived_wal, last_archived_time, last_failed_time from pg_stat_archiver"
    there = f'psql -XAt -h {socket} -U postgres -c "{query}" postgres && {listing} && df -P {socket}'
    options = ["-o", f"UserKnownHostsFile={ssh.known_hosts_file}", "-o", "BatchMode=yes"]
    who = f"{ssh.user}@{ssh.host}" if ssh.user else ssh.host
    return ["ssh", "-F", "/dev/null", "-p", str(ssh.port), "-i", ssh.identity_files[0], *options, who, there]


def _timed(command: list[str], folder: Path) -> float:
    """Seconds. Raises RuntimeError with what it said where it did not end with 0."""
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=60, check=False)
    seconds = time.monotonic() - began
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return seconds
