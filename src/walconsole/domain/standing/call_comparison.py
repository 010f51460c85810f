"""Call by call, from the droplet and from here: which side fails, at which call, what that means. Pure."""

from collections.abc import Sequence

from walconsole.domain.facts.evidence import VerbResult
from walconsole.domain.records import record
from walconsole.domain.standing.refusals import REFUSALS, of_result

LARGE = "PUT 256K"
VERBS = ("LIST", "PUT", LARGE, "HEAD", "GET", "DELETE")
"""In the order in which they are tried: an object is written, looked at, read and taken away again."""
_NOT_ASKED = "not asked"


@record
class Judgement:
    """What the calls say: `fine` only where the droplet's all worked; else `remedy` says what to do."""

    fine: bool
    text: str
    remedy: str = ""


def table(droplet: Sequence[VerbResult], here: Sequence[VerbResult]) -> tuple[str, ...]:
    """The calls side by side, a line each, under a heading."""
    ours, others = _by_verb(droplet), _by_verb(here)
    rows = [
        (verb, _cell(ours.get(verb)), _cell(others.get(verb)))
        for verb in VERBS
        if verb in ours or verb in others
    ]
    heading = ("call", "from the droplet, as the archiver", "from here, by the console's own key")
    widths = [max(len(row[column]) for row in (heading, *rows)) for column in (0, 1)]
    first, second = widths
    return tuple(
        f"{verb:<{first}}  {left:<{second}}  {right}".rstrip() for verb, left, right in (heading, *rows)
    )


def judge(where: str, droplet: Sequence[VerbResult], here: Sequence[VerbResult]) -> Judgement:
    """`where` is `REMOTE:BUCKET/PREFIX`, `here` is empty where the console has no key for that bucket."""
    refused = next((result for result in droplet if not result.ok), None)
    if not droplet:
        return Judgement(False, f"nothing could be asked of {where} from the droplet")
    if refused is None:
        return _droplet_works(where, here)
    code, verb = refused.code or "an error", refused.verb
    if _large_only(droplet):
        return Judgement(
            False,
            f"{where}: small calls are answered and a PUT of 256 KiB is not: large packets get lost",
            "the path's MTU is smaller than the interface's, or something between stops uploads: see the "
            "network probe; try `ip link set dev IFACE mtu 1400`",
        )
    same = next((result for result in here if result.verb == verb), None)
    remedy = REFUSALS[of_result(refused)].remedy
    if same is None or same.code == _NOT_ASKED:
        return Judgement(False, f"{where}: {verb} fails from the droplet ({code})", remedy)
    if same.ok:
        text = f"{where}: only the droplet fails, at {verb} ({code}); the same call works from here"
        return Judgement(False, text, remedy)
    theirs = same.code or "an error"
    codes = code if theirs == code else f"{code}; from here {theirs}"
    both = f"{where}: {verb} fails from both sides ({codes})"
    return Judgement(False, both, remedy)


def _droplet_works(where: str, here: Sequence[VerbResult]) -> Judgement:
    other = next((result for result in here if not result.ok and result.code != _NOT_ASKED), None)
    text = f"{where}: every call works from the droplet, as the archiver"
    if other is None:
        return Judgement(True, text)
    return Judgement(True, f"{text}; from here {other.verb} fails ({other.code or 'an error'})")


def _large_only(droplet: Sequence[VerbResult]) -> bool:
    """Whether a PUT of one packet was answered, and one of many met silence."""
    found = _by_verb(droplet)
    small, large = found.get("PUT"), found.get(LARGE)
    return small is not None and small.ok and large is not None and not large.ok


def _by_verb(results: Sequence[VerbResult]) -> dict[str, VerbResult]:
    return {result.verb: result for result in results}


def _cell(result: VerbResult | None) -> str:
    if result is None:
        return _NOT_ASKED
    took = "" if result.seconds is None else f"  {result.seconds:.2f} s"
    if result.ok:
        return f"ok{took}"
    return f"{result.code or result.said[:60] or 'failed'}{took}"
