"""The folders that the server archives to: what their file systems say of them.

As in `observed`: `None` means "could not be read"; texts are safe to show.
"""

from walconsole.domain.records import record


@record
class ArchiveFolder:
    """A folder on the droplet, as the server's own user finds it.

    `why` is why it could not be looked at, in the operating system's words, and then the rest is not known,
    but for what is mounted there (`mount_point`, `filesystem`), and `expected_mount`: below that mount point
    it lies by /etc/fstab or a unit of systemd, by its name or where that leads, and nothing is mounted there;
    `expected_source` and `expected_type` are what should be. `mode` is octal digits, `free_bytes` what the
    server's user may still write. `beside_data`: it is on the data directory's file system. `apart`: the
    server has file systems of its own (mount_namespaces(7)), in which all of this was seen; `writable_here`:
    in the host's the same user may write there. `identity` is its device and inode, which two names of one
    folder have in common. `holds`: the newest archived segment lies in it by its own name; None: not looked
    for. `unreadable` is the newest file of the archive's, and its owner and mode, where the server's user may
    not read it.
    """

    path: str
    why: str = ""
    owner: str = ""
    mode: str = ""
    writable: bool | None = None
    mount_point: str = ""
    filesystem: str = ""
    read_only: bool = False
    total_bytes: int | None = None
    free_bytes: int | None = None
    free_inodes: int | None = None
    beside_data: bool | None = None
    expected_mount: str = ""
    expected_source: str = ""
    expected_type: str = ""
    apart: bool = False
    writable_here: bool = False
    identity: str = ""
    holds: bool | None = None
    unreadable: str = ""


@record
class FolderFacts:
    """What of the archive lies in folders: those on the droplet, and `elsewhere` what is sent to other hosts.

    `missing` says what could not be looked at. `named_by` is the archive_command that named them, safe to
    show: of what another one names nothing is known yet. `taken_from` are those that restore_command names,
    `segment` is the one that was looked for in all of them, empty for none.
    """

    folders: tuple[ArchiveFolder, ...] = ()
    elsewhere: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    named_by: str = ""
    taken_from: tuple[ArchiveFolder, ...] = ()
    segment: str = ""
