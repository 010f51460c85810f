"""The store's keys on another host: there already, or brought for as long as they are needed.

What is brought lies in the installed script's own folder, its user's alone (0600). It goes in through the
shell's standard input, and is in no argument, no environment and no text that anybody is shown.
"""

import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from hashlib import sha256
from shlex import join, quote

from walconsole.domain.profile import BucketRole
from walconsole.domain.redaction import safe
from walconsole.domain.store.access_keys import KeyPair
from walconsole.domain.store.answers import NO_KEY
from walconsole.droplet.names import names_of, rclone_path, remote_of, trust_variable
from walconsole.droplet.rclone_config import rclone_config
from walconsole.errors import ObjectStoreError, ProvisionError, ShellError, SshError
from walconsole.provision.droplet.commands import ask, os_user, programs, status_of
from walconsole.provision.droplet.files import file_functions, file_script
from walconsole.provision.droplet.survey import Survey
from walconsole.provision.engine.model import (
    Check,
    CheckState,
    Command,
    Event,
    Fact,
    FactState,
    FileChange,
    Plan,
    Printed,
    Proved,
    Risk,
)
from walconsole.provision.engine.not_undone import NotUndone
from walconsole.provision.engine.site import Site

BROUGHT = "rclone.conf"
"""In the folder of the script that uses it."""
_LISTED_WITHIN_S = 60


def has_its_own(site: Site, survey: Survey) -> bool:
    """Whether the host has a configuration of rclone's with every copy in it, which the server's user can
    read.
    """
    rclone = survey.rclone
    sections = all(rclone.remote(remote_of(target)) is not None for target in site.targets())
    return rclone.exists and rclone.readable and not rclone.problem and sections


def with_config(site: Site, path: str) -> None:
    """From now on rclone's configuration of that host is there."""
    site.profile = replace(site.profile, paths=replace(site.profile.paths, rclone_config=path))


def brought(folder: str) -> str:
    """Where keys are brought to that a script uses whose own folder that is."""
    return f"{folder}/{BROUGHT}"


async def forget(site: Site, folder: str) -> bool:
    """Take away what was brought; whether anything was there. Raises ProvisionError."""
    path = brought(folder)
    status, _ = await status_of(site, f"test -e {quote(path)} || test -L {quote(path)}", user=os_user(site))
    if status != 0:
        return False
    await ask(site, file_script("take_out", path), tried=f"taking {path} away from {site.where}")
    return True


async def _pairs(site: Site) -> dict[BucketRole, KeyPair]:
    """Those that can be had. Raises ObjectStoreError where there is none for any copy."""
    found: dict[BucketRole, KeyPair] = {}
    refused: ObjectStoreError | None = None
    for target in site.targets():
        try:
            if site.production is not None:
                found[target.role] = await site.production.keys(target)
        except ObjectStoreError as error:
            refused = refused or error
        except (SshError, ShellError) as error:
            refused = refused or ObjectStoreError(error.tried, error.why, error.remedy, code=NO_KEY)
    if refused is not None and not found:
        raise refused
    return found


class StoreKeys(NotUndone):
    """model.Step. `folder` is that of the script that uses them, where they are brought to."""

    id = "elsewhere-keys"
    title = "The store's keys"
    risk = Risk.ADDS
    gated = True
    always = False
    explanation = (
        "Looks whether the other host has rclone's configuration for this deployment, which is used then. "
        "Where it has none, one is brought: the keys that production archives with where its host answers, "
        "else the profile's own. It lies in the script's own folder, PostgreSQL's user's alone (0600), goes "
        "in through the shell's standard input, and is taken away at the end; what a death leaves there the "
        "next run finds."
    )

    def __init__(self, site: Site, folder: str) -> None:
        self._site, self._folder = site, folder

    async def check(self) -> Check:
        """DONE where it has its own, or they were brought; BLOCKED where there are none to bring."""
        path = self._site.profile.paths.rclone_config
        if path != brought(self._folder):
            return Check(CheckState.DONE, f"{self._site.where} has {path}")
        try:
            pairs = await _pairs(self._site)
        except ObjectStoreError as error:
            if await self._sum():
                return Check(CheckState.DONE, f"they were brought to {path} before")
            production = self._site.production
            lasting = production.config if production is not None else path
            remedy = f"{error.remedy}; or put rclone's configuration onto {self._site.where}, as {lasting}"
            return Check(CheckState.BLOCKED, f"no key can be brought: {error.why}", remedy=remedy)
        wanted = rclone_config(self._site.profile, pairs)
        if await self._sum() == sha256(wanted.encode()).hexdigest():
            return Check(CheckState.DONE, f"they were brought to {path}")
        facts = tuple(
            Fact(target.bucket, f"key {pairs[target.role].access_key}")
            if target.role in pairs
            else Fact(target.bucket, "no key for it", FactState.WARNING, "that copy is left out there")
            for target in self._site.targets()
        )
        return Check(CheckState.NEEDED, f"keys are to be brought to {self._site.where}", facts)

    async def plan(self) -> Plan:
        """The file, without its text."""
        path = self._site.profile.paths.rclone_config
        change = FileChange(path, None, None, 0o600, secret=True, user=os_user(self._site))
        return Plan(
            f"bring the store's keys to {self._site.where}, as {path}",
            commands=(Command(f"install -T -m 0600 /dev/stdin {quote(path)}", user=os_user(self._site)),),
            files=(change,),
            notes=("on that command's standard input: in no argument and no environment",),
            undo="it is taken away at the end of the drill, or of the recovery",
        )

    async def apply(self) -> AsyncIterator[Event]:
        """Raises ProvisionError, ObjectStoreError."""
        text = rclone_config(self._site.profile, await _pairs(self._site))
        await put_secret(self._site, brought(self._folder), text)
        yield Printed(
            f"the store's keys are in {brought(self._folder)} on {self._site.where}, "
            f"{os_user(self._site)}'s alone"
        )

    async def verify(self) -> AsyncIterator[Event]:
        """The host lists the primary copy, else DR, by them. Raises ProvisionError where it lists none."""
        said = ""
        for target in self._site.targets():
            words = (
                "rclone",
                "lsf",
                rclone_path(target),
                "--max-depth",
                "1",
                "--dirs-only",
                "--retries",
                "1",
            )
            listing = (
                f"{join(words)} --config {quote(self._site.profile.paths.rclone_config)} --log-level ERROR"
            )
            trust = _trusting(self._site)
            script = f"{trust}{programs(self._site)}timeout {_LISTED_WITHIN_S} {listing} 2>&1 >/dev/null"
            status, said = await status_of(
                self._site, script, user=os_user(self._site), timeout_s=_LISTED_WITHIN_S + 5.0
            )
            if status == 0:
                yield Proved(f"{self._site.where} lists {target.bucket} in {target.region}")
                return
        why = safe(" ".join(said.split()))[-300:] or "rclone says nothing"
        raise ProvisionError(
            f"listing the archive from {self._site.where}", why, "see its way to the store, and the key"
        )

    async def _sum(self) -> str:
        """The SHA-256 of what was brought, empty where that is not there, or not its user's alone."""
        path, user = quote(brought(self._folder)), os_user(self._site)
        script = (
            f'[ "$(stat -c "%a %U" -- {path} 2>/dev/null)" = {quote(f"600 {user}")} ] && sha256sum <{path}'
        )
        _, said = await status_of(self._site, script, user=user)
        return said.split(" ")[0].strip()


