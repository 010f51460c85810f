"""A list of base backups that its own tool encrypts: nothing is wrong with it, and it is not read here."""

from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.recovery.backups import Unreadable
from walconsole.domain.standing.model import Finding, Proof, Severity
from walconsole.domain.standing.remedies import asking_the_tool
from walconsole.domain.units import plural


def sealed_list(snapshot: Snapshot, found: Unreadable) -> Finding:
    """What to ask instead: pgBackRest alone reads what it encrypts."""
    there = plural(len(found.sealed or ()), "backup")
    return Finding(
        "backup-broken",
        Severity.NOTE,
        f"what {found.key} says of its {there} is encrypted: it is not read here",
        (f"{found.key}: {found.why}",),
        "ask pgBackRest itself for them, and restore from one now and then",
        Snapshot.primary,
        proof=(Proof(f"{found.key}: {found.why}", "S3 GET", snapshot.primary.read_at),),
        fixes=asking_the_tool(snapshot),
    )
