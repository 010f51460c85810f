"""A certificate of its own for a server on loopback: nobody trusts it who was not given it."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.servers.ports import LOOPBACK
from tests.servers.programs import find_program


@dataclass(frozen=True, slots=True)
class Certificate:
    """`file` and its `key`, both PEM; the certificate is its own authority."""

    file: Path
    key: Path


def make_certificate(folder: Path, server: str) -> Certificate:
    """A new pair in `folder` for loopback, by address and name. Raises ServerMissing for `server`."""
    program = find_program("openssl", server=server, package="openssl")
    made = Certificate(folder / "cert.pem", folder / "key.pem")
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    whose = ["-subj", f"/CN={LOOPBACK}", "-addext", f"subjectAltName=IP:{LOOPBACK},DNS:localhost"]
    subprocess.run(
        [program, "req", *kind, *whose, "-keyout", made.key, "-out", made.file],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        timeout=30,
    )
    return made
