"""How many examples of a property are tried: all of them where long tests run, too, else a share."""

from hypothesis import settings

BY_DEFAULT = 100
SHARE = 4
"""One in so many is tried where what takes long is left out. Each run draws others."""

_left_out = False


def load_profile(*, leaves_out_long: bool) -> None:
    """Let hypothesis try as many, and judge no example by its time.

    How long one takes on a machine that is busy with other tests says nothing: benchmarks/ measures.
    """
    global _left_out
    _left_out = leaves_out_long
    settings.register_profile("walconsole", settings(max_examples=some_of(BY_DEFAULT), deadline=None))
    settings.load_profile("walconsole")


def some_of(examples: int) -> int:
    """How many of so many examples are tried in this run."""
    return examples // SHARE if _left_out else examples
