"""The page that tells what was tried on virtual droplets, from what each of them and each test told."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

HEAD = """\
# Tested hosts

What was tried on whole virtual machines, each with a systemd, a journal and a boot of its own, by the program
as an operator starts it. Their stores are two Ceph object gateways on the console's side, reached over TLS by
names that both sides resolve, with authorities of their own (`ca_file`). Written by `make test-vm`.
"""


@dataclass(frozen=True)
class Droplet:
    """One of the machines. `used_s` is what its emulation took of a processor."""

    module: str
    user: str
    accelerator: str
    booted_in_s: float
    used_s: float

    def told(self) -> str:
        """For a worker's answer to whoever started it: JSON."""
        return json.dumps(vars(self))

    @classmethod
    def of(cls, told: str) -> Self:
        """What `told` said."""
        return cls(**json.loads(told))


@dataclass
class Part:
    """One test: whether it passed, how long it took in all, and the rows that it saw."""

    name: str
    passed: bool = True
    seconds: float = 0.0
    rows: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Run:
    """`built_in_s` is how long the image took when it was made; `not_run` are tests that never began."""

    date: str
    python: str
    processors: int
    took_s: float
    built_in_s: float
    versions: Mapping[str, str]
    droplets: Sequence[Droplet]
    parts: Sequence[Part]
    not_run: Sequence[str]


def page(run: Run) -> str:
    """All of it."""
    return "\n".join((HEAD, "## Debian 13\n", *_facts(run), "", *_table(run.parts))) + "\n"


def _facts(run: Run) -> Iterator[str]:
    failed = [part.name for part in run.parts if not part.passed]
    yield f"- {run.date}, Python {run.python} on the console's side"
    yield f"- {', '.join(f'{name} {version}' for name, version in run.versions.items())}"
    yield (
        f"- {len(run.droplets)} droplets side by side, each with one processor and 1 GiB; 17/main, 17/second;"
        f" {run.took_s / 60:.1f} min on {run.processors} processors; their image was made before, in"
        f" {run.built_in_s:.0f} s"
    )
    for each in run.droplets:
        yield (
            f"- of {each.module}: as {each.user}, {each.accelerator}; booted in {each.booted_in_s:.0f} s,"
            f" {each.used_s / 60:.1f} min of a processor"
        )
    yield f"- failed: {_names(failed)}; not run: {_names(run.not_run)}"


def _names(names: Iterable[str]) -> str:
    return ", ".join(names) or "nothing"


def _table(parts: Sequence[Part]) -> Iterator[str]:
    """A row for each thing seen; a test's seconds stand in its first."""
    yield from ("| tried | seen | s |", "|---|---|---|")
    for part in parts:
        for number, (what, seen) in enumerate(part.rows):
            took = "" if number else f"{part.seconds:.0f}"
            yield f"| {_cell(what)} | {_cell(seen)} | {took} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
