"""What is installed on the droplet: every value from the profile, each quoted as its file wants it."""

import re
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walconsole.domain.pgconf.reader import statements
from walconsole.domain.profile import (
    ApiTarget,
    BackupSettings,
    BucketRole,
    ClusterName,
    KeyReference,
    KeySource,
    PostgresTarget,
    Profile,
    SshTarget,
    default_bucket,
    default_paths,
)
from walconsole.droplet import one_time, rendering
from walconsole.droplet.choices import (
    Authorities,
    BackupChoices,
    Compression,
    DrillChoices,
    DropletChoices,
    WalLevel,
)
from walconsole.droplet.files import (
    Schedule,
    backup_files,
    command_files,
    drill_files,
    dropin_file,
    recover_file,
    verifier_files,
)
from walconsole.droplet.filling import fill_in
from walconsole.droplet.names import InstalledNames, rclone_names, rclone_path, remote_of

PRINTABLE = st.text(st.characters(exclude_categories=("C", "Zl", "Zp")), min_size=1, max_size=40)
CHOICES = DropletChoices()
BACKUP = BackupChoices()


def a_profile(name: str = "shithub") -> Profile:
    return Profile(
        name=name,
        ssh=SshTarget("host"),
        sudo=True,
        postgres=PostgresTarget(),
        primary=default_bucket(BucketRole.PRIMARY, name, "nyc3"),
        dr=default_bucket(BucketRole.DR, name, "sfo3"),
        paths=default_paths(name),
        api=ApiTarget(),
    )


def assigned(script: str, variable: str) -> str:
    """The one word that a shell would assign to `variable`."""
    lines = re.findall(rf"^{variable}=(.*)$", script, re.MULTILINE)
    (word,) = shlex.split(lines[-1], comments=True)
    return word


def test_the_files_and_their_modes() -> None:
    profile = a_profile()
    commands = command_files(profile, CHOICES)
    assert [(file.path, file.mode) for file in commands] == [
        ("/usr/local/bin/shithub-pg-archive", 0o755),
        ("/usr/local/bin/shithub-pg-restore", 0o755),
    ]
    by_timer = verifier_files(profile, CHOICES, Schedule.SYSTEMD)
    assert [(file.path, file.mode) for file in by_timer] == [
        ("/usr/local/bin/shithub-verify-wal-archive", 0o755),
        ("/etc/systemd/system/shithub-verify-wal-archive.service", 0o644),
        ("/etc/systemd/system/shithub-verify-wal-archive.timer", 0o644),
        ("/etc/logrotate.d/shithub-wal-archive", 0o644),
    ]
    by_cron = verifier_files(profile, CHOICES, Schedule.CRON)
    assert [file.path for file in by_cron][1:-1] == ["/etc/cron.d/shithub-verify-wal-archive"]
    assert by_cron[0] == by_timer[0]
    backup = backup_files(profile, CHOICES, BACKUP, Schedule.SYSTEMD)
    assert [(file.path, file.mode) for file in backup] == [
        ("/usr/local/bin/shithub-base-backup", 0o755),
        ("/etc/systemd/system/shithub-base-backup.service", 0o644),
        ("/etc/systemd/system/shithub-base-backup.timer", 0o644),
    ]
    nightly = backup_files(profile, CHOICES, BACKUP, Schedule.CRON)
    assert nightly[0] == backup[0]
    assert [file.path for file in nightly[1:]] == ["/etc/cron.d/shithub-base-backup"]
    dropin = dropin_file(profile, CHOICES, "/etc/postgresql/15/main/conf.d/")
    assert dropin.path == "/etc/postgresql/15/main/conf.d/99_shithub_archive.conf"


def test_nothing_is_left_to_fill_in() -> None:
    profile = a_profile()
    for schedule in Schedule:
        for file in (
            *command_files(profile, CHOICES),
            *verifier_files(profile, CHOICES, schedule),
            *backup_files(profile, CHOICES, BACKUP, schedule),
            recover_file(profile, CHOICES, DrillChoices()),
        ):
            assert re.findall(r"@[A-Z_]+@", file.text) == []
            assert file.text.endswith("\n")
    assert "@" not in rendering.dropin(profile, CHOICES)


