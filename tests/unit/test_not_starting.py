"""Why a recovered server does not start: the cause, the server's own words, and what to do."""

import pytest

from walconsole.domain.recovery.not_starting import why_not_started

AT = "2026-11-29 14:02:00.000 UTC [4711] "


@pytest.mark.parametrize(
    ("lines", "why", "remedy"),
    [
        (
            [
                'FATAL:  data directory "/srv/it" has wrong ownership',
                "HINT:  The server must be started by the user",
            ],
            "another owner or other modes",
            "chmod 700",
        ),
        (
            [
                'FATAL:  data directory "/srv/it" has invalid permissions',
                "DETAIL:  Permissions should be u=rwx (0700)",
            ],
            "another owner or other modes",
            "chmod 700",
        ),
        (
            [
                'LOG:  could not open file "global/pg_control": Permission denied',
                "FATAL:  could not open control file",
            ],
            "an owner or modes",
            "chown and chmod",
        ),
        (
            ['FATAL:  could not open file "global/pg_filenode.map": Permission denied'],
            "an owner or modes",
            "chown and chmod",
        ),
        (
            ['FATAL:  private key file "server.key" has group or world access'],
            "its TLS key",
            "chmod 600",
        ),
        (
            [
                'LOG:  could not bind IPv4 address "127.0.0.1": Address already in use',
                "HINT:  Is another postmaster already running on port 5433?",
                'WARNING:  could not create listen socket for "localhost"',
                "FATAL:  could not create any TCP/IP sockets",
                "LOG:  database system is shut down",
            ],
            "its port or its socket is taken",
            "ss -ltnpx",
        ),
        (
            [
                "FATAL:  could not map anonymous shared memory: Cannot allocate memory",
                "HINT:  This error usually means that PostgreSQL's request for a shared memory segment",
            ],
            "the huge pages",
            "huge_pages = try",
        ),
        (
            ['FATAL:  could not access file "pg_stat_statements": No such file or directory'],
            "a library that it preloads",
            "install it",
        ),
        (
            [
                'LOG:  invalid value for parameter "lc_messages": "de_DE.UTF-8"',
                'FATAL:  configuration file "/srv/it/postgresql.conf" contains errors',
            ],
            "a locale",
            "locale-gen",
        ),
        (
            [
                'LOG:  could not open configuration directory "/srv/it/custom": No such file or directory',
                'FATAL:  configuration file "/srv/it/postgresql.conf" contains errors',
            ],
            "its configuration cannot be read",
            "mend what it names",
        ),
        (["PANIC:  could not write to file: No space left on device"], "its disk is full", "make room"),
    ],
)
def test_the_cause_and_what_to_do(lines: list[str], why: str, remedy: str) -> None:
    said, todo = why_not_started([f"{AT}{line}" for line in ("LOG:  starting PostgreSQL 15.18", *lines)])
    assert why in said, said
    assert remedy in todo
    told = next(line for line in lines if "FATAL" in line or "PANIC" in line)
    assert told.partition(":  ")[2] in said


def test_what_is_not_known_is_told_in_the_servers_words() -> None:
    assert why_not_started([f"{AT}FATAL:  something else"]) == ("something else", "")
    assert why_not_started([]) == why_not_started([f"{AT}LOG:  it starts"]) == ("", "")


def test_an_earlier_starts_failure_is_not_this_ones() -> None:
    earlier = [f"{AT}FATAL:  could not create any TCP/IP sockets"] + [f"{AT}LOG:  all is well"] * 20
    said, _ = why_not_started([*earlier, f"{AT}FATAL:  something else"])
    assert said == "something else"


def test_words_of_the_log_are_shown_without_their_control_characters() -> None:
    said, _ = why_not_started(["FATAL:  \x1b[31mred"])
    assert "\x1b" not in said
