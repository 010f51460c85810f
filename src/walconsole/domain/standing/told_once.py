"""One error told once: which evidence says nothing that a view does not show already."""

import re
from collections.abc import Sequence

from walconsole.domain.standing.model import Finding
from walconsole.domain.store.answers import Meaning, meaning_of
from walconsole.domain.store.printed import code_in

_TELLING = 12
"""Shorter than this, an evidence may well be a part of another one by chance."""
_WORD = re.compile(r"[^\s()\[\],;:]+")


def repeats(text: str, said: str) -> bool:
    """Whether all words of `text` stand in `said`, whatever joins them there."""
    words = set(_WORD.findall(text))
    return bool(words) and words <= set(_WORD.findall(said))


def unsaid(findings: Sequence[Finding], verdict: str) -> list[list[str]]:
    """Each finding's evidence without what the first line or an earlier evidence says.

    A store's refusal has been told whoever else was told it: the command's own words, the droplet's look
    and the console's say the same with other names around it.
    """
    said: list[str] = []
    refusals: set[str] = set()
    left = []
    for finding in findings:
        own = []
        for text in finding.evidence:
            code = _refusal(text)
            if text in verdict or code in refusals or any(one in text or repeats(text, one) for one in said):
                continue
            own.append(text)
            refusals.update([code] if code else [])
        left.append(own)
        said += [text for text in finding.evidence if len(text) >= _TELLING]
    return left


def _refusal(text: str) -> str:
    """The store's code in an evidence; empty for none, and for what only looks like one by its words."""
    code = code_in(text)
    return code if code and code in text and meaning_of(code) is not Meaning.UNREACHABLE else ""
