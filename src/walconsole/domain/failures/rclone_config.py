"""rclone's own configuration, as the server's user finds it, and what rclone says of it."""

import re
from collections.abc import Iterator

from walconsole.domain.archivers.command_words import DEFAULT_CONFIG
from walconsole.domain.facts import log_languages as languages
from walconsole.domain.facts.evidence import CommandFacts, ConfigAccess
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.mode import REFUSED, FailureMode, Page
from walconsole.domain.standing.model import Certainty, Finding, Fix, Proof
from walconsole.domain.standing.proofs import command_and_archiver, log_lines
from walconsole.domain.standing.remedies import runs_rclone

CONFIG_WORDS = re.compile(
    r"didn't find section in config file|config file .* not found(?! - using defaults)"
    r"|failed to load config file|failed to open config|couldn't decrypt configuration"
    r"|cannot be read as user",
    re.IGNORECASE,
)
DENIED = re.compile(rf"(?:{languages.DENIED})(?! \([\w,-]+\))", re.IGNORECASE)
"""Of files: `Permission denied (publickey)` is what ssh says of a login."""


def unusable(facts: CommandFacts) -> list[ConfigAccess]:
    """Configurations that the command cannot work with: not there, not readable, without its remote."""
    return [
        config for config in facts.configs if not config.exists or not config.readable or _lacking(config)
    ]


def _is_assumed(config: ConfigAccess, facts: CommandFacts | None) -> bool:
    """Whether nothing names this configuration: it is where rclone looks by itself."""
    usual = DEFAULT_CONFIG.removeprefix("~")
    return facts is not None and config.path.endswith(usual) and usual not in f"{facts.command}{facts.script}"


def _lacking(config: ConfigAccess) -> list[str]:
    if not config.exists or not config.readable or not config.sections:
        return []
    return [remote for remote in config.remotes if remote not in config.sections]


def _config_fault(config: ConfigAccess) -> str:
    if not config.exists:
        return f"{config.path} is not there{': ' + config.why_not if config.why_not else ''}"
    if not config.readable:
        return (
            f"the server's user may not read {config.path}{': ' + config.why_not if config.why_not else ''}"
        )
    return f"{config.path} has no section [{_lacking(config)[0]}]"


def config_unreadable(assessment: Assessment) -> Iterator[Finding]:
    """rclone's configuration is not there for the server's user, or lacks the remote."""
    snapshot = assessment.snapshot
    if not runs_rclone(snapshot):
        return  # another tool's words of its own file
    facts = snapshot.command.value
    words = assessment.programs_words(CONFIG_WORDS) if assessment.troubled else ()
    bad = unusable(facts) if facts is not None else []
    if not words:  # where no file is named, the environment may hold the remote
        bad = [config for config in bad if config.exists or not _is_assumed(config, facts)]
    if not bad and not words:
        return
    title = _config_fault(bad[0]) if bad else _worded(words[-1].text)
    path = bad[0].path if bad else ""
    fixable = bool(bad) and bad[0].exists and not bad[0].readable
    yield Finding(
        "rclone-config-unreadable",
        assessment.urgency,
        f"rclone's configuration: {title}" if bad else title,
        tuple([_config_fault(config) for config in bad] + [entry.text for entry in words[-1:]]),
        "put it where the server's user may read it, root:postgres with mode 0640, and name it with --config"
        if bad or title != _ENCRYPTED
        else "let the command hand rclone its password (--password-command), or keep the file unencrypted, "
        "root:postgres with mode 0640",
        Snapshot.command,
        "archive_command",
        since=assessment.failing_since,
        proof=(
            *(
                Proof(_config_fault(config), "the droplet, as the server's user", snapshot.command.read_at)
                for config in bad
            ),
            *log_lines(snapshot, words),
            *command_and_archiver(snapshot),
        ),
        fixes=(
            Fix(
                f"make {path} readable for the server's user",
                (f"chown root:postgres {path}", f"chmod 0640 {path}"),
                "readable-config",
                subject=path,
            ),
        )
        if fixable
        else (),
        certainty=Certainty.PROVED if bad else Certainty.LIKELY,
        surer=""
        if bad
        else "run rclone listremotes as the server's user, with the configuration that it names",
    )


_ENCRYPTED = "rclone cannot decrypt its configuration"


def _worded(text: str) -> str:
    """What rclone's own words say of its configuration."""
    lowered = text.lower()
    if "decrypt" in lowered:
        return _ENCRYPTED
    if "section" in lowered:
        return "rclone's configuration has no such remote"
    if DENIED.search(text) or "cannot be read as user" in lowered:
        return "rclone may not read its configuration"
    return "rclone does not find its configuration"


MODES: tuple[FailureMode, ...] = (
    FailureMode(
        "rclone-config-unreadable",
        Page(
            title="rclone does not find its configuration",
            symptom="`didn't find section in config file`, `Config file not found` or `permission denied`.",
            cause=(
                "--config points to where the server's user may not read (/root is 0700), nothing names it "
                "and HOME is another one, or the section is called otherwise."
            ),
            signal=(
                "The configuration that the command or its script names is opened as the server's user; "
                "its sections are compared with the remotes that the command uses."
            ),
            fix=(
                "Keep it outside /root, root:postgres with mode 0640, and name it.\n\n"
                "```\n"
                "chown root:postgres /etc/rclone-NAME.conf\n"
                "chmod 0640 /etc/rclone-NAME.conf\n"
                "runuser -u postgres -- env -i rclone --config /etc/rclone-NAME.conf listremotes\n"
                "```"
            ),
            never="Do not make it readable for everybody: it holds the key's secret.",
            source="rclone#747, #5226",
        ),
        look=config_unreadable,
        explains=(*REFUSED, "archiver-crash-loop", "no-key"),
    ),
)
