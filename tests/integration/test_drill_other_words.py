"""Whether another tool's words prove that what it stored is at fault: as pgBackRest 2.45 and barman-cloud 3.4
said them, and others that only look like it.
"""

import subprocess
from pathlib import Path

import pytest

from walconsole.droplet.filling import template

RETRIED = "       [FormatError] on retry after 0ms\n       [FormatError] on retry after 15000ms"
FILE = "backup/main/20261201-164126F/pg_data/base/1/2838.gz"
LOCAL = "raised from local-1 protocol: "
EXCEPTION = "2026-12-01 16:47:10,326 [9386] ERROR: Barman cloud restore exception: "
WORDS: dict[str, tuple[str, int, str, bool]] = {
    "pgBackRest, cut off": (
        "pgBackRest", 29, f"ERROR: [029]: {LOCAL}unexpected eof in compressed data\n{RETRIED}", True,
    ),
    "pgBackRest, another byte": (
        "pgBackRest", 29, f"ERROR: [029]: {LOCAL}zlib threw error: [-3] data error", True,
    ),
    "pgBackRest, a file of the repository that is gone": (
        "pgBackRest", 55,
        f"ERROR: [055]: {LOCAL}unable to open missing file '/repo/{FILE}' for read",
        True,
    ),
    "pgBackRest, a file of this host that is gone": (
        "pgBackRest", 55, "ERROR: [055]: unable to open missing file '/etc/ssl/store.pem' for read", False,
    ),
    "pgBackRest, its authority's certificate": (
        "pgBackRest", 95, "ERROR: [095]: unable to set user-defined CA certificate location", False,
    ),
    "pgBackRest, a warning of checksums before an outage": (
        "pgBackRest", 49,
        f"WARN: a page checksum was not verified\nERROR: [049]: unable to connect to 'store:443'\n{RETRIED}",
        False,
    ),
    "barman-cloud, cut off": ("barman-cloud", 4, f"{EXCEPTION}unexpected end of data", True),
    "barman-cloud, empty": ("barman-cloud", 4, f"{EXCEPTION}empty file", True),
    "barman-cloud, an object that is gone": (
        "barman-cloud", 1,
        "2026-12-01 16:47:19,535 [103] ERROR: Missing file barman/base/20261201T164656/data.* for server it",
        True,
    ),
    "barman-cloud, a connection that was cut": (
        "barman-cloud", 4, f"{EXCEPTION}56272 read, but total bytes expected is 24524800.", False,
    ),
    "barman-cloud, a folder of this host": (
        "barman-cloud", 4, f"{EXCEPTION}[Errno 2] No such file or directory: '/srv/a' -> '/srv/b'", False,
    ),
    "barman-cloud, words of before its last": (
        "barman-cloud", 4, f"unexpected end of data\n{EXCEPTION}Read timeout on endpoint URL", False,
    ),
}  # fmt: skip
"""The tool, its exit status, what it said, and whether that proves it."""


@pytest.mark.parametrize("case", WORDS)
def test_only_what_the_tool_proves_is_the_archives_fault(case: str, tmp_path: Path) -> None:
    own, status, said, proves = WORDS[case]
    (tmp_path / "said.own").write_text(f"{said}\n")
    text = template("drill_own.sh")
    begin = text.index("own_blames() {")
    function = text[begin : text.index("\n}\n", begin) + 3]
    script = f'own=$1 temp=$2\n{function}\nown_blames "$3"'
    command = ["sh", "-c", script, "sh", own, str(tmp_path), str(status)]
    assert (subprocess.run(command, check=False).returncode == 0) is proves
