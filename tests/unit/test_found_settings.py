"""What was found on the host, below what the operator says: which value holds, and where both differ."""

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.host_of_files import Host
from walconsole.config.choose import choose
from walconsole.config.found import adopt, leaves_open, takes_keys
from walconsole.config.reader import load
from walconsole.config.resolve import Resolved
from walconsole.config.writer import written_for
from walconsole.domain.archivers.discovery import Settings
from walconsole.domain.archivers.target import Discovery, S3Store
from walconsole.domain.profile import BucketRole, KeySource

RCLONE = """\
[sp]
type = s3
provider = DigitalOcean
endpoint = fra1.digitaloceanspaces.com
region = fra1
access_key_id = AKSP
secret_access_key = HIDDENSP
[far]
type = s3
provider = Ceph
endpoint = https://s3.example.net
access_key_id = AKFAR
secret_access_key = HIDDENFAR
"""
ONE = "rclone --config /etc/rc.conf copyto %p sp:acme-wal/pg/%f"
TWO = f"{ONE} && rclone --config /etc/rc.conf copyto %p far:acme-copy/%f"


def resolved(tmp_path: Path, text: str = "") -> Resolved:
    path = tmp_path / "config.toml"
    path.write_text(f'[profiles.acme]\nhost = "acme.example"\n{text}')
    return choose("acme", load(path, required=True), {"HOME": str(tmp_path)})


def found(command: str, **files: str) -> Discovery:
    return Host({"/etc/rc.conf": RCLONE, **files}).find_out(Settings(command))


def test_with_nothing_said_all_that_was_found_holds(tmp_path: Path) -> None:
    adopted = adopt(resolved(tmp_path), found(ONE))
    profile = adopted.resolved.profile
    assert (profile.primary.bucket, profile.primary.prefix) == ("acme-wal", "pg/")
    assert profile.primary.endpoint == "https://fra1.digitaloceanspaces.com"
    assert profile.primary.keys.rclone_remote == "sp"
    assert profile.paths.rclone_config == "/etc/rc.conf"
    assert not profile.second_copy
    assert adopted.differences == ()
    assert adopted.resolved.settings["primary.bucket"].origin == "found: archive_command"


def test_a_second_archiver_is_the_second_copy(tmp_path: Path) -> None:
    profile = adopt(resolved(tmp_path), found(TWO)).resolved.profile
    assert profile.second_copy
    assert (profile.dr.bucket, profile.dr.endpoint) == ("acme-copy", "https://s3.example.net")
    assert profile.dr.path_style


def test_what_the_console_installed_is_found_as_it_was_installed(tmp_path: Path) -> None:
    places = "config=/etc/rc.conf\nprimary=sp:acme-wal/\ndr=far:acme-dr/p/\n"
    files = {"/usr/local/bin/acme-pg-archive": f"#!/bin/sh\n# installed by walconsole.\n{places}"}
    discovery = found("/usr/local/bin/acme-pg-archive %p %f", **files)
    profile = adopt(resolved(tmp_path), discovery).resolved.profile
    assert [each.keys.rclone_remote for each in profile.buckets] == ["sp", "far"]
    assert [(each.bucket, each.prefix) for each in profile.buckets] == [("acme-wal", ""), ("acme-dr", "p/")]
    assert profile.paths.rclone_config == "/etc/rc.conf"


def test_the_profile_overrides_value_by_value_and_a_difference_is_told(tmp_path: Path) -> None:
    said = resolved(tmp_path, '[profiles.acme.primary]\nbucket = "other-wal"\nprefix = "pg/"\n')
    adopted = adopt(said, found(ONE))
    primary = adopted.resolved.profile.primary
    assert (primary.bucket, primary.prefix, primary.endpoint) == (
        "other-wal", "pg/", "https://fra1.digitaloceanspaces.com",
    )  # fmt: skip
    (line,) = adopted.differences
    assert line.startswith("primary.bucket: other-wal is believed, for ")
    assert line.endswith("the server archives to acme-wal (archive_command)")


def test_keys_that_the_profile_has_elsewhere_are_left_alone(tmp_path: Path) -> None:
    said = resolved(tmp_path, '[profiles.acme.primary]\nkeys = "environment"\n')
    files = {"/s": "[default]\naccess_key=A\nsecret_key=S\n"}
    adopted = adopt(said, found("s3cmd -c /s put %p s3://acme-wal/%f", **files))
    assert adopted.resolved.profile.primary.keys.source is KeySource.ENVIRONMENT
    assert adopted.keys == {}


def test_pairs_that_no_rclone_section_holds_are_kept_apart(tmp_path: Path) -> None:
    hosts = "host_base=s3.example.net\nhost_bucket=s3.example.net\n"
    files = {"/s": f"[default]\naccess_key=AK\nsecret_key=HIDDEN\n{hosts}"}
    adopted = adopt(resolved(tmp_path), found("s3cmd -c /s put %p s3://acme-wal/%f", **files))
    assert adopted.resolved.profile.primary.keys.rclone_remote == ""
    pair = adopted.keys[BucketRole.PRIMARY].pair
    assert pair is not None
    assert (pair.access_key, pair.secret) == ("AK", "HIDDEN")
    assert "HIDDEN" not in repr(adopted)


