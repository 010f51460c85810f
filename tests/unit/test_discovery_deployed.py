"""Archive commands as they are deployed: found rightly, or named and not read."""

import pytest

from tests.data.deployed import FORMS, PGBACKREST, Form
from tests.data.deployed_more import MORE
from tests.data.deployed_yet_more import YET_MORE
from tests.unit.host_of_files import Host
from walconsole.domain.archivers.discovery import Settings, stores_nothing
from walconsole.domain.archivers.target import ArchiveTarget, Discovery, FolderStore, S3Store, UnreadStore

pytestmark = pytest.mark.cases("Archive commands as they are deployed, by public repositories")


def found(form: Form) -> Discovery:
    return Host(form.files, form.environ).find_out(Settings(form.command))


ALL = [*FORMS, *MORE, *YET_MORE]


@pytest.mark.parametrize("form", ALL, ids=[f"{at}: {form.where}" for at, form in enumerate(ALL)])
def test_what_it_says_is_so_or_said_to_be_unread(form: Form) -> None:
    discovery = found(form)
    (target,) = discovery.targets
    assert target.tool.value == form.tool
    if form.why:
        assert isinstance(target.store, UnreadStore), target.store
        assert form.why in target.store.why
        assert str(target.store).startswith(form.store)
    else:
        assert isinstance(target.store, S3Store | FolderStore), target.store
        assert str(target.store) == form.store
        assert target.encryption is None or target.encryption.value == form.encryption
    _agrees(target, form)
    commands = dict(target.commands.named())
    assert "HIDDEN" not in repr((discovery, str(target.store), commands, discovery.notes))
    assert not stores_nothing(form.command)


def _agrees(target: ArchiveTarget, form: Form) -> None:
    """Where the form says more."""
    if form.layout:
        assert target.layout is not None
        assert target.layout.value == form.layout
    if form.compression:
        assert target.compression is not None
        assert target.compression.value == form.compression
    if form.look is not None:
        assert target.commands.look == form.look


def test_sixty_forms_and_more_of_thirty_tools() -> None:
    assert len(FORMS) >= 60
    assert len({form.tool for form in FORMS}) >= 25


@pytest.mark.parametrize("library", ["pg_tde", "orioledb", "/usr/lib/postgresql/17/lib/pagestore.so"])
def test_a_library_that_is_not_known_is_named(library: str) -> None:
    (target,) = Host({}).find_out(Settings(library=library)).targets
    assert isinstance(target.store, UnreadStore)
    assert target.tool.value == library.rpartition("/")[2].removesuffix(".so")
    assert "not known here" in target.store.why


BOTH = f"scp %p t@h:/a/%f && {'pgbackrest --stanza=main archive-push %p'}"


def test_what_is_copied_by_hand_and_by_a_tool_are_two_copies() -> None:
    discovery = Host(PGBACKREST).find_out(Settings(BOTH))
    assert [str(each.store) for each in discovery.targets] == ["t@h:/a", "/srv/repo"]
    assert "several archive: scp, pgBackRest" in discovery.notes


def test_what_the_shell_keeps_to_itself_is_said() -> None:
    """A file of plain assignments that is read in: WAL-G finds no storage, and says nothing of why."""
    for before, kept in (
        (". /e;", True),
        ("set -a; . /e;", False),
        (". /e; export WALG_FILE_PREFIX;", False),
    ):
        found = Host({"/e": "WALG_FILE_PREFIX=/srv/w\nOTHER=x\n"}).find_out(
            Settings(f"{before} wal-g wal-push %p")
        )
        said = [each for each in found.notes if "not exported" in each]
        assert bool(said) == kept, (before, found)
        assert all(each.startswith("WALG_FILE_PREFIX: set in") for each in said)


@pytest.mark.parametrize(
    ("command", "tool"),
    [
        ("aws s3 cp %p s3://acme/%f", "aws 1.29 and 2.13"),
        ("barman-cloud-wal-archive s3://acme main %p", "boto3 1.28"),
    ],
)
def test_an_endpoint_that_only_a_variable_names_is_told_to_need_a_newer_client(
    command: str, tool: str
) -> None:
    """Debian 12's barman-cloud asked Amazon, with AWS_ENDPOINT_URL in its environment (tried)."""
    host = Host({}, {"AWS_ENDPOINT_URL": "https://s3.example.net"})
    (target,) = host.find_out(Settings(command)).targets
    assert [
        note
        for note in target.notes
        if note.startswith(f"only {tool} and newer read variable AWS_ENDPOINT_URL")
    ]
    program, rest = command.split(" ", 1)
    (target,) = host.find_out(Settings(f"{program} --endpoint-url https://s3.example.net {rest}")).targets
    assert target.notes == ()


