"""What may reach a screen, a log, an export or a picture.

Remote text is hostile: escape sequences and control characters are taken out. Secrets are taken
out wherever their shape or their name gives them away; known secrets also by their value.
"""

import re
from collections.abc import Iterable

from walconsole.domain.patterns import pattern

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
    r"secret|passw(?:or)?d|passphrase|token|api[_-]?key|private[_-]?key|account[_-]?key|credential"
    r"|pgpass(?![a-z])|ldapbindpasswd|(?:^-+|[_.-])pass$"
)
_ABOUT = pattern(
    r".*[_.-](?:encryption|supports[_-]reload|warnings?|files?|path|dir|names?|env|hint|timeout|ttl|type"
    r"|length|policy|format|expir\w*|rotation|max|min|count|reload|required)|.*files?|tokens|passwordcheck|nopasswd"
)

# Values as they are written: in quotes (doubled, escaped, or doubled themselves because they stand in
# a quoted setting), open to the end where the closing quote is missing, or up to a blank. No group is
# repeated possessively: Python before 3.11.5 matches too little then (CPython issue 106052).
_VALUE = pattern(
    r"\"[^\"\\]*+(?:\\.[^\"\\]*+)*(?:\"|\\?\Z)"
    r"|(?>''(?![\s'])(?:[^']++|'{4})+)(?:''|\Z)"
    r"|(?>\\'[^'\\]*+(?:\\[^'][^'\\]*+)*)(?:\\'|\Z)"
    r"|'[^'\\]*+(?:(?:\\.|'')[^'\\]*+)*(?:'|\\?\Z)"
    r"|(?:[^\s'\"]++|''|(?<=\w)'(?=\w))+",
    re.DOTALL,
)
# A name and what joins it to a value: `name=`, `name:`, `--name value`, `NAME 'value'`. Names begin
# only where no name goes on, so that each character is looked at once, however long the text is.
_NAMED = pattern(
    r"(?<![A-Za-z0-9_.-])(?:[A-Za-z0-9_.-]++[\"']?\s{0,99}+[=:]\s{0,99}+(?=\S)"
    r"|-[A-Za-z0-9_.-]++\s{1,99}+(?=[^\s-])|[A-Za-z0-9_.-]++\s{1,99}+(?=\\?['\"]))"
)
_NAME = pattern(r"[A-Za-z0-9_.-]+")
_SHAPES = (
    pattern(r"\bdo[opr]_v1_[0-9a-f]{32,}\b"),  # DigitalOcean API tokens
    pattern(r"(?i)(?<=bearer )[A-Za-z0-9._~+/=-]{8,}"),
    pattern(r"(?i)(?<=authorization: basic )[A-Za-z0-9+/=]{8,}"),
    pattern(r"(?<=sshpass -p)\s*[^\s'\"]+"),
    pattern(r"(?<=\blftp -u )[^\s,'\"]+,[^\s'\"]+"),
    pattern(r"(?<=://)[^\s/?#:'\"]*+:[^\s/?#'\"]*(?=@)"),  # user:password in a URL
    pattern(r"(?<=[?&])(?i:x-amz-(?:signature|credential|security-token))=[^&\s]+"),
    pattern(r"(?i)(?<=signature=)[0-9a-f]{32,}"),
    pattern(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)"),
    pattern(r"(?i)AGE-SECRET-KEY-[0-9a-z]+"),
    pattern(r"\bmd5[0-9a-f]{32}\b"),  # pg_authid.rolpassword
    pattern(r"SCRAM-SHA-256\$[0-9]+:[^\s'\"]+"),
    pattern(r"(?<=\s-u )[^\s:'\"]+:[^\s'\"]+"),  # curl -u user:password
)
# A whole line of pgbouncer's userlist.txt; the same two words at the end of a command are arguments.
_USERLIST = pattern(r"(?m)^([ \t]*+\"[^\"\n]*\" )\"[^\"\n]*\"(?=[ \t]*$)")

# Every shape above contains one of these: looking for them first costs a hundredth.
_HINTS = (
    "secret", "passw", "passphrase", "token", "apikey", "api_key", "api-key", "privatekey", "private_key",
    "private-key", "private key", "accountkey", "account_key", "account-key", "credential", "pgpass",
    "_v1_", "bearer ", "basic ", "pass", "lftp -u", "://",
    "x-amz-", "signature=", "md5", "scram-", " -u ", '" "',
)  # fmt: skip


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
    for shape in _SHAPES:
        text = shape.sub(MASK, text)
    text = _USERLIST.sub(rf"\1{MASK}", text)
    return _values_masked(text)


def _values_masked(text: str) -> str:
    """`text` with the value masked wherever a name gives a secret away."""
    parts: list[str] = []
    done = at = 0
    while (named := _NAMED.search(text, at)) is not None:
        at = named.end()
        value = _VALUE.match(text, at) if _gives_away(named[0]) else None
        if value is not None:
            parts += text[done:at], MASK
            done = at = value.end()
    return "".join((*parts, text[done:]))


def _gives_away(named: str) -> bool:
    name = _NAME.match(named)
    folded = name[0].lower() if name is not None else ""
    if folded == "pass":
        return "=" in named  # "second pass: 3 files" is none
    return _MARK.search(folded) is not None and _ABOUT.fullmatch(folded) is None


def may_hold_secret(text: str) -> bool:
    """Whether `redact` could change `text` (or, of joined lines, any of them); quick, and rarely wrong."""
    folded = text.casefold()
    for hint in _HINTS:  # noqa: SIM110  # any() takes three times as long, for every line of a log
        if hint in folded:
            return True
    return False


def safe(text: str, secrets: Iterable[str] = ()) -> str:
    """What may be shown: printable and redacted."""
    return redact(printable(text), secrets)


def decode(raw: bytes) -> str:
    """Remote bytes as text: UTF-8, what is not becomes U+FFFD."""
    return raw.decode("utf-8", "replace")
