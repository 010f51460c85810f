"""Archiving that fails in a log of any language, level and format: its cause is in the command's words."""

import csv
import io
import json
from dataclasses import replace
from typing import Any

import pytest

from tests.data.archiver_log import FAILING, SEGMENT, failing_with, log_of, root_of, stamp
from tests.data.facts import NOW, archiver, healthy, read, server, settings
from walconsole.domain.facts.evidence import CommandFacts, LogKind, ProgramFacts
from walconsole.domain.facts.log_entries import entries_of, utc
from walconsole.domain.facts.snapshot import Snapshot, fold
from walconsole.domain.failures import Diagnosis, diagnose
from walconsole.domain.standing.model import Certainty

pytestmark = pytest.mark.cases("An archive command's words, in any language, level and format of the log")

WORDS = "ERROR: S3 error: 403 (InvalidAccessKeyId): no such key"


def ends_of(diagnosis: Diagnosis) -> tuple[str, str]:
    root = root_of(diagnosis)
    return root.rule, " ".join((root.title, *root.evidence))


ENDS = {
    # The message catalogues of PostgreSQL 15.
    "English": "LOG:  archive command failed with exit code 1",
    "German": "LOG:  Archivbefehl ist fehlgeschlagen mit Statuscode 1",
    "Spanish": "LOG:  la orden de archivado falló con código de retorno 1",
    "French": "LOG:  échec de la commande d'archivage avec un code de retour 1",
    "Italian": "LOG:  comando di archiviazione fallito con codice di uscita 1",
    "Japanese": "LOG:  アーカイブコマンドがリターンコード 1で失敗しました",
    "Georgian": "ჟურნალი:  არქივაციის ბრძანების შეცდომა. შეცდომის კოდი: 1",
    "Korean": "로그:  아카이브 명령 실패, 종료 코드: 1",
    "Russian": "СООБЩЕНИЕ:  команда архивации завершилась ошибкой с кодом 1",
    "Swedish": "LOGG:  arkiveringskommando misslyckades med felkod 1",
    "Ukrainian": "ЗАПИСУВАННЯ:  команда архівації завершилась помилкой з кодом 1",
    "Chinese": "日志:  归档命令执行失败，退出代码为 1",
    "Portuguese": "LOG:  comando de arquivamento falhou com código de retorno 1",
    "Polish": "DZIENNIK:  polecenie archiwizacji nie powiodło się z kodem wyjścia 1",
    "Spanish, in Latin-1": "LOG:  la orden de archivado fall\ufffd con c\ufffddigo de retorno 1",
}


@pytest.mark.among("language")
@pytest.mark.parametrize("language", ENDS)
@pytest.mark.parametrize("prefix", ["{} [77] ", "{}:[77]:user=,db=: ", ""])
def test_whatever_the_language_the_end_is_one_and_the_words_before_it_are_the_cause(
    language: str, prefix: str
) -> None:
    lines = [WORDS, prefix.format(stamp(3)) + ENDS[language]]
    entries = entries_of([(line, None) for line in lines], utc)
    assert [(entry.kind, entry.exit_code) for entry in entries] == [
        (LogKind.PROGRAM, None),
        (LogKind.FAILED, 1),
    ]
    rule, told = ends_of(failing_with(*lines))
    assert rule == "key-403"
    assert WORDS in told


@pytest.mark.parametrize(
    "end",
    [
        "FATAL:  Archivbefehl wurde von Signal 9 beendet: Killed",
        "FATAL:  la commande d'archivage a été terminée par le signal 9 : Killed",
        "FATAL:  la orden de archivado fue terminada por una señal 9: Killed",
        "FATAL:  アーカイブコマンドはシグナル9により終了しました: Killed",
        "치명적오류:  9번 시그널로 인해 아카이브 명령이 종료됨: Killed",
        "致命错误:  归档命令被信号9终止：Killed",
        "ВАЖНО:  команда архивации завершена по сигналу 9: Killed",
    ],
)
def test_a_signal_is_one_in_any_language(end: str) -> None:
    (entry,) = entries_of([(f"{stamp(3)} [77] {end}", None)], utc)
    assert (entry.kind, entry.signal) == (LogKind.KILLED, 9)


