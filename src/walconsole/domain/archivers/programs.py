"""Programs that people archive with, and whose place is not read: why not, in words."""

from walconsole.domain.archivers.calls import Call

_CONTAINER = "what it runs inside a container is not followed"
_REPOSITORY = "its repository holds snapshots of its own format, and no segments: it is not read"
_TRANSFER = "where it sends a segment is not read"
_PACKER = "it packs segments into files of its own format, which are not read"
_CLOUD = "that store's own API is not read"
_WHY = {
    **dict.fromkeys(
        ("docker", "podman", "nerdctl", "kubectl", "oc", "lxc", "nsenter", "machinectl"), _CONTAINER
    ),
    **dict.fromkeys(
        ("restic", "rustic", "borg", "borgmatic", "kopia", "duplicity", "duplicacy"), _REPOSITORY
    ),
    **dict.fromkeys(
        ("curl", "wget", "lftp", "ftp", "ncftpput", "nc", "ncat", "socat", "smbclient"), _TRANSFER
    ),
    **dict.fromkeys(("tar", "zip", "7z", "7za", "7zz", "rar"), _PACKER),
    **dict.fromkeys(("az", "ossutil", "coscmd", "obsutil", "oci", "swift", "b2", "bos", "ibmcloud"), _CLOUD),
    "admin-mgr": "it is Supabase's, which runs WAL-G with settings of its own",
    "exec-with-env": "it is StackGres's, which runs WAL-G with variables that its operator's resources name",
    "pg_rman": "it is no archiver of its own: it reads the folder that another command fills",
}
_PASSAGE = "where it puts it is a place of passage, or is known only when the command runs"


def why_not_read(call: Call) -> str:
    """Why where it puts a segment is not known; empty for a program that is not known by its name."""
    return _WHY.get(call.name, "")


def why_no_place(call: Call) -> str:
    """Why a tool that is known, and is given the segment, names no place for it."""
    if call.name in ("ssh", "sftp"):
        return f"what {call.name} has the other host do is not followed"
    return _PASSAGE
