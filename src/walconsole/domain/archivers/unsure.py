"""Where the words leave open which place is meant: then it is none that is read, and never a guess.

A tool's default holds where nothing says otherwise. Where something may say otherwise that only the run of
the command tells (variables from a file that cannot be read, what sudo leaves), it proves nothing.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import replace

from walconsole.domain.archivers.called import Call
from walconsole.domain.archivers.expansion import UNKNOWN, UNKNOWN_WORDS, shown
from walconsole.domain.archivers.places import endpoint_url
from walconsole.domain.archivers.target import (
    NO_COMMANDS,
    ArchiveTarget,
    Certainty,
    Credentials,
    FolderStore,
    Found,
    S3Store,
    UnreadStore,
)
from walconsole.domain.archivers.whence import OPTIONS_THAT_SAY_WHERE, VARIABLES_THAT_SAY_WHERE

_BESIDES = frozenset({"--stanza", "--region", "--read-timeout", "--port", "-U", "--user"})
"""They say nothing of where."""
_ADDRESSES = frozenset({"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT", "S3_ENDPOINT_URL"})
_SECRET = re.compile(r"KEY|SECRET|TOKEN|PASS")
_PREFIXES = ("--repo", "--walg-", "--s3-")


def doubted(call: Call, target: ArchiveTarget, cut: Collection[str] = ()) -> ArchiveTarget:
    """The same, or with a place that is not read where only the run of `call` tells which it is.

    `cut` are the tool's files that were not read whole.
    """
    store = target.store
    if isinstance(store, UnreadStore):
        return target
    why = _computed(call)
    if not why and _by_default(store):
        why = f"of {min(cut)} only the beginning was read" if cut else _open(call)
    if not why:
        return target
    place = f"s3://{store.bucket.value}/{store.prefix.value}" if isinstance(store, S3Store) else str(store)
    at = f"{shown(place).rstrip('/')}, at an endpoint that only the run of the command tells"
    what = at if isinstance(store, S3Store) else "a place that only the run of the command tells"
    return replace(
        target,
        store=UnreadStore(Found(what, call.source), why),
        credentials=Credentials(""),
        commands=NO_COMMANDS,
    )


def _computed(call: Call) -> str:
    """Whether an option that says where is itself computed."""
    named = OPTIONS_THAT_SAY_WHERE.get(call.name, ())
    for option, value in _options(call.words):
        told = (option in named and option not in _BESIDES) or option.startswith(_PREFIXES)
        if told and UNKNOWN in value:
            return f"{option} is computed when the command runs"
    return ""


def _options(words: Sequence[str]) -> list[tuple[str, str]]:
    found = []
    for at, word in enumerate(words):
        option, given, value = word.partition("=")
        if word.startswith("-") and UNKNOWN not in option:
            found.append((option, value if given else "".join(words[at + 1 : at + 2])))
    return found


def _open(call: Call) -> str:
    """Why something that only the run tells may say otherwise; empty where nothing may."""
    if UNKNOWN in call.environment:
        return call.environment[UNKNOWN].value
    home = call.environment.get("HOME")
    if home is not None and UNKNOWN in home.value:
        return f"{home.source} is not read: it runs as {call.user}" if call.user else "HOME is computed"
    for name, found in call.environment.items():
        if UNKNOWN in found.value and name.startswith(VARIABLES_THAT_SAY_WHERE) and not _SECRET.search(name):
            return f"{name} is computed when the command runs"
        if name in _ADDRESSES and found.value and not endpoint_url(found.value):
            return f"{name} is no address"
    if UNKNOWN_WORDS in call.words:
        return "some of its options are computed when the command runs"
    return ""


def _by_default(store: S3Store | FolderStore) -> bool:
    place = store.endpoint if isinstance(store, S3Store) else store.path
    return place.certainty is Certainty.DEFAULT