def test_a_log_that_leaves_the_ends_out_has_the_words_all_the_same() -> None:
    """log_min_messages = fatal: pg_stat_archiver alone says that it fails."""
    rule, told = ends_of(failing_with(*([WORDS] * 3)))
    assert rule == "key-403"
    assert WORDS in told


def test_in_a_log_without_ends_only_the_attempt_that_repeats_counts() -> None:
    old, new = "NoSuchBucket: The specified bucket does not exist", "s3: cannot open socket 0x7f01ab"
    rule, told = ends_of(failing_with(*([old] * 4), *([new] * 3)))
    assert rule == "failing"
    assert new in told
    assert "NoSuchBucket" not in told


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (
            '{"level":"error","msg":"Failed to copyto: operation error S3: PutObject, StatusCode: 404, '
            'api error NoSuchBucket"}',
            "bucket-404",
        ),
        (
            '{"level":"error","message":"api error InvalidAccessKeyId","time":"2026-05-10T10:11:12Z"}',
            "key-403",
        ),
        ('{"severity":"ERROR","message":"QuotaExceeded","timestamp":"2026-05-10"}', "store-error"),
        (
            '{"status":"error","error":{"message":"x","cause":{"error":{"Code":"RequestTimeTooSkewed"}}}}',
            "clock-skew",
        ),
        ("<3>upload failed:  NoSuchBucket", "bucket-404"),
    ],
)
def test_a_programs_json_and_its_two_spaces_are_its_words(line: str, rule: str) -> None:
    end = f"{stamp(3)} [77] LOG:  archive command failed with exit code 1"
    found, told = ends_of(failing_with(line, end))
    assert found == rule
    assert line in told


def _records(fields: dict[str, str]) -> dict[str, str]:
    """One message in the server's three formats."""
    row = [""] * 26
    for place, key in ((0, "timestamp"), (3, "pid"), (11, "error_severity"), (13, "message"), (14, "detail"),
                       (15, "hint"), (23, "backend_type")):  # fmt: skip
        row[place] = fields.get(key, "")
    line = io.StringIO()
    csv.writer(line).writerow(row)
    head = f"{fields['timestamp']} [{fields['pid']}] "
    text = [f"{head}{fields['error_severity']}:  {fields['message']}"]
    text += [f"{head}{key.upper()}:  {fields[key]}" for key in ("detail", "hint") if fields.get(key)]
    return {
        "stderr": "\n".join(text),
        "csvlog": line.getvalue().strip(),
        "jsonlog": json.dumps(fields),
    }


@pytest.mark.among("form")
@pytest.mark.parametrize("form", ["stderr", "csvlog", "jsonlog"])
@pytest.mark.parametrize(
    ("fields", "told"),
    [
        (
            {
                "error_severity": "ERROR",
                "message": 'invalid value for parameter "archive_command": "cp %q /x"',
                "detail": 'String contains unexpected placeholder "%q".',
                "backend_type": "archiver",
            },
            'unexpected placeholder "%q"',
        ),
        (
            {
                "error_severity": "FATAL",
                "message": 'could not access file "basic_archiv": No such file or directory',
                "backend_type": "archiver",
            },
            "basic_archiv",
        ),
        (
            {
                "error_severity": "FATAL",
                "message": "konnte nicht auf Datei »walg_archive« zugreifen: Datei oder Verzeichnis nicht "
                "gefunden",
                "backend_type": "archiver",
            },
            "walg_archive",
        ),
        (
            {
                "error_severity": "ERROR",
                "message": "archive modules must register an archive callback",
                "hint": "Is the module built for this version?",
                "backend_type": "archiver",
            },
            "Is the module built for this version?",
        ),
    ],
)
def test_the_archivers_own_error_is_told_with_detail_and_hint(
    fields: dict[str, str], told: str, form: str
) -> None:
    text = _records({"timestamp": stamp(3), "pid": "801"} | fields)[form]
    diagnosis = failing_with(*text.split("\n"))
    assert told in str(diagnosis.findings)
    assert any(told in " ".join((each.title, *each.evidence)) for each in (root_of(diagnosis),))


def _library(*lines: str) -> Diagnosis:
    return failing_with(*lines, settings=settings(archive_command="", archive_library="basic_archive"))


