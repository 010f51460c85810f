"""Programs that run what stands behind them (env, envdir, sudo, flock, `sh -c`), and what they leave it.

Their manual pages: env(1), sudo(8), su(1), runuser(1), setpriv(1), timeout(1), flock(1), chpst(8), envdir(8),
systemd-run(1); pg_tde_archive_decrypt's `--help`.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from walconsole.domain.archivers.expansion import UNKNOWN, Environment, opened, within
from walconsole.domain.archivers.look import Look
from walconsole.domain.archivers.shell_words import Word, tokens
from walconsole.domain.archivers.target import Found

ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)(\+?)=(.*)", re.DOTALL)
SHELLS = frozenset({"sh", "bash", "dash", "ash", "ksh", "zsh"})
_OF_A_PROFILE = re.compile(r"--login|-[a-z]*[li][a-z]*")
"""A shell with it reads a profile before anything else (bash(1), INVOCATION)."""
_DURATION = re.compile(rf"\d+(?:\.\d+)?[smhd]?|{UNKNOWN}+")
_WITH_VALUE = {
    "sudo": frozenset({
        "-u", "-g", "-p", "-C", "-D", "-R", "-T", "-h", "-r", "-t",
        "--user", "--group", "--chdir", "--chroot",
    }),
    "doas": frozenset({"-u", "-C"}),
    "env": frozenset({"-u", "-C", "-S", "--unset", "--chdir", "--split-string"}),
    "timeout": frozenset({"-k", "-s", "--kill-after", "--signal"}),
    "flock": frozenset({"-w", "--timeout", "--wait", "-E", "--conflict-exit-code"}),
    "nice": frozenset({"-n", "--adjustment"}),
    "ionice": frozenset({"-c", "-n", "-p", "--class", "--classdata"}),
    "chpst": frozenset(
        {"-u", "-U", "-b", "-e", "-/", "-n", "-m", "-d", "-o", "-p", "-f", "-c", "-l", "-L", "-t", "-a"}
    ),
    "runuser": frozenset({"-u", "-g", "-G", "--user", "--group", "--supp-group"}),
    "setpriv": frozenset({
        "--reuid", "--regid", "--groups", "--inh-caps", "--ambient-caps", "--bounding-set", "--securebits",
        "--pdeathsig", "--selinux-label", "--apparmor-profile",
    }),
    "stdbuf": frozenset({"-i", "-o", "-e"}),
    "time": frozenset({"-f", "-o"}),
    "xargs": frozenset({"-I", "-L", "-n", "-P", "-s", "-d", "-E", "-a"}),
    "chrt": frozenset({"-T", "-P", "-D"}),
    "cgexec": frozenset({"-g"}),
    "trickle": frozenset({"-u", "-d", "-w", "-t", "-l", "-n"}),
    "nocache": frozenset({"-n"}),
    "prlimit": frozenset({"-p", "-o"}),
    "numactl": frozenset({"-i", "-N", "-C", "-m", "-p"}),
    "cpulimit": frozenset({"-l", "-e", "-p", "-P"}),
    "setlock": frozenset[str](),
    "run-one": frozenset[str](),
    "torsocks": frozenset[str](),
    "proxychains4": frozenset({"-f"}),
    "proxychains": frozenset({"-f"}),
    "nohup": frozenset[str](),
    "setsid": frozenset[str](),
    "exec": frozenset({"-a"}),
    "chronic": frozenset[str](),
    "unbuffer": frozenset[str](),
    "systemd-cat": frozenset({"-t", "-p", "--identifier", "--priority"}),
    "taskset": frozenset[str](),
    "envdir": frozenset[str](),
    "s6-envdir": frozenset[str](),
    "gosu": frozenset[str](),
    "su-exec": frozenset[str](),
    "busybox": frozenset[str](),
    "systemd-run": frozenset({
        "-u", "-p", "-E", "-H", "-M", "--unit", "--property", "--setenv", "--uid", "--gid", "--nice",
        "--slice", "--description", "--working-directory", "--service-type", "--host", "--machine",
    }),
}  # fmt: skip
"""Wrappers: they run what comes behind their options, of which these take a word."""
_OWN_WORDS = {
    "flock": 1, "envdir": 1, "s6-envdir": 1, "taskset": 1, "gosu": 1, "su-exec": 1, "timeout": 1, "chrt": 1,
    "setlock": 1,
}  # fmt: skip
"""How many words of their own come before that."""
_ASSIGNS = frozenset({"env", "sudo", "doas"})
_USER = frozenset({
    ("sudo", "-u"), ("sudo", "--user"), ("doas", "-u"), ("chpst", "-u"), ("runuser", "-u"),
    ("runuser", "--user"), ("setpriv", "--reuid"), ("systemd-run", "--uid"),
})  # fmt: skip
_FOLDER = frozenset({("env", "-C"), ("env", "--chdir"), ("sudo", "-D"), ("sudo", "--chdir")})
_ROOT = frozenset({("chpst", "-/"), ("sudo", "-R"), ("sudo", "--chroot")})
_VALUED_BY_SU = frozenset(
    {"-s", "--shell", "-g", "--group", "-G", "--supp-group", "-w", "-C", "--session-command"}
)
_MOST_WRAPPERS = 12
UNIT_IS_WAITED_FOR = frozenset({"--wait", "--pipe", "--scope", "-P", "--pty", "-t"})
"""systemd-run(1): without one of them it ends once the unit has begun."""


@dataclass(slots=True)
class Unwrapped:
    """The program behind every wrapper: its words, and the environment, user and folder that they leave it.

    `folder` is where it runs: empty for the data directory, UNKNOWN where only the run tells.
    """

    words: list[str]
    environment: Environment
    user: str
    folder: str = ""
    text: str | None = None
    """What a shell's -c runs."""
    positional: tuple[str, ...] | None = None
    """Its `$0`, `$1` and so on."""
    shell: str = ""
    """Which shell that is."""


