"""What was found on the host as a layer of settings below the operator's own.

The profile overrides it value by value, and where both differ that is said.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field

from walconsole.config import checks
from walconsole.config.reader import Setting, Settings
from walconsole.config.resolve import Resolved, resolve
from walconsole.domain.archivers.target import (
    NO_CREDENTIALS,
    ArchiveTarget,
    Certainty,
    Credentials,
    Discovery,
    FolderStore,
    Found,
    S3Store,
    UnreadStore,
)
from walconsole.domain.profile import BucketRole, KeySource, PostgresTarget
from walconsole.domain.records import record
from walconsole.domain.redaction import safe

_WHERE = ("bucket", "endpoint", "prefix", "region")
"""What says where a copy is; a difference in it is told."""


@record
class Adopted:
    """The profile completed with what was found, and what the operator should know of that.

    `keys` are the found pairs of those copies whose keys the profile leaves to the host. `differences` is one
    line for each value that the profile and the host have differently.
    """

    resolved: Resolved
    discovery: Discovery
    keys: Mapping[BucketRole, Credentials] = field(default_factory=dict, repr=False)
    differences: tuple[str, ...] = ()


def takes_keys(resolved: Resolved) -> bool:
    """Whether the keys of any copy may be read from the host: not where the operator names others, and none
    that is on it.
    """
    said = _said(resolved.layers)
    named = {said[f"{role}.keys"].value for role in BucketRole if f"{role}.keys" in said}
    return not named or KeySource.DROPLET in named


def leaves_open(resolved: Resolved) -> bool:
    """Whether the operator left anything of a copy to be found: its bucket, its endpoint, its keys."""
    said = _said(resolved.layers)
    for bucket in resolved.profile.buckets:
        role = bucket.role
        placed = f"{role}.endpoint" in said or f"{role}.region" in said
        keyed = bucket.keys.source is not KeySource.DROPLET or f"{role}.rclone_remote" in said
        if f"{role}.bucket" not in said or not placed or not keyed:
            return True
    return False


def adopt(resolved: Resolved, discovery: Discovery) -> Adopted:
    """The profile with what was found below what the operator says; what was found is no bucket: unread."""
    said = _said(resolved.layers)
    copies = copies_of(discovery)
    found = _whose(discovery.owner, said)
    if not copies and not found:
        return Adopted(resolved, discovery)
    for role, target in copies.items():
        found |= _layer(role, target, said)
    no_word_of_dr = not any(path == "dr" or path.startswith("dr.") for path in said)
    if copies and BucketRole.DR not in copies and no_word_of_dr:
        found["dr"] = Setting("none", "found: the server archives to one place")
    again = resolve([*resolved.layers, found], resolved.fallback_name)
    keys = {
        role: target.credentials
        for role, target in copies.items()
        if again.settings[f"{role}.keys"].value is KeySource.DROPLET
        and again.settings[f"{role}.rclone_remote"].value == ""
    }
    differences = [line for role, target in copies.items() for line in _differences(role, target, said)]
    notes = (*resolved.notes, *differences)
    return Adopted(again._replace(notes=notes), discovery, keys, tuple(differences))


def copies_of(discovery: Discovery) -> dict[BucketRole, ArchiveTarget]:
    """The first two that can be read are the primary and the DR copy; an unread one where none can be."""
    readable = [target for target in discovery.targets if not isinstance(target.store, UnreadStore)]
    chosen = readable or list(discovery.targets[:1])
    return dict(zip(BucketRole, chosen, strict=False))


def told_of(adopted: Adopted) -> Iterator[str]:
    """The tool and the place of each copy, what the profile has differently, and what was not understood."""
    for target in adopted.discovery.targets:
        unread = f": {target.store.why}" if isinstance(target.store, UnreadStore) else ""
        yield safe(f"{target.tool.value} archives to {target.store}{unread}")
        yield from map(safe, target.notes)
    if not adopted.discovery.targets:
        yield "nothing was found that the server archives to"
    yield from map(safe, adopted.differences)
    yield from map(safe, adopted.discovery.notes)


def is_ours(adopted: Adopted) -> bool:
    """Whether nothing but this console's own command archives there, or nothing does: nothing to tell."""
    tools = {target.tool.value for target in adopted.discovery.targets}
    return tools <= {"walconsole"} and not adopted.differences


def elsewhere(adopted: Adopted) -> bool:
    """Whether the operator names another place for the primary copy than the server archives to."""
    target = copies_of(adopted.discovery).get(BucketRole.PRIMARY)
    said = _said(adopted.resolved.layers)
    return target is not None and any(_differences(BucketRole.PRIMARY, target, said))


