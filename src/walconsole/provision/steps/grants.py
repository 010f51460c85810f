"""Grants: the keys that the droplet's remotes really use may read and write in their bucket."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from shlex import quote

from walconsole.domain.profile import BucketTarget
from walconsole.domain.records import record
from walconsole.domain.store.access_keys import SpacesKey
from walconsole.domain.store.grants import (
    FULL_ACCESS,
    READWRITE,
    KeyGrant,
    differences,
    may_write,
    permission_on,
    with_permission,
    with_readwrite,
)
from walconsole.droplet.names import remote_of
from walconsole.errors import KeyServiceError, ProvisionError
from walconsole.ports import KeyService
from walconsole.provision.engine.model import (
    Change,
    ChangeKind,
    Changing,
    Check,
    CheckState,
    Command,
    Event,
    Fact,
    FactState,
    Plan,
    Printed,
    Proved,
    Ran,
    Risk,
    Where,
)
from walconsole.provision.engine.site import Site

_WITHOUT_API = "export the API's token (spaces_key:read and spaces_key:update), or give the grants by hand"


@record
class Use:
    """One key of the droplet's, and the buckets that it shall write to."""

    access_key: str
    remotes: tuple[str, ...]
    buckets: tuple[str, ...]


@record
class Wish:
    """What a key has, and what it shall have."""

    key: SpacesKey
    buckets: tuple[str, ...]
    wanted: tuple[KeyGrant, ...]

    @property
    def lines(self) -> tuple[str, ...]:
        """The difference, a line a bucket."""
        return differences(self.key.grants, self.wanted)


class Grants:
    """model.Step: readwrite for each remote's own key on its own bucket; nothing else of a key changes."""

    id = "grants"
    title = "Grants"
    risk = Risk.CHANGES
    gated = True
    always = False
    explanation = (
        "The droplet archives with limited keys: this looks up, by their ids, which key each remote of "
        "the production rclone configuration really uses (the DR remote may have its own), and gives it "
        "readwrite on its bucket. The API replaces a key's whole list of grants, so the list is read, "
        "merged, written and read back: a read is raised, nothing else changes."
    )

    def __init__(self, site: Site) -> None:
        self._site = site

    async def check(self) -> Check:
        """Done where each key may read and write in its bucket."""
        survey = await self._site.survey()
        uses = await self.uses()
        if isinstance(uses, Check):
            return uses
        if survey.rclone.problem:
            return Check(CheckState.BLOCKED, survey.rclone.problem)
        try:
            keys = {key.access_key: key for key in await (await self._site.key_service()).keys()}
        except KeyServiceError as error:
            return Check(CheckState.BLOCKED, error.why, remedy=error.remedy or _WITHOUT_API)
        facts = tuple(_fact(use, keys.get(use.access_key)) for use in uses)
        unknown = next((use for use in uses if use.access_key not in keys), None)
        if unknown is not None:
            return Check(
                CheckState.BLOCKED,
                f"the API knows no key {unknown.access_key}, which {_remotes(unknown)} uses",
                facts,
                "the token may be another account's, or the key was deleted: put a living key into the"
                " droplet's rclone configuration",
            )
        lacking = [use for use in uses if not _has_all(use, keys[use.access_key])]
        if not lacking:
            return Check(CheckState.DONE, "each key may read and write in its bucket", facts)
        if all(use.access_key in self._site.unchangeable_keys for use in lacking):
            return Check(CheckState.DONE, "the API keeps the grants as they are: it takes a new key", facts)
        return Check(CheckState.NEEDED, "; ".join(_lack(use, keys[use.access_key]) for use in lacking), facts)

    async def plan(self) -> Plan:
        """Each key's grants before and after."""
        wishes = await self._wishes()
        notes = tuple(
            f"{wish.key.name} ({wish.key.access_key}): {line}" for wish in wishes for line in wish.lines
        )
        stay = tuple(
            f"stays: {wish.key.name}: {grant.permission} on {grant.bucket}"
            for wish in wishes
            for grant in wish.key.grants
            if grant in wish.wanted
        )
        return Plan(
            f"give {', '.join(wish.key.name for wish in wishes)} readwrite on"
            f" {', '.join(bucket for wish in wishes for bucket in wish.buckets)}",
            commands=tuple(_command(wish.key, wish.wanted) for wish in wishes),
            notes=(*notes, *stay),
            undo="the permission that each key had on that bucket is given back, and nothing else",
        )

    async def apply(self) -> AsyncIterator[Event]:
        """Raises KeyServiceError; ProvisionError where the API made something else of it."""
        service = await self._site.key_service()
        for wish in await self._wishes():
            changes = [_change(self.id, wish, bucket, self._site.clock.now()) for bucket in wish.buckets]
            for change in changes:
                yield Changing(change)
            yield Ran(_command(wish.key, wish.wanted))
            await service.replace_grants(wish.key, wish.wanted)
            now = await _read_back(service, wish.key)
            left = differences(wish.wanted, now.grants)
            if not left:
                yield Printed(f"{wish.key.name}: {'; '.join(wish.lines)}")
            elif not differences(wish.key.grants, now.grants):
                for change in changes:
                    await asyncio.to_thread(self._site.record.undone, change)
                self._site.unchangeable_keys.add(wish.key.access_key)
                yield Printed(f"the API left the grants of {wish.key.name} as they were: it takes a new key")
            else:
                raise ProvisionError(
                    f"changing the grants of {wish.key.name}",
                    f"the API made something else of them: {'; '.join(left)}",
                    "compare them at cloud.digitalocean.com/spaces/access_keys, and run this step again",
                )

    async def verify(self) -> AsyncIterator[Event]:
        """Raises ProvisionError where a key still lacks what it needs."""
        check = await self.check()
        if check.state is not CheckState.DONE:
            raise ProvisionError("reading the grants back", check.summary, check.remedy)
        yield Proved(check.summary)

    async def undo_plan(self, changes: tuple[Change, ...]) -> Plan | None:
        """Give back what each key had on that bucket."""
        back = tuple(f"{_words(change)}: {change.after} -> {change.before or 'none'}" for change in changes)
        return Plan("take the grants back", notes=back) if changes else None

    async def undo(self, changes: tuple[Change, ...]) -> AsyncIterator[Event]:
        """Raises KeyServiceError; a key that is gone needs nothing."""
        service = await self._site.key_service()
        for change in changes:
            access_key, _, bucket = change.what.partition(" ")
            key = await service.key(access_key)
            if key is None:
                yield Printed(f"the key {access_key} is gone")
                continue
            grants = with_permission(key.grants, bucket, change.before)
            yield Ran(_command(key, grants))
            await service.replace_grants(key, grants)
            yield Printed(f"{_words(change)}: {change.before or 'none'} again")

    async def uses(self) -> tuple[Use, ...] | Check:
        """Which key writes to which buckets, or why that cannot be told."""
        rclone = (await self._site.survey()).rclone
        by_key: dict[str, list[BucketTarget]] = {}
        for target in self._site.targets():
            remote = rclone.remote(remote_of(target))
            if remote is None or not remote.access_key:
                what = "has no section" if remote is None else "has no access_key_id in its section"
                return Check(
                    CheckState.BLOCKED,
                    f"{rclone.config} {what} [{remote_of(target)}]",
                    remedy="complete the rclone configuration, or correct the profile's rclone_remote",
                )
            by_key.setdefault(remote.access_key, []).append(target)
        return tuple(
            Use(access_key, tuple(map(remote_of, targets)), tuple(target.bucket for target in targets))
            for access_key, targets in by_key.items()
        )

    async def _wishes(self) -> list[Wish]:
        uses = await self.uses()
        if isinstance(uses, Check):
            raise ProvisionError("finding out which keys the droplet uses", uses.summary, uses.remedy)
        keys = {key.access_key: key for key in await (await self._site.key_service()).keys()}
        wishes = []
        for use in uses:
            key = keys.get(use.access_key)
            if key is not None and not _has_all(use, key):
                lacking = tuple(one for one in use.buckets if not may_write(key.grants, one))
                wanted = with_readwrite(key.grants, lacking)
                wishes.append(Wish(key, lacking, wanted))
        return wishes