def test_several_patterns_of_a_case_are_no_pipe() -> None:
    script = (
        "#!/bin/sh\ncase $2 in *.history|*.backup) cp $1 /a/$2;; a|b) cp $1 /a/$2;; *) cp $1 /a/$2;; esac\n"
    )
    discovery = Host({"/opt/a.sh": script}).find_out(Settings("/opt/a.sh %p %f"))
    assert [str(each.store) for each in discovery.targets] == ["/a"]
    assert discovery.notes == ()


def test_a_byte_order_mark_is_said_and_the_script_followed() -> None:
    """The kernel takes no such file for a script, and the shell runs it: one error, and then its commands."""
    script = '\ufeff#!/bin/sh\ncp "$1" "/a/$2"\n'
    discovery = Host({"/opt/a.sh": script}).find_out(Settings("/opt/a.sh %p %f"))
    assert [str(each.store) for each in discovery.targets] == ["/a"]
    (note,) = discovery.notes
    assert note.startswith("/opt/a.sh begins with a byte order mark")


GETOPTS = """#!/bin/bash
DEST=/default
while getopts "p:f:d:" opt; do
  case $opt in
    p) SRC=$OPTARG ;;
    f) NAME=$OPTARG ;;
    d) DEST="$OPTARG" ;;
    *) exit 1 ;;
  esac
done
"""
LONG = """#!/bin/sh
while [ $# -gt 0 ]; do
  case "$1" in
    --path) SRC="$2"; shift 2 ;;
    --file) NAME="$2"; shift 2 ;;
    --dest) DEST="$2"; shift 2 ;;
    *) shift ;;
  esac
done
"""
VERBS = """#!/bin/sh
case "$1" in
  push|archive) cp "$2" "/w/$3" ;;
  pull) cp "/r/$2" "$3" ;;
  *) exit 2 ;;
esac
"""


@pytest.mark.parametrize(
    ("command", "script", "store"),
    [
        ("-p %p -f %f -d /mnt/wal", GETOPTS + 'cp "$SRC" "$DEST/$NAME"\n', "/mnt/wal"),
        ("-p%p -f%f", GETOPTS + 'cp "$SRC" "$DEST/$NAME"\n', "/default"),
        ("-d /mnt/wal %p %f", GETOPTS + 'shift $((OPTIND - 1))\ncp "$1" "$DEST/$2"\n', "/mnt/wal"),
        ("--path %p --file %f --dest b@h:/w", LONG + 'rsync -a "$SRC" "$DEST/$NAME"\n', "b@h:/w"),
        ("archive %p %f", VERBS, "/w"),
        ("push %p %f", VERBS, "/w"),
    ],
)
def test_options_that_a_script_reads_are_followed(command: str, script: str, store: str) -> None:
    (target,) = Host({"/opt/a.sh": script}).find_out(Settings(f"/opt/a.sh {command}")).targets
    assert str(target.store) == store
    assert target.layout is not None
    assert target.layout.value == "%f"


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (GETOPTS + 'cp "$SRC" "$WHERE/$NAME"\n', "known only when the command runs"),
        ("#!/bin/bash\nsftp -b - pg@h <<EOF\nput $1 /w/$2\nEOF\n", "what sftp has the other host do"),
        ("#!/bin/bash\nlftp sftp://h <<EOF\nput $1 -o /w/$2\nEOF\n", "where it sends a segment"),
    ],
)
def test_a_script_of_which_only_the_run_tells_the_place_is_not_said_to_store_nothing(
    script: str, why: str
) -> None:
    (target,) = Host({"/opt/a.sh": script}).find_out(Settings("/opt/a.sh -p %p -f %f")).targets
    assert isinstance(target.store, UnreadStore)
    assert why in target.store.why


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("tar czf - %p | ssh h 'cat > /b/%f.tgz'", "tar packs the segment"),
        ("tar cf - %p | ssh h 'gzip > /b/%f.tgz'", "tar packs the segment"),
        ("zip - %p | cat > /b/%f.zip", "zip packs the segment"),
        ("cpio -o < %p | aws s3 cp - s3://acme/%f", "cpio packs the segment"),
        ("aespipe < %p | tee /b/%f >/dev/null", "what aespipe makes of a segment is not known"),
    ],
)
def test_what_is_no_segment_any_more_when_it_is_stored_is_not_read(command: str, why: str) -> None:
    (target,) = Host({}).find_out(Settings(command)).targets
    assert isinstance(target.store, UnreadStore)
    assert target.store.why.startswith(why)
    assert (target.compression, target.encryption) == (None, None)


@pytest.mark.parametrize(
    "command",
    ["echo y | cp -i %p /b/%f", "ls %p | xargs -I{} cp {} /b/%f", "cat %p | gzip | gpg -e -r x | pv > /b/%f"],
)
def test_what_only_answers_names_or_hands_on_changes_nothing(command: str) -> None:
    (target,) = Host({}).find_out(Settings(command)).targets
    assert str(target.store) == "/b"


def test_what_both_streams_are_sent_to_is_where_the_file_is() -> None:
    """bash's `&>`."""
    (target,) = (
        Host({"/opt/a.sh": "#!/bin/bash\ngzip -c $1 &> /w/$2.gz\n"})
        .find_out(Settings("/opt/a.sh %p %f"))
        .targets
    )
    assert str(target.store) == "/w"


