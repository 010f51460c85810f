"""Files on a droplet, through a real sshd: whatever their names and texts are, whole or not at all."""

import asyncio
import base64
import os
import stat
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.data.provisioning import a_site, events
from tests.integration.observed import connected, profile_of
from tests.servers.fixtures import MakeSshd
from tests.servers.sshd import SshServer
from walconsole.errors import ProvisionError, WalconsoleError
from walconsole.provision.droplet import commands as droplet
from walconsole.provision.droplet.files import (
    change_of,
    foreign,
    install,
    install_command,
    kept_folder,
    put_back,
    put_back_command,
    read_file,
    undoing,
)
from walconsole.provision.droplet.surveying import take_survey
from walconsole.provision.engine.model import Change, ChangeKind, Changing, Command, FileChange, Printed, Ran
from walconsole.provision.engine.site import Site

pytestmark = pytest.mark.server

HOSTILE = [
    "plain.conf",
    "with space and 'quote' \"double\".conf",
    "-rf --.conf",
    "$(touch pwned)`touch pwned`;touch pwned.conf",
    "glob*?[a].conf",
    "ends with line break\n.conf",
    "Ünïcödé.conf",
]
TEXTS = [
    "",
    "no line end",
    "one\ntwo\n\n\n",
    '\'; rm -rf "$HOME" #\\n %s %d $(id) `id` WALCONSOLE_END\n',
    "Ünïcödé, a tab\t, an escape \x1b[31m, a carriage return\r\n",
    "raw \udcff bytes\n",
    "x" * 300_000,
]


@pytest.fixture
async def site(sshd: SshServer, tmp_path: Path) -> AsyncIterator[Site]:
    profile = profile_of(sshd)
    profile = replace(profile, paths=replace(profile.paths, root=str(tmp_path / "root")))
    async with connected(profile) as parts:
        yield a_site(profile, parts.shell, take_survey)


def change(path: Path, text: str, mode: int = 0o640, before: str | None = None) -> FileChange:
    return FileChange(str(path), before, text, mode, "", "")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def text_of(path: Path) -> str:
    return path.read_text()


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_any_name_and_any_text_arrive_as_they_are(site: Site, tmp_path: Path) -> None:
    for name in HOSTILE:
        path = tmp_path / "new folder" / name
        await events(site, install(site, "a-step", change(path, f"text of {name}\n")))
        now = await read_file(site, str(path))
        assert now is not None
        assert now.text == path.read_text() == f"text of {name}\n"
        assert now.mode == mode_of(path) == 0o640
        assert (now.owner, now.group) == (path.owner(), path.group())
    assert names(tmp_path / "new folder") == sorted(HOSTILE)
    assert names(tmp_path) == ["new folder"], "no shell took a name for a command"
    for number, text in enumerate(TEXTS):
        path = tmp_path / f"text-{number}"
        await events(site, install(site, "a-step", change(path, text)))
        assert path.read_bytes() == text.encode("utf-8", "surrogateescape")
        now = await read_file(site, str(path))
        assert now is not None
        assert now.text == text


