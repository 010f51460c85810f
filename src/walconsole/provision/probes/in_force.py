"""What the server's archive command in force uses: where it writes, by which rclone configuration."""

from shlex import quote

from walconsole.domain.archivers.command_words import Target, configs_of, programs_of, targets_of
from walconsole.domain.records import record
from walconsole.provision.droplet.commands import archive_command_in_force, os_user, status_of
from walconsole.provision.engine.site import Site

_SCRIPT_LIMIT = 65_536


@record
class InForce:
    """`command` is the setting (empty: none), `text` that and the scripts that it names."""

    command: str
    text: str
    targets: tuple[Target, ...]
    config: str


async def in_force(site: Site) -> InForce:
    """The command's own words count, and the profile where they say nothing. Raises ProvisionError."""
    command = await archive_command_in_force(site)
    text = "\n".join((command, *[await _script(site, program) for program in _paths(command)]))
    profile = site.profile
    configs = [config for config in configs_of(text) if config.startswith("/")]
    targets = targets_of(text) if "rclone" in text else ()
    return InForce(
        command,
        text,
        targets or tuple(Target(one.keys.rclone_remote, one.bucket, one.prefix) for one in site.targets()),
        configs[0] if configs else profile.paths.rclone_config,
    )


def _paths(command: str) -> tuple[str, ...]:
    """Where its programs may lie, as far as it says so itself."""
    places = (place for program in programs_of(command) for place in program.places)
    return tuple(dict.fromkeys(place for place in places if place.startswith("/")))


async def _script(site: Site, program: str) -> str:
    """Its text where it is a script that the server's user may read, else nothing."""
    path = quote(program)
    first = f"[ \"$(head -c 2 -- {path} 2>/dev/null | tr -d '\\000')\" = '#!' ] || exit 0"
    _, said = await status_of(
        site, f"{first}\nhead -c {_SCRIPT_LIMIT} -- {path} 2>/dev/null", user=os_user(site)
    )
    return said
