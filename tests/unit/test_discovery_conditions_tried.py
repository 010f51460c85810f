"""What a shell runs of scripts made at random is among what was read of them, and no more than may run."""

import random
import shutil
import subprocess
from collections.abc import Callable

import pytest

from walconsole.domain.archivers.calls import calls_of
from walconsole.domain.archivers.look import Look, Seen

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")

SCRIPTS = 250
BEGIN = "A=1\nB=\nC=true\nD=nas\n"
TESTS = [
    '[ "$A" = 1 ]', '[ "$A" != 1 ]', '[ -n "$B" ]', '[ -z "$B" ]', '[[ $C == true ]]', '[[ $C == false ]]',
    "test $A -gt 0", "test $A -gt 1", "true", "false", '[[ -n "$D" && $A = 2 ]]', '[ "$D" = nas -o -n "$B" ]',
    "unsure", "! unsure", "! [ $A = 1 ]", "{ [ $A = 1 ]; }", "( [ $A = 1 ] )", "[ $A = 1 ] | cat",
    "(( A > 0 ))", "[ $(echo 1) = 1 ]", "unsure | [ $A = 1 ]",
]  # fmt: skip
SETS = ["A=2", "A=1", "B=x", "B=", "C=false", "D=$(echo far)", "unset B", "A=$((A + 1))", "read -r A <<< 1"]

STUBS = 'cp() { echo "$2"; return $((RANDOM % 2)); }\nunsure() { return $((RANDOM % 2)); }\n'


class Writer:
    """Makes scripts whose every copy has a number of its own."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311  # the same scripts in every run
        self._copies = 0

    def copy(self) -> str:
        self._copies += 1
        return f"cp %p /w{self._copies}/%f"

    def condition(self) -> str:
        listed = [self._random.choice(TESTS) for _ in range(self._random.choice((1, 1, 2, 3)))]
        joined = listed[0]
        for each in listed[1:]:
            joined += f" {self._random.choice(('&&', '||'))} {each}"
        return joined

    def commands(self, depth: int) -> str:
        return "\n".join(self.command(depth) for _ in range(self._random.randint(1, 4)))

    def command(self, depth: int) -> str:
        kinds = self._deep(depth - 1) if depth else ()
        plain = (
            self.copy,
            lambda: self._random.choice(SETS),
            lambda: f"{self.condition()} {self._random.choice(('&&', '||'))} {self.copy()}",
        )
        return self._random.choice((*plain, *kinds, *kinds))()

    def _deep(self, depth: int) -> tuple[Callable[[], str], ...]:
        def inner() -> str:
            return self.commands(depth)

        def function() -> str:
            self._copies += 1  # a name of its own: of two of one name the last is taken
            return f"f{self._copies}() {{\n{inner()}\n}}\nf{self._copies}"

        return (
            lambda: f"if {self.condition()}; then\n{inner()}\nfi",
            lambda: (
                f"if {self.condition()}; then\n{inner()}\n"
                f"elif {self.condition()}; then\n{inner()}\nelse {inner()}\nfi"
            ),
            lambda: f"{self.condition()} && {{ {inner()}; }}",
            lambda: f"{self.condition()} || ( {inner()} )",
            lambda: f"for n in 1 2; do\n{inner()}\ndone",
            lambda: f'case "$D" in nas) {inner()};; *) {inner()};; esac',
            lambda: f"{self.condition()} && {self._random.choice(('exit 0', 'return 0'))}",
            function,
        )


def read(script: str) -> set[str]:
    listed = calls_of(script, Look(Seen(environ={"LANG": "C"})), "the command")
    return {call.words[1] for call in listed if call.name == "cp"}


def test_no_copy_that_a_shell_makes_is_left_out() -> None:
    counted = 0
    for seed in range(SCRIPTS):
        script = BEGIN + Writer(seed).commands(2)
        ran = subprocess.run(
            ["bash", "-c", f"{STUBS}RANDOM={seed}\n{script}"],
            capture_output=True, text=True, timeout=20, check=False,
        )  # fmt: skip
        assert "syntax error" not in ran.stderr, script
        made = set(ran.stdout.split())
        counted += len(made)
        assert made <= read(script), (script, made - read(script))
    assert counted > SCRIPTS


def test_most_copies_that_cannot_be_made_are_left_out() -> None:
    """Without anything that only the run tells, nearly all that is read runs."""
    known = TESTS[:12]
    told = ran = 0
    for at, one in enumerate(known):
        for other in known[at:]:
            for operator in ("&&", "||"):
                script = f"{BEGIN}if {one} {operator} {other}; then cp %p /a/%f; else cp %p /b/%f; fi"
                read_of_it = read(script)
                told += len(read_of_it)
                ran += 1
                assert read_of_it <= {"/a/%f", "/b/%f"}
    assert told == ran
