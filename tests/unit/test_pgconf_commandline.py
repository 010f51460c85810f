"""A postmaster's arguments, as postgres(1) has them."""

import shlex

import pytest

from walconsole.domain.pgconf.commandline import parse


@pytest.mark.parametrize(
    ("arguments", "settings"),
    [
        ("-c archive_mode=on", {"archive_mode": "on"}),
        ("-carchive_mode=on", {"archive_mode": "on"}),
        ("--archive-mode=on", {"archive_mode": "on"}),
        ("-c 'archive_command=a=b c'", {"archive_command": "a=b c"}),
        ("-c x=1 -c x=2", {"x": "2"}),
        ("-p 5433 -N 9 -B 16 -S 64 -W 1", {"port": "5433", "max_connections": "9", "shared_buffers": "16",
                                           "work_mem": "64", "post_auth_delay": "1"}),
        ("-k /run -h '' -i", {"unix_socket_directories": "/run", "listen_addresses": "*"}),
        ("-F -l -O -P -s -e", {"fsync": "false", "ssl": "true", "allow_system_table_mods": "true",
                               "ignore_system_indexes": "true", "log_statement_stats": "true",
                               "datestyle": "euro"}),
        ("-Fp5433", {"fsync": "false", "port": "5433"}),
        ("-fs -fh -tpa -te", {"enable_seqscan": "false", "enable_hashjoin": "false",
                              "log_parser_stats": "true", "log_executor_stats": "true"}),
        ("-d 2", {"log_min_messages": "debug2", "log_connections": "true", "log_disconnections": "true",
                  "log_statement": "all"}),
        ("-- -c x=1", {}),
        ("", {}),
    ],
)  # fmt: skip
def test_settings(arguments: str, settings: dict[str, str]) -> None:
    line = parse(["/usr/lib/postgresql/15/bin/postgres", *shlex.split(arguments)])
    assert {name: line.value(name) for name in {one.name for one in line.settings}} == settings
    assert not line.problems


def test_the_directory_is_no_setting() -> None:
    line = parse(["postgres", "-D", "/data", "-c", "port=1"])
    assert (line.directory, [one.text for one in line.settings]) == ("/data", ["-c port=1"])


def test_18_logs_all_of_a_connection_with_d() -> None:
    assert parse(["postgres", "-d1"], 18).value("log_connections") == "all"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ("-c archive_mode", "requires a value"),
        ("--archive-mode", "requires a value"),
        ("-p", "requires an argument"),
        ("stray", "invalid argument"),
    ],
)
def test_problems(arguments: str, problem: str) -> None:
    assert any(problem in one for one in parse(["postgres", *arguments.split()]).problems)