@pytest.mark.parametrize(
    ("error", "rule"),
    [
        ('ERROR:  could not create file "/srv/x/archtemp.000000010000000000000042.77.1": Permission '
         'denied', "permission"),
        ("FEHLER:  konnte Datei »/srv/x/archtemp.00« nicht erstellen: Keine Berechtigung", "permission"),
        ("ERREUR:  n'a pas pu créer le fichier « /srv/x/t » : Permission non accordée", "permission"),
        ('ERROR:  ファイル"/srv/x/t"を作成できませんでした: 許可がありません', "permission"),
        ('错误:  无法创建文件 "/srv/x/t": 权限不够', "permission"),
        ('ОШИБКА:  не удалось создать файл "/srv/x/t": Отказано в доступе', "permission"),
        ('ERROR:  could not create file "/srv/x/t": Read-only file system', "permission"),
        ('ERROR:  could not write file "/srv/x/t": No space left on device', "disk-full"),
        ("FEHLER:  konnte nicht in Datei »/srv/x/t« schreiben: Auf dem Gerät ist kein Speicherplatz mehr "
         "verfügbar", "disk-full"),
    ],
)  # fmt: skip
def test_a_librarys_error_is_told_by_the_servers_warning_that_follows(error: str, rule: str) -> None:
    other = f'{stamp(5)} [90] ERROR:  relation "x" does not exist'
    lines = [other, f"{stamp(4)} [77] {error}"]
    lines.append(
        f'{stamp(3)} [77] WARNING:  archiving write-ahead log file "{SEGMENT}" failed too many times'
    )
    diagnosis = _library(*lines)
    found, told = ends_of(diagnosis)
    assert found == rule
    assert error in told
    assert "relation" not in str(diagnosis.findings)


def test_a_librarys_error_is_told_by_the_archivers_process_before_any_warning() -> None:
    line = f'{stamp(3)} [801] ERROR:  could not stat file "/srv/x": Stale file handle'
    entries = entries_of([(line, None)], utc, archivers=(801,))
    assert [entry.kind for entry in entries] == [LogKind.ARCHIVER_ERROR]
    assert entries_of([(line, None)], utc, archivers=(2026,)) == ()


def _first_then_another(between: str = "") -> list[str]:
    lines = ["NoSuchBucket: The specified bucket does not exist"]
    lines += [f"{stamp(70)} [77] LOG:  archive command failed with exit code 1"]
    lines += [between] if between else []
    lines += ["the tape robot is on strike", f"{stamp(3)} [77] LOG:  archive command failed with exit code 1"]
    return lines


def test_the_words_of_an_older_failure_are_no_cause_of_the_newest() -> None:
    rule, told = ends_of(failing_with(*_first_then_another()))
    assert rule == "failing"
    assert "the tape robot is on strike" in root_of(failing_with(*_first_then_another())).title
    assert "no cause is known" in told
    assert "NoSuchBucket" not in told


@pytest.mark.parametrize(
    "lines",
    [
        ["NoSuchBucket", "{70} [77] LOG:  archive command failed with exit code 1",
         "{3} [1] LOG:  received SIGHUP, reloading configuration files"],
        ["NoSuchBucket", "{70} [77] LOG:  archive command failed with exit code 1",
         "{3} [1] LOG:  SIGHUP empfangen, Konfigurationsdateien werden neu geladen"],
        ["NoSuchBucket", "{70} [77] LOG:  archive command failed with exit code 1",
         "{3} [1] LOG:  SIGHUPを受け取りました。設定ファイルをリロードしています"],
        ["sh: 1: ship: not found", "{70} [77] FATAL:  archive command failed with exit code 127",
         "{3} [1] LOG:  received SIGHUP, reloading configuration files"],
    ],
)  # fmt: skip
def test_what_was_said_before_a_reload_is_no_cause(lines: list[str]) -> None:
    told = [line.replace("{70}", stamp(70)).replace("{3}", stamp(3)) for line in lines]
    diagnosis = failing_with(*told)
    rules = [finding.rule for finding in diagnosis.findings]
    assert "bucket-404" not in rules
    assert "command-not-found" not in rules
    assert diagnosis.verdict.level == "critical"