def unwrapped(left: Unwrapped, line: str, look: Look) -> Unwrapped:
    """The same without the wrappers before it; `line` is where it stands."""
    for _ in range(_MOST_WRAPPERS):
        if not left.words:
            return left
        name = left.words[0].rpartition("/")[2]
        if name == "su" or (name == "runuser" and _has_text(left.words)):
            return _of_su(left, look)
        if name in SHELLS:
            return _of_shell(left)
        if name == "pg_tde_archive_decrypt" and len(left.words) == 4:  # the last one is an archive command
            left.text = re.sub(r"%(%|(?=[pf]))", "%", left.words[3])
            return left
        if name == "systemd-run" and not UNIT_IS_WAITED_FOR & set(left.words):
            return left
        if name == "command" and left.words[1:2] not in (["-v"], ["-V"]):
            left.words = left.words[1:]
        elif name in _WITH_VALUE:
            if not _pass_wrapper(left, name, line, look):
                return left
        else:
            return left
    return left


def _of_shell(left: Unwrapped) -> Unwrapped:
    """The text behind -c, or the script; a shell that reads its standard input stays as it is."""
    left.shell = left.words[0].rpartition("/")[2]
    words = left.words[1:]
    for at, word in enumerate(words):
        if _OF_A_PROFILE.fullmatch(word):
            left.environment = left.environment | opened(
                f"what the profile that {left.words[0]} {word} reads adds to the environment is not known"
            )
        if re.fullmatch(r"-[a-z]*c", word):
            rest = words[at + 1 :]
            while rest and rest[0].startswith(("-", "+")):
                rest = rest[2 if rest[0].endswith("o") else 1 :]
            left.text = rest[0] if rest else ""
            left.positional = tuple(rest[1:]) or None
            return left
        named = at and re.fullmatch(r"[-+][a-z]*o", words[at - 1])  # `-o pipefail`
        if not named and not word.startswith(("-", "+")):
            left.words = words[at:]
            return left
    return left


def _has_text(words: Sequence[str]) -> bool:
    return "-c" in words or "--command" in words


def _of_su(left: Unwrapped, look: Look) -> Unwrapped:
    """`su [-] USER -c TEXT`; runuser without its -u is the same."""
    words, left.words = left.words[1:], []
    plain, keeps = [], True
    at = 0
    while at < len(words):
        word = words[at]
        if word in ("-c", "--command"):
            left.text = words[at + 1] if at + 1 < len(words) else ""
            at += 1
        elif word in _VALUED_BY_SU:
            at += 1
        elif word in ("-", "-l", "--login"):
            keeps = False
        elif not word.startswith("-"):
            plain.append(word)
        at += 1
    _become(left, plain[0] if plain else "root", look, keeps=keeps)
    return left


def _become(left: Unwrapped, user: str, look: Look, *, keeps: bool = True) -> None:
    """What lies in another user's home only a run as that user tells, and what it `keeps` of variables."""
    left.user = user
    if not keeps:
        left.environment = opened(f"what {user} is given of the environment is not known")
    if user != look.seen.user:
        left.environment["HOME"] = Found(UNKNOWN, f"the home of {user}")


