"""Which walconsole the end-to-end tests run: the built wheel in CI, else the one of this environment."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.terminal import Terminal

STAND_IN = Path(__file__).parent / "stand_in.py"


@dataclass(frozen=True, slots=True)
class Program:
    """The installed program, and a home of its own."""

    walconsole: Path
    python: Path
    home: Path

    @property
    def environment(self) -> dict[str, str]:
        """Nothing of the operator's own: no configuration, no deployment's variables."""
        # rclone's wheel puts its program beside this environment's python
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return {"HOME": str(self.home), "PATH": path, "TERM": "xterm-256color"}

    @property
    def log(self) -> Path:
        return self.home / ".local/state/walconsole/walconsole.log"


@pytest.fixture
def program(request: pytest.FixtureRequest, tmp_path: Path) -> Program:
    """The wheel in CI; a developer's editable installation elsewhere, for it starts at once."""
    if os.environ.get("CI"):
        installed = request.getfixturevalue("installed")
        return Program(installed.program, installed.python, tmp_path)
    return Program(Path(sys.executable).parent / "walconsole", Path(sys.executable), tmp_path)


Open = Callable[..., Terminal]


@pytest.fixture
def console(program: Program) -> Iterator[Open]:
    """Run `walconsole ARGUMENTS`, or another program, in a terminal."""
    with ExitStack() as stack:

        def open_terminal(*arguments: str, **options: object) -> Terminal:
            environment = program.environment | dict(options.pop("environment", {}))  # type: ignore[call-overload]
            command = [str(options.pop("program", program.walconsole)), *arguments]
            return stack.enter_context(Terminal(command, environment=environment, **options))  # type: ignore[arg-type]

        yield open_terminal


@pytest.fixture
def stand_in(program: Program) -> Iterator[Open]:
    """Run the stand-in app in a terminal."""
    with ExitStack() as stack:

        def open_terminal(mood: str = "", **options: object) -> Terminal:
            command = [program.python, STAND_IN, program.home, mood]
            return stack.enter_context(
                Terminal(command, environment=program.environment, **options)  # type: ignore[arg-type]
            )

        yield open_terminal
