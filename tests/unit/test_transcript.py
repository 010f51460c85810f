"""A transcript says what was run, what it came to and how it is undone, and holds no secret."""

import json

from tests.data.facts import NOW
from tests.data.provision_run import BUCKET, MADE, WRITTEN, played_steps
from walconsole.errors import ProvisionError
from walconsole.provision.engine.model import (
    Change,
    ChangeKind,
    Changing,
    Check,
    CheckState,
    Event,
    Fact,
    FileChange,
    Plan,
    Printed,
    Progress,
    Proved,
    Ran,
    Stage,
)
from walconsole.ui.provisioning.transcript import as_json, as_markdown, undo_words

CANARY = "dop_v1_" + "0123456789abcdef" * 4
HOSTILE = f"\x1b]52;c;eA==\x07token={CANARY}\x1b[2J"


def of(stage: Stage, event: Event | None = None, error: ProvisionError | None = None) -> Progress:
    return Progress("buckets", stage, NOW, event=event, error=error)


HISTORY = (
    of(Stage.APPLYING, Ran(BUCKET)),
    of(Stage.APPLYING, Changing(MADE)),
    of(Stage.APPLYING, Printed(HOSTILE)),
    of(Stage.VERIFYING, Proved("it is there")),
    of(Stage.FAILED, error=ProvisionError("making it", f"the answer was {HOSTILE}", "mend it")),
)


def test_markdown_tells_in_order_and_how_each_change_is_undone() -> None:
    text = as_markdown("shithub", played_steps(), iter(HISTORY), (MADE, WRITTEN))
    in_order = ("## Buckets", "here$ aws s3api", "changed: bucket", "proved: it is there", "**failed**")
    places = [text.index(part) for part in in_order]
    assert places == sorted(places)
    assert "bucket shithub-wal@nyc3; undo: it stays" in text
    assert "undo: put /var/lib/walconsole/x back" in text
    assert "Nothing stays changed" in as_markdown("shithub", played_steps(), HISTORY, ())


def test_json_is_one_object_with_the_changes_and_the_news() -> None:
    document = json.loads(as_json("shithub", iter(HISTORY), (WRITTEN,)))
    assert [one["undo"] for one in document["changes"]] == ["put /var/lib/walconsole/x back"]
    assert [one["stage"] for one in document["news"]][-1] == "failed"
    assert document["news"][0]["event"]["kind"] == "ran"


def test_no_secret_and_no_control_character_wherever_it_stood() -> None:
    file = FileChange(f"/etc/{HOSTILE}", HOSTILE, HOSTILE)
    check = Check(CheckState.NEEDED, HOSTILE, (Fact("key", HOSTILE),), HOSTILE)
    plan = Plan(HOSTILE, (BUCKET,), (file,), (HOSTILE,), HOSTILE, HOSTILE, HOSTILE, HOSTILE)
    change = Change("buckets", ChangeKind.SETTING, HOSTILE, HOSTILE, HOSTILE)
    history = (*HISTORY, Progress("buckets", Stage.ASKING, NOW, check=check, plan=plan))
    for text in (
        as_markdown(HOSTILE, played_steps(), history, (change,)),
        as_json(HOSTILE, history, (change,)),
    ):
        assert CANARY not in text
        assert not any(character < " " and character != "\n" for character in text)
        assert "\\u001b" not in text


def test_every_kind_of_change_says_how_it_is_undone() -> None:
    for kind in ChangeKind:
        words = undo_words(Change("a-step", kind, "what", before="read"))
        assert (words == "it stays") == (kind in (ChangeKind.BUCKET, ChangeKind.RESTART, ChangeKind.DATA))


def test_markdown_shows_the_difference_of_each_file_but_of_one_that_holds_keys() -> None:
    shown = FileChange("/etc/a.conf", "old = 1\n", f"new = 2\npassword={CANARY}\n")
    hidden = FileChange("/etc/rclone.conf", None, None, secret=True)
    asking = Progress("buckets", Stage.ASKING, NOW, plan=Plan("write", files=(shown, hidden)))
    text = as_markdown("shithub", played_steps(), [asking], ())
    assert "```diff\n--- /etc/a.conf\n+++ /etc/a.conf\n" in text
    assert "-old = 1" in text
    assert "+new = 2" in text
    assert CANARY not in text
    assert "/etc/rclone.conf changes; it holds keys, and is not shown" in text
