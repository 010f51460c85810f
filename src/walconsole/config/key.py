"""One key of config.toml, as the table of all of them (`schema`) has it."""

from typing import NamedTuple

from walconsole.config.checks import Check


class Key(NamedTuple):
    """`path` is dotted, below [profiles.NAME] or [console].

    `example` is a TOML literal, `default` says in words what holds when the key is left out,
    `variable` names the environment variable that also sets it.
    """

    path: str
    check: Check
    example: str
    meaning: str
    default: str
    variable: str = ""
    required: bool = False

    @property
    def table(self) -> str:
        return self.path.rpartition(".")[0]

    @property
    def name(self) -> str:
        return self.path.rpartition(".")[2]
