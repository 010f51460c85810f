"""pgBackRest's configuration on the droplet: looked at without its keys, and written with them.

The keys go from rclone's configuration into it on the droplet alone: they are in no argument and no answer.
"""

import base64
from shlex import quote

from walconsole.domain.records import record
from walconsole.domain.recovery.by_tool import ClusterPlace
from walconsole.domain.redaction import safe
from walconsole.droplet.names import names_of
from walconsole.droplet.pgbackrest import configuration
from walconsole.errors import ProvisionError
from walconsole.observe.host.host_script import assignment
from walconsole.provision.droplet.commands import ask, os_user, status_of
from walconsole.provision.droplet.files import file_functions, own_script
from walconsole.provision.engine.model import Command
from walconsole.provision.engine.site import Site

_RIGHT = "same"
_ABSENT = "absent"
_WHAT = {
    "differs": "it is to be written anew",
    "rights": "its mode or its owner differs",
    _ABSENT: "it is to be written",
}
_SHOWN = {"@id": "access_key_id", "@secret": "secret_access_key"}


@record
class ConfigurationNow:
    """What is there: `text` without its keys, None for no file; `fault` is empty where all is right."""

    text: str | None
    fault: str


async def wanted_text(site: Site) -> str:
    """What it shall be, with places for the keys. Raises ProvisionError where the server cannot be asked."""
    survey = await site.survey()
    server, cluster, postgres = survey.server, survey.cluster, site.profile.postgres
    if server is None:
        raise ProvisionError("finding the cluster for pgBackRest", survey.server_problem)
    port = postgres.port or (cluster.port if cluster is not None else None)
    socket = postgres.socket_dir or (cluster.socket_dir if cluster is not None else None)
    place = ClusterPlace(server.data_directory, port, socket or "")
    return configuration(site.profile, site.choices, site.backup, place)


def shown(text: str, keys: str) -> str:
    """The text as an operator gets to see it: for each key where it comes from."""
    lines = []
    for line in text.splitlines():
        name, _, value = line.partition("=")
        word, _, section = value.partition(" ")
        told = f"({_SHOWN[word]} of [{section.rstrip('@')}] in {keys})" if word in _SHOWN else value
        lines.append(f"{name}={told}" if "=" in line else line)
    return "\n".join(lines) + "\n"


async def look(site: Site) -> ConfigurationNow:
    """Raises ProvisionError where it cannot be read, or rclone's configuration lacks a key."""
    script = f"{await _prepared(site)}seen\n"
    status, said = await status_of(site, script)
    word, _, text = said.partition("\n")
    if status != 0:
        raise ProvisionError(
            f"looking at {names_of(site.profile).pgbackrest_config}",
            safe(said.strip()[:300]) or f"exit status {status}",
            f"see the sections of {site.profile.paths.rclone_config}: their keys are what pgBackRest gets",
        )
    return ConfigurationNow(
        None if word == _ABSENT else text, "" if word == _RIGHT else _WHAT.get(word, word)
    )


async def write(site: Site) -> None:
    """Put it in place in one step. Raises ProvisionError."""
    path = names_of(site.profile).pgbackrest_config
    await ask(site, f"{await _prepared(site)}place\n", tried=f"writing {path} on the droplet")


def by_hand(site: Site, text: str) -> Command:
    """What an operator types, who puts the keys in."""
    path, end = names_of(site.profile).pgbackrest_config, "WALCONSOLE_END"
    group = f'"$(id -gn {quote(os_user(site))})"'
    return Command(f"install -T -m 0640 -o root -g {group} /dev/stdin {quote(path)} <<'{end}'\n{text}{end}")


async def _prepared(site: Site) -> str:
    text = base64.b64encode((await wanted_text(site)).encode()).decode()
    values = {
        "template": text,
        "keys": site.profile.paths.rclone_config,
        "path": names_of(site.profile).pgbackrest_config,
        "user": os_user(site),
    }
    told = "".join(assignment(name, value.encode()) for name, value in values.items())
    return f"{file_functions()}{told}{own_script('pgbackrest.sh')}"
