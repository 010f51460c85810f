"""What is said on standard error while no console is on the screen."""

import sys

from walconsole.domain.redaction import safe


def say(text: str) -> None:
    """Each line of `text` on standard error, with the program's name before what does not name a file."""
    try:
        for line in text.split("\n"):
            sys.stderr.write(f"{'' if line.startswith('/') else 'walconsole: '}{safe(line)}\n")
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        pass  # standard error is closed: nobody is there to read it
