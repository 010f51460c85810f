"""`walconsole demo`: the console on an embedded droplet."""

from argparse import ArgumentParser, Namespace

from walconsole.cli.opening import config_file, open_screen, session
from walconsole.cli.options import checked, number
from walconsole.config import checks
from walconsole.process.stop import Stop
from walconsole.sandbox.scenarios.scenario import ARCHIVES, EVERY_SCENARIO, PRACTICE, SCENARIOS
from walconsole.session.wish import DemoWish


def declare(command: str, parser: ArgumentParser) -> None:
    """Its arguments."""
    states = [f"  {one.name:<13} {one.summary}" for one in SCENARIOS.values()]
    failures = [f"  {one.name:<25} {one.summary}" for one in PRACTICE.values()]
    others = [f"  {one.name:<13} {one.summary}" for one in ARCHIVES.values()]
    states += ["archives that others set up:", *others]
    scenarios = ["scenarios:", *states, "one failure mode each, to practise triage (key i):", *failures]
    parser.description = (
        "The console on an embedded droplet: a real PostgreSQL, SSH server and S3, loopback only."
    )
    parser.epilog = "\n".join([*scenarios, ""])
    parser.add_argument(
        "--scenario", choices=EVERY_SCENARIO, default="incident", metavar="NAME", help="default: incident"
    )
    parser.add_argument(
        "--load",
        metavar="N",
        type=checked(lambda text: checks.between(0, 600, "segments a minute")(number(text))),
        help="WAL segments written a minute, 0 to 600 (default: the scenario's own)",
    )
    parser.add_argument(
        "--serve", action="store_true", help="no console: say how to connect, and run until Ctrl-C"
    )


def start(options: Namespace, stop: Stop) -> int:
    """Start the droplet, and the console on it; the exit code. Raises WalconsoleError."""
    about = EVERY_SCENARIO[options.scenario].summary
    wish = session(options, config_file(options), DemoWish(options.scenario, options.load, about))
    if not options.serve:
        return open_screen(wish, stop)
    from walconsole.session.demo_serve import serve

    return serve(wish, stop)
