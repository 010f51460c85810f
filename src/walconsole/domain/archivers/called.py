"""One program that a command or a script starts."""

from collections.abc import Sequence
from dataclasses import field

from walconsole.domain.archivers.branches import Otherwise
from walconsole.domain.archivers.expansion import Environment, within
from walconsole.domain.records import record


@record
class Call:
    """A program that is started. `words` are its arguments; UNKNOWN stands in them for what a run tells.

    `environment` is all that it inherits, `user` who runs it where that is another (sudo), `output` the file
    that its standard output goes to, `piped` the programs before it in its pipeline, `source` where it is.
    `folder` is where it runs (empty: in the data directory; UNKNOWN: a run tells), `perhaps`: it may not run.
    `fed`: its standard input is the segment, or made from it. `kept`: variables of tools' that the shell has,
    and does not hand on. `inside`: its output is what is wanted (`$(…)`). `interpreter`: of
    the script that it is, the shell that runs it.
    """

    program: str
    words: tuple[str, ...]
    environment: Environment = field(default_factory=dict, repr=False)
    source: str = ""
    user: str = ""
    output: str = ""
    piped: tuple[str, ...] = ()
    folder: str = ""
    otherwise: Otherwise | None = None
    perhaps: bool = False
    fed: bool = False
    kept: tuple[str, ...] = ()
    inside: bool = False
    interpreter: str = ""

    @property
    def given(self) -> bool:
        """Whether it gets the segment: then it may be what archives."""
        return self.fed or names_segment(self.words)

    @property
    def name(self) -> str:
        """The program's file name."""
        return self.program.rpartition("/")[2]

    def within(self, path: str) -> str:
        """A path of its words, as it is seen from the data directory."""
        return within(self.folder, path)


def names_segment(words: Sequence[str]) -> bool:
    """Whether one of them names the segment, by its path or its name."""
    return any("%p" in word or "%f" in word for word in words)
