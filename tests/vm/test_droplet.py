"""What an operator does on a droplet, and what befalls it, on a real Debian 13 with systemd.

The order counts: the first sets archiving up, the last takes it away. Each between them leaves the droplet well.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.vm.lab import NAME, Lab
from walconsole.domain.profile import BucketRole
from walconsole.droplet.names import names_of
from walconsole.sandbox.keys_api.keys import Grant

pytestmark = [pytest.mark.server, pytest.mark.timeout(600)]

STEPS = 12
"""Of provisioning without its base backups."""
UNIT = "postgresql@17-main.service"


@contextmanager
def mended_by(lab: Lab, command: str) -> Iterator[None]:
    """Whatever comes, the droplet is mended by this."""
    try:
        yield
    finally:
        lab.machine.try_(command)


def postmaster(lab: Lab, cluster: str = "main") -> str:
    return lab.machine.run(f"head -n 1 /var/lib/postgresql/17/{cluster}/postmaster.pid")


def outside(lab: Lab) -> str:
    """What a run that changes nothing leaves as it is: installed files, units, both servers."""
    return lab.machine.run(
        "find /etc /usr/local -newermt '@0' -type f \\( -name '*lab*' -o -path '/etc/postgresql/*' \\)"
        " -printf '%p %T@ %m %u\\n' | sort; cat /var/lib/postgresql/17/*/postmaster.pid | head -n 3;"
        " systemctl list-timers --all --no-legend 'lab-*' | awk '{ print $NF }'"
    )


def test_nothing_to_begin_with(lab: Lab) -> None:
    looked = lab.until_told("archive-off")
    assert looked.level == "critical"
    plan = lab.walconsole("provision", NAME, "--plan")
    assert plan.code == 0, plan
    assert postmaster(lab)


def test_provisioned_through_sudo_and_a_second_run_changes_nothing(lab: Lab) -> None:
    second = postmaster(lab, "second")
    said = lab.apply("provision")
    assert said.code == 0, said
    assert list(said.stages.values())[1:STEPS].count("done") >= STEPS - 2, said.stages
    lab.saw(
        "provisioned from nothing, through sudo, over TLS with an authority of its own",
        f"{len(said.stages)} steps in {said.seconds:.0f} s",
    )
    before = outside(lab)
    again = lab.apply("provision")
    assert again.code == 0, again
    assert outside(lab) == before
    assert not [one for one in again.objects if one.get("stage") == "applying"], again
    assert postmaster(lab, "second") == second
    assert lab.machine.sql("SHOW archive_mode", cluster="17/second") == "off"
    lab.saw("a second run", f"changes nothing ({again.seconds:.0f} s); the second cluster is as it was")
    lab.until_well()


def test_a_refusal_that_the_verifier_tells_the_journal_is_seen(lab: Lab) -> None:
    names = names_of(lab.profile)
    lab.grant()
    with mended_by(lab, "true"):
        try:
            lab.machine.try_(f"systemctl start {names.service.rpartition('/')[2]}")
            journal = lab.machine.run(f"journalctl -t {lab.profile.paths.journal_tag} -o cat -n 20")
            assert "primary-unknown" in journal, journal
            assert "403" in journal or "AccessDenied" in journal, journal
            lab.switch()
            looked = lab.until(lambda seen: bool(seen.alarms), "the refusal")
            told = json.dumps(looked.document["stories"])
            assert "verifier" in told, looked
            lab.saw("a 403 that the verifier tells the journal", ", ".join(sorted(looked.alarms)))
        finally:
            lab.grant(Grant(lab.profile.primary.bucket, "readwrite"))
    lab.until_well()


def test_a_reboot_with_a_console_that_watches(lab: Lab) -> None:
    with lab.screen(NAME) as console:
        console.wait_until(lambda: "restor" in console.text.splitlines()[0].lower(), "a verdict", 90)
        before, began = lab.machine.boot_id(), time.monotonic()
        lab.machine.reboot()
        console.wait_until(
            lambda: "connection" in console.text.lower() or "lost" in console.text.lower(), "the loss", 90
        )
        told = time.monotonic() - began
        deadline = time.monotonic() + 240
        while (now := lab.machine.boot_id()) in ("", before):
            assert time.monotonic() < deadline, now
            time.sleep(1)
        back = time.monotonic() - began
        lab.until_well(240)
        console.type("q")
    lab.saw("a reboot with a console that watches", f"told after {told:.0f} s, back after {back:.0f} s, then well")
