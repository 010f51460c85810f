"""Strange trees as the console gathers them, by its own script, against the server's account of them."""

import os
import random
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from tests.integration.pgconf_oracle import FileSetting, Oracle, TreeMaker
from tests.integration.test_pgconf_oracle import by_file, comparable, view
from tests.servers.fixtures import bin_dir_of, or_skip
from tests.servers.postgres import PostgresServer
from tests.servers.workspace import Workspace
from walconsole.domain.facts.host import ClusterFacts
from walconsole.domain.facts.observed import ConfigFiles, FileRole
from walconsole.domain.pgconf.loading import at_reload
from walconsole.domain.pgconf.reader import read
from walconsole.domain.pgconf.tree import canonical
from walconsole.domain.round_trips import ShellAnswer
from walconsole.observe.server.configuration import ConfigurationProbe
from walconsole.ports import Shell

pytestmark = pytest.mark.server
TREES = int(os.environ.get("WALCONSOLE_TREES", "40"))
"""Of each version; more are a matter of minutes."""


@dataclass
class Here:
    """A shell on this machine, and the cluster that is looked at."""

    cluster: ClusterFacts

    async def run(self, script: str, *, timeout_s: float) -> ShellAnswer:
        began = time.time()
        ran = subprocess.run(  # noqa: ASYNC221  # nothing else is to go on meanwhile
            ["sh"], input=script.encode(), stdout=subprocess.PIPE, timeout=timeout_s, check=False
        )
        return ShellAnswer(ran.stdout, ran.returncode, began, time.time())

    async def locate(self) -> ClusterFacts:
        return self.cluster


@dataclass(slots=True)
class StrangeMaker(TreeMaker):
    """Trees as people make them by hand: links, slashes, odd names, deep chains, large and foreign files."""

    depth: int = 0
    names: list[str] = field(
        default_factory=lambda: [
            "a b.conf", "it's.conf", "ümläut.conf", "$HOME.conf", "back\\slash.conf", "x#y.conf", "UP.conf",
            "-dash.conf", "tab\there.conf", "[1].conf", "*.conf", "q?.conf", "two..dots.conf", "100%.conf",
            "~t.conf",
        ]
    )  # fmt: skip

    def make(self) -> frozenset[str]:
        unreadable = TreeMaker.make(self)
        ways = [
            self.slashes, self.linked_folder, self.chain, self.named, self.long, self.foreign, self.dots,
            self.octal, self.twice, self.linked_main,
        ]  # fmt: skip
        for strange in self.rng.sample(ways, 3):
            strange()
        self.oracle.give()
        return unreadable

    def add(self, *lines: bytes) -> None:
        """To the main file, or to postgresql.auto.conf, at the beginning or the end."""
        file = self.oracle.config_file
        added, before = b"\n".join(lines) + b"\n", file.read_bytes()
        whole = before + (b"" if before.endswith(b"\n") or not before else b"\n")
        file.write_bytes(added + before if self.rng.random() < 0.5 else whole + added)

    def folder(self, name: str) -> Path:
        made = self.oracle.folder / name
        made.mkdir(parents=True, exist_ok=True)
        (made / "one.conf").write_bytes(self.line() + b"\n")
        (made / "two.conf").write_bytes(self.line() + b"\n")
        return made

    def slashes(self) -> None:
        folder = self.folder("slashed")
        named = self.rng.choice(
            [f"{folder}/", f"{folder}//", "slashed/", "./slashed//", f"/{folder}", "slashed/."]
        )
        self.add(f"include_dir '{named}'".encode())

    def linked_folder(self) -> None:
        self.folder("real/here")
        link = self.oracle.folder / "link.d"
        link.unlink(missing_ok=True)
        link.symlink_to(self.rng.choice(["real/here", str(self.oracle.folder / "real/here")]))
        (self.oracle.folder / "real" / "up.conf").write_bytes(b"work_mem = 5MB\n")
        (self.oracle.folder / "real" / "here" / "three.conf").write_bytes(b"include_if_exists '../up.conf'\n")
        self.add(
            self.rng.choice(
                [b"include_dir 'link.d'", b"include_dir = 'link.d/'", b"include 'link.d/one.conf'"]
            )
        )

    def chain(self) -> None:
        """As deep as may be, or one too deep where errors may be."""
        deep = 10 if self.clean else self.rng.choice([9, 10, 11])
        for number in range(1, deep + 1):
            following = f"include 'chain{number + 1}.conf'\n" if number < deep else "work_mem = 6MB\n"
            (self.oracle.folder / f"chain{number}.conf").write_text(following)
        self.add(b"include 'chain1.conf'")

    def named(self) -> None:
        folder = self.oracle.folder / "odd.d"
        folder.mkdir(exist_ok=True)
        for name in self.rng.sample(self.names, 4):
            (folder / name).write_bytes(self.line() + b"\n")
        chosen = self.rng.choice(sorted(path.name for path in folder.iterdir()))
        quoted = chosen.replace("\\", "\\\\").replace("'", "''").replace("\t", "\\t")
        self.add(self.rng.choice([b"include_dir 'odd.d'", f"include 'odd.d/{quoted}'".encode()]))

    def long(self) -> None:
        length = self.rng.choice([8192, 70_000, 400_000])
        self.add(b"archive_command = '" + b"x" * length + b"'", b"# " + b"y" * length)

    def foreign(self) -> None:
        raw = self.rng.choice(
            [b"archive_command = '\xe9\xff'\r\n", b"# \xff\n" if self.clean else b"\xef\xbb\xbf# a mark\r\n",
             b"restore_command = 'a\xc2\xa0b'\r\n\r\n", b"#\x00\nwork_mem = 4MB\n"]
        )  # fmt: skip
        (self.oracle.folder / "foreign.conf").write_bytes(raw)
        self.add(b"INCLUDE 'foreign.conf'")

    def linked_main(self) -> None:
        """The main file is a link: what it names counts from where the link lies."""
        elsewhere = self.oracle.folder / "managed"
        elsewhere.mkdir(exist_ok=True)
        (self.oracle.folder / "beside.conf").write_bytes(b"archive_timeout = 33\n")
        (elsewhere / "beside.conf").write_bytes(b"archive_timeout = 44\n")
        self.add(b"include 'beside.conf'")
        self.oracle.config_file.rename(elsewhere / "main.conf")
        self.oracle.config_file.symlink_to("managed/main.conf")

    def dots(self) -> None:
        self.folder("dotted/in")
        named = self.rng.choice(
            ["dotted/./in", "dotted/in/../in", "./dotted//in", "dotted/in/.", "dotted/../dotted/in/"]
        )
        self.add(f"include_dir '{named}'".encode())

    def octal(self) -> None:
        (self.oracle.folder / "oct.conf").write_bytes(self.line() + b"\n")
        self.add(
            self.rng.choice(
                [b"include 'o\\143t.conf'", b"include\t=\t'\\157ct.conf'#x", b"include_if_exists oct"]
            )
        )

    def twice(self) -> None:
        (self.oracle.folder / "again.conf").write_bytes(b"archive_timeout = 11\nArchive_Timeout=12\n")
        self.add(b"include 'again.conf'", b"archive_timeout = 13", b"include 'again.conf'")


