"""Archive commands that people report, with what each comes to and when it says yes in vain."""

from collections.abc import Mapping

import pytest

from tests.data.deployed import PGBACKREST, RCLONE
from tests.unit.host_of_files import Host
from walconsole.domain.archivers.discovery import Settings

pytestmark = pytest.mark.cases("Archive commands as people report them")

SKIPPED = "#!/bin/sh\nif mountpoint -q /mnt/w; then\n  cp $1 /mnt/w/$2\nfi\n"
OF_BUCKET = '#!/bin/sh\n[ -n "$BUCKET" ] || exit 0\nexec pgbackrest --stanza=main archive-push "$1"\n'
REPORTED: list[tuple[str, Mapping[str, str], str, str, str]] = [
    ("test -d /mnt/w && test ! -f /mnt/w/%f && cp %p /mnt/w/%f || cp %p /var/l/%f", {}, "/mnt/w", "", ""),
    ("test ! -f /v/busy || (test ! -f /w/%f && cp %p /w/%f)", {}, "/w", "`test ! -f /v/busy` holds", ""),
    ("test ! -f /v/busy || cp -i %p /w/%f < /dev/null", {}, "/w", "`test ! -f /v/busy` holds", ""),
    (
        "/opt/a.sh %p %f",
        {"/opt/a.sh": SKIPPED},
        "/mnt/w",
        "`mountpoint -q /mnt/w` does not hold",
        "/opt/a.sh 2",
    ),
    ("/opt/b.sh %p", {"/opt/b.sh": OF_BUCKET, **PGBACKREST}, "/srv/repo", "", ""),
    ("flock -s /run/pg.lock pgbackrest --stanza=main archive-push %p", PGBACKREST, "/srv/repo", "", ""),
    ("flock -n -E 0 /run/l cp %p /w/%f", {}, "/w", "somebody else holds the lock (flock -E 0)", ""),
    ("[ ! -f /w/%f.gz ] && gzip -c %p > /w/%f.gz", {}, "/w", "", ""),
    ("if [ -f /w/%f ]; then echo there >&2; else cp %p /w/%f; fi", {}, "/w", "", ""),
    ("if [ ! -d /w/ ]; then mkdir -p /w/; echo mkdir; fi; cp %p /w/%f", {}, "/w", "", ""),
    ("prlimit --nofile=64 cp %p /w/%f", {}, "/w", "", ""),
    ("numactl -N 0 -- cp %p /w/%f", {}, "/w", "", ""),
    ("cpulimit -l 50 -- gzip -c %p > /w/%f.gz", {}, "/w", "", ""),
    ("setlock /run/l cp %p /w/%f", {}, "/w", "", ""),
    ("run-one cp %p /w/%f", {}, "/w", "", ""),
    (
        "proxychains4 -q rclone copyto %p r2:acme/pg/%f",
        RCLONE,
        "s3://acme/pg at https://acc.r2.example.net",
        "",
        "",
    ),
    ("sudo -n -u backup cp %p /w/%f", {}, "/w", "", ""),
    ("scp -o StrictHostKeyChecking=no %p b@nas:/w/%f", {}, "b@nas:/w", "", ""),
    ("nice -n 19 ionice -c3 taskset -c 0 timeout 60 env LC_ALL=C cp %p /w/%f # nightly", {}, "/w", "", ""),
]


@pytest.mark.parametrize(
    ("command", "files", "place", "when", "at"), REPORTED, ids=[row[0] for row in REPORTED]
)
def test_it_is_found_and_told_when_it_stores_nothing(
    command: str, files: Mapping[str, str], place: str, when: str, at: str
) -> None:
    found = Host(files).find_out(Settings(command))
    assert str(found.targets[0].store) == place
    skipping = found.ending.skipping
    assert (skipping.what if skipping is not None else "") == when
    assert skipping is None or f"{skipping.script} {skipping.line}" == (at or " 1")
    assert not found.ending.stores_nothing
