"""Key pairs: the environment, the keyring, the droplet's rclone.conf, and every way to have none."""

import asyncio
import re
import sys
from dataclasses import dataclass, field, replace

import pytest

from walconsole.adapters.s3.key_sources import (
    DropletKeys,
    EnvironmentKeys,
    KeyringKeys,
    RcloneConfig,
    key_source,
    parse_rclone,
)
from walconsole.domain.profile import KeyReference, KeySource
from walconsole.domain.round_trips import ShellAnswer
from walconsole.domain.store.access_keys import KeyPair, MadeKey, SpacesKey
from walconsole.errors import ObjectStoreError, ShellError

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
CONF = f"""
# written by hand
[spaces-prod]
type = s3
provider = DigitalOcean
access_key_id = DO00PROD
secret_access_key = {SECRET}
endpoint = nyc3.digitaloceanspaces.com
acl = private

[spaces-dr]
type=s3
env_auth = true
; nothing else

[disk]
type = local
[sealed]
type = crypt
remote = spaces-prod:wal
[half]
access_key_id = DO00HALF
[broken]
access_key_id = DO00 BROKEN
secret_access_key = {SECRET}
"""


@dataclass
class FileShell:
    """A shell on which `cat` of the one file ends as it is told."""

    text: str = CONF
    status: int = 0
    scripts: list[str] = field(default_factory=list)
    error: ShellError | None = None

    async def run(self, script: str, *, timeout_s: float = 5.0) -> ShellAnswer:
        self.scripts.append(script)
        await asyncio.sleep(0)
        if self.error:
            raise self.error
        return ShellAnswer(self.text.encode(), self.status, 0.0, 0.0)

    def stream(self, command: str) -> object:
        raise NotImplementedError

    async def link(self) -> object:
        raise NotImplementedError


@dataclass
class Now:
    at: float = 0.0

    def __call__(self) -> float:
        return self.at


def config(shell: FileShell, now: Now | None = None) -> RcloneConfig:
    return RcloneConfig(shell, "/etc/rclone-shithub.conf", monotonic=now or Now())  # type: ignore[arg-type]


async def no_key_of(source: DropletKeys | EnvironmentKeys | KeyringKeys) -> ObjectStoreError:
    with pytest.raises(ObjectStoreError) as caught:
        await source.key_pair()
    assert caught.value.code == "NoKey"
    assert SECRET not in str(caught.value)
    return caught.value


def test_a_pairs_secret_is_in_no_repr_whatever_holds_it() -> None:
    pair = KeyPair("DO00PROD", SECRET, "nyc3.digitaloceanspaces.com")
    held = (pair, MadeKey(SpacesKey("app", "DO00PROD", (), ""), pair), replace(pair, endpoint=""))
    for value in held:
        assert SECRET not in f"{value!r} {value} {value!s:>40}"
        assert "DO00PROD" in repr(value)


async def test_a_remotes_pair_and_its_endpoint() -> None:
    pair = await DropletKeys(config(FileShell()), "spaces-prod").key_pair()
    assert pair == KeyPair("DO00PROD", SECRET, "nyc3.digitaloceanspaces.com")
    assert pair.hint == "DO00PR…"


async def test_both_buckets_share_one_read() -> None:
    shell = FileShell(CONF.replace("env_auth = true", f"access_key_id = A\nsecret_access_key = {SECRET}"))
    shared = config(shell)
    sources = (DropletKeys(shared, "spaces-prod"), DropletKeys(shared, "spaces-dr"))
    pairs = await asyncio.gather(*(source.key_pair() for source in sources))
    assert [pair.access_key for pair in pairs] == ["DO00PROD", "A"]
    assert len(shell.scripts) == 1


@pytest.mark.parametrize(
    ("remote", "why"),
    [
        ("spaces-dr", "env_auth"),
        ("sealed", "the remote is a crypt"),
        ("disk", "type local"),
        ("half", "secret key is empty"),
        ("broken", "characters"),
        ("nosuch", r"no section \[nosuch\]"),
    ],
)
async def test_a_remote_that_holds_no_pair(remote: str, why: str) -> None:
    error = await no_key_of(DropletKeys(config(FileShell()), remote))
    assert re.search(why, error.why)
    assert error.remedy


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (61, "no such file that deploy can see"),
        (62, "deploy may not read it"),
        (63, "no regular file"),
        (127, "127"),
    ],
)
async def test_a_file_that_cannot_be_read(status: int, why: str) -> None:
    error = await no_key_of(DropletKeys(config(FileShell("deploy\n", status)), "spaces-prod"))
    assert why in error.why
    assert "/etc/rclone-shithub.conf" in error.tried


