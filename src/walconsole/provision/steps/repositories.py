"""pgBackRest's configuration: a repository in each copy, with the droplet's own limited keys."""

from collections.abc import AsyncIterator

from walconsole.droplet import rendering
from walconsole.droplet.files import DropletFile
from walconsole.droplet.names import names_of
from walconsole.errors import ProvisionError
from walconsole.provision.droplet.commands import os_user
from walconsole.provision.droplet.files import (
    differences,
    install,
    install_command,
    is_ours,
    keep,
    put_back,
    put_back_command,
    undoing,
    whose,
)
from walconsole.provision.droplet.pgbackrest_file import by_hand, look, shown, wanted_text, write
from walconsole.provision.engine.model import (
    Change,
    ChangeKind,
    Changing,
    Check,
    CheckState,
    Event,
    Fact,
    FileChange,
    Plan,
    Printed,
    Proved,
    Ran,
    Risk,
)
from walconsole.provision.engine.site import Site
from walconsole.provision.steps.backup_command import folder_command, folder_fault, make_folder
from walconsole.provision.steps.engine import pgbackrest_obstacle


class Repositories:
    """model.Step. Nothing uses the file before the stanza is made by it, and the drop-in names it."""

    id = "repositories"
    title = "Repositories"
    risk = Risk.ADDS
    gated = True
    always = False
    explanation = (
        "Writes a configuration of pgBackRest's for this deployment alone, root's, which PostgreSQL's user "
        "may read: a repository in each bucket, the cluster, and what is kept. The keys are the limited ones "
        "of the droplet's rclone configuration: they go from that file into this one on the droplet, and are "
        "in no command and no text here; where they change there, this step is to be run again. A "
        "configuration of another pgBackRest (/etc/pgbackrest.conf) is neither read nor changed. Where the "
        "profile names certificates (ca_file), they are brought along."
    )

    def __init__(self, site: Site) -> None:
        self._site = site

    @property
    def _path(self) -> str:
        return names_of(self._site.profile).pgbackrest_config

    async def check(self) -> Check:
        """The file by its text, the keys in it, mode and owner; the certificates; the folder of its locks."""
        survey = await self._site.survey()
        blocked = pgbackrest_obstacle(survey, self._site.profile, self._site.choices, self._site.backup)
        if blocked is not None:
            return blocked
        if survey.rclone.problem:
            why = f"{survey.rclone.config}, whose keys pgBackRest gets: {survey.rclone.problem}"
            return Check(CheckState.BLOCKED, why)
        now = await look(self._site)
        faults = [f"{change.path} is to be written" for change in await self._certificates()]
        faults += [f"{self._path}: {now.fault}"] if now.fault else []
        faults += filter(None, [await folder_fault(self._site, self._state)])
        facts = tuple(
            Fact(f"repository {number}", f"{target.bucket} in {target.region}, /{target.prefix.strip('/')}")
            for number, target in enumerate(self._site.targets(), start=1)
        )
        if faults:
            return Check(CheckState.NEEDED, "; ".join(faults), facts)
        return Check(CheckState.DONE, f"{self._path} is as it shall be", facts)

    async def plan(self) -> Plan:
        """The file as a diff, without the keys."""
        now, text = await look(self._site), await wanted_text(self._site)
        certificates = await self._certificates()
        commands = [install_command(change) for change in certificates]
        commands += [by_hand(self._site, self._shown(text))] if now.fault else []
        if await folder_fault(self._site, self._state):
            commands.append(folder_command(self._site, self._state))
        another = now.text is not None and not is_ours(now.text)
        notes = [f"{self._path} is there, and was not written by this console: it is kept, and replaced"]
        file = FileChange(self._path, now.text, self._shown(text), 0o640, "root", os_user(self._site))
        return Plan(
            f"write {self._path}, root's, mode 0640, with the keys of {self._keys}",
            commands=tuple(commands),
            files=(*certificates, *((file,) if now.fault else ())),
            notes=(*notes[: int(another)], *self._notes()),
            undo="what was there is put back, or ours taken away; what is in the buckets stays",
            confirm=self._path.rpartition("/")[2] if another else "",
        )

    async def apply(self) -> AsyncIterator[Event]:
        """The folder and the certificates, then the file. Raises ProvisionError."""
        site = self._site
        if await folder_fault(site, self._state):
            async for event in make_folder(site, self._state):
                yield event
        for change in await self._certificates():
            async for event in install(site, self.id, change):
                yield event
        now = await look(site)
        if not now.fault:
            return
        kept = await keep(site, self._path) if now.text is not None else ""
        before = f"kept as {kept}" if kept else "not there"
        yield Changing(
            Change(self.id, ChangeKind.FILE, self._path, before, "mode 0640", kept, site.clock.now())
        )
        yield Ran(by_hand(site, self._shown(await wanted_text(site))))
        await write(site)
        yield Printed(f"{self._path}: written, with the keys of {self._keys}")

    async def verify(self) -> AsyncIterator[Event]:
        """Read back. Raises ProvisionError."""
        check = await self.check()
        if check.state is not CheckState.DONE:
            raise ProvisionError("reading pgBackRest's configuration back", check.summary, check.remedy)
        yield Proved(f"{check.summary}, and holds the keys that rclone's configuration has")

    async def undo_plan(self, changes: tuple[Change, ...]) -> Plan | None:
        """Put back what was there; of the file with keys no text is shown."""
        others = [change for change in changes if change.what != self._path]
        own = [change for change in changes if change.what == self._path]
        user = await whose(self._site, self._path)
        secret = [FileChange(self._path, None, None, secret=True, user=user) for _ in own[-1:]]
        return Plan(
            "put back what was there before pgBackRest's configuration, or take it away",
            commands=tuple([await put_back_command(self._site, change) for change in changes]),
            files=(*secret, *await undoing(self._site, others)),
            notes=(f"what is in the buckets stays, and so does {self._state}",),
        )

    async def undo(self, changes: tuple[Change, ...]) -> AsyncIterator[Event]:
        """The newest first."""
        for change in changes:
            async for event in put_back(self._site, change):
                yield event

    @property
    def _state(self) -> str:
        """The folder of its locks, and of what the backup's script tells."""
        return names_of(self._site.profile).backup_state

    @property
    def _keys(self) -> str:
        """Where the keys come from."""
        return self._site.profile.paths.rclone_config

    def _shown(self, text: str) -> str:
        return shown(text, self._keys)

    async def _certificates(self) -> tuple[FileChange, ...]:
        text = rendering.authorities(self._site.profile, self._site.choices)
        path = names_of(self._site.profile).authorities
        return await differences(self._site, [DropletFile(path, 0o644, text)] if text else [])

    def _notes(self) -> list[str]:
        keep_rules, backup = self._site.profile.keep, self._site.backup
        notes = ["no repository is made by this step, and no bucket written to"]
        if keep_rules is None:
            notes.append("nothing ever expires: the profile has no rule (keep)")
        elif keep_rules.days is not None and keep_rules.full is not None:
            notes.append(f"of the rules ({keep_rules}) pgBackRest gets the one by which more stays, in days")
        if backup.read_mib_s or backup.send_mib_s:
            notes.append("pgBackRest has no limit of its rate: read_mib_s and send_mib_s are left out")
        return notes
