"""A temporary key is alive and the program ends in every way: none is left, or the next run deletes it."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.conftest import Open, Program
from tests.e2e.terminal import Terminal
from tests.long import always
from walconsole.config.writer import profile_as_toml
from walconsole.domain.profile import Profile
from walconsole.domain.profile_json import profile_from_json
from walconsole.domain.store.temporary_keys import PREFIX

ACTIVATION_S = 3.0
"""For so long a new key does not work, so that the steps wait with it."""


@dataclass(frozen=True)
class Account:
    """An embedded droplet without buckets, and its keys API."""

    profile: Profile
    environment: dict[str, str]

    def temporary_keys(self) -> list[str]:
        """Names of those that are alive."""
        (token,) = self.environment.values()
        request = urllib.request.Request(  # noqa: S310  # loopback
            f"{self.profile.api.endpoint}/v2/spaces/keys?per_page=200",
            headers={"Authorization": f"Bearer {token}"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            listed = json.load(answer)["keys"]
        return [key["name"] for key in listed if key["name"].startswith(PREFIX)]


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    """It is never provisioned to its end: every run is ended while its key is alive."""
    command = [sys.executable, "-m", "walconsole.sandbox", "--load", "0", "--activation", str(ACTIVATION_S)]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        news = next(line for line in map(json.loads, process.stdout) if "status" not in line)
        yield Account(profile_from_json(json.dumps(news["ready"])), news["environment"])
        process.stdin.close()
        process.wait(timeout=30)


Begin = Callable[..., Terminal]


@pytest.fixture
def begin(account: Account, console: Open, program: Program) -> Begin:
    """Run `walconsole provision --apply` in a terminal."""
    config = program.home / "config.toml"
    config.write_text(profile_as_toml(account.profile, "droplet"), "utf-8")

    def run(**options: object) -> Terminal:
        arguments = ["--config", str(config), "--apply", "--confirm", account.profile.name]
        return console("provision", "droplet", *arguments, environment=account.environment, **options)

    return run


def ledger(program: Program) -> list[str]:
    folder = program.home / ".local/state/walconsole/temporary-keys"
    return sorted(path.stem for path in folder.glob("*.json"))


def until_alive(terminal: Terminal, account: Account) -> None:
    terminal.wait_until(lambda: bool(account.temporary_keys()), "a temporary key is alive")


def noted(terminal: Terminal, program: Program) -> None:
    """The moment before it is asked for, or while it is."""
    terminal.wait_until(lambda: bool(ledger(program)), "a temporary key is in the ledger")


WAYS: dict[str, tuple[Callable[[Terminal], None], set[int]]] = {
    "INT": (lambda terminal: terminal.signal(signal.SIGINT), {130}),
    "TERM": (lambda terminal: terminal.signal(signal.SIGTERM), {143}),
    "HUP": (lambda terminal: terminal.signal(signal.SIGHUP), {129}),
    "Ctrl-C": (lambda terminal: terminal.type("\x03"), {130}),
    "closed terminal": (Terminal.hang_up, {129}),
}


@pytest.mark.parametrize("moment", ["alive", "noted"])
@pytest.mark.parametrize("way", always("INT", "closed terminal", of=WAYS))
def test_no_key_is_left(way: str, moment: str, begin: Begin, account: Account, program: Program) -> None:
    terminal = begin()
    if moment == "alive":
        until_alive(terminal, account)
    else:
        noted(terminal, program)
    act, statuses = WAYS[way]
    act(terminal)
    assert terminal.wait(45) in statuses
    assert account.temporary_keys() == []
    assert ledger(program) == []


def test_signals_while_it_is_deleted_do_not_cut_that_short(
    begin: Begin, account: Account, program: Program
) -> None:
    terminal = begin()
    until_alive(terminal, account)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        terminal.signal(number)
        time.sleep(0.02)
    assert terminal.wait(45) in {129, 130, 143}
    assert account.temporary_keys() == []
    assert ledger(program) == []


def test_a_killed_program_s_key_is_in_the_ledger_and_gone_after_the_next_start(
    begin: Begin, account: Account, program: Program
) -> None:
    terminal = begin()
    until_alive(terminal, account)
    terminal.signal(signal.SIGKILL)
    assert terminal.wait() == 137
    killed = account.temporary_keys()
    assert killed == ledger(program)
    assert len(killed) == 1
    following = begin()
    following.wait_until(lambda: b"of an earlier run is deleted" in following.output, "it is deleted")
    assert killed[0] not in account.temporary_keys()
    until_alive(following, account)
    following.signal(signal.SIGTERM)
    assert following.wait(45) == 143
    assert account.temporary_keys() == []
    assert ledger(program) == []


@pytest.fixture
def wizard(account: Account, console: Open, program: Program) -> Begin:
    """Open the screen in a terminal, and agree to the temporary key."""
    config = program.home / "config.toml"
    config.write_text(profile_as_toml(account.profile, "droplet"), "utf-8")

    def run(**options: object) -> Terminal:
        terminal = console(
            "provision", "droplet", "--config", str(config), environment=account.environment, **options
        )
        terminal.wait_for("TO DO", 40)
        terminal.type("x")
        terminal.wait_for("Temporary key adds")
        terminal.type("\x1b[C")
        terminal.type("\r")
        until_alive(terminal, account)
        return terminal

    return run


def leave_by_q(terminal: Terminal) -> None:
    terminal.type("q")
    terminal.wait_for("Leave now?")
    terminal.type("\x1b[C")
    terminal.type("\r")


SCREEN_WAYS: dict[str, tuple[Callable[[Terminal], None], int]] = {
    "q": (leave_by_q, 0),
    "TERM": (lambda terminal: terminal.signal(signal.SIGTERM), 143),
    "closed terminal": (Terminal.hang_up, 129),
}


@pytest.mark.parametrize("way", always("q", of=SCREEN_WAYS))
def test_leaving_the_screen_leaves_no_key(
    way: str, wizard: Begin, account: Account, program: Program
) -> None:
    terminal = wizard()
    act, status = SCREEN_WAYS[way]
    act(terminal)
    assert terminal.wait(45) == status
    assert account.temporary_keys() == []
    assert ledger(program) == []


def test_the_next_start_offers_what_a_killed_console_left(
    wizard: Begin, console: Open, account: Account, program: Program
) -> None:
    terminal = wizard()
    terminal.signal(signal.SIGKILL)
    terminal.wait()
    (killed,) = account.temporary_keys()
    following = console(
        "droplet", "--config", str(program.home / "config.toml"), environment=account.environment
    )
    following.wait_for("was left behind")
    following.wait_for(killed[:40])
    following.type("\x1b[C")
    following.type("\r")
    following.wait_until(lambda: not account.temporary_keys(), "the key is deleted")
    following.wait_until(lambda: not ledger(program), "the ledger is empty")
    following.type("q")
    assert following.wait() == 0
