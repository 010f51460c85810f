"""config.toml: what is accepted, and that every fault is told with its line."""

import contextlib
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walconsole.config.reader import LARGEST_FILE_BYTES, ConfigFile, FaultyConfigError, load
from walconsole.config.schema import CONSOLE_KEYS, PROFILE_KEYS, TABLES
from walconsole.config.writer import example, write_example
from walconsole.domain.profile import ClusterName, KeySource
from walconsole.errors import ConfigError

DOCUMENTATION = Path(__file__).parents[2] / "docs/configuration.md"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def _load(file: Path, text: str) -> ConfigFile:
    file.write_text(text, "utf-8")
    return load(file)


def _faults(file: Path, text: str | bytes) -> list[str]:
    """The faults without the file's name: `LINE: why; remedy`."""
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(FaultyConfigError) as caught:
        load(file)
    assert caught.value.exit_code == 3
    assert all(fault.text().startswith(f"{file}:") for fault in caught.value.faults)
    return [fault.text().removeprefix(f"{file}:").strip() for fault in caught.value.faults]


_P = '[profiles.p]\nhost = "h.example"\n'


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            '[profiles.shithub]\nhost = "a"\nhosst = "b"',
            "3: unknown key 'hosst' in [profiles.shithub]; did you mean 'host'?",
        ),
        (
            _P + 'port = "22"',
            "3: 'port' in [profiles.p] must be a whole number without quotes, not text ('22')",
        ),
        (
            _P + "port = true",
            "3: 'port' in [profiles.p] must be a whole number without quotes, not true or false",
        ),
        (_P + "port = 0", "3: 'port' in [profiles.p] must be between 1 and 65535, not 0"),
        (_P + "sudo = 'yes'", "3: 'sudo' in [profiles.p] must be true or false (without quotes), not text"),
        (_P + "user = ''", "3: 'user' in [profiles.p] must not be empty; leave the line out"),
        (_P + "user = 'a b'", "3: 'user' in [profiles.p] must be a user's name, not 'a b'"),
        (
            _P + "connect_timeout = nan",
            "3: 'connect_timeout' in [profiles.p] must be between 1 and 120 seconds",
        ),
        (
            _P + "identity_files = '~/x'",
            "3: 'identity_files' in [profiles.p] must be a list such as [\"...\"]",
        ),
        (
            _P + "identity_files = [\n'/x',\n1]",
            "3: 'identity_files' in [profiles.p] is wrong at item 2: it must",
        ),
        (
            _P + "identity_files = ['x']",
            "3: 'identity_files' in [profiles.p] is wrong at item 1: it must be an abs",
        ),
        (_P + "name = 'ShitHub'", "3: 'name' in [profiles.p] must be lower-case letters"),
        ("[profiles.p]\nuser = 'root'", "1: [profiles.p] has no 'host'; add host = \"shithub.sh\""),
        ("[profiles.p]\nhost = '-oProxyCommand=x'", "2: 'host' in [profiles.p] must be a host name"),
        ("[profiles.p]\nhost = 'a b'", "2: 'host' in [profiles.p] must be a host name"),
        (
            _P + "\n[profiles.p.postgres]\ncluster = 'main'",
            "5: 'cluster' in [profiles.p.postgres] must be VERSION/",
        ),
        (_P + "[profiles.p.primary]\nbucket = 'A'", "4: 'bucket' in [profiles.p.primary] must be 3 to 63"),
        (
            _P + "[profiles.p.primary]\nbucket = '10.0.0.1'",
            "4: 'bucket' in [profiles.p.primary] must be 3 to 63",
        ),
        (
            _P + "[profiles.p.dr]\nregion = 'nyc 3'",
            "4: 'region' in [profiles.p.dr] must be a region's short name",
        ),
        (_P + "engine = 'wal-g'", "3: 'engine' in [profiles.p] must be one of 'rclone', 'pgbackrest'"),
        (_P + "[profiles.p.dr]\nkeys = 'vault'", "4: 'keys' in [profiles.p.dr] must be one of 'environment'"),
        (_P + "[profiles.p.dr]\nprefix = '/x'", "4: 'prefix' in [profiles.p.dr] must not begin with a slash"),
        (_P + "[profiles.p.dr]\nendpoint = 'nyc3'", "4: 'endpoint' in [profiles.p.dr] must be a URL such as"),
        (_P + "[profiles.p.dr]\nendpoint = 'http://a.b'", "4: 'endpoint' in [profiles.p.dr] must use https"),
        (
            _P + "[profiles.p.dr]\nendpoint = 'https://u:p@a.b'",
            "4: 'endpoint' in [profiles.p.dr] must be scheme",
        ),
        (_P + "[profiles.p.dr]\nendpoint = 'https://[::1'", "4: 'endpoint' in [profiles.p.dr] is not a URL"),
        (_P + "[profiles.p.paths]\nlog = 'x.log'", "4: 'log' in [profiles.p.paths] must be an absolute path"),
        (
            _P + "[profiles.p.paths]\ndropin = 'a/b.conf'",
            "4: 'dropin' in [profiles.p.paths] must be a file name",
        ),
        (
            _P + "[profiles.p.paths]\ndropin = 'b.cnf'",
            "4: 'dropin' in [profiles.p.paths] must be a file name",
        ),
        (
            _P + "[profiles.p.api]\ntoken_envs = ['a-b']",
            "4: 'token_envs' in [profiles.p.api] is wrong at item 1",
        ),
        (
            _P + "bucket = 'abc'",
            "3: unknown key 'bucket' in [profiles.p]; it belongs in [profiles.p.primary]",
        ),
        (_P + "postgres = 15", "3: 'postgres' must be a table ([profiles.p.postgres]), not a whole number"),
        (_P + "[profiles.p.spaces]", "3: unknown table 'spaces' in [profiles.p]"),
        ("host = 'a'", "1: unknown key 'host'; it belongs in [profiles.NAME]"),
        ("[profile.p]", "1: unknown table 'profile'; did you mean 'profiles'?"),
        (
            _P + "[primary]\nbucket = 'acme'",
            "3: unknown table 'primary'; it belongs to a profile: [profiles.NAME.primary]",
        ),
        ("profiles = 1", "1: 'profiles' must be a table ([profiles]), not a whole number"),
        ("[profiles]\np = 1979-05-27", "2: 'p' must be a table ([profiles.p]), not a date or time"),
        ("[[profiles.p]]", "1: 'p' must be a table ([profiles.p]), not a list"),
        ("[profiles.demo]\nhost = 'a'", "1: 'demo' is a command and cannot be a profile's name"),
        ("[profiles.'a b']\nhost = 'a'", "1: 'a b' cannot be a profile's name"),
        (
            "[console]\ninterval = 0.1",
            "2: 'interval' in [console] must be between 0.25 and 16 seconds, not 0.1",
        ),
        (
            _P + "[console]\ndefault_profile = 'q'",
            "4: 'default_profile' names no profile: 'q'; the profiles are: p",
        ),
        (
            _P + "[console]\ndefault_profile = 'pp'",
            "4: 'default_profile' names no profile: 'pp'; did you mean 'p'?",
        ),
        (
            _P + "[profiles.p.backups]\nat = '24:00'",
            "4: 'at' in [profiles.p.backups] must be a time of day from '00:00' to '23:59', not '24:00'",
        ),
        (
            _P + "backups = { read_mib_s = 1025 }",
            "3: 'read_mib_s' in [profiles.p.backups] must be between 0 and 1024 MiB/s, not 1025",
        ),
        (
            _P + "backups = { send_mib_s = '5M' }",
            "3: 'send_mib_s' in [profiles.p.backups] must be a whole number without quotes",
        ),
        (
            _P + "backups = { encrypt_for = 'keys' }",
            "3: 'encrypt_for' in [profiles.p.backups] must be an absolute path on the droplet",
        ),
        ("a = ", "1: not TOML: a value is missing"),
        ("a = 1\na = 2", "2: not TOML: this key was already set above"),
        ("[a]\n[a]", "2:3: not TOML: Cannot declare"),
        ("\n\na = 'x", "3: not TOML: "),
        ("a b", "1:3: not TOML: '=' is missing after the key"),
        ("a = [1", "1: not TOML: "),
        (b"a = 1\nb = '\xe9'", "2: not UTF-8 (byte 0xe9); save the file as UTF-8"),
        ("a = " + "[" * 5000, "is nested too deeply"),
    ],
)
def test_a_fault_is_told_with_its_line(file: Path, text: str | bytes, fault: str) -> None:
    (told,) = _faults(file, text)
    assert told.startswith(fault)