def test_every_start_of_rclone_is_a_cheap_one(tmp_path: Path) -> None:
    """Half of what a start of rclone costs is for nothing: see templates/common.sh."""
    seen = tmp_path / "seen"
    fake = tmp_path / "rclone"
    fake.write_text(f'#!/bin/sh\necho "$1 $TCELL_MINIMIZE $GOGC" >>{seen}\n')
    fake.chmod(0o755)
    choices = replace(CHOICES, path=f"{tmp_path}:/usr/bin:/bin", temp_root=str(tmp_path))
    paths = replace(default_paths("shithub"), rclone_config="/dev/null")
    archive, _ = command_files(replace(a_profile(), paths=paths), choices)
    segment = tmp_path / ("0" * 23 + "1")
    segment.write_bytes(b"wal")
    environment = {"GOGC": "1", "TCELL_MINIMIZE": ""}
    command = ["sh", "-c", archive.text, archive.path, str(segment), segment.name]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert "not stored as sent" in done.stderr, done.stderr
    assert set(seen.read_text().split("\n")) == {"lsf 1 400", "copy 1 400", ""}


def test_a_value_is_not_looked_through_for_places() -> None:
    assert fill_in("@A@ @B@ a@b.c @d@", {"A": "@B@", "B": "2"}) == "@B@ 2 a@b.c @d@"
    with pytest.raises(KeyError):
        fill_in("@MISSING@", {})


@given(PRINTABLE, PRINTABLE, PRINTABLE)
def test_a_shell_gets_every_value_as_it_is(prefix: str, config: str, temp: str) -> None:
    profile = a_profile()
    profile = replace(
        profile,
        primary=replace(profile.primary, prefix=f"{prefix}/"),
        paths=replace(profile.paths, rclone_config=config, log=config, heartbeat=temp, journal_tag=prefix),
    )
    choices = replace(CHOICES, temp_root=f"/{temp}")
    restore = rendering.restore_script(profile, choices)
    assert assigned(restore, "primary") == f"spaces-prod:shithub-wal/{prefix}/"
    assert assigned(restore, "temp_root") == f"/{temp}"
    archive = rendering.archive_script(profile, choices)
    assert assigned(archive, "config") == config
    assert assigned(archive, "primary") == rclone_path(profile.primary)
    assert assigned(archive, "dr") == rclone_path(profile.dr)
    verify = rendering.verify_script(profile, choices)
    found = [assigned(verify, variable) for variable in ("log", "heartbeat", "tag")]
    assert found == [config, temp, prefix]


@given(PRINTABLE)
def test_a_shell_gets_every_value_of_a_backup_as_it_is(odd: str) -> None:
    profile = a_profile()
    profile = replace(
        profile,
        postgres=PostgresTarget(os_user=odd, socket_dir=odd),
        paths=replace(profile.paths, journal_tag=odd),
    )
    choices = replace(BACKUP, recipients=f"/{odd}", memory_root=f"/{odd}")
    script = rendering.backup_script(profile, CHOICES, choices)
    assert assigned(script, "os_user") == assigned(script, "placed") == assigned(script, "tag") == odd
    assert assigned(script, "recipients") == f"/{odd}"
    assert assigned(script, "primary") == rclone_path(profile.primary)
    assert assigned(script, "state") == "/var/lib/shithub-base-backup"


def test_the_nights_backup_is_scheduled_as_chosen() -> None:
    profile = replace(a_profile(), postgres=PostgresTarget(os_user="pg"))
    choices = replace(BACKUP, hour=4, minute=5, jitter_s=60, nice=15)
    service = rendering.backup_service(profile, choices).splitlines()
    assert {
        "User=pg",
        "ExecStart=/usr/local/bin/shithub-base-backup",
        "StateDirectory=shithub-base-backup",
        "Nice=15",
    } <= set(service)
    timer = rendering.backup_timer(profile, choices).splitlines()
    assert {"OnCalendar=*-*-* 04:05:00", "RandomizedDelaySec=60"} <= set(timer)
    table = rendering.backup_cron(profile, choices).splitlines()
    assert table[-1] == "5 4 * * * pg /usr/local/bin/shithub-base-backup >/dev/null 2>&1"


def test_what_the_profile_says_of_base_backups_is_rendered() -> None:
    chosen = BackupSettings(encrypt_for="/etc/it's", read_mib_s=100, send_mib_s=40, at="04:05", incremental=6)
    profile = replace(a_profile(), backups=chosen)
    choices = BackupChoices.for_profile(profile)
    script = rendering.backup_script(profile, CHOICES, choices)
    assert assigned(script, "recipients") == "/etc/it's"
    assert "read_mib_s=100 send_mib_s=40 " in script
    assert "OnCalendar=*-*-* 04:05:00" in rendering.backup_timer(profile, choices)
    assert "\n5 4 * * * " in rendering.backup_cron(profile, choices)
    assert assigned(script, "in_turn") == "6"
    in_turn = "/usr/local/bin/shithub-base-backup --in-turn"
    assert f"ExecStart={in_turn}\n" in rendering.backup_service(profile, choices)
    assert f" {in_turn} >" in rendering.backup_cron(profile, choices)
    assert BackupChoices.for_profile(a_profile()) == BACKUP


