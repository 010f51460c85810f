"""Archive commands as people write them, wrapped, branching, half computed: found rightly or not at all."""

import pytest

from tests.unit.host_of_files import Host, told
from walconsole.domain.archivers.discovery import Settings
from walconsole.domain.archivers.target import ArchiveTarget, Discovery, FolderStore, S3Store, UnreadStore
from walconsole.domain.redaction import safe

pytestmark = pytest.mark.cases("Archive commands: wrapped, branching, half computed")

HOME = "/var/lib/postgresql"
E = "https://s3.example.net"
SERVERS = {
    "AWS_ACCESS_KEY_ID": "AE", "AWS_SECRET_ACCESS_KEY": "SE", "AWS_REGION": "x", "AWS_ENDPOINT_URL": E,
}  # fmt: skip
PUT = "aws s3 cp %p s3://acme-wal/p/%f"
RIGHT = (E, "x", "acme-wal", "p/", True, "AE")
AMAZONS = ("https://s3.x.amazonaws.com", "x", "acme-wal", "p/", False, "AE")


def found(
    command: str, files: dict[str, str] | None = None, unreadable: tuple[str, ...] = (), **environ: str
) -> Discovery:
    """By the server's own environment unless another is given."""
    return Host(files or {}, environ or SERVERS, unreadable=unreadable).find_out(Settings(command))


def only(discovery: Discovery) -> ArchiveTarget:
    (target,) = discovery.targets
    return target


def unread(discovery: Discovery) -> UnreadStore:
    store = only(discovery).store
    assert isinstance(store, UnreadStore), store
    return store


PASSED = [
    "aws s3 cp %p \\\n  s3://acme-wal/p/%f",
    f"env -S 'AWS_REGION=x {PUT}'",
    f"env --unset=LC_ALL {PUT}",
    f"sudo -E -u backup -- {PUT}",
    f"nice -n19 {PUT}",
    f"nice -19 {PUT}",
    f"ionice -c2 -n7 nice --adjustment=19 {PUT}",
    f"timeout --kill-after=5 $LIMIT {PUT}",
    f"timeout -k5 5.5m {PUT}",
    f"flock -xw 10 /run/l {PUT}",
    f"flock -x /run/l -c '{PUT}'",
    f"bash -euo pipefail -c '{PUT}'",
    f"sh -ec '{PUT}'",
    'bash -c \'aws s3 cp "$0" s3://acme-wal/p/"$1"\' %p %f',
    "sh -c 'exec \"$@\"' sh " + PUT,
    "eval 'aws s3 cp %p s3://acme-wal/p/%f'",
    "echo %p | xargs -I{} aws s3 cp {} s3://acme-wal/p/%f",
    f"( cd /tmp; {PUT} )",
    f"while ! {PUT}; do sleep 1; done",
    f"chpst -u postgres:postgres -n 5 {PUT}",
    f"test -f /data/pause && exit 1; {PUT} >/dev/null 2>&1",
    f"chrt -i 0 {PUT}",
    f"cgexec -g io:wal nocache {PUT}",
    f"trickle -s -u 500 {PUT}",
]


@pytest.mark.parametrize("command", PASSED)
def test_it_is_read_through(command: str) -> None:
    assert told(only(found(command))) == RIGHT


@pytest.mark.parametrize(
    "command",
    [
        f"env -u AWS_ENDPOINT_URL {PUT}",
        f"env --unset=AWS_ENDPOINT_URL {PUT}",
        f"unset AWS_ENDPOINT_URL; {PUT}",
        f"env - AWS_REGION=x AWS_ACCESS_KEY_ID=AE AWS_SECRET_ACCESS_KEY=SE {PUT}",
    ],
)
def test_what_is_taken_from_the_environment_is_gone(command: str) -> None:
    assert told(only(found(command))) == AMAZONS


