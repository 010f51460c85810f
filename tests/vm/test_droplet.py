"""What an operator does on a droplet, and what befalls it, on a real Debian 13 with systemd.

The order counts: the first sets archiving up, the last takes it away. Each between them leaves the droplet
well, also where it fails.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.servers.ports import wait_until
from tests.vm.lab import NAME, Lab
from walconsole.domain.profile import BucketRole
from walconsole.droplet.names import names_of
from walconsole.sandbox.keys_api.keys import Grant

pytestmark = [pytest.mark.server, pytest.mark.timeout(1800)]

UNIT = "postgresql@17-main.service"
LOG = "/var/log/postgresql/postgresql-17-main.log"
REPORTS = {
    "/run/lab-wal-archive.last-clean",
    "/var/lib/lab-base-backup",
    "/var/lib/lab-restore-drill",
    "/var/lib/walconsole/lab",
    "/var/lib/systemd/timers/stamp-lab-base-backup.timer",
    "/var/lib/systemd/timers/stamp-lab-verify-wal-archive.timer",
    "/var/log/lab",
}
"""What an undo leaves: what was said and done, nothing that runs or is read. systemd keeps its own stamps."""
BACK_S = 400.0
"""Within which a droplet on an emulated, shared processor is well again."""


@contextmanager
def mended_by(lab: Lab, command: str) -> Iterator[None]:
    """Whatever comes, the droplet is mended by this shell at the end."""
    try:
        yield
    finally:
        lab.machine.try_(command)


@contextmanager
def without_grant(lab: Lab) -> Iterator[None]:
    """The primary's key may do nothing meanwhile."""
    lab.grant()
    try:
        yield
    finally:
        lab.grant(Grant(lab.profile.primary.bucket, "readwrite"))


def postmaster(lab: Lab, cluster: str = "main") -> str:
    return lab.machine.run(f"head -n 1 /var/lib/postgresql/17/{cluster}/postmaster.pid")


def state_of(lab: Lab) -> str:
    """What a run that changes nothing leaves as it is: files, timers, both servers."""
    return lab.machine.run(
        "find /etc /usr/local -type f \\( -path '*lab*' -o -path '/etc/postgresql/*' \\)"
        " -printf '%p %T@ %m %u\\n' | sort;"
        " for each in main second; do head -n 1 /var/lib/postgresql/17/$each/postmaster.pid; done;"
        " systemctl list-timers --all --no-legend 'lab-*' | awk '{ print $NF }' | sort"
    )


def test_provisioned_from_nothing_through_sudo_and_a_second_run_changes_nothing(lab: Lab) -> None:
    second = postmaster(lab, "second")
    assert "archive-off" in lab.look().findings
    said = lab.apply("provision")
    assert said.code == 0, said
    assert not {
        step for step, stage in said.stages.items() if stage not in ("done", "done already", "skipped")
    }
    lab.saw(
        "provisioned from nothing by a user with sudo, two stores over TLS with authorities of their own",
        f"{len(said.stages)} steps, {said.seconds:.0f} s",
    )
    before = state_of(lab)
    again = lab.apply("provision")
    assert again.code == 0, again
    assert state_of(lab) == before
    assert not [one for one in again.objects if one.get("stage") == "applying"], again
    assert postmaster(lab, "second") == second
    assert lab.machine.sql("SHOW archive_mode", cluster="17/second") == "off"
    lab.saw("a second run", "changes nothing; the second cluster is as it was")
    looked = lab.until_well(BACK_S)
    lab.saw("`walconsole check` afterwards", str(looked.document["verdict"]))


def test_root_sees_the_same(lab: Lab) -> None:
    lab.configure_root()
    looked = lab.look("lab-root")
    assert looked.level == "ok", looked
    lab.saw("the same as root, without sudo", looked.level)


def test_a_backup_and_a_drill_of_it(lab: Lab) -> None:
    backup = lab.apply("backup")
    assert backup.code == 0, backup
    for role in BucketRole:
        assert sum(key.endswith("/backup.json") for key in lab.objects(role)) >= 1
    drill = lab.apply("drill")
    assert drill.code == 0, drill
    for role in BucketRole:
        assert [key for key in lab.objects(role) if "/drills/" in f"/{key}"], lab.objects(role)
    lab.saw(
        "a base backup, and a restore drill of it", f"{backup.seconds:.0f} s, {drill.seconds:.0f} s, proved"
    )
    lab.until_well(BACK_S)