@pytest.mark.parametrize("how", ["loaded", "script"])
def test_what_was_said_before_the_command_changed_is_no_cause(how: str) -> None:
    lines = ["NoSuchBucket", f"{stamp(70)} [77] LOG:  archive command failed with exit code 1"]
    program = ProgramFacts("ship", "/usr/local/bin/ship", executable=True, modified_at=NOW - 30)
    facts = CommandFacts("ship %p", programs=(program,) if how == "script" else ())
    loaded = server(loaded_at=NOW - 30 if how == "loaded" else NOW - 9000)
    diagnosis = failing_with(*lines, evidence=((Snapshot.command, facts),), server=loaded)
    assert root_of(diagnosis).rule == "failing"
    assert "NoSuchBucket" not in str(root_of(diagnosis).evidence)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("sh: 1: ship-wal: not found", "ship-wal"),
        ("/bin/sh: line 1: ship-wal: command not found", "ship-wal"),
        ("sh: Zeile 1: ship-wal: Kommando nicht gefunden.", "ship-wal"),
        ("sh: line 1: /opt/ship: No such file or directory", "/opt/ship"),
        ("/usr/local/bin/archive.sh: 7: aws: not found", "aws"),
        ("zsh:1: command not found: ship-wal", "ship-wal"),
        ("fish: Unknown command: ship-wal", "ship-wal"),
        ("ksh: line 1: ship-wal: not found [No such file or directory]", "ship-wal"),
        ("sh: ligne 1: ship-wal\xa0: commande introuvable", "ship-wal"),
        ("bash: 第 1 行：ship-wal：未找到命令", "ship-wal"),
        ("sh: rad 1: ship-wal: kommandot finns inte", "ship-wal"),
        ("env: can't execute 'ship-wal': No such file or directory", "ship-wal"),
        ("timeout: failed to run command ‘ship-wal’: No such file or directory", "ship-wal"),
        ("ship-wal: applet not found", "ship-wal"),
        ("bash: /opt/ship: /usr/bin/python2: bad interpreter: No such file or directory", "/usr/bin/python2"),
        (
            "wal-g: error while loading shared libraries: libsodium.so.23: cannot open shared object file",
            "libsodium.so.23",
        ),
    ],
)
def test_what_the_shell_did_not_find_is_what_it_says(words: str, name: str) -> None:
    diagnosis = failing_with(words, f"{stamp(3)} [77] FATAL:  archive command failed with exit code 127")
    root = root_of(diagnosis)
    assert root.rule == "command-not-found"
    assert root.title.endswith(f": {name}")


def test_a_program_that_no_words_name_is_not_named() -> None:
    end = f"{stamp(3)} [77] FATAL:  archive command failed with exit code 127"
    assert root_of(failing_with("sorry", end)).title == "a program that the archive command runs is not found"


@pytest.mark.parametrize(
    ("words", "title"),
    [
        (
            'Failed to create file system for "sp:b": didn\'t find section in config file',
            "has no such remote",
        ),
        ('Failed to load config file "/root/r.conf": open /root/r.conf: permission denied', "may not read"),
        ("Couldn't decrypt configuration, most likely wrong password.", "cannot decrypt"),
    ],
)
def test_what_rclone_says_of_its_configuration_is_told_and_not_proved(words: str, title: str) -> None:
    facts = CommandFacts("rclone copyto %p sp:b/%f")
    end = f"{stamp(3)} [77] LOG:  archive command failed with exit code 1"
    root = root_of(failing_with(words, end, evidence=((Snapshot.command, facts),)))
    assert (root.rule, root.certainty) == ("rclone-config-unreadable", Certainty.LIKELY)
    assert title in root.title


@pytest.mark.parametrize("breaks", ["sh -c '\nset -e\nship \"%p\"\n'", '"\n\n"', 'a\n"b","c\nNoSuchBucket'])
def test_a_record_of_the_csv_log_that_has_line_breaks_is_one(breaks: str) -> None:
    """What follows its first line is no program's word, and no cause of the next failure."""
    detail = f"The failed archive command was: {breaks}"
    fields = {"pid": "77", "error_severity": "LOG", "message": "archive command failed with exit code 1"}
    record = [
        _records({"timestamp": stamp(before), "detail": detail} | fields)["csvlog"] for before in (60, 3)
    ]
    lines = [line for each in record for line in (WORDS, *each.split("\n"))]
    entries = entries_of([(line, None) for line in lines], utc)
    assert [entry.kind for entry in entries] == [LogKind.PROGRAM, LogKind.FAILED] * 2
    assert root_of(failing_with(*lines)).rule == "key-403"


