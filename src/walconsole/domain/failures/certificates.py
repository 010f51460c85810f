"""A store's certificate that ends soon: archiving ends with it, at an hour that is known."""

from collections.abc import Iterator
from datetime import UTC, datetime
from shlex import quote
from urllib.parse import urlsplit

from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.copies import copies
from walconsole.domain.standing.mode import FailureMode, Page
from walconsole.domain.standing.model import Finding, Fix, Proof, Severity
from walconsole.domain.units import duration_text

_SOON_S = 14 * 86400.0
_SHARE = 0.1
"""Of its life: what is renewed by itself is renewed when a third is left, and some live for hours."""


def certificate_ends(assessment: Assessment) -> Iterator[Finding]:
    """It is valid yet, and should have been renewed by now."""
    told: set[str] = set()
    for copy, reading in copies(assessment.snapshot):
        bucket = reading.value
        if bucket is None or bucket.certificate is None or reading.problem is not None:
            continue
        begins, ends = bucket.certificate
        left_s = ends - assessment.now
        if left_s > min(_SOON_S, _SHARE * (ends - begins)) or bucket.endpoint in told:
            continue
        told.add(bucket.endpoint)
        when = datetime.fromtimestamp(ends, UTC).strftime("%Y-%m-%d %H:%MZ")
        parts = urlsplit(bucket.endpoint)
        host = f"{parts.hostname}:{parts.port or 443}"
        look = f"openssl s_client -connect {quote(host)} </dev/null | openssl x509 -noout -dates -issuer"
        yield Finding(
            "certificate-ends",
            Severity.WARNING,
            f"the certificate of the {copy} bucket's store ends in {duration_text(max(0.0, left_s))}: "
            "nothing is archived there from then on",
            (
                f"{host}: valid until {when} (TLS)",
                f"it was made for {duration_text(ends - begins)}, and has not been renewed",
            ),
            "have whoever runs the store renew it, and look at what should have renewed it",
            reading.slot,
            proof=(Proof(f"notAfter {when}", f"TLS of {host}", reading.read_at),),
            fixes=(Fix("see the certificate that it shows now", (look,)),),
        )


MODES: tuple[FailureMode, ...] = (
    FailureMode(
        "certificate-ends",
        Page(
            title="the store's certificate ends soon",
            symptom="Nothing, until it ends: then each client says `certificate has expired`, and WAL waits.",
            cause=(
                "It is renewed by hand, or what renews it fails without a word. Mostly of a store that "
                "somebody runs himself (Ceph, MinIO, Garage), or of a proxy on the way to it."
            ),
            signal=(
                "The certificate that the store shows the console: less than a tenth of its life is left, "
                "and less than fourteen days. What is renewed by itself is renewed before. Those above it in "
                "its chain are not looked at, nor is what the droplet is shown where that is another."
            ),
            fix=(
                "Renew it, and have the store load it.\n\n"
                "```\n"
                "openssl s_client -connect HOST:443 </dev/null | openssl x509 -noout -dates -issuer\n"
                "```"
            ),
            never="Do not switch the client's check off: whoever is in between has the WAL then.",
        ),
        look=certificate_ends,
    ),
)
