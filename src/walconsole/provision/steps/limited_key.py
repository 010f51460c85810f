"""A new limited key, only where the API would not change the grants of the one that the droplet has."""

import secrets
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from shlex import quote

from walconsole.domain.grants import with_readwrite
from walconsole.errors import KeyServiceError, ProvisionError
from walconsole.ports import KeyGrant, SecretPair, SpacesKey
from walconsole.provision.droplet import ask
from walconsole.provision.files import keep, put_back, put_back_command
from walconsole.provision.model import (
    Change,
    ChangeKind,
    Changing,
    Check,
    CheckState,
    Command,
    Event,
    FileChange,
    Plan,
    Printed,
    Proved,
    Ran,
    Risk,
    Where,
)
from walconsole.provision.site import Site
from walconsole.provision.steps.grants import Grants, Use

# Replaces two lines of the named sections. The new values come in by a pipe: they are in no argument.
_REWRITE = r"""
FNR == NR { value[FNR] = $0; next }
/^[ \t]*\[/ { name = $0; gsub(/^[ \t]*\[[ \t]*|[ \t]*\][ \t\r]*$/, "", name)
    here = index(names, "/" name "/") }
here && /^[ \t]*access_key_id[ \t]*=/ { print "access_key_id = " value[1]; next }
here && /^[ \t]*secret_access_key[ \t]*=/ { print "secret_access_key = " value[2]; next }
{ print }
"""


