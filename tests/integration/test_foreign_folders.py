"""Root at work in folders that the server's user may write to, and that user against it: links, swaps, pipes.

Each function by which the console touches a file on a droplet is run as root on every such plant, and while
another process swaps them as fast as it can. A file of root's stays as it is, and nothing of it is shown.
"""

import base64
import os
import pwd
import re
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from shlex import quote

import pytest

from walconsole.provision.droplet.files import file_functions, file_script

pytestmark = [
    pytest.mark.root("only root can be led astray"),
    pytest.mark.timeout(120),
]

SECRET = "root:$y$never-to-be-seen"
NAME = "20-x.conf"
STRANGER = pwd.getpwnam("nobody")
"""Stands for the server's user: what matters is that a folder is somebody's who is not root."""


@dataclass(frozen=True)
class Ground:
    """`theirs` is the stranger's, as conf.d is the server's; `roots` is root's, with the `victim` in it."""

    theirs: Path
    roots: Path
    victim: Path
    kept: Path

    @property
    def path(self) -> Path:
        return self.theirs / "conf.d" / NAME


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    made = Ground(tmp_path / "theirs", tmp_path / "roots", tmp_path / "roots/victim", tmp_path / "kept")
    for path in (made.theirs, made.theirs / "conf.d", made.theirs / "other"):
        path.mkdir()
        give(path)
    made.roots.mkdir()
    made.kept.mkdir(0o700)
    made.victim.write_text(f"{SECRET}\n")
    made.victim.chmod(0o600)
    (made.kept / "old").write_text("old\n")
    (made.kept / "old").chmod(0o644)
    return made


def give(path: Path) -> Path:
    os.chown(path, STRANGER.pw_uid, STRANGER.pw_gid, follow_symlinks=False)
    return path


def put(path: Path, text: str = "theirs\n") -> Path:
    path.write_text(text)
    return give(path)


def link(path: Path, to: Path) -> Path:
    path.symlink_to(to)
    return give(path)


def pipe(path: Path) -> Path:
    os.mkfifo(path, 0o666)
    return give(path)


def folder(path: Path) -> Path:
    path.mkdir()
    return give(path)


def piped(text: str, function: str, *arguments: str) -> str:
    called = file_script(function, *arguments).removeprefix(file_functions())
    return f"{file_functions()}printf %s {quote(text)} | {called}"


OPERATIONS: dict[str, Callable[[Ground], str]] = {
    "whose": lambda at: file_script("whose", str(at.path)),
    "whose_at": lambda at: file_script("whose_at", str(at.path)),
    "read_out": lambda at: file_script("read_out", str(at.path)),
    "put_in": lambda at: piped("new!", "put_in", str(at.path), "0644", "root", "root", "4"),
    "take_out": lambda at: file_script("take_out", str(at.path)),
    "change": lambda at: file_script("change", str(at.path), "chmod", "0644"),
    "keep": lambda at: file_script("keep", str(at.path), str(at.kept / "new")),
    "put_back": lambda at: file_script("put_back", str(at.path), str(at.kept / "old")),
    "rework": lambda at: piped("key\n", "rework", str(at.path), "{ print }"),
    "own_folder": lambda at: file_script("own_folder", str(at.path), STRANGER.pw_name),
    "roots": lambda at: f'{file_script("roots", str(at.path), "make")}echo new >"./$name"\n',
}
"""Root's part in each function of files.sh, on a file in the stranger's folder."""
PARTS = {"stand_at", "take_in"}
"""What the others are made of."""


def _parent(at: Ground) -> None:
    (at.theirs / "conf.d").rmdir()
    link(at.theirs / "conf.d", at.roots)


def _ancestor(at: Ground) -> None:
    (at.roots / "conf.d").mkdir()
    (at.theirs / "conf.d").rmdir()
    link(at.theirs / "conf.d", at.roots / "conf.d")