@pytest.mark.parametrize("key", ["secret_key", "token", "aws_access_key_id", "password", "api_token"])
def test_a_secret_is_refused_and_not_repeated(file: Path, key: str) -> None:
    (told,) = _faults(file, _P + f"{key} = 'hunter2-hunter2'")
    assert "secrets do not belong in this file" in told or "did you mean" in told
    assert "hunter2" not in told


@pytest.mark.parametrize("secret", ["DO00ABCDEFGHIJKLMNOP", "dop_v1_" + "0" * 64, "a" * 43])
def test_a_secret_in_the_place_of_a_variables_name_is_not_repeated(file: Path, secret: str) -> None:
    (told,) = _faults(file, _P + f"[profiles.p.primary]\nsecret_key_env = '{secret}'")
    assert "looks like a secret itself" in told
    assert secret not in told


@pytest.mark.parametrize("written", ["'3:10'", "'03:10'", "03:10:00"])
def test_a_time_of_day_is_taken_with_quotes_and_without(file: Path, written: str) -> None:
    settings = _load(file, _P + f"[profiles.p.backups]\nat = {written}\n").profiles["p"]
    assert settings["backups.at"].value == "03:10"


KEYS = ["AGE-SECRET-KEY-1", "age1", "ssh-ed25519 ", "-----BEGIN OPENSSH PRIVATE KEY"]


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("key", ["backups = { encrypt_for", "drills = { identity"])
def test_a_key_in_the_place_of_a_file_of_keys_is_not_repeated(file: Path, key: str, kind: str) -> None:
    (told,) = _faults(file, _P + f"{key} = '{kind}QQQQQQQQ' }}")
    assert "not a key itself" in told
    assert "QQQ" not in told


