"""The commands of docs/recovery.md that restore one base backup by hand, with its names filled in."""

import re
from collections.abc import Sequence
from shlex import quote

from walconsole.domain.records import record
from walconsole.domain.recovery.backups import BaseBackup, Writer
from walconsole.domain.recovery.held import HeldBackup
from walconsole.domain.units import bytes_text


@record
class Copies:
    """Whence a restore reads, as rclone names each copy: `REMOTE:BUCKET/PREFIX`, with a slash at its end.

    `backup_from` holds the backup and WAL, `more_wal` what that lacks. `rclone_config` is a path on the host;
    `trust` the variable, and its value, by which rclone heeds certificates of the stores' own, None for none.
    """

    backup_from: str
    more_wal: tuple[str, ...]
    rclone_config: str
    trust: tuple[str, str] | None = None


@record
class Commands:
    """A paragraph's title and its lines of shell."""

    title: str
    lines: tuple[str, ...]


FILES = """\
mkdir -m 700 "$data" "$work" "$work/wal"
rclone cat "${copy}base/$id/base.tar.zst" | zstd -q -dc | tar -x -f - -C "$data"
"$bin/pg_verifybackup" -n "$data"
"""
JOIN = """\
mkdir -m 700 "$work" "$work/wal" "$work/parts"
for each in $chain; do
    mkdir -m 700 "$work/parts/$each"
    rclone cat "${copy}base/$each/base.tar.zst" | zstd -q -dc | tar -x -f - -C "$work/parts/$each"
    "$bin/pg_verifybackup" -n "$work/parts/$each" || { rm -r "$work/parts"; break; }
done
(cd "$work/parts" && "$bin/pg_combinebackup" --manifest-checksums=SHA256 -o "$data" $chain)
"$bin/pg_verifybackup" -n "$data" && rm -r "$work/parts"
"""
"""The same for an incremental backup and all that it builds upon."""
FETCH = """\
rclone lsf --files-only --max-depth 1 "$copy" |
    awk -v first="$first" '/^[0-9A-F]+[.]history/ || /^[0-9A-F]/ && substr($0, 9, 16) >= substr(first, 9)' >"$work/names"
rclone copy --files-from "$work/names" --no-traverse --transfers 8 "$copy" "$work/wal"
"""  # noqa: E501  # as the page has it
UNPACK = """\
find "$work/wal" -name '*.zst' -exec zstd -q -d --rm {} +
find "$work/wal" -name '*.gz' -exec gzip -d {} +
"""
CONFIGURE = """\
mv "$data/postgresql.auto.conf" "$work/old.auto.conf"
rm -f "$data/standby.signal"
"$bin/pg_controldata" "$data" | sed -n -e 's/_xacts setting/_transactions setting/' -e 's/_per_xact setting/_per_transaction setting/' \\
    -e 's/^\\(max_[a-z_]*\\) setting: *\\([0-9]*\\)$/\\1 = \\2/p' >"$work/postgresql.conf"
cat >>"$work/postgresql.conf" <<END
data_directory = '$data'
hba_file = '$work/pg_hba.conf'
listen_addresses = ''
unix_socket_directories = '$work'
port = 5499
archive_mode = off
min_wal_size = 2GB
max_wal_size = 2GB
restore_command = 'cp "$work/wal/%f" "%p"'
END
echo 'local all all trust' >"$work/pg_hba.conf"
touch "$data/recovery.signal"
"""  # noqa: E501  # as the page has it
START = """\
"$bin/pg_ctl" -D "$data" -o "-c config_file=$work/postgresql.conf" -l "$work/log" -w -t 86400 -s start || { tail -n 20 "$work/log"; false; }
while [ "$(psql -XAtq -h "$work" -p 5499 -U postgres -d postgres -c 'SELECT pg_is_in_recovery()')" != f ]; do
    "$bin/pg_ctl" -D "$data" status >"$work/status" || { tail -n 20 "$work/log"; false; break; }
    sleep 1
done
grep -E 'restored log file|last completed transaction|redo done|archive recovery complete' "$work/log" | tail -n 4
"""  # noqa: E501  # as the page has it
"""The page's own, word for word: a test compares them, and another one runs the page's."""

TO_A_MOMENT = "to stop at a moment: its time for TIME; without a target it replays all there is"
"""The title of the paragraph that leaves the target open."""

