"""Fill the table of docs/stores.md from the vendors that the program knows; its recipes are by hand."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from walconsole.domain.store.vendors import VENDORS, Vendor

PAGE = Path(__file__).parents[1] / "docs" / "stores.md"
_BLOCK = re.compile(r"(<!-- made: vendors -->\n).*?(<!-- end -->)", re.DOTALL)
_HAS = {True: "yes", False: "no", None: "not said"}


def filled(text: str) -> str:
    """The page with its table made anew."""
    table = "\n".join(_table())
    return _BLOCK.sub(lambda match: f"{match[1]}{table}\n{match[2]}", text)


def _table() -> Iterator[str]:
    yield "| store | endpoint | region that is signed | path style | ETag | lifecycle, versioning |"
    yield "|---|---|---|---|---|---|"
    for each in VENDORS:
        has = f"{_HAS[each.lifecycle]}, {_HAS[each.versioning]}"
        cells = (each.name, f"`{each.endpoint}`", each.region, each.path_style, each.etag, has)
        yield f"| {' | '.join(cell or 'not said' for cell in cells)} |"
    yield ""
    for each in VENDORS:
        yield from _notes(each)


def _notes(vendor: Vendor) -> Iterator[str]:
    told = [each for each in (vendor.listing, vendor.deleting, vendor.consistency) if each]
    answers = f" It answers as {vendor.like.name} does, as far as is documented." if vendor.like else ""
    said = f" {'. '.join(f'{each[:1].upper()}{each[1:]}' for each in told)}." if told else ""
    yield f"- **{vendor.name}**{' (recognised by its endpoint)' if vendor.domain else ''}:{said}{answers}"
    yield f"  Source: {vendor.source}"


if __name__ == "__main__":
    before = PAGE.read_text(encoding="utf-8")
    after = filled(before)
    PAGE.write_text(after, encoding="utf-8")
    sys.stdout.write(f"{PAGE.name}: {'as it was' if before == after else 'written'}\n")