OPEN = [
    (f"sudo -u backup {PUT}", "backup"),
    (f"sudo -Hu backup {PUT}", "backup"),
    (f"sudo --user=backup -- {PUT}", "backup"),
    (f"sudo {PUT}", "root"),
    (f"env -u AWS_ENDPOINT_URL bash --login -c '{PUT}'", "the profile that bash --login reads"),
    (f"env -u AWS_ENDPOINT_URL bash -lc '{PUT}'", "the profile that bash -lc reads"),
    (f"doas -u backup {PUT}", "backup"),
    (f"su - backup -c '{PUT}'", "backup"),
    (f"su backup -s /bin/sh -c 'env -u AWS_ENDPOINT_URL {PUT}'", "backup"),
    (f"env -u AWS_ENDPOINT_URL gosu backup {PUT}", "backup"),
    (f"env -u AWS_ENDPOINT_URL setpriv --reuid backup {PUT}", "backup"),
    (f"env -i sh -c 'export $(cat /etc/wal.env); {PUT}'", "environment"),
    (f"unset AWS_ENDPOINT_URL; . $FILE; {PUT}", "read in"),
    (f"unset AWS_ENDPOINT_URL; . /etc/wal.env; {PUT}", "/etc/wal.env"),
    (f"export AWS_ENDPOINT_URL=$(cat /etc/endpoint); {PUT}", "AWS_ENDPOINT_URL is computed"),
    (f"AWS_PROFILE=$WHO AWS_ENDPOINT_URL= {PUT}", "AWS_PROFILE is computed"),
    ("aws --profile $WHO s3 cp %p s3://acme-wal/p/%f", "--profile is computed"),
    ("aws --endpoint-url $WHERE s3 cp %p s3://acme-wal/p/%f", "--endpoint-url is computed"),
    (f"AWS_ENDPOINT_URL='not an address' {PUT}", "AWS_ENDPOINT_URL is no address"),
    (f"env -u AWS_ENDPOINT_URL aws $OPTIONS {PUT[4:]}", "options are computed"),
    (f"envdir $FOLDER env -u AWS_ENDPOINT_URL {PUT}", "environment"),
    (f"envdir /etc/wal.d env -u AWS_ENDPOINT_URL {PUT}", "/etc/wal.d/AWS_PROFILE"),
]


@pytest.mark.parametrize(("command", "why"), OPEN)
def test_a_default_is_no_answer_where_something_may_say_otherwise(command: str, why: str) -> None:
    files = {
        "/etc/wal.env": "AWS_ENDPOINT_URL=https://elsewhere.example.net\n",
        "/etc/wal.d/AWS_PROFILE": "x",
    }
    discovery = found(command, files, unreadable=tuple(files))
    store = unread(discovery)
    assert "s3://acme-wal/p, at an endpoint that only the run of the command tells" in str(store)
    assert why in store.why
    assert not only(discovery).commands.look


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("eval $COMMAND", "the run of the command alone tells"),
        ('cd /; eval "$(cat /etc/archive.cmd)"', "the run of the command alone tells"),
        ("$TOOL %p", "the run of the command alone tells"),
        ("cp %p $HOME/wal/%f", "known only when the command runs"),
        ("cp %p /tmp/%f", "a place of passage"),
        (f"sh <<END\n{PUT}\nEND", "its standard input"),
        ("cat /etc/archive.sh | bash", "its standard input"),
        ("make -f /etc/wal.mk archive FILE=%p", "/etc/wal.mk is a program for make"),
        ("python3 /opt/archive.py %p", "/opt/archive.py is a program for python3"),
        ("python3 -c 'upload(\"SEKRET\")' %p", "a program for python3"),
        ("/etc/wal/Makefile %p", "a program for make"),
        ("docker exec walg wal-g wal-push %p", "inside a container is not followed"),
        ("docker run -v /data:/d amazon/aws-cli s3 cp /d/%p s3://acme-wal/p/%f", "inside a container"),
        ("docker exec -i store sh -c 'cat > /wal/%f' < %p", "inside a container"),
        ("kubectl exec -i store -- tee /wal/%f < %p >/dev/null", "inside a container"),
        ("aws-vault exec prod -- " + PUT, "aws-vault is not found"),
        ("chroot /srv/jail cp %p /wal/%f", "chroot is not found"),
        ("chpst -/ /srv/jail cp %p /wal/%f", "chpst is not found"),
        ("curl -sf -u AK:SEKRET -T %p https://s3.example.net/acme-wal/%f", "where it sends a segment"),
        ('lftp -e "put %p -o /wal/%f; bye" sftp://wal:SEKRET@store', "where it sends a segment"),
        ('ssh repo@store "pgbackrest --stanza=main archive-push" < %p', "what ssh has the other host do"),
        ('sftp -b - pg@store <<< "put %p /wal/%f"', "what sftp has the other host do"),
        ("echo 'put %p /wal/%f' | sftp -b - pg@store", "what sftp has the other host do"),
        ("cat %p | restic -r /mnt/repo backup --stdin --stdin-filename %f", "snapshots of its own format"),
        ("borg create ssh://b@box:22/./wal::%f-$(date +%%Y) %p", "snapshots of its own format"),
        ("kopia snapshot create %p", "snapshots of its own format"),
        ("tar -zcf /mnt/wal/%f.tar.gz %p", "files of its own format"),
        ("zip -q /mnt/wal/%f.zip %p", "files of its own format"),
        ("az storage blob upload --container-name wal --name %f --file %p --account-key SEKRET", "own API"),
        ("/usr/bin/admin-mgr wal-push %p >> /var/log/wal-g/wal-push.log 2>&1", "it is Supabase's"),
        ("exec-with-env demo -- wal-g wal-push %p", "it is StackGres's"),
        ("gzip %p", "a place of passage"),
        ("gzip <%p >%p.gz", "a place of passage"),
        ("openssl dgst -sha256 -out /mnt/sums/%f %p", "a place of passage"),
        ("sshpass -p SEKRET scp %p pg@store:/srv/wal/%f", "sshpass is not found"),
        (
            "pgbackrest --config=/etc/none --stanza=main archive-push %p",
            "/etc/none is not read: it is not there",
        ),
        ("pgbackrest --stanza=main archive-push %p", "permission denied"),
        ("env -i s3cmd put %p s3://acme-wal/%f", f"{HOME}/.s3cfg is not read: it is not there"),
        ("env -i s3cmd -c /etc/pgbackrest/pgbackrest.conf put %p s3://acme-wal/%f", "permission denied"),
        ("sudo -u backup rclone copyto %p sp:acme-wal/%f", "has the remote sp"),
        ("rclone --config $FILE copyto %p sp:acme-wal/%f", "has the remote sp"),
        ("rclone --config <(gpg -d /etc/rclone.gpg) copyto %p sp:acme-wal/%f", "has the remote sp"),
    ],
)
def test_what_cannot_be_told_is_said_to(command: str, why: str) -> None:
    files = {
        f"{HOME}/.config/rclone/rclone.conf": "[sp]\ntype=s3\nendpoint=https://wrong.example.net\n",
        "/etc/wal/Makefile": "#!/usr/bin/make -f\narchive:\n\ttrue\n",
        "/etc/pgbackrest/pgbackrest.conf": "[global]\n",
    }
    discovery = found(command, files, unreadable=("/etc/pgbackrest/pgbackrest.conf",))
    assert why in unread(discovery).why
    assert "SEKRET" not in repr(discovery)
    assert not any("stores nothing" in note for note in discovery.notes)


