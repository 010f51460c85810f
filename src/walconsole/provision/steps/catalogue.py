"""The steps, in the order in which they are run."""

from collections.abc import Callable

from walconsole.provision.engine.model import Step
from walconsole.provision.engine.site import Site
from walconsole.provision.steps.archive_command import ArchiveCommand
from walconsole.provision.steps.buckets import Buckets
from walconsole.provision.steps.dropin import DropIn
from walconsole.provision.steps.grants import Grants
from walconsole.provision.steps.limited_key import LimitedKey
from walconsole.provision.steps.preflight import Preflight
from walconsole.provision.steps.proof import Proof
from walconsole.provision.steps.restart import Restart
from walconsole.provision.steps.temporary_key import DeleteTemporaryKey, TemporaryKeyStep
from walconsole.provision.steps.verifier import Verifier
from walconsole.provision.steps.write_probe import WriteProbe

KINDS = (
    Preflight, TemporaryKeyStep, Buckets, DeleteTemporaryKey, Grants, LimitedKey, WriteProbe, ArchiveCommand,
    DropIn, Verifier, Restart, Proof,
)  # fmt: skip

Kind = Callable[[Site], Step]


def steps(site: Site) -> tuple[Step, ...]:
    """All of them, on `site`. Nothing is looked at yet."""
    kinds: tuple[Kind, ...] = KINDS
    return tuple(kind(site) for kind in kinds)
