"""Requests beside each other, each of which is seen to its end whatever becomes of the others."""

import asyncio
from collections.abc import Awaitable, Iterable
from typing import TypeVar, cast

_One = TypeVar("_One")
_Other = TypeVar("_Other")


async def all_of(awaited: Iterable[Awaitable[_One]]) -> list[_One]:
    """What each gave, in their order; raises what the first of those that failed raised."""
    found = await asyncio.gather(*awaited, return_exceptions=True)
    for each in found:
        if isinstance(each, BaseException):
            raise each
    return cast("list[_One]", found)


async def together(one: Awaitable[_One], other: Awaitable[_Other]) -> tuple[_One, _Other]:
    """The same of two that give different things."""
    first, second = await all_of((one, other))
    return cast("_One", first), cast("_Other", second)
