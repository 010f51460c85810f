"""Names that a program, a shell or a file might take for something else, as a recovery hands them on."""

import pytest

from walconsole.provision.droplet.commands import database_word
from walconsole.provision.recovering.looking import dump_name


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("shop", "shop"),
        ('a"b c', 'a"b c'),
        ("größe", "größe"),
        ("n=1 host=nowhere", "dbname='n=1 host=nowhere'"),
        ("it's=", r"dbname='it\'s='"),
        ("back\\slash=", r"dbname='back\\slash='"),
        ("postgresql://elsewhere", "dbname='postgresql://elsewhere'"),
    ],
)
def test_a_database_s_name_is_no_connection_string(name: str, word: str) -> None:
    assert database_word(name) == word


def test_each_part_is_dumped_into_a_file_of_its_own() -> None:
    assert dump_name("shop", "public.orders") == "shop.public.orders"
    odd = ["a b", "a_b", "größe", "grüße", "x" * 200, "x" * 201]
    names = {dump_name(each) for each in odd}
    assert len(names) == len(odd)
    assert all(len(name) < 200 and name.isascii() and "/" not in name for name in names)