FOLDERS = [
    ("cd /mnt/wal && cp /data/%p %f", ["/mnt/wal"]),
    ("cd /mnt/wal && cp $OLDPWD/%p .", ["/mnt/wal"]),
    ("env -C /mnt/wal cp /data/%p ./%f", ["/mnt/wal"]),
    ("(cd /elsewhere && ls); cp %p archive/%f", ["/data/archive"]),
    ("cp %p ~/wal/%f", [f"{HOME}/wal"]),
    ("cp %p /mnt/wal/%f.tmp && mv /mnt/wal/%f.tmp /mnt/wal/%f", ["/mnt/wal"]),
    ("cp %p /mnt/wal/tmp/%f && mv /mnt/wal/tmp/%f /mnt/wal/%f", ["/mnt/wal"]),
    ("cp %p /mnt/wal/%f || { rm -f /mnt/wal/%f; exit 1; }", ["/mnt/wal"]),
    ("cp %p /mnt/wal/%f && rm -f /mnt/wal/%f.done", ["/mnt/wal"]),
    ("cp %p /mnt/wal/%f; rm -f $(ls -t /mnt/wal | tail -n +100)", ["/mnt/wal"]),
    ("rm -f /mnt/wal/%f; cp %p /mnt/wal/%f", ["/mnt/wal"]),
    ("cp %p /mnt/a/%f && cp %p /mnt/b/%f", ["/mnt/a", "/mnt/b"]),
    ("cp %p /mnt/a/%f || cp %p /mnt/b/%f", ["/mnt/a"]),
    ("test -f /mnt/a/%f || cp %p /mnt/a/%f", ["/mnt/a"]),
    ("mountpoint -q /mnt/a || exit 1; cp %p /mnt/a/%f", ["/mnt/a"]),
    # what is signed or summed is no second archive
    ("cp %p /mnt/a/%f && openssl dgst -sha256 -out /mnt/sums/%f.sha %p", ["/mnt/a"]),
    ("cp %p /mnt/a/%f && gpg --detach-sign -o /mnt/sigs/%f.sig %p", ["/mnt/a"]),
    ("cp %p /mnt/a/%f && sha256sum %p > /mnt/sums/%f", ["/mnt/a"]),
]


