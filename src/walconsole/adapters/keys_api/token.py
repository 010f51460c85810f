"""The DigitalOcean API's token: from the environment, or from doctl's own configuration file."""

import re
import sys
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from walconsole.domain.profile import ApiTarget
from walconsole.domain.records import record
from walconsole.errors import KeyServiceError
from walconsole.operator_files.places import config_base

_LINE = re.compile(r"(?P<indent>\s*)(?P<name>[^\s:#][^:]*):(?:\s+(?P<value>.*?))?\s*")


@record
class ApiToken:
    """The token and, for the screen, where it came from."""

    value: str = field(repr=False)
    origin: str


def api_token(target: ApiTarget, environ: Mapping[str, str], home: Path) -> ApiToken:
    """The first of the profile's variables that is set, else doctl's current context.

    Raises KeyServiceError when there is none.
    """
    for name in target.token_envs:
        if environ.get(name, "").strip():
            return _checked(environ[name].strip(), f"the environment variable {name}")
    looked = [*target.token_envs]
    for path in _doctl_files(environ, home):
        looked.append(str(path))
        token = _doctl_token(path, environ.get("DIGITALOCEAN_CONTEXT", ""))
        if token:
            return _checked(token, str(path))
    raise KeyServiceError(
        "looking for DigitalOcean's API token",
        f"no API token is in {', '.join(looked)}",
        f"export {target.token_envs[0] if target.token_envs else 'a token'}, or run: doctl auth init",
    )


def _checked(token: str, origin: str) -> ApiToken:
    if not (token.isascii() and token.isprintable() and " " not in token):
        raise KeyServiceError(
            f"reading DigitalOcean's API token from {origin}", "it holds characters that no token has"
        )
    return ApiToken(token, origin)


def _doctl_files(environ: Mapping[str, str], home: Path) -> tuple[Path, ...]:
    if sys.platform == "darwin":
        return (home / "Library" / "Application Support" / "doctl" / "config.yaml",)
    config = config_base(environ, home)
    snap = home / "snap" / "doctl" / "current" / ".config"
    return config / "doctl" / "config.yaml", snap / "doctl" / "config.yaml"


def _doctl_token(path: Path, wanted: str) -> str:
    """The token of the wanted or current context, empty when the file has none.

    Of doctl's YAML only what doctl writes is read: `access-token` and `context` at the left margin,
    and the names under `auth-contexts`. Raises KeyServiceError for a file that cannot be read.
    """
    try:
        text = path.read_text("utf-8", "replace")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise KeyServiceError(
            f"reading DigitalOcean's API token from {path}",
            error.strerror or "it cannot be read",
            "make it readable, or export the token",
        ) from error
    top: dict[str, str] = {}
    contexts: dict[str, str] = {}
    section = ""
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        if match is None:
            continue
        name, value = match["name"].strip("'\""), (match["value"] or "").strip("'\"")
        if not match["indent"]:
            section = name
            top[name] = value
        elif section == "auth-contexts":
            contexts[name] = value
    context = wanted or top.get("context", "") or "default"
    return contexts.get(context, "") if context != "default" else top.get("access-token", "")
