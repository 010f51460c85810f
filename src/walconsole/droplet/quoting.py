"""How each of the droplet's formats writes a text that is to be taken as it is.

A profile's texts hold no control characters, so that no line can end early.
"""


def postgresql(text: str) -> str:
    """A quoted value of postgresql.conf (guc-file.l): quotes and backslashes are doubled."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def systemd(text: str) -> str:
    """The whole value of a unit's line that is not split into words: `%` is doubled (systemd.unit(5))."""
    return text.replace("%", "%%")


def logrotate(text: str) -> str:
    """A path of logrotate.conf(5), in quotes; such names are patterns (glob(7))."""
    return '"' + "".join(f"\\{sign}" if sign in '\\"*?[]' else sign for sign in text) + '"'
