"""Which engine provisioning sets up: never two at once, the better one proposed; what is rendered for it."""

from dataclasses import replace

import pytest

from tests.data.provisioning import a_site
from tests.data.surveys import PROFILE, SURVEY, NoShell, with_server, without
from walconsole.domain.profile import BackupSettings, Engine, Profile
from walconsole.domain.recovery.by_tool import ClusterPlace
from walconsole.domain.recovery.keep import Keep
from walconsole.domain.round_trips import ShellAnswer
from walconsole.droplet.choices import Authorities, BackupChoices, Compression, DropletChoices
from walconsole.droplet.pgbackrest import configuration, unfit
from walconsole.droplet.rendering import archive_command, pgbackrest_backup_script
from walconsole.provision.droplet.survey import Survey
from walconsole.provision.engine.model import CheckState, Fact, FactState
from walconsole.provision.engine.site import Site
from walconsole.provision.steps.engine import LARGE_BYTES, archives_already, engine_facts
from walconsole.provision.steps.pgbackrest_package import PgBackRestPackage

BY_PGBACKREST = replace(PROFILE, engine=Engine.PGBACKREST)
SMALL = 2 * 1024**3
PLACE = ClusterPlace("/var/lib/postgresql/15/main", 5432, "/var/run/postgresql")


def archiving(command: str, library: str = "") -> Survey:
    return with_server(
        SURVEY, settings={"archive_mode": "on", "archive_command": command, "archive_library": library}
    )


def engine_of(survey: Survey, profile: Profile, size: int | None = SMALL) -> Fact:
    (fact,) = engine_facts(survey, profile, DropletChoices(), BackupChoices.for_profile(profile), size)
    return fact


@pytest.mark.parametrize(
    ("command", "library", "who"),
    [
        ("", "", ""),
        ("(disabled)", "", ""),
        ("/bin/true", "", ""),
        (archive_command(BY_PGBACKREST), "", ""),
        (archive_command(PROFILE), "", "this console's own archive command, shithub-pg-archive,"),
        (
            "pgbackrest --stanza=main archive-push %p",
            "",
            "pgBackRest by a configuration that is not this console's",
        ),
        ("envdir /etc/wal-g.d/env wal-g wal-push %p", "", "WAL-G"),
        ("", "basic_archive", "the library basic_archive"),
    ],
)
def test_what_archives_already_stands_in_the_way(command: str, library: str, who: str) -> None:
    survey = archiving(command, library)
    assert archives_already(survey, BY_PGBACKREST) == who
    fact = engine_of(survey, BY_PGBACKREST)
    assert (fact.state is FactState.STOP) == bool(who)
    if who:
        assert fact.value == f"{who} archives this server already: there are never two at once"
        assert "walconsole undo" in fact.remedy


def test_a_command_that_is_not_in_force_archives_nothing() -> None:
    off = with_server(SURVEY, settings={"archive_mode": "off", "archive_command": "rsync %p x:%f"})
    assert archives_already(off, BY_PGBACKREST) == ""
    assert archives_already(replace(SURVEY, server=None), BY_PGBACKREST) == ""


@pytest.mark.parametrize(
    ("tablespaces", "size", "proposed"),
    [
        (0, SMALL, ""),
        (0, None, ""),
        (0, LARGE_BYTES - 1, ""),
        (0, LARGE_BYTES, "side by side"),
        (2, SMALL, "it stores the tablespaces (2)"),
    ],
)
def test_pgbackrest_is_proposed_where_one_stream_is_not_enough(
    tablespaces: int, size: int | None, proposed: str
) -> None:
    fact = engine_of(with_server(SURVEY, tablespaces=tablespaces), PROFILE, size)
    assert ("pgBackRest is proposed" in fact.value) == bool(proposed)
    assert proposed in fact.value
    assert (fact.state is FactState.WARNING) == bool(proposed)
    assert ('engine = "pgbackrest"' in fact.remedy) == bool(proposed)


def test_what_archives_already_is_not_to_be_replaced_by_a_proposal() -> None:
    survey = with_server(archiving("pgbackrest --stanza=main archive-push %p"), tablespaces=2)
    assert "proposed" not in engine_of(survey, PROFILE).value


def lines(profile: Profile, choices: DropletChoices | None = None) -> list[str]:
    text = configuration(profile, choices or DropletChoices(), BackupChoices.for_profile(profile), PLACE)
    return text.splitlines()


def test_the_configuration_has_a_repository_in_each_copy_and_no_secret() -> None:
    primary = replace(PROFILE.primary, prefix="pg/main/", endpoint="https://s3.lan:9000", path_style=True)
    found = lines(replace(BY_PGBACKREST, primary=primary))
    for line in (
        "repo1-path=/pg/main", "repo1-s3-endpoint=s3.lan", "repo1-storage-port=9000",
        "repo1-s3-uri-style=path",
        f"repo1-s3-bucket={PROFILE.primary.bucket}", "repo2-path=/", "repo2-s3-uri-style=host",
        "repo2-s3-endpoint=sfo3.digitaloceanspaces.com", "repo1-s3-key=@id spaces-prod@",
        "repo2-s3-key-secret=@secret spaces-dr@", "pg1-path=/var/lib/postgresql/15/main", "pg1-port=5432",
        "compress-type=zst", "[shithub]",
    ):  # fmt: skip
        assert line in found
    assert not [line for line in found if "ca-file" in line or line.startswith("repo2-storage-port")]