async def test_the_old_file_is_kept_and_told_before_it_is_replaced(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "it's.conf"
    path.write_text("old\n")
    path.chmod(0o604)
    told = install(site, "a-step", change(path, "new\n", before="old\n"))
    first = await anext(told)
    assert isinstance(first, Changing)
    assert path.read_text() == "old\n"
    kept = Path(first.change.kept)
    assert text_of(kept) == "old\n"
    assert mode_of(kept) == 0o604
    assert kept.parent == Path(kept_folder(site))
    assert mode_of(kept.parent) == 0o700
    rest = [event async for event in told]
    assert [type(event) for event in rest] == [Ran, Printed]
    assert path.read_text() == "new\n"

    again = await events(site, install(site, "a-step", change(path, "newer\n", before="new\n")))
    assert isinstance(again[0], Changing)
    assert again[0].change.kept != str(kept), "what was kept in the same second stays"
    newest_first = (again[0].change, first.change)
    (undone,) = await undoing(site, newest_first)
    assert (undone.before, undone.after, undone.mode) == ("newer\n", "old\n", 0o604)
    for made in newest_first:
        await events(site, put_back(site, made))
    assert path.read_text() == "old\n"
    assert mode_of(path) == 0o604
    assert names(tmp_path) == ["it's.conf", "root"]


async def test_what_was_not_there_is_taken_away_again(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "fresh"
    first = (await events(site, install(site, "a-step", change(path, "new\n"))))[0]
    assert isinstance(first, Changing)
    assert (first.change.before, first.change.kept) == ("not there", "")
    (undone,) = await undoing(site, (first.change,))
    assert (undone.before, undone.after) == ("new\n", None)
    for _ in range(2):
        await events(site, put_back(site, first.change))
        assert not path.exists()


async def test_taking_away_keeps_what_was_there(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "old"
    path.write_text("old\n")
    first = (await events(site, install(site, "a-step", FileChange(str(path), "old\n", None))))[0]
    assert isinstance(first, Changing)
    assert not path.exists()
    await events(site, put_back(site, first.change))
    assert path.read_text() == "old\n"


async def test_what_is_no_file_is_said(site: Site, tmp_path: Path) -> None:
    assert await read_file(site, str(tmp_path / "none")) is None
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "large").write_bytes(b"x" * (1024 * 1024 + 1))
    for name, why in ((".", "no regular file"), ("dangling", "no regular file"), ("large", "larger than")):
        with pytest.raises(ProvisionError, match=why):
            await read_file(site, str(tmp_path / name))


async def test_a_file_that_cannot_be_written_leaves_the_old_one(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "a file and no folder"
    folder.write_text("in the way\n")
    with pytest.raises(ProvisionError, match=r"writing .* on the droplet"):
        await events(site, install(site, "a-step", change(folder / "new", "text")))
    assert folder.read_text() == "in the way\n"
    with pytest.raises(ProvisionError, match="keeping a copy"):
        await events(site, install(site, "a-step", change(tmp_path / "gone", "text", before="old")))
    (tmp_path / "directory").mkdir()
    with pytest.raises(ProvisionError):
        await events(site, install(site, "a-step", change(tmp_path / "directory", "text")))
    assert not any((tmp_path / "directory").iterdir())
    with pytest.raises(ValueError, match="secret"):
        await events(site, install(site, "a-step", FileChange("/x", None, None, secret=True)))


async def test_killed_in_mid_write_the_old_file_stays(make_sshd: MakeSshd, tmp_path: Path) -> None:
    """base64 stands still half-way; then everything of the connection is killed."""
    slow = tmp_path / "bin"
    slow.mkdir()
    text = "new line\n" * 5000
    half = base64.b64encode(text.encode()[:20_000]).decode()
    (slow / "base64").write_text(
        "#!/bin/sh\ncase ${1:-} in -d) ;; *) exec /usr/bin/base64 ;; esac\n"
        f"printf %s {half} | /usr/bin/base64 -d\ntouch {tmp_path}/half-way\nexec sleep 60\n"
    )
    (slow / "base64").chmod(0o755)
    path = tmp_path / "etc" / "archive.conf"
    path.parent.mkdir()
    path.write_text("old\n")
    server = make_sshd({"SetEnv": f"PATH={slow}:/usr/local/bin:/usr/bin:/bin"})
    profile = profile_of(server)
    profile = replace(profile, paths=replace(profile.paths, root=str(tmp_path / "root")))
    async with connected(profile) as parts:
        here = a_site(profile, parts.shell, take_survey)
        writing = asyncio.create_task(
            events(here, install(here, "a-step", change(path, text, before="old\n")))
        )
        deadline = time.monotonic() + 10
        while not (tmp_path / "half-way").exists():
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
        server.stop(sessions=True)
        with pytest.raises(WalconsoleError):
            await asyncio.wait_for(writing, 15)
        assert path.read_text() == "old\n"
        leftovers = [name for name in names(path.parent) if name != path.name]
        assert all(name.startswith(".walconsole-") and not name.endswith(".conf") for name in leftovers)
        (slow / "base64").unlink()
        server.start()
        await events(here, install(here, "a-step", change(path, text, before="old\n")))
    assert path.read_text() == text
    assert names(path.parent) == [path.name], "the next write takes away what the killed one left"


async def test_by_hand_the_same_comes_out(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "by 'hand'"
    made = change(path, TEXTS[3], mode=0o751)
    await droplet.ask(site, install_command(made).text)
    assert path.read_text() == TEXTS[3]
    assert mode_of(path) == 0o751
    undone = Change("a-step", ChangeKind.FILE, str(path))
    await droplet.ask(site, (await put_back_command(site, undone)).text)
    assert not path.exists()


async def test_whose_it_is_counts_for_root_alone(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "owned"
    path.write_text("text")
    path.chmod(0o644)
    if os.geteuid() == 0:
        os.chown(path, 1, 1)
    now = await read_file(site, str(path))
    assert change_of(now, str(path), "text", 0o644) is None
    assert change_of(now, str(path), "text", 0o755) is not None
    assert change_of(now, str(path), "other", 0o644) is not None
    needed = change_of(now, str(path), "text", 0o644, as_root=True)
    assert needed is not None
    if os.geteuid() == 0:
        await events(site, install(site, "a-step", needed))
        assert (path.stat().st_uid, path.stat().st_gid) == (0, 0)


def test_what_walconsole_did_not_write_is_foreign() -> None:
    ours, other = "#!/bin/sh\n# x: installed by walconsole.\n", "#!/bin/sh\necho\n\n\n\n# walconsole\n"
    changes = (FileChange("/a", ours, ""), FileChange("/b", other, ""), FileChange("/c", None, ""))
    assert foreign(changes) == ("/b",)


async def test_a_command_is_told_line_by_line_and_ends_with_its_iterator(site: Site, tmp_path: Path) -> None:
    mark = tmp_path / "ended"
    running = droplet.run(site, Command(f"echo begun; sleep 30; touch {mark}"))
    assert isinstance(await anext(running), Ran)
    assert await anext(running) == Printed("begun")
    await running.aclose()  # type: ignore[attr-defined]  # an async generator
    told = await events(site, droplet.run(site, Command("printf 'a\\rb\\n\\n c'; exit 7"), accepted=(7,)))
    assert told[1:] == [Printed("a"), Printed("b"), Printed(" c")]
    with pytest.raises(ProvisionError, match="exit status 3: the last words"):
        await events(site, droplet.run(site, Command("echo the last words; exit 3")))
    left = await droplet.ask(site, f"pgrep -f 'touch {mark}' | grep -vx $$ || :")
    assert not mark.exists()
    assert left.strip() == ""


async def test_as_another_user_or_not_at_all(site: Site) -> None:
    own = site.profile.ssh.user or ""
    assert (await droplet.ask(site, "id -un", user=own)).strip() == own
    status, said = await droplet.status_of(site, "id -un", user="nobody-at-all")
    assert status == 125
    assert "nobody-at-all" in said
    if os.geteuid() == 0:
        assert (await droplet.ask(site, "id -un; id -Gn", user="nobody")).split() == ["nobody", "nogroup"]
        status, _ = await droplet.status_of(site, "exit 42", user="nobody")
        assert status == 42
