"""What may reach a screen, a log, an export or a picture.

Remote text is hostile: escape sequences and control characters are taken out. Secrets are taken
out wherever their shape or their name gives them away; known secrets also by their value.
"""

import re
from collections.abc import Iterable

from walconsole.domain.command_secrets import HINTS as COMMAND_HINTS
from walconsole.domain.command_secrets import command_secrets_masked
from walconsole.domain.patterns import pattern
from walconsole.domain.secret_shapes import HINTS as SHAPE_HINTS
from walconsole.domain.secret_shapes import LED, SHAPES, USERLIST

MASK = "[redacted]"

# ECMA-48: CSI, OSC/DCS/PM/APC/SOS strings (ended by ST or BEL), and two-character escapes.
_ESCAPES = pattern(
    r"\x1b\[[0-?]*[ -/]*[@-~]"
    r"|\x1b[\]PX^_][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x9b[0-?]*[ -/]*[@-~]"
    r"|\x1b[ -/]*[0-~]?"
)
# C0 and C1 controls, and the bidirectional overrides that can make a line read as another.
_CONTROLS = pattern(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029]")

# A word in a name that gives a secret away, and endings that make the name only speak about one.
_MARK = pattern(
    r"secret|passw(?:or)?d|passphrase|passcommand|sshpass|token|api[_-]?key|private[_-]?key|account[_-]?key"
    r"|credential|sharedaccesssignature|rediscli_auth|pgpass(?![a-z])|ldapbindpasswd|(?:^-+|[_.,-])pass\d?$"
    r"|(?:encrypt(?:ion)?|enc|crypt|crypto|cipher|master|signing|sign|libsodium|pgp|gpg|customer|sse-?c|sse"
    r"|application|storage|storage[_-]access|azure|azureblob|b2|swift|st|shared|service|admin|auth|session"
    r"|config[_-][a-z0-9]+|^rclone[_-][a-z0-9]+)[_-]?key(?:[_-](?:base64|b64|hex))?$"
    r"|[_-]pwd$|routing[_-]?key$|^pw$"
    r"|(?<![a-z])(?:db|pg|sql|mysql|ftp|smb|ssh|user|root|admin|key|store|ldap|http|smtp|repo|crypt|enc|gpg|cert|zip)"
    r"(?:pass|pwd|pw)\d?$"
)
_ENVIRONMENT_KEY = pattern(r"KEY|[A-Z0-9_]*(?<!ACCESS)(?<!PUBLIC)(?<!HOST)(?<!PRIMARY)(?<!SORT)(?<!S3)_KEY")
_ABOUT = pattern(
    r".*[_.-](?:encryption|supports[_-]reload|warnings?|files?|path|dir|names?|env|hint|timeout|ttl|type"
    r"|length|policy|format|expir\w*|rotation|max|min|count|reload|required|fd|repeat|store|prompt|stdin|url"
    r"|uri|arn|status|state|errors?|providers?|helper|cache|lifetime|duration|mode|version|size|bits|user"
    r"|role|bucket|endpoint|(?<!secret.)ids?)|.*files?|tokens|passwordcheck|nopasswd|-*no[_-].*"
)
# An error's name: `ExpiredToken`, `NoCredentialProviders`, `secretName`.
_CAMEL_ABOUT = pattern(
    r"(?:Invalid|Expired|No|Missing|Bad|Unknown|Wrong|Incorrect|Unsupported)[A-Z]\w*"
    r"|\w*[a-z](?:Error|Exception|Fault|Invalid|Expired|Missing|Required|Found|Mismatch|Failed|Failure"
    r"|Providers?|Path|Uri|Url|Type|Name|Ref|(?<!Secret)Id)"
)
_SEEN_BY_PATH = pattern(r"(?i)credential|key[\"']?\s*=")
# What follows `password: ` where it is no password: words, one of which says what happened.
_PLAIN_WORD = pattern(r"[A-Za-z]?[a-z]*(?:'[a-z]+)?[,.;:]?")
_ACRONYM = pattern(r"[A-Z][A-Z0-9]{1,4}")
_SAYS = frozenset(
    {
        "no", "not", "none", "nor", "cannot", "can't", "couldn't", "could", "should", "would", "must",
        "may", "is", "are", "was", "were", "be", "been", "has", "have", "had", "does", "do", "did",
        "doesn't", "don't", "didn't", "failed", "failing", "fails", "failure", "invalid", "wrong",
        "incorrect", "missing", "expired", "expires", "required", "unable", "unexpected", "denied",
        "refused", "rejected", "forbidden", "unauthorized", "unknown", "unsupported", "unavailable",
        "mismatch", "malformed", "exceeded", "timeout", "timed", "error", "check", "enter", "provided",
        "found", "expected", "got", "unbound", "too", "unrecognized", "illegal", "bad", "usage", "requires",
    }
)  # fmt: skip
_SAYS_OF_IT = frozenset({"not", "does", "already", "is", "was", "has", "cannot", "could"})
_NO_VALUE = pattern(
    r"[\"']?(?:yes|no|true|false|none|null|nil|unset|missing|empty|off|on|n/a|<\w+>|\[redacted\]|\*+|x{4,})"
    r"[\"']?[).,;]*",
    re.IGNORECASE,
)
"""What stands for a value: that there is none, or another program's mask."""
_COUNT = pattern(r"\d{1,4}[,;.)]?")
_STATUS = pattern(r"[1-5]\d\d [A-Z][a-z]+")  # 403 Forbidden
_NAMES_OBJECT = pattern(r"[0-9A-F]{24}|^[\"']?\$")
_PATH = pattern(
    r"[\"']?(?:~|\.{1,2}|/(?:etc|var|home|root|opt|usr|run|srv|tmp|mnt|secrets|keys))/[\w.@/-]*+[\"']?(?!\S)"
)

