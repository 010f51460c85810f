"""What may reach a screen, a log, an export or a picture.

Remote text is hostile: escape sequences and control characters are taken out. Secrets are taken
out wherever their shape or their name gives them away; known secrets also by their value.
"""

import re
from collections.abc import Iterable

MASK = "[redacted]"

# ECMA-48: CSI, OSC/DCS/PM/APC/SOS strings (ended by ST or BEL), and two-character escapes.
_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"
    r"|\x1b[\]PX^_][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x9b[0-?]*[ -/]*[@-~]"
    r"|\x1b[ -/]*[0-~]?"
)
# C0 and C1 controls, and the bidirectional overrides that can make a line read as another.
_CONTROLS = re.compile(
    r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029]"
)

_SECRETIVE = (
    r"(?:[A-Za-z0-9_.-]*(?:secret|passw(?:or)?d|passwd|passphrase|token|api[_-]?key|private[_-]?key|credential)"
    r"[A-Za-z0-9_.-]*|pgpass(?:word)?|sslpassword)"
)
_ASSIGNED = re.compile(
    rf"(?P<name>(?i:{_SECRETIVE}))(?P<joint>[\"']?\s*[=:]\s*)"
    r"(?P<value>\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.|'')*'|[^\s,;'\"]+)"
)
_OPTION = re.compile(
    rf"(?P<name>--?(?i:{_SECRETIVE}))(?P<joint>\s+)(?P<value>(?!-)\"[^\"]*\"|'[^']*'|[^\s'\"]+)"
)
_SHAPES = (
    re.compile(r"\bdo[opr]_v1_[0-9a-f]{32,}\b"),  # DigitalOcean API tokens
    re.compile(r"(?i)(?<=bearer )[A-Za-z0-9._~+/=-]{8,}"),
    re.compile(r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"),  # user:password in a URL
    re.compile(r"(?<=[?&])(?i:x-amz-(?:signature|credential|security-token))=[^&\s]+"),
    re.compile(r"(?i)(?<=signature=)[0-9a-f]{32,}"),
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"),
)

# Every shape above contains one of these: looking for them first costs a hundredth.
_HINTS = (
    "secret", "passw", "passphrase", "token", "apikey", "api_key", "api-key", "privatekey", "private_key",
    "private-key", "private key", "credential", "pgpass", "_v1_", "bearer ", "://", "x-amz-", "signature=",
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
    folded = text.casefold()
    if not any(hint in folded for hint in _HINTS):
        return text
    for shape in _SHAPES:
        text = shape.sub(MASK, text)
    text = _OPTION.sub(rf"\g<name>\g<joint>{MASK}", text)
    return _ASSIGNED.sub(rf"\g<name>\g<joint>{MASK}", text)


def safe(text: str, secrets: Iterable[str] = ()) -> str:
    """What may be shown: printable and redacted."""
    return redact(printable(text), secrets)


def decode(raw: bytes) -> str:
    """Remote bytes as text: UTF-8, what is not becomes U+FFFD."""
    return raw.decode("utf-8", "replace")