def test_without_dr_no_script_mentions_it() -> None:
    choices = replace(CHOICES, to_dr=False)
    profile = a_profile()
    assert "shithub-wal-dr" not in rendering.archive_script(profile, choices)
    assert assigned(rendering.restore_script(profile, choices), "dr") == ""
    assert assigned(rendering.backup_script(profile, choices, BACKUP), "dr") == ""
    assert "\n            dr=''\n" in rendering.verify_script(profile, choices)


def test_the_remotes_are_the_profiles_or_the_runbooks() -> None:
    target = a_profile().dr
    assert remote_of(target) == "spaces-dr"
    assert remote_of(replace(target, keys=KeyReference(KeySource.ENVIRONMENT))) == "spaces-dr"
    assert remote_of(replace(target, keys=KeyReference(KeySource.DROPLET, rclone_remote="far"))) == "far"
    assert rclone_path(replace(target, prefix="pg/")) == "spaces-dr:shithub-wal-dr/pg/"


@pytest.mark.parametrize("name", ["", "Shithub", "a/b", "a b", "-a", "a\n", "a" * 53, "%p"])
def test_no_path_is_made_of_what_is_no_name(name: str) -> None:
    with pytest.raises(ValueError, match="not a profile's name"):
        InstalledNames.of(name)


@pytest.mark.parametrize(
    ("level", "settings"),
    [
        (WalLevel.REPLICA, {"wal_level": "replica"}),
        (WalLevel.LOGICAL, {"wal_level": "logical"}),
        (WalLevel.KEEP, {}),
    ],
)
def test_postgresql_reads_the_dropin_as_it_is_meant(level: WalLevel, settings: dict[str, str]) -> None:
    text = rendering.dropin(a_profile(), replace(CHOICES, wal_level=level, archive_timeout_s=90))
    assert {one.name: one.value for one in statements(text.encode())} == settings | {
        "archive_mode": "on",
        "archive_command": '/usr/local/bin/shithub-pg-archive "%p" "%f"',
        "archive_timeout": "90",
    }


@given(PRINTABLE)
def test_a_quoted_setting_comes_back(text: str) -> None:
    (one,) = statements(f"x = {rendering.postgresql_value(text)}\n".encode())
    assert one.value == text


def test_the_restore_command_is_the_other_way_round() -> None:
    assert rendering.restore_command(a_profile()) == '/usr/local/bin/shithub-pg-restore "%f" "%p"'


def test_the_verifier_asks_the_cluster_of_the_profile() -> None:
    profile = a_profile()
    anyones = rendering.verify_script(profile, CHOICES)
    assert "psql -XAtq -F '|' -v ON_ERROR_STOP=1 -U postgres -d postgres \\" in anyones
    assert "unset PGCLUSTER" in anyones
    named = replace(profile, postgres=PostgresTarget(cluster=ClusterName("15", "main"), os_user="pg"))
    script = rendering.verify_script(named, CHOICES)
    assert "PGCLUSTER=15/main\nexport PGCLUSTER" in script
    assert assigned(script, "os_user") == "pg"
    placed = replace(profile, postgres=PostgresTarget(socket_dir="/run/a b", port=5433, database="d"))
    assert "-U postgres -d d -h '/run/a b' -p 5433 \\" in rendering.verify_script(placed, CHOICES)


def test_units_and_tables_say_what_they_run() -> None:
    profile = a_profile()
    profile = replace(profile, paths=replace(profile.paths, journal_tag="50%"))
    service = rendering.service_unit(profile).splitlines()
    assert "ExecStart=/usr/local/bin/shithub-verify-wal-archive" in service
    assert "SyslogIdentifier=50%%" in service
    assert "OnCalendar=hourly" in rendering.timer_unit(profile).splitlines()
    table = rendering.cron_table(profile, replace(CHOICES, cron_minute=5)).splitlines()
    assert table[-1] == "5 * * * * root /usr/local/bin/shithub-verify-wal-archive"
    assert '"/var/log/shithub/wal-archive.log" {' in rendering.logrotate_rule(profile).splitlines()


def test_a_path_of_logrotate_is_no_pattern() -> None:
    assert rendering.logrotate_path('/a"b/*[c]?') == r'"/a\"b/\*\[c\]\?"'


