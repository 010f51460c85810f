"""What befalls a droplet that archives, set up by root, on a real Debian 13 with systemd.

The first sets archiving up. Each of the others breaks something, has it found, and leaves the droplet well,
also where it fails.
"""

import pytest

from tests.vm.breaking import UNIT, mended_by, page_of, postmaster, until_healed, without_grant
from tests.vm.lab import LONGEST_S, NAME, Lab
from walconsole.domain.profile import BucketRole
from walconsole.droplet.names import names_of

pytestmark = [pytest.mark.server, pytest.mark.timeout(1800)]

USER = "root"


def test_provisioned_by_root(lab: Lab) -> None:
    said = lab.apply("provision")
    assert said.code == 0, said
    lab.saw("provisioned by root", f"{len(said.stages)} steps, {said.seconds:.0f} s")
    lab.until_well()


def test_a_refusal_that_the_verifier_tells_the_journal_is_seen(lab: Lab) -> None:
    verifier = names_of(lab.profile).service.rpartition("/")[2]
    with lab.screen(NAME, columns=200, rows=60) as console:
        console.wait_for("restor", LONGEST_S)
        with without_grant(lab):
            lab.machine.try_(f"systemctl start {verifier}", timeout_s=300)
            journal = lab.machine.run(f"journalctl -t {lab.profile.paths.journal_tag} -o cat -n 20")
            assert "primary-unknown" in journal, journal
            assert "403" in journal or "AccessDenied" in journal, journal
            console.wait_until(lambda: "primary-unknown" in console.text, "the verifier's line", LONGEST_S)
            assert "403" in console.text or "AccessDenied" in console.text, console.text
            lab.switch()
            lab.until_told("key-403")
        console.type("q")
    lab.saw("a 403 that the verifier tells the journal", f"in the log pane; {page_of('key-403')}")
    until_healed(lab)


def test_stopped_by_systemctl_and_by_pg_ctlcluster(lab: Lab) -> None:
    for stop in (f"systemctl stop {UNIT}", "pg_ctlcluster 17 main stop"):
        with mended_by(lab, f"systemctl start {UNIT}"):
            lab.machine.run(stop)
            lab.until(
                lambda seen: "postgres-unreachable" in seen.findings and seen.level == "critical",
                "that it does not answer",
            )
        lab.until_well()
        lab.saw(f"`{stop}`", page_of("postgres-unreachable"))


def test_a_server_that_runs_outside_its_unit(lab: Lab) -> None:
    """It is told of, and restarted where it runs; what did not end is not called restarted."""
    dropin = f"/etc/postgresql/17/main/conf.d/{lab.profile.paths.dropin}"
    beside = "pg_ctlcluster --skip-systemctl-redirect 17 main"
    with mended_by(lab, f"{beside} stop -m fast; systemctl reset-failed {UNIT}; systemctl start {UNIT}"):
        # not by its restart: systemd, which sees the old one end, may stop the new one
        lab.machine.run(f"rm {dropin}; systemctl stop {UNIT}; {beside} start")
        assert lab.machine.sql("SHOW archive_mode") == "off"
        lab.until_told("outside-unit", "archive-off")
        before = postmaster(lab)
        said = lab.apply("provision")
        assert said.code == 0, said
        assert "did not come up" not in said.text, said
        assert postmaster(lab) != before
        assert lab.machine.sql("SHOW archive_mode") == "on"
    lab.until_well()
    lab.saw("a server that runs outside its unit", f"{page_of('outside-unit')}; restarted there")


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
            seen = lab.until_told("key-403", "failing")
            assert "log-unreadable" not in seen.findings, seen
        until_healed(lab)
    lab.saw("PostgreSQL that writes to stderr under systemd: the journal", page_of("key-403"))
    lab.until_well()


def test_a_server_that_logs_by_syslog(lab: Lab) -> None:
    reset = 'for each in log_destination; do psql --cluster 17/main -XAtqc "ALTER SYSTEM RESET $each"; done'
    with mended_by(lab, f"cd / && runuser -u postgres -- sh -c '{reset}'; systemctl reload {UNIT}"):
        lab.machine.sql("ALTER SYSTEM SET log_destination = 'syslog'")
        lab.machine.sql("SELECT pg_reload_conf()")
        with without_grant(lab):
            lab.switch()
            seen = lab.until_told("key-403", "failing")
            assert "log-unreadable" not in seen.findings, seen
        until_healed(lab)
    lab.saw("PostgreSQL that logs by syslog", page_of("key-403"))


def test_logs_are_rotated(lab: Lab) -> None:
    lab.machine.run(f"mkdir -p $(dirname {lab.profile.paths.log}) && echo x >>{lab.profile.paths.log}")
    lab.machine.run(f"logrotate -f {names_of(lab.profile).logrotate}")
    lab.machine.run(f"test -e {lab.profile.paths.log}.1")
    lab.machine.run("logrotate -f /etc/logrotate.d/postgresql-common")
    with without_grant(lab):
        lab.switch()
        lab.until_told("key-403", "failing")
    lab.saw("logrotate, of the verifier's log and of PostgreSQL's", "what is written afterwards is read")
    until_healed(lab)


def test_a_firewall_in_the_way(lab: Lab) -> None:
    with mended_by(lab, "ufw --force disable"):
        lab.machine.run("ufw allow 22/tcp && ufw --force enable")
        lab.until_archived(lab.switch())
        port = lab.gateways[BucketRole.PRIMARY].tls_port
        lab.machine.run(f"ufw reject out to any port {port} proto tcp")
        lab.switch()
        lab.until_told("endpoint-wrong", "failing")
    lab.machine.run("ufw --force reset")
    lab.saw("UFW: on, then a rule in the way to the store", page_of("endpoint-wrong"))
    until_healed(lab)


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
        causes = {"permission", "rclone-config-unreadable"}
        seen = lab.until(lambda seen: not causes.isdisjoint(seen.findings), "its cause")
    told = ", ".join(page_of(name) for name in sorted(causes & set(seen.findings)))
    lab.saw("AppArmor that denies rclone its configuration", told)
    until_healed(lab)
