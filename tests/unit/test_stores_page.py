"""docs/stores.md says what the program knows of each store."""

import importlib.util
import re
import textwrap
from pathlib import Path

import pytest

from walconsole.config.reader import load
from walconsole.domain.store.vendors import SPACES, VENDORS, Vendor, vendor_of

ROOT = Path(__file__).parents[2]
SCRIPT = importlib.util.spec_from_file_location("write_stores_page", ROOT / "scripts/write_stores_page.py")
PAGE = (ROOT / "docs/stores.md").read_text(encoding="utf-8")


def test_its_table_is_made_of_the_vendors() -> None:
    assert SCRIPT is not None
    assert SCRIPT.loader is not None
    module = importlib.util.module_from_spec(SCRIPT)
    SCRIPT.loader.exec_module(module)
    assert module.filled(PAGE) == PAGE, "make docs"


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
def test_an_endpoint_is_its_service_s_own_and_has_a_recipe(vendor: Vendor) -> None:
    assert vendor.endpoint
    if vendor.domain:
        assert vendor_of(vendor.endpoint) is vendor
    recipes = PAGE.partition("## Recipes")[2]
    assert (vendor.domain.removeprefix(".") or vendor.name.partition(" ")[0]) in recipes or vendor is SPACES


SNIPPETS = re.findall(r"(?:^    .+\n)+", PAGE, re.MULTILINE)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=range(len(SNIPPETS)))
def test_every_snippet_is_taken_as_it_stands_there(snippet: str, tmp_path: Path) -> None:
    """Behind a profile's first lines, whose name the page has chosen."""
    file = tmp_path / "config.toml"
    file.write_text(f'[profiles.acme]\nhost = "db.example.net"\n{textwrap.dedent(snippet)}')
    file.chmod(0o600)
    profile = load(file).profiles["acme"]
    assert str(profile["primary.bucket"].value) in snippet


def test_it_has_a_snippet_of_each_kind() -> None:
    assert len(SNIPPETS) >= 12
