"""What is kept of the commands that were run: bounded, folded where one repeats, and nothing secret."""

import base64
import secrets
import threading

import pytest

from walconsole.adapters.postgres.database import named
from walconsole.command_register import (
    HERE,
    MOST_CHARACTERS,
    MOST_ENTRIES,
    MOST_REQUESTS,
    MOST_RUNNING,
    MOST_TIMES,
    CommandKind,
    CommandRegister,
    UnheardRegister,
    request_line,
    shown,
    telling_of_requests,
)
from walconsole.observe.host.host_script import compact
from walconsole.observe.host.invocation import as_user
from walconsole.observe.server.statements import joined

SHELL = CommandKind.SHELL
SECRET = "hunter2secret"  # it must not be seen
FUNCTIONS = "# Where it logs.\n# Prepended: x\nlog() { :; }\n"
LOOK = '# The end of the log, whoever writes it.\n#\n# More of it.\n\nlog\n# now\nsay end "$token"\n'
PACKED = base64.b64encode(b"x" * 90 + b"secret_access_key = hunter2secret").decode()


def ran(
    register: CommandRegister, text: str, *, at: float = 1.0, status: int | None = 0, why: str = ""
) -> None:
    number = register.began(SHELL, "root@h", text, at)
    register.ended(number, at + 0.5, status, why)


def test_where_nobody_could_ask_nothing_is_kept() -> None:
    register = UnheardRegister()
    with register.telling(CommandKind.SHELL, "db1", "true", lambda: 1.0) as told:
        told.status = 0
    with pytest.raises(OSError, match="gone"), register.telling(CommandKind.HTTP, "s3", "GET /", lambda: 1.0):
        raise OSError("gone")
    assert register.entries() == ()


def test_what_ended_in_the_same_way_is_one_entry_and_what_ended_otherwise_another() -> None:
    register = CommandRegister()
    for at in range(20):
        ran(register, f"look {secrets.token_hex(8)}", at=float(at))
    ran(register, "look", at=30.0, status=3)
    failed, *others = register.entries()
    assert (failed.status, failed.count, failed.failed) == (3, 1, True)
    assert len(others) == 1  # whatever marks they had
    often = others[0]
    assert (often.count, often.failed, len(often.times)) == (20, False, MOST_TIMES)
    assert (often.last.at, often.last.seconds) == (19.0, 0.5)


def test_what_runs_stands_first_and_has_no_status() -> None:
    register = CommandRegister()
    ran(register, "true")
    number = register.began(CommandKind.STREAM, "root@h", "tail -F log", 5.0)
    running = register.entries()[0]
    assert (running.running, running.status, running.text) == (True, None, "tail -F log")
    register.ended(number, 9.0, None, "the connection was lost\nand more")
    ended = register.entries()[0]
    assert (ended.running, ended.problem, ended.last.seconds) == (False, "the connection was lost", 4.0)


def test_memory_is_bounded_and_what_was_dropped_is_counted() -> None:
    register = CommandRegister()
    for number in range(MOST_ENTRIES + 7):
        ran(register, f"command {number} " + "x y " * 5000, at=float(number))
    for number in range(MOST_RUNNING + 7):
        register.began(SHELL, "h", f"sleep {number}", 1.0)
    entries = register.entries()
    assert len(entries) == MOST_ENTRIES + MOST_RUNNING
    assert register.forgotten == 7
    assert all(len(entry.text) < MOST_CHARACTERS + 40 for entry in entries)
    register.ended(1, 2.0, 0)  # nobody knows it any more
    assert len(register.entries()) == len(entries)


@pytest.mark.parametrize(
    "command",
    [
        "PGPASSWORD=hunter2secret psql",
        "curl -u name:hunter2secret https://h",
        "printf 'secret_access_key = hunter2secret' >f",
        "cat <<'E'\nsecret_access_key = hunter2secret\nE",
        "printf '%s' "
        + base64.b64encode(b"x" * 90 + b"secret_access_key = hunter2secret").decode()
        + " | base64 -d",
    ],
)
def test_nothing_secret_is_kept(command: str) -> None:
    register = CommandRegister()
    ran(register, command, why="", status=0)
    ran(register, "x", status=None, why=f"it said {command}")
    kept = repr(register.entries()) + repr(register)
    assert "hunter2secret" not in kept
    assert base64.b64encode(b"hunter2secret").decode()[:12] not in kept


