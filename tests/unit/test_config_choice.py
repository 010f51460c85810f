"""Which server is meant, which value wins, and where it came from."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walconsole.config.checks import UnfitError, destination
from walconsole.config.choose import choose, is_alias
from walconsole.config.reader import ConfigFile, Setting, load
from walconsole.config.resolve import Resolved, described, short_name
from walconsole.config.writer import profile_as_toml
from walconsole.domain.profile import (
    BucketRole,
    KeyReference,
    KeySource,
    SshTarget,
    default_app_key_name,
    default_bucket,
    default_paths,
)
from walconsole.droplet.choices import DropletChoices
from walconsole.errors import UsageError
from walconsole.operator_files.places import places

FILE = """\
[profiles.shithub]
host = "shithub.sh"
user = "deploy"
[profiles.shithub.primary]
bucket = "own-wal"
[profiles.Staging]
host = "staging.example"
[profiles.twin_a]
host = "twin.example"
[profiles.twin_b]
host = "twin.example"
"""


@pytest.fixture
def file(tmp_path: Path) -> ConfigFile:
    path = tmp_path / "config.toml"
    path.write_text(FILE)
    return load(path)


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path)}


NOTHING = ConfigFile(Path("/nowhere/config.toml"))


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("shithub.sh", SshTarget("shithub.sh")),
        ("root@shithub.sh", SshTarget("shithub.sh", user="root")),
        ("root@shithub.sh:2222", SshTarget("shithub.sh", 2222, "root")),
        ("me@corp.example@jump:22", SshTarget("jump", 22, "me@corp.example")),
        ("::1", SshTarget("::1")),
        ("[::1]", SshTarget("::1")),
        ("root@[2001:db8::1]:22", SshTarget("2001:db8::1", 22, "root")),
        ("fe80::1%eth0", SshTarget("fe80::1%eth0")),
        ("10.0.0.5:22", SshTarget("10.0.0.5", 22)),
    ],
)
def test_a_destination(text: str, target: SshTarget) -> None:
    assert destination(text) == target


@pytest.mark.parametrize(
    "text",
    ["", " ", "@", "user@", "@host", ":22", "host:", "host:x", "host:0", "host:65536", "host:+22", "host:²",
     "[::1", "[::1]x", "[]:22", "a b", "-oX=y", "-l@host", "host\n", "ho\x1bst", "::1:x:y"],
)  # fmt: skip
def test_what_is_no_destination(text: str) -> None:
    with pytest.raises(UnfitError):
        destination(text)


@given(st.text(max_size=40))
def test_any_text_is_a_destination_or_unfit(text: str) -> None:
    try:
        target = destination(text)
    except UnfitError:
        return
    assert not target.host.startswith("-")
    assert destination(str(target)) == target


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("shithub.sh", "shithub"),
        ("db1.example.com", "db1"),
        ("DB_1.example.com", "db-1"),
        ("10.0.0.5", "10-0-0-5"),
        ("2001:db8::1", "2001-db8--1"),
        ("fe80::1%eth0", "fe80--1-eth0"),
        ("::1", "0--1"),
        ("2001:db8::", "2001-db8--0"),
        ("_", "droplet"),
        ("x" * 60, "x" * 52),
    ],
)
def test_the_short_name_of_a_host(host: str, name: str) -> None:
    assert short_name(host) == name


def test_the_host_alone_is_enough(home: dict[str, str]) -> None:
    profile = choose(None, NOTHING, home | {"DEPLOY_HOST": "shithub.sh"}).profile
    assert profile.name == "shithub"
    assert profile.ssh == SshTarget("shithub.sh")
    assert profile.sudo
    assert profile.primary == default_bucket(BucketRole.PRIMARY, "shithub", "nyc3")
    assert profile.dr == default_bucket(BucketRole.DR, "shithub", "sfo3")
    assert profile.paths == default_paths("shithub")
    assert profile.api.app_key_name == default_app_key_name("shithub")


def test_the_deployments_variables_are_honoured(home: dict[str, str]) -> None:
    variables = {
        "DEPLOY_HOST": "deploy@shithub.sh:2222",
        "PRIMARY_REGION": "ams3",
        "DR_REGION": "fra1",
        "PROD_RW_KEY_NAME": "a-key",
        "WAL_BUCKET": "a-bucket",
        "WAL_DR_BUCKET": "b-bucket",
    }
    resolved = choose(None, NOTHING, home | variables)
    profile = resolved.profile
    assert profile.ssh == SshTarget("shithub.sh", 2222, "deploy")
    assert (profile.primary.region, profile.primary.bucket) == ("ams3", "a-bucket")
    assert profile.primary.endpoint == "https://ams3.digitaloceanspaces.com"
    assert (profile.dr.region, profile.dr.bucket) == ("fra1", "b-bucket")
    assert profile.api.app_key_name == "a-key"
    assert resolved.settings["primary.bucket"].origin == "environment WAL_BUCKET"
    assert resolved.notes == ()


@pytest.mark.parametrize(
    ("variable", "value"),
    [("DEPLOY_HOST", "a b"), ("WAL_BUCKET", "A"), ("PRIMARY_REGION", "nyc 3"), ("DEPLOY_HOST", "h:0")],
)
def test_a_bad_variable_is_named(variable: str, value: str, home: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=f"{variable} .*correct or unset {variable}"):
        choose("shithub.sh", NOTHING, home | {variable: value})


def test_the_environment_stands_above_the_profile(file: ConfigFile, home: dict[str, str]) -> None:
    plain = choose("shithub", file, home)
    assert plain.profile.primary.bucket == "own-wal"
    assert plain.settings["primary.bucket"].origin == f"{file.path}:5"
    above = choose("shithub", file, home | {"WAL_BUCKET": "other-wal", "DEPLOY_HOST": "shithub.sh"})
    assert above.profile.primary.bucket == "other-wal"
    assert above.profile.ssh.user == "deploy"


BEHIND_ONE_ADDRESS = """\
[profiles.near]
host = "relay.example"
port = 2201
[profiles.near.primary]
bucket = "near-wal"
[profiles.door]
host = "door.example"
"""


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("relay.example", "near"),
        ("root@relay.example:2201", "near"),
        ("root@relay.example:2202", None),
        ("relay.example:22", None),
        ("door.example", "door"),
        ("door.example:22", "door"),
        ("door.example:2202", None),
        ("alias:2202", None),
    ],
)
def test_another_port_is_another_host(
    target: str, name: str | None, tmp_path: Path, home: dict[str, str]
) -> None:
    path = tmp_path / "config.toml"
    path.write_text(BEHIND_ONE_ADDRESS)
    assert choose(target, load(path), home).fallback_name == (name or "")
    assert choose(None, load(path), home | {"DEPLOY_HOST": target}).fallback_name == (name or "")


def test_an_alias_may_have_the_port_that_its_profile_leaves_out(tmp_path: Path, home: dict[str, str]) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[profiles.one]\nhost = "alias"\n')
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/config").write_text("Host alias\n  Port 2202\n")
    assert choose("alias:2202", load(path), home).fallback_name == "one"


def test_the_deployments_variables_are_left_out_for_another_port(home: dict[str, str]) -> None:
    variables = {"DEPLOY_HOST": "relay.example:2201", "WAL_BUCKET": "near-wal"}
    resolved = choose("root@relay.example:2202", NOTHING, home | variables)
    assert resolved.profile.primary.bucket == "relay-wal"
    (note,) = resolved.notes
    assert note.startswith("DEPLOY_HOST names relay.example:2201, not relay.example:2202: ")
    assert choose("relay.example", NOTHING, home | variables).profile.primary.bucket == "near-wal"


@pytest.mark.parametrize("target", ["Staging", "other.example"])
def test_another_deployments_variables_are_left_out_and_told(
    target: str, file: ConfigFile, home: dict[str, str]
) -> None:
    variables = {"DEPLOY_HOST": "shithub.sh", "WAL_BUCKET": "shithub-wal", "PRIMARY_REGION": "ams3"}
    resolved = choose(target, file, home | variables)
    assert resolved.profile.primary.bucket == f"{resolved.profile.name}-wal"
    assert resolved.profile.primary.region == "nyc3"
    (note,) = resolved.notes
    assert note.startswith("DEPLOY_HOST names shithub.sh, not ")
    assert described(resolved)[0] == f"# {note}"


def test_the_command_line_stands_above_all(file: ConfigFile, home: dict[str, str]) -> None:
    options = {"name": Setting("crew", "command line")}
    resolved = choose("root@shithub.sh:22", file, home | {"DEPLOY_HOST": "x@shithub.sh:1"}, options)
    assert resolved.profile.ssh == SshTarget("shithub.sh", 22, "root")
    assert resolved.profile.name == "crew"
    assert resolved.profile.primary.bucket == "own-wal"  # the profile of that host holds too
    assert resolved.profile.dr.bucket == "crew-wal-dr"


def test_the_profiles_name_is_the_short_name_where_it_can_be(file: ConfigFile, home: dict[str, str]) -> None:
    assert choose("shithub", file, home).profile.name == "shithub"
    assert choose("Staging", file, home).profile.name == "staging"  # upper case names no bucket: the host's
    assert choose("twin_a", file, home).profile.name == "twin"


@pytest.mark.parametrize(
    ("target", "kept_under"),
    [
        ("shithub", "shithub"),
        ("root@shithub.sh", "shithub"),
        ("Staging", "Staging"),
        ("twin_a", "twin_a"),
        ("twin.example", "twin.example"),
        ("root@db1.a.example", "db1.a.example"),
        ("DB1.b.example:22", "db1.b.example"),
        ("db1.b.example:2222", "db1.b.example:2222"),
        ("root@[::1]", "[::1]"),
    ],
)
def test_what_is_remembered_of_a_host_is_kept_under_its_whole_name(
    file: ConfigFile, home: dict[str, str], target: str, kept_under: str
) -> None:
    """Two hosts `db1` of two domains share no incidents; a profile's are kept by the profile."""
    assert choose(target, file, home).profile.kept_under == kept_under
    named = choose(target, file, home, {"name": Setting("crew", "command line")})
    assert named.profile.kept_under == "crew"