@pytest.mark.parametrize(("command", "folders"), FOLDERS)
def test_a_folder_is_where_the_file_stays(command: str, folders: list[str]) -> None:
    stores = [target.store for target in found(command).targets]
    assert [store.path.value for store in stores if isinstance(store, FolderStore)] == folders
    layouts = {target.layout.value for target in found(command).targets if target.layout is not None}
    assert layouts == {"%f"}


def test_a_place_of_passage_is_no_copy() -> None:
    staged = "/mnt/stage/%f.gz"
    command = f"gzip -c %p >{staged} && aws s3 cp {staged} s3://acme-wal/p/%f.gz && rm {staged}"
    target = only(found(command))
    assert told(target) == RIGHT
    assert target.layout is not None
    assert target.layout.value == "%f.gz"


@pytest.mark.parametrize(
    "command",
    [
        "cp %p /mnt/stage/%f && aws s3 mv /mnt/stage/%f s3://acme-wal/p/%f",
        "cp %p /mnt/stage/%f && aws s3 mv --recursive /mnt/stage/ s3://acme-wal/p/",
        "gzip -c %p >%p.gz && aws s3 cp %p.gz s3://acme-wal/p/%f && rm %p.gz",
    ],
)
def test_what_a_client_takes_from_a_folder_was_in_passage_there(command: str) -> None:
    assert told(only(found(command))) == RIGHT


@pytest.mark.parametrize(
    ("command", "layout", "compression"),
    [
        ("cp %p /mnt/wal/%f && gzip -f /mnt/wal/%f", "%f.gz", "gzip"),
        ("cp %p /mnt/wal/ && pigz -9 /mnt/wal/%f", "%f.gz", "gzip"),
        ("cp %p /mnt/wal/%f && zstd -q --rm /mnt/wal/%f", "%f.zst", "zstd"),
        ("cp %p /mnt/wal/%f && zstd -q /mnt/wal/%f", "%f", "none"),
        ("cp %p /mnt/wal/%f && gzip -k /mnt/wal/%f", "%f", "none"),
        ("cp %p /mnt/wal/%f && gzip -t /mnt/wal/%f", "%f", "none"),
        ("gpg --encrypt -r a@b --output /mnt/wal/%f.gpg %p", "%f.gpg", "none"),
        ("ssh store 'cat > /mnt/wal/%f.part && mv /mnt/wal/%f.part /mnt/wal/%f' < %p", "%f", "none"),
    ],
)
def test_it_is_where_and_as_what_the_last_command_leaves_it(
    command: str, layout: str, compression: str
) -> None:
    target = only(found(command))
    assert isinstance(target.store, FolderStore)
    assert target.store.path.value == "/mnt/wal"
    assert target.layout is not None
    assert target.compression is not None
    assert (target.layout.value, target.compression.value) == (layout, compression)


def test_where_it_only_goes_when_the_first_fails_is_no_second_copy() -> None:
    discovery = found(f"{PUT} || cp %p /mnt/fallback/%f")
    assert told(only(discovery)) == RIGHT
    assert "cp archives to /mnt/fallback only where what stands before it failed" in discovery.notes


@pytest.mark.parametrize(
    "command",
    [
        f"if [ -f /etc/use-s3 ]; then {PUT}; else cp %p /mnt/wal/%f; fi",
        f"case %f in *.history) cp %p /mnt/wal/%f;; *) {PUT};; esac",
    ],
)
def test_which_branch_runs_is_not_guessed(command: str) -> None:
    store = unread(found(command))
    assert "/mnt/wal" in str(store)
    assert "s3://acme-wal/p" in str(store)
    assert "which of them takes a file, only the run of the command tells" in store.why


def test_a_program_that_is_given_the_copy_is_named_beside_it() -> None:
    discovery = found("cp %p /mnt/stage/%f && /opt/ship /mnt/stage/%f", {"/opt/ship": "ELF"})
    assert str(only(discovery).store) == "/mnt/stage"
    (note,) = [each for each in discovery.notes if "besides" in each]
    assert not [
        each for each in found("cp %p /mnt/wal/%f; curl -d 'got %f' https://h").notes if "curl" in each
    ]
    assert note.startswith("besides, ship is given what is archived: /opt/ship is not known here")


