"""domain.profile_json: what goes out comes back, and nothing else comes in."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walconsole.domain.profile import (
    ApiTarget,
    BucketRole,
    ClusterName,
    PostgresTarget,
    Profile,
    SshTarget,
    default_bucket,
    default_paths,
)
from walconsole.domain.profile_json import profile_from_json, profile_to_json
from walconsole.domain.recovery.keep import Keep

st.register_type_strategy(
    Keep,
    st.builds(
        Keep,
        full=st.integers(min_value=1),
        days=st.none() | st.floats(min_value=0, exclude_min=True, allow_nan=False),
        most_share=st.floats(0, 1, exclude_min=True),
    ),
)


def a_profile() -> Profile:
    return Profile(
        name="demo",
        ssh=SshTarget("127.0.0.1", port=2222, identity_files=("/a b", "/ü"), connect_timeout_s=2.5),
        sudo=False,
        postgres=PostgresTarget(cluster=ClusterName("18", "main")),
        primary=default_bucket(BucketRole.PRIMARY, "demo", "nyc3"),
        dr=default_bucket(BucketRole.DR, "demo", "sfo3"),
        paths=default_paths("demo"),
        api=ApiTarget(token_envs=("A", "B")),
    )


@given(st.from_type(Profile))
def test_what_goes_out_comes_back(profile: Profile) -> None:
    assert repr(profile_from_json(profile_to_json(profile))) == repr(profile)  # NaN equals nothing


def test_it_is_one_line_of_ascii() -> None:
    text = profile_to_json(a_profile())
    assert "\n" not in text
    assert text.isascii()


def test_defaults_may_be_left_out() -> None:
    value = json.loads(profile_to_json(a_profile()))
    value["ssh"] = {"host": "h"}
    assert profile_from_json(json.dumps(value)).ssh == SshTarget("h")


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        (("name",), 7, "profile.name: wanted str, got 7"),
        (("sudo",), 1, "profile.sudo: wanted bool, got 1"),
        (("ssh", "port"), "22", 'profile.ssh.port: wanted int, got "22"'),
        (("ssh", "port"), True, "profile.ssh.port: wanted int, got true"),
        (("ssh", "identity_files"), "x", 'profile.ssh.identity_files: wanted a list, got "x"'),
        (("ssh", "identity_files"), ["x", None], "profile.ssh.identity_files[1]: wanted str, got null"),
        (("ssh",), [], "profile.ssh: wanted an object, got []"),
        (("primary", "role"), "second", 'profile.primary.role: wanted "primary" or "dr", got "second"'),
        (("primary", "colour"), "red", "profile.primary.colour: no such field"),
        (("postgres", "cluster", "version"), None, "profile.postgres.cluster.version: wanted str, got null"),
    ],
)
def test_a_wrong_value_is_named(path: tuple[str, ...], value: object, complaint: str) -> None:
    whole = json.loads(profile_to_json(a_profile()))
    _parent(whole, path)[path[-1]] = value
    with pytest.raises(ValueError, match="^" + _escaped(complaint) + "$"):
        profile_from_json(json.dumps(whole))


@pytest.mark.parametrize("path", [("name",), ("ssh", "host"), ("dr", "keys", "source"), ("paths", "log")])
def test_a_missing_field_is_named(path: tuple[str, ...]) -> None:
    whole = json.loads(profile_to_json(a_profile()))
    del _parent(whole, path)[path[-1]]
    with pytest.raises(ValueError, match=_escaped(".".join(("profile", *path))) + ": missing"):
        profile_from_json(json.dumps(whole))


@pytest.mark.parametrize("text", ["", "{", "nul", "[" * 100_000])
def test_what_is_not_json_is_said_so(text: str) -> None:
    with pytest.raises(ValueError, match=r"^profile: not JSON: "):
        profile_from_json(text)


def _parent(whole: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    for name in path[:-1]:
        whole = whole[name]
    return whole


def _escaped(text: str) -> str:
    return text.replace("[", r"\[").replace("]", r"\]").replace(".", r"\.")