def _said(layers: Sequence[Settings]) -> dict[str, Setting]:
    said: dict[str, Setting] = {}
    for layer in reversed(layers):
        said |= layer
    return said


def origin_of(found: Found[str] | Found[bool]) -> str:
    """In the words of `config show`."""
    sure = "" if found.certainty is Certainty.STATED else f" ({found.certainty.value})"
    return safe(f"found: {found.source}{sure}" if found.source else f"found{sure}")


def _whose(owner: str, said: Settings) -> dict[str, Setting]:
    """Another user than postgres that the server runs as: initdb names the superuser's role so, too."""
    try:
        name = checks.login(owner)
    except checks.UnfitError:
        return {}
    if name == PostgresTarget().os_user or "postgres.password_env" in said:
        return {}
    found = Setting(name, f"found: the server runs as {name}")
    return {path: found for path in ("postgres.os_user", "postgres.user") if path not in said}


def _layer(role: BucketRole, target: ArchiveTarget, said: Settings) -> dict[str, Setting]:
    """The settings of one copy. Values that the profile could not hold are told as what cannot be read."""
    values = dict(_values(target))
    unfit = _unfit(target, said, role)
    if unfit:
        values["unread"] = Setting(unfit, "found")
    if f"{role}.bucket" in said:
        values.pop("unread", None)
    if f"{role}.endpoint" in said:
        values.pop("ca_text", None)
    layer = {f"{role}.{name}": setting for name, setting in values.items()}
    if _by_section(target):
        layer["paths.rclone_config"] = Setting(target.config, "found: rclone's configuration")
    return layer


def _values(target: ArchiveTarget) -> Iterator[tuple[str, Setting]]:
    store = target.store
    keys = target.credentials
    where = f"found: {keys.source}" if keys.source else "found"
    yield "rclone_remote", Setting(target.remote if _by_section(target) else "", safe(where))
    if isinstance(store, S3Store):
        for name in ("bucket", "endpoint", "region", "prefix", "path_style"):
            found: Found[str] | Found[bool] = getattr(store, name)
            yield name, Setting(found.value, origin_of(found))
        yield "ca_text", Setting(store.ca_text, "found")
    elif isinstance(store, FolderStore):
        yield "bucket", Setting(safe(str(store)), origin_of(store.path))
        if store.host is not None:
            told = f"{store} is on another host: name it in the profile where your own ssh reaches that host"
            yield "unread", Setting(safe(told), "found")
    else:
        told = f"{target.tool.value} archives to {store}: {store.why}"
        yield "bucket", Setting(safe(str(store)), origin_of(store.what))
        yield "unread", Setting(safe(told), "found")


def _by_section(target: ArchiveTarget) -> bool:
    """Whether the pair is rclone's under a name in its file: then it is read there, as for a profile's."""
    return bool(target.remote) and target.config.startswith("/")


def _unfit(target: ArchiveTarget, said: Settings, role: BucketRole) -> str:
    """Why what was found cannot be used as it is; empty where it can."""
    store = target.store
    if not isinstance(store, S3Store):
        return ""
    for name, check in (("bucket", checks.bucket), ("endpoint", checks.endpoint), ("prefix", checks.prefix)):
        found: Found[str] = getattr(store, name)
        if f"{role}.{name}" in said:
            continue
        try:
            check(found.value)
        except checks.UnfitError as unfit:
            return safe(f"the {name} that was found ({found.source}) {unfit}")
    return ""


def _differences(role: BucketRole, target: ArchiveTarget, said: Settings) -> Iterator[str]:
    """A line for each value in which the profile is not what the server archives by."""
    store = target.store
    if isinstance(store, S3Store):
        places = {name: getattr(store, name) for name in _WHERE}
        endpoint = said.get(f"{role}.endpoint")
        if endpoint is not None or store.endpoint.value:
            places.pop("region")  # an endpoint says where; the region is what a program signs for
    elif isinstance(store, FolderStore):
        places = {"bucket": store.path.but(str(store))}
    else:
        places = {"bucket": store.what}
    for name, found in places.items():
        mine = said.get(f"{role}.{name}")
        if mine is None or str(mine.value) == found.value or found.certainty is not Certainty.STATED:
            continue
        yield safe(
            f"{role}.{name}: {mine.value or 'nothing'} is believed, for {mine.origin} says so;"
            f" the server archives to {found.value or 'nothing'} ({found.source})"
        )


def key_pair_of(keys: Mapping[BucketRole, Credentials], role: BucketRole) -> Credentials:
    """The found pair of a copy."""
    return keys.get(role, NO_CREDENTIALS)
