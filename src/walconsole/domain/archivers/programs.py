"""Programs that people archive with, and whose place is not read: why not, in words."""

import re
from collections.abc import Callable, Mapping

from walconsole.domain.archivers.called import Call
from walconsole.domain.archivers.expansion import UNKNOWN, shown
from walconsole.domain.archivers.s3_clients import words_of

_CONTAINER = "what it runs inside a container is not followed"
_REPOSITORY = "its repository holds snapshots of its own format, and no segments: it is not read"
_TRANSFER = "where it sends a segment is not read"
_PACKER = "it packs segments into files of its own format, which are not read"
PACKERS = (
    "tar", "gtar", "bsdtar", "star", "zip", "7z", "7za", "7zr", "7zz", "rar", "cpio", "pax", "ar", "shar",
    "dar", "zpaq", "lha", "arj",
)  # fmt: skip
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
    **dict.fromkeys(PACKERS, _PACKER),
    **dict.fromkeys(("az", "ossutil", "coscmd", "obsutil", "oci", "swift", "b2", "bos", "ibmcloud"), _CLOUD),
    "admin-mgr": "it is Supabase's, which runs WAL-G with settings of its own",
    "exec-with-env": "it is StackGres's, which runs WAL-G with variables that its operator's resources name",
    "pg_rman": "it is no archiver of its own: it reads the folder that another command fills",
}
PASSAGE = "where it puts it is a place of passage, or is known only when the command runs"


_OF_WINDOWS = re.compile(
    r"(?:x?copy|robocopy|cmd|powershell)(?:\.exe)?|[A-Za-z]:.*|[^/].*\.(?:bat|ps1|exe)", re.IGNORECASE
)

STORE_NOTHING = frozenset({
    "test", "[", "[[", "echo", "printf", "true", "false", ":", "umask", "ulimit", "kill", "wait", "read",
    "return", "exit", "trap", "shift", "break", "continue", "local", "readonly", "type", "hash", "alias",
    "pwd", "in", "case", "mkdir", "logger", "date", "sleep", "touch", "sync", "chmod", "chown", "cd",
    "basename", "dirname", "stat", "ls", "grep", "hostname", "id", "wc", "sha256sum", "md5sum", "cmp", "diff",
    "mktemp", "find", "sed", "awk", "tr", "cut", "head", "tail", "sort", "fsync", "pg_controldata", "unset",
    "mountpoint", "expr", "let", "getopts", "command", "which", "set",
})  # fmt: skip
"""They store nothing elsewhere; `rm` may take away what was stored."""


def why_not_found(call: Call, user: str) -> str:
    """In words, for a program that is nowhere."""
    batch = call.program == "not" and call.words[:1] in (("exist",), ("EXIST",))  # `if not exist FILE`
    whose = ": it is a command of Windows" if batch or _OF_WINDOWS.fullmatch(call.program) else ""
    return f"{shown(call.program)} is not found as {user}{whose}"


def why_not_read(call: Call) -> str:
    """Why where it puts a segment is not known; empty for a program that is not known by its name."""
    return _WHY.get(call.name, "")


def why_no_place(call: Call) -> str:
    """Why a tool that is known, and is given the segment, names no place for it."""
    if call.name in ("ssh", "sftp"):
        return f"what {call.name} has the other host do is not followed"
    return PASSAGE


def may_fetch(call: Call) -> bool:
    """Whether a tool that is known, and is given no segment by its words, may be given it all the same."""
    return call.name in _FETCHES or any(UNKNOWN in word for word in call.words)


_FETCHES = frozenset({"ssh", "sftp", "scp", "rsync", "rclone", "aws", "s3cmd", "s5cmd", "s4cmd", "mc"})
_VALUED = {
    "az": frozenset({"--account-name", "--container-name", "-c", "--name", "-n", "--file", "-f"}),
    "oci": frozenset({"-bn", "--bucket-name", "-ns", "--namespace", "--file", "--name"}),
    "restic": frozenset({"-r", "--repo", "--stdin-filename", "--tag", "--password-file"}),
    "rustic": frozenset({"-r", "--repository", "--repo"}),
    **dict.fromkeys(
        ("docker", "podman"), frozenset({"-e", "--env", "--env-file", "-u", "--user", "-w", "--workdir"})
    ),
}
_REPOSITORIES = {"restic": "RESTIC_REPOSITORY", "rustic": "RUSTIC_REPOSITORY", "borg": "BORG_REPO"}
_ADDRESS = re.compile(r"(?:https?|ftps?|sftp|scp|file|webdavs?|rsync|b2|s3|gs|oss|cos|obs)://[^\s;,'\"]+")


def place_named(call: Call) -> str:
    """Where it sends a segment as far as its own words say that; empty where they do not.

    No user, no password and no query of an address is in it.
    """
    options, plain = words_of(call.words, _VALUED.get(call.name, frozenset()))
    maker = _PLACES.get(call.name)
    named = maker(options, plain) if maker is not None else ""
    variable = call.environment.get(_REPOSITORIES.get(call.name, ""))
    if not named and variable is not None:
        named = variable.value
    address = _ADDRESS.search(named or " ".join(call.words))
    found = (address[0] if address is not None else named).partition("?")[0]
    return shown(re.sub(r"(?<=//)[^/]*@", "", found)).replace("%f", "").rstrip("/")


def _azure(options: Mapping[str, str], _plain: list[str]) -> str:
    account = options.get("--account-name", "")
    container = options.get("--container-name") or options.get("-c") or ""
    return (
        f"https://{account}.blob.core.windows.net/{container}"
        if account
        else f"container {container}".strip()
    )


def _oracle(options: Mapping[str, str], _plain: list[str]) -> str:
    bucket = options.get("-bn") or options.get("--bucket-name") or ""
    return f"bucket {bucket}" if bucket else ""


def _behind(what: str, *verbs: str) -> Callable[[Mapping[str, str], list[str]], str]:
    """`what` it is, and what stands behind the first of the verbs."""

    def found(_options: Mapping[str, str], plain: list[str]) -> str:
        at = next((number for number, word in enumerate(plain) if word in verbs), len(plain))
        return f"{what} {plain[at + 1]}" if at + 1 < len(plain) else ""

    return found


def _repository(options: Mapping[str, str], _plain: list[str]) -> str:
    return options.get("-r") or options.get("--repo") or options.get("--repository") or ""


def _borg(_options: Mapping[str, str], plain: list[str]) -> str:
    return next((word.partition("::")[0] for word in plain if "::" in word), "")


_PLACES: Mapping[str, Callable[[Mapping[str, str], list[str]], str]] = {
    "az": _azure,
    "oci": _oracle,
    "b2": _behind("bucket", "upload", "upload-file"),
    "swift": _behind("container", "upload"),
    "restic": _repository,
    "rustic": _repository,
    "borg": _borg,
    **dict.fromkeys(("docker", "podman"), _behind("the container", "exec")),
}