class LimitedKey:
    """model.Step: the droplet's remotes have a key that may write; the old one is left as it is."""

    id = "limited-key"
    title = "Limited key"
    risk = Risk.CHANGES
    gated = True
    always = False
    explanation = (
        "The keys API may answer a change of grants with success and change nothing. Then the droplet "
        "needs another key: this makes a limited one with the old one's grants and readwrite on the WAL "
        "buckets, and writes it into the droplet's rclone configuration, of which a copy is kept that "
        "only root can read. The old key is not deleted: something else may use it."
    )

    def __init__(self, site: Site) -> None:
        self._site = site

    async def check(self) -> Check:
        """Needed only after the step Grants found out that the API keeps them."""
        uses = await self._uses()
        if not uses:
            return Check(CheckState.DONE, "not needed: the grants could be given")
        keys = ", ".join(use.access_key for use in uses)
        return Check(CheckState.NEEDED, f"the API keeps the grants of {keys} as they are")

    async def plan(self) -> Plan:
        """The key, and the configuration without its secrets."""
        uses, config = await self._uses(), self._site.profile.paths.rclone_config
        now = (await self._site.survey()).rclone
        creating = [
            Command(
                f"doctl spaces keys create NAME --grants {quote(_words(await self._grants(use)))}",
                Where.HERE,
                "",
            )
            for use in uses
        ]
        change = FileChange(config, None, None, now.mode, now.owner, now.group, secret=True)
        edit = Command(f"editor {quote(config)}  # access_key_id and secret_access_key of the remotes below")
        remotes = ", ".join(remote for use in uses for remote in use.remotes)
        return Plan(
            f"make a limited key, and put it into {config} for {remotes}",
            commands=(*creating, edit),
            files=(change,),
            notes=("the secret goes to the droplet through SSH's standard input, into that file alone",),
            undo="the old configuration is put back, and the new key deleted",
        )

    async def apply(self) -> AsyncIterator[Event]:
        """Raises KeyServiceError; ProvisionError where the configuration cannot be written."""
        service = await self._site.key_service()
        for use in await self._uses():
            grants, name = await self._grants(use), self._name()
            yield Changing(self._change(ChangeKind.KEY, name, after="made"))
            yield Ran(
                Command(f"doctl spaces keys create {name} --grants {quote(_words(grants))}", Where.HERE, "")
            )
            made = await service.create(name, grants)
            async for event in self._write(use, made.pair):
                yield event
            self._site.unchangeable_keys.discard(use.access_key)
        await self._site.survey(again=True)

    async def verify(self) -> AsyncIterator[Event]:
        """Raises ProvisionError where the droplet's keys still lack something."""
        check = await Grants(self._site).check()
        if check.state is not CheckState.DONE:
            raise ProvisionError("looking at the droplet's keys", check.summary, check.remedy)
        yield Proved(check.summary)

    async def undo_plan(self, changes: tuple[Change, ...]) -> Plan | None:
        """The old configuration, and no new key."""
        files = [put_back_command(change) for change in changes if change.kind is ChangeKind.FILE]
        keys = [f"delete the key {change.what}" for change in changes if change.kind is ChangeKind.KEY]
        return Plan("put the old key back", commands=tuple(files), notes=tuple(keys))

    async def undo(self, changes: tuple[Change, ...]) -> AsyncIterator[Event]:
        """The newest first."""
        for change in changes:
            if change.kind is ChangeKind.FILE:
                async for event in put_back(self._site, change):
                    yield event
            else:
                async for event in self._delete(change.what):
                    yield event

    async def _uses(self) -> tuple[Use, ...]:
        if not self._site.unchangeable_keys:
            return ()
        uses = await Grants(self._site).uses()
        if isinstance(uses, Check):
            return ()
        return tuple(use for use in uses if use.access_key in self._site.unchangeable_keys)

    async def _grants(self, use: Use) -> tuple[KeyGrant, ...]:
        service = await self._site.key_service()
        old = await service.key(use.access_key)
        pairs = [(grant.bucket, grant.permission) for grant in old.grants] if old is not None else []
        return tuple(
            KeyGrant(bucket, permission) for bucket, permission in with_readwrite(pairs, use.buckets)
        )

    async def _write(self, use: Use, pair: SecretPair) -> AsyncIterator[Event]:
        config = self._site.profile.paths.rclone_config
        kept = await keep(self._site, config)
        yield Changing(self._change(ChangeKind.FILE, config, before=f"kept as {kept}", kept=kept))
        yield Ran(Command(f"editor {quote(config)}"))
        await ask(self._site, _script(config, use.remotes, pair), tried=f"writing the new key into {config}")
        yield Printed(f"{config}: {', '.join(use.remotes)} use {pair.access_key}")

    async def _delete(self, name: str) -> AsyncIterator[Event]:
        service = await self._site.key_service()
        found: list[SpacesKey] = [key for key in await service.keys() if key.name == name]
        for key in found:
            await service.delete(key.access_key)
            if await service.key(key.access_key) is not None:
                raise KeyServiceError(f"deleting the key {name}", "it is still there", "try again")
        yield Printed(f"the key {name} is {'deleted' if found else 'gone already'}")

    def _name(self) -> str:
        stamp = datetime.fromtimestamp(self._site.clock.now(), UTC).strftime("%Y%m%dT%H%M%SZ")
        return f"{self._site.profile.name}-wal-rw-{stamp}-{secrets.token_hex(4)}"

    def _change(
        self, kind: ChangeKind, what: str, *, before: str = "", after: str = "", kept: str = ""
    ) -> Change:
        return Change(self.id, kind, what, before, after, kept, self._site.clock.now())


def _words(grants: Sequence[KeyGrant]) -> str:
    return ",".join(f"bucket={one.bucket};permission={one.permission}" for one in grants)


def _script(config: str, remotes: Sequence[str], pair: SecretPair) -> str:
    """Writes beside the file and moves it into place, with the same owner and mode."""
    names = quote("/" + "/".join(remotes) + "/")
    return f"""set -eu
umask 077
p=$(readlink -f -- {quote(config)})
t=$(mktemp "$(dirname -- "$p")/.walconsole.XXXXXX")
trap 'rm -f -- "$t"' EXIT
cp -p -- "$p" "$t"
printf '%s\\n%s\\n' {quote(pair.access_key)} {quote(pair.secret)} |
    awk -v names={names} {quote(_REWRITE)} - "$p" >"$t"
grep -q '^secret_access_key = ' "$t" || {{ echo "no line of a secret_access_key was found"; exit 1; }}
sync "$t" 2>/dev/null || sync
mv -f -- "$t" "$p"
trap - EXIT
"""
