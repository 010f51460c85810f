"""What Amazon's SDKs read: AWS_* variables, ~/.aws/config and ~/.aws/credentials, by profile.

docs.aws.amazon.com/sdkref/latest/guide; the order of keys is botocore's: a profile named in words, then
variables, then AWS_PROFILE's. The instance's role comes last, and is not asked for here.
"""

from collections.abc import Mapping

from walconsole.domain.archivers.called import Call
from walconsole.domain.archivers.expansion import UNKNOWN
from walconsole.domain.archivers.look import Look
from walconsole.domain.archivers.places import Section, credentials, endpoint_url, home_of, sections, value_of
from walconsole.domain.archivers.target import Credentials, Found
from walconsole.domain.records import record

_ELSEWHERE = {
    "role_arn": "a role that is assumed when it runs",
    "credential_process": "a program that gives the keys when it runs",
    "sso_session": "single sign-on",
    "sso_start_url": "single sign-on",
    "web_identity_token_file": "a web identity",
}


@record
class AwsSettings:
    """What holds for one profile; None where nothing says it."""

    keys: Credentials
    region: Found[str] | None = None
    endpoint: Found[str] | None = None
    addressing: Found[str] | None = None
    """`path`, `virtual` or `auto`."""
    ca: Found[str] | None = None


def if_new_enough(call: Call, endpoint: Found[str] | None) -> tuple[str, ...]:
    """What to tell of an endpoint that no option names: botocore before 1.31 (July 2023) does not read it.

    Debian 12's python3-boto3 is older: its barman-cloud asks Amazon (tried).
    """
    since = {"aws": "aws 1.29 and 2.13"}.get(call.name, "boto3 1.28")
    if endpoint is None:
        return ()
    return (
        f"only {since} and newer read {endpoint.source}: an older one asks Amazon; --endpoint-url is sure",
    )


def aws_settings(
    look: Look,
    environment: Mapping[str, Found[str]],
    *,
    profile: Found[str] | None = None,
    region_names: tuple[str, ...] = ("AWS_REGION", "AWS_DEFAULT_REGION"),
) -> AwsSettings:
    """`profile` is one that the words name, `region_names` the variables of a region, the stronger first."""
    home = home_of(environment, look)
    named = profile or value_of(environment, "AWS_PROFILE", "AWS_DEFAULT_PROFILE")
    name = named.value if named else "default"
    of_config = _section(look, environment, "AWS_CONFIG_FILE", f"{home}/.aws/config", name, home)
    of_keys = _section(
        look, environment, "AWS_SHARED_CREDENTIALS_FILE", f"{home}/.aws/credentials", name, home
    )
    service = of_config.get("services")
    at_s3 = _services(look, environment, service.value if service else "", home)
    endpoint = value_of(environment, "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
    if endpoint is None:
        # An endpoint_url below `s3 =` is awscli-plugin-endpoint's: botocore does not read it (tried).
        plugged = "endpoint" in _section(
            look, environment, "AWS_CONFIG_FILE", f"{home}/.aws/config", "plugins", home
        )
        of_plugin = of_config.get("s3.endpoint_url") if plugged else None
        endpoint = at_s3 or of_plugin or of_config.get("endpoint_url")
    ignored = value_of(environment, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") or of_config.get(
        "ignore_configured_endpoint_urls"
    )
    if ignored is not None and ignored.value.lower() == "true":  # then the words alone name one
        endpoint = None
    ca = value_of(environment, "AWS_CA_BUNDLE") or of_config.get("ca_bundle")
    return AwsSettings(
        _keys(environment, of_keys, of_config, profile, name, home),
        value_of(environment, *region_names) or of_config.get("region") or of_keys.get("region"),
        endpoint if endpoint and endpoint_url(endpoint.value) else None,
        of_config.get("s3.addressing_style"),
        ca,
    )


def _section(
    look: Look, environment: Mapping[str, Found[str]], variable: str, usual: str, name: str, home: str
) -> Section:
    elsewhere = value_of(environment, variable)
    file = look.file(look.path(elsewhere.value if elsewhere else usual, home))
    if file is None:
        return {}
    found = sections(file)
    return found.get(f"profile {name}", {}) | found.get(name, {})


def _services(look: Look, environment: Mapping[str, Found[str]], name: str, home: str) -> Found[str] | None:
    if not name:
        return None
    elsewhere = value_of(environment, "AWS_CONFIG_FILE")
    file = look.file(look.path(elsewhere.value if elsewhere else f"{home}/.aws/config", home))
    return sections(file).get(f"services {name}", {}).get("s3.endpoint_url") if file is not None else None


def _keys(
    environment: Mapping[str, Found[str]],
    of_keys: Section,
    of_config: Section,
    profile: Found[str] | None,
    name: str,
    home: str,
) -> Credentials:
    access, secret, token = (
        value_of(environment, f"AWS_{each}")
        for each in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN")
    )
    of_environment = credentials(access, secret, token.value if token else "")
    of_files = None
    for section in (of_keys, of_config):
        token = section.get("aws_session_token")
        of_files = of_files or credentials(
            section.get("aws_access_key_id"),
            section.get("aws_secret_access_key"),
            token.value if token else "",
        )
    if of_environment is not None and profile is None:
        return of_environment
    if of_files is not None:
        return of_files
    for key, words in _ELSEWHERE.items():
        found = of_config.get(key) or of_keys.get(key)
        if found is not None:
            return Credentials(found.source, None, f"they come from {words}")
    if value_of(environment, "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"):
        return Credentials("variable AWS_WEB_IDENTITY_TOKEN_FILE", None, "they come from a web identity")
    if UNKNOWN in home:
        return Credentials(environment["HOME"].source, None, "what lies there is not read")
    where = f"AWS_ACCESS_KEY_ID, {home}/.aws/credentials [{name}]"
    return Credentials(where, None, "there is none, unless the instance's role gives one")