def test_every_fault_is_told_in_the_order_of_lines(file: Path) -> None:
    told = _faults(file, _P + "port = 0\nsudo = 1\n[profiles.q]\nhots = 'x'\n[consle]\n")
    assert [fault.partition(":")[0] for fault in told] == ["3", "4", "5", "6", "7"]


def test_a_fault_is_printable(file: Path) -> None:
    (told,) = _faults(file, _P + '"\\u001b[2Jx" = 1')
    assert "\x1b" not in told


@given(raw=st.binary(max_size=200))
def test_no_content_is_more_than_a_fault(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "any.toml"
    file.write_bytes(raw)
    with contextlib.suppress(FaultyConfigError):
        load(file)


def test_values_are_the_domains(file: Path) -> None:
    settings = _load(
        file,
        "[profiles.p]\nhost = '[::1]'\nidentity_files = ['~/id']\nconnect_timeout = 3\n"
        "[profiles.p.postgres]\ncluster = ['15', 'main']\n[profiles.p.primary]\nprefix = 'wal'\n"
        "keys = 'keyring'\n"
        "endpoint = 'https://nyc3.digitaloceanspaces.com/'\n"
        "[profiles.p.backups]\nencrypt_for = '/etc/keys'\nsend_mib_s = 40\nat = '4:05'\n",
    ).profiles["p"]
    assert {key: setting.value for key, setting in settings.items()} == {
        "host": "::1",
        "identity_files": (str(Path("~/id").expanduser()),),
        "connect_timeout": 3.0,
        "postgres.cluster": ClusterName("15", "main"),
        "primary.prefix": "wal/",
        "backups.encrypt_for": "/etc/keys",
        "backups.send_mib_s": 40,
        "backups.at": "04:05",
        "primary.keys": KeySource.KEYRING,
        "primary.endpoint": "https://nyc3.digitaloceanspaces.com",
    }
    assert settings["primary.keys"].origin == f"{file}:9"


def test_a_missing_file_is_empty_unless_it_was_named(file: Path) -> None:
    assert load(file) == ConfigFile(file)
    with pytest.raises(FaultyConfigError, match="no such file"):
        load(file, required=True)


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path in (fifo, tmp_path, Path("/dev/zero")):
        with pytest.raises(FaultyConfigError, match=r"regular file|cannot be read"):
            load(path)


def test_a_file_that_is_too_large_is_not_read(file: Path) -> None:
    with file.open("wb") as large:
        large.truncate(LARGEST_FILE_BYTES + 1)
    with pytest.raises(FaultyConfigError, match="larger than"):
        load(file)


def test_a_file_of_more_profiles_than_fit_a_mebibyte_is_read(file: Path) -> None:
    names = [f"c{number:04}" for number in range(40)]
    remark = "# " + "x" * 30_000 + "\n"
    file.write_text("".join(f'{remark}[profiles.{name}]\nhost = "{name}.example.net"\n' for name in names))
    assert file.stat().st_size > 1 << 20
    assert list(load(file).profiles) == names


def test_a_byte_order_mark_is_no_fault(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf" + _P.encode())
    assert list(load(file).profiles) == ["p"]


def test_a_file_that_others_may_write_is_warned_about(file: Path) -> None:
    file.write_text(_P)
    file.chmod(0o666)
    (warning,) = load(file).warnings
    assert "chmod go-w" in warning
    file.chmod(0o644)
    assert load(file).warnings == ()


def test_the_example_is_accepted_as_it_is_and_with_every_key(file: Path) -> None:
    assert _load(file, example()).profiles["shithub"]["host"].value == "shithub.sh"
    every = _load(file, re.sub(r"(?m)^#(?=\w+ = )", "", example()))
    assert list(every.console) == [key.path for key in CONSOLE_KEYS]
    words = [key.path for key in PROFILE_KEYS if key.name not in TABLES]  # of those the table
    assert list(every.profiles["shithub"]) == words
    assert '\n# dr = "none"\n' in example()


def test_no_second_copy_is_a_word_in_place_of_the_table(file: Path) -> None:
    profile = _load(file, _P + 'dr = "none"\n[profiles.p.primary]\nbucket = "mine-wal"').profiles["p"]
    assert profile["dr"].value == "none"
    assert profile["primary.bucket"].value == "mine-wal"
    assert "dr" not in _load(file, _P + '[profiles.p.dr]\nbucket = "mine-dr"').profiles["p"]


@pytest.mark.parametrize("said", ['"off"', "false", "[]", '""'])
def test_whatever_else_stands_there_is_a_fault(said: str, file: Path) -> None:
    (fault,) = _faults(file, _P + f"dr = {said}")
    assert fault.startswith("3: 'dr' in [profiles.p] must be 'none' (no second copy is wanted) or a table")


def test_the_documentation_has_every_key_and_no_other() -> None:
    sections: dict[str, list[str]] = {}
    table = ""
    for line in DOCUMENTATION.read_text("utf-8").splitlines():
        if heading := re.match(r"### `\[(?:profiles\.NAME\.?)?(\w*)\]", line):
            table = heading[1]
        elif row := re.match(r"\| `(\w+) = (.*?)` \| (.*?) \| (.*?) \|", line):
            sections.setdefault(table, []).append(" = ".join(row.groups()))
    for name, keys in (("console", CONSOLE_KEYS), ("", PROFILE_KEYS)):
        for key in keys:
            documented = sections[name or key.table]
            assert f"{key.name} = {key.example} = {key.meaning} = {key.default}" in documented
    assert sum(map(len, sections.values())) == len(CONSOLE_KEYS) + len(PROFILE_KEYS)


def test_the_documentation_has_every_variable() -> None:
    text = DOCUMENTATION.read_text("utf-8")
    for key in PROFILE_KEYS:
        if key.variable:
            assert re.search(rf"\| `{key.variable}` \| `{key.path}`", text)


def test_the_example_is_written_once_for_the_operator_alone(tmp_path: Path) -> None:
    file = tmp_path / "new" / "folder" / "config.toml"
    write_example(file)
    assert file.read_text() == example()
    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ConfigError, match="it exists"):
        write_example(file)
    with pytest.raises(ConfigError, match="not a directory"):
        write_example(file / "below")


@pytest.mark.parametrize(
    ("said", "bucket"),
    [
        ("/mnt/wal", "/mnt/wal"),
        ("/mnt/wal/", "/mnt/wal"),
        ("/", "/"),
        ("nas:/srv/wal", "nas:/srv/wal"),
        ("backup@[fe80::1]:/srv/wal/", "backup@[fe80::1]:/srv/wal"),
    ],
)
def test_a_bucket_may_be_a_folder(said: str, bucket: str, file: Path) -> None:
    profile = _load(file, _P + f'[profiles.p.primary]\nbucket = "{said}"').profiles["p"]
    assert profile["primary.bucket"].value == bucket


@pytest.mark.parametrize("said", ["mnt/wal", "/mnt/../etc", "-oProxyCommand=x:/wal", "a b:/wal", ":/wal"])
def test_a_folder_is_an_absolute_path(said: str, file: Path) -> None:
    (fault,) = _faults(file, _P + f'[profiles.p.primary]\nbucket = "{said}"')
    assert fault.startswith("4: 'bucket' in [profiles.p.primary]")
