"""The console's environment, and what of it the programs that it starts may see."""

import re
from collections.abc import Iterable, Mapping, MutableMapping

from walconsole.domain.patterns import pattern
from walconsole.errors import UsageError
from walconsole.operator_files.credentials import credential

_SECRET_NAME = pattern(
    r"TOKEN|SECRET|PASSW|PASSPHRASE|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|_(?:KEY|KEY_ID|PASS|PWD|PAT)$",
    re.IGNORECASE,
)
_PLACE = pattern(r"_(?:FILE|PATH|DIR|SOCK)$", re.IGNORECASE)
_DIGITALOCEAN_TOKEN = pattern(r"do[opr]_v1_")


def keep_secrets(environ: MutableMapping[str, str], named: Iterable[str] = ()) -> Mapping[str, str]:
    """All of `environ`, as it was, and of the `named` what systemd hands this service as a credential; the
    secrets are taken out of `environ` itself. Raises UsageError for a credential that cannot be read.

    What starts a program hands os.environ on, and not all of that is the console's own: a library asks a
    compiler where another library is, an SSH configuration has a ProxyCommand. Taken out are the variables
    `named` (by any profile), those whose names say that they hold a secret, and DigitalOcean's tokens.
    """
    whole = dict(environ)
    known = frozenset(named)
    for name, text in whole.items():
        if name in known or _is_secret(name, text):
            del environ[name]
    return {**whole, **_credentials(known, whole)}


def _credentials(names: Iterable[str], environ: Mapping[str, str]) -> Mapping[str, str]:
    found = {}
    for name in names:
        try:
            found[name] = credential(name, environ)
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise UsageError(f"reading the credential {name}", why or "it cannot be read") from None
    return {name: text for name, text in found.items() if text}


def _is_secret(name: str, text: str) -> bool:
    if _DIGITALOCEAN_TOKEN.match(text):
        return True
    return bool(_SECRET_NAME.search(name)) and not _PLACE.search(name)
