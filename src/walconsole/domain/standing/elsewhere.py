"""Where the droplet's configuration writes to, where that is not where the archive stands."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from walconsole.domain.archivers.command_words import Target, remotes_of, targets_of
from walconsole.domain.archivers.destinations import destinations_of
from walconsole.domain.facts.evidence import CommandFacts
from walconsole.domain.facts.observed import BucketFacts
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.redaction import safe

_PARAMETER = re.compile(r",(endpoint|region|provider)=[\"']?([^\"',]+)")


def elsewhere(snapshot: Snapshot) -> tuple[str, ...]:
    """A line for each target of the archive command that is none of the known copies: what stands where.

    Only what was read counts: a target whose configuration is not known is no other place, and while a copy
    cannot be asked (a key that is refused) it may be the very one that is written to.
    """
    facts = snapshot.command.value
    known = [copy.value for copy in snapshot.copies if copy.value is not None]
    if facts is None or len(known) < len(snapshot.copies):
        return ()
    stands = _stands(known)
    return tuple(
        f"the command writes to {written}; {stands}"
        for written in (*_others(facts, known), *_of_other_tools(facts, known))
    )


def _stands(known: list[BucketFacts]) -> str:
    """Where the archive was seen; where no copy holds any of it, where it is looked for."""
    holding = [bucket for bucket in known if bucket.segments]
    places = " and ".join(f"{bucket.bucket} at {bucket.endpoint}" for bucket in holding or known)
    return f"the archive stands in {places}" if holding else f"the archive is looked for in {places}"


def _others(facts: CommandFacts, known: list[BucketFacts]) -> Iterator[str]:
    text = f"{facts.command}\n{facts.script}"
    remotes = {section for config in facts.configs for section in config.sections} or set(remotes_of(text))
    for target in targets_of(text):
        if target.remote not in remotes:
            continue
        places = _places(facts, target)
        host = _host(places.get("endpoint", ""))
        same_name = [bucket for bucket in known if bucket.bucket == target.bucket]
        if not same_name or (host and all(_host(bucket.endpoint) != host for bucket in same_name)):
            told = ", ".join(f"{key} {value}" for key, value in sorted(places.items()))
            yield f"{target}{f' ({told})' if told else ''}"


def _of_other_tools(facts: CommandFacts, known: list[BucketFacts]) -> Iterator[str]:
    """By the words of the command and its script alone: what a tool's own file says is not read."""
    for told in destinations_of(f"{facts.command}\n{facts.script}"):
        host = _host(told.endpoint).removeprefix(f"{told.bucket}.")
        same_name = [bucket for bucket in known if bucket.bucket == told.bucket]
        if not same_name or (host and all(_host(bucket.endpoint) != host for bucket in same_name)):
            yield safe(str(told))


def _places(facts: CommandFacts, target: Target) -> dict[str, str]:
    """What the remote's section, and the connection string over it, say of where it is."""
    places = {
        key: value
        for config in facts.configs
        for remote, key, value in config.places
        if remote == target.remote
    }
    return places | {match[1]: match[2] for match in _PARAMETER.finditer(target.parameters)}


def _host(endpoint: str) -> str:
    """Host and port; empty where it is none that can be read."""
    try:
        return urlsplit(endpoint if "//" in endpoint else f"//{endpoint}").netloc.lower()
    except ValueError:
        return ""
