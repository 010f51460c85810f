"""Whom TLS trusts, the same with every Python: what the droplet's own tools take is taken here, too."""

import ssl


def trusting(ca_file: str | None = None, ca_text: str | None = None) -> ssl.SSLContext:
    """What checks host name and certificate against a PEM file, PEM text, or the system's. Raises OSError."""
    made = ssl.create_default_context(cafile=ca_file, cadata=ca_text)
    as_others_do(made)
    return made


def as_others_do(context: ssl.SSLContext) -> None:
    """Take what OpenSSL takes by itself.

    Python 3.13 asks for VERIFY_X509_STRICT besides (what's new there, "ssl"), by which an authority of one's
    own is refused where its certificate does not say what its key is for, as those that `openssl req -x509`
    makes do not. OpenSSL itself, Go and 3.12 take them: an archive command would go on, and the console see
    nothing.
    """
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
