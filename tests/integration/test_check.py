"""`walconsole check`, `report` and `fix` as programs, against a real deployment: ok, critical, unknown.

And the list of clusters upon the same deployment.
"""

import asyncio
import contextlib
import dataclasses
import json
import os
import re
import secrets
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from textual.message import Message

from tests.integration.failure_stage import deployment, edited, provisioned
from tests.integration.fleet_parts import broken_ways, through
from tests.integration.provision_stage import Stage
from tests.integration.watch_parts import (
    fetched,
    program_environment,
    replace,
    served_port,
    systemd,
    told_by,
    until,
    watcher,
)
from tests.servers.fixtures import MakeProxy
from tests.servers.receiver import receiver
from tests.servers.rgw import RadosGateway
from tests.servers.workspace import Workspace
from walconsole.command_register import Running, Telling
from walconsole.config.writer import profile_as_toml
from walconsole.domain.facts.log_line import LogLine
from walconsole.domain.fleet import schedule
from walconsole.domain.profile import BucketRole, NotifySettings
from walconsole.domain.standing.model import Level
from walconsole.operator_files.history_file import HistoryFile
from walconsole.process.cleanup import Cleanups
from walconsole.session import wiring
from walconsole.session.fleet import Fleet
from walconsole.session.past import KeptPast
from walconsole.session.wish import Session

pytestmark = [pytest.mark.server, pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway) -> AsyncIterator[Stage]:
    async with deployment(workspace, rgw, rgw_dr, f"checked-{secrets.token_hex(3)}") as made:
        await provisioned(made)
        for _ in range(100):
            if made.cluster.sql(
                "SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'"
            ) == [(0,)]:
                break
            await asyncio.sleep(0.2)
        yield made


@pytest.fixture
def config(stage: Stage, tmp_path: Path) -> Path:
    """A configuration file with the deployment's profile."""
    path = tmp_path / "config.toml"
    path.write_text(profile_as_toml(stage.profile, stage.profile.name))
    return path