SCRIPTS = {
    # a variable with two values is none
    "if [ -f /etc/dr ]; then B=acme-dr; else B=acme-wal; fi": None,
    "B=acme-wal\n[ -f /etc/dr ] && B=acme-dr": None,
    'B=acme-wal\ncase "$1" in *.history) B=acme-dr ;; esac': None,
    "B=acme-dr\nread B </etc/bucket": None,
    "B=acme-dr\nfor B in acme-a acme-b; do :; done": None,
    # a value that holds
    "B=acme-wal": "acme-wal",
    "if [ -z \"$B\" ]; then B=acme-wal; fi": "acme-wal",
    "B=acme-dr\nB=acme-wal": "acme-wal",
    "( B=acme-dr )\nB=${B:-acme-wal}": "acme-wal",
    "f() { local B=acme-dr; echo $B; }\nB=acme-wal\nf": "acme-wal",
    "readonly B=acme-wal": "acme-wal",
    "typeset B=acme-wal": "acme-wal",
}  # fmt: skip


@pytest.mark.parametrize(("before", "bucket"), SCRIPTS.items(), ids=[each[:40] for each in SCRIPTS])
def test_a_variable_of_a_script_is_what_it_is_for_certain(before: str, bucket: str | None) -> None:
    script = f'#!/bin/bash\n{before}\naws s3 cp "$1" "s3://$B/p/$2"\n'
    store = only(found("/opt/a %p %f", {"/opt/a": script})).store
    if bucket is None:
        assert isinstance(store, UnreadStore), store
    else:
        assert isinstance(store, S3Store), store
        assert store.bucket.value == bucket


@pytest.mark.parametrize(
    ("before", "layout"),
    [
        ("", "%f"),
        ('set -- "wal-$1" "$2"', "wal-%f"),
        ("shift", "…"),
        ("while getopts x o; do :; done; shift $((OPTIND - 1))", "%f"),
        ("while [ $# -gt 2 ]; do shift; done", "…"),
    ],
)
def test_a_scripts_words_are_followed_as_long_as_they_are_known(before: str, layout: str) -> None:
    script = f'#!/bin/sh\n{before}\naws s3 cp "$2" "s3://acme-wal/p/$1"\n'
    target = only(found("/opt/a %f %p" if before != "shift" else "/opt/a $WHO %f %p", {"/opt/a": script}))
    assert target.layout is not None
    assert target.layout.value == layout


def test_a_script_of_three_megabytes_is_read_from_its_beginning() -> None:
    text = f"#!/bin/sh\n{PUT.replace('%p', '$1').replace('%f', '$2')}\n" + "# and so on\n" * 250_000
    assert len(text) > 3_000_000
    assert told(only(found("/opt/a %p %f", {"/opt/a": text}))) == RIGHT


@pytest.mark.parametrize(
    "command",
    [
        "rsync %p rsync://wal:SEKRET@store/wal/%f",
        "aws --endpoint-url https://AK:SEKRET@s3.example.net s3 cp %p s3://acme-wal/p/%f",
        "mc cp %p https://AK:SEKRET@s3.example.net/acme-wal/%f",
        "aws s3 cp %p s3://AK:SEKRET@acme-wal/p/%f",
        "gpg --batch --passphrase SEKRET -c -o /mnt/wal/%f.gpg %p",
        "openssl enc -aes-256-cbc -pass pass:SEKRET -in %p -out /mnt/wal/%f.enc",
        "gsutil -o Credentials:gs_secret_access_key=SEKRET cp %p gs://acme/%f",
        "AWS_SECRET_ACCESS_KEY=SEKRET $TOOL %p",
        "RCLONE_CONFIG_PASS=SEKRET rclone --config /c copyto %p sp:acme-wal/%f",
    ],
)
def test_a_secret_in_an_odd_place_is_not_shown(command: str) -> None:
    discovery = found(command, {"/c": "RCLONE_ENCRYPT_V0:\nabc"})
    values = [(name, value.value, value.source) for each in discovery.targets for name, value in each.rows()]
    shown = [text for each in discovery.targets for _, text in each.commands.named() if safe(text) == text]
    stores = [str(each.store) for each in discovery.targets]
    assert "SEKRET" not in repr((values, shown, stores, discovery.notes, discovery))
