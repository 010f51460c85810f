"""Droplet: the host, its PostgreSQL, and the connection to them."""

from walconsole.domain.facts.host import HostFacts
from walconsole.domain.facts.observed import LinkFacts, ServerFacts
from walconsole.domain.facts.snapshot import Freshness
from walconsole.domain.standing.unreachable import SHELL_CODES
from walconsole.domain.units import age_text, duration_text, plural
from walconsole.ui.board.content import Content, Line, Span, Tone, View
from walconsole.ui.board.typeset import (
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
_NUMBER = 12
_HOST_ROWS = (("host", "host"), ("uptime", "host up"), ("clock", "clock offset"))
_SERVER_ROWS = (("role", "role"), ("server_up", "server up"), ("data_directory", "data directory"))


def _unknown(rows: tuple[tuple[str, str], ...]) -> list[Line]:
    return [row(entry, label, Span(NOT_AVAILABLE, Tone.MUTED)) for entry, label in rows]


def _host_rows(host: HostFacts | None, view: View) -> list[Line]:
    """The host itself: name and system, uptime and load, clock."""
    if host is None:
        return _unknown(_HOST_ROWS)
    name, system = shown(host.hostname), f"{shown(host.system)}, {shown(host.kernel)}"
    load = or_na(host.load_1min, lambda load: f"load {load:.2f}")
    uptime = or_na(host.uptime_s, duration_text)
    return [
        row(
            "host",
            "host",
            Span(fit(name, room(view)), Tone.STRONG),
            Span(f"  {system}", Tone.MUTED),
            value=f"{host.hostname}, {system}",
        ),
        row("uptime", "host up", Span(right(uptime, _NUMBER)), Span(f"  {load}", Tone.MUTED), value=uptime),
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
        Span(right(sign + offset, _NUMBER), tone),
        Span(f"  ± {host.round_trip_s / 2:.3f} s", Tone.MUTED),
        value=offset,
    )


def _version_row(server: ServerFacts | None, host: HostFacts | None, view: View) -> Line:
    """The version, and the cluster that the host calls it."""
    cluster = host.cluster if host else None
    where = f"cluster {cluster.name}, port {cluster.port}" if cluster and cluster.name else ""
    if server is None:
        running = "no postmaster runs" if host is not None and host.postmaster_pid is None else ""
        text = "  ".join(part for part in (NOT_AVAILABLE, running, where) if part)
        return row("postgresql", "PostgreSQL", Span(fit(shown(text), room(view)), Tone.MUTED))
    version = shown(server.version)
    return row(
        "postgresql",
        "PostgreSQL",
        Span(fit(version.partition(" ")[0], room(view)), Tone.STRONG),
        Span(f"  {shown(where)}", Tone.MUTED),
        value=version,
    )


def _server_rows(server: ServerFacts | None, view: View) -> list[Line]:
    """What PostgreSQL says of itself: role, uptime, data directory, who asks."""
    if server is None:
        return _unknown(_SERVER_ROWS)
    up = duration_text(max(0.0, server.clock + (view.now - server.clock_read_at) - server.started_at))
    size = server.segment_bytes // (1024 * 1024)
    directory = or_na(server.data_directory, shown)
    return [
        row(
            "role",
            "role",
            Span("standby" if server.in_recovery else "primary", Tone.STRONG),
            Span(f"  timeline {server.timeline}, {size} MiB segments", Tone.MUTED),
        ),
        row("server_up", "server up", Span(right(up, _NUMBER)), value=up),
        row("data_directory", "data directory", Span(fit_left(directory, room(view))), value=directory),
        row(
            "connected_as",
            "connected as",
            Span(f"{shown(server.role)}@{shown(server.database)}"),
            Span("  superuser" if server.superuser else "  not superuser", Tone.MUTED),
        ),
        *missing_notes((*server.missing, *server.untold), view),
    ]


def _device_row(view: View) -> Line:
    disk = view.snapshot.wal_disk.value
    text = NOT_AVAILABLE if disk is None else f"{shown(disk.device)}, {shown(disk.filesystem)}"
    return row("data_device", "WAL device", Span(text, Tone.MUTED if disk is None else Tone.TEXT))


def _link_row(link: LinkFacts | None, view: View) -> Line:
    if link is None:
        return row("round_trip", "SSH round trip", Span(NOT_AVAILABLE, Tone.MUTED))
    again = f", {plural(link.reconnects, 'reconnect')}" if link.reconnects else ""
    text = f"{link.round_trip_s * 1000:.1f} ms"
    return row(
        "round_trip",
        "SSH round trip",
        Span(right(text, _NUMBER)),
        Span(fit(f"  {shown(link.user)}@{shown(link.address)}{again}", room(view) - _NUMBER), Tone.MUTED),
        value=text,
    )


def _watcher_rows(view: View) -> list[Line]:
    """Who is told when nobody looks here: only where there ever was a watcher."""
    watcher = view.snapshot.watcher.value
    if watcher is None or watcher.began_at is None:
        return []
    heard = age_text(max(0.0, view.now - watcher.beat_at))
    if watcher.died or watcher.hangs:
        what = "died" if watcher.died else "hangs"
        text, tone = f"{view.glyphs.warning} {what}, last heard of {heard}", Tone.WARNING
    elif watcher.alive:
        lasts = duration_text(max(0.0, view.now - watcher.began_at))
        text, tone = f"runs for {lasts}, heard of {heard}", Tone.TEXT
    else:
        text, tone = f"ended, last heard of {heard}", Tone.MUTED
    untold = f"  {watcher.untold} not told yet" if watcher.untold else ""
    return [
        row("watcher", "watcher", Span(fit(text, room(view)), tone), Span(untold, Tone.WARNING), value=text)
    ]


def _summary(view: View) -> tuple[Span, ...]:
    host, server = view.snapshot.host.value, view.snapshot.server.value
    parts = [shown(host.hostname)] if host else []
    if server is not None:
        parts.append(f"PostgreSQL {shown(server.version).partition(' ')[0]}")
        parts.append("standby" if server.in_recovery else "primary")
    text = f" {view.glyphs.dot} ".join(parts) or NOT_AVAILABLE
    link = view.snapshot.link
    if link.problem is not None:
        lost = "SSH lost" if link.freshness is Freshness.STALE else "no SSH"
        what = "no shell" if link.problem.code in SHELL_CODES else lost
        return Span(f"{view.glyphs.stale} {what} ", Tone.WARNING), Span(text, Tone.MUTED)
    return (Span(text),)


def render(view: View) -> Content:
    """Host, server, link. Without SSH the host's own complaint says nothing more, so it is left out."""
    snapshot, signs = view.snapshot, view.glyphs
    link, host, server = snapshot.link, snapshot.host, snapshot.server
    host_rows = aged(_host_rows(host.value, view), host, signs)
    version = _version_row(server.value, host.value, view)
    return Content(
        (stamp(link, view.now, "ssh"), stamp(host, view.now, "host"), stamp(server, view.now, "SQL")),
        (
            *notice(link, view, "SSH"),
            *([] if link.problem is not None else notice(host, view, "host")),
            *notice(server, view, "PostgreSQL"),
            *host_rows[:1],
            *aged([version, *_server_rows(server.value, view)], server, signs),
            *aged([_device_row(view)], snapshot.wal_disk, signs),
            *host_rows[1:],
            *aged([_link_row(link.value, view)], link, signs),
            *aged(_watcher_rows(view), snapshot.watcher, signs),
        ),
        _summary(view),
    )
