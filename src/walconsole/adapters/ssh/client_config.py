"""ssh_config(5) as OpenSSH reads it, upon asyncssh's reader of single values.

What cannot be read, or be decided here, is passed over and noted with its line, never guessed: a criterion
of Match that is not known does not match. Only what OpenSSH itself refuses is an error.
"""

import contextlib
import glob
import os
import re
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, cast

from asyncssh.config import ConfigParseError, SSHClientConfig, SSHConfig

from walconsole.adapters.ssh.local import run_here
from walconsole.domain.ssh_config import criteria, directive, matches, words

_DEEPEST_INCLUDE = 16  # readconf.c, READCONF_MAX_DEPTH
_EXEC_TIMEOUT_S = 10.0
_LONGEST_FILE = 1 << 20
_REFUSED = frozenset({"hostname", "port", "user", "proxyjump", "proxycommand", "identityfile"})
"""Where a wrong value is an error, and not passed over: the connection would go elsewhere."""
CARRIED = frozenset(
    {
        "kexalgorithms", "ciphers", "macs", "casignaturealgorithms", "hostkeyalgorithms", "compression",
        "addressfamily", "bindaddress", "tcpkeepalive", "rekeylimit", "canonicalizehostname",
        "canonicaldomains", "canonicalizefallbacklocal", "canonicalizemaxdots", "canonicalizepermittedcnames",
    }
)  # fmt: skip
"""What asyncssh uses beside the values that are given to it."""
_EITHER = {"proxyjump": "ProxyCommand", "proxycommand": "ProxyJump"}
"""Whichever stands first takes all effect from the other, a `none` too (ssh_config(5), ProxyJump)."""