async def test_an_encrypted_file() -> None:
    shell = FileShell("# Encrypted rclone configuration File\n\nRCLONE_ENCRYPT_V0:\nabc")
    assert "encrypted" in (await no_key_of(DropletKeys(config(shell), "spaces-prod"))).why


async def test_a_lost_shell_is_told_as_such() -> None:
    source = DropletKeys(config(FileShell(error=ShellError("x", "sudo wants a password"))), "spaces-prod")
    with pytest.raises(ShellError):
        await source.key_pair()


async def test_a_refused_key_is_read_anew_once_a_minute() -> None:
    shell, now = FileShell(), Now(1000.0)
    source = DropletKeys(config(shell, now), "spaces-prod")
    await source.key_pair()
    shell.text = CONF.replace("DO00PROD", "DO00NEXT")
    assert source.forget() is False
    assert (await source.key_pair()).access_key == "DO00PROD"
    now.at += 61
    assert source.forget() is True
    assert (await source.key_pair()).access_key == "DO00NEXT"
    assert source.forget() is False
    assert len(shell.scripts) == 2


async def test_a_remote_that_is_added_later_is_found() -> None:
    shell, now = FileShell("[a]\n"), Now(1000.0)
    source = DropletKeys(config(shell, now), "spaces-prod")
    await no_key_of(source)
    shell.text = CONF
    now.at += 61
    await no_key_of(source)
    assert (await source.key_pair()).access_key == "DO00PROD"


async def test_a_path_cannot_leave_its_quotes() -> None:
    shell = FileShell()
    await RcloneConfig(shell, "/etc/a'; rm -rf / #").section("spaces-prod")  # type: ignore[arg-type]
    assert shell.scripts[0].startswith("f='/etc/a'\\''; rm -rf / #'\n")


@pytest.mark.parametrize(
    "text", ["", "no section\n", "[a\n", "[]\n=\n", "[a]\n= b\n[a]\nc", "\ufeff[a]\r\nk = v\r\n", "\x00\xff"]
)
def test_any_text_can_be_parsed(text: str) -> None:
    assert isinstance(parse_rclone(text, "f"), dict)


def test_carriage_returns_and_case() -> None:
    assert parse_rclone("[a]\r\nAccess_Key_Id = x = y \r\n", "f") == {"a": {"access_key_id": "x = y"}}


ENVIRONMENT = KeyReference(KeySource.ENVIRONMENT, "K", "S")


async def test_the_environments_pair() -> None:
    pair = await EnvironmentKeys(ENVIRONMENT, {"K": "DO00AB", "S": f" {SECRET}\n"}).key_pair()
    assert (pair.access_key, pair.secret, pair.hint) == ("DO00AB", SECRET, "DO00AB")


@pytest.mark.parametrize(
    ("environ", "why"),
    [
        ({}, "K and S not set"),
        ({"K": "x"}, "S not set"),
        ({"K": "", "S": SECRET}, "K not set"),
        ({"K": "x\r\nHost: y", "S": SECRET}, "characters"),
        ({"K": "ключ", "S": SECRET}, "characters"),
        ({"K": " ", "S": SECRET}, "empty"),
    ],
)
async def test_an_environment_without_a_pair(environ: dict[str, str], why: str) -> None:
    assert why in (await no_key_of(EnvironmentKeys(ENVIRONMENT, environ))).why


async def test_the_keyrings_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = {"access_key_id": "DO00RING", "secret_access_key": SECRET}
    monkeypatch.setattr(
        "keyring.get_password", lambda service, name: entries.get(name) if service == "w" else None
    )
    reference = KeyReference(KeySource.KEYRING, keyring_service="w")
    assert (await KeyringKeys(reference).key_pair()).access_key == "DO00RING"
    error = await no_key_of(KeyringKeys(KeyReference(KeySource.KEYRING, keyring_service="other")))
    assert "no entry access_key_id" in error.why


async def test_no_keyring_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    error = await no_key_of(KeyringKeys(KeyReference(KeySource.KEYRING, keyring_service="w")))
    assert "walconsole[keyring]" in error.remedy


def test_the_profile_chooses_the_source() -> None:
    droplet = KeyReference(KeySource.DROPLET, rclone_remote="r")
    assert isinstance(key_source(ENVIRONMENT, {}, None), EnvironmentKeys)
    assert isinstance(key_source(KeyReference(KeySource.KEYRING), {}, None), KeyringKeys)
    assert isinstance(key_source(droplet, {}, config(FileShell())), DropletKeys)
    with pytest.raises(ValueError, match="droplet"):
        key_source(droplet, {}, None)
