"""A recording as a text: what goes in comes out, redacted; a hostile one is refused, in bounded memory."""

import base64
import json
import time
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.data.facts import NOW, healthy, host
from tests.data.past import frames_of, past_screens
from tests.data.snapshots import failing, reading
from tests.unit.test_kept_snapshots import SECRET
from tests.unit.test_past_screens import frames
from walconsole.cli import main
from walconsole.domain.facts.snapshot import Snapshot, fold
from walconsole.domain.incidents.model import Incident, IncidentLog
from walconsole.domain.kept.recording import (
    MOST_FRAMES,
    Recording,
    bounded,
    recording_of,
    recording_text,
)
from walconsole.domain.kept.screens import changes_of, linked, packed
from walconsole.domain.standing.model import Level
from walconsole.errors import UsageError
from walconsole.operator_files.history_file import HistoryFile
from walconsole.session.replay import read_recording
from walconsole.ui.triage.recording import AFTER_S, BEFORE_S, span_of

MOMENTS = [(NOW - 20, healthy()), (NOW - 10, failing()), (NOW, healthy())]
RECORDING = Recording(
    "shithub (root@db-1)",
    tuple(frames_of(past_screens(MOMENTS))),
    {"primary": "spaces-prod:shithub-wal/"},
    "/etc/rclone-shithub.conf",
)


def test_what_goes_in_comes_out() -> None:
    back = recording_of(recording_text(RECORDING))
    assert json.loads(json.dumps(back.frames)) == json.loads(json.dumps(RECORDING.frames))
    assert (back.title, back.remotes, back.remote_config) == (
        RECORDING.title,
        RECORDING.remotes,
        RECORDING.remote_config,
    )


def test_no_secret_is_in_it() -> None:
    snapshot = fold(healthy(), reading(Snapshot.host, host(hostname=f"token={SECRET}")), NOW)
    text = recording_text(Recording(f"a\x1b[2J {SECRET}", tuple(frames_of(past_screens([(NOW, snapshot)])))))
    back = recording_of(text)
    assert SECRET not in text
    assert SECRET not in json.dumps(back.frames)
    assert back.title == "a [redacted]"


def test_a_long_one_is_thinned_and_keeps_each_change() -> None:
    made = list(frames(0, 100_000, 10))
    made[77] = made[77]._replace(level="critical")
    kept = bounded(made)
    assert len(kept) <= MOST_FRAMES
    assert changes_of(kept) == [(kept[0].at, "ok"), (770, "critical"), (780, "ok")]
    assert bounded(made[:10]) == made[:10]


def _changed(**changes: Any) -> str:
    return json.dumps(json.loads(recording_text(RECORDING)) | changes)


def _framed(content: object) -> str:
    return _changed(frames=base64.b64encode(packed(content)).decode())


def _bomb() -> list[Any]:
    """A list of a hundred thousand, made anew five thousand times: by a file of some kilobytes."""
    first = [0.0, "ok", ["o", {"a": ["=", [0] * 100_000]}, []]]
    return [first, *([float(at), "ok", ["o", {"a": ["l", 0, 100_000, []]}, []]] for at in range(1, 4000))]


def _raw(text: str) -> str:
    return _changed(frames=base64.b64encode(zlib.compress(text.encode())).decode())


