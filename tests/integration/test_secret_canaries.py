"""During a whole run no secret is in any argument, environment, file, output, record, transcript or log."""

import logging
import os
import subprocess
import threading
import time
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.integration.provision_stage import TOKEN, Stage, staged
from tests.servers.fixtures import MakeCluster, MakeSshd
from tests.servers.rgw import RadosGateway
from walconsole.domain.store.access_keys import KeyPair
from walconsole.errors import WalconsoleError
from walconsole.provision.engine.printing import JsonLines, PlainLines
from walconsole.sandbox.keys_api.keys import KeyStore
from walconsole.ui.provisioning.transcript import as_json, as_markdown

pytestmark = [pytest.mark.server, pytest.mark.timeout(300)]

TESTS_OWN = b"radosgw-admin"
"""The tests' account makes its keys known to the gateways by this program, whose arguments have them."""


@dataclass
class ProcessWatch:
    """Reads every process's arguments and environment, again and again, in a thread."""

    secrets: list[bytes]
    found: list[str] = field(default_factory=list)
    looks: int = 0
    _ended: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def watching(self) -> Iterator[None]:
        thread = threading.Thread(target=self._watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.004):
            self.looks += 1
            for folder in Path("/proc").iterdir():
                if folder.name.isdecimal() and int(folder.name) != os.getpid():
                    self._look(folder)

    def _look(self, folder: Path) -> None:
        try:
            arguments = (folder / "cmdline").read_bytes()
            if TESTS_OWN in arguments:
                return
            seen = arguments + b"\0" + (folder / "environ").read_bytes()
        except OSError:
            return  # it has ended, or is another user's
        for secret in list(self.secrets):
            if secret in seen:
                self.found.append(f"{folder.name}: {arguments[:200]!r}")


def files_with(secrets: Iterable[bytes], *folders: Path) -> dict[str, int]:
    """The files that hold one, by path, with their permission bits."""
    found = {}
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink():
                content = path.read_bytes()
                if any(secret in content for secret in secrets):
                    found[str(path)] = path.stat().st_mode & 0o777
    return found


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The API's token, and the secret of every key from the moment that it is made."""
    known = [TOKEN.encode()]
    create = KeyStore.create

    def noting(store: KeyStore, name: str, grants: object) -> object:
        key = create(store, name, grants)  # type: ignore[arg-type]  # passed on as it came
        known.append(key.secret.encode())
        return key

    monkeypatch.setattr(KeyStore, "create", noting)
    return known


def searched(stage: Stage) -> tuple[Path, ...]:
    return stage.root, stage.cluster.config_dir, stage.cluster.data_dir, stage.cluster.log_file.parent


async def test_a_whole_run_leaks_no_secret(
    secrets: list[bytes],
    make_cluster: MakeCluster,
    make_sshd: MakeSshd,
    rgw: RadosGateway,
    rgw_dr: RadosGateway,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    written: list[str] = []
    watch = ProcessWatch(secrets)
    cluster = make_cluster(wal_segment_mib=1)
    async with staged(cluster, make_sshd, rgw, rgw_dr, f"canary-{os.getpid()}") as stage:
        with watch.watching():
            stage.gate.answers["buckets"] = False  # once it ends with the key alive
            failure = await failing(stage)
            stage.gate.answers.clear()
            runner = stage.runner()
            await runner.run()
            printers = (PlainLines(written.append), JsonLines(written.append))
            for printer in printers:
                printer.begin(stage.site, runner.steps)
                for news in stage.told:
                    printer.told(news)
                printer.end(runner.stages)
        changes = stage.site.record.changes()
        written += [
            as_markdown("canary", runner.steps, stage.told, changes),
            as_json("canary", stage.told, changes),
            repr(stage.told),
        ]
        written += [failure, repr(stage.site.record.changes()), repr(stage.site.temporary), caplog.text]
        assert len(secrets) >= 4  # the token, two of the droplet's, one for each run
        assert watch.looks > 50
        assert watch.found == []
        said = "\n".join(written).encode()
        assert [secret for secret in secrets if secret in said] == []
        assert files_with(secrets, *searched(stage)) == {stage.profile.paths.rclone_config: 0o640}


async def failing(stage: Stage) -> str:
    """A run that is refused while the temporary key is alive; its traceback."""
    try:
        await stage.runner().run()
    except WalconsoleError as error:
        return "".join(traceback.format_exception(error))
    raise AssertionError("it was to be refused")


def test_the_watch_sees_a_leak(tmp_path: Path) -> None:
    secret = "planted-0123456789abcdef"
    watch = ProcessWatch([secret.encode()])
    with watch.watching():
        subprocess.run(["sh", "-c", "sleep 0.2", "sh", secret], check=True)
        in_arguments = len(watch.found)
        subprocess.run(["sleep", "0.2"], check=True, env={"PATH": os.environ["PATH"], "LEAK": secret})
        time.sleep(0.05)
    assert 0 < in_arguments < len(watch.found)
    (tmp_path / "a").write_text(f"x{secret}")
    assert files_with([secret.encode()], tmp_path) == {
        str(tmp_path / "a"): (tmp_path / "a").stat().st_mode & 0o777
    }
    assert secret not in repr(KeyPair("DO00", secret))
