"""rclone's configuration for a host that has none of this deployment's: a section a copy.

Its text is secret: it travels on standard input alone, and is shown to nobody.
"""

from collections.abc import Mapping

from walconsole.domain.profile import BucketRole, BucketTarget, Profile
from walconsole.domain.store.access_keys import KeyPair
from walconsole.droplet.names import remote_of


def rclone_config(profile: Profile, pairs: Mapping[BucketRole, KeyPair]) -> str:
    """The sections of those copies that have a pair, by the names that the installed scripts use."""
    sections = {
        remote_of(target): _section(target, pairs[target.role])
        for target in profile.buckets
        if target.role in pairs
    }
    head = "# walconsole: for a drill or a recovery on this host; taken away at its end\n"
    return head + "".join(f"[{name}]\n{text}" for name, text in sections.items())


def _section(target: BucketTarget, pair: KeyPair) -> str:
    """`Other` is rclone's provider for any S3 store, which nothing is assumed of (rclone.org/s3)."""
    values = {
        "type": "s3",
        "provider": "Other",
        "endpoint": pair.endpoint or target.endpoint,
        "region": target.signing_region,
        "access_key_id": pair.access_key,
        "secret_access_key": pair.secret,
        "force_path_style": "true" if target.path_style else "false",
    }
    return "".join(f"{name} = {value}\n" for name, value in values.items()) + "\n"
