"""Droplet: the host, its PostgreSQL, and the connection to them."""

from walconsole.domain.facts import HostFacts, LinkFacts, ServerFacts
from walconsole.domain.snapshot import Freshness
from walconsole.domain.units import duration_text
from walconsole.ui.panes.model import Content, Line, Span, Tone, View
from walconsole.ui.panes.typeset import (
    NOT_AVAILABLE,
    aged,
    fit,
    fit_left,
    missing_notes,
    notice,
    or_na,
    right,
    room,
    row,
    shown,
    stamp,
)

_SKEWED_S = 2.0


def _host_rows(host: HostFacts | None, view: View) -> list[Line]:
    if host is None:
        labels = (("host", "host"), ("system", "system"), ("uptime", "host up"), ("clock", "clock"))
        return [row(entry, label, Span(NOT_AVAILABLE, Tone.MUTED)) for entry, label in labels]
    load = or_na(host.load_1min, lambda load: f"load {load:.2f}")
    return [
        row("host", "host", Span(fit(shown(host.hostname), room(view)), Tone.STRONG), value=host.hostname),
        row("system", "system", Span(fit(f"{shown(host.system)}, {shown(host.kernel)}", room(view)))),
        row(
            "uptime",
            "host up",
            Span(right(or_na(host.uptime_s, duration_text), 12)),
            Span(f"  {load}", Tone.MUTED),
        ),
        _clock(host, view),
        *missing_notes(host.missing, view),
    ]


def _clock(host: HostFacts, view: View) -> Line:
    skewed = abs(host.clock_offset_s) > _SKEWED_S
    sign = f"{view.glyphs.warning} " if skewed else ""
    tone = Tone.WARNING if skewed else Tone.TEXT
    offset = f"{host.clock_offset_s:+.3f} s"
    return row(
        "clock",
        "clock offset",
        Span(right(sign + offset, 12), tone),
        Span(f"  ± {host.round_trip_s / 2:.3f} s", Tone.MUTED),
        value=offset,
    )


def _server_rows(server: ServerFacts | None, host: HostFacts | None, view: View) -> list[Line]:
    cluster = host.cluster if host else None
    where = f"cluster {cluster.name}, port {cluster.port}" if cluster and cluster.name else ""
    if server is None:
        running = "no postmaster runs" if host is not None and host.postmaster_pid is None else ""
        text = "  ".join(part for part in (NOT_AVAILABLE, running, where) if part)
        return [
            row("postgresql", "PostgreSQL", Span(fit(shown(text), room(view)), Tone.MUTED)),
            row("role", "role", Span(NOT_AVAILABLE, Tone.MUTED)),
        ]
    up = duration_text(max(0.0, server.clock + (view.now - server.clock_read_at) - server.started_at))
    size = server.segment_bytes // (1024 * 1024)
    version = shown(server.version)
    return [
        row("postgresql", "PostgreSQL", Span(fit(version, 24), Tone.STRONG), Span(f"  {shown(where)}", Tone.MUTED)),
        row("role", "role", Span("standby" if server.in_recovery else "primary", Tone.STRONG),
            Span(f"  timeline {server.timeline}, {size} MiB segments", Tone.MUTED)),
        row("server_up", "server up", Span(right(up, 12))),
        row("data_directory", "data directory",
            Span(fit_left(or_na(server.data_directory, shown), room(view))), value=server.data_directory or ""),
        *_device(view),
        row("connected_as", "connected as", Span(f"{shown(server.role)}@{shown(server.database)}"),
            Span("  superuser" if server.superuser else "  not superuser", Tone.MUTED)),
        *missing_notes(server.missing, view),
    ]  # fmt: skip


def _device(view: View) -> list[Line]:
    disk = view.snapshot.wal_disk.value
    if disk is None:
        return [row("data_device", "its device", Span(NOT_AVAILABLE, Tone.MUTED))]
    return [row("data_device", "its device", Span(f"{shown(disk.device)}, {shown(disk.filesystem)}"))]


def _link_rows(link: LinkFacts | None, view: View) -> list[Line]:
    if link is None:
        return [row("round_trip", "SSH round trip", Span(NOT_AVAILABLE, Tone.MUTED))]
    again = f", {link.reconnects} reconnects" if link.reconnects else ""
    whom = f"  {shown(link.user)}@{shown(link.address)}{again}"
    text = f"{link.round_trip_s * 1000:.1f} ms"
    return [
        row("round_trip", "SSH round trip", Span(right(text, 12)),
            Span(fit(whom, room(view) - 12), Tone.MUTED), value=text)
    ]  # fmt: skip


def _summary(view: View) -> tuple[Span, ...]:
    host, server = view.snapshot.host.value, view.snapshot.server.value
    parts = [shown(host.hostname)] if host else []
    if server is not None:
        parts.append(f"PostgreSQL {shown(server.version).split()[0]}")
        parts.append("standby" if server.in_recovery else "primary")
    stale = view.snapshot.link.freshness in (Freshness.STALE, Freshness.FAILED)
    if stale:
        return (Span(f"{view.glyphs.stale} SSH lost ", Tone.WARNING), Span(" · ".join(parts), Tone.MUTED))
    return (Span(" · ".join(parts) or NOT_AVAILABLE),)


def render(view: View) -> Content:
    """Host, server, link."""
    snapshot, signs = view.snapshot, view.glyphs
    link, host, server = snapshot.link, snapshot.host, snapshot.server
    return Content(
        (stamp(link, view.now, "ssh"), stamp(host, view.now, "host"), stamp(server, view.now, "server")),
        (
            *notice(link, view, "SSH"),
            *aged(_link_rows(link.value, view), link, signs),
            *_unless_same(notice(host, view, "host"), link.problem is not None),
            *aged(_host_rows(host.value, view), host, signs),
            *notice(server, view, "PostgreSQL"),
            *aged(_server_rows(server.value, host.value, view), server, signs),
        ),
        _summary(view),
    )


def _unless_same(lines: list[Line], link_is_down: bool) -> list[Line]:
    """Nothing is said twice: without SSH the host's own complaint adds nothing."""
    return [] if link_is_down else lines
