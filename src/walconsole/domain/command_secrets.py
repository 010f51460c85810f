"""Secrets that only the program's own conventions give away: `-pX` is a password to mysql and a port to scp.

A row says which programs take a secret after which words. Rows hold from the program's name to the end
of its simple command, quoted or not; what stands before the secret is kept.
"""

import re
from functools import cache
from typing import NamedTuple

from walconsole.domain.patterns import pattern

_WORD = r"(?:''(?=[^\s'])[^']*+''|(?:\"(?=\S)[^\"]*+\"|'(?=\S)[^']*+'|\\.|[^\s\"'\\|;&])+|[\"'][^\n]*+)"
"""A word as a shell reads it, or all that follows a quote that is not closed."""
_PAIR = rf"(?!\d+:\d+(?!\S))(?=[\"']{{0,2}}[^\s:\"']*+:){_WORD}"
"""`user:password`; two numbers are a container's user and group."""


_MC = "mc|mcli|minio-client|minio-mc"
_MC_FLAG = r"(?:--(?:api|path|config-dir)[=\s]\s*\S+\s+|--[\w-]+\s+)*"


class _Convention(NamedTuple):
    """`programs` take a secret (`value`) after `words`; both are regular expressions."""

    programs: str
    words: str
    value: str = _WORD


_CONVENTIONS = (
    _Convention("curl", r"-[A-Za-z#]*[uU]\s*|--(?:proxy-)?user[=\s]\s*", _PAIR),
    _Convention("curl", r"(?:--(?:oauth2-bearer|pass|proxy-pass|cookie)[=\s]|-b\s)\s*"),
    _Convention("https?|xh", r"(?:-a|--auth)[=\s]\s*", _PAIR),
    _Convention("curl", r"(?:-E\s*|--(?:proxy-)?cert[=\s]\s*)[\"']?[^\s\"':]++:", r"[^\s\"']+"),
    _Convention("openssl", r"-hmac\s+|-macopt\s+(?:hex)?key:"),
    _Convention("openssl", r"-k(?!file)\s*|-K\s*|-pass(?:in|out)?\s+[\"']?pass:"),
    _Convention(r"mysql\w*|mariadb[\w-]*|mariabackup|xtrabackup|innobackupex", r"-p(?=\S)"),
    _Convention(r"7z\w?|(?:un)?rar", r"-h?p(?=\S)"),
    _Convention(r"(?:un)?zip|zipcloak", r"-P\s*"),
    _Convention(r"smb(?:client|get|map)|rpcclient", r"(?:-U\s*|--user[=\s]\s*)[\"']?[^\s%\"']++%"),
    _Convention(r"smbclient|net\s+use", r"(?:\w:\s+)?(?://|\\\\)\S+\s+(?![-/])"),
    _Convention("lftp", r"[\"']?open\s+(?:-\S+\s+)*", r"[^\s:@\"']+:[^\s@\"']+(?=@)"),
    _Convention("ftp", r"-n\b[^|;]{0,60}?\buser\s+\S+\s+"),
    _Convention("lftp", r"(?:-u|--user)[=\s]\s*", rf"(?=\S*,){_WORD}"),
    _Convention(r"ncftp\w*|ftp(?:put|get)|aescrypt|mongo\w*|cqlsh", r"-p\s*"),
    _Convention("redis-cli|keydb-cli|valkey-cli", r"(?:-a|--pass)[=\s]\s*"),
    _Convention(r"ldap(?:search|modify|add|delete|whoami|passwd)", r"-w\s*"),
    _Convention("swift", r"-K\s*|--key[=\s]\s*"),
    _Convention("ccrypt|ccencrypt|mcrypt", r"-[Kk]\s*(?!\S*/)"),
    _Convention(r"(?:ossutil|obsutil)\w*", r"-k[=\s]\s*"),
    _Convention("coscmd", r"-s\s+"),
    _Convention("pscp|plink|psftp", r"-pw\s+"),
    _Convention("sqlcmd|bcp", r"-P\s*"),
    _Convention(r"(?:docker|podman|buildah|skopeo|helm|oras|crane|nerdctl|az)\s+login", r"-p\s*"),
    _Convention(r"(?:skopeo|podman|buildah)", r"--(?:src-|dest-)?creds[=\s]\s*"),
    _Convention("vault", r"[A-Za-z]\w*="),
    _Convention("ipmitool|fence_ipmilan", r"-P\s*"),
    _Convention(r"snmp\w+", r"-[AX]\s*"),
    _Convention("uplink|storj", r"--access[=\s]\s*|access\s+import\s+"),
    _Convention("qshell", r"account\s+\S+\s+"),
    _Convention("vault", r"login\s+", rf"(?=\S*\d){_WORD}"),
    _Convention("doctl", r"-t\s+"),
    _Convention(_MC, r"--enc-c[=\s]\s*"),
    _Convention(
        _MC,
        rf"(?:alias\s+set|config\s+host\s+add)\s+(?:{_MC_FLAG}(?!--){_WORD}\s+){{3}}{_MC_FLAG}(?!--)",
    ),
    _Convention("rclone", r"(?:obscure|reveal)\s+(?!-)"),
    _Convention(r"b2(?:v\d)?", r"(?:account\s+authorize|authorize-account)\s+\S+\s+(?!-)"),
    _Convention("htpasswd", r"-\w*b\w*\s+\S+\s+\S+\s+"),
    _Convention("net", r"/user:\S+\s+"),
    _Convention("sqlplus|rman", r"\b\w+/(?=\S+)"),
)
_PROGRAMS = "|".join(dict.fromkeys(f"(?:{each.programs})" for each in _CONVENTIONS))
_ANY_PROGRAM = pattern(rf"(?<![\w.-])(?:{_PROGRAMS})(?:\.exe)?(?=\s)")
_SIMPLE_COMMAND = pattern(r"(?:\"[^\"]*+\"|'[^']*+'|\\.|&(?!&)|[^\"'\\|;&\n]|[\"'\\])+", re.DOTALL)

