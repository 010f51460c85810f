"""Texts from templates in which `@NAME@` stands for a value; what several scripts are told alike."""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from shlex import quote

from walconsole.domain.profile import PostgresTarget, Profile
from walconsole.droplet.choices import DropletChoices
from walconsole.droplet.names import names_of, rclone_path, trust_variable

_PLACE = re.compile(r"@([A-Z][A-Z_]*)@")
_PARTS = ("common", "answers", "look", "unpack", "sweep", "stand", "jobs")
"""Templates that several scripts have in common, by the name of their place."""


@cache
def template(name: str) -> str:
    """The text of templates/NAME."""
    return files("walconsole.droplet").joinpath("templates", name).read_text("utf-8")


def fill_in(text: str, values: Mapping[str, str]) -> str:
    """`text` with every `@NAME@` replaced by its value, which is not looked through again.

    Raises KeyError for a place that has no value.
    """
    return _PLACE.sub(lambda place: values[place[1]], text)


def script(
    name: str, profile: Profile, choices: DropletChoices, installed: str, values: Mapping[str, str]
) -> str:
    """The script of templates/NAME with what all scripts have in common.

    `installed` is its path, or a word for one that is not installed.
    """
    trust = _trusting(profile, choices, lasting="/" in installed)
    shared = {
        "TRUST": f"\n{trust}" if trust else "",
        "ME": installed.rpartition("/")[2],
        "INSTALLED": installed,
        "PATH": quote(choices.path),
        "RCLONE_CONFIG": quote(profile.paths.rclone_config),
        "IDLE_TIMEOUT_S": str(choices.idle_timeout_s),
    }
    parts = {part.upper(): fill_in(template(f"{part}.sh"), shared).rstrip() for part in _PARTS}
    return filled(name, profile, {**values, **shared, **parts})


def filled(name: str, profile: Profile, values: Mapping[str, str]) -> str:
    """The text of templates/NAME with these values and the profile's name."""
    return fill_in(template(name), {**values, "PROFILE": profile.name})


# -- What scripts are told of the deployment.


def _trusting(profile: Profile, choices: DropletChoices, *, lasting: bool) -> str:
    """Shell that has a script heed them: one that lasts what is installed with it, else what is there."""
    place = quote(names_of(profile).authorities)
    if lasting:
        return trust(place, alone=choices.authorities.alone) if choices.authorities.text else ""
    if not any(target.ca_file for target in profile.buckets):
        return ""
    alone = choices.authorities.alone and all(target.ca_file for target in profile.buckets)
    return f"if [ -r {place} ]; then\n{trust(place, alone=alone)}\nfi"


def trust(place: str, *, alone: bool) -> str:
    """Shell that has rclone heed the certificates in `place`, as shell words it."""
    variable = trust_variable(alone=alone)
    return f"{variable}={place}\nexport {variable}"


def copies(profile: Profile, choices: DropletChoices) -> dict[str, str]:
    """Where each copy is, as a shell word; that of DR is empty where there is none."""
    dr = rclone_path(profile.dr) if choices.to_dr and profile.second_copy else ""
    return {"PRIMARY": quote(rclone_path(profile.primary)), "DR": quote(dr)}


def psql_options(server: PostgresTarget) -> list[str]:
    """The words by which psql finds the server that the profile names."""
    options = ["-U", server.user, "-d", server.database]
    if server.socket_dir is not None:
        options += ["-h", server.socket_dir]
    if server.port is not None:
        options += ["-p", str(server.port)]
    return options


def cluster_choice(server: PostgresTarget) -> str:
    """pg_wrapper(1), which is psql on Debian, takes the cluster from PGCLUSTER."""
    if server.cluster is None or server.port is not None:
        return "unset PGCLUSTER"
    return f"PGCLUSTER={quote(str(server.cluster))}\nexport PGCLUSTER"
