"""What the rclone configuration, the keys API and the buckets mean for provisioning: facts. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from enum import StrEnum
from urllib.parse import urlsplit

from walconsole.domain.profile import BucketTarget, Profile, spaces_endpoint
from walconsole.domain.records import record
from walconsole.domain.store.access_keys import SpacesKey
from walconsole.domain.store.answers import Meaning, meaning_of
from walconsole.domain.store.temporary_keys import PREFIX
from walconsole.domain.store.vendors import SPACES, vendor_of
from walconsole.domain.units import plural
from walconsole.droplet.names import remote_of
from walconsole.provision.droplet.survey import RcloneFacts, Survey
from walconsole.provision.engine.model import Fact, FactState

SPACES_REGIONS = frozenset(
    ("ams3", "atl1", "blr1", "fra1", "lon1", "nyc3", "sfo2", "sfo3", "sgp1", "syd1", "tor1")
)
"""The regions that DigitalOcean's Terraform provider knows."""


class Scope(StrEnum):
    """What a token may do with keys (DigitalOcean's scopes)."""

    READ = "spaces_key:read"
    CREATE = "spaces_key:create_credentials"
    UPDATE = "spaces_key:update"
    DELETE = "spaces_key:delete"


_NEEDED_FOR: Mapping[Scope, str] = {
    Scope.READ: "nothing about keys can be seen without it",
    Scope.CREATE: "no temporary key, and so no bucket, can be made without it",
    Scope.UPDATE: "no grant can be given without it",
    Scope.DELETE: "a temporary key would stay alive without it",
}
_UNTRIED: Mapping[Scope, str] = {
    Scope.CREATE: "not tried: it would make a key",
    Scope.UPDATE: "not tried: only a write could tell",
    Scope.DELETE: "not tried: only a write could tell; it is, before a key is asked for",
}


@record
class KeyFacts:
    """What the keys API told. `problem` is why it could not be asked, `remedy` what to do then.

    `scopes` has True and False for what was found out; what is not in it was not tried.
    """

    keys: tuple[SpacesKey, ...] | None = None
    scopes: Mapping[Scope, bool] = field(default_factory=dict)
    problem: str = ""
    remedy: str = ""


@record
class BucketLook:
    """What a bucket holds under its target's prefix, as far as its first page tells.

    `code` is S3's own where it could not be listed. `systems` are the system identifiers that samples of its
    segments bear, `unread` why one could not be read.
    """

    target: BucketTarget
    objects: int = 0
    segments: int = 0
    more: bool = False
    systems: frozenset[str] = frozenset()
    unread: str = ""
    code: str = ""
    why: str = ""
    remedy: str = ""


def archive_facts(
    survey: Survey,
    profile: Profile,
    targets: Sequence[BucketTarget],
    keys: KeyFacts,
    looks: Sequence[BucketLook],
) -> Iterator[Fact]:
    """The droplet's keys, the API's, the regions and the buckets."""
    yield _configuration(survey.rclone, profile.postgres.os_user)
    for target in targets:
        yield from _remote(survey.rclone, target, keys)
    yield from _token(keys)
    yield from _regions(survey, targets)
    system = survey.server.system_identifier if survey.server is not None else ""
    for look in looks:
        yield _bucket(look, system)


def _configuration(rclone: RcloneFacts, os_user: str) -> Fact:
    label = "rclone's file"
    if rclone.problem:
        remedy = f"write it: [REMOTE] sections of type s3, root:{os_user}, mode 0640"
        if rclone.exists and not rclone.readable:
            remedy = f"chown root:{os_user} {rclone.config} && chmod 0640 {rclone.config}"
        return Fact(label, f"{rclone.config}: {rclone.problem}", FactState.STOP, remedy)
    rights = f"{rclone.owner}:{rclone.group} {rclone.mode:04o}"
    value = f"{rclone.config}, {rights}, {os_user} can read it"
    if rclone.mode & 0o007:
        remedy = f"chmod 0640 {rclone.config}"
        return Fact(label, f"{value}, and so can everybody here", FactState.WARNING, remedy)
    return Fact(label, value)


def _remote(rclone: RcloneFacts, target: BucketTarget, keys: KeyFacts) -> Iterator[Fact]:
    name = remote_of(target)
    label, remote = f"remote {name}", rclone.remote(name)
    if rclone.problem:
        return
    if remote is None:
        there = ", ".join(one.name for one in rclone.remotes) or "none"
        remedy = f"add [{name}] with a key that may write to {target.bucket}"
        yield Fact(label, f"there is no such section (there: {there})", FactState.STOP, remedy)
    elif remote.kind != "s3":
        yield Fact(label, f"its type is {remote.kind or 'missing'}, not s3", FactState.STOP, "set type = s3")
    elif not remote.access_key:
        why = "env_auth: its key is elsewhere, not in this file" if remote.env_auth else "no access_key_id"
        yield Fact(
            label, why, FactState.STOP, "write the key into the section: PostgreSQL's environment is empty"
        )
    else:
        yield _key_of(label, remote.access_key, target, keys)
        if _host_of(remote.endpoint) != _host_of(target.endpoint):
            why = f"its endpoint is {remote.endpoint or 'missing'}, the profile's {target.endpoint}"
            yield Fact(label, why, FactState.WARNING, "make both the same: the one that the bucket is in")