# A secret on standard input: `echo SECRET | gpg --passphrase-fd 0`, or `… <<< SECRET`.
_READS_INPUT = (
    r"--passphrase-fd|--pass(?:word|phrase)-stdin|-pass\w*\s+(?:stdin|fd:0)|sudo\s+-S"
    r"|cryptsetup|kinit|chpasswd|obscure\s+-"
)
_READER = pattern(_READS_INPUT)
_SAID_TO_IT = pattern(
    rf"(\b(?:echo|printf)\s+(?:-\w+\s+|[\"']?%s(?:\\n)?[\"']?\s+)*)(?!%s){_WORD}"
    rf"(?=\s*\|[^|;\n]{{0,300}}?(?:{_READS_INPUT}))"
)
_READ_AS_FILE = pattern(
    rf"(\b(?:pass|key|secret|token|cred)[\w-]*(?:[=\s]\s*|\s+file:)<\((?:echo|printf)\s+"
    rf"(?:-\w+\s+|[\"']?%s(?:\\n)?[\"']?\s+)*)(?!%s)(?:[^\s()\"']+|{_WORD})"
)
_HERE_STRING = pattern(rf"(<<<\s*){_WORD}")

HINTS = (
    "alias s",
    "config host add",
    " login ",
    "qshell ",
    "access import ",
    "net use ",
    "obscure ",
    "reveal ",
    "authorize",
    "/user:",
    "sqlplus",
    "rman ",
    "kinit",
)
"""Every command that is masked here contains one of these, in lower case, or a word that begins with `-`."""


def command_secrets_masked(text: str, mask: str) -> str:
    """`text` with `mask` in the place of what its programs take for a secret. Takes time as its length."""
    text = _READ_AS_FILE.sub(rf"\1{mask}", text)
    if _READER.search(text) is not None:
        text = _SAID_TO_IT.sub(rf"\1{mask}", text)
        text = _HERE_STRING.sub(rf"\1{mask}", text)
    if _ANY_PROGRAM.search(text) is None:
        return text
    return _SIMPLE_COMMAND.sub(lambda command: _masked(command[0], mask), text)


def _masked(command: str, mask: str) -> str:
    if _ANY_PROGRAM.search(command) is None:
        return command
    for programs, secrets in _compiled():
        program = programs.search(command)
        if program is not None:
            head, rest = command[: program.end()], command[program.end() :]
            command = head + secrets.sub(rf"\1{mask}", rest)
    return command


@cache
def _compiled() -> tuple[tuple[re.Pattern[str], re.Pattern[str]], ...]:
    return tuple(
        (
            re.compile(rf"(?<![\w.-])(?:{each.programs})(?:\.exe)?(?=\s)"),
            re.compile(rf"(?<=\s)({each.words}){each.value}"),
        )
        for each in _CONVENTIONS
    )
