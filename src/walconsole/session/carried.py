"""What a whole look at a cluster hands on to the next: what changes rarely, what a bucket was seen to hold.

A look from the beginning asks a bucket some seventeen times, and the host where its server archives to. While
all is well the next one goes on from it: the bucket is polled as an open console polls it, and what changes
when somebody changes it is asked after a while, or when the server's settings are seen to be others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from walconsole.config.found import Adopted
from walconsole.domain.facts.observed import SettingsFacts
from walconsole.domain.facts.snapshot import Freshness, Reading, Snapshot
from walconsole.domain.profile import BucketRole
from walconsole.observe.bucket.picture import BucketPicture
from walconsole.observe.bucket.probe import BucketProbe
from walconsole.session.finding import HostFinding

RARE_S = 300.0
"""So old at most is what is taken over; a verdict's age tells it."""
_RARE = Snapshot.files, Snapshot.catalogue, Snapshot.discovery, Snapshot.policy, Snapshot.dr_policy
_Loaded = tuple[SettingsFacts | None, float | None, float | None]


@dataclass(slots=True)
class Carried:
    """Of the last look, and what looks now. `adopted` is what the host said of where it archives to, None
    where it was not asked.
    """

    readings: tuple[Reading[Any], ...] = ()
    adopted: Adopted | None = None
    pictures: dict[BucketRole, BucketPicture] = field(default_factory=dict)
    _loaded: _Loaded = (None, None, None)
    _probes: Sequence[BucketProbe] = ()
    _finding: HostFinding | None = None

    def known(self, now: float) -> tuple[Reading[Any], ...]:
        """Those that are not too old."""
        return tuple(each for each in self.readings if 0 <= now - (each.read_at or 0.0) < RARE_S)

    def finds(self, finding: HostFinding) -> None:
        """This asks the host now; where it was asked before, its answer holds."""
        self._finding = finding
        if self.adopted is not None:
            finding.adopted, finding.remembered = self.adopted, True

    def follow(self, probes: Sequence[BucketProbe]) -> None:
        """These look at the buckets now."""
        self._probes = probes

    def is_outdated(self, found: Snapshot) -> bool:
        """Whether the server was restarted, loaded its files, or has other settings than this rests on."""
        return bool(self.readings) and self._loaded != _loaded(found)

    def take(self, found: Snapshot) -> None:
        """That look has ended, and all is well."""
        rare = (slot.of(found) for slot in _RARE)
        fresh = (each for each in rare if each.freshness is Freshness.OK)
        self.readings = tuple(replace(each, cadence_s=RARE_S) for each in fresh)
        self.adopted = self._finding.adopted if self._finding is not None else None
        self.pictures, self._loaded = dict(_pictures(self._probes)), _loaded(found)
        self._probes, self._finding = (), None


def _loaded(found: Snapshot) -> _Loaded:
    server = found.server.value
    return (
        found.settings.value,
        None if server is None else server.started_at,
        None if server is None else server.loaded_at,
    )


def _pictures(probes: Sequence[BucketProbe]) -> Mapping[BucketRole, BucketPicture]:
    """Whole ones, of which nothing was seen to be gone."""
    shown = ((probe.target.role, probe.picture) for probe in probes)
    return {role: picture for role, picture in shown if picture is not None and not picture.doubted}
