"""Builds the one script that a look at the host sends: a few assignments and scripts/host.sh."""

import shlex
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Look:
    """What a look shall cover; see scripts/host.sh. Paths are the host's own bytes."""

    token: str
    full: bool
    count_wal: bool
    heartbeat: str
    verifier: str = ""
    timer: str = ""
    cron: str = ""
    pick: bytes = b""
    pick_pid: int | None = None

    def script(self) -> str:
        """The script, all of it ASCII."""
        assigned = (
            ("token", self.token.encode()),
            ("full", b"%d" % self.full),
            ("list", b"%d" % self.count_wal),
            ("pick_pid", b"%d" % self.pick_pid if self.pick_pid else b""),
            ("heartbeat", self.heartbeat.encode("utf-8", "surrogateescape")),
            ("verifier", self.verifier.encode()),
            ("timer", self.timer.encode()),
            ("cron", self.cron.encode()),
            ("pick", self.pick),
        )
        return "".join(assignment(name, raw) for name, raw in assigned) + _body()


def _body() -> str:
    return script_named("host.sh")


@cache
def script_named(name: str) -> str:
    """The script of that name in `scripts/`, compact."""
    return compact(files("walconsole.observe.scripts").joinpath(name).read_text("ascii"))


def compact(script: str) -> str:
    """A script without indentation and whole-line comments, for it travels over the network."""
    lines = (line.strip() for line in script.splitlines())
    return "".join(f"{line}\n" for line in lines if line and not line.startswith("#"))


def assignment(name: str, raw: bytes) -> str:
    """A line that sets a shell variable to `raw`, in ASCII whatever its bytes are (but NUL)."""
    if raw.isascii() and (not raw or raw.decode("ascii").isprintable()):
        return f"{name}={shlex.quote(raw.decode('ascii'))}\n"
    octal = "".join(f"\\0{byte:03o}" for byte in raw if byte)
    # The full stop keeps $( ) from taking line breaks off the end.
    return f"{name}=$(printf %b '{octal}.')\n{name}=${{{name}%.}}\n"
