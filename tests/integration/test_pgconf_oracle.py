"""The server is the oracle: the resolution of random trees against pg_file_settings and pg_settings."""

import shlex
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.integration.pgconf_oracle import SESSION_SOURCES, VALUES, DiskTree, FileSetting, Oracle, trees
from tests.long import always
from tests.servers.fixtures import bin_dir_of, or_skip
from tests.servers.postgres import PostgresServer
from tests.servers.postgres_packages import MAJORS
from tests.servers.workspace import Workspace
from walconsole.domain.pgconf.catalogue import Catalogue
from walconsole.domain.pgconf.commandline import parse
from walconsole.domain.pgconf.loading import InForce, Loaded, at_reload, at_start
from walconsole.domain.pgconf.reader import read

pytestmark = pytest.mark.server
TREES = 260
STARTS = 12
OTHERS_TREES, OTHERS_STARTS = 30, 4
"""For the versions between: what differs from their neighbours shows in a few trees, and time is dear."""


def is_other(oracle: Oracle) -> bool:
    return oracle.server.version in MAJORS


@pytest.fixture(params=always("system", "wheel", MAJORS[0], of=["system", "wheel", *MAJORS]))
def oracle(request: pytest.FixtureRequest, workspace: Workspace) -> Iterator[Oracle]:
    bin_dir = or_skip(lambda: bin_dir_of(workspace, request.param))
    made = Oracle(PostgresServer.make(workspace, bin_dir))
    yield made
    made.stop()


def view(loaded: Loaded) -> list[FileSetting]:
    """pg_file_settings as we compute it."""
    rows = [
        FileSetting(
            judged.entry.file or None,
            judged.entry.line if judged.entry.file else None,
            judged.entry.name,
            judged.entry.value,
            judged.applied,
            judged.error,
        )
        for judged in loaded.entries
    ]
    restart = 'parameter "{}" cannot be changed without restarting the server'
    return rows + [
        FileSetting(None, None, None, None, False, restart.format(name)) for name in loaded.removed
    ]


def by_file(rows: list[FileSetting]) -> tuple[list[FileSetting], set[FileSetting]]:
    """The rows in their order; those of no file (removed settings) come in a hash table's order."""
    return [row for row in rows if row.file], {row for row in rows if not row.file}


def comparable(settings: dict[str, InForce]) -> dict[str, InForce]:
    """Without custom names, which are never in pg_settings, and what belongs to the asking session.

    A file counts only where the source is one.
    """
    return {
        name: one if one.source == "configuration file" else replace(one, file=None, line=None)
        for name, one in settings.items()
        if one.source not in SESSION_SOURCES and "." not in name
    }


def expected_view(
    oracle: Oracle, tree: DiskTree, catalogue: Catalogue, running: dict[str, InForce]
) -> list[FileSetting]:
    first_error_only = read(
        tree, str(oracle.config_file), str(oracle.server.data_dir), 1, oracle.server.version
    )
    return view(at_reload(first_error_only, catalogue, running))


def check_reload(
    oracle: Oracle, catalogue: Catalogue, running: dict[str, InForce], unreadable: frozenset[str]
) -> Loaded:
    """Reload what lies on the disk, and compare both views with what we compute."""
    tree = DiskTree(unreadable)
    reading = read(tree, str(oracle.config_file), str(oracle.server.data_dir), major=oracle.server.version)
    oracle.reload()
    seen, rows = oracle.ask()
    loaded = at_reload(reading, catalogue, running)
    assert comparable(seen) == comparable(dict(loaded.in_force))
    assert by_file(rows) == by_file(expected_view(oracle, tree, catalogue, dict(loaded.in_force)))
    return loaded


def test_random_trees_load_as_the_server_loads_them(oracle: Oracle) -> None:
    oracle.start()
    catalogue = oracle.catalogue()
    running, _ = oracle.ask()
    applied, errors = 0, Counter[str]()
    count = OTHERS_TREES if is_other(oracle) else TREES
    for unreadable in trees(oracle, oracle.server.version, count):
        loaded = check_reload(oracle, catalogue, running, unreadable)
        running = dict(loaded.in_force)
        applied += not loaded.discarded
        errors.update(kind(judged.error) for judged in loaded.errors)
    assert applied > count // (3 if is_other(oracle) else 2), (
        "too few of the trees are whole to prove anything"
    )
    assert is_other(oracle) or set(errors) >= EVERY_ERROR, "the trees do not cover every kind of error"


EVERY_ERROR = {
    "syntax error",
    "could not open file",
    "could not open directory",
    "could not stat file",
    "nesting depth exceeded",
    "configuration file recursion",
    "empty configuration file name",
    "empty configuration directory name",
    "unrecognized configuration parameter",
    "setting could not be applied",
}


def kind(error: str | None) -> str:
    return (error or "").partition(' "')[0]


ARGUMENTS = (
    "",
    "-c archive_timeout=2min --archive-command=/bin/false",
    "-B 256 -N 33 -S 5000",
    "-F -fs -c max_wal_senders=3 -c archive_timeout=1 -c archive_timeout=7",
    "--cluster-name=told -c hot_standby=off -d 1",
    "-c work_mem=7MB -c track_io_timing=on -s",
)


def test_starts_with_arguments(oracle: Oracle) -> None:
    """Each start, and two reloads after it; a tree with any error must keep the server from starting."""
    needed = "-c wal_level=replica"  # minimal would not start with archive_mode on, which is another story
    oracle.start(needed)
    catalogue = oracle.catalogue()
    defaults, _ = oracle.ask()
    oracle.stop()
    refused = 0
    count = OTHERS_STARTS if is_other(oracle) else STARTS
    for number, unreadable in enumerate(trees(oracle, f"start {oracle.server.version}", count, catalogue)):
        arguments = f"{needed} {ARGUMENTS[number % len(ARGUMENTS)]}"
        told = parse(["postgres", *shlex.split(arguments)], oracle.server.version)
        reading = read(
            DiskTree(unreadable),
            str(oracle.config_file),
            str(oracle.server.data_dir),
            major=oracle.server.version,
        )
        loaded = at_start(reading, catalogue, told.settings, defaults)
        if loaded.discarded:
            with pytest.raises(RuntimeError):
                oracle.start(arguments)
            refused += 1
            continue
        oracle.start(arguments)
        seen, _ = oracle.ask()
        names = set(VALUES) | {argument.name for argument in told.settings}
        assert only(names, comparable(seen)) == only(names, comparable(dict(loaded.in_force)))
        running = seen
        for again in trees(oracle, f"reload {oracle.server.version} {number}", 1 if is_other(oracle) else 2):
            running = dict(check_reload(oracle, catalogue, running, again).in_force)
        oracle.stop()
    assert 1 <= refused <= count * 2 // 3


def only(names: set[str], settings: dict[str, InForce]) -> dict[str, InForce]:
    return {name: one for name, one in settings.items() if name in names}
