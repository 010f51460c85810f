"""A droplet that is busy and serves: `check` waits as long as it may, and its verdict is a true one."""

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.integration.observed import profile_of
from tests.servers.fixtures import MakeCluster, MakeSshd
from tests.servers.postgres_debian import DebianCluster
from walconsole.domain.failures import Level, diagnose
from walconsole.domain.standing.unseen import of_one_look
from walconsole.operator_files.kept import for_this_session
from walconsole.process.clock import SystemClock
from walconsole.session.one_look import look_once

pytestmark = [pytest.mark.server, pytest.mark.timeout(240), pytest.mark.long]

SLOW_S = 7
"""More than any script of a look is usually given. Nothing works meanwhile: it is slept."""
LIMIT_S = 60.0
SLOW = f"""\
#!/bin/sh
# Each program is started {SLOW_S} s late, and what the shell prints that serves scripts comes so much later.
sleep {SLOW_S}
case $SSH_ORIGINAL_COMMAND in
*'read -r script'*) exec {sys.executable} -S -c '
import os, queue, subprocess, threading, time
shell = subprocess.Popen(["/bin/sh", "-c", os.environ["SSH_ORIGINAL_COMMAND"]], stdout=subprocess.PIPE)
late = queue.Queue()
def answer():
    while True:
        due, chunk = late.get()
        time.sleep(max(0.0, due - time.monotonic()))
        os.write(1, chunk)
        if not chunk:
            os._exit(0)
threading.Thread(target=answer, daemon=True).start()
while True:
    chunk = os.read(shell.stdout.fileno(), 65536)
    late.put((time.monotonic() + {SLOW_S}, chunk))
    if not chunk:
        threading.Event().wait()
' ;;
*) exec /bin/sh -c "$SSH_ORIGINAL_COMMAND" ;;
esac
"""


@pytest.fixture
async def failing(make_cluster: MakeCluster) -> DebianCluster:
    """A cluster whose archive command fails."""
    cluster = make_cluster(wal_segment_mib=1, start=False)
    cluster.write_config("archive.conf", {"archive_mode": "on", "archive_command": "/bin/false"})
    await asyncio.to_thread(cluster.start)
    cluster.sql("SELECT pg_create_restore_point('due')")
    cluster.sql("SELECT pg_switch_wal()")
    for _ in range(300):
        if cluster.sql("SELECT failed_count > 0 FROM pg_stat_archiver") == [(True,)]:
            break
        await asyncio.sleep(0.1)
    return cluster


async def test_a_slow_droplet_is_waited_for_as_long_as_is_allowed(
    failing: DebianCluster, make_sshd: MakeSshd, tmp_path: Path
) -> None:
    """Slowness is a finding beside what is true, and no store is blamed: there was no key to ask one with."""
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    program = tmp_path / "slow"
    program.write_text(SLOW)
    program.chmod(0o755)
    roots = f"PG_CLUSTER_CONF_ROOT={failing.conf_root}"
    server = make_sshd({"SetEnv": roots, "ForceCommand": str(program)})
    profile = profile_of(server, failing)
    profile = replace(profile, paths=replace(profile.paths, rclone_config=str(tmp_path / "none.conf")))
    clock = SystemClock()
    snapshot, refused = await look_once(profile, clock, {}, for_this_session(), LIMIT_S)
    told = of_one_look(diagnose(snapshot, clock.now()), snapshot, LIMIT_S)
    assert refused == ()
    assert told.verdict.level is Level.CRITICAL, told.verdict.text
    assert "archiving FAILS" in told.verdict.text
    rules = {finding.rule: finding for finding in told.findings}
    assert not {"endpoint-wrong", "postgres-unreachable", "ssh-lost", "host-unreadable"} & rules.keys()
    assert "no-key" in rules
    assert "load " in str(rules["slow-droplet"].evidence)
    assert "steal time" in str(rules["slow-droplet"].evidence)
