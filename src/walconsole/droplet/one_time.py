"""The scripts that a step sends to the droplet for once: they are run there, and never installed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from shlex import join, quote

from walconsole.domain.archive.expected_page import ExpectedPage
from walconsole.domain.moments.page_images import IMAGE_BYTES
from walconsole.domain.profile import BucketTarget, Profile
from walconsole.domain.records import record
from walconsole.droplet.choices import DropletChoices
from walconsole.droplet.filling import cluster_choice, psql_options, script, trust
from walconsole.droplet.names import rclone_path
from walconsole.droplet.rendering import authorities

LONGEST_MOMENT_TRANSFER_S = 1200
MOST_IMAGES = 400
"""Of pages of pg_class, the newest of a timeline."""


def probe_script(profile: Profile, choices: DropletChoices, target: BucketTarget, name: str) -> str:
    """Tries one copy with an object of its own, `name`, below the copy's prefix."""
    values = {
        "TARGET": quote(rclone_path(target)),
        "OBJECT": quote(name),
        "TEMP_ROOT": quote(choices.temp_root),
        "CERTIFICATES": quote(authorities(profile, choices)),
        "TRUST_THEM": trust('"$folder/ca.pem"', alone=choices.authorities.alone),
    }
    return script("probe.sh", profile, choices, "walconsole-probe", values)


def verbs_script(profile: Profile, choices: DropletChoices, where: str, config: str, name: str) -> str:
    """Tries each call by itself at `where` (REMOTE:BUCKET/PREFIX) by the rclone configuration `config`.

    It writes an object of its own, `name`.
    """
    values = {"TARGET": quote(where), "OBJECT": quote(name), "TEMP_ROOT": quote(choices.temp_root)}
    asked = replace(profile, paths=replace(profile.paths, rclone_config=config))
    return script("verbs.sh", asked, choices, "walconsole-verbs", values)


@record
class MendSource:
    """`object` at `where`: in a copy `REMOTE:BUCKET/FOLDER/`, else a folder of the droplet."""

    where: str
    object: str
    in_copy: bool


@record
class MendTarget:
    """The copy called `copy`: the object goes to `where` (`REMOTE:BUCKET/FOLDER/`), and ends in `suffix`."""

    copy: str
    where: str
    suffix: str


def mend_script(
    profile: Profile,
    choices: DropletChoices,
    page: ExpectedPage,
    sources: Sequence[MendSource],
    targets: Sequence[MendTarget],
) -> str:
    """Brings the segment of `page` from the first of `sources` that is whole to each of `targets`."""
    taken = [
        join(("from_copy" if source.in_copy else "from_folder", str(number), source.where, source.object))
        for number, source in enumerate(sources)
    ]
    brought = [join(("bring", target.copy, target.where, target.suffix)) for target in targets]
    values = {
        "NAME": quote(page.segment.name(page.segment_bytes)),
        "BYTES": str(page.segment_bytes),
        "PATTERNS": " | ".join(page.patterns()),
        "SOURCES": " ||\n    ".join(taken),
        "TARGETS": "\n".join(brought),
        "TEMP_ROOT": quote(choices.temp_root),
    }
    return script("mend.sh", profile, choices, "walconsole-mend", values)


def seconds_script(
    profile: Profile, choices: DropletChoices, places: tuple[str, ...], config: str, *,
    wal: str, name: str, packs: bool, limit_s: int,
) -> str:  # fmt: skip
    """Times each part of archiving the file `wal` at `places` (REMOTE:BUCKET/PREFIX), as an object `name`.

    `packs`: it is sent compressed. Each call is ended after `limit_s`.
    """
    values = {
        "TARGETS": join(places),
        "WAL": quote(wal),
        "OBJECT": quote(name),
        "PACKS": "yes" if packs else "no",
        "LIMIT_S": str(limit_s),
        "TEMP_ROOT": quote(choices.temp_root),
    }
    asked = replace(profile, paths=replace(profile.paths, rclone_config=config))
    return script("seconds.sh", asked, choices, "walconsole-seconds", values)


@record
class MomentWish:
    """Which WAL is read on the droplet: the files' `names`; `runs` of pg_waldump, one a timeline, each with
    that, the LSN it begins at and the one before which it ends. `mark` is a word that no text can hold by
    chance. Bytes are those of a segment, of all that may stand on the disk at a time, and of what shall stay
    free.
    """

    names: tuple[str, ...]
    runs: tuple[tuple[int, str, str], ...]
    segment_bytes: int
    needed_bytes: int
    reserve_bytes: int
    major: int
    programs: tuple[str, ...]
    mark: str


def moment_script(profile: Profile, choices: DropletChoices, wish: MomentWish) -> str:
    """Brings archived WAL into a private folder, prints what pg_waldump says of it."""
    targets = (profile.primary, profile.dr) if choices.to_dr else (profile.primary,)
    values = {
        "TARGETS": " ".join(quote(rclone_path(target)) for target in targets),
        "TEMP_ROOT": quote(choices.temp_root),
        "SEGMENT_BYTES": str(wish.segment_bytes),
        "NEEDED_KIB": str(wish.needed_bytes // 1024),
        "RESERVE_KIB": str(wish.reserve_bytes // 1024),
        "LONGEST_S": str(LONGEST_MOMENT_TRANSFER_S),
        "MAJOR": str(wish.major),
        "PROGRAMS": " ".join(map(quote, wish.programs)),
        "NAMES": " ".join(map(quote, wish.names)),
        "MARK": wish.mark,
        "MOST_IMAGES": str(MOST_IMAGES),
        "IMAGE_BYTES": str(IMAGE_BYTES),
        "RUNS": "\n".join(
            f"    each {timeline} {quote(first)} {quote(last)}" for timeline, first, last in wish.runs
        ),
    }
    return script("moment.sh", profile, choices, "walconsole-moment", values)


def names_script(
    profile: Profile, choices: DropletChoices, query: str, wanted: Mapping[int, Sequence[int]]
) -> str:
    """Asks the catalogues of today: by database's OID, for these OIDs and files."""
    server = replace(profile.postgres, database="")
    values = {
        "PSQL_OPTIONS": join(psql_options(profile.postgres)),
        "PSQL_SERVER": join(word for word in psql_options(server) if word not in ("-d", "")),
        "PGCLUSTER": cluster_choice(profile.postgres),
        "QUERY": query.rstrip(),
        "ASKED": "\n".join(
            f"ask {database} {','.join(map(str, numbers))}" for database, numbers in wanted.items()
        ),
    }
    return script("names.sh", profile, choices, "walconsole-names", values)
