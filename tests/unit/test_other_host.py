"""Another host, judged: each thing that it must have, one at a time."""

from dataclasses import replace

import pytest

from tests.data.provisioning import a_profile
from walconsole.domain.profile import BucketRole, KeyReference, KeySource, SshTarget, default_bucket
from walconsole.domain.recovery.other_host import (
    ClusterNeeds,
    ClusterThere,
    HostJudgement,
    OtherHost,
    judged_host,
)
from walconsole.domain.store.access_keys import KeyPair
from walconsole.droplet.rclone_config import rclone_config

NEEDS = ClusterNeeds(
    identity="aaaa",
    major=15,
    machine="x86_64",
    glibc="glibc 2.36",
    block=8192,
    wal_block=8192,
    locales=("C", "en_US.UTF-8"),
    libraries=("pg_stat_statements",),
    system_identifier="7",
)
THERE = OtherHost(
    "root@spare",
    identity="bbbb",
    machine="x86_64",
    glibc="glibc 2.36",
    bin="/usr/lib/postgresql/15/bin",
    locales=("C", "C.utf8", "POSIX", "en_US.utf8"),
    libraries=("pg_stat_statements", "plpgsql"),
    clock_off_s=0.2,
)


def test_a_host_that_is_built_alike_is_taken() -> None:
    assert judged_host(NEEDS, THERE) == HostJudgement()


SAME = ClusterThere("/d", "7", "in production")
COPY = ClusterThere("/d", "7", "in archive recovery")


@pytest.mark.parametrize(
    ("there", "why"),
    [
        (replace(THERE, identity="aaaa"), "production's own host under another name"),
        (replace(THERE, is_root=False), "sudo does not make it so"),
        (replace(THERE, has_user=False), "no user postgres"),
        (replace(THERE, bin=""), "PostgreSQL 15 is not installed"),
        (replace(THERE, lacks=("rclone", "zstd")), "lacks rclone zstd"),
        (replace(THERE, machine="aarch64"), "architecture is x86_64, that of root@spare aarch64"),
        (replace(THERE, block=16384), "block size is 8192, that of root@spare 16384"),
        (replace(THERE, wal_block=65536), "WAL block size is 8192"),
        (replace(THERE, locales=("C",)), "no locale en_US.UTF-8"),
        (replace(THERE, clock_off_s=-301.0), "the clock of root@spare is 5 min 01 s off"),
        (replace(THERE, clusters=(SAME,)), "/d on root@spare is this very cluster"),
    ],
)
def test_what_forbids_it_is_said(there: OtherHost, why: str) -> None:
    (refused,) = judged_host(NEEDS, there).refusals
    assert why in refused.text
    assert refused.remedy


@pytest.mark.parametrize(
    ("needs", "there", "why"),
    [
        (NEEDS, replace(THERE, glibc="glibc 2.41"), "has glibc 2.36, root@spare glibc 2.41"),
        (NEEDS, replace(THERE, libraries=()), "preloads pg_stat_statements"),
        (NEEDS, replace(THERE, clock_off_s=12.0), "the clock of root@spare is 12"),
        (NEEDS, replace(THERE, clusters=(COPY,)), "is a copy of this"),
        (ClusterNeeds(major=15), THERE, "production was not asked"),
    ],
)
def test_what_is_only_risked_is_told(needs: ClusterNeeds, there: OtherHost, why: str) -> None:
    judged = judged_host(needs, there)
    assert judged.refusals == ()
    (told,) = judged.warnings
    assert why in told.text


def test_another_cluster_and_one_that_is_not_known_are_no_concern() -> None:
    there = replace(THERE, clusters=(ClusterThere("/d", "8", "in production"),))
    assert judged_host(NEEDS, there) == HostJudgement()


def test_another_host_is_reached_as_the_droplet_is() -> None:
    droplet = SshTarget("db", 2222, "root", ("/k",), "/known", use_agent=False)
    there = droplet.instead(SshTarget("spare"))
    assert (there.host, there.port, there.user) == ("spare", None, "root")
    assert (there.identity_files, there.known_hosts_file, there.use_agent) == (("/k",), "/known", False)
    assert str(droplet.instead(SshTarget("spare", 22, "admin"))) == "admin@spare:22"


def test_keys_are_brought_under_the_names_that_the_scripts_use() -> None:
    profile = a_profile()
    dr = replace(default_bucket(BucketRole.DR, "it", "sfo3"), keys=KeyReference(KeySource.ENVIRONMENT))
    text = rclone_config(replace(profile, dr=dr), {BucketRole.DR: KeyPair("ID", "SECRET")})
    assert "[spaces-dr]\ntype = s3\n" in text
    assert "access_key_id = ID\nsecret_access_key = SECRET\n" in text
    assert "spaces-prod" not in text, "a copy without a pair is left out"
