"""Another host than production's, judged before a cluster is restored there: whether it could run on it.

Pure. A base backup is a copy of files: it starts with PostgreSQL of its own major version, built for the same
architecture with the same block sizes (documentation, "Continuous Archiving", caveats), whose databases'
locales the C library knows. Another glibc sorts text otherwise: the indexes on it are to be built anew.
"""

from collections.abc import Iterator

from walconsole.domain.records import record
from walconsole.domain.recovery.target_judgement import Concern
from walconsole.domain.units import duration_text

MOST_CLOCK_OFF_S = 300.0
"""A store refuses what is signed a quarter of an hour off; a drill's moment is production's."""
TOLD_CLOCK_OFF_S = 5.0
IN_PRODUCTION = "in production"
"""pg_controldata's word for a cluster that takes writes (pg_controldata.c, dbState); one that was killed
keeps it.
"""
USUAL_BLOCK = 8192


@record
class ClusterNeeds:
    """What a cluster asks of a host to run on it, as production tells. None and empty: not known.

    `identity` tells the host from all others. `major` is PostgreSQL's, `machine` as uname has it (`x86_64`),
    `glibc` as getconf has it (`glibc 2.36`). Blocks are bytes. `locales` are those of its databases,
    `libraries` what the server preloads, `tablespaces` where those of its own lie.
    """

    identity: str = ""
    major: int | None = None
    machine: str = ""
    glibc: str = ""
    block: int | None = None
    wal_block: int | None = None
    locales: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    tablespaces: tuple[str, ...] = ()
    system_identifier: str = ""


@record
class ClusterThere:
    """A cluster that is on the other host already. `state` is what its control file says."""

    data: str
    system_identifier: str
    state: str


@record
class OtherHost:
    """What the other host was asked for. `name` is how it is called: `root@spare`.

    `user`: whether the server's user is there. `bin` is the folder of PostgreSQL's programs of the major
    version, empty where there is none; `lacks` are programs that are needed and not there, by name.
    `clock_off_s` is how far its clock is ahead of production's, else of the console's. `is_root`: the
    console's shell there is root's, through sudo or by itself.
    """

    name: str
    identity: str = ""
    hostname: str = ""
    machine: str = ""
    glibc: str = ""
    user: str = "postgres"
    has_user: bool = True
    bin: str = ""
    block: int = USUAL_BLOCK
    wal_block: int = USUAL_BLOCK
    lacks: tuple[str, ...] = ()
    locales: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    clusters: tuple[ClusterThere, ...] = ()
    clock_off_s: float | None = None
    is_root: bool = True


@record
class HostJudgement:
    """What keeps the cluster from running there, and what is to be known of it."""

    refusals: tuple[Concern, ...] = ()
    warnings: tuple[Concern, ...] = ()


def judged_host(needs: ClusterNeeds, there: OtherHost) -> HostJudgement:
    """Never raises. What production could not be asked for refuses nothing, and is told."""
    return HostJudgement((*_refused(needs, there),), (*_risked(needs, there),))


def _refused(needs: ClusterNeeds, there: OtherHost) -> Iterator[Concern]:
    host = there.name
    if needs.identity and needs.identity == there.identity:
        yield Concern(f"{host} is production's own host under another name", "name another host: --on")
    if not there.is_root:
        yield Concern(
            f"the shell on {host} is not root's, and sudo does not make it so: scripts and keys are root's",
            "log in there as root, or let that user run sudo without a password (sudo = true in the profile)",
        )
    yield from _taken(needs, there)
    if not there.has_user:
        yield Concern(f"{host} has no user {there.user}, whose the cluster is", "install PostgreSQL there")
    if needs.major is not None and not there.bin:
        yield Concern(
            f"PostgreSQL {needs.major} is not installed on {host}: a base backup starts with its own "
            "version alone",
            f"apt-get install postgresql-{needs.major} there",
        )
    elif there.lacks:
        named = " ".join(there.lacks)
        yield Concern(
            f"{host} lacks {named}", "install what they are part of, all of PostgreSQL, rclone, zstd"
        )
    for what, is_here, is_there in (
        ("architecture", needs.machine, there.machine),
        ("block size", needs.block, there.block),
        ("WAL block size", needs.wal_block, there.wal_block),
    ):
        if is_here and is_there and is_here != is_there and (there.bin or what == "architecture"):
            yield Concern(
                f"production's {what} is {is_here}, that of {host} {is_there}: its files cannot be read "
                "there",
                "name a host that is built alike; or dump and load: pg_dump",
            )
    missing = [each for each in needs.locales if not _is_known(each, there.locales)]
    if missing:
        yield Concern(
            f"{host} has no locale {', '.join(missing)}: databases with it cannot be opened there",
            "have it made there: /etc/locale.gen and locale-gen",
        )
    if there.clock_off_s is not None and abs(there.clock_off_s) > MOST_CLOCK_OFF_S:
        yield Concern(
            f"the clock of {host} is {duration_text(abs(there.clock_off_s))} off: the store refuses what "
            "it signs",
            "set it: timedatectl set-ntp true",
        )


def _taken(needs: ClusterNeeds, there: OtherHost) -> Iterator[Concern]:
    """A cluster of the same system identifier that takes writes there would be a second one."""
    for each in there.clusters:
        if each.system_identifier == needs.system_identifier and each.state == IN_PRODUCTION:
            yield Concern(
                f"{each.data} on {there.name} is this very cluster ({each.system_identifier}) and takes "
                "writes: it is production's host, or was recovered there before",
                "name another host, or stop that one first",
            )


def _risked(needs: ClusterNeeds, there: OtherHost) -> Iterator[Concern]:
    host = there.name
    for each in there.clusters:
        if each.system_identifier == needs.system_identifier and each.state != IN_PRODUCTION:
            yield Concern(f"{each.data} on {host} is a copy of this cluster ({each.state}): it is left alone")
    if not needs.machine:
        yield Concern(
            f"production was not asked for its architecture, block sizes, locales and glibc: that {host} "
            "has the same is not known before the server starts there"
        )
    if needs.glibc and there.glibc and needs.glibc != there.glibc:
        yield Concern(
            f"production has {needs.glibc}, {host} {there.glibc}: text may sort otherwise",
            "REINDEX the indexes on text after --promote, then ALTER DATABASE ... REFRESH COLLATION VERSION",
        )
    absent = [each for each in needs.libraries if each not in there.libraries]
    if absent and there.bin:
        yield Concern(
            f"production preloads {', '.join(absent)}, which {host} has not: it starts without",
            "install the extension's package there",
        )
    off = there.clock_off_s
    if off is not None and TOLD_CLOCK_OFF_S < abs(off) <= MOST_CLOCK_OFF_S:
        yield Concern(f"the clock of {host} is {duration_text(abs(off))} off", "timedatectl set-ntp true")


def _is_known(locale: str, known: tuple[str, ...]) -> bool:
    """Whether `locale -a` lists it: it writes `en_US.utf8` for `en_US.UTF-8` (glibc, locale(1))."""
    return locale in ("C", "POSIX") or _plain(locale) in {_plain(each) for each in known}


def _plain(locale: str) -> str:
    name, dot, charset = locale.partition(".")
    return f"{name}{dot}{charset.lower().replace('-', '')}"