def _pass_wrapper(left: Unwrapped, name: str, line: str, look: Look) -> bool:
    """Whether what comes behind it is to be looked at: not where that is a text, or below another root."""
    words, own = left.words[1:], _OWN_WORDS.get(name, 0)
    options: list[tuple[str, str]] = []
    assigned: Environment = {}
    taken: list[str] = []
    while words:
        word = words[0]
        match = ASSIGNMENT.fullmatch(word)
        if word == "--":
            words = words[1:]
            break
        if word.startswith("-") and (len(word) > 1 or name == "env"):  # `env -` is `env -i`
            listed, count = _options(name, word, words[1] if len(words) > 1 else "")
            words = words[count:]
            if listed[0][0] in ("-S", "--split-string") and name == "env":
                words = [*_split(listed[0][1]), *words]
            options += listed
        elif match is not None and name in _ASSIGNS:
            assigned[match[1]] = Found(match[3], line)
            words = words[1:]
        elif len(taken) < own and not (name == "timeout" and not _DURATION.fullmatch(word)):
            taken.append(word)
            words = words[1:]
        else:
            break
    text = next(
        (value for option, value in options if option in ("-c", "--command") and name == "flock"), None
    )
    if text is not None:
        left.text = text
        return False
    _apply(left, name, options, taken, look)
    left.environment |= assigned
    if any((name, option) in _ROOT for option, _ in options):
        left.words = [left.words[0], *words]
        return False
    left.words = words
    return True


def _options(name: str, word: str, following: str) -> tuple[list[tuple[str, str]], int]:
    """Options with their values, and how many words they are: `-u NAME`, `-uNAME`, `-Hu NAME`, `--user=X`."""
    if word == "-":
        return [("-i", "")], 1
    valued = _WITH_VALUE[name] | ({"-c", "--command"} if name == "flock" else frozenset())
    if word.startswith("--"):
        option, given, value = word.partition("=")
        if given or option not in valued:
            return [(option, value)], 1
        return [(option, following)], 2
    found: list[tuple[str, str]] = []
    for at in range(1, len(word)):
        option = f"-{word[at]}"
        if option in valued:
            joined = word[at + 1 :]
            return [*found, (option, joined or following)], 1 if joined else 2
        found.append((option, ""))
    return found, 1


def _split(text: str) -> Iterator[str]:
    """`env -S`: as a shell cuts it, and nothing more."""
    return (UNKNOWN if token.computed else token.text for token in tokens(text) if isinstance(token, Word))


def _of_unit(options: Sequence[tuple[str, str]]) -> Environment:
    """The manager's environment, and not the one that systemd-run has itself."""
    given = (value.partition("=") for option, value in options if option in ("-E", "--setenv"))
    return opened("what systemd-run gives of the environment is not known") | {
        name: Found(value, "systemd-run -E") for name, equals, value in given if equals
    }


def _apply(
    left: Unwrapped, name: str, options: Sequence[tuple[str, str]], taken: Sequence[str], look: Look
) -> None:
    """What its options and its own words change."""
    kept = any(option in ("-E", "--preserve-env") for option, _ in options)
    users = [value.partition(":")[0] for option, value in options if (name, option) in _USER and value]
    if name in ("gosu", "su-exec"):
        users = [word.partition(":")[0] for word in taken]
    if users or name in ("sudo", "doas"):
        _become(left, users[-1] if users else "root", look, keeps=kept or name not in ("sudo", "doas"))
    for option, value in options:
        if (name, option) == ("chpst", "-e"):
            left.environment |= look.read_folder_as_environment(within(left.folder, value))
        elif name == "env" and option in ("-i", "--ignore-environment"):
            left.environment = {}
        elif name == "env" and option in ("-u", "--unset"):
            left.environment.pop(value, None)
        elif (name, option) in _FOLDER:
            left.folder = within(left.folder, value)
    _give(left, name, options, taken, look)


def _give(
    left: Unwrapped, name: str, options: Sequence[tuple[str, str]], taken: Sequence[str], look: Look
) -> None:
    """The environment of those that make one."""
    if name == "systemd-run":
        left.environment = _of_unit(options)
    elif name in ("envdir", "s6-envdir"):
        for word in taken:
            left.environment |= look.read_folder_as_environment(within(left.folder, word))