async def walconsole(tmp_path: Path, *arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    environment = program_environment(tmp_path)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "walconsole", *arguments,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        cwd=tmp_path, env=environment,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, out.decode(), err.decode()


async def becomes(look: Callable[[], object], wanted: object) -> None:
    """Wait until that is seen; fails with what is seen instead when it never is."""
    ends = time.monotonic() + 120
    while look() != wanted:
        assert time.monotonic() < ends, look()
        await asyncio.sleep(0.1)


class QuietHome:
    """board.front.Home that shows nothing."""

    def show_status(self, text: str) -> None:
        """Nobody reads it."""

    def extend_log(self, lines: Sequence[LogLine]) -> None:
        """Nobody reads it."""

    def show_past_log(self, lines: Sequence[LogLine] | None) -> None:
        """Nobody reads it."""

    def post_message(self, message: Message) -> bool:
        """Nobody is there."""
        return False

    def repaint(self) -> None:
        """Nothing is drawn."""

    def update_keys(self) -> None:
        """There are none."""

    def notes_changed(self) -> None:
        """Nobody reads them."""


def lines_of(path: Path) -> list[str]:
    return path.read_text().splitlines()


def logins(stage: Stage) -> int:
    return stage_log(stage).count("Accepted publickey")


def stage_log(stage: Stage) -> str:
    return Path(str(stage.profile.ssh.known_hosts_file)).parent.joinpath("sshd.log").read_text()


async def test_ok_in_one_line_over_one_connection(stage: Stage, config: Path, tmp_path: Path) -> None:
    before, began = logins(stage), time.monotonic()
    code, out, err = await walconsole(tmp_path, "check", "--config", str(config))
    seconds = time.monotonic() - began
    assert (code, err) == (0, ""), out
    assert re.fullmatch(rf"{stage.profile.name}: OK: restorable to any moment since [^\n]+\n", out)
    assert logins(stage) - before == 1
    assert seconds < 20  # the budget of 2 s is measured in benchmarks/


async def test_every_form(stage: Stage, config: Path, tmp_path: Path) -> None:
    code, out, _ = await walconsole(tmp_path, "check", "--config", str(config), "--json")
    document = json.loads(out)
    assert (code, document["exit_code"], document["level"]) == (0, 0, "ok")
    assert {source["source"] for source in document["sources"]} >= {"archiver", "log", "command", "retention"}
    assert all(source["problem"] is None for source in document["sources"])

    code, out, _ = await walconsole(tmp_path, "check", "--config", str(config), "--nagios")
    assert code == 0
    assert re.fullmatch(r"WALCONSOLE OK - [^|\n]+ \| ('[^']+'=-?[\d.]+[sBc]?(;;;0)? ?)+\n", out)

    target = tmp_path / "walconsole.prom"
    code, out, _ = await walconsole(
        tmp_path, "check", "--config", str(config), "--prometheus", "--output", str(target)
    )
    assert (code, out) == (0, "")
    for line in lines_of(target):
        assert re.fullmatch(
            r'# (HELP|TYPE) walconsole_\w+ .+|walconsole_\w+\{[a-z_]+="[^"]*"[^}]*\} -?[\d.]+', line
        )
    assert "walconsole.prom" not in str(sorted(os.listdir(tmp_path))).replace("'walconsole.prom'", "")  # noqa: PTH208


async def test_of_several_each_is_told_and_a_dead_host_costs_the_others_nothing(
    stage: Stage, config: Path, tmp_path: Path, make_proxy: MakeProxy
) -> None:
    """One is well, one archives to where nothing is, one host takes the connection and says nothing."""
    silent = make_proxy(stage.profile.ssh.port or 22)
    silent.stall()
    broken = dataclasses.replace(
        stage.profile, primary=dataclasses.replace(stage.profile.primary, prefix="elsewhere/")
    )
    dead = dataclasses.replace(stage.profile, ssh=dataclasses.replace(stage.profile.ssh, port=silent.port))
    with config.open("a") as file:
        file.write(profile_as_toml(broken, "broken"))
        file.write(profile_as_toml(dead, "dead"))
    code, out, err = await walconsole(tmp_path, "check", "--config", str(config), "--all", "--timeout", "6")
    assert (code, err) == (2, "")
    told = [line.split(": ")[:2] for line in out.splitlines()]
    assert told == [["broken", "CRITICAL"], ["dead", "UNKNOWN"], [stage.profile.name, "OK"]]
    code, out, _ = await walconsole(
        tmp_path, "check", "--config", str(config), "dead", stage.profile.name, "--json", "--timeout", "6"
    )
    document = json.loads(out)
    assert (code, document["exit_code"]) == (3, 3)
    assert [each["cluster"] for each in document["clusters"]] == ["dead", stage.profile.name]
    seen = {each["cluster"]: each["not_seen"] for each in document["clusters"]}
    assert "host" in seen["dead"]
    assert seen[stage.profile.name] == []


async def test_the_list_tells_each_and_a_console_is_opened_on_its_connection(
    stage: Stage, tmp_path: Path, make_proxy: MakeProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One is well, eleven are broken in ways of their own, one dies meanwhile; and all of it is kept."""
    monkeypatch.setattr(schedule, "GLANCE_EVERY_S", 0.5)
    dying, broken = make_proxy(stage.profile.ssh.port or 22), broken_ways(stage, tmp_path, make_proxy)
    environment = {
        "HOME": str(tmp_path), "PATH": os.environ["PATH"], "WRONG_KEY": "AK0WRONG", "WRONG_SECRET": "wrong",
    }  # fmt: skip

    def wish(name: str, **changes: Any) -> Session:
        profile = dataclasses.replace(stage.profile, name=name, **changes)
        return Session(profile, tmp_path / "log", called=name, environment=environment)

    wishes = [
        wish("well"),
        *(wish(name, **each.changes) for name, each in broken.items()),
        wish("dying", ssh=through(stage, dying.port, tmp_path)),
    ]
    async with Cleanups() as cleanups:
        fleet = Fleet(wishes, cleanups)
        running = asyncio.create_task(fleet.run())

        def levels() -> dict[str, Level]:
            return {row.name: row.level for row in fleet.rows if row.was_seen}

        def untold() -> list[str]:
            """What is not said as it should be."""
            rows = [row for row in fleet.rows if row.name in broken]
            return [f"{row.name}: {row.verdict}" for row in rows if not broken[row.name].is_told_by(row)]

        wanted = {"well": Level.OK, "dying": Level.OK} | {name: each.level for name, each in broken.items()}
        await becomes(levels, wanted)
        await becomes(untold, [])
        dying.close()
        await becomes(levels, wanted | {"dying": Level.UNKNOWN})
        assert "cannot be reached" in next(row.verdict for row in fleet.rows if row.name == "dying")
        before = logins(stage)
        session = fleet.open("well")
        assert fleet.open("well") is session
        session.home = QuietHome()
        observing = asyncio.create_task(session.observe())
        await becomes(lambda: session.snapshot is not None and session.snapshot.whole, True)
        assert logins(stage) == before
        observing.cancel()
        await asyncio.wait([observing])
        await session.close()
        fleet.closed(session)
        fleet.want("well")
        await becomes(lambda: fleet.is_looked_at("well"), True)
        running.cancel()
        await asyncio.wait([running])
        past = fleet.past
    assert cleanups.left == []
    seen = [level for _, level in await past.levels()]
    assert seen[-1] == "critical"
    moment = await past.screen(time.time())
    assert moment is not None
    assert {row.name: row.level for row in moment.rows} == wanted | {"dying": Level.UNKNOWN}
    then = await KeptPast(HistoryFile(environment), "elsewhere").screen(time.time())
    assert then is not None
    assert then.snapshot.primary.value is not None, "its console has a past, though it was never opened"


async def test_while_all_is_well_a_look_goes_on_from_the_one_before(
    stage: Stage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
) -> None:
    """Fewer requests to the buckets and scripts on the host, until something changes."""
    requests: list[str] = []

    def counting(*_: object) -> Telling:
        def told(host: str, line: str) -> contextlib.AbstractContextManager[Running]:
            requests.append(f"{host} {line}")
            return contextlib.nullcontext(Running())

        return told

    monkeypatch.setattr(wiring, "telling_of_requests", counting)
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    wish = Session(stage.profile, tmp_path / "log", called="calm", environment=environment)
    async with Cleanups() as cleanups:
        fleet = Fleet([wish], cleanups)
        running = asyncio.create_task(fleet.run())

        async def looked() -> tuple[int, float, Level]:
            """What the next whole look takes: requests, seconds of a processor, and what it says."""
            requests.clear()
            began = time.process_time()
            seen = fleet._clusters["calm"].turn.whole_at
            fleet._clusters["calm"].turn.whole_at = None if seen is None else 0.0
            fleet._woken.set()
            await becomes(lambda: fleet._clusters["calm"].turn.whole_at not in (None, 0.0, seen), True)
            return len(requests), time.process_time() - began, fleet.rows[0].level

        looks = [await looked() for _ in range(4)]
        record_property("looks", [(count, round(seconds, 3)) for count, seconds, _ in looks])
        assert [level for _, _, level in looks] == [Level.OK] * 4, fleet.rows[0].verdict
        calm = max(count for count, _, _ in looks[2:])
        assert calm <= 12, requests
        assert not any("lifecycle" in line for line in requests)
        age_s = fleet.rows[0].age_s(time.time())
        assert age_s is not None
        assert age_s > 0.5, "what was not asked again has its own age"
        fleet.want("calm")
        count, seconds, _ = await looked()
        record_property("from scratch", (count, round(seconds, 3)))
        assert any("lifecycle" in line for line in requests), "the operator has all of it asked"
        assert count > calm
        await looked()
        stage.cluster.reload()
        count, _, _ = await looked()
        assert any("lifecycle" in line for line in requests), "the server loaded its files"
        running.cancel()
        await asyncio.wait([running])
    assert cleanups.left == []


async def test_critical_with_its_cause_a_report_and_the_fix(
    stage: Stage, config: Path, tmp_path: Path
) -> None:
    program = stage.root / f"usr/local/bin/{stage.profile.name}-pg-archive"
    os.chmod(program, 0o644)  # noqa: PTH101  # a moment
    stage.cluster.sql("SELECT pg_create_restore_point('due')")
    stage.cluster.sql("SELECT pg_switch_wal()")
    await asyncio.sleep(1.5)
    code, out, _ = await walconsole(tmp_path, "check", "--config", str(config), "--json")
    document = json.loads(out)
    assert (code, document["level"]) == (2, "critical")
    root = document["stories"][0]["root"]
    assert root["id"] == "command-not-executable"
    fix = root["fixes"][0]
    assert (fix["step"], fix["subject"]) == ("executable-command", str(program))

    code, out, _ = await walconsole(tmp_path, "report", "--config", str(config))
    assert code == 2
    assert out.startswith("# WAL archiving of ")
    assert f"chmod 0755 {program}" in out
    assert "## Time line" in out

    mend = ("fix", "--config", str(config), "--step", fix["step"], "--subject", fix["subject"])
    code, out, _ = await walconsole(tmp_path, *mend, "--plan")
    assert code == 0
    assert "chmod 0755" in out
    assert not os.access(program, os.X_OK)
    code, _, err = await walconsole(tmp_path, *mend, "--apply")
    assert code == 2
    assert f"--confirm {stage.profile.name}" in err
    code, out, err = await walconsole(tmp_path, *mend, "--apply", "--confirm", stage.profile.name)
    assert code == 0
    assert re.fullmatch(r"walconsole: transcript: \S+\.md, \S+\.json\n", err)
    assert os.access(program, os.X_OK)
    await remembered_after_the_mend(stage, config, tmp_path)


def earlier(value: Any, seconds: float) -> Any:
    """A document with every time in it that much earlier."""
    if isinstance(value, dict):
        return {name: earlier(each, seconds) for name, each in value.items()}
    if isinstance(value, list):
        return [earlier(each, seconds) for each in value]
    return value - seconds if isinstance(value, float) and value > 1e9 else value


async def remembered_after_the_mend(stage: Stage, config: Path, tmp_path: Path) -> None:
    """Whoever comes later is told what was, how bad it was, and what was run."""
    code, out, err = await walconsole(tmp_path, "check", "--config", str(config), "--json")
    for _ in range(60):  # a command that could not be started is tried again after a minute at most
        if code == 0:
            break
        await asyncio.sleep(1.0)
        code, out, err = await walconsole(tmp_path, "check", "--config", str(config), "--json")
    incident = json.loads(out)["incidents"]["open"]
    assert (code, err, incident["level"]) == (0, "", "critical")
    assert incident["opened_at"] < incident["last_bad_at"] < incident["ok_since"]
    assert "command-not-executable" in {cause["id"] for cause in incident["causes"]}
    assert incident["worst"]["waiting_segments"]["value"] >= 1
    (step,) = incident["steps"]
    assert (step["step"], step["result"]) == ("executable-command", "done")
    assert incident["drained_at"] is not None
    (path,) = (tmp_path / ".local/state/walconsole/incidents").glob("*.json")
    assert path.name == f"{stage.profile.name}.json"
    assert path.stat().st_mode & 0o777 == 0o600

    path.write_text(json.dumps(earlier(json.loads(path.read_text()), 400.0)))  # OK has held by now
    code, out, _ = await walconsole(tmp_path, "report", "--config", str(config))
    assert code == 0
    part = out.partition("## The last incident")[2].partition("## What can be restored")[0]
    assert "at worst CRITICAL" in part
    assert "- run by walconsole: “" in part
    assert "- mended after “" in part
    rows = [line for line in out.splitlines() if line.startswith("| 20")]
    assert len(set(rows)) == len(rows)  # no equal rows
    assert any("step “" in row for row in rows)


async def test_unknown_where_nothing_can_be_looked_at(stage: Stage, config: Path, tmp_path: Path) -> None:
    replace(config, f"port = {stage.profile.ssh.port}", "port = 9")
    code, out, _ = await walconsole(tmp_path, "check", "--config", str(config))
    assert code == 3
    assert "UNKNOWN: cannot tell: the droplet cannot be reached" in out


async def test_a_store_that_swallows_every_request_is_unknown(
    stage: Stage, config: Path, tmp_path: Path, make_proxy: MakeProxy
) -> None:
    """The connections stand, and no answer ever comes: the look ends before the store's own limit."""
    proxies = []
    for role in BucketRole:
        endpoint = stage.target(role).endpoint
        proxies.append(make_proxy(int(endpoint.rpartition(":")[2])))
        proxies[-1].stall()
        replace(config, endpoint, f"http://127.0.0.1:{proxies[-1].port}")
    look = ("--config", str(config), "--timeout", "8")
    forms = (("check",), ("check", "--json"), ("report",))
    answers = await asyncio.gather(*(walconsole(tmp_path, *form, *look) for form in forms))
    people, document, report = (out for _, out, _ in answers)
    assert [code for code, _, _ in answers] == [3, 3, 3], people
    unread = r"the primary bucket(,| and) the DR bucket[^;]* were not read within 8 s"
    assert re.match(rf"\S+: UNKNOWN: cannot tell: {unread}", people), people
    assert set(json.loads(document)["not_seen"]) >= {"primary", "dr"}
    assert report.startswith(f"# WAL archiving of {stage.profile.name}: UNKNOWN")


async def test_what_it_does_not_understand_is_unknown_and_pages_nobody(tmp_path: Path) -> None:
    for arguments in (("check", "--nonsense"), ("check", "--timeout", "never", "host"), ("check",)):
        code, out, err = await walconsole(tmp_path, *arguments)
        assert (code, out) == (3, "")
        assert err


async def test_a_host_key_that_nobody_can_vouch_for(stage: Stage, config: Path, tmp_path: Path) -> None:
    replace(config, str(stage.profile.ssh.known_hosts_file), str(tmp_path / "known_hosts"))
    code, out, err = await walconsole(tmp_path, "check", "--config", str(config))
    assert code == 3
    assert "host key" in err
    assert "SHA256:" in err
    assert "UNKNOWN" in out


async def test_without_a_second_copy_that_is_wanted_nothing_asks_for_one_or_misses_it(
    stage: Stage, tmp_path: Path
) -> None:
    """`dr = "none"`: the other bucket is never asked, and the report says that it was chosen."""
    config = tmp_path / "config.toml"
    alone = dataclasses.replace(stage.profile, second_copy=False)
    config.write_text(profile_as_toml(alone, alone.name))
    assert '\ndr = "none"\n' in config.read_text()
    code, out, err = await walconsole(tmp_path, "config", "check", "--config", str(config))
    assert code == 0, out + err
    code, out, err = await walconsole(tmp_path, "check", "--config", str(config), "--json")
    document = json.loads(out)
    assert (code, document["level"], document["not_seen"]) == (0, "ok", []), out + err
    assert not {"dr", "dr_policy"} & {each["source"] for each in document["sources"]}
    assert alone.dr.bucket not in out
    code, out, _ = await walconsole(tmp_path, "report", "--config", str(config))
    assert code == 0
    assert 'no second copy, by choice: the profile says dr = "none"' in out.replace("\\", "")


# -- `walconsole watch`, as a program, on the same deployment.


async def test_a_watcher_tells_once_of_what_breaks_and_of_its_end_though_it_is_killed(
    stage: Stage, config: Path, tmp_path: Path, make_proxy: MakeProxy
) -> None:
    endpoint = stage.target(BucketRole.PRIMARY).endpoint
    proxy = make_proxy(int(endpoint.rpartition(":")[2]))
    by_proxy = f"http://127.0.0.1:{proxy.port}"
    # The droplet's own, too: a profile that names another place than its host is a finding of its own.
    with receiver() as taking, edited(stage.profile.paths.rclone_config, endpoint, by_proxy):
        settings = NotifySettings(
            webhook_env="HOOK",
            ping_env="PING",
            ping_minutes=0.02,
            worse_after_minutes=0,
            well_after_minutes=0,
        )
        told_by(settings, stage, config)
        replace(config, f'endpoint = "{endpoint}"', f'endpoint = "{by_proxy}"')
        places = {"HOOK": f"{taking.url}/hook/T0SECRET", "PING": f"{taking.url}/ping"}
        async with watcher(tmp_path, config, **places) as process:
            port = await served_port(process)
            await until(lambda: bool(taking.taken("/ping")[1:]), "a ping of a cluster that is well")
            assert [one.path for one in taking.taken("/ping")[:2]] == ["/ping/start", "/ping"]
            assert taking.taken("/hook") == []
            page = await fetched(port, "/metrics")
            assert f'walconsole_status{{profile="{stage.profile.name}"}} 0' in page
            assert f'walconsole_watch_notices_waiting{{profile="{stage.profile.name}"}} 0' in page
            assert "walconsole_recovery_window_end_timestamp_seconds{" in page
            assert '"watch": "runs"' in await fetched(port, "/healthz")
            proxy.refuse()
            proxy.cut()
            await until(lambda: bool(taking.taken("/hook")), "the notice")
            await until(lambda: taking.requests[-1].path == "/ping/fail", "a ping that failed")
            process.kill()
        _, out, _ = await walconsole(tmp_path, "check", "--config", str(config), "--json")
        found = {each["root"]["id"]: each["root"]["title"] for each in json.loads(out)["stories"]}
        assert found["watcher-died"] == "the watcher DIED: nobody would be told"
        places |= {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "2000000"}
        with systemd(tmp_path / "notify") as heard:
            async with watcher(tmp_path, config, **places) as process:
                await served_port(process)
                begun = len(taking.requests)
                await until(lambda: len(taking.requests) > begun + 3, "three pings more")
                assert len(taking.taken("/hook")) == 1, "it was told"
                proxy.accept()
                await until(lambda: len(taking.taken("/hook")) > 1, "that it is well")
                process.terminate()
                assert await asyncio.wait_for(process.wait(), 20) == 143
                assert process.stderr is not None
                assert b"T0SECRET" not in await process.stderr.read()
        kept = [path.read_bytes() for path in (tmp_path / ".local").rglob("*") if path.is_file()]
        assert len(kept) > 3
        assert not any(b"T0SECRET" in content for content in kept)
        assert heard[0].startswith("READY=1\nSTATUS=")
        assert any(line.endswith("\nWATCHDOG=1") for line in heard)
        assert heard[-1] == "STOPPING=1"
        code, out, _ = await walconsole(tmp_path, "check", "--config", str(config), "--timeout", "60")
        assert (code, "watcher" in out) == (0, False), out
        worse, well = (json.loads(one.body) for one in taking.taken("/hook"))
    assert (worse["kind"], worse["level"], well["kind"]) == ("worse", "warning", "well")
    assert worse["incident"] == well["incident"]
    assert "cannot be read" in worse["text"] or "could not be read" in worse["text"], worse["text"]


async def test_each_way_is_tried_by_a_test(stage: Stage, config: Path, tmp_path: Path) -> None:
    code, _, err = await walconsole(tmp_path, "watch", "--config", str(config), "--test")
    assert (code, "no profile says who is told" in err) == (2, True)
    settings = NotifySettings(command=("/bin/cat",), webhook_env="HOOK")
    told_by(settings, stage, config)
    code, _, err = await walconsole(tmp_path, "watch", "--config", str(config), "--test")
    assert code == 13
    assert f"walconsole: {stage.profile.name}: command: told\n" in err
    assert "webhook: reading the secret HOOK: it is neither a credential of the service" in err
