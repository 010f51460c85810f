"""Copies that stand behind a condition: counted where it holds, as far as that is known."""

import pytest

from tests.unit.host_of_files import Host
from walconsole.domain.archivers.discovery import Settings
from walconsole.domain.archivers.target import Discovery, UnreadStore

pytestmark = pytest.mark.cases(
    "Conditions of shells over variables, as scripts of public repositories have them"
)

CHAIN = (
    "if [ $T = s3 ]; then rsync -a $1 a@h:/s3/$2; elif [ $T = nas ]; then cp $1 /nas/$2; else cp $1 /o/$2; fi"
)
REMOTE = "rsync -a $1 b@h:/far/$2"


def found(
    script: str, environ: dict[str, str] | None = None, files: dict[str, str] | None = None
) -> Discovery:
    text = f"#!/bin/bash\n{script}\n"
    return Host({"/a.sh": text, **(files or {})}, environ or {}).find_out(Settings("/a.sh %p %f"))


def stores(discovery: Discovery) -> list[str]:
    return [str(target.store) for target in discovery.targets]


@pytest.mark.parametrize(
    "condition",
    [
        '[ "$REMOTE" = true ]',
        '[ "${REMOTE}" == "true" ]',
        'test "$REMOTE" = true',
        '[ "x$REMOTE" = "xtrue" ]',
        '[[ "$REMOTE" == "true" ]]',
        "[[ $REMOTE = true ]]",
        '[ "$REMOTE" != false ]',
        '[[ "$REMOTE" != "false" ]]',
        '! [ "$REMOTE" = false ]',
        '[ ! "$REMOTE" = false ]',
        '[ -n "$HOST" ]',
        '[ -n "${HOST}" ]',
        '[ ! -z "$HOST" ]',
        '[[ -n $HOST ]]',
        '[ "$HOST" ]',
        '[ -f "$1" ] && [ "$REMOTE" = true ]',
        '[ "$REMOTE" = true ] && [ -f "$1" ]',
        '[ "$REMOTE" = true -a -f "$1" ]',
        '[[ -f $1 && "$REMOTE" == true ]]',
        '[ "$REMOTE" = true ] || [ -n "$HOST" ]',
        '[ "$COUNT" -gt 0 ]',
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "form",
    [
        "if {}; then\n  {}\nfi",
        "if {}\nthen {}\nfi",
        "if {}; then :; {} || exit 1; else echo no; fi",
        "if {}; then if true; then {}; fi; fi",
        "{} && {}",
        "{} &&\n  {}",
        "{} && {{ echo so; {}; }}",
        "{} && ( {} )",
    ],
)
def test_a_copy_behind_a_condition_counts_where_it_holds(condition: str, form: str) -> None:
    if "{} &&" in form and "||" in condition:
        condition = f"{{ {condition}; }}"
    script = f"cp $1 /w/$2\n{form.format(condition, REMOTE)}"
    on = "REMOTE=true\nHOST=h\nCOUNT=2\n" + script
    off = "REMOTE=false\nHOST=\nCOUNT=0\n" + script
    assert stores(found(on)) == ["/w", "b@h:/far"]
    open_still = condition.startswith("{")  # what a group of commands ends with is not worked out
    assert stores(found(off)) == (["/w", "b@h:/far"] if open_still else ["/w"])


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (f'T=s3; {CHAIN}', ["a@h:/s3"]),
        (f'T=nas; {CHAIN}', ["/nas"]),
        (f'T=x; {CHAIN}', ["/o"]),
        ('T=nas; case "$T" in s3) rsync -a $1 a@h:/s3/$2;; nas) cp $1 /nas/$2;; esac', ["/nas"]),
        ('T=nas; if [ $T = s3 ]; then case $2 in a) cp $1 /a/$2;; *) cp $1 /b/$2;; esac; fi; cp $1 /w/$2',
      ["/w"]),
        ('T=nas; [ $T = s3 ] && for h in a b; do if true; then rsync $1 $h:/x/$2; fi; done; cp $1 /w/$2',
      ["/w"]),
        ('D=/one\n[ "$REMOTE" = true ] && D=/two\ncp $1 $D/$2', ["/one"]),
        ('D=/one\nREMOTE=true\n[ "$REMOTE" = true ] && D=/two\ncp $1 $D/$2', ["/two"]),
        (f'cp $1 /w/$2 || exit 1\n[ "$REMOTE" = true ] || exit 0\n{REMOTE}', ["/w"]),
        (f'cp $1 /w/$2\nif [ "$REMOTE" != true ]; then\n  exit 0\nfi\n{REMOTE}', ["/w"]),
        (f'far() {{\n [ "$REMOTE" = true ] || return 0\n {REMOTE}\n}}\nfar $1 $2\ncp $1 /w/$2', ["/w"]),
        (f'for n in 1 2 3; do\n if [ "$REMOTE" = true ]; then {REMOTE}; else cp $1 /w/$2; fi\ndone', ["/w"]),
    ],
)  # fmt: skip
def test_of_several_the_one_that_runs_is_taken(script: str, expected: list[str]) -> None:
    assert stores(found(f"REMOTE=false\n{script}")) == expected


