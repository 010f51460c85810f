"""What is another tool's to do is left to it: in which words, and by which profile."""

from pathlib import Path
from typing import cast

import pytest

from tests.unit.host_of_files import Host
from tests.unit.test_found_settings import ONE, resolved
from walconsole.adapters.ssh.shell import SshShell
from walconsole.config.found import adopt
from walconsole.domain.archivers.discovery import Settings
from walconsole.domain.archivers.instead import OwnStep, instead
from walconsole.domain.profile import BucketRole
from walconsole.errors import BlockedError
from walconsole.observe.host.host import HostProbe
from walconsole.ports import Clock
from walconsole.session.finding import HostFinding, keys_of

CONF = {"/p.conf": "[global]\nrepo1-type=s3\nrepo1-s3-bucket=acme-wal\nrepo1-s3-endpoint=s3.example.net\n"
        "repo1-s3-region=x\nrepo1-path=/repo\nrepo1-s3-key=AK\nrepo1-s3-key-secret=HIDDEN\n"}  # fmt: skip
PGBACKREST = "pgbackrest --config=/p.conf --stanza=main archive-push %p"
RCLONE = {
    "/etc/rc.conf": "[sp]\ntype=s3\nprovider=Ceph\nendpoint=https://s3.example.net\nregion=x\n"
    "access_key_id=AK\nsecret_access_key=HIDDEN\n"
}


def finding(folder: Path, command: str, text: str = "", **environ: str) -> HostFinding:
    profile = resolved(folder, text)
    found = Host(CONF | RCLONE, environ).find_out(Settings(command))
    return HostFinding(
        profile,
        cast("SshShell", None),
        cast("HostProbe", None),
        cast("Clock", None),
        adopt(profile, found),
    )


@pytest.mark.parametrize("step", OwnStep)
@pytest.mark.parametrize(
    ("command", "tool", "own"),
    [
        (PGBACKREST, "pgBackRest", "`pgbackrest --config=/p.conf --stanza=main "),
        ("wal-g --config /w.yaml wal-push %p", "WAL-G", "`wal-g "),
        ("barman-cloud-wal-archive s3://acme-wal/b main %p", "barman-cloud", "`barman-cloud-backup"),
        ("barman-wal-archive backup.example main %p", "Barman", "`ssh barman@backup.example barman "),
        ("pghoard_postgres_command --mode archive --site s --xlog %f", "pghoard", "`pghoard_restore "),
        ("pg_probackup archive-push -B /b --instance=main --wal-file-name=%f", "pg_probackup",
         "`pg_probackup "),
    ],
)  # fmt: skip
def test_a_step_names_the_tools_own_command(
    tmp_path: Path, step: OwnStep, command: str, tool: str, own: str
) -> None:
    with pytest.raises(BlockedError) as raised:
        finding(tmp_path, command).refuse(step)
    line = raised.value.line()
    assert f"walconsole {step}" in line
    assert f"{tool} archives this server to " in line
    assert own in line
    assert "HIDDEN" not in line
    assert " check" not in line or tool == "Barman", "pgbackrest check switches WAL"


@pytest.mark.parametrize("command", [ONE, "cp %p /mnt/wal/%f", "/bin/true", ""])
def test_what_has_no_backups_of_its_own_leaves_a_step_as_it_is(tmp_path: Path, command: str) -> None:
    for step in OwnStep:
        finding(tmp_path, command).refuse(step)


def test_a_bucket_that_the_operator_names_is_walconsoles_own(tmp_path: Path) -> None:
    other = '[profiles.acme.primary]\nbucket = "ours-wal"\n'
    for step in OwnStep:
        finding(tmp_path, PGBACKREST, other).refuse(step)
    same = '[profiles.acme.primary]\nbucket = "acme-wal"\n'
    with pytest.raises(BlockedError, match="two archivers would write one archive"):
        finding(tmp_path, PGBACKREST, same).refuse(OwnStep.PROVISION)


async def test_the_pair_that_was_found_is_used_by_a_step(tmp_path: Path) -> None:
    found = finding(tmp_path, "pgbackrest --config=/p.conf --stanza=main archive-push %p")
    primary = found.profile.primary
    pair = await keys_of(primary, {}, cast("object", None), found).key_pair()  # type: ignore[arg-type]
    assert (pair.access_key, pair.secret) == ("AK", "HIDDEN")
    assert primary.role is BucketRole.PRIMARY


def test_the_postmasters_variables_are_in_no_argument(tmp_path: Path) -> None:
    found = finding(
        tmp_path, "wal-g wal-push %p", WALG_S3_PREFIX="s3://acme-wal/x", AWS_SECRET_ACCESS_KEY="HIDDEN"
    )
    (target,) = found.adopted.discovery.targets if found.adopted is not None else ()
    assert target.commands.look == (
        'bash -c \'while IFS= read -rd "" each; do export "$each"; done '
        '</proc/"$(head -n 1 /data/postmaster.pid)"/environ; exec wal-g wal-show\''
    )
    told = instead(OwnStep.BACKUP, target)
    assert told is not None
    assert "HIDDEN" not in told.remedy


def test_variables_of_a_script_are_not_typed_without_it(tmp_path: Path) -> None:
    script = "#!/bin/sh\nexport AWS_SECRET_ACCESS_KEY=HIDDEN AWS_ACCESS_KEY_ID=AK\n"
    own = "barman-cloud-wal-archive s3://acme-wal/b main $1\n"
    for text, look in (
        (script + own, ""),
        ("#!/bin/sh\n" + own, "barman-cloud-backup-list s3://acme-wal/b main"),
    ):
        (target,) = Host({"/a.sh": text}).find_out(Settings("/a.sh %p")).targets
        assert target.commands.look == look


def test_keys_among_the_words_stay_out_of_what_is_typed() -> None:
    keys = "--repo1-s3-key=AK --repo1-s3-key-secret=HIDDEN"
    command = f"pgbackrest --stanza=main {keys} --repo1-path=/r archive-push %p"
    (target,) = Host({}).find_out(Settings(command)).targets
    assert target.commands.look == "pgbackrest --stanza=main --repo1-path=/r info"