@pytest.mark.parametrize(
    "wrong",
    [
        {"archive_timeout_s": 0},
        {"archive_timeout_s": 2**30 + 1},
        {"cron_minute": 60},
        {"idle_timeout_s": 0},
        {"temp_root": "tmp"},
        {"restore_pauses_s": (1, -1)},
    ],
)
def test_a_choice_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must"):
        DropletChoices(**wrong)  # type: ignore[arg-type]  # any field


@pytest.mark.parametrize(
    "wrong",
    [
        {"hour": 24},
        {"minute": 60},
        {"jitter_s": -1},
        {"incremental": 31},
        {"read_mib_s": 1025},
        {"send_mib_s": -1},
        {"nice": 20},
        {"poll_s": 0},
        {"patience_s": 1},
        {"memory_root": "shm"},
        {"recipients": "keys"},
    ],
)
def test_a_choice_of_a_backup_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must"):
        BackupChoices(**wrong)  # type: ignore[arg-type]  # any field


def test_the_compression_is_the_chosen_one() -> None:
    for compression in Compression:
        script = rendering.archive_script(a_profile(), replace(CHOICES, compression=compression))
        assert assigned(script, "compression") == compression.value


PEM = "-----BEGIN CERTIFICATE-----\nTUlJQg==\n-----END CERTIFICATE-----"
SECRET = "-----BEGIN PRIVATE KEY-----\nTUlHSA==\n-----END PRIVATE KEY-----"


def with_authority(*roles: BucketRole) -> Profile:
    """Whose copies in these roles have an authority of their own."""
    profile = a_profile()
    primary, dr = (
        replace(one, ca_file="/here/ca.pem" if one.role in roles else None) for one in profile.buckets
    )
    return replace(profile, primary=primary, dr=dr)


def test_of_a_file_of_certificates_nothing_else_is_brought() -> None:
    held = rendering.certificates_in(f"{SECRET}\n{PEM}\nsubject=x\n{PEM}\n{SECRET}\n")
    assert held == f"{PEM}\n"
    assert rendering.certificates_in(SECRET) == ""


def test_the_certificates_are_a_file_and_what_rclone_trusts() -> None:
    profile = with_authority(BucketRole.PRIMARY, BucketRole.DR)
    choices = DropletChoices(authorities=Authorities(f"{PEM}\n"))
    certificates, archive, restore = command_files(profile, choices)
    assert (certificates.path, certificates.mode) == ("/etc/rclone-shithub-ca.pem", 0o644)
    assert certificates.text.endswith(f"walconsole\n{PEM}\n")
    scripts = [archive, restore]
    scripts += [verifier_files(profile, choices, Schedule.CRON)[0]]
    scripts += [backup_files(profile, choices, BACKUP, Schedule.CRON)[0]]
    scripts += [drill_files(profile, choices, DrillChoices(), Schedule.CRON)[0]]
    for script in scripts:
        assert "\nRCLONE_CA_CERT=/etc/rclone-shithub-ca.pem\nexport RCLONE_CA_CERT\n" in script.text


def test_beside_a_public_store_the_public_authorities_stay_trusted() -> None:
    profile = with_authority(BucketRole.PRIMARY)
    choices = DropletChoices(authorities=Authorities(f"{PEM}\n", alone=False))
    script = rendering.archive_script(profile, choices)
    assert rclone_names(profile).trust == ("SSL_CERT_FILE", "/etc/rclone-shithub-ca.pem")
    assert "\nSSL_CERT_FILE=/etc/rclone-shithub-ca.pem\nexport SSL_CERT_FILE\n" in script
    assert "RCLONE_CA_CERT" not in script


def test_a_script_that_runs_before_them_brings_them_or_goes_by_what_is_there() -> None:
    profile = with_authority(BucketRole.PRIMARY, BucketRole.DR)
    choices = DropletChoices(authorities=Authorities(f"{PEM}\n"))
    probe = one_time.probe_script(profile, choices, profile.primary, "walconsole-probe-x")
    assert f"{PEM}\n'    # of the stores" in probe
    assert '\nRCLONE_CA_CERT="$folder/ca.pem"\n' in probe
    verbs = one_time.verbs_script(profile, choices, "r:b/", "/etc/r.conf", "x")
    assert "if [ -r /etc/rclone-shithub-ca.pem ]; then\nRCLONE_CA_CERT=" in verbs


def test_without_an_authority_no_script_is_another() -> None:
    assert rclone_names(a_profile()).trust is None
    script = rendering.archive_script(a_profile(), CHOICES)
    assert "CA_CERT" not in script
    assert "CERT_FILE" not in script
