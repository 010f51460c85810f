"""`walconsole [PROFILE | HOST]`: the console itself; with several of them their list."""

from argparse import ArgumentParser, Namespace

from walconsole.cli.opening import means_several, open_fleet, open_screen, server_session, server_sessions
from walconsole.cli.options import add_targets
from walconsole.cli.table import COMMANDS
from walconsole.process.stop import Stop

ABOUT = """\
The operator's console for PostgreSQL continuous archiving: whether a point-in-time recovery
would work right now, how much would be lost, why, and what to do.
"""
ENVIRONMENT = (
    (
        "DEPLOY_HOST, PRIMARY_REGION, DR_REGION, PROD_RW_KEY_NAME, WAL_BUCKET, WAL_DR_BUCKET",
        "the deployment; they stand above the profile",
    ),
    ("DIGITALOCEAN_TOKEN, DIGITALOCEAN_ACCESS_TOKEN", "the API token, else doctl's own configuration"),
    ("NO_COLOR, TERM, COLORTERM, XDG_CONFIG_HOME, XDG_STATE_HOME", "as usual"),
)


def declare(command: str, parser: ArgumentParser) -> None:
    """Its arguments."""
    longest = max(len(one.name) for one in COMMANDS)
    commands = [f"  walconsole {one.name:<{longest}}  {one.summary}" for one in COMMANDS]
    hint = f"  {'':<{longest + 11}}  (each has its own --help)"
    variables = [line for names, meaning in ENVIRONMENT for line in (f"  {names}", f"{'':<25}{meaning}")]
    parser.description = ABOUT
    parser.epilog = "\n".join(["commands:", *commands, hint, "", "environment:", *variables, ""])
    add_targets(parser, many=False)


def start(options: Namespace, stop: Stop) -> int:
    """Open it, with several servers the list of them; the exit code. Raises WalconsoleError."""
    if means_several(options):
        return open_fleet(server_sessions(options), stop)
    return open_screen(server_session(options), stop)