# Values as they are written: in quotes (doubled, escaped, or doubled themselves because they stand in
# a quoted setting), open to the end where the closing quote is missing, or up to a blank. No group is
# repeated possessively: Python before 3.11.5 matches too little then (CPython issue 106052).
_VALUE = pattern(
    r"\"[^\"\\]*+(?:\\.[^\"\\]*+)*(?:\"|\\?\Z)"
    r"|(?>\\{1,3}\"[^\"\\]*+)(?:\\{1,3}\"|\Z)"
    r"|(?>''(?![\s'])(?:[^']++|'{4})+)(?:''|\Z)"
    r"|(?>\\'[^'\\]*+(?:\\[^'][^'\\]*+)*)(?:\\'|\Z)"
    r"|'[^'\\]*+(?:(?:\\.|'')[^'\\]*+)*(?:'|\\?\Z)"
    r"|(?:[^\s'\"]++|''|(?<=\w)'(?=\w))+",
    re.DOTALL,
)
# A name and what joins it to a value: `name=`, `name:`, `name => value`, `--name value`, `NAME 'value'`.
# Names begin only where no name goes on, so that each character is looked at once, however long the text is.
_NAMED = pattern(
    r"(?<![A-Za-z0-9_.-])(?:[A-Za-z0-9_.-]++\\{0,3}+[\"']?\s{0,99}+(?:=>|:=|[=:])\s{0,99}+(?=\S)"
    r"|-[A-Za-z0-9_.-]++\s{1,99}+(?=[^\s-])|[A-Za-z0-9_.-]++\s{1,99}+(?=\\?['\"]))"
)
_NAME = pattern(r"[A-Za-z0-9_.-]+")
_USERINFO = 128
"""The most characters that are looked at before an `@`."""

# Whatever gives a secret away contains one of these: looking for them first costs a hundredth.
_HINTS = (
    "secret", "pass", "token", "apikey", "privatekey", "private key", "accountkey", "credential",
    *SHAPE_HINTS, *COMMAND_HINTS,
)  # fmt: skip
_FLAGS = pattern(r"\s-[a-z-]")
_LONG_AFTER_DOT = pattern(r"\.\w{20}")
_PASSFILE = pattern(r":(?:\d{4,5}|\*):[^\s:]{1,63}:")
_KEYS = pattern(r"key[\"']?\s*[=:]|[_-]key\s")


