"""From the command line's words to the end of the command that they name."""

import os
import sys
from collections.abc import Sequence

from walconsole.cli.arguments import parse
from walconsole.cli.table import BY_NAME, OPEN, module_of
from walconsole.errors import WalconsoleError
from walconsole.process.garbage import collect
from walconsole.process.loop import leave
from walconsole.process.stderr import say
from walconsole.process.stop import Stop


def run(arguments: Sequence[str] | None) -> int:
    """Run what the words ask for, None: the process's own; the exit code."""
    stop = Stop()
    stop.install()
    try:
        options = parse(sys.argv[1:] if arguments is None else arguments)
        named = BY_NAME.get(options.command, OPEN)
        command = module_of(named)
        if not named.imports_on:
            collect()
        status = command.start(options, stop)
        if sys.stdout is not None:
            sys.stdout.flush()
    except WalconsoleError as error:
        say(error.line())
        status = error.exit_code
    except BrokenPipeError:  # `walconsole config show | head`: the reader has what it wanted
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    return leave(stop.exit_code if stop.noted else status)
