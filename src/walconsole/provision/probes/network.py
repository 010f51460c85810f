"""The way to the endpoint, from the droplet and from here: name, TCP, TLS, clock, large packets."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from importlib.resources import files
from shlex import quote
from urllib.parse import urlsplit

from walconsole.domain.facts.endpoint_reach import Reach, addresses, judge, lines, skew
from walconsole.domain.redaction import safe
from walconsole.domain.store.http_date import http_date
from walconsole.droplet.names import names_of
from walconsole.errors import ProvisionError
from walconsole.provision.droplet.commands import status_of
from walconsole.provision.engine.model import Check, CheckState, Event, Plan, Printed, Proved, Risk
from walconsole.provision.fixes.base import FixStep, commands
from walconsole.provision.probes.in_force import in_force

_RECORD = re.compile(r"\x01(\w+) (.*)")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?|[0-9A-Fa-f:.]{2,45}")
_DECIMAL = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,9})?")
_LONGEST_S = 60.0


class NetworkProbe(FixStep):
    """Reads only: one unsigned GET of the endpoint's root, and two pings."""

    id = "probe-network"
    title = "The way to the store"
    risk = Risk.READS
    gated = False
    explanation = (
        "Resolves the endpoint's name, connects, shakes hands, asks for / without a key, compares the "
        "clocks, and sends a packet as large as the interface's MTU: from the droplet, and (but for the "
        "packet) from here. What fails on the droplet alone is its resolver, firewall, certificates or "
        "network; what fails on both sides is the endpoint or its name."
    )

    async def check(self) -> Check:
        """Always worth a try."""
        return Check(CheckState.NEEDED, "the way to the store was not looked at yet")

    async def plan(self) -> Plan:
        """The same by hand."""
        texts = []
        for endpoint in await self._endpoints():
            host, port = urlsplit(endpoint).hostname or "", urlsplit(endpoint).port or 443
            texts += [
                f"getent ahosts {quote(host)}",
                f"curl -sSv -o /dev/null {quote(endpoint)}",
                f"openssl s_client -connect {quote(f'{host}:{port}')} </dev/null",
                f"tracepath -n {quote(host)}",
            ]
        return Plan("look at the way to the store; reads only", commands(texts), undo="nothing is changed")

    async def apply(self) -> AsyncIterator[Event]:
        """Raises ProvisionError: what is wrong with the droplet's way."""
        self._fine: list[str] = []
        failed: ProvisionError | None = None
        for endpoint in await self._endpoints():
            droplet, here = await asyncio.gather(self._from_droplet(endpoint), self._from_here(endpoint))
            for side, found in (("droplet", droplet), ("here", here)):
                for line in lines(side, found) if found is not None else ():
                    yield Printed(line)
            wrong, remedy = judge(droplet, here)
            if wrong:
                failed = failed or ProvisionError("looking at the way to the store", wrong, remedy)
            else:
                self._fine.append(f"the droplet reaches {droplet.host}")
        if failed is not None:
            raise failed

    async def verify(self) -> AsyncIterator[Event]:
        """Each endpoint that is reached."""
        for text in self._fine:
            yield Proved(text)

    async def _endpoints(self) -> tuple[str, ...]:
        """Those of the remotes that the archive command in force names, else the profile's."""
        now = await in_force(self._site)
        survey = await self._site.survey()
        found = []
        for target in now.targets:
            remote = survey.rclone.remote(target.remote)
            known = next((one for one in self._site.targets() if one.bucket == target.bucket), None)
            endpoint = remote.endpoint if remote is not None and remote.endpoint else ""
            found.append(_url(endpoint) if endpoint else (known.endpoint if known is not None else ""))
        return addresses([endpoint for endpoint in found if endpoint])

    async def _from_here(self, endpoint: str) -> Reach | None:
        return (
            await self._site.reach(endpoint, self._ca_file(endpoint))
            if self._site.reach is not None
            else None
        )

    def _ca_file(self, endpoint: str) -> str | None:
        """The profile's for whoever has that name."""
        host = urlsplit(endpoint).hostname
        targets = self._site.targets()
        return next((one.ca_file for one in targets if urlsplit(one.endpoint).hostname == host), None)

    async def _from_droplet(self, endpoint: str) -> Reach:
        parts = urlsplit(endpoint)
        host, scheme = parts.hostname or "", parts.scheme or "https"
        if _HOST.fullmatch(host) is None:
            return Reach(safe(host or endpoint), problem="the endpoint's name is none")
        port = parts.port or (80 if scheme == "http" else 443)
        script = files("walconsole.provision.scripts").joinpath("reach.sh").read_text()
        trusted = names_of(self._site.profile).authorities if self._ca_file(endpoint) else ""
        values = f"scheme={quote(scheme)} host={quote(host)} port={port} trusted={quote(trusted)}\n"
        _, said = await status_of(self._site, values + script, timeout_s=_LONGEST_S)
        return read(_named(host, port), [(key, safe(value)) for key, value in _RECORD.findall(said)], scheme)


def read(host: str, records: Sequence[tuple[str, str]], scheme: str) -> Reach:
    """The droplet's records."""
    last = dict(records)
    mtu = _number(last.get("mtu"))
    found = Reach(
        host,
        addresses([value for key, value in records if key == "address"]),
        name_s=_seconds(last.get("name_ms")),
        connect_s=_seconds(last.get("tcp_ms")),
        mtu=None if mtu is None else int(mtu),
        large={"1": True, "0": False}.get(last.get("large", "")),
        problem=last.get("problem", ""),
        missing=tuple(value for key, value in records if key == "missing"),
    )
    return _timed(found, last, scheme)


def _timed(found: Reach, last: dict[str, str], scheme: str) -> Reach:
    """With what curl measured: when each stage ended, in seconds; 0 where it did not come to it."""
    words = last.get("curl", "").split()
    if len(words) < 4:
        return found
    name, tcp, tls, status = (_number(word) or 0.0 for word in words[:4])
    connected = max(0.0, tcp - name) if tcp > 0 else None
    return replace(
        found,
        connect_s=connected,
        tls_s=max(0.0, tls - tcp) if scheme == "https" and tls > 0 else None,
        status=int(status) or None,
        skew_s=_skew(last),
    )


def _skew(last: dict[str, str]) -> float | None:
    asked, answered = _number(last.get("asked_at")), _number(last.get("answered_at"))
    date = http_date(last.get("date"))
    return None if asked is None or answered is None else skew(date, asked, answered)


def _seconds(milliseconds: str | None) -> float | None:
    found = _number(milliseconds)
    return None if found is None else found / 1000


def _number(text: str | None) -> float | None:
    """What date, curl and the kernel print; None for anything else."""
    return float(text) if text is not None and _DECIMAL.fullmatch(text) else None


def _named(host: str, port: int) -> str:
    return host if port in (80, 443) else f"{host}:{port}"


def _url(endpoint: str) -> str:
    return endpoint if "://" in endpoint else f"https://{endpoint}"