def printable(text: str) -> str:
    """`text` on one line, without escape sequences, control or direction characters; a tab is a space.

    Nor anything else that has no shape of its own (lone surrogates, which no terminal's encoding
    takes; zero-width and private characters); other blanks become spaces.
    """
    if text.isprintable():
        return text
    text = _CONTROLS.sub("", _ESCAPES.sub("", text).replace("\t", " "))
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else " " if char.isspace() else "" for char in text)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` with what looks like a secret, and every one of `secrets`, replaced by `[redacted]`."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, MASK)
    if not may_hold_secret(text):
        return text
    text = command_secrets_masked(text, MASK)
    folded = text.casefold()
    for shape in SHAPES:
        text = shape.masked(text, folded, MASK)
    for led in LED:
        text = led.masked(text, folded, rf"\1{MASK}")
    text = USERLIST.sub(rf"\1{MASK}", text)
    return _values_masked(text)


def _values_masked(text: str) -> str:
    """`text` with the value masked wherever a name gives a secret away."""
    parts: list[str] = []
    done = at = 0
    while (named := _NAMED.search(text, at)) is not None:
        at = named.end()
        value = _VALUE.match(text, at) if _gives_away(named[0]) else None
        if value is not None and not _is_spoken(named, value, text):
            parts += text[done:at], MASK
            done = at = _end_of(value, named[0], text)
    return "".join((*parts, text[done:]))


def _end_of(value: re.Match[str], named: str, text: str) -> int:
    """Where the value ends: a passphrase may have blanks without a quote, where a colon leads to it."""
    if not named.rstrip(" ").lower().endswith("passphrase:") or value[0][0] in "\"'":
        return value.end()
    end = text.find("\n", value.end())
    return len(text) if end < 0 else end


def _gives_away(named: str) -> bool:
    name = _NAME.match(named)
    if name is None:
        return False
    folded = name[0].lower()
    if folded == "pass" or (folded == "pwd" and name[0] != "PWD"):
        return "=" in named  # "second pass: 3 files" is none
    if _ENVIRONMENT_KEY.fullmatch(name[0]) is not None and "=" in named:
        return True
    if _MARK.search(folded) is None:
        return False
    return _ABOUT.fullmatch(folded) is None and _CAMEL_ABOUT.fullmatch(name[0]) is None


def _is_spoken(name: re.Match[str], value: re.Match[str], text: str) -> bool:
    """Whether what follows a name is said about it, and not its value."""
    named = name[0]
    if _NO_VALUE.fullmatch(value[0]) is not None:
        return True
    if _SEEN_BY_PATH.search(named) is not None and _PATH.match(value[0]) is not None:
        return True
    if named.rstrip().rstrip("\"'").endswith(("=", "=>")):
        return named.startswith("KEY") and _NAMES_OBJECT.search(value[0]) is not None
    after = text[value.end() : value.end() + 120]
    if not named.rstrip().endswith(":"):
        if named[0] == "-":
            return named.strip() == "-pass" and value[0].startswith(("file:", "env:", "fd:", "stdin"))
        return _is_its_name(named, value[0], after)
    if not named[-1:].isspace():
        return False
    before = text[max(0, name.start() - 12) : name.start()].rstrip()
    counted = named.rstrip(": ").endswith("s") and _COUNT.fullmatch(value[0]) is not None
    if counted or before.endswith(("expected", "illegal")) or _STATUS.match(value[0] + after):
        return True
    return _is_prose(value[0], after, "credential" in named.lower())


def _is_its_name(named: str, value: str, after: str) -> bool:
    """Whether `NAME 'value'` names something that is called a secret, and is none: a Kubernetes object."""
    if not any(sign.isalnum() for sign in value):
        return True
    said = after.split(maxsplit=1)[:1]
    return (
        named.lower().startswith(("secret", "credential")) and bool(said) and said[0].lower() in _SAYS_OF_IT
    )


def _is_prose(first: str, after: str, easily: bool) -> bool:
    """Whether these are words of a message. `easily`: what a name like credentials has is seldom a value."""
    if _PLAIN_WORD.fullmatch(first) is None and not (easily and _ACRONYM.fullmatch(first)):
        return False
    following = after.split()[:5]
    if easily and following:
        return True
    words = (word.strip(",.;:!").lower() for word in (first, *following))
    return (bool(following) or easily) and any(word in _SAYS for word in words)


def may_hold_secret(text: str) -> bool:
    """Whether `redact` could change `text` (or, of joined lines, any of them); quick, and rarely wrong."""
    folded = text.casefold()
    for hint in _HINTS:  # any() takes three times as long, for every line of a log
        if hint in folded:
            return True
    if " -" in folded and _FLAGS.search(folded) is not None:
        return True
    if "key" in folded and _KEYS.search(folded) is not None:
        return True
    if _LONG_AFTER_DOT.search(folded) is not None:
        return True
    if folded.startswith("-") and _FLAGS.search(f" {folded}") is not None:
        return True
    if _PASSFILE.search(folded) is not None:
        return True
    return "@" in folded and _names_user_and_host(folded)


def _names_user_and_host(text: str) -> bool:
    """Whether a word may be `user:password@host`. A log's `user@database` has no colon."""
    at = text.find("@")
    while at >= 0:
        colon = text.rfind(":", max(0, at - _USERINFO), at)
        if colon >= 0 and " " not in (word := text[colon:at]) and "\n" not in word:
            return True
        at = text.find("@", at + 1)
    return False


def safe(text: str, secrets: Iterable[str] = ()) -> str:
    """What may be shown: printable and redacted."""
    return redact(printable(text), secrets)


def decode(raw: bytes) -> str:
    """Remote bytes as text: UTF-8, what is not becomes U+FFFD."""
    return raw.decode("utf-8", "replace")
