"""The command line: what was asked for, and the exit code."""

from collections.abc import Sequence

from walconsole.process.garbage import collect, collect_nothing


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; its exit code. One line on standard error for every error.

    What it takes is imported here, without looking for garbage: that is a tenth of the time it takes.
    """
    collect_nothing()
    try:
        from walconsole.cli.running import run

        return run(arguments)
    finally:
        collect()
