"""A process beside the sandbox that takes everything away when the sandbox is killed.

`python -m walconsole.sandbox.watchdog FOLDER` reads its standard input: a line says that the sandbox
ended in order and took everything away itself; an end without one says that it was killed.
"""

import sys
from pathlib import Path

from walconsole.sandbox.leftovers import take_away


def main() -> None:
    """Wait for the sandbox's end."""
    if not sys.stdin.buffer.read(1):
        take_away(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
