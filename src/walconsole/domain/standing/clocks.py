"""The droplet's clock against each store's, as both were measured."""

from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.standing.copies import copies
from walconsole.domain.standing.model import Proof
from walconsole.domain.units import whole_duration_text

SKEW_LIMIT_S = 60.0
"""S3 refuses a request whose clock is off by 15 minutes; a minute is worth a word."""


def measured_skew(snapshot: Snapshot) -> tuple[Proof, ...]:
    """How far they differ, from the first copy whose clock does by more than SKEW_LIMIT_S; else nothing."""
    host = snapshot.host.value
    for _, reading in copies(snapshot):
        bucket = reading.value
        if host is None or bucket is None or bucket.store_clock_offset_s is None:
            continue
        skew = host.clock_offset_s - bucket.store_clock_offset_s
        if abs(skew) > SKEW_LIMIT_S:
            direction = "ahead of" if skew > 0 else "behind"
            how_far = whole_duration_text(abs(skew))
            return (
                Proof(f"the droplet's clock is {how_far} {direction} the store's", reading.source),
                Proof(
                    f"clock {host.clock:.3f} s, the console's {host.clock_read_at:.3f} s",
                    "date on the droplet",
                ),
                Proof(f"Date {bucket.store_clock_offset_s:+.0f} s from the console's clock", reading.source),
            )
    return ()
