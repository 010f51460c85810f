"""`walconsole demo --serve`: the embedded droplet without a console, for other programs to look at."""

import asyncio
import contextlib
import sys
from collections.abc import Mapping
from pathlib import Path

from walconsole.config.writer import profile_as_toml
from walconsole.domain.profile import BucketTarget, Profile, is_folder
from walconsole.errors import SandboxError
from walconsole.process import loop as event_loop
from walconsole.process.cleanup import Cleanups
from walconsole.process.logs import start_logging
from walconsole.process.stderr import say
from walconsole.process.stop import Stop
from walconsole.session.demo_process import LONGEST_STOP_S, SandboxProcess
from walconsole.session.wish import DemoWish, Session


def serve(session: Session, stop: Stop) -> int:
    """Run the droplet until a signal; the exit code. Raises SandboxError when it ends by itself."""
    warning = start_logging(session.log_file, chosen=session.log_chosen)
    if warning is not None:
        say(warning)
    return event_loop.run(lambda: _serve(session, stop))


async def _serve(session: Session, stop: Stop) -> int:
    stop.attach(asyncio.get_running_loop(), lambda: None)
    if not isinstance(session.target, DemoWish):
        raise TypeError("only the embedded droplet is served")
    async with Cleanups() as cleanups:
        droplet = SandboxProcess(session.target, say)
        cleanups.add("removing the embedded droplet", droplet.stop, LONGEST_STOP_S)
        serving = asyncio.create_task(_until_it_ends(droplet), name="embedded droplet")
        cleanups.add_task(serving)
        asked = asyncio.create_task(stop.requested.wait(), name="asked to end")
        await asyncio.wait([serving, asked], return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        if serving.done() and not stop.noted:
            serving.result()
    for line in cleanups.left:
        say(line)
    return stop.exit_code


async def _until_it_ends(droplet: SandboxProcess) -> None:
    profile = await droplet.start()
    lines = (*_how_to_connect(profile), *_tokens(profile, droplet.environment))
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()
    ending = await droplet.ended()
    if ending is not None:
        raise SandboxError("serving the embedded droplet", f"it ended unexpectedly ({ending})")


def _how_to_connect(profile: Profile) -> list[str]:
    """Commands for another terminal."""
    ssh = profile.ssh
    identity = f" -i {ssh.identity_files[0]}" if ssh.identity_files else ""
    known = f" -o UserKnownHostsFile={ssh.known_hosts_file}" if ssh.known_hosts_file else ""
    user = f"{ssh.user}@" if ssh.user else ""
    lines = ["The embedded droplet is ready; Ctrl-C takes it away."]
    config = _write_profile(profile)
    if config is not None:
        lines.append(f"console  walconsole --config {config}")
    lines.append(f"ssh      ssh -p {ssh.port or 22}{identity}{known} {user}{ssh.host}")
    postgres = profile.postgres
    if postgres.socket_dir is not None:
        port = f" -p {postgres.port}" if postgres.port else ""
        lines.append(f"psql     psql -h {postgres.socket_dir}{port} -U {postgres.user} {postgres.database}")
    lines += [_bucket_line(bucket, profile) for bucket in profile.buckets]
    return [*lines, f"keys     {profile.api.endpoint}/v2/spaces/keys"]


def _tokens(profile: Profile, environment: Mapping[str, str]) -> list[str]:
    """How another program gets the API's token: from a file that goes with the droplet's folder."""
    lines = []
    for name, value in environment.items():
        if profile.ssh.identity_files:
            path = Path(profile.ssh.identity_files[0]).parent / name.lower()
            with contextlib.suppress(OSError):
                path.touch(mode=0o600)
                path.write_text(f"{value}\n", "utf-8")
                lines.append(f"token    export {name}=$(cat {path})")
    return lines


def _bucket_line(bucket: BucketTarget, profile: Profile) -> str:
    if is_folder(bucket.bucket):
        return f"folder   ls -l {bucket.bucket}"
    remote = bucket.keys.rclone_remote
    return f"rclone   rclone --config {profile.paths.rclone_config} lsf {remote}:{bucket.bucket}"


def _write_profile(profile: Profile) -> Path | None:
    """A configuration file beside the droplet's own SSH key; it goes with the droplet's folder."""
    if not profile.ssh.identity_files:
        return None
    path = Path(profile.ssh.identity_files[0]).parent / "walconsole.toml"
    with contextlib.suppress(OSError):
        path.write_text(profile_as_toml(profile, "droplet"), "utf-8")
        return path
    return None
