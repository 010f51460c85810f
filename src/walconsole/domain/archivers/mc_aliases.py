"""The aliases that a script sets for mc before it calls it: `mc alias set NAME URL KEY SECRET`.

MinIO client reference, `mc alias set`; `mc config host add` is its older name. They go to mc's own file when
the script runs, and are kept here among the variables, under a name that no variable has.
"""

from collections.abc import Sequence

from walconsole.domain.archivers.expansion import UNKNOWN, Environment
from walconsole.domain.archivers.target import Found
from walconsole.domain.records import record

_VALUED = frozenset({"-C", "--config-dir", "--api", "--path", "--limit-upload", "--limit-download"})
_VERBS = (("alias", "set"), ("alias", "s"), ("config", "host", "add"))
_BETWEEN = "\x01"


@record
class Alias:
    """Where it leads, and its keys: None where only the run tells."""

    url: Found[str]
    access: Found[str] | None
    secret: Found[str] | None


def set_by(words: Sequence[str], source: str) -> Environment:
    """What mc's words add to what is known; nothing where they set no alias."""
    plain, skip = [], False
    for word in words:
        if skip or word.startswith("-"):
            skip = not skip and word in _VALUED
        else:
            plain.append(word)
    for verb in _VERBS:
        if tuple(plain[: len(verb)]) == verb and len(plain) > len(verb) + 1:
            name, *rest = plain[len(verb) :]
            return {_key(name): Found(_BETWEEN.join((*rest, "", "")[:3]), source)}
    return {}


def _key(name: str) -> str:
    return f"mc alias {name}"


def alias_set(environment: Environment, name: str) -> Alias | None:
    """The alias as the script sets it; None where it sets none of that name."""
    found = environment.get(_key(name))
    if found is None:
        return None
    url, access, secret = found.value.split(_BETWEEN)
    told = bool(access and secret) and UNKNOWN not in access + secret
    return Alias(found.but(url), found.but(access) if told else None, found.but(secret) if told else None)


def named_in(environment: Environment, name: str) -> str:
    """Why its place is not known."""
    found = environment.get(_key(name))
    if found is None:
        return f"the alias {name} is in no file that was read"
    return f"only the run of the command tells where the alias {name} leads, which {found.source} sets"