def test_timers_fire(lab: Lab) -> None:
    names = names_of(lab.profile)
    verifier, backup = (path.rpartition("/")[2] for path in (names.timer, names.backup_timer))
    soon = "[Timer]\\nOnCalendar=\\nOnCalendar=*:*:0/20\\nRandomizedDelaySec=0\\nAccuracySec=1\\n"
    lab.machine.run(f"rm -f {lab.profile.paths.heartbeat}")
    before = {role: sum("/backup.json" in key for key in lab.objects(role)) for role in BucketRole}
    folders = " ".join(f"/etc/systemd/system/{timer}.d" for timer in (verifier, backup))
    with mended_by(lab, f"rm -rf {folders}; systemctl daemon-reload; systemctl restart {verifier} {backup}"):
        for timer in (verifier, backup):
            lab.machine.run(f"mkdir -p /etc/systemd/system/{timer}.d")
            lab.machine.run(f"printf '{soon}' >/etc/systemd/system/{timer}.d/soon.conf")
        lab.machine.run(f"systemctl daemon-reload && systemctl restart {verifier} {backup}")
        wait_until(
            lambda: lab.machine.try_(f"test -e {lab.profile.paths.heartbeat}").returncode == 0,
            "the verifier's heartbeat", BACK_S, every_s=3,
        )  # fmt: skip
        wait_until(
            lambda: all(
                sum("/backup.json" in key for key in lab.objects(role)) > before[role] for role in BucketRole
            ),
            "the night's base backup", BACK_S, every_s=3,
        )  # fmt: skip
    wait_until(
        lambda: lab.machine.try_("systemctl is-active lab-base-backup.service").stdout.strip() == "inactive",
        "the end of the backup that runs", BACK_S, every_s=3,
    )  # fmt: skip
    lab.saw(
        "real timers: the verifier's and the base backup's", "each fires and does its work, in both copies"
    )
    lab.until_well(BACK_S)


def test_a_refusal_that_the_verifier_tells_the_journal_is_seen(lab: Lab) -> None:
    verifier = names_of(lab.profile).service.rpartition("/")[2]
    with lab.screen(NAME, columns=200, rows=60) as console:
        console.wait_for("restor", BACK_S)
        with without_grant(lab):
            lab.machine.try_(f"systemctl start {verifier}", timeout_s=300)
            journal = lab.machine.run(f"journalctl -t {lab.profile.paths.journal_tag} -o cat -n 20")
            assert "primary-unknown" in journal, journal
            assert "403" in journal or "AccessDenied" in journal, journal
            console.wait_until(lambda: "primary-unknown" in console.text, "the verifier's line", BACK_S)
            assert "403" in console.text or "AccessDenied" in console.text, console.text
            lab.switch()
            looked = lab.until(lambda seen: "key-403" in seen.findings, "the refused key", BACK_S)
        console.type("q")
    lab.saw(
        "a 403 that the verifier tells the journal", f"in the log pane; {looked.findings['key-403']['title']}"
    )
    lab.until_well(BACK_S)


def test_a_grant_that_is_gone_is_found_and_mended(lab: Lab) -> None:
    lab.grant()
    try:
        lab.switch()
        lab.until_told("key-403", "failing", timeout_s=BACK_S)
        said = lab.apply("provision")
        assert said.code == 0, said
        assert said.stages["grants"] == "done", said.stages
        lab.until_well(BACK_S)
    finally:
        lab.grant(Grant(lab.profile.primary.bucket, "readwrite"))
    lab.saw("a grant that was taken away", "found, and given back by `provision`")


def test_stopped_by_systemctl_and_by_pg_ctlcluster(lab: Lab) -> None:
    for stop in (f"systemctl stop {UNIT}", "pg_ctlcluster 17 main stop"):
        with mended_by(lab, f"systemctl start {UNIT}"):
            lab.machine.run(stop)
            looked = lab.until_told("postgres-unreachable", timeout_s=BACK_S)
            assert looked.level == "critical", looked
        lab.until_well(BACK_S)
        lab.saw(f"`{stop}`", str(looked.findings["postgres-unreachable"]["title"]))