@pytest.mark.parametrize(
    "before",
    [
        "REMOTE=$(cat /etc/remote)",
        "read REMOTE < /etc/remote",
        "if grep -q x /etc/y; then REMOTE=false; fi",
        "[ -e /etc/y ] && REMOTE=false",
        "REMOTE=false\nif grep -q x /etc/y; then REMOTE=true; fi",
        ". /etc/unreadable",
        "",
        "REMOTE=${REMOTE:-false}",
    ],
)
def test_what_only_the_run_tells_stays_open(before: str) -> None:
    """Both may run; a default holds only where the server's environment was read."""
    script = f'{before}\ncp $1 /w/$2\nif [ "$REMOTE" = true ]; then {REMOTE}; fi'
    assert stores(found(script)) == ["/w", "b@h:/far"]


def test_in_a_loop_a_variable_that_changes_decides_nothing() -> None:
    script = "N=0\nwhile [ $N -lt 2 ]; do if [ $N = 0 ]; then cp $1 /a/$2; else cp $1 /b/$2; fi; N=1; done"
    (target,) = found(script).targets
    assert isinstance(target.store, UnreadStore)


def test_a_default_decides_where_the_environment_was_read() -> None:
    script = f'REMOTE=${{REMOTE:-false}}\ncp $1 /w/$2\nif [ "$REMOTE" = true ]; then {REMOTE}; fi'
    assert stores(found(script, {"LANG": "C"})) == ["/w"]
    assert stores(found(script, {"REMOTE": "true"})) == ["/w", "b@h:/far"]


def test_a_file_that_is_read_in_where_it_is_there_decides() -> None:
    script = f'[ -f /etc/w.conf ] && . /etc/w.conf\ncp $1 /w/$2\nif [ "$REMOTE" = "yes" ]; then {REMOTE}; fi'
    assert stores(found(script, files={"/etc/w.conf": "REMOTE=no\n"})) == ["/w"]
    assert stores(found(script, files={"/etc/w.conf": "REMOTE=yes\n"})) == ["/w", "b@h:/far"]


def test_a_command_that_gives_up_before_it_stores_is_not_said_to_be_an_archive() -> None:
    """`ENABLED=false` in its file: it says that all is well, and stores nothing."""
    script = '. /etc/w.conf\n[ "$ENABLED" = true ] || exit 0\ncp $1 /w/$2'
    discovery = found(script, files={"/etc/w.conf": "ENABLED=false\n"})
    assert not [target for target in discovery.targets if not isinstance(target.store, UnreadStore)]
    assert stores(found(script, files={"/etc/w.conf": "ENABLED=true\n"})) == ["/w"]


ALIAS = "mc alias set m https://minio.example.net:9000 AK HIDDEN"


@pytest.mark.parametrize(
    "before",
    [
        ALIAS,
        f"{ALIAS} --api S3v4 >/dev/null",
        "mc --quiet alias set m https://minio.example.net:9000/ $K $S",
        "mcli config host add m https://minio.example.net:9000 AK HIDDEN",
        f"mc ls m >/dev/null 2>&1 || {ALIAS}",
        f"setup() {{ {ALIAS}; }}\nsetup",
        "mc alias set m https://other AK HIDDEN\n" + ALIAS,
    ],
)  # fmt: skip
@pytest.mark.parametrize("program", ["mc", "mcli"])
def test_an_alias_that_the_script_sets_itself_says_where(before: str, program: str) -> None:
    script = f"K=AK\nS=HIDDEN\n{before}\n{program} cp $1 m/acme/wal/$2"
    (target,) = found(script).targets
    assert str(target.store) == "s3://acme/wal at https://minio.example.net:9000"
    assert target.credentials.pair is not None
    assert target.credentials.pair.access_key == "AK"
    assert "HIDDEN" not in repr(target)


def test_an_alias_of_which_only_the_run_tells_the_place_is_not_guessed() -> None:
    script = "mc alias set m $(cat /etc/url) $(cat /k) $(cat /s)\nmc cp $1 m/acme/wal/$2"
    (target,) = found(script).targets
    assert isinstance(target.store, UnreadStore)
    assert "alias m" in target.store.why