SOURCED = "set -a\nsource /etc/wal-g.env\nwal-g wal-push $1\n"
WALG_FILE = {"/etc/wal-g.env": "WALG_FILE_PREFIX=/srv/w\n"}


@pytest.mark.parametrize(
    ("shell", "command", "files", "read"),
    [
        ("dash", "set -a; source /etc/wal-g.env; wal-g wal-push %p", {}, False),
        ("bash", "set -a; source /etc/wal-g.env; wal-g wal-push %p", {}, True),
        ("", "set -a; source /etc/wal-g.env; wal-g wal-push %p", {}, True),
        ("dash", "set -a; . /etc/wal-g.env; wal-g wal-push %p", {}, True),
        ("dash", "bash -c 'set -a; source /etc/wal-g.env; wal-g wal-push %p'", {}, True),
        (
            "dash",
            "/a.sh %p",
            {"/a.sh": f"#!/bin/bash\n{SOURCED}"},
            True,
        ),
        (
            "dash",
            "/a.sh %p",
            {"/a.sh": f"#!/bin/sh\n{SOURCED}"},
            False,
        ),
        ("dash", "bash /a.sh %p", {"/a.sh": f"#!/bin/sh\n{SOURCED}"}, True),
    ],
)
def test_source_is_a_word_that_dash_does_not_know(
    shell: str, command: str, files: dict[str, str], read: bool
) -> None:
    """`sh: 1: source: not found`, and WAL-G then says that no storage is configured (tried)."""
    found = Host({**WALG_FILE, **files}, sh=shell).find_out(Settings(command))
    (target,) = found.targets
    assert isinstance(target.store, FolderStore) is read, found
    assert any("dash, which has none" in note for note in found.notes) is not read


@pytest.mark.parametrize(
    ("how", "text", "bucket"),
    [
        ("export $(cat /e)", "B=acme\n", "acme"),
        ("export $(grep -v '^#' /e | xargs)", "# B=other\nB='acme'\n", "acme"),
        ("export `cat /e`", "B=acme\nC=x\n", "acme"),
        ("export $(xargs < /e)", 'B="acme"\n', "acme"),
        ("export $(cat /e)", "B=acme\nC=a b\n", ""),
        ("export $(cat /e)", "B=$(pass show b)\n", ""),
        ("export $(decrypt /e)", "B=acme\n", ""),
    ],
)
def test_a_file_whose_lines_are_exported_is_read(how: str, text: str, bucket: str) -> None:
    script = f'#!/bin/sh\n{how}\naws s3 cp "$1" "s3://$B/w/$2"\n'
    (target,) = Host({"/e": text, "/a.sh": script}).find_out(Settings("/a.sh %p %f")).targets
    assert (target.store.bucket.value if isinstance(target.store, S3Store) else "") == bucket


@pytest.mark.parametrize(
    "script",
    [
        'OUT=$(cp "$1" "/w/$2" 2>&1) || { echo "$OUT"; exit 1; }\n',
        'if ! OUT=$(cp "$1" "/w/$2" 2>&1); then exit 1; fi\n',
        'OUT=`cp "$1" "/w/$2" 2>&1`\n[ $? -eq 0 ] || exit 1\n',
        'SIZE=$(stat -c %s "$1")\nSUM=$(sha256sum "$1")\ncp "$1" "/w/$2"\n',
    ],
)
def test_what_is_run_for_its_output_may_store(script: str) -> None:
    (target,) = Host({"/a.sh": f"#!/bin/sh\n{script}"}).find_out(Settings("/a.sh %p %f")).targets
    assert str(target.store) == "/w"


@pytest.mark.parametrize(
    ("command", "place", "why"),
    [
        ("test ! -f /tmp/%f && cp %p /tmp/%f", "/tmp", "which the system empties"),
        ("cp %p /tmpfiles/%f", "/tmpfiles", ""),
        ("cp %p /devops/wal/%f", "/devops/wal", ""),
        ("cp %p /runs/%f", "/runs", ""),
        ("cp %p /dev/shm/w/%f", "/dev/shm/w", "which the system empties"),
        ("gzip -c %p > /tmp/%f.gz && cp /tmp/%f.gz /w/ && rm /tmp/%f.gz", "/w", ""),
        ("gzip -c %p > /tmp/%f.gz && b2 upload-file acme /tmp/%f.gz %f.gz", "bucket acme", "own API"),
    ],
)
def test_a_place_of_passage_is_the_archive_where_nothing_goes_on(command: str, place: str, why: str) -> None:
    """The ANXS.postgresql role's own example archives to /tmp."""
    (target,) = Host({}).find_out(Settings(command)).targets
    assert str(target.store) == place
    assert isinstance(target.store, UnreadStore) is bool(why)
    assert why in (target.store.why if isinstance(target.store, UnreadStore) else "")