@pytest.fixture(params=["system", "wheel"])
def oracle(request: pytest.FixtureRequest, workspace: Workspace) -> Iterator[Oracle]:
    bin_dir = or_skip(lambda: bin_dir_of(workspace, request.param))
    made = Oracle(PostgresServer.make(workspace, bin_dir))
    yield made
    made.stop()


async def gathered(oracle: Oracle) -> ConfigFiles:
    """What the console's own probe finds there."""
    server = oracle.server
    cluster = ClusterFacts(
        None,
        server.port,
        str(server.socket_dir),
        str(server.data_dir),
        str(oracle.config_file),
        True,
        server.os_user,
    )
    here = Here(cluster)
    (fact,) = await ConfigurationProbe(cast(Shell, here), here).take()
    assert isinstance(fact.value, ConfigFiles), fact.value
    return fact.value


def files_of(rows: list[FileSetting]) -> set[str]:
    """The files that the server names, behind their links."""
    return {os.path.realpath(row.file) for row in rows if row.file}


def files_by(role: FileRole, files: ConfigFiles) -> set[str]:
    """Likewise those of that role."""
    return {os.path.realpath(canonical(file.path)) for file in files.files if file.role is role}


@pytest.mark.long
async def test_strange_trees_are_gathered_and_read_as_the_server_reads_them(oracle: Oracle) -> None:
    """Each setting and line, what is in force, which files are read, and which are called dead."""
    oracle.start()
    major, catalogue = oracle.server.version, oracle.catalogue()
    main, data = str(oracle.config_file), str(oracle.server.data_dir)
    running, _ = oracle.ask()
    wrong: list[str] = []
    whole = 0
    for turn in range(TREES):
        rng = random.Random(f"strange {major}/{turn}")  # noqa: S311  # reproducible, not secret
        StrangeMaker(oracle, rng, turn % 2 == 0).make()
        files = await gathered(oracle)
        oracle.reload()
        seen, rows = oracle.ask()
        assert files.tree is not None
        loaded = at_reload(read(files.tree, main, data, major=major), catalogue, running)
        expected = view(at_reload(read(files.tree, main, data, 1, major), catalogue, dict(loaded.in_force)))
        running, named = seen, files_of(rows)
        whole += not loaded.discarded
        differs = {
            "what is in force": comparable(seen) != comparable(dict(loaded.in_force)),
            "lines and errors": by_file(rows) != by_file(expected),
            "a live file called dead": bool(named & files_by(FileRole.NEVER_READ, files)),
            "a live file not seen": not loaded.discarded and not named <= files_by(FileRole.READ, files),
            "uncertain": bool(files.uncertain),
        }
        wrong += [f"tree {turn}: {what}" for what, is_so in differs.items() if is_so]
    assert wrong == [], f"{len(wrong)} differences in {TREES} trees"
    assert whole > TREES // 3, "too few of the trees are whole to prove anything"
