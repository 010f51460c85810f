"""An authority of one's own, as `openssl req -x509` makes it, is trusted with every Python where it is named.

Since 3.13 Python's contexts refuse it (VERIFY_X509_STRICT), which older ones are made to do here.
"""

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from azure.core.rest import HttpRequest

from tests.servers.certificates import Certificate, issue_certificate
from tests.servers.fixtures import or_skip
from walconsole.adapters.endpoint_reach import reach
from walconsole.adapters.keys_api.transport import transport
from walconsole.adapters.trust import as_others_do, trusting


@pytest.fixture(autouse=True)
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever Python this is, a context asks for as much as one of 3.13."""
    plain: Callable[..., ssl.SSLContext] = ssl.create_default_context

    def made(*arguments: object, **options: object) -> ssl.SSLContext:
        context = plain(*arguments, **options)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", made)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return or_skip(lambda: issue_certificate(tmp_path_factory.mktemp("authority"), "openssl"))


@pytest_asyncio.fixture
async def port(certificate: Certificate) -> AsyncIterator[int]:
    """Where something answers over TLS, with that authority's certificate."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        await writer.drain()
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.file, certificate.key)
    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context) as server:
        yield server.sockets[0].getsockname()[1]


def test_that_authority_does_not_say_what_its_key_is_for(certificate: Certificate) -> None:
    words = ["openssl", "x509", "-in", str(certificate.authority), "-noout", "-text"]
    text = subprocess.run(words, capture_output=True, text=True, check=True, timeout=30).stdout
    assert "CA:TRUE" in text
    assert "Key Usage" not in text


async def test_it_is_refused_by_what_python_makes(certificate: Certificate, port: int) -> None:
    context = ssl.create_default_context(cafile=str(certificate.authority))
    with pytest.raises(ssl.SSLCertVerificationError, match="key usage"):
        await asyncio.open_connection("127.0.0.1", port, ssl=context)


async def test_a_look_at_the_endpoint_trusts_it(certificate: Certificate, port: int) -> None:
    seen = await reach(f"https://127.0.0.1:{port}", str(certificate.authority))
    assert (seen.problem, seen.tls_s is not None) == ("", True)


async def test_whom_nobody_named_is_not_trusted(port: int) -> None:
    seen = await reach(f"https://127.0.0.1:{port}", None)
    assert "TLS fails" in seen.problem


async def test_the_keys_api_s_transport_trusts_it_and_nobody_else(
    certificate: Certificate, port: int
) -> None:
    def asked(ca_file: str | None) -> int:
        with transport(ca_file, 5.0) as made:
            return int(made.send(HttpRequest("GET", f"https://127.0.0.1:{port}/v2")).status_code)

    assert await asyncio.to_thread(asked, str(certificate.authority)) == 200
    with pytest.raises(Exception, match="CERTIFICATE_VERIFY_FAILED"):
        await asyncio.to_thread(asked, None)


def test_the_name_and_the_chain_are_checked_all_the_same(certificate: Certificate) -> None:
    for context in (trusting(), trusting(str(certificate.authority))):
        assert context.check_hostname
        assert context.verify_mode is ssl.CERT_REQUIRED
    strict = ssl.create_default_context()
    before = strict.verify_flags
    as_others_do(strict)
    assert before & ~strict.verify_flags == ssl.VERIFY_X509_STRICT


def test_nothing_makes_a_context_of_its_own(certificate: Certificate) -> None:
    package = Path(__file__).parents[2] / "src/walconsole"
    made = [
        path.name for path in package.rglob("*.py") if "create_default_context(" in path.read_text("utf-8")
    ]
    assert made == ["trust.py"]
