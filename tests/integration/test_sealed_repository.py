"""pgBackRest repositories that it encrypts: restorable is what its own list and the store agree on."""

import shlex

import pytest

from tests.integration.test_failures_found import Host, host
from tests.servers.archived import destination, fill_segment, start_archiving, wait_archived
from tests.servers.pgbackrest import CONF
from tests.servers.programs import find_program
from tests.servers.writer import write_private

__all__ = ["host"]
pytestmark = [pytest.mark.server, pytest.mark.timeout(240), pytest.mark.long]
SEALED = "[global]\nrepo1-cipher-type=aes-256-cbc\nrepo1-cipher-pass=SEKRET-of-the-repository\n"


async def test_an_encrypted_repository_is_judged_by_the_tools_list_and_the_store(host: Host) -> None:
    server, to = host.server, destination(host.rgw)
    text = CONF.format(to=to, server=server, stanza="odd.name_1-x").replace("[global]\n", SEALED, 1)
    conf = write_private(server, "sealed.conf", text)
    program = str(find_program("pgbackrest", server="pgBackRest", package="pgbackrest"))
    command = shlex.join([program, f"--config={conf}", "--stanza=odd.name_1-x"])
    server.run(["sh", "-c", f"{command} stanza-create"])
    start_archiving(server, f"{command} archive-push %p")
    wait_archived(server, [fill_segment(server)])
    _, before = await host.checked()
    assert before["level"] != "ok", before["verdict"]
    server.run(["sh", "-c", f"{command} --type=full backup"])
    wait_archived(server, [fill_segment(server)])
    code, after = await host.checked()
    assert (code, after["level"]) == (0, "ok"), after
    assert after["verdict"].startswith("restorable to any moment since"), after["verdict"]
    assert "SEKRET" not in str(after)
    owner = host.rgw.client(to.keys)
    (label,) = [
        each["Key"]
        for each in owner.list_objects_v2(Bucket=to.bucket, Prefix="repo/backup/").get("Contents", [])
        if each["Key"].endswith("F/backup.manifest")
    ]
    owner.delete_object(Bucket=to.bucket, Key=label)  # the tool's list alone is not believed
    _, broken = await host.checked()
    assert broken["level"] != "ok", broken["verdict"]
    start_archiving(server, "/bin/true")