HOSTILE: Mapping[str, tuple[str, str]] = {
    "a number of 6,000 digits": (
        f'{{"document": "walconsole recording", "version": {"9" * 6000}}}',
        "no recording",
    ),
    "a number of 6,000 digits in it": (_raw(f'[[{"9" * 6000}, "ok", null]]'), "too many digits"),
    "no number": (_raw('[[NaN, "ok", null]]'), "NaN is no number"),
    "what is packed and no JSON": (_raw("[[1, "), "damaged"),
    "a bomb of lists": (_raw(f"[{'[],' * 30_000_000}0]"), "too long"),
    "nothing": ("", "no recording"),
    "a list": ("[]", "no recording"),
    "nested": ("[" * 100_000, "no recording"),
    "another document": (_changed(document="x"), "no recording"),
    "a newer one": (_changed(version=2), "another version"),
    "a title that is none": (_changed(title=3), "title"),
    "a title without an end": (_changed(title="x" * 5000), "title"),
    "remotes that are none": (_changed(remotes=["x"]), "remotes"),
    "a remote that a shell reads": (_changed(remotes={"primary": "a:b; reboot"}), "remotes"),
    "a remote that is an option": (_changed(remotes={"primary": "--config=/etc/x"}), "remotes"),
    "a remote of nobody": (_changed(remotes={"other": "a:b"}), "remotes"),
    "frames that are none": (_changed(frames=3), "frames"),
    "frames that are damaged": (_changed(frames="%%%"), "damaged"),
    "frames that are not packed": (_changed(frames="AAAA"), "packed"),
    "no frame": (_framed([]), "nothing is in it"),
    "too many": (_framed([[0, "ok", None]] * (MOST_FRAMES + 1)), "more than"),
    "not in their order": (_framed([[2, "ok", ["=", {}]], [1, "ok", None]]), "order"),
    "a change that is none": (_framed([[2, "ok", "x"]]), "change"),
    "a bomb": (_framed(_bomb()), "too much"),
    "a bomb of zeros": (
        _changed(frames=base64.b64encode(packed([0] * (1 << 20))).decode()),
        "too long|none",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_odd_is_refused(name: str) -> None:
    text, why = HOSTILE[name]
    with pytest.raises(ValueError, match=why):
        recording_of(text)


def test_a_configuration_that_a_shell_reads_is_left_out() -> None:
    assert recording_of(_changed(remote_config="/etc/x; reboot")).remote_config == ""


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"{}"])
def test_a_file_that_is_none_is_an_error_with_a_remedy(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.walrec"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="reading the recording") as caught:
        read_recording(path)
    assert "walconsole record" in caught.value.line()


def test_the_command_records_what_is_kept_and_never_over_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "walconsole").mkdir(mode=0o700)
    (tmp_path / "walconsole" / "config.toml").write_text('[profiles.shithub]\nhost = "203.0.113.7"\n')
    path, now = tmp_path / "a.walrec", time.time()
    words = ["record", "shithub", str(path), "--since", "1h"]
    assert main(words) == 2
    assert "nothing is kept of that time" in capsys.readouterr().err
    made = frames_of(past_screens([(now - 9000, healthy()), (now - 60, failing()), (now - 30, healthy())]))
    for frame in made:
        HistoryFile({"XDG_STATE_HOME": str(tmp_path)}).keep_screens("shithub", int(frame.at), linked([frame]))
    assert main(words) == 0
    assert "2 moments of 30 s, redacted" in capsys.readouterr().out
    recording = read_recording(path)
    assert [frame.at for frame in recording.frames] == [now - 60, now - 30]
    assert recording.remotes["primary"].endswith("shithub-wal/")
    assert path.stat().st_mode & 0o077 == 0
    assert main(words) == 2
    assert "is there already" in capsys.readouterr().err


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_recording(tmp_path / "none")


def test_an_incidents_recording_begins_before_it_and_ends_after_it() -> None:
    incident = Incident(NOW - 5000, Level.CRITICAL, "archiving fails", NOW - 3000)
    assert span_of(IncidentLog(open=incident), NOW) == (NOW - 5000 - BEFORE_S, NOW)
    ended = Incident(NOW - 5000, Level.CRITICAL, "archiving fails", NOW - 3000, ok_since=NOW - 2000)
    assert span_of(IncidentLog(closed=(ended,)), NOW) == (NOW - 5000 - BEFORE_S, NOW - 2000 + AFTER_S)
    assert span_of(None, NOW) == (NOW - 3600, NOW)