def test_a_server_that_runs_outside_its_unit(lab: Lab) -> None:
    """It is told of, and restarted where it runs; what did not end is not called restarted."""
    dropin = f"/etc/postgresql/17/main/conf.d/{lab.profile.paths.dropin}"
    beside = "pg_ctlcluster --skip-systemctl-redirect 17 main"
    with mended_by(lab, f"{beside} stop -m fast; systemctl reset-failed {UNIT}; systemctl start {UNIT}"):
        # not by its restart: systemd, which sees the old one end, may stop the new one
        lab.machine.run(f"rm {dropin}; systemctl stop {UNIT}; {beside} start")
        assert lab.machine.sql("SHOW archive_mode") == "off"
        looked = lab.until_told("outside-unit", "archive-off", timeout_s=BACK_S)
        before = postmaster(lab)
        said = lab.apply("provision")
        assert said.code == 0, said
        assert "did not come up" not in said.text, said
        assert postmaster(lab) != before
        assert lab.machine.sql("SHOW archive_mode") == "on"
    lab.until_well(BACK_S)
    told = looked.findings["outside-unit"]["title"]
    lab.saw("a server that runs outside its unit", f"{told}; restarted there")


def test_a_server_that_logs_to_the_journal(lab: Lab) -> None:
    """By stderr under systemd without pg_ctlcluster and a collector, as other packages' units have it."""
    folder = f"/etc/systemd/system/{UNIT}.d"
    unit = (
        "[Service]\\nType=notify\\nPIDFile=\\nExecStart=\\nExecStop=\\nExecReload=\\nUser=postgres\\n"
        "ExecStart=/usr/lib/postgresql/17/bin/postgres -D /var/lib/postgresql/17/main"
        " -c config_file=/etc/postgresql/17/main/postgresql.conf\\n"
    )
    with mended_by(lab, f"rm -rf {folder}; systemctl daemon-reload; systemctl restart {UNIT}"):
        lab.machine.run(f"mkdir -p {folder} && printf '{unit}' >{folder}/journal.conf")
        lab.machine.run(f"systemctl daemon-reload && systemctl restart {UNIT}")
        with without_grant(lab):
            lab.switch()
            looked = lab.until_told("key-403", "failing", timeout_s=BACK_S)
            assert "log-unreadable" not in looked.findings, looked
        lab.until_well(BACK_S)
    lab.saw(
        "PostgreSQL that writes to stderr under systemd: the journal", looked.findings["key-403"]["title"]
    )
    lab.until_well(BACK_S)


def test_a_server_that_logs_by_syslog(lab: Lab) -> None:
    reset = 'for each in log_destination; do psql --cluster 17/main -XAtqc "ALTER SYSTEM RESET $each"; done'
    with mended_by(lab, f"cd / && runuser -u postgres -- sh -c '{reset}'; systemctl reload {UNIT}"):
        lab.machine.sql("ALTER SYSTEM SET log_destination = 'syslog'")
        lab.machine.sql("SELECT pg_reload_conf()")
        with without_grant(lab):
            lab.switch()
            looked = lab.until_told("key-403", "failing", timeout_s=BACK_S)
            assert "log-unreadable" not in looked.findings, looked
        lab.until_well(BACK_S)
    lab.saw("PostgreSQL that logs by syslog", looked.findings["key-403"]["title"])


def test_logs_are_rotated(lab: Lab) -> None:
    lab.machine.run(f"mkdir -p $(dirname {lab.profile.paths.log}) && echo x >>{lab.profile.paths.log}")
    lab.machine.run(f"logrotate -f {names_of(lab.profile).logrotate}")
    lab.machine.run(f"test -e {lab.profile.paths.log}.1")
    lab.machine.run("logrotate -f /etc/logrotate.d/postgresql-common")
    with without_grant(lab):
        lab.switch()
        lab.until_told("key-403", "failing", timeout_s=BACK_S)
    lab.saw("logrotate, of the verifier's log and of PostgreSQL's", "what is written afterwards is read")
    lab.until_well(BACK_S)


def test_a_firewall_in_the_way(lab: Lab) -> None:
    with mended_by(lab, "ufw --force disable"):
        lab.machine.run("ufw allow 22/tcp && ufw --force enable")
        lab.until_archived(lab.switch(), BACK_S)
        port = lab.gateways[BucketRole.PRIMARY].tls_port
        lab.machine.run(f"ufw reject out to any port {port} proto tcp")
        lab.switch()
        looked = lab.until_told("endpoint-wrong", "failing", timeout_s=BACK_S)
    lab.machine.run("ufw --force reset")
    lab.saw("UFW: on, then a rule in the way to the store", str(looked.findings["endpoint-wrong"]["title"]))
    lab.until_well(BACK_S)


