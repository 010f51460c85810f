"""What preflight makes of a survey, of the API's keys and of the buckets: each obstacle, each warning."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.data.surveys import (
    CLUSTER,
    PROFILE,
    RCLONE,
    SERVER,
    SURVEY,
    SYSTEM,
    a_remote,
    with_rclone,
    with_server,
    without,
)
from walconsole.domain.profile import BackupSettings, Profile, default_paths
from walconsole.domain.store.access_keys import SpacesKey
from walconsole.domain.store.grants import KeyGrant
from walconsole.droplet.choices import Compression, DropletChoices
from walconsole.provision.droplet.survey import ConfiguredSetting, RemoteFacts, Survey
from walconsole.provision.engine.model import Fact, FactState
from walconsole.provision.steps.preflight_archive import BucketLook, KeyFacts, Scope, archive_facts
from walconsole.provision.steps.preflight_droplet import droplet_facts

OK, NOTE, WARNING, STOP, UNKNOWN = FactState
TARGETS = (PROFILE.primary, PROFILE.dr)
KEYS = KeyFacts(
    keys=(
        SpacesKey("prod", "DO00PRIMARY", (KeyGrant("shithub-wal", "readwrite"),), ""),
        SpacesKey("prod-dr", "DO00DR", (KeyGrant("shithub-wal-dr", "readwrite"),), ""),
    ),
    scopes={Scope.READ: True, Scope.UPDATE: True, Scope.DELETE: True},
)


def of_droplet(
    survey: Survey, profile: Profile = PROFILE, choices: DropletChoices | None = None
) -> list[Fact]:
    return list(droplet_facts(survey, profile, choices or DropletChoices()))


def of_archive(
    survey: Survey = SURVEY, keys: KeyFacts = KEYS, looks: Sequence[BucketLook] = ()
) -> list[Fact]:
    return list(archive_facts(survey, PROFILE, TARGETS, keys, looks))


def the_one(facts: list[Fact], label: str) -> Fact:
    (found,) = (fact for fact in facts if fact.label == label)
    return found


def test_nothing_is_wrong_with_a_good_droplet() -> None:
    looks = [BucketLook(target, 3, 3, systems=frozenset({SYSTEM})) for target in TARGETS]
    facts = of_droplet(SURVEY) + of_archive(looks=looks)
    states = {fact.label: fact.state for fact in facts if fact.state is not OK}
    assert states == {"archive_mode": NOTE, Scope.CREATE.value: UNKNOWN}
    assert not any(fact.remedy for fact in facts if fact.state is OK)


LIBRARY = {"archive_mode": "on", "archive_command": "", "archive_library": "basic_archive"}
RSYNC = {"archive_mode": "on", "archive_command": "rsync %p backup:%f"}
OURS = {"archive_mode": "on", "archive_command": '/usr/local/bin/shithub-pg-archive "%p" "%f"'}
BACKREST = ConfiguredSetting("pgbackrest archive-push %p", "/etc/postgresql/15/main/postgresql.conf:7")
LITTLE = {"/var/lib/postgresql/15/main/pg_wal": 5 * 1024**2, "/var/tmp": 1024**3}


@pytest.mark.parametrize(
    ("survey", "label", "state", "words"),
    [
        (replace(SURVEY, root=False, login="ops"), "SSH", STOP, "ops on droplet"),
        (replace(SURVEY, login="ops"), "SSH", OK, "root through sudo"),
        (replace(SURVEY, cluster=None, server=None, server_problem="there are 2"), "PostgreSQL", STOP, "2"),
        (
            replace(SURVEY, server=None, server_problem="no role"),
            "PostgreSQL",
            STOP,
            "cannot be asked: no role",
        ),
        (
            replace(SURVEY, server=None, server_problem="x", cluster=replace(CLUSTER, running=False)),
            "PostgreSQL",
            STOP,
            "is stopped",
        ),
        (with_server(SURVEY, version_num=120022), "PostgreSQL", WARNING, "version 12.22"),
        (with_server(SURVEY, version_num=190000), "PostgreSQL", WARNING, "version 19.0"),
        (with_server(SURVEY, in_recovery=True), "role", STOP, "standby"),
        (replace(SURVEY, conf_d=None), "drop-ins", WARNING, "includes no folder"),
        (with_server(SURVEY, settings=RSYNC), "archive_command", WARNING, "rsync: rsync %p"),
        (with_server(SURVEY, settings=OURS), "archive_command", OK, "shithub-pg-archive"),
        (replace(SURVEY, configured={"archive_command": BACKREST}), "archive_command", WARNING, "conf:7"),
        (SURVEY, "archive_command", OK, "none"),
        (with_server(SURVEY, settings=LIBRARY), "archive_library", WARNING, "basic_archive"),
        (replace(SURVEY, environment={"AWS_CA_BUNDLE": ""}), "environment", NOTE, "AWS_CA_BUNDLE"),
        (without(SURVEY, "rclone"), "rclone", OK, "1.60.1"),
        (with_rclone(without(SURVEY, "rclone"), version=None), "rclone", STOP, "not there"),
        (with_rclone(SURVEY, version=None), "rclone", WARNING, "/usr/bin/rclone"),
        (with_rclone(SURVEY, version=(1, 52, 3)), "rclone", STOP, "1.52.3 is too old: it takes 1.53.0"),
        (with_rclone(SURVEY, version=(1, 53, 0)), "rclone", OK, "1.53.0"),
        (without(SURVEY, "timeout"), "timeout", STOP, "not there"),
        (without(SURVEY, "psql"), "psql", STOP, "not there"),
        (without(SURVEY, "zstd"), "compression", NOTE, "gzip"),
        (without(SURVEY, "zstd", "gzip"), "compression", WARNING, "no zstd or gzip"),
        (without(SURVEY, "zstd"), "zstd", WARNING, "no base backup can be taken"),
        (without(SURVEY, "perl"), "perl", WARNING, "no base backup can be taken"),
        (with_server(SURVEY, tablespaces=2), "tablespaces", WARNING, "2 of its own"),
        (replace(SURVEY, systemd=False), "schedule", WARNING, "neither systemd nor cron"),
        (replace(SURVEY, systemd=False, crontabs=True), "schedule", OK, "cron"),
        (replace(SURVEY, clock_offset_s=None), "clock", UNKNOWN, "compared"),
        (replace(SURVEY, clock_offset_s=45.0), "clock", WARNING, "ahead of"),
        (replace(SURVEY, clock_offset_s=-5.0), "clock", OK, "behind"),
        (replace(SURVEY, clock_offset_s=-901.0), "clock", STOP, "15 minutes"),
        (replace(SURVEY, missing=("pg_wal: denied",)), "not seen", UNKNOWN, "denied"),
    ],
)
def test_what_is_said_of_a_droplet(survey: Survey, label: str, state: FactState, words: str) -> None:
    fact = the_one(of_droplet(survey), label)
    assert fact.state is state
    assert words in fact.value
    assert bool(fact.remedy) == (state in (STOP, WARNING)) or state in (NOTE, UNKNOWN)


def test_where_no_base_backup_is_expected_its_programs_are_not_asked_for() -> None:
    profile = replace(PROFILE, expect_base_backups=False)
    asked = with_server(without(SURVEY, "perl"), tablespaces=1)
    assert not {"perl", "tablespaces"} & {fact.label for fact in of_droplet(asked, profile)}


def test_incremental_backups_that_cannot_be_are_said_before() -> None:
    asked = replace(PROFILE, backups=BackupSettings(incremental=6))
    label = "incremental backups"
    newer = with_server(SURVEY, version_num=170010)
    able = with_server(newer, settings={**SERVER.settings, "summarize_wal": "on"})
    assert "PostgreSQL 15 takes none" in the_one(of_droplet(SURVEY, asked), label).value
    assert "summarize_wal is off" in the_one(of_droplet(newer, asked), label).value
    for survey, profile in ((able, asked), (newer, PROFILE)):
        assert label not in {fact.label for fact in of_droplet(survey, profile)}


def test_age_is_asked_for_where_base_backups_are_to_be_encrypted() -> None:
    sealed = replace(PROFILE, backups=BackupSettings(encrypt_for="/etc/recipients"))
    survey = without(SURVEY, "age")
    assert "age" not in {fact.label for fact in of_droplet(survey)}
    assert "apt-get install age" in the_one(of_droplet(survey, sealed), "age").remedy


def test_little_space_is_said_of_the_place_where_it_is() -> None:
    facts = [fact for fact in of_droplet(replace(SURVEY, free_bytes=LITTLE)) if fact.label == "free space"]
    assert [(fact.state, "pg_wal" in fact.value) for fact in facts] == [(WARNING, True), (OK, False)]


def test_a_sandbox_need_not_be_roots() -> None:
    profile = replace(PROFILE, paths=replace(default_paths("shithub"), root="/tmp/box"))
    fact = the_one(of_droplet(replace(SURVEY, root=False), profile), "SSH")
    assert fact.state is OK
    assert "/tmp/box" in fact.value


@pytest.mark.parametrize(
    ("compression", "missing", "state"),
    [
        (Compression.ZSTD, ("zstd",), WARNING),
        (Compression.GZIP, ("zstd",), OK),
        (Compression.NONE, ("zstd", "gzip"), NOTE),
    ],
)
def test_the_chosen_compression(compression: Compression, missing: tuple[str, ...], state: FactState) -> None:
    facts = of_droplet(without(SURVEY, *missing), choices=DropletChoices(compression=compression))
    assert the_one(facts, "compression").state is state


def remotes(*changed: RemoteFacts) -> Survey:
    kept = [one for one in RCLONE.remotes if one.name not in {other.name for other in changed}]
    return with_rclone(SURVEY, remotes=(*kept, *changed))


PROD = a_remote("spaces-prod", "DO00PRIMARY", "nyc3")


@pytest.mark.parametrize(
    ("survey", "label", "state", "words"),
    [
        (with_rclone(SURVEY, mode=0o644), "rclone's file", WARNING, "everybody"),
        (
            with_rclone(SURVEY, readable=False, problem="user postgres may not read it"),
            "rclone's file",
            STOP,
            "may not",
        ),
        (with_rclone(SURVEY, remotes=RCLONE.remotes[:1]), "remote spaces-dr", STOP, "there: spaces-prod"),
        (remotes(replace(PROD, kind="sftp")), "remote spaces-prod", STOP, "sftp, not s3"),
        (remotes(replace(PROD, access_key="", env_auth=True)), "remote spaces-prod", STOP, "env_auth"),
        (remotes(replace(PROD, access_key="")), "remote spaces-prod", STOP, "no access_key_id"),
        (remotes(replace(PROD, access_key="DO00OTHER")), "remote spaces-prod", WARNING, "knows nothing"),
        (replace(SURVEY, region=None), "droplet's region", UNKNOWN, "did not tell"),
        (replace(SURVEY, region="nyc1"), "droplet's region", OK, "near"),
        (replace(SURVEY, region="fra1"), "droplet's region", NOTE, "slower"),
    ],
)
def test_what_is_said_of_the_archive(survey: Survey, label: str, state: FactState, words: str) -> None:
    fact = the_one(of_archive(survey), label)
    assert fact.state is state
    assert words in fact.value


def test_an_endpoint_that_is_not_the_profiles() -> None:
    facts = of_archive(remotes(replace(PROD, endpoint="https://ams3.digitaloceanspaces.com")))
    assert [fact.state for fact in facts if fact.label == "remote spaces-prod"] == [OK, WARNING]
    same = of_archive(remotes(replace(PROD, endpoint="https://NYC3.digitaloceanspaces.com:443")))
    assert the_one(same, "remote spaces-prod").state is OK


@pytest.mark.parametrize(
    ("grants", "state", "words"),
    [
        ((KeyGrant("shithub-wal", "read"),), NOTE, "read on shithub-wal"),
        ((), NOTE, "no grant on"),
        ((KeyGrant("", "fullaccess"),), WARNING, "fullaccess"),
        ((KeyGrant("other", "readwrite"),), NOTE, "no grant on"),
    ],
)
def test_what_a_remotes_key_may_do(grants: tuple[KeyGrant, ...], state: FactState, words: str) -> None:
    keys = replace(KEYS, keys=(SpacesKey("prod", "DO00PRIMARY", grants, ""),))
    fact = the_one(of_archive(keys=keys), "remote spaces-prod")
    assert fact.state is state
    assert words in fact.value


def test_scopes_that_are_missing_and_a_token_that_is_not_there() -> None:
    lacking = KeyFacts(None, {Scope.READ: False, Scope.DELETE: False, Scope.UPDATE: False})
    facts = of_archive(keys=lacking)
    assert the_one(facts, "spaces_key:read").state is WARNING
    assert the_one(facts, "spaces_key:delete").state is STOP
    assert "stay alive" in the_one(facts, "spaces_key:delete").value
    create = the_one(facts, "spaces_key:create_credentials")
    assert (create.state, create.value) == (UNKNOWN, "not tried: it would make a key")
    none = of_archive(keys=KeyFacts(problem="no token", remedy="export one"))
    assert the_one(none, "API token").state is WARNING
    assert not any(fact.label.startswith("spaces_key") for fact in none)


def test_temporary_keys_that_are_alive_are_named() -> None:
    alive = SpacesKey("walconsole-temp-shithub-20260101T000000Z-abcd", "DO00T", (), "2026-01-01")
    keys = replace(KEYS, keys=(*(KEYS.keys or ()), alive))
    fact = the_one(of_archive(keys=keys), "temporary key")
    assert fact.state is WARNING
    assert alive.name in fact.value


def test_regions() -> None:
    def told(**changed: Any) -> list[Fact]:
        primary = replace(PROFILE.primary, **changed)
        return list(archive_facts(SURVEY, PROFILE, (primary, PROFILE.dr), KEYS, ()))

    assert the_one(told(region="mars1"), "primary region").state is WARNING
    assert "its endpoint is" in the_one(told(region="ams3"), "primary region").value
    both = told(region="sfo3", endpoint=PROFILE.dr.endpoint)
    assert the_one(both, "regions").state is WARNING
    assert the_one(told(endpoint="http://127.0.0.1:9"), "primary region").state is OK
    r2 = the_one(told(endpoint="https://0.r2.cloudflarestorage.com"), "primary region")
    assert "Cloudflare R2 has no versioning" in r2.value


@pytest.mark.parametrize(
    ("look", "state", "words"),
    [
        (BucketLook(TARGETS[0]), OK, "nothing is in it"),
        (BucketLook(TARGETS[0], 5), NOTE, "5 other objects"),
        (BucketLook(TARGETS[0], 5, 5, systems=frozenset({SYSTEM})), OK, "of this cluster"),
        (BucketLook(TARGETS[0], 5, 5, systems=frozenset({"42"})), STOP, "another cluster (system 42)"),
        (BucketLook(TARGETS[0], 5, 5, systems=frozenset({SYSTEM, "42"})), STOP, "system 42"),
        (BucketLook(TARGETS[0], 5, 5, unread="encrypted"), WARNING, "encrypted"),
        (BucketLook(TARGETS[0], 1000, 900, more=True, systems=frozenset({SYSTEM})), OK, "more than 900"),
        (BucketLook(TARGETS[0], code="NoSuchBucket", why="no"), NOTE, "not there yet"),
        (BucketLook(TARGETS[0], code="AccessDenied", why="no"), NOTE, "may not list"),
        (BucketLook(TARGETS[0], code="NoKey", why="none"), UNKNOWN, "no key to look with"),
        (BucketLook(TARGETS[0], code="Unreachable", why="no route"), WARNING, "no route"),
    ],
)
def test_what_lies_in_a_bucket(look: BucketLook, state: FactState, words: str) -> None:
    fact = the_one(of_archive(looks=[look]), "bucket shithub-wal")
    assert fact.state is state
    assert words in fact.value


def test_whose_segments_are_is_unknown_while_the_server_is() -> None:
    survey = replace(SURVEY, server=None, server_problem="down")
    look = BucketLook(TARGETS[0], 5, 5, systems=frozenset({"42"}))
    fact = the_one(of_archive(survey, looks=[look]), "bucket shithub-wal")
    assert fact.state is WARNING
    assert "the server was not asked" in fact.value
