"""A recording: screens of the past in one text that can be given to somebody else, and back.

JSON: what it is and its version, whose it is, what the commands on its screens name, and the frames, packed.
It is read as text from anywhere: whatever is in it, it makes a recording or a ValueError, in bounded memory.
"""

import base64
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from itertools import pairwise
from typing import Any

from walconsole.domain.kept.chain import Spent
from walconsole.domain.kept.runs import KeptRun, packed_runs, runs_of
from walconsole.domain.kept.screens import (
    Frame,
    followed,
    linked,
    links_of,
    packed,
    thinned_frames,
    unpacked,
)
from walconsole.domain.kept.values import clean_text, kept_text
from walconsole.domain.records import record

DOCUMENT, VERSION = "walconsole recording", 1
MOST_FILE_BYTES = 64 << 20
MOST_FRAMES = 5000
_MOST_UNPACKED = 48 << 20
_MOST_ITEMS = 20_000_000
"""Items of all its lists and objects together: its frames in memory take some hundred megabytes at most."""
_LONGEST_TITLE = 200
_SPACING_S = (10, 60, 600, 3600)
_REMOTE = re.compile(r"[A-Za-z0-9_.@:/+][A-Za-z0-9_.@:/+-]{0,400}")


@record
class Recording:
    """`title` is whose it is; `remotes` (by role) and `remote_config` are what rclone calls them there;
    `runs` are the steps that were run meanwhile.

    They stand in commands that can be copied, and have no sign that a shell reads otherwise.
    """

    title: str
    frames: tuple[Frame, ...]
    remotes: Mapping[str, str] = field(default_factory=dict)
    remote_config: str = ""
    runs: tuple[KeptRun, ...] = ()


def bounded(frames: Sequence[Frame]) -> list[Frame]:
    """At most as many as a recording may have: thinner, but for each change of the first line."""
    kept = list(frames)
    for every_s in _SPACING_S:
        if len(kept) <= MOST_FRAMES:
            break
        kept = thinned_frames(kept, every_s)
    return kept[-MOST_FRAMES:]


def recording_text(recording: Recording) -> str:
    """What is written to the file: redacted, as all of its frames are."""
    frames = packed(linked(bounded(recording.frames)))
    document = {
        "document": DOCUMENT,
        "version": VERSION,
        "title": kept_text(recording.title)[:_LONGEST_TITLE],
        "remotes": {role: name for role, name in recording.remotes.items() if _REMOTE.fullmatch(name)},
        "remote_config": recording.remote_config if _REMOTE.fullmatch(recording.remote_config) else "",
        "frames": base64.b64encode(frames).decode("ascii"),
    }
    if recording.runs:  # an earlier walconsole passes over it
        document["runs"] = base64.b64encode(packed_runs(recording.runs)).decode("ascii")
    return json.dumps(document, ensure_ascii=True, indent=1) + "\n"


def recording_of(text: str) -> Recording:
    """What was written. Raises ValueError, which says what is odd."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):  # a number of thousands of digits is no JSONDecodeError
        raise ValueError("it is no recording") from None
    if not isinstance(document, dict) or document.get("document") != DOCUMENT:
        raise ValueError("it is no recording")
    if document.get("version") != VERSION:
        raise ValueError(f"it has another version than {VERSION}: a newer walconsole may have written it")
    frames = tuple(_frames(document.get("frames")))
    if not frames:
        raise ValueError("nothing is in it")
    title, config = _word(document, "title"), _word(document, "remote_config")
    remotes, config = dict(_remotes(document)), config if _REMOTE.fullmatch(config) else ""
    runs = runs_of(_block(document["runs"], "runs")) if "runs" in document else ()
    return Recording(title, frames, remotes, config, runs)


def _word(document: Mapping[str, Any], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or len(value) > 2 * _LONGEST_TITLE:
        raise ValueError(f"its {name} is no text, or too long a one")
    return clean_text(value).replace("\n", " ")


def _remotes(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    remotes = document.get("remotes")
    if not isinstance(remotes, dict) or len(remotes) > 2:
        raise ValueError("its remotes are none")
    for role, name in remotes.items():
        if role not in ("primary", "dr") or not isinstance(name, str) or not _REMOTE.fullmatch(name):
            raise ValueError("one of its remotes is none")
        yield role, name


def _block(content: object, name: str) -> bytes:
    if not isinstance(content, str):
        raise ValueError(f"its {name} are no text")
    try:
        return base64.b64decode(content, validate=True)
    except ValueError:  # binascii.Error; a sign that is none of ASCII's
        raise ValueError(f"its {name} are damaged") from None


def _frames(content: object) -> Iterator[Frame]:
    links = links_of(unpacked(_block(content, "frames"), _MOST_UNPACKED))
    if len(links) > MOST_FRAMES:
        raise ValueError(f"it has more than {MOST_FRAMES} frames")
    if any(after.at < before.at for before, after in pairwise(links)):
        raise ValueError("its frames are not in their order")
    yield from followed(links, spent=Spent(_MOST_ITEMS))
