"""What an operator does on a droplet, by a user who has sudo, on a real Debian 13 with systemd.

The order counts: the first sets archiving up, the last takes it away. Each between them leaves the droplet
well, also where it fails.
"""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.servers.ports import wait_until
from tests.vm.breaking import UNIT, mended_by, page_of, postmaster, until_healed
from tests.vm.lab import LONGEST_S, NAME, Lab
from walconsole.domain.profile import BucketRole
from walconsole.droplet.names import names_of
from walconsole.sandbox.keys_api.keys import Grant

pytestmark = [pytest.mark.server, pytest.mark.timeout(1800)]

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


def state_of(lab: Lab) -> str:
    """What a run that changes nothing leaves as it is: files, timers, both servers."""
    return lab.machine.run(
        "find /etc /usr/local -type f \\( -path '*lab*' -o -path '/etc/postgresql/*' \\)"
        " -printf '%p %T@ %m %u\\n' | sort;"
        " for each in main second; do head -n 1 /var/lib/postgresql/17/$each/postmaster.pid; done;"
        " systemctl list-timers --all --no-legend 'lab-*' | awk '{ print $NF }' | sort"
    )


def weight_of(lab: Lab, program: str) -> str:
    """cpu.weight of the scope in which a program runs that is called so; empty while none does."""
    return lab.machine.run(
        "for scope in /sys/fs/cgroup/system.slice/run-*.scope; do for pid in $(cat $scope/cgroup.procs); do"
        f" ! grep -qs {program} /proc/$pid/cmdline || {{ cat $scope/cpu.weight; exit; }};"
        " done; done 2>/dev/null; :"
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
    assert lab.machine.sql("SHOW archive_mode", cluster="second") == "off"
    lab.saw("a second run", "changes nothing; the second cluster is as it was")
    lab.until_well()
    looked = lab.look()
    assert looked.level == "ok", looked
    lab.saw("`walconsole check` afterwards", f"{looked.document['verdict']} ({looked.said.seconds:.0f} s)")


def test_root_sees_the_same(lab: Lab) -> None:
    lab.configure_root()
    looked = lab.look("lab-root")
    assert looked.level == "ok", looked
    lab.saw("the same as root, without sudo", looked.level)


def test_the_first_backup_is_proved_by_a_drill(lab: Lab) -> None:
    """Which takes the little of the processor and of the disk that nobody else wants."""
    for role in BucketRole:
        assert [key for key in lab.objects(role) if key.endswith("/backup.json")], lab.objects(role)
    weight = ""
    with ThreadPoolExecutor(1) as beside:  # which reads what it says: a full pipe would hold it up
        drill = beside.submit(lab.apply, "drill")
        while not weight and not drill.done():
            weight = weight_of(lab, "lab-restore-drill")
            time.sleep(1)
        said = drill.result()
    assert said.code == 0, said
    assert weight == "20", weight
    for role in BucketRole:
        assert [key for key in lab.objects(role) if "/drills/" in f"/{key}"], lab.objects(role)
    lab.saw(
        "a restore drill of the first base backup",
        f"proved in {said.seconds:.0f} s; in a scope of its own with CPUWeight={weight}",
    )
    lab.until_well()


def test_a_grant_that_is_gone_is_given_back_by_one_of_two_consoles(lab: Lab) -> None:
    """Only one may change the droplet at a time: the other is told so, or finds it done."""
    lab.grant()
    try:
        lab.switch()
        lab.until_told("key-403", "failing")
        with ThreadPoolExecutor(2) as both:
            ended = list(both.map(lambda _: lab.apply("fix", "--step", "restore-grant"), range(2)))
        assert sorted(said.code == 0 for said in ended) in ([False, True], [True, True]), ended
        refused = [said.errors for said in ended if said.code != 0]
        assert all("another" in errors or "at work" in errors for errors in refused), refused
        applied = [said.text.count('"step": "grants", "stage": "applying"') > 0 for said in ended]
        assert sum(applied) == 1, ended
        until_healed(lab)
    finally:
        lab.grant(Grant(lab.profile.primary.bucket, "readwrite"))
    lab.saw(
        "a grant that was taken away, and two consoles at once",
        f"{page_of('key-403')}; one of them gives it back, the other is told so or finds it done",
    )


def test_timers_fire(lab: Lab) -> None:
    names = names_of(lab.profile)
    verifier, backup = (path.rpartition("/")[2] for path in (names.timer, names.backup_timer))
    soon = "[Timer]\\nOnCalendar=\\nOnActiveSec=3\\nRandomizedDelaySec=0\\nAccuracySec=1\\n"
    lab.machine.run(f"rm -f {lab.profile.paths.heartbeat}")
    before = {role: sum("/backup.json" in key for key in lab.objects(role)) for role in BucketRole}
    folders = " ".join(f"/etc/systemd/system/{timer}.d" for timer in (verifier, backup))
    with mended_by(lab, f"rm -rf {folders}; systemctl daemon-reload; systemctl restart {verifier} {backup}"):
        for timer in (verifier, backup):
            folder = f"/etc/systemd/system/{timer}.d"
            lab.machine.run(f"mkdir -p {folder} && printf '{soon}' >{folder}/soon.conf")
        lab.machine.run(f"systemctl daemon-reload && systemctl restart {verifier} {backup}")
        wait_until(
            lambda: lab.machine.try_(f"test -e {lab.profile.paths.heartbeat}").returncode == 0,
            "the verifier's heartbeat", LONGEST_S, every_s=3,
        )  # fmt: skip
        wait_until(
            lambda: all(
                sum("/backup.json" in key for key in lab.objects(role)) > before[role] for role in BucketRole
            ),
            "the night's base backup", LONGEST_S, every_s=3,
        )  # fmt: skip
    wait_until(
        lambda: lab.machine.try_("systemctl is-active lab-base-backup.service").stdout.strip() == "inactive",
        "the end of the backup that runs", LONGEST_S, every_s=3,
    )  # fmt: skip
    lab.saw(
        "real timers: the verifier's and the base backup's", "each fires and does its work, in both copies"
    )
    lab.until_well()


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
    lab.until_well()
    lab.saw(
        "needrestart after a library was replaced",
        "it lists the server's unit; after the restart all is well",
    )


def test_a_reboot_with_a_console_that_watches(lab: Lab) -> None:
    with lab.screen(NAME) as console:

        def verdict() -> str:
            return console.text.splitlines()[0]

        console.wait_until(lambda: " OK " in verdict(), "a verdict", LONGEST_S)
        before, began = lab.machine.boot_id(), time.monotonic()
        lab.machine.reboot()
        console.wait_until(lambda: " OK " not in verdict(), "the loss", LONGEST_S)
        told = time.monotonic() - began
        wait_until(lambda: lab.machine.boot_id() not in ("", before), "the boot", LONGEST_S, every_s=2)
        back = time.monotonic() - began
        console.wait_until(lambda: " OK " in verdict(), "it heals", LONGEST_S)
        healed = time.monotonic() - began
        console.type("q")
    lab.until_well()
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
    lab.until_told("archive-off")
    lab.saw(
        "`walconsole undo`",
        "nothing that runs or is read is left, but reports in their folders; no object is deleted",
    )