def test_apparmor_denies_the_key_file(lab: Lab) -> None:
    """A profile for rclone, as a package could bring one, that does not know this configuration file."""
    config = lab.profile.paths.rclone_config
    profile = (
        "abi <abi/4.0>,\\ninclude <tunables/global>\\nprofile lab-rclone /usr/bin/rclone {\\n"
        f"  include <abstractions/base>\\n  network,\\n  file,\\n  deny {config} rw,\\n}}\\n"
    )
    with mended_by(lab, "apparmor_parser -R /etc/apparmor.d/lab-rclone; rm -f /etc/apparmor.d/lab-rclone"):
        lab.machine.run(f"printf '{profile}' >/etc/apparmor.d/lab-rclone")
        lab.machine.run("apparmor_parser -r /etc/apparmor.d/lab-rclone")
        lab.switch()
        looked = lab.until_told("failing", timeout_s=BACK_S)
        causes = {name: one["title"] for name, one in looked.findings.items() if name != "failing"}
        assert "permission" in causes or "rclone-config-unreadable" in causes, looked
    lab.saw("AppArmor that denies rclone its configuration", "; ".join(sorted(causes)))
    lab.until_well(BACK_S)


def test_needrestart_restarts_what_uses_an_old_library(lab: Lab) -> None:
    before = postmaster(lab)
    library = lab.machine.run(
        "readlink -f $(ldd /usr/lib/postgresql/17/bin/postgres | awk '/libssl/ { print $3 }')"
    )
    lab.machine.run(f"cp -p {library} {library}.new && mv {library}.new {library}")
    listed = lab.machine.run("needrestart -r l -b", timeout_s=300)
    assert UNIT in listed, listed
    lab.machine.run("NEEDRESTART_MODE=a needrestart -r a -b", timeout_s=600)
    lab.machine.try_(f"systemctl restart {UNIT}") if postmaster(lab) == before else None
    lab.until_well(BACK_S)
    lab.saw(
        "needrestart after a library was replaced",
        "it lists the server's unit; after the restart all is well",
    )


def test_two_consoles_at_once(lab: Lab) -> None:
    """Both watch; only one may change the droplet at a time."""
    lab.machine.run(f"rm -f {names_of(lab.profile).restore}")
    runs = [lab.begin("provision", NAME, "--apply", "--confirm", NAME, "--json") for _ in range(2)]
    ended = []
    for run in runs:
        text, errors = run.communicate(timeout=900)
        ended.append((run.returncode, text, errors))
    assert sorted(code == 0 for code, _, _ in ended) in ([False, True], [True, True]), ended
    refused = [errors for code, _, errors in ended if code != 0]
    assert all("another" in errors or "at work" in errors for errors in refused), refused
    applied = [text.count('"step": "archive-command", "stage": "applying"') > 0 for _, text, _ in ended]
    assert sum(applied) == 1, ended
    lab.until_well(BACK_S)
    lab.saw("two consoles at once", "one of them changes the droplet, the other is told so or finds it done")


def test_a_reboot_with_a_console_that_watches(lab: Lab) -> None:
    with lab.screen(NAME) as console:

        def verdict() -> str:
            return console.text.splitlines()[0]

        console.wait_until(lambda: " OK " in verdict(), "a verdict", BACK_S)
        before, began = lab.machine.boot_id(), time.monotonic()
        lab.machine.reboot()
        console.wait_until(lambda: " OK " not in verdict(), "the loss", BACK_S)
        told = time.monotonic() - began
        wait_until(lambda: lab.machine.boot_id() not in ("", before), "the boot", BACK_S, every_s=2)
        back = time.monotonic() - began
        console.wait_until(lambda: " OK " in verdict(), "it heals", BACK_S)
        healed = time.monotonic() - began
        console.type("q")
    lab.until_well(BACK_S)
    lab.saw(
        "a reboot with a console that watches",
        f"told after {told:.0f} s; the droplet is back after {back:.0f} s, the picture after {healed:.0f} s",
    )


def test_undo_leaves_nothing_that_runs(lab: Lab) -> None:
    objects = {role: lab.objects(role) for role in BucketRole}
    said = lab.apply("undo")
    assert said.code == 0, said
    left = lab.machine.run("find /etc /usr/local /run /var/lib /var/log -xdev -name 'lab*' -o -name '*-lab*'")
    assert set(left.splitlines()) <= {lab.profile.paths.rclone_config, *REPORTS}, left
    assert lab.machine.run("systemctl list-unit-files --no-legend 'lab-*' | wc -l") == "0"
    assert all(objects[role] <= lab.objects(role) for role in BucketRole), "no object is deleted"
    lab.machine.run(f"systemctl restart {UNIT}")  # which archive_mode waits for
    assert "archive-off" in lab.look().findings
    lab.saw(
        "`walconsole undo`",
        "nothing that runs or is read is left, but reports in their folders; no object is deleted",
    )
