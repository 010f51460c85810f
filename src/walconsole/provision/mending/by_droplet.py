"""Carrying by the droplet itself: its rclone, its key, as the server's user. Nothing passes through here."""

import re
from collections.abc import AsyncIterator
from shlex import quote

from walconsole.domain.archive.mending import Mend, Source
from walconsole.domain.archive.stored_form import PACKED
from walconsole.domain.profile import BucketRole, KeySource
from walconsole.domain.redaction import safe
from walconsole.droplet.names import remote_of
from walconsole.droplet.one_time import MendSource, MendTarget, mend_script
from walconsole.provision.droplet.commands import LONGEST_TRANSFER_S, os_user, programs, run, status_of
from walconsole.provision.engine.model import Command, Printed
from walconsole.provision.engine.site import Site
from walconsole.provision.mending.carrier import Brought, Carried, News, Places, Unusable
from walconsole.provision.mending.look import MendLook, target_of

_RECORD = re.compile(r"\x01(source|target) (\w+) (\d+) ?(.*)")


async def can_carry(site: Site) -> bool:
    """Whether the droplet has the keys to both copies, and rclone to use them."""
    if any(target.keys.source is not KeySource.DROPLET for target in (site.profile.primary, site.profile.dr)):
        return False
    config = quote(site.profile.paths.rclone_config)
    script = f"PATH={quote(site.choices.path)}\ncommand -v rclone >/dev/null && [ -r {config} ]"
    status, _ = await status_of(site, script, user=os_user(site))
    return status == 0


class DropletCarrier:
    """carrier.Carrier. A segment is one script on the droplet, which leaves nothing behind."""

    way = "by the droplet's rclone, as the server's user"

    def __init__(self, site: Site, look: MendLook) -> None:
        self._site, self._look, self._places = site, look, Places(site, look)

    async def by_hand(self, mend: Mend) -> Command | None:
        """See carrier.Carrier. From the best of its sources."""
        try:
            source = await self._source(mend.sources[0], mend)
            targets = [await self._target(role, mend) for role in mend.targets]
        except ValueError:
            return None
        return None if source is None else self._typed(source, targets)

    async def carry(self, mend: Mend) -> AsyncIterator[News]:
        """See carrier.Carrier."""
        sources = [(source, told) for source in mend.sources if (told := await self._source(source, mend))]
        for gone in set(mend.sources) - {source for source, _ in sources}:
            yield Unusable(gone, "it is not there any more")
        targets: list[MendTarget] = []
        for role in mend.targets:
            try:
                targets.append(await self._target(role, mend))
            except ValueError as error:
                yield Brought(role, Carried.REFUSED, str(error))
        if not (sources and targets):
            return
        script = mend_script(
            self._site.profile,
            self._site.choices,
            self._look.page(mend.segment),
            [told for _, told in sources],
            targets,
        )
        command = self._typed(sources[0][1], targets)
        async for event in run(self._site, command, script=script, timeout_s=LONGEST_TRANSFER_S):
            record = _RECORD.fullmatch(event.text) if isinstance(event, Printed) else None
            if record is None:
                yield event
                continue
            status, words = int(record[3]), safe(record[4]).removeprefix("rclone says: ")
            if record[1] == "target":
                yield Brought(BucketRole(record[2]), Carried(status), words)
            elif status != 0:
                yield Unusable(sources[int(record[2])][0], words)

    async def _source(self, source: Source, mend: Mend) -> MendSource | None:
        if source.role is None:
            return MendSource(source.folder, source.file, in_copy=False)
        key = await self._places.key_in(source.role, mend.segment)
        if key is None:
            return None
        folder, _, name = key.rpartition("/")
        return MendSource(self._where(source.role, f"{folder}/" if folder else ""), name, in_copy=True)

    async def _target(self, role: BucketRole, mend: Mend) -> MendTarget:
        stored = await self._places.stored_as(role, mend.segment)
        return MendTarget(role.value, self._where(role, stored.folder), stored.suffix)

    def _where(self, role: BucketRole, folder: str) -> str:
        """A folder, with its slash, as the droplet's rclone names it."""
        target = target_of(self._site, role)
        return f"{remote_of(target)}:{target.bucket}/{folder}"

    def _typed(self, source: MendSource, targets: list[MendTarget]) -> Command:
        """A command for each copy. The script looks at the content besides, before and after."""
        name = source.object[:24]
        suffix = source.object[24:]
        rclone = f"{programs(self._site)}rclone --config {quote(self._site.profile.paths.rclone_config)}"
        where = source.where if source.in_copy else f"{source.where}/"
        lines = []
        for each in targets:
            goal = quote(f"{each.where}{name}{each.suffix}")
            if source.in_copy and suffix == each.suffix:
                lines.append(f"{rclone} copyto --immutable {quote(where + source.object)} {goal}")
            else:
                read = self._read(rclone, where, source)
                lines.append(f"{read}{_unpacked(suffix)}{_packed(each.suffix)} | {rclone} rcat {goal}")
        return Command("\n".join(lines), user=os_user(self._site))

    def _read(self, rclone: str, where: str, source: MendSource) -> str:
        program = f"{rclone} cat" if source.in_copy else "cat --"
        return f"{program} {quote(f'{where}{source.object}')}"


_PROGRAMS = {"zst": "zstd", "gz": "gzip", "lz4": "lz4", "bz2": "bzip2", "xz": "xz"}


def _unpacked(suffix: str) -> str:
    way = PACKED.get(suffix, "")
    return f" | {_PROGRAMS[way]} -dc" if way else ""


def _packed(suffix: str) -> str:
    way = PACKED.get(suffix, "")
    return f" | {_PROGRAMS[way]} -c" if way else ""