class ClientConfig(SSHClientConfig):
    """The options of one host. `not_understood` has a line for each place that was passed over.

    `carried` are the lines that asyncssh is to read itself, without any condition. `first` is what a first
    reading found, for the final one: its values stay, and Host means its HostName there.
    """

    _percent_expand = SSHClientConfig._percent_expand | {"UserKnownHostsFile"}
    _handlers = SSHClientConfig._handlers | {
        "stricthostkeychecking": ("StrictHostKeyChecking", SSHConfig._set_string),
        "hashknownhosts": ("HashKnownHosts", SSHConfig._set_bool),
    }

    def __init__(
        self, local_user: str, user: Any, host: str, port: Any, first: "ClientConfig | None" = None
    ) -> None:
        final = first is not None
        super().__init__(cast(Any, None), False, False, final, local_user, user, host, port)
        self.not_understood: list[str] = []
        self.carried: dict[str, str] = {}
        self.asks_final = False
        self._depth = 0
        if first is not None:
            self._options = {
                name: list(value) if isinstance(value, list) else value
                for name, value in first._options.items()
            }
            self.carried = dict(first.carried)

    def read(self, files: Sequence[str]) -> None:
        """Read these files. Raises ConfigParseError naming file and line, and OSError."""
        for file in files:
            self._read_file(Path(file))
        for name, value in self._options.items():  # what the first reading found is found again
            if isinstance(value, list):
                self._options[name] = list(dict.fromkeys(value))

    def take(self, options: Mapping[str, object]) -> None:
        """OpenSSH's own answer, in the place of what was read here: then all of it was understood."""
        replaced = set(options) | {"ProxyJump", "ProxyCommand"}
        self._options = {name: value for name, value in self._options.items() if name not in replaced}
        self._options |= options
        self.not_understood = []

    def expand(self) -> None:
        """Write out tokens and variables, once all is read."""
        self._set_tokens()
        for option in sorted(self._percent_expand & self._options.keys()):
            value = self._options[option]
            if isinstance(value, list):
                self._options[option] = [self._expand_val(each) for each in value]
            elif isinstance(value, str):
                self._options[option] = self._expand_val(value)

    def _read_file(self, path: Path) -> None:
        with path.open("rb") as file:
            text = file.read(_LONGEST_FILE).decode("utf-8", "surrogateescape")
        before = self._path, self._line_no, self._matching
        self._path, self._matching = path, before[2] if self._depth else True
        for number, line in enumerate(text.splitlines(), 1):
            self._line_no = number
            self._read_line(line)
        self._path, self._line_no, self._matching = before

    def _read_line(self, line: str) -> None:
        keyword, rest = directive(line)
        if not keyword or (not self._matching and keyword not in self._conditionals):
            return
        try:
            arguments = [rest] if keyword in self._no_split else words(rest)
        except ValueError as error:
            self._note(keyword, str(error))
            self._matching = self._matching and keyword not in self._conditionals
            return
        if keyword == "match":
            self._matching = self._all_match(arguments)
        elif keyword == "include":
            self._read_included(arguments)
        elif keyword == "host":
            self._matching = matches(arguments, self._named if self._final else self._orig_host)
        elif keyword in self._handlers:
            self._set(keyword, arguments)

    def _set(self, keyword: str, arguments: list[str]) -> None:
        option, handler = self._handlers[keyword]
        if _EITHER.get(keyword) in self._options:
            return
        given = list(arguments)
        if keyword == "port" and given and not given[0].isdigit():
            with contextlib.suppress(OSError):
                arguments = [str(socket.getservbyname(given[0], "tcp"))]
        try:
            if not arguments or not arguments[0]:
                self._error(f"Missing {option} value")
            cast(Callable[[Any, str, list[str]], None], handler)(self, option, arguments)
        except ConfigParseError as error:
            if keyword in _REFUSED:
                raise
            self._note(option, str(error).partition(": ")[2])
            return
        if arguments:
            self._note(option, f"more follows its value: {' '.join(arguments)}")
        if keyword in CARRIED:
            self.carried.setdefault(option, " ".join(_quoted(each) for each in given))

    def _note(self, what: str, why: str) -> None:
        self.not_understood.append(f"{self._path} line {self._line_no}: {what}: {why}")

    def _read_included(self, patterns: Sequence[str]) -> None:
        """In the order of their names; what is not there is no error. Conditions of the includer hold on."""
        if self._depth >= _DEEPEST_INCLUDE:
            self._note("Include", "files include each other too deeply")
            return
        base = "/etc/ssh" if str(self._path).startswith("/etc/ssh/") else str(Path("~/.ssh").expanduser())
        self._depth += 1
        for pattern in patterns:
            with contextlib.suppress(RuntimeError):  # of a user who is not there: as ssh has it, no file
                pattern = str(Path(os.path.expandvars(pattern)).expanduser())
            place = Path(base, pattern)
            for file in sorted(map(Path, glob.iglob(str(place)))):  # noqa: PTH207  # Path's own takes no absolute one
                if file.is_file():
                    self._read_file(file)
        self._depth -= 1

    def _all_match(self, arguments: Sequence[str]) -> bool:
        """Whether all criteria hold. One that cannot be decided is noted where it is what decides."""
        undecided = ""
        try:
            for name, negated, pattern in criteria(arguments):
                answer = self._holds(name, pattern)
                if answer is None:
                    undecided = undecided or f"{'!' if negated else ''}{name} {pattern}".strip()
                elif answer == negated:
                    return False
        except ValueError as error:
            undecided = str(error)
        if undecided:
            self._note("Match", f"{undecided} cannot be decided here: its lines are passed over")
        return not undecided

    @property
    def _named(self) -> str:
        """The host as far as it is known where one reads."""
        return str(self._options.get("Hostname") or self._orig_host)

    def _holds(self, name: str, pattern: str) -> bool | None:
        if name in ("all", "canonical"):
            return name == "all"
        if name == "final":
            self.asks_final = True
            return bool(self._final)
        if name == "localnetwork":
            return _is_local(pattern)
        if name == "exec":
            self._set_tokens()
            return _succeeds(self._expand_val(pattern))
        if name == "host":
            return matches(pattern.split(","), self._named)
        if name in ("originalhost", "user", "localuser", "tagged"):
            return matches(pattern.split(","), str(self._match_val(name)))
        return None

    def _expand_token(self, match: re.Match[str]) -> str:
        """A token that is not known stays as it is written."""
        more = {
            "k": self._options.get("HostKeyAlias") or self._orig_host,
            "j": self._options.get("ProxyJump"),
        }
        token = match[1]
        return str(self._tokens.get(token) or more.get(token) or match[0])

    @staticmethod
    def _expand_env(match: re.Match[str]) -> str:
        return os.environ.get(match[1], match[0])


def _quoted(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _succeeds(command: str) -> bool | None:
    """Whether the command of a `Match exec` ends with 0, as ssh runs it; None where it takes too long."""
    status = run_here(["/bin/sh", "-c", command], timeout_s=_EXEC_TIMEOUT_S)
    return None if status is None else status == 0


def _is_local(patterns: str) -> bool | None:
    """Whether an address of this machine is in these networks; None where it does not tell its addresses."""
    addresses = list(_own_addresses())
    if not addresses:
        return None
    found = False
    for pattern in patterns.split(","):
        try:
            network = ip_network(pattern.removeprefix("!"), strict=False)
        except ValueError:
            return None
        if any(address in network for address in map(ip_address, addresses)):
            if pattern.startswith("!"):
                return False
            found = True
    return found


_LOCAL_V4 = re.compile(r"\|-- (\d+\.\d+\.\d+\.\d+)\n\s+/32 host LOCAL")


def _own_addresses() -> Iterator[str]:
    """As the kernel's tables tell them (Linux), without those of the loopback."""
    with contextlib.suppress(OSError):
        for address in set(_LOCAL_V4.findall(Path("/proc/net/fib_trie").read_text("ascii", "replace"))):
            if not address.startswith("127."):
                yield address
    with contextlib.suppress(OSError):
        for line in Path("/proc/net/if_inet6").read_text("ascii", "replace").splitlines():
            digits = line.split(" ", 1)[0]
            if len(digits) == 32 and digits != f"{1:032x}":
                yield ":".join(digits[at : at + 4] for at in range(0, 32, 4))
