"""Whether the key that is named opens an encrypted base backup: tried before anything is stopped or moved."""

from base64 import b64encode
from dataclasses import replace
from shlex import quote

from walconsole.domain.recovery.backups import BaseBackup
from walconsole.domain.recovery.recover_plan import RecoveryPlan
from walconsole.domain.recovery.target_judgement import Concern
from walconsole.errors import ObjectStoreError
from walconsole.provision.droplet.commands import os_user, programs, status_of
from walconsole.provision.engine.site import Site

_HEADER_BYTES = 8192
"""age's header has some 100 bytes for each key that it is for, 700 for one of ssh-rsa; data follow it."""
_TOLD_OF_DATA = "payload chunk|bad header|read header|read intro|EOF"
"""age's words where its key fits and what it opens is cut, as here, or damaged, which the restore tells."""
_FAULTS = {
    "others": "no key in it is one for whom it was encrypted",
    "unread": "age cannot read it as a file of secret keys",
}


async def opened_by_its_key(site: Site, plan: RecoveryPlan) -> RecoveryPlan:
    """The plan, refused where the file of keys that it names opens a base backup of it not.

    What cannot be read of the copy is left to the restore, which says so. Raises what the shell raises.
    """
    if not plan.possible or not plan.identity:
        return plan
    for backup in plan.chain:
        fault = await _fault(site, plan, backup)
        if fault:
            refused = Concern(
                f"{backup.id} cannot be decrypted by {plan.identity}: {fault}",
                "name the file with the secret key of one for whom it was encrypted: --identity",
            )
            return replace(plan, refusals=(*plan.refusals, refused))
    return plan


async def _fault(site: Site, plan: RecoveryPlan, backup: BaseBackup) -> str:
    """Why not, empty where it does. Not in age's words: they may hold what stands in that file."""
    sealed = next((each.name for each in backup.objects if each.name.endswith(".age")), "")
    target = next((each for each in site.targets() if each.role is plan.copy), None)
    if not sealed or target is None:
        return ""
    key = f"{target.prefix}{backup.place}{backup.id}/{sealed}"
    try:
        head = await site.store(target).read(key, _HEADER_BYTES)
    except ObjectStoreError:
        return ""
    script = f"""said=$(printf '%s' {b64encode(head.body).decode()} | base64 -d |
    {programs(site)}age -d -i {quote(plan.identity)} 2>&1 >/dev/null) && exit 0
case $said in *'no identity matched'*) echo others; exit 0 ;; esac
printf '%s\n' "$said" | grep -qE {quote(_TOLD_OF_DATA)} || echo unread"""
    _, said = await status_of(site, script, user=os_user(site))
    return _FAULTS.get(said.strip(), "")