class ForgetKeys(NotUndone):
    """model.Step that is always run: nothing that was brought stays where nothing uses it."""

    id = "elsewhere-forget"
    title = "The store's keys taken away"
    risk = Risk.ADDS
    gated = False
    always = True
    explanation = (
        "Takes away the keys that were brought to the other host, once nothing there uses them: at the end "
        "of a drill, or when a recovery is done or given up."
    )

    def __init__(self, site: Site, folder: str, goes_on: Callable[[], Awaitable[bool]] | None = None) -> None:
        self._site, self._folder, self._goes_on = site, folder, goes_on

    async def check(self) -> Check:
        """DONE where nothing lies there, or it is in use: a drill that runs takes it away itself, and a
        recovery that goes on (`goes_on`) needs it until its end.
        """
        path = brought(self._folder)
        user = os_user(self._site)
        there, _ = await status_of(self._site, f"test -e {quote(path)}", user=user)
        if there != 0:
            return Check(CheckState.DONE, f"no keys were brought to {self._site.where}")
        if await self._in_use():
            return Check(CheckState.DONE, f"{path} is in use, and stays until that has ended")
        return Check(CheckState.NEEDED, f"{path} is to be taken away")

    async def plan(self) -> Plan:
        """One file."""
        path = brought(self._folder)
        command = Command(f"rm -f -- {quote(path)}", user=os_user(self._site))
        return Plan(f"take {path} away from {self._site.where}", commands=(command,))

    async def apply(self) -> AsyncIterator[Event]:
        """Raises ProvisionError."""
        if await forget(self._site, self._folder):
            yield Printed(f"the keys that were brought to {self._site.where} are taken away")

    async def verify(self) -> AsyncIterator[Event]:
        """Raises ProvisionError where it is still there."""
        status, _ = await status_of(
            self._site, f"test -e {quote(brought(self._folder))}", user=os_user(self._site)
        )
        if status == 0:
            raise ProvisionError(
                "taking the keys away", f"{brought(self._folder)} is still there", "remove it by hand"
            )
        yield Proved(f"no key of the store's is left on {self._site.where}")

    async def _in_use(self) -> bool:
        """Whether the script runs, by its folder's lock, or is to run again."""
        folder = quote(self._folder)
        status, _ = await status_of(self._site, f"flock -n {folder} true", user=os_user(self._site))
        return status != 0 or (self._goes_on is not None and await self._goes_on())


async def put_secret(site: Site, path: str, text: str, mode: str = "0600", *, readers: str = "") -> None:
    """Write it in one step; `readers` is a user whose group may read it, in a folder of root's.

    Raises ProvisionError, whose text has nothing of it.
    """
    raw = text.encode()
    group = f'"$(id -gn {quote(readers)})"' if readers else "''"
    owner = "root" if readers else "''"
    put_in = f"put_in {quote(path)} {mode} {owner} {group} {len(raw)}"
    script = f"{file_functions()}printf '%s' {base64.b64encode(raw).decode()} | base64 -d | {put_in}\n"
    await ask(site, script, tried=f"writing {path} on {site.where}")


def _trusting(site: Site) -> str:
    """The variable by which rclone heeds the profile's certificates, as the installed scripts have it."""
    if not site.choices.authorities.text:
        return ""
    place = names_of(site.profile).authorities
    return f"export {trust_variable(alone=site.choices.authorities.alone)}={quote(place)}\n"