async def _read_back(service: KeyService, key: SpacesKey) -> SpacesKey:
    now = await service.key(key.access_key)
    if now is None:
        raise ProvisionError(
            f"reading the grants of {key.name} back", "the key is gone", "someone deleted it"
        )
    return now


def _has_all(use: Use, key: SpacesKey) -> bool:
    return all(may_write(key.grants, bucket) for bucket in use.buckets)


def _lack(use: Use, key: SpacesKey) -> str:
    wanting = [bucket for bucket in use.buckets if not may_write(key.grants, bucket)]
    lacking = [f"{permission_on(key.grants, bucket) or 'no grant'} on {bucket}" for bucket in wanting]
    return f"{key.name} ({_remotes(use)}) has {', '.join(lacking)}"


def _fact(use: Use, key: SpacesKey | None) -> Fact:
    if key is None:
        return Fact(_remotes(use), f"{use.access_key}, which the API does not know", FactState.STOP)
    if not _has_all(use, key):
        return Fact(_remotes(use), _lack(use, key), FactState.NOTE)
    full = any(grant.permission == FULL_ACCESS for grant in key.grants)
    text = f"{key.name} ({key.access_key}) may {'do anything' if full else 'read and write'}"
    state = FactState.WARNING if full else FactState.OK
    return Fact(_remotes(use), text, state, "a limited key is enough to archive" if full else "")


def _remotes(use: Use) -> str:
    return " and ".join(use.remotes)


def _change(step: str, wish: Wish, bucket: str, now: float) -> Change:
    before = permission_on(wish.key.grants, bucket)
    what = f"{wish.key.access_key} {bucket}"
    return Change(step, ChangeKind.GRANT, what, before=before, after=READWRITE, at=now)


def _words(change: Change) -> str:
    access_key, _, bucket = change.what.partition(" ")
    return f"{access_key} on {bucket}"


def _command(key: SpacesKey, grants: Sequence[KeyGrant]) -> Command:
    wanted = ",".join(f"bucket={one.bucket};permission={one.permission}" for one in grants)
    return Command(
        f"doctl spaces keys update {quote(key.access_key)} --name {quote(key.name)} --grants {quote(wanted)}",
        Where.HERE,
        "",
    )
