"""Documents of plain values, each as its difference to the one before it, and back.

A difference is a list: `["=", value]` another value, `["o", changed, gone]` an object of which some fields
changed (a difference each) and some are gone, `["l", first, count, tail]` a list that has `count` items of
the one before, from `first` on, and then `tail`: what slides or grows takes what is new. None: no change.
"""

from typing import Any

MOST_DEPTH = 64


def difference(old: Any, new: Any) -> Any:
    """What makes `new` of `old`; None where they are the same."""
    if old is new or (type(old) is type(new) and old == new):
        return None
    if isinstance(old, dict) and isinstance(new, dict):
        changed = {
            name: ["=", one] if name not in old else part
            for name, one in new.items()
            if name not in old or (part := difference(old[name], one)) is not None
        }
        return ["o", changed, [name for name in old if name not in new]]
    if isinstance(old, list) and isinstance(new, list) and old and new:
        return _of_lists(old, new)
    return ["=", new]


def _of_lists(old: list[Any], new: list[Any]) -> list[Any]:
    try:
        first = old.index(new[0])
    except ValueError:
        return ["=", new]
    count = 0
    for before, after in zip(old[first:], new, strict=False):
        if before != after:
            break
        count += 1
    return ["l", first, count, new[count:]]


class Spent:
    """How many items of lists and objects may still be made, of a chain that anybody may have written."""

    def __init__(self, left: int) -> None:
        self._left = left

    def take(self, items: int) -> None:
        """So many are made. Raises ValueError where that is too much."""
        self._left -= items
        if self._left < 0:
            raise ValueError("the changes make too much")


def applied(old: Any, change: Any, depth: int = 0, spent: Spent | None = None) -> Any:
    """What `change` makes of `old`, which stays as it is. Raises ValueError for what fits nothing."""
    if change is None:
        return old
    if depth > MOST_DEPTH or not isinstance(change, list) or not change:
        raise ValueError("a change is none")
    kind, *rest = change
    if kind == "=" and len(rest) == 1:
        return rest[0]
    if kind == "o" and len(rest) == 2:
        return _object_with(old, rest[0], rest[1], depth, spent)
    if kind == "l" and len(rest) == 3:
        return _list_with(old, rest[0], rest[1], rest[2], spent)
    raise ValueError("a change is none")


def _object_with(old: Any, changed: Any, gone: Any, depth: int, spent: Spent | None) -> dict[str, Any]:
    if not isinstance(old, dict) or not isinstance(changed, dict) or not isinstance(gone, list):
        raise ValueError("a change fits nothing")
    made = dict(old)
    for name in gone:
        if not isinstance(name, str):
            raise ValueError("a change fits nothing")
        made.pop(name, None)
    for name, change in changed.items():
        made[name] = applied(made.get(name), change, depth + 1, spent)
    if spent is not None:
        spent.take(len(made))
    return made


def _list_with(old: Any, first: Any, count: Any, tail: Any, spent: Spent | None) -> list[Any]:
    if not isinstance(old, list) or not isinstance(tail, list):
        raise ValueError("a change fits nothing")
    if type(first) is not int or type(count) is not int or not 0 <= first <= first + count <= len(old):
        raise ValueError("a change fits nothing")
    if spent is not None:
        spent.take(count + len(tail))
    return old[first : first + count] + tail
