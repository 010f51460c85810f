"""Where other tools than rclone store WAL, as a command, or the script that it runs, says in so many words.

Options and variables are those of each tool's own documentation: the AWS CLI's and s5cmd's `--endpoint-url`,
s3cmd's `--host`, barman-cloud's `--endpoint-url`, WAL-G's WALG_S3_PREFIX and AWS_ENDPOINT, pgBackRest's
`--repo1-s3-bucket` and its like. What stands in a file of the tool's own, or is computed, is not known here.
"""

import re
from collections.abc import Iterator

from walconsole.domain.records import record

_TOOLS = (
    ("barman-cloud", re.compile(r"(?<![\w.-])barman-cloud-wal-archive(?![\w-])")),
    ("s5cmd", re.compile(r"(?<![\w.-])s5cmd(?![\w.-])")),
    ("s3cmd", re.compile(r"(?<![\w.-])s3cmd(?![\w.-])")),
    ("aws", re.compile(r"(?<![\w.-])aws(?=\s)")),
)
_VALUE = r"(?:\"([^\"]*)\"|'([^']*)'|([^\s\"';&|)]+))"
_URL = re.compile(r"s3://([A-Za-z0-9][A-Za-z0-9.-]{1,61}[A-Za-z0-9])((?:/[^\s'\"$%`;|&)]*)?)")
_ENDPOINT = re.compile(rf"(?<!\S)(?:--endpoint-url|--host)(?:=|\s+){_VALUE}")
_REGION = re.compile(rf"(?<!\S)--region(?:=|\s+){_VALUE}")
_SET = re.compile(
    r"(?<![\w$])(AWS_ENDPOINT_URL_S3|AWS_ENDPOINT_URL|AWS_ENDPOINT|AWS_REGION|AWS_DEFAULT_REGION|"
    rf"S3_ENDPOINT_URL|WALG_S3_PREFIX|WALE_S3_PREFIX)={_VALUE}"
)
_REPOSITORY = re.compile(rf"(?<!\S)--repo(\d*)-(?:s3-)?(bucket|endpoint|region|path)(?:=|\s+){_VALUE}")
_COMMANDS = re.compile(r"&&|\|\||[;|\n]")
_COMMENT = re.compile(r"^\s*#.*$", re.MULTILINE)
_CONTINUED = re.compile(r"\\\n\s*")


@record
class Destination:
    """A bucket that `tool` stores into. What it does not say is empty. `prefix` has no slash at its ends."""

    tool: str
    bucket: str
    prefix: str = ""
    endpoint: str = ""
    region: str = ""

    def __str__(self) -> str:
        path = f"s3://{self.bucket}/{self.prefix}".rstrip("/")
        told = [
            f"{name} {value}"
            for name, value in (("endpoint", self.endpoint), ("region", self.region))
            if value
        ]
        return f"{path} ({self.tool}{', ' + ', '.join(told) if told else ''})"


def destinations_of(text: str) -> tuple[Destination, ...]:
    """Every one that the text names, in order, each once. Never raises."""
    plain = _CONTINUED.sub(" ", _COMMENT.sub("", text))
    return tuple(dict.fromkeys(_destinations(plain)))


def _destinations(text: str) -> Iterator[Destination]:
    variables = {match[1]: _value(match, 2) for match in _SET.finditer(text)}
    endpoint = next((value for name, value in variables.items() if "ENDPOINT" in name and value), "")
    region = variables.get("AWS_REGION") or variables.get("AWS_DEFAULT_REGION") or ""
    for name in ("WALG_S3_PREFIX", "WALE_S3_PREFIX"):
        match = _URL.match(variables.get(name, ""))
        if match is not None:
            yield Destination(
                "WAL-G" if name[3] == "G" else "WAL-E", match[1], match[2].strip("/"), endpoint, region
            )
    for command in _COMMANDS.split(text):
        tool = next((name for name, pattern in _TOOLS if pattern.search(command)), "")
        for match in _URL.finditer(command) if tool else ():
            where = _option(_ENDPOINT, command) or endpoint
            there = _option(_REGION, command) or region
            yield Destination(tool, match[1], match[2].strip("/"), where, there)
        if "pgbackrest" in command:
            yield from _repositories(command)


def _repositories(command: str) -> Iterator[Destination]:
    found: dict[str, dict[str, str]] = {}
    for match in _REPOSITORY.finditer(command):
        found.setdefault(match[1], {})[match[2]] = _value(match, 3)
    for told in found.values():
        if told.get("bucket"):
            path = told.get("path", "").strip("/")
            yield Destination(
                "pgBackRest", told["bucket"], path, told.get("endpoint", ""), told.get("region", "")
            )


def _option(pattern: re.Pattern[str], command: str) -> str:
    match = pattern.search(command)
    return "" if match is None else _value(match, 1)


def _value(match: re.Match[str], first: int) -> str:
    """What was given, quoted or not; empty for what the shell computes."""
    text = next((match[at] for at in range(first, first + 3) if match[at] is not None), "")
    return "" if re.search(r"[$`]", text) else text