def test_what_comes_from_outside_is_made_safe() -> None:
    text = shown("echo \x1b[31mred\x1b[0m \u202eevil\necho two\ttabs")
    assert text == "echo red evil\necho two tabs"


def test_the_line_that_says_most() -> None:
    register = CommandRegister()
    ran(register, "f() { :; }\ng() { :; }\n\n# now\nsay_host 12\n}\n")
    ran(register, "systemctl restart postgresql")
    ran(register, 'token=1\n# One look at the host.\nlook() { :; }\nsay end "$token"\n')
    ran(register, f"token=1\n{compact(FUNCTIONS)}{compact(LOOK)}")
    ran(register, as_user("postgres", compact("# The server's log.\n" + LOOK)))
    assert [entry.line for entry in register.entries()] == [
        "The server's log",
        "The end of the log",
        "# One look at the host.",
        "systemctl restart postgresql",
        "say_host 12",
    ]


def test_whatever_ends_the_waiting_is_told_and_what_was_not_run_is_not() -> None:
    register = CommandRegister()
    with pytest.raises(KeyError), register.telling(SHELL, HERE, "one", lambda: 1.0):
        raise KeyError("gone")
    with register.telling(SHELL, HERE, "two", lambda: 1.0):
        pass
    with register.telling(SHELL, HERE, "three", lambda: 1.0) as running:
        running.not_run = True
    assert [(each.text, each.problem) for each in register.entries()] == [
        ("two", "it told no exit status"),
        ("one", "'gone'"),
    ]


def test_it_may_be_told_from_several_threads() -> None:
    register = CommandRegister()

    def work(name: str) -> None:
        for number in range(300):
            ran(register, f"{name} {number % 10}")

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(entry.count for entry in register.entries()) == 1200


def test_a_statement_is_told_by_its_queries_names_and_shows_no_value() -> None:
    assert named(joined(("archiver", "server"))) == "archiver, server"
    assert named("-- Every setting.\n-- More.\nSELECT 1") == "Every setting."
    assert named("\nSELECT 1\nFROM x") == "SELECT 1"


@pytest.mark.parametrize(
    ("url", "line"),
    [
        ("https://nyc3.example.net/b/base/2026/backup.json", "GET /b/base/2026/backup.json"),
        ("/b?list-type=2&prefix=wal%2F&start-after=x", "GET /b?list-type&prefix&start-after"),
        (f"/b?X-Amz-Signature={SECRET}&X-Amz-Date={SECRET}", "GET /b?X-Amz-Signature&X-Amz-Date"),
        (f"https://user:{SECRET}@nyc3.example.net", "GET /"),
        ("/b/a%20b%2Bc", "GET /b/a b+c"),
    ],
)  # fmt: skip
def test_a_request_is_told_by_method_and_path_and_no_value(url: str, line: str) -> None:
    assert request_line("GET", url) == line


def test_requests_push_out_nothing_but_requests() -> None:
    register = CommandRegister()
    ran(register, "run once")
    telling = telling_of_requests(register, lambda: 1.0)
    for number in range(3 * MOST_REQUESTS):
        with telling("nyc3.example.net", f"GET /b/{number}") as asked:
            asked.status = 200
    entries = register.entries()
    assert len(entries) == MOST_REQUESTS + 1
    assert entries[-1].text == "run once"
    assert register.forgotten == 2 * MOST_REQUESTS


def test_a_request_fails_by_its_status_or_by_no_answer() -> None:
    register = CommandRegister()
    telling = telling_of_requests(register, lambda: 1.0)
    for status in (200, 206, 403):
        with telling("h", f"GET /{status}") as asked:
            asked.status = status
    with pytest.raises(OSError, match="gone"), telling("h", "GET /gone"):
        raise OSError("gone")
    told = {entry.text: (entry.status, entry.failed, entry.problem) for entry in register.entries()}
    assert told == {
        "GET /200": (200, False, ""),
        "GET /206": (206, False, ""),
        "GET /403": (403, True, ""),
        "GET /gone": (None, True, "gone"),
    }