PLANTS: dict[str, Callable[[Ground], object]] = {
    "a link": lambda at: link(at.path, at.victim),
    "a link to nothing in root's folder": lambda at: link(at.path, at.roots / "new"),
    "a hard link": lambda at: at.path.hardlink_to(at.victim),
    "a pipe": lambda at: pipe(at.path),
    "a folder": lambda at: folder(at.path),
    "a folder that is a link": _parent,
    "a folder that is a link to a deeper one": _ancestor,
    "the name of the copy": lambda at: (
        put(at.path),
        link(at.path.with_name(f"{NAME}.walconsole-old"), at.victim),
    ),
    "the name of a copy that was left": lambda at: (
        put(at.path),
        link(at.path.with_name(f".walconsole-{NAME}.abcdef"), at.victim),
    ),
}


def run(script: str, shell: str = "/bin/sh", timeout_s: float = 20) -> subprocess.CompletedProcess[str]:
    argv = [shell, "-c", f"(\n{script}\n)"]
    return subprocess.run(
        argv, capture_output=True, text=True, check=False, timeout=timeout_s, stdin=subprocess.DEVNULL
    )


def state(at: Ground) -> tuple[object, ...]:
    """All that is in root's folder: names, contents, owners, modes."""
    found = []
    for path in sorted(at.roots.rglob("*")):
        what = path.lstat()
        text = path.read_text() if path.is_file() else ""
        found.append((str(path), text, what.st_uid, what.st_gid, what.st_mode))
    return tuple(found)


def shown(done: subprocess.CompletedProcess[str], at: Ground) -> str:
    """What was printed, plain and decoded, and what was kept."""
    said = done.stdout + done.stderr
    words = [word for word in said.split() if len(word) % 4 == 0 and re.fullmatch(r"[\w+/]+=*", word)]
    decoded = [base64.b64decode(word).decode(errors="replace") for word in words]
    kept = [path.read_text(errors="replace") for path in at.kept.iterdir() if path.is_file()]
    return "\n".join([said, *decoded, *kept])


def test_every_function_is_tried() -> None:
    text = files("walconsole.provision.scripts").joinpath("files.sh").read_text("ascii")
    assert set(re.findall(r"^(\w+)\(\) [({]$", text, re.MULTILINE)) == set(OPERATIONS) | PARTS


@pytest.mark.parametrize("plant", PLANTS)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_plant_leads_root_astray(ground: Ground, operation: str, plant: str) -> None:
    PLANTS[plant](ground)
    before = state(ground)
    done = run(OPERATIONS[operation](ground))
    assert state(ground) == before, done
    assert SECRET not in shown(done, ground)


@pytest.mark.parametrize("line", ["cp -p -- {kept} {name}.walconsole-old", "echo new >{name}.walconsole-old"])
def test_by_a_path_root_is_led_astray(ground: Ground, line: str) -> None:
    """What the plants are worth: what the functions do not do, a line by a path does."""
    PLANTS["the name of the copy"](ground)
    before = state(ground)
    run(line.format(kept=ground.kept / "old", name=ground.path))
    assert state(ground) != before


_SWAPS = """
import os, sys
theirs, victim, roots, kind, name, uid, gid = sys.argv[1:]
os.chdir(theirs)
os.setgroups([])
os.setgid(int(gid))
os.setuid(int(uid))
path = "conf.d/" + name
def step(call, *arguments):
    try:
        call(*arguments)
    except OSError:
        pass
def plain():
    open("plain", "w").write("theirs")
print("ready", flush=True)
while True:
    if kind == "file":
        step(os.symlink, victim, "swap"); step(os.rename, "swap", path)
        step(plain); step(os.rename, "plain", path)
    else:
        step(os.rename, "conf.d", "away"); step(os.symlink, roots, "conf.d")
        step(os.unlink, "conf.d"); step(os.rename, "away", "conf.d")
"""


