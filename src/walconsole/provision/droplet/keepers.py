"""The one way in which files on the droplet are read, written and taken away: scripts/files.sh.

A folder that somebody else may write to is that somebody's: what is in it is touched as that user, never
as root.
"""

from functools import cache
from importlib.resources import files
from shlex import join, quote

from walconsole.droplet.rendering import template
from walconsole.observe.host.host_script import compact

LARGEST = 1024 * 1024
"""Of a file that is read or kept, in bytes."""
NOT_THERE = 3
"""The exit status where there is no such file, or no such folder."""
NOT_MADE = 5
"""That of `rework` where awk's program failed: the file is as it was."""
_KEEPERS = ("read", "write", "take", "change")


@cache
def functions() -> str:
    """The functions of scripts/files.sh with what they need, to be put before what calls them."""
    parts = "".join(f"{name.upper()}={quote(_script(f'keeper_{name}.sh'))}\n" for name in _KEEPERS)
    return f"{parts}most={LARGEST}\n{compact(template('stand.sh'))}{_script('files.sh')}"


def call(function: str, *arguments: str) -> str:
    """A script that calls one of them."""
    return f"{functions()}{join((function, *arguments))}\n"


def _script(name: str) -> str:
    return compact(files("walconsole.provision.scripts").joinpath(name).read_text("ascii"))