UNREAD = [
    ("barman-wal-archive b main %p", "Barman archives to Barman's server main on barman@b"),
    ("gsutil cp %p gs://acme-wal/%f", "gsutil archives to gs://acme-wal"),
    ("aws --endpoint-url http://10.0.0.9:9000 s3 cp %p s3://acme-wal/%f", "must use https"),
]


@pytest.mark.parametrize(("command", "why"), UNREAD)
def test_what_cannot_be_read_says_why(tmp_path: Path, command: str, why: str) -> None:
    primary = adopt(resolved(tmp_path), found(command)).resolved.profile.primary
    assert why in primary.unread
    text = '[profiles.acme.primary]\nbucket = "acme-wal"\nendpoint = "https://s3.example.net"\n'
    said = resolved(tmp_path, text)
    assert adopt(said, found(command)).resolved.profile.primary.unread == ""


def test_a_place_that_is_read_comes_before_one_that_is_not(tmp_path: Path) -> None:
    profile = adopt(resolved(tmp_path), found(f"barman-wal-archive b main %p && {ONE}")).resolved.profile
    assert profile.primary.bucket == "acme-wal"
    assert profile.primary.unread == ""


def test_a_folder_is_named_as_a_profile_names_it(tmp_path: Path) -> None:
    profile = adopt(resolved(tmp_path), found("rsync %p pg@store:/srv/wal/%f")).resolved.profile
    assert profile.primary.bucket == "pg@store:/srv/wal"


def test_where_nothing_was_found_nothing_changes(tmp_path: Path) -> None:
    said = resolved(tmp_path)
    assert adopt(said, Discovery()).resolved is said
    assert adopt(said, Discovery(owner="postgres")).resolved is said
    assert adopt(said, Discovery(owner="a b\n")).resolved is said


def test_a_server_that_runs_as_another_user_is_asked_as_that_user(tmp_path: Path) -> None:
    """initdb without -U names the superuser's role after the system's user that runs it."""
    asked = adopt(resolved(tmp_path), Discovery(owner="enterprisedb")).resolved
    assert (asked.profile.postgres.os_user, asked.profile.postgres.user) == ("enterprisedb", "enterprisedb")
    assert asked.settings["postgres.user"].origin == "found: the server runs as enterprisedb"
    said = resolved(tmp_path, '[profiles.acme.postgres]\nuser = "dba"\n')
    asked = adopt(said, Discovery(owner="enterprisedb")).resolved
    assert (asked.profile.postgres.os_user, asked.profile.postgres.user) == ("enterprisedb", "dba")
    assert said.profile.second_copy


COMPLETE = """\
[profiles.acme.primary]
bucket = "b-one"
endpoint = "https://s3.example.net"
keys = "environment"
"""


def test_what_is_left_open_is_asked_for(tmp_path: Path) -> None:
    whole = resolved(tmp_path, 'dr = "none"\n' + COMPLETE)
    assert not leaves_open(whole)
    assert not takes_keys(whole)
    half = resolved(tmp_path, COMPLETE)
    assert leaves_open(half)
    assert not takes_keys(half), "no word of the other copy: no secret is read for it either"
    assert takes_keys(resolved(tmp_path, COMPLETE + '[profiles.acme.dr]\nkeys = "droplet"\n'))
    assert leaves_open(resolved(tmp_path, 'dr = "none"\n' + COMPLETE.replace('keys = "environment"\n', "")))
    assert takes_keys(resolved(tmp_path))


@pytest.mark.parametrize(
    "command", [ONE, TWO, "barman-wal-archive b main %p", "rsync %p pg@store:/srv/wal/%f"]
)
def test_a_written_profile_reads_back_the_same_and_holds_no_secret(tmp_path: Path, command: str) -> None:
    adopted = adopt(resolved(tmp_path), found(command))
    text = written_for(adopted.resolved, "acme")
    assert "HIDDEN" not in text
    assert "# " in text
    tomllib.loads(text)
    path = tmp_path / "written.toml"
    path.write_text(text)
    again = choose("acme", load(path, required=True), {"HOME": str(tmp_path)}).profile
    wanted = adopted.resolved.profile
    if wanted.primary.unread:
        assert f'#bucket = "{wanted.primary.bucket}"' in text
        return
    if "/" not in wanted.primary.bucket:
        assert again.primary == replace(wanted.primary, unread="")
    assert again.second_copy is wanted.second_copy


def test_certificates_of_the_tool_are_trusted_for_its_endpoint_alone(tmp_path: Path) -> None:
    pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"
    command = "rclone --config /etc/rc.conf --ca-cert /ca.pem copyto %p far:acme-wal/%f"
    ca = f"-----BEGIN PRIVATE KEY-----\nBBBB\n-----END PRIVATE KEY-----\n{pem}\n"
    discovery = found(command, **{"/ca.pem": ca})
    store = discovery.targets[0].store
    assert isinstance(store, S3Store)
    assert store.ca_text == pem
    assert adopt(resolved(tmp_path), discovery).resolved.profile.primary.ca_text == pem
    said = resolved(tmp_path, '[profiles.acme.primary]\nendpoint = "https://elsewhere.example"\n')
    assert adopt(said, discovery).resolved.profile.primary.ca_text == ""
