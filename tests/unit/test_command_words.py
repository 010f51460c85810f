"""What an archive command runs, reads and writes to, as a shell would see it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walconsole.domain.archivers import command_words
from walconsole.domain.archivers.command_words import (
    DEFAULT_CONFIG,
    Program,
    configs_of,
    remotes_of,
    targets_of,
)

pytestmark = pytest.mark.cases("Archive commands, as the shell reads them")


def programs_of(command: str) -> tuple[str, ...]:
    """Their names."""
    return tuple(program.name for program in command_words.programs_of(command))


@pytest.mark.parametrize(
    ("command", "programs"),
    [
        ("", ()),
        ("/usr/local/bin/shithub-pg-archive %p %f", ("/usr/local/bin/shithub-pg-archive",)),
        ('"/opt/my tools/archive" "%p"', ("/opt/my tools/archive",)),
        ("test ! -f /mnt/server/%f && cp %p /mnt/server/%f", ("cp",)),
        ("cp %p /a/%f; rclone copy %p x:y", ("cp", "rclone")),
        ("gzip < %p | rclone rcat r:bucket/%f.gz", ("gzip", "rclone")),
        ("RCLONE_CONFIG=/etc/r.conf rclone copyto %p r:b/%f", ("rclone",)),
        ("timeout -k 5 60s rclone copyto %p r:b/%f", ("timeout", "rclone")),
        ("exec nice -n 10 wal-push %p", ("nice", "wal-push")),
        ("sh -c 'if true; then wal-g wal-push %p; fi'", ("sh", "wal-g")),
        ("sudo -u backup rsync %p host:/x", ("sudo", "rsync")),
        ("(lzop -c %p || exit 1) >/a/%f", ("lzop",)),
        ("pgbackrest --stanza=main archive-push %p", ("pgbackrest",)),
        ("sh /usr/local/bin/not-executable.sh %p", ("sh",)),
        ("flock -n /run/lock wal-push %p", ("flock", "wal-push")),
        ("exit 200", ()),
        ("cp %p 'unclosed", ("cp",)),
    ],
)  # fmt: skip
def test_programs(command: str, programs: tuple[str, ...]) -> None:
    assert set(programs) <= set(programs_of(command))
    assert [name for name in programs_of(command) if name in programs] == list(programs)
    if "-u" not in command and "-n" not in command:
        assert programs_of(command) == programs


@pytest.mark.parametrize(
    ("text", "configs"),
    [
        ("rclone --config /etc/a.conf copyto", ("/etc/a.conf",)),
        ("rclone --config='/etc/with space.conf' x", ("/etc/with space.conf",)),
        ("RCLONE_CONFIG=/root/.config/rclone/rclone.conf rclone x", ("/root/.config/rclone/rclone.conf",)),
        ("#!/bin/sh\nconfig=/etc/rclone-x.conf\nrclone --config \"$config\"", ("/etc/rclone-x.conf",)),
        ("rclone copyto %p r:b/%f", (DEFAULT_CONFIG,)),
        ("/usr/bin/rclone copyto %p r:b/%f", (DEFAULT_CONFIG,)),
        ("gzip <%p | 'rclone' rcat r:b/%f", (DEFAULT_CONFIG,)),
        ("/usr/local/bin/wal-rclone %p %f", ()),
        ("/opt/rclone/archive.sh %p %f", ()),
        ("/usr/local/bin/archive-by-rclone.sh %p", ()),
        ("#!/bin/sh\n# once this was rclone\ncp \"$1\" /archive\n", ()),
        ("cp %p /x", ()),
        ("RCLONE_CONFIG_S_TYPE=s3 rclone copyto %p s:bucket/%f", ()),
        ("#!/bin/sh\nexport RCLONE_CONFIG_S_TYPE=s3\nrclone copyto \"$1\" s:bucket/$2", ()),
        ("rclone copyto %p :s3,provider=Ceph,env_auth:bucket/%f", ()),
        ("RCLONE_CONFIG_S_TYPE=s3 rclone --config /etc/a.conf copyto %p s:bucket/%f", ("/etc/a.conf",)),
    ],
)  # fmt: skip
def test_configs(text: str, configs: tuple[str, ...]) -> None:
    assert configs_of(text) == configs


@pytest.mark.parametrize(
    ("text", "targets"),
    [
        ("rclone copyto %p spaces-prod:shithub-wal/%f", ["spaces-prod:shithub-wal"]),
        ("primary='spaces-prod:wal/a/b'\ndr='spaces-dr:wal-dr'", ["spaces-prod:wal/a/b", "spaces-dr:wal-dr"]),
        ("curl https://example.org/x", []),
        ("rclone cat r:b", []),
    ],
)  # fmt: skip
def test_targets(text: str, targets: list[str]) -> None:
    assert [str(target) for target in targets_of(text)] == targets


@pytest.mark.parametrize(
    ("command", "programs"),
    [
        ("$HOME/bin/push %p", ()),
        ("TOOL=/opt/x; ${TOOL:-wal-g} wal-push %p", ()),
        ("'/opt/a $b/push' %p", ("/opt/a $b/push",)),
        ("push() { cp %p /x; }; push", ("cp",)),
        ("case %f in *.history) cp %p /x ;; *) rsync %p h:/x ;; esac", ("cp", "rsync")),
        ("sudo -n rsync %p h:/x", ("sudo", "rsync")),
        ("sudo -n -u barman rsync %p h:/x", ("sudo", "rsync")),
        ("time -p rsync %p x", ("time", "rsync")),
        ("echo %p | xargs -I {} cp {} /x", ("xargs", "cp")),
        ("timeout --signal KILL 60 rclone copyto %p r:b/%f", ("timeout", "rclone")),
    ],
)  # fmt: skip
def test_what_is_no_program_is_not_looked_for(command: str, programs: tuple[str, ...]) -> None:
    """It would be said to be missing, on a server that archives well."""
    assert programs_of(command) == programs


@pytest.mark.parametrize(
    ("text", "remotes"),
    [
        ("rclone copyto %p spaces-prod:wal/%f", ("spaces-prod",)),
        ("rsync -a %p backup1:wal/ && rclone --config /etc/x copyto %p s:bbb/%f", ("s",)),
        ("gzip -c %p | ssh backup1:2222; timeout 9 rclone copyto %p s:bbb/%f || exit 1", ("s",)),
        ("scp %p backup1:wal/%f", ()),
    ],
)  # fmt: skip
def test_a_host_is_no_remote(text: str, remotes: tuple[str, ...]) -> None:
    assert remotes_of(text) == remotes


@given(st.text(max_size=200))
def test_nothing_makes_it_raise(text: str) -> None:
    assert all(isinstance(name, str) for name in programs_of(text))
    assert all(configs_of(text))
    assert all(str(target) for target in targets_of(text))


@pytest.mark.parametrize(
    ("command", "programs"),
    [
        ("rclone --config /etc/r.conf copyto %p s:acme-wal/$(date +%Y%m%d)/%f", ("rclone", "date")),
        (
            "d=/srv/wal; mkdir -p ${d}/$(date +%Y%m%d) && gzip -c %p > ${d}/$(date +%Y%m%d)/%f.gz",
            ("mkdir", "date", "gzip"),
        ),
        ("[[ $(date +%H%M) == 1200 ]] && rm -rf /srv/old; cp %p /srv/wal/%f", ("date", "rm", "cp")),
        ("cp %p \"/srv/`hostname -s`/$(date '+%F (%T)')/%f\"", ("cp", "hostname", "date")),
        ("cp %p /srv/$((16#%f % 16))/%f", ("cp",)),
        ("cp %p /srv/$(basename $(dirname %p))/%f", ("cp", "basename", "dirname")),
        ("PATH=/opt/wal/bin:$PATH ship-wal %p %f", ("ship-wal",)),
        ("export PATH=/opt/wal/bin:$PATH; ship-wal %p %f && /bin/sync", ("ship-wal", "/bin/sync")),
        ("PATH=$HOME/bin:$PATH ship-wal %p %f; cp %p /x", ("cp",)),
        ("PATH=$HOME/bin; ship-wal %p %f; cp %p /x", ()),
        ('cd /opt/wal && ./ship-wal "$OLDPWD/%p" %f', ("/opt/wal/ship-wal",)),
        ("cd /opt && cd wal && bin/ship-wal %p", ("/opt/wal/bin/ship-wal",)),
        ("cd $HOME/wal && ./ship-wal %p", ()),
        ("cd && ./ship-wal %p", ()),
        ("(cd /opt/wal; ./ship-wal %p); bin/x %p; cp %p /x", ("/opt/wal/ship-wal", "bin/x", "cp")),
        ("(PATH=/opt/wal/bin; ship-wal %p); cp %p /x", ("ship-wal", "cp")),
        (". /etc/wal.env; ship-wal %p %f", ()),
        ("set -a; source /etc/wal.env && /opt/ship-wal %p %f", ("/opt/ship-wal",)),
        ("env PATH=/opt/wal/bin:/usr/bin ship-wal %p", ("env", "ship-wal")),
        ("env -C /opt/wal ship-wal %p", ("env",)),
        ("envdir /etc/wal-g.d/env wal-g wal-push %p", ("envdir", "wal-g")),
        ("bash -lc 'ship-wal %p'", ("bash",)),
        ("bash -c 'set -o pipefail; gzip -c %p | aws s3 cp - s3://b/%f'", ("bash", "gzip", "aws")),
        ("flock /run/wal.lock -c 'rclone copyto %p r:b/%f'", ("flock", "rclone")),
        ("command -v lz4 >/dev/null && lz4 %p /x/%f 2>>/tmp/wal.err", ("lz4",)),
        ("case %f in history) cp %p /h ;; (partial) true ;; *) rsync %p h:/x ;; esac; "
         "sync", ("cp", "rsync", "sync")),
        ("for d in /a /b; do cp %p $d/%f || exit 1; done", ("cp",)),
        ("cp %p /x/%f # rclone was here; rsync", ("cp",)),
        ("echo 'a; rsync %p' && cp %p /x", ("cp",)),
        ("a=1 b='x; y' cp %p /x", ("cp",)),
    ],
)  # fmt: skip
def test_the_command_is_read_as_the_shell_reads_it(command: str, programs: tuple[str, ...]) -> None:
    assert programs_of(command) == programs


@pytest.mark.parametrize(
    ("text", "target", "parameters"),
    [
        ("rclone copyto %p spaces,no_check_bucket:acme-wal/%f", "spaces:acme-wal", ",no_check_bucket"),
        ("rclone copyto %p 'sp,region=x,sse=a:acme-wal/a/%f'", "sp:acme-wal/a", ",region=x,sse=a"),
        (
            "rclone copyto %p 'sp,endpoint=\"https://s3.example.net:9000\":acme-wal/%f'",
            "sp:acme-wal",
            ',endpoint="https://s3.example.net:9000"',
        ),
        ("rclone copyto %p sp:acme-wal/`date +%H:%M`/%f", "sp:acme-wal", ""),
    ],
)  # fmt: skip
def test_a_connection_string_names_its_remote(text: str, target: str, parameters: str) -> None:
    (found,) = targets_of(text)
    assert (str(found), found.parameters) == (target, parameters)
    assert remotes_of(text) == (found.remote,)


@pytest.mark.parametrize(
    ("command", "places"),
    [
        ("PATH=/opt/wal/bin:$PATH ship-wal %p", ("/opt/wal/bin/ship-wal", "ship-wal")),
        ('PATH="$PATH:/opt/a b/" ship-wal %p', ("ship-wal", "/opt/a b/ship-wal")),
        ("PATH=/opt/wal/bin ship-wal %p", ("/opt/wal/bin/ship-wal",)),
        ("export PATH=${PATH}:/snap/bin; ship-wal %p", ("ship-wal", "/snap/bin/ship-wal")),
        ("PATH=/a:$PATH; PATH=/b:$PATH ship-wal %p", ("/b/ship-wal", "/a/ship-wal", "ship-wal")),
        ("PATH=/a true; ship-wal %p", ("ship-wal",)),
        ("PATH=/a; cd /x && ship-wal %p", ("/a/ship-wal",)),
        ("env -i PATH=/a:/b timeout 60 ship-wal %p", ("/a/ship-wal", "/b/ship-wal")),
        ("PATH=/a:$PATH sh -c 'ship-wal %p'", ("/a/ship-wal", "ship-wal")),
        ("(PATH=/a); ship-wal %p", ("ship-wal",)),
        ("PATH=/a; (PATH=/b; true); ship-wal %p", ("/a/ship-wal",)),
        ("PATH='/a:/b'; ship-wal %p", ("/a/ship-wal", "/b/ship-wal")),
        ("PATH=/a:$PATH /opt/ship-wal %p", ("/opt/ship-wal",)),
        ("if PATH=/a:$PATH; then ship-wal %p; fi", ("/a/ship-wal", "ship-wal")),
    ],
)  # fmt: skip
def test_a_program_is_looked_for_where_the_commands_own_path_has_it(
    command: str, places: tuple[str, ...]
) -> None:
    (program,) = [each for each in command_words.programs_of(command) if "ship-wal" in each.name]
    assert program == Program(program.name, places)


@pytest.mark.parametrize(
    "value",
    ["$HOME/bin:$PATH", "'/a:$PATH'", "bin:/a", "/a::/b", "$(echo /a)", "`x`:/b", "~/bin", "/a/*", ""],
)
def test_a_path_that_is_computed_leaves_open_where_programs_are(value: str) -> None:
    assert "ship-wal" not in programs_of(f"PATH={value}; ship-wal %p")
