"""No line of shell writes by a path as root: that is for the functions of stand.sh and files.sh alone.

shellcheck does not look for it. What is found here is either written by those functions, or stands in a table
with the reason why it may.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import walconsole

SOURCE = Path(walconsole.__file__).parent
LIBRARY = {"droplet/templates/stand.sh", "provision/scripts/files.sh"} | {
    f"provision/scripts/keeper_{name}.sh" for name in ("read", "write", "take", "change")
}
"""tests/integration/test_foreign_folders.py tries these on every plant."""
AS_THE_SERVER = (
    {
        f"droplet/templates/{name}.sh"
        for name in (
            "archive",
            "restore",
            "probe",
            "verbs",
            "sweep",
            "unpack",
            "look",
            "common",
            "jobs",
            "moment",
            "names",
            "mend",
            "seconds",
        )
    }
    | {f"droplet/templates/{name}.sh" for name in ("backup", "storing", "building", "streaming", "proving")}
    | {f"droplet/templates/{name}.sh" for name in ("telling", "alone", "pgbackrest_backup")}
    | {
        f"droplet/templates/drill{part}.sh"
        for part in (
            "",
            "_files",
            "_lock",
            "_own",
            "_prune",
            "_reading",
            "_result",
            "_server",
            "_told",
            "_words",
        )
    }
    | {f"droplet/templates/{name}.sh" for name in ("phases", "recover", "recover_place", "recover_theirs")}
)
"""Run by PostgreSQL, or for it as its own user; never as root, who becomes that user first."""
SCANNED = ("provision", "observe", "adapters", "droplet")

_PROGRAMS = (
    "sed(?= -i)|cp|mv|rm|rmdir|ln|chmod|chown|chgrp|install|mkdir|mkfifo|mktemp|tee|touch|truncate|dd|rsync"
)
_OPERAND = r"""(?=[-"'$/.{~]|[0-7]{3,4}\b|[ugoa]*[-+=][rwxXst]|[\w.]*:|of=|if=)"""
_BEFORE = r"(?:^|[;&|({`!]|\b(?:then|do|else|exec|by|timeout \d+|sudo|env|xargs|time|command)\b)\s*"
_COMMAND = re.compile(rf"{_BEFORE}(?:{_PROGRAMS})\s+{_OPERAND}", re.MULTILINE)
_REDIRECTION = re.compile(r"""(?<![-=<>&\w%'])\d?>>?\|?\s?(?!\s|/dev/null|&|\(|\d)["'$./{~\w]""")


def writes(text: str) -> Iterator[str]:
    """The lines of shell that make, change or take away something by a path, without their indentation."""
    for line in text.splitlines():
        code = line.strip()
        if code.startswith("#"):
            continue
        if _COMMAND.search(code) or _REDIRECTION.search(code):
            yield code


def strings(source: str) -> Iterator[str]:
    """The texts of Python that may be shell, `{}` for what is filled in; no docstrings."""
    tree = ast.parse(source)
    prose = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    inner = {
        id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)
    } - {id(node) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr) and id(node) not in inner:
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inner | prose:
            yield node.value


def found() -> set[tuple[str, str]]:
    """Each such line with its file."""
    lines = set()
    for folder in SCANNED:
        for path in sorted((SOURCE / folder).rglob("*")):
            name = str(path.relative_to(SOURCE))
            if name in LIBRARY | AS_THE_SERVER:
                continue
            if path.suffix == ".sh":
                lines |= {(name, line) for line in writes(path.read_text())}
            elif path.suffix == ".py":
                lines |= {(name, line) for text in strings(path.read_text()) for line in writes(text)}
    return lines


_KEPT = "its folder is root's alone: `roots` refuses another"
_SHOWN = "by hand, for the user whose the folder is; what runs is a function of files.sh"
_BY = "standing in the folder, as its keeper"
_NONE = "it writes nothing"
_SERVERS = "as the server's user, in a folder of its own"
_CLAIM = "in /run, root's alone, or in a folder of that user's own: a link, or another's, is refused"
ALLOWED: dict[tuple[str, str], str] = {
    (
        "droplet/templates/verify.sh",
        "CASE WHEN last_failed_time > coalesce(last_archived_time, '-infinity') THEN last_failed_wal END,",
    ): _NONE,
    ("droplet/templates/verify.sh", """by /bin/sh -c ': >"./$1"' sh "$name\""""): _BY,
    ("droplet/templates/verify.sh", """by /bin/sh -c 'printf "%s\\n" "$2" >>"./$1"' sh "$name" "$1\""""): _BY,
    ("observe/scripts/server_log_end.sh", "start=$((size > most ? size - most : 0))"): _NONE,
    ("provision/droplet/claim.py", 'exec 9>>"$d/{key}.lock"'): _CLAIM,
    (
        "provision/droplet/claim.py",
        'if [ "$token" = {token} ]; then rm -f -- "$d/{key}" "$d/{key}.lock"; rmdir -- "$d" 2>/dev/null; fi',
    ): _CLAIM,
    ("provision/droplet/claim.py", 'mkdir -p -- "$d"'): _CLAIM,
    ("provision/droplet/claim.py", 'mkdir -p -- "$d" 2>/dev/null || :'): _CLAIM,
    ("provision/droplet/claim.py", 'mv -fT -- "$d/{key}.new" "$d/{key}"'): _CLAIM,
    (
        "provision/droplet/claim.py",
        """printf '%s %s %s %s\\n' {token} "$boot" "$((up + {lease}))" {who} >"$d/{key}.new\"""",
    ): _CLAIM,
    ("provision/droplet/installed_run.py", '"$1"{} >./{}.said 2>&1; echo "$?" >./{}.ended'): _SERVERS,
    ("provision/droplet/installed_run.py", "rm -f ./{}.ended ./{}.said"): _SERVERS,
    ("provision/droplet/files.py", "chmod {} {} &&"): _SHOWN,
    (
        "provision/droplet/pgbackrest_file.py",
        "install -T -m 0640 -o root -g {} /dev/stdin {} <<'{}'",
    ): _SHOWN,
    ("provision/droplet/files.py", "cp -pT --remove-destination -- {} {}"): _SHOWN,
    ("provision/droplet/files.py", "install -T -m {}{}"): _SHOWN,
    ("provision/droplet/files.py", "rm -f -- {}"): _SHOWN,
    ("provision/droplet/files.py", "umask 077; rm -f -- {} && cat >{} && {}mv -fT -- {} {}"): _SHOWN,
    ("provision/elsewhere/keys.py", "install -T -m 0600 /dev/stdin {}"): _SHOWN,
    ("provision/elsewhere/keys.py", "rm -f -- {}"): _SHOWN,
    ("provision/elsewhere/recovering.py", "mkdir -m 700 {}"): _SHOWN,
    ("provision/elsewhere/in_force.py", "{} | install -m 0640 -o root -g {} /dev/stdin {}"): _SHOWN,
    ("provision/fixes/endpoint.py", "sed -i {} {}"): _SHOWN,
    ("provision/fixes/wal.py", "mkdir -p -m 0700 -- {} && {}cat -- {} >{}"): _SHOWN,
    ("provision/fixes/wal.py", "{} && rm -f -- {}"): _SHOWN,
    ("provision/recovering/choosing.py", "mkdir -m 700 {}"): _SHOWN,
    ("provision/recovering/their_place.py", "sed -i {} {}"): _SHOWN,
    ("provision/steps/backup_command.py", "install -d -o {} -m 0750 {}"): _SHOWN,
    ("provision/steps/preflight_archive.py", "chmod 0640 {}"): "a remedy, for the operator",
    (
        "provision/steps/preflight_archive.py",
        "chown root:{} {} && chmod 0640 {}",
    ): "a remedy, for the operator",
    ("provision/steps/restarting.py", ": >./log"): _KEPT,
    ("provision/steps/restarting.py", "printf '%s' {} | base64 -d >./restart.sh"): _KEPT,
    ("provision/steps/restarting.py", "rm -f ./log ./result ./result.new"): _KEPT,
    (
        "provision/scripts/restart.sh",
        'fi >>"$folder/log" 2>&1 || say "$dropin could not be put back"',
    ): _KEPT,
    ("provision/scripts/restart.sh", 'restart_server >>"$folder/log" 2>&1'): _KEPT,
    (
        "provision/scripts/restart.sh",
        'printf \'%s\\n\' "$1" >"$folder/result.new" && mv -f "$folder/result.new" "$folder/result"',
    ): _KEPT,
    ("provision/scripts/restart.sh", 'rm -f -- "$folder/refused-drop-in"'): _KEPT,
    ("provision/scripts/restart.sh", """say() { printf '%s\\n' "$1" >>"$folder/log"; }"""): _KEPT,
    ("provision/scripts/restart.sh", 'start_server >>"$folder/log" 2>&1'): _KEPT,
    (
        "provision/steps/proof.py",
        "folder=$(mktemp -d {}/walconsole-proof.XXXXXXXX) || exit 1",
    ): "run as the server's user",
    ("provision/steps/verifier.py", "mkdir -p -- {}"): _SHOWN,
}


def test_nothing_else_writes_by_a_path() -> None:
    lines = found()
    new = lines - set(ALLOWED)
    assert not new, "call a function of provision/droplet/files.py instead:\n" + "\n".join(
        map(str, sorted(new))
    )
    assert not set(ALLOWED) - lines, "what is not there any more needs no leave"


@pytest.mark.parametrize(
    "line",
    [
        'cp -p -- "$kept" "$dropin.walconsole-old"',
        'mv -f -- "$a" "$b"',
        "    chmod 0640 -- /etc/x",
        "chmod u+r {}",
        "chown root:postgres -- {}",
        'echo x >"$folder/log"',
        "echo x > /etc/x",
        "echo x >>{}",
        ": >/etc/x",
        "true && mkdir -p -- {}",
        "if x; then rm -f -- {}; fi",
        "cat x | tee /etc/y",
        't=$(mktemp "$d"/x.XXXXXX)',
        "install -m 0644 /dev/stdin {} <<'END'",
        'touch -- "$heartbeat"',
        "sed -i s/a/b/ /etc/x",
        "ln -s {} {}",
        "umask 077; dd of=/etc/x",
        'by cp -p "$a" "$b"',
        "! mv /a /b",
        "x 2>/etc/y",
    ],
)
def test_the_checker_finds(line: str) -> None:
    assert list(writes(f"# a comment\n{line}\n")) == [line.strip()]


@pytest.mark.parametrize(
    "line",
    [
        'x >/dev/null 2>&1 || echo "$y" >&2',
        "# cp -p a b",
        "awk '$1 > 3 { print }'",
        'stat -c "%a" -- "$f"',
        "install rclone, then run this step again",
        'exec 3<"$f"',
        'printf "%s -> %s" a b',
        "put_in /etc/x 0644 root root 4",
    ],
)
def test_the_checker_lets_be(line: str) -> None:
    assert list(writes(line)) == []


def test_the_checker_reads_what_python_holds() -> None:
    source = (
        'def f(x):\n    """cp -p a b"""\n    return f"set -eu\\ncp -p -- {x} {x}.old\\n" + "chown a:b c"\n'
    )
    assert [line for text in strings(source) for line in writes(text)] == [
        "cp -p -- {} {}.old",
        "chown a:b c",
    ]
