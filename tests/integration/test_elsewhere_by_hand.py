"""What docs/recovery.md says of a restore by hand on another host, run there as it stands."""

import re
import secrets
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from shlex import quote

import pytest

from tests.integration.elsewhere_stage import Elsewhere, elsewhere
from tests.integration.test_elsewhere import sql_there
from tests.servers.archived import fill_segment, wait_archived
from tests.servers.rgw import RadosGateway
from tests.servers.workspace import Workspace
from walconsole.droplet.names import remote_of

pytestmark = [
    pytest.mark.server,
    pytest.mark.timeout(600),
    pytest.mark.root("only root makes a second host on this machine"),
    pytest.mark.long,
]

PAGE = Path(__file__).parents[2] / "docs/recovery.md"
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
async def both(
    workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway, tmp_path: Path
) -> AsyncIterator[Elsewhere]:
    name = f"b{secrets.token_hex(2)}"
    async with elsewhere(workspace, rgw, rgw_dr, name, tmp_path) as made:
        yield made


def section(title: str) -> str:
    """The text below that head."""
    (text,) = re.findall(rf"^#+ {title}\n(.*?)(?=^#)", f"{PAGE.read_text()}\n#", re.MULTILINE | re.DOTALL)
    return str(text)


def settings_of(block: str, values: dict[str, str]) -> str:
    """The page's first block, with these values in it; each must be there."""
    for name, value in values.items():
        block, found = re.subn(rf"^{name}=\S*", f"{name}={quote(value)}", block, flags=re.MULTILINE)
        assert found == 1, name
    return block


def there(both: Elsewhere, script: str) -> str:
    """What it prints on the other host; with its errors where it fails."""
    try:
        return both.spare.run(script)
    except subprocess.CalledProcessError as error:
        pytest.fail(f"{script}\n{error.stdout}\n{error.stderr}")


def as_postgres(both: Elsewhere, script: str) -> str:
    user = both.stage.cluster.os_user
    return there(both, f"cd /tmp && env -u AWS_CA_BUNDLE runuser -u {user} -- sh -euc {quote(script)}")


def test_restored_by_the_pages_blocks_and_made_a_cluster_of_debians(both: Elsewhere) -> None:
    stage, spare = both.stage, both.spare
    stage.cluster.sql("CREATE TABLE orders AS SELECT generate_series(1, 19) AS n")
    wait_archived(stage.cluster, [fill_segment(stage.cluster)])
    config = stage.profile.paths.rclone_config
    brought = spare.root / "var/tmp/rclone.conf"
    brought.write_text(Path(config).read_text())  # as the page says: what the droplet's configuration had
    spare.run(
        f"install -o {stage.cluster.os_user} -m 0600 {quote(str(brought))} /var/lib/postgresql/rclone.conf"
    )
    spare.run(f"install -d -o {stage.cluster.os_user} /var/lib/postgresql/15")
    copy = f"{remote_of(stage.profile.primary)}:{stage.profile.primary.bucket}/{stage.profile.primary.prefix}"
    first, *blocks = _BLOCK.findall(section("To restore by hand"))
    settings = settings_of(
        first,
        {
            "copy": copy,
            "bin": str(stage.cluster.bin_dir),
            "RCLONE_CONFIG": "/var/lib/postgresql/rclone.conf",
        },
    )
    as_postgres(both, "\n".join([settings, *blocks]))

    (root,) = re.findall(r"(?:^    .*\n)+", section("There by hand"), re.MULTILINE)
    whole = re.sub(r"^    ", "", root, flags=re.MULTILINE)
    place = f"PG_CLUSTER_CONF_ROOT={quote(str(spare.conf_root))}; export PG_CLUSTER_CONF_ROOT"
    there(both, f"set -eu; {place}\n{settings}\n{whole}")
    assert sql_there(both, "SELECT count(*) FROM orders") == "19"
    assert sql_there(both, "SELECT pg_is_in_recovery()") == "f"
    waits = spare.run("ls /var/lib/postgresql/15/restored/pg_wal/archive_status")
    assert "00000002.history.ready" in waits.split(), "so that archiving, once it is set up, has it first"
