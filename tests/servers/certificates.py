"""Certificates for servers on loopback: nobody trusts them who was not given their authority."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.servers.ports import LOOPBACK
from tests.servers.programs import find_program

_KIND = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")


@dataclass(frozen=True, slots=True)
class Certificate:
    """`file` and its `key`, and who vouches for it, `authority`: all PEM."""

    file: Path
    key: Path
    authority: Path


def make_certificate(folder: Path, server: str) -> Certificate:
    """A new pair in `folder` for loopback, its own authority. Raises ServerMissing for `server`."""
    made = Certificate(folder / "cert.pem", folder / "key.pem", folder / "cert.pem")
    _request(server, made, f"/CN={LOOPBACK}", _names(()))
    return made


def issue_certificate(folder: Path, server: str, names: Sequence[str] = ()) -> Certificate:
    """The same for loopback and `names`, issued by an authority made for it alone."""
    authority = Certificate(folder / "ca.pem", folder / "ca-key.pem", folder / "ca.pem")
    _request(server, authority, f"/CN=Authority of {folder.name}", ())
    made = Certificate(folder / "cert.pem", folder / "key.pem", authority.file)
    issuer = ("-CA", str(authority.file), "-CAkey", str(authority.key))
    leaf = ("-addext", "basicConstraints=critical,CA:FALSE")
    _request(server, made, f"/CN={LOOPBACK}", (*_names(names), *leaf, *issuer))
    return made


def _names(names: Sequence[str]) -> tuple[str, ...]:
    known = ",".join(f"DNS:{name}" for name in ("localhost", *names))
    return ("-addext", f"subjectAltName=IP:{LOOPBACK},{known}")


def _request(server: str, made: Certificate, subject: str, more: Sequence[str]) -> None:
    program = find_program("openssl", server=server, package="openssl")
    subprocess.run(
        [program, "req", "-x509", *_KIND, "-subj", subject, *more, "-keyout", made.key, "-out", made.file],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        timeout=30,
    )