def test_a_host_of_two_profiles_is_neither(file: ConfigFile, home: dict[str, str]) -> None:
    assert choose("twin.example", file, home).profile.name == "twin"


def test_without_an_argument(file: ConfigFile, home: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"several profiles .* name one: shithub, Staging"):
        choose(None, file, home)
    with pytest.raises(UsageError, match="walconsole demo"):
        choose(None, NOTHING, home)
    single = tmp_path / "single.toml"
    single.write_text("[profiles.only]\nhost = 'only.example'")
    assert choose(None, load(single), home).profile.name == "only"
    assert choose(None, load(single), home | {"DEPLOY_HOST": "env.example"}).profile.name == "env"
    single.write_text(FILE + "[console]\ndefault_profile = 'Staging'")
    assert choose(None, load(single), home).profile.ssh.host == "staging.example"


def test_a_bare_word_is_a_profile_an_alias_or_a_mistake(
    file: ConfigFile, home: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(
        UsageError, match=r"neither a profile .* did you mean 'shithub'\? .*write shithubb:22"
    ):
        choose("shithubb", file, home)
    for no_host in ("a b", "", "-oProxyCommand=id", "DO00ABCDEFGHIJKLMNOP"):
        with pytest.raises(UsageError, match="neither a profile") as refused:
            choose(no_host, file, home)
        assert ":22" not in str(refused.value)
        assert "DO00" not in str(refused.value)
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/config").write_text("Host shithubb\n  HostName 10.0.0.5\n")
    assert choose("shithubb", file, home).profile.ssh == SshTarget("shithubb")
    assert choose("other:22", file, home).profile.ssh == SshTarget("other", 22)
    assert choose("localhost", file, home).profile.ssh == SshTarget("localhost")


@pytest.mark.parametrize(
    ("config", "name", "known"),
    [
        ("Host a b\n", "b", True),
        ("host=db*\n", "db7", True),
        ('HOST "a b" c\n', "c", True),
        ("Host *\n", "a", False),
        ("Host db* !db7\n", "db7", False),
        ("# Host a\nHost 'unclosed\n", "a", False),
        ("Match host a\n", "a", True),
        ("Match originalhost b,a user x\n", "a", True),
        ("Match !host a\n", "a", False),
        ("Match host *\n", "a", False),
        ("Host a # the primary\n", "primary", False),
        ("Host db* !db7\nHost x db7\n", "db7", True),
        ("\xff\x00Host a", "a", False),
    ],
)
def test_aliases(config: str, name: str, known: bool, tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_bytes(config.encode("latin-1"))
    assert is_alias(name, file) is known


def test_aliases_in_included_files(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more/a.conf").write_text("Host found\n")
    (tmp_path / "config").write_text(f"Include {tmp_path}/more/*.conf {tmp_path}/config\n")
    assert is_alias("found", tmp_path / "config")
    assert not is_alias("lost", tmp_path / "config")
    assert not is_alias("found", tmp_path / "nowhere")


@pytest.mark.parametrize("odd", ["~nosuchuser/x", '""', "/", "a/../[", "**", "'"])
def test_an_include_that_names_no_file_includes_none(odd: str, tmp_path: Path) -> None:
    """As ssh has it; any of them once ended every start by an internal error."""
    (tmp_path / "config").write_text(f"Include {odd}\nHost found\n")
    assert is_alias("found", tmp_path / "config")


def test_keys_from_elsewhere(tmp_path: Path, home: dict[str, str]) -> None:
    path = tmp_path / "config.toml"
    path.write_text(
        "[profiles.p]\nhost = 'p.example'\n[profiles.p.primary]\nkeys = 'environment'\nsecret_key_env = 'S'\n"
        "[profiles.p.dr]\nkeys = 'keyring'\n"
    )
    profile = choose("p", load(path), home).profile
    assert profile.primary.keys == KeyReference(KeySource.ENVIRONMENT, secret_key_env="S")
    assert profile.dr.keys == KeyReference(KeySource.KEYRING, keyring_service="walconsole-p")


def _round_trip(resolved: Resolved, path: Path, home: dict[str, str]) -> Resolved:
    name = resolved.profile.kept_under
    path.write_text(profile_as_toml(resolved.profile, name))
    return choose(name, load(path), home)


@pytest.mark.parametrize("name", ["shithub", "Staging", "twin_a"])
def test_a_profile_is_written_and_read_again(
    name: str, file: ConfigFile, home: dict[str, str], tmp_path: Path
) -> None:
    resolved = choose(name, file, home)
    assert _round_trip(resolved, tmp_path / "again.toml", home).profile == resolved.profile


def test_an_archive_in_a_folder_has_no_second_copy_unless_it_is_named(
    tmp_path: Path, home: dict[str, str]
) -> None:
    path = tmp_path / "config.toml"
    path.write_text("[profiles.p]\nhost = 'p.example'\n[profiles.p.primary]\nbucket = '/mnt/wal'\n")
    resolved = choose("p", load(path), home)
    primary = resolved.profile.primary
    assert (primary.folder, primary.region, primary.endpoint) == ("/mnt/wal", "", "")
    assert resolved.profile.buckets == (primary,)
    assert _round_trip(resolved, tmp_path / "again.toml", home).profile == resolved.profile
    path.write_text(path.read_text() + "[profiles.p.dr]\nbucket = 'acme-wal-dr'\n")
    assert choose("p", load(path), home).profile.second_copy


def test_show_has_every_key_with_its_origin(file: ConfigFile, home: dict[str, str]) -> None:
    resolved = choose("shithub", file, home)
    lines = described(resolved)
    assert len(lines) == len(resolved.settings)
    assert lines[0].split() == ["host", "shithub.sh", f"{file.path}:2"]
    assert any(line.startswith("dr.bucket ") and line.endswith("default") for line in lines)


def test_no_second_copy_is_written_shown_and_stands_above_the_deployments_variables(
    tmp_path: Path, home: dict[str, str]
) -> None:
    path = tmp_path / "config.toml"
    path.write_text("[profiles.p]\nhost = 'p.example'\ndr = 'none'\n")
    resolved = choose("p", load(path), home | {"WAL_DR_BUCKET": "elsewhere-dr"})
    assert not resolved.profile.second_copy
    assert resolved.profile.buckets == (resolved.profile.primary,)
    assert not DropletChoices.for_profile(resolved.profile).to_dr
    assert _round_trip(resolved, tmp_path / "again.toml", home).profile == resolved.profile
    lines = described(resolved)
    assert [line.split() for line in lines if line.startswith(("dr ", "dr."))] == [
        ["dr", "none", f"{path}:3"]
    ]
    assert "# WAL_DR_BUCKET and DR_REGION are not used" in lines[0]


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container's `--user 54321`."""

    def nobody() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nobody)
    with pytest.raises(UsageError, match="is no user that this machine knows; set HOME"):
        places({})
    assert places({"HOME": "/h"}).config == Path("/h/.config/walconsole")


def test_places_are_where_xdg_says() -> None:
    assert places({"HOME": "/h"}).config_file == Path("/h/.config/walconsole/config.toml")
    assert places({"HOME": "/h"}).log_file == Path("/h/.local/state/walconsole/walconsole.log")
    chosen = places({"HOME": "/h", "XDG_CONFIG_HOME": "/c", "XDG_STATE_HOME": "relative"})
    assert chosen.config == Path("/c/walconsole")
    assert chosen.state == Path("/h/.local/state/walconsole")