def test_a_record_without_an_end_keeps_the_lines_that_follow() -> None:
    begun = f'{stamp(60)},,,77,,,,,,,,"LOG",,"archive command failed with'
    lines = [
        begun,
        WORDS,
        *(["more"] * 300),
        f"{stamp(3)} [77] LOG:  archive command failed with exit code 1",
    ]
    kinds = [entry.kind for entry in entries_of([(line, None) for line in lines], utc)]
    assert kinds[-1] is LogKind.FAILED
    assert kinds.count(LogKind.PROGRAM) >= 301


def test_only_the_shell_knows_that_a_name_is_missing() -> None:
    """It fails with words of its own: a name that was not found here is not why."""
    facts = CommandFacts("gone; cp %p /x", programs=(ProgramFacts("gone", None),))
    diagnosis = failing_with(
        "the tape robot is on strike",
        f"{stamp(3)} [77] LOG:  archive command failed with exit code 1",
        evidence=((Snapshot.command, facts),),
    )
    assert root_of(diagnosis).rule == "failing"
    idle = healthy(archiver=archiver(last_archived_at=NOW - 9000), server=server(loaded_at=NOW - 90_000))
    quiet = diagnose(fold(idle, read(Snapshot.command, facts), NOW), NOW)
    assert "command-not-found" not in [finding.rule for finding in quiet.findings]


def test_a_name_that_was_not_tried_yet_is_possible_and_no_more() -> None:
    facts = CommandFacts("gone %p", programs=(ProgramFacts("gone", None),))
    idle = healthy(archiver=archiver(last_archived_at=NOW - 9000), server=server(loaded_at=NOW - 60))
    found = diagnose(fold(idle, read(Snapshot.command, facts), NOW), NOW)
    (finding,) = [each for each in found.findings if each.rule == "command-not-found"]
    assert finding.certainty is Certainty.POSSIBLE


def test_syslogs_own_parts_are_no_programs_words() -> None:
    part = "postgres[77]: [5-2] and the rest of a long statement"
    assert entries_of([(part, None)], utc) == ()


def test_the_journal_has_a_programs_words_too() -> None:
    line = f"2026-05-10T10:11:12+0000 db1 postgres[77]: {WORDS}"
    assert [entry.kind for entry in entries_of([(line, None)], utc)] == [LogKind.PROGRAM]


def test_a_program_that_names_itself_and_its_process_is_one() -> None:
    (entry,) = entries_of([("wal-push[812]: NoSuchBucket", None)], utc)
    assert entry.kind is LogKind.PROGRAM


def test_a_full_disk_of_an_older_attempt_is_history() -> None:
    lines = ["cp: error writing '/x': No space left on device"]
    lines += [f"{stamp(70)} [77] LOG:  archive command failed with exit code 1"]
    lines += [WORDS, f"{stamp(3)} [77] LOG:  archive command failed with exit code 1"]
    assert [story.root.rule for story in failing_with(*lines).stories] == ["key-403"]


def test_looks_without_times_keep_the_time_of_the_look() -> None:
    slot, facts = log_of([WORDS, "LOG:  archive command failed with exit code 1"], looked_at=NOW - 3)
    found: Any = diagnose(fold(healthy(archiver=archiver(**FAILING)), replace(read(slot, facts)), NOW), NOW)
    assert root_of(found).rule == "key-403"


TIDYING = (
    "ERROR: Error executing ssh: [Errno 32] Broken pipe",
    "Exception ignored in: <function _Stream.__del__ at 0x7f3c>",
    "Traceback (most recent call last):",
    '  File "/usr/lib/python3.11/tarfile.py", line 411, in __del__',
    "    self.close()",
    "ValueError: write to closed file",
)
"""barman-wal-archive 3.4 where ssh does not get through."""


def test_what_python_prints_of_its_tidying_up_is_not_why() -> None:
    root = root_of(failing_with(*TIDYING, f"{stamp(3)} [77] LOG:  archive command failed with exit code 2"))
    assert root.title.endswith("and says: ERROR: Error executing ssh: [Errno 32] Broken pipe")
    assert "tarfile" not in str(root.proof)