@contextmanager
def swapping(at: Ground, kind: str) -> Iterator[None]:
    """The stranger swaps the file, or its folder, for a link to root's, and back."""
    places = (str(at.theirs), str(at.victim), str(at.roots))
    argv = [sys.executable, "-c", _SWAPS, *places, kind, NAME, str(STRANGER.pw_uid), str(STRANGER.pw_gid)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield
        assert process.poll() is None, "it went on to the end"
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_no_swap_leads_root_astray(ground: Ground, kind: str) -> None:
    put(ground.path)
    before = state(ground)
    with swapping(ground, kind):
        for _ in range(2):
            for operation, script in OPERATIONS.items():
                done = run(script(ground))
                assert state(ground) == before, (operation, done)
                assert SECRET not in shown(done, ground), operation


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_what_the_folder_s_owner_may_do_is_done_as_that_owner(ground: Ground, shell: str) -> None:
    """The ordinary way: written, kept, changed, put back, taken away; nothing else is left."""
    path = ground.path
    assert run(OPERATIONS["put_in"](ground), shell).returncode == 0
    assert (path.read_text(), path.stat().st_uid, stat.S_IMODE(path.stat().st_mode)) == (
        "new!",
        STRANGER.pw_uid,
        0o644,
    )
    assert run(OPERATIONS["whose"](ground), shell).stdout == "nobody\n"
    assert run(file_script("change", str(path), "chmod", "0640"), shell).returncode == 0
    assert run(OPERATIONS["keep"](ground), shell).returncode == 0
    kept = ground.kept / "new"
    assert (kept.read_text(), stat.S_IMODE(kept.stat().st_mode)) == ("new!", 0o640)
    assert run(OPERATIONS["put_back"](ground), shell).returncode == 0
    assert path.read_text() == "old\n"
    assert run(OPERATIONS["rework"](ground), shell).returncode == 0
    assert path.read_text() == "key\nold\n"
    assert run(file_script("put_back", str(path), str(kept)), shell).returncode == 0
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("new!", 0o640)
    assert [each.name for each in path.parent.iterdir()] == [NAME]
    put(path, "")
    assert run(file_script("keep", str(path), str(ground.kept / "empty")), shell).returncode == 0
    assert run(file_script("put_back", str(path), str(ground.kept / "empty")), shell).returncode == 0
    assert path.read_text() == ""
    assert run(OPERATIONS["take_out"](ground), shell).returncode == 0
    assert list(path.parent.iterdir()) == []


def test_a_folder_that_is_root_s_within_theirs_is_written_by_root(ground: Ground) -> None:
    """As an operator's tool makes conf.d: its owner cannot be swapped in, only the folder moved about."""
    os.chown(ground.path.parent, 0, 0)
    assert run(OPERATIONS["put_in"](ground)).returncode == 0
    assert ground.path.stat().st_uid == 0


def test_a_link_of_the_owner_s_to_what_is_that_owner_s_is_followed(ground: Ground) -> None:
    """As a data directory, or its pg_wal, that lies on another disk."""
    (ground.theirs / "conf.d").rmdir()
    link(ground.theirs / "conf.d", ground.theirs / "other")
    assert run(OPERATIONS["put_in"](ground)).returncode == 0
    assert (ground.theirs / "other" / NAME).stat().st_uid == STRANGER.pw_uid


def test_a_link_of_root_s_is_followed(ground: Ground, tmp_path: Path) -> None:
    (tmp_path / "by-link").symlink_to(ground.theirs)
    at = Ground(tmp_path / "by-link", ground.roots, ground.victim, ground.kept)
    assert run(OPERATIONS["put_in"](at)).returncode == 0
    assert ground.path.stat().st_uid == STRANGER.pw_uid
    (tmp_path / "to-victim").symlink_to("roots/victim")
    done = run(file_script("read_out", str(tmp_path / "to-victim")))
    assert SECRET in shown(done, at), "what root made a link to, root reads"


@pytest.mark.parametrize("mode", [0o775, 0o777, 0o1777])
def test_a_folder_of_root_s_that_others_write_to_is_refused(ground: Ground, mode: int) -> None:
    """Nobody is there to do it as; what root does there could be led elsewhere."""
    folder = ground.path.parent
    os.chown(folder, 0, pwd.getpwnam("daemon").pw_gid)
    folder.chmod(mode)
    for operation in ("put_in", "read_out", "put_back", "take_out"):
        done = run(OPERATIONS[operation](ground))
        assert done.returncode == 4, (operation, done)
        assert "others may write to it" in done.stderr
    assert list(folder.iterdir()) == []


def test_what_the_keeper_says_is_taken_for_digits_alone(ground: Ground, tmp_path: Path) -> None:
    """The owner may stand in for what runs as that owner: no word of it is expanded as root."""
    put(ground.path)
    mark = tmp_path / "pwned"
    said = f"echo 'a[$(touch {mark})] x x 0 0 4'; echo b2xkCg=="
    script = file_script("keep", str(ground.path), str(ground.kept / "new"))
    done = run(f"{file_functions()}READ={quote(said)}\n{script.removeprefix(file_functions())}", "bash")
    assert done.returncode == 4, done
    assert not mark.exists()


def test_without_a_way_to_become_the_owner_it_says_so(ground: Ground, tmp_path: Path) -> None:
    few = tmp_path / "bin"
    few.mkdir()
    for name in ("stat", "id", "awk", "getent", "readlink", "mkdir", "cat"):
        found = next(path for path in (Path("/usr/bin") / name, Path("/bin") / name) if path.exists())
        (few / name).symlink_to(found)
    done = run(f"PATH={few}\n{OPERATIONS['put_in'](ground)}")
    assert done.returncode == 4
    assert "install util-linux" in done.stderr


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_a_shell_that_is_not_root_s_does_everything_as_itself(ground: Ground, shell: str) -> None:
    path, own = ground.theirs / "new" / NAME, ground.theirs / "kept" / "old"

    def done(script: str) -> str:
        argv = ["setpriv", f"--reuid={STRANGER.pw_uid}", f"--regid={STRANGER.pw_gid}", "--clear-groups"]
        ran = subprocess.run(
            [*argv, shell, "-c", script], capture_output=True, text=True, check=True, timeout=20
        )
        return ran.stdout

    done(piped("new!", "put_in", str(path), "0640", "", "", "4"))
    done(file_script("keep", str(path), str(own)))
    link(ground.theirs / "link", path)
    done(piped("key\n", "rework", str(ground.theirs / "link"), "{ print }"))
    assert (ground.theirs / "link").is_symlink()
    assert path.read_text() == "key\nnew!\n"
    nowhere = file_script("whose", f"{ground.theirs}/none/{NAME}")
    assert done(file_script("whose", str(path))) == done(nowhere) == "\n"
    done(file_script("put_back", str(path), str(own)))
    assert path.read_text() == "new!"
    assert run(file_script("read_out", f"{ground.theirs}/none/{NAME}")).returncode == 3
    done(file_script("take_out", str(path)))
    assert not path.exists()


def test_a_folder_is_given_away_only_where_nobody_else_may_write(ground: Ground) -> None:
    made = ground.roots / "state"
    script = file_script("own_folder", str(made), STRANGER.pw_name)
    for _ in range(2):
        subprocess.run(["/bin/sh", "-c", script], check=True)
        found = made.stat()
        assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (STRANGER.pw_uid, 0o750)
    for planted in (ground.victim, ground.roots / "link"):
        if not planted.exists():
            planted.symlink_to(ground.roots)
        script = file_script("own_folder", str(planted), STRANGER.pw_name)
        done = subprocess.run(["/bin/sh", "-c", script], check=False, capture_output=True, text=True)
        assert done.returncode == 4
        assert done.stderr.strip().endswith(f"{planted.name} is no folder")
    assert ground.victim.stat().st_uid == ground.roots.stat().st_uid == 0