_OBJECT, _DECRYPT = "base.tar.zst", "age -d -i SECRET-KEY-FILE"
_PLAIN = re.compile(r"[A-Za-z0-9_./=-]*", re.ASCII)


def why_not(held: HeldBackup, chain: Sequence[HeldBackup], layout_is_flat: bool) -> str:
    """Why these commands do not suit a backup that can be restored; empty where they do."""
    backup = held.backup
    if backup.writer is not Writer.OURS:
        return f"{backup.writer.value} made it: it is restored with {backup.writer.value}'s own commands"
    if not layout_is_flat:
        return "the WAL is stored in another tool's layout: that tool's own commands bring it"
    if backup.is_incremental and (chain[0].backup.parent is not None or chain[-1] != held):
        return "all that it builds upon is not known"
    if len({each.backup.encryption for each in chain}) > 1:
        return "not all that it builds upon is encrypted as it is: decrypt each as its object's name says"
    if not _PLAIN.fullmatch(backup.place) or backup.encryption not in ("", "age"):
        return "its names or its encryption are not those that the installed script writes"
    return ""


def by_hand(
    backup: BaseBackup,
    copies: Copies,
    *,
    segment_bytes: int,
    timeline: int | None = None,
    chain: Sequence[BaseBackup] = (),
) -> tuple[Commands, ...]:
    """The paragraphs, in order, for a backup of ours that `why_not` does not refuse.

    `chain` is what an incremental one consists of, the full one first, itself the last.
    `timeline` is given where `latest` would lead elsewhere. Raises ValueError where its start is not known.
    """
    first = backup.first_segment(segment_bytes)
    if first is None:
        raise ValueError(f"where replay of {backup.id} begins is not known")
    major = "VERSION" if backup.server_version_num is None else str(backup.server_version_num // 10_000)
    joined = len(chain) > 1
    unpack = JOIN if joined else FILES
    unpack = unpack.replace("base/$id", f"{backup.place}$id").replace("base/$each", f"{backup.place}$each")
    if backup.encryption:
        unpack = unpack.replace(_OBJECT, f"{_OBJECT}.age").replace("zstd -q", f"{_DECRYPT} | zstd -q")
    fetch = FETCH + "".join(FETCH.replace('"$copy"', quote(other)) for other in copies.more_wal)
    return (
        _commands(
            "where from and where to: neither folder must be there yet",
            f"copy={quote(copies.backup_from)}\n"
            f"bin=/usr/lib/postgresql/{major}/bin\n"
            f"data=/var/lib/postgresql/{major}/restored\n"
            f"work=/var/lib/postgresql/{major}/restoring\n"
            f"RCLONE_CONFIG={quote(copies.rclone_config)}; export RCLONE_CONFIG\n"
            + (
                ""
                if copies.trust is None
                else f"{copies.trust[0]}={quote(copies.trust[1])}; export {copies.trust[0]}\n"
            )
            + f"id={quote(backup.id)}\n"
            f"first={first.name(segment_bytes)}\n"
            + (f"chain={quote(' '.join(each.id for each in chain))}\n" if joined else ""),
        ),
        _commands(
            f"the files{_room(chain) if joined else ''}; go no further where pg_verifybackup complains",
            unpack,
        ),
        _commands("the WAL, and all timeline histories", fetch + UNPACK),
        _commands("a configuration of its own", CONFIGURE + _on_timeline(timeline)),
        _commands(
            TO_A_MOMENT,
            '# echo "recovery_target_time = \'TIME+00\'" >>"$work/postgresql.conf"\n'
            '# echo "recovery_target_action = promote" >>"$work/postgresql.conf"\n',
        ),
        _commands("start it, and wait until the replay has ended", START),
    )


def _room(chain: Sequence[BaseBackup]) -> str:
    """What joining takes on the disk, besides the cluster: all of them unpacked."""
    sizes = [each.unpacked_bytes for each in chain]
    known = [size for size in sizes if size is not None]
    parts = bytes_text(sum(known)) if len(known) == len(sizes) else "room"
    return f" of {len(chain)} backups, joined: {parts} for them, and as much as the whole cluster besides"


def _on_timeline(timeline: int | None) -> str:
    if timeline is None:
        return ""
    return f'echo "recovery_target_timeline = \'{timeline}\'" >>"$work/postgresql.conf"\n'


def _commands(title: str, text: str) -> Commands:
    return Commands(title, tuple(text.splitlines()))