def test_one_copy_is_one_repository() -> None:
    found = lines(BY_PGBACKREST, DropletChoices(to_dr=False, compression=Compression.NONE))
    assert not [line for line in found if line.startswith("repo2")]
    assert "compress-type=none" in found


def test_certificates_are_named_for_the_copy_that_needs_them() -> None:
    primary = replace(PROFILE.primary, ca_file="/home/op/ca.pem")
    found = lines(
        replace(BY_PGBACKREST, primary=primary), DropletChoices(authorities=Authorities("PEM", False))
    )
    assert [line for line in found if "ca-file" in line] == [
        "repo1-storage-ca-file=/etc/rclone-shithub-ca.pem"
    ]


@pytest.mark.parametrize(
    ("keep", "incremental", "kept"),
    [
        (None, 0, []),
        (Keep(full=7), 6, ["full-type=count", "full=7"]),
        (Keep(days=14), 0, ["full-type=time", "full=14"]),
        (Keep(days=13.2), 0, ["full-type=time", "full=14"]),
        (Keep(full=7, days=14), 0, ["full-type=time", "full=14"]),
        (Keep(full=7, days=14), 6, ["full-type=time", "full=49"]),
    ],
)
def test_retention_keeps_at_least_what_the_profile_says(
    keep: Keep | None, incremental: int, kept: list[str]
) -> None:
    profile = replace(BY_PGBACKREST, keep=keep, backups=BackupSettings(incremental=incremental))
    found = [line for line in lines(profile) if "retention" in line]
    assert found == [f"repo{number}-retention-{rule}" for number in (1, 2) for rule in kept]


def test_what_pgbackrest_cannot_do_is_said() -> None:
    def of(profile: Profile) -> str:
        return unfit(profile, DropletChoices(), BackupChoices.for_profile(profile))

    assert of(BY_PGBACKREST) == ""
    plain = replace(BY_PGBACKREST, dr=replace(PROFILE.dr, endpoint="http://10.0.0.7:9000"))
    assert of(plain).startswith("pgBackRest speaks TLS alone")
    folder = replace(BY_PGBACKREST, primary=replace(PROFILE.primary, bucket="/mnt/wal"))
    assert "is a folder" in of(folder)
    assert "encrypt" in of(replace(BY_PGBACKREST, backups=BackupSettings(encrypt_for="/etc/keys")))


def test_the_script_knows_each_repository_by_its_number_and_bucket() -> None:
    script = pgbackrest_backup_script(BY_PGBACKREST, DropletChoices(), BackupChoices(incremental=6))
    assert "repositories='1 2'" in script
    assert f"places='{PROFILE.primary.bucket} {PROFILE.dr.bucket}'" in script
    assert "in_turn=6 " in script
    assert "pgbackrest --config=/etc/pgbackrest-shithub.conf --stanza=shithub --repo=" in script


class Telling(NoShell):
    """ports.Shell on which pgBackRest tells `version`."""

    def __init__(self, version: str) -> None:
        self._version = version

    async def run(self, script: str, *, timeout_s: float = 5.0) -> ShellAnswer:
        assert script.strip("(\n)") == "pgbackrest version"
        return ShellAnswer(f"pgBackRest {self._version}\n".encode(), 0, 0.0, 0.0)


def package(survey: Survey, version: str = "2.45") -> PgBackRestPackage:
    async def look(_: Site) -> Survey:
        return survey

    return PgBackRestPackage(a_site(BY_PGBACKREST, Telling(version), look))


WITH_APT = replace(SURVEY, tools={**without(SURVEY, "pgbackrest").tools, "apt-get": "/usr/bin/apt-get"})
INSTALLED = replace(SURVEY, tools={**SURVEY.tools, "pgbackrest": "/usr/bin/pgbackrest"})


async def test_the_package_is_installed_where_it_is_missing_and_apt_is_there() -> None:
    step = package(WITH_APT)
    assert (await step.check()).state is CheckState.NEEDED
    (command,) = (await step.plan()).commands
    assert command.text.endswith("install -y --no-install-recommends pgbackrest")
    assert command.user == "root"
    without_apt = await package(without(WITH_APT, "apt-get")).check()
    assert without_apt.state is CheckState.BLOCKED
    assert "2.39 or newer" in without_apt.remedy


@pytest.mark.parametrize(
    ("version", "state", "said"),
    [
        ("2.39", CheckState.DONE, "pgBackRest 2.39 is installed"),
        ("2.55.1", CheckState.DONE, "pgBackRest 2.55 is installed"),
        ("2.38", CheckState.BLOCKED, "too old"),
        ("of nobody", CheckState.BLOCKED, "does not tell its version"),
    ],
)
async def test_a_release_that_is_too_old_is_refused(version: str, state: CheckState, said: str) -> None:
    check = await package(INSTALLED, version).check()
    assert (check.state, said in check.summary) == (state, True)