def _key_of(label: str, access_key: str, target: BucketTarget, keys: KeyFacts) -> Fact:
    """Whose key a section uses, and what it may do with the bucket."""
    if keys.keys is None:
        return Fact(label, f"key {access_key}")
    key = next((one for one in keys.keys if one.access_key == access_key), None)
    if key is None:
        why = f"key {access_key}, of which the API knows nothing"
        remedy = "is it of another account, or was it deleted? the write probe tells"
        return Fact(label, why, FactState.WARNING, remedy)
    permissions = {grant.permission for grant in key.grants if grant.bucket in (target.bucket, "")}
    held = next((one for one in ("fullaccess", "readwrite", "read") if one in permissions), "no grant")
    value = f"key {access_key} ({key.name}): {held} on {target.bucket}"
    if held == "fullaccess":
        remedy = "use a limited key: this one may delete every bucket of the account"
        return Fact(label, value, FactState.WARNING, remedy)
    return Fact(label, value, FactState.OK if held == "readwrite" else FactState.NOTE)


def _host_of(endpoint: str) -> str:
    return urlsplit(endpoint if "//" in endpoint else f"//{endpoint}").netloc.lower().removesuffix(":443")


def _token(keys: KeyFacts) -> Iterator[Fact]:
    if keys.problem:
        yield Fact("API token", keys.problem, FactState.WARNING, keys.remedy)
    elif keys.keys is not None:
        yield Fact("API token", f"it works, the account has {plural(len(keys.keys), 'key')}")
    for scope in Scope if keys.scopes else ():
        has = keys.scopes.get(scope)
        if has is None:
            yield Fact(
                scope.value, _UNTRIED.get(scope, "not known: the answer did not tell"), FactState.UNKNOWN
            )
        elif not has:
            state = FactState.STOP if scope is Scope.DELETE else FactState.WARNING
            yield Fact(scope.value, f"missing: {_NEEDED_FOR[scope]}", state, "make a token that has it")
        else:
            yield Fact(scope.value, "granted")
    for key in keys.keys or ():
        if key.name.startswith(PREFIX):
            why = f"{key.name} is alive, since {key.created_at}"
            yield Fact(
                "temporary key", why, FactState.WARNING, "delete it, unless another console works with it"
            )


def _regions(survey: Survey, targets: Sequence[BucketTarget]) -> Iterator[Fact]:
    for target in targets:
        host, vendor = _host_of(target.endpoint), vendor_of(target.endpoint)
        if vendor is not SPACES:
            lacking = (
                f" ({vendor.name} has no {' and no '.join(vendor.lacking)})"
                if vendor and vendor.lacking
                else ""
            )
            yield Fact(f"{target.role} region", f"{target.region}, at {target.endpoint}{lacking}")
        elif target.region not in SPACES_REGIONS:
            why = f"{target.region} is no region of Spaces that this console knows"
            remedy = f"one of {', '.join(sorted(SPACES_REGIONS))}"
            yield Fact(f"{target.role} region", why, FactState.WARNING, remedy)
        elif host != _host_of(spaces_endpoint(target.region)):
            why = f"{target.region}, yet its endpoint is {target.endpoint}"
            yield Fact(f"{target.role} region", why, FactState.WARNING, "correct one of them in the profile")
        else:
            yield Fact(f"{target.role} region", target.region)
    if len(targets) > 1 and len({target.region for target in targets}) == 1:
        why = "both copies are in one region: its outage takes both"
        yield Fact("regions", why, FactState.WARNING, "put the DR bucket elsewhere")
    yield _own_region(survey.region, targets[0])


def _own_region(region: str | None, primary: BucketTarget) -> Fact:
    label = "droplet's region"
    if region is None:
        return Fact(label, "the metadata service did not tell", FactState.UNKNOWN)
    if region[:3] == primary.region[:3]:
        return Fact(label, f"{region}, near the primary bucket's {primary.region}")
    why = f"{region}, the primary bucket is in {primary.region}: slower, and its traffic counts"
    return Fact(label, why, FactState.NOTE)


_ABSENT = {
    Meaning.ABSENT_BUCKET: (FactState.NOTE, "not there yet"),
    Meaning.NO_PERMISSION: (FactState.NOTE, "the profile's key may not list it: not there, or no grant yet"),
    Meaning.NO_KEY: (FactState.UNKNOWN, "the console has no key to look with"),
}


def _bucket(look: BucketLook, system: str) -> Fact:
    label = f"bucket {look.target.bucket}"
    if look.code:
        state, words = _ABSENT.get(meaning_of(look.code, said=look.why), (FactState.WARNING, ""))
        return Fact(label, f"{words}: {look.why}" if words else look.why, state, look.remedy)
    where = f"under {look.target.prefix}" if look.target.prefix else "in it"
    if not look.objects:
        return Fact(label, f"nothing is {where}")
    many = "more than " if look.more else ""
    others = look.objects - look.segments
    value = f"{many}{plural(look.segments, 'WAL segment')} and {plural(others, 'other object')} {where}"
    foreign = {one for one in look.systems if system and one != system}
    if foreign:
        why = f"{value}, of another cluster (system {', '.join(sorted(foreign))})"
        remedy = "give this server a prefix or a bucket of its own; nothing there is touched"
        return Fact(label, why, FactState.STOP, remedy)
    if look.segments and not (look.systems and system):
        why = f"{value}; whose is not known: {look.unread or 'the server was not asked'}"
        return Fact(
            label, why, FactState.WARNING, "look at them before you go on: they are never overwritten"
        )
    if look.systems:
        return Fact(label, f"{value}, of this cluster")
    return Fact(label, value, FactState.NOTE, "")
