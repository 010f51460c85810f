"""The commented example that `walconsole config init` writes, made from the schema."""

import errno
import textwrap
from collections.abc import Iterator
from pathlib import Path

from walconsole.config.schema import CONSOLE_KEYS, PROFILE_KEYS, TABLES, Key
from walconsole.errors import ConfigError
from walconsole.operator_files.private import write_new

_HEAD = """\
# walconsole's configuration. Every key that is left out has a default; only `host` is needed.
# No secret belongs here: the file names variables, keyring entries and remote files that hold them.
# `walconsole config check` says with line numbers what is wrong, `walconsole config show` what holds.
"""


def example() -> str:
    """The whole file: `host` is set, everything else is commented out with its default's meaning."""
    lines = [_HEAD, "[console]", *_keys(CONSOLE_KEYS, ""), ""]
    lines += ["# A profile is one server: `walconsole shithub` opens this one.", "[profiles.shithub]"]
    lines += _keys(PROFILE_KEYS, "")
    for table, meaning in TABLES.items():
        lines += ["", f"# {meaning[0].upper()}{meaning[1:]}.", f"[profiles.shithub.{table}]"]
        lines += _keys(PROFILE_KEYS, table)
    return "\n".join(lines) + "\n"


def _keys(keys: tuple[Key, ...], table: str) -> Iterator[str]:
    for key in keys:
        if key.table != table:
            continue
        also = f" ({key.variable} in the environment)" if key.variable else ""
        without = "Required" if key.required else f"Left out: {key.default}"
        comment = f"{key.meaning[0].upper()}{key.meaning[1:]}{also}. {without}."
        yield from textwrap.wrap(comment, 96, initial_indent="# ", subsequent_indent="# ")
        yield f"{'' if key.required else '#'}{key.name} = {key.example}"


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, f"{folder} is not a directory") from None


def write_example(path: Path) -> None:
    """Write the example for the operator alone (0600). Raises ConfigError; never overwrites."""
    tried = f"writing {path}"
    try:
        _make_folder(path.parent)
        write_new(path, example())
    except FileExistsError:
        raise ConfigError(tried, "it exists", "edit it, or move it away first") from None
    except OSError as error:
        raise ConfigError(tried, error.strerror or str(error)) from None
