"""What a whole look hands on to the next: not for long, and not over a change of the server's settings."""

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.data.facts import NOW, healthy, read, server, settings
from walconsole.domain.facts.evidence import PolicyFacts
from walconsole.domain.facts.snapshot import Snapshot, fold
from walconsole.observe.server.catalogue import read_catalogue
from walconsole.session.carried import RARE_S, Carried


def a_look(**facts: Any) -> Snapshot:
    catalogued = fold(healthy(**facts), read(Snapshot.catalogue, read_catalogue(row())), NOW)
    return fold(catalogued, read(Snapshot.policy, PolicyFacts()), NOW)


def row(**changed: str) -> dict[str, object]:
    """As queries/catalogue.sql answers."""
    told: list[list[object]] = [
        [
            "Port",
            "5432",
            None,
            "integer",
            "postmaster",
            "1",
            "65535",
            None,
            "5432",
            "default",
            None,
            None,
            False,
            None,
        ],
        [
            "archive_mode",
            "on",
            None,
            "enum",
            "postmaster",
            None,
            None,
            ["always", "on", "off"],
            "off",
            "configuration file",
            "/etc/a.conf",
            3,
            False,
            None,
        ],
    ]
    for each in told:
        each[1] = changed.get(str(each[0]), each[1])
    return {"settings": json.dumps(told), "role_settings": "[]", "loaded_at": NOW, "version_num": 160004}


def test_what_describes_a_setting_is_held_once_for_all_servers_and_what_somebody_set_is_not() -> None:
    one, other = read_catalogue(row()), read_catalogue(row(archive_mode="off"))
    assert one.metas is other.metas
    assert one.in_force["port"] is other.in_force["port"]
    assert (one.in_force["archive_mode"].value, other.in_force["archive_mode"].value) == ("on", "off")
    assert one.in_force["archive_mode"].file == "/etc/a.conf"
    assert one.metas["archive_mode"].choices == ("always", "on", "off")
    assert read_catalogue(row(Port="5433")).in_force["port"].value == "5433"


def test_what_changes_rarely_is_handed_on_with_its_age_and_not_for_long() -> None:
    carried = Carried()
    assert carried.known(NOW) == ()
    carried.take(a_look())
    known = carried.known(NOW + RARE_S - 1)
    assert {each.slot for each in known} >= {Snapshot.files, Snapshot.catalogue, Snapshot.policy}
    assert not {each.slot for each in known} & {
        Snapshot.archiver,
        Snapshot.host,
        Snapshot.primary,
        Snapshot.log,
    }
    assert {(each.age_s(NOW + 60), each.cadence_s) for each in known} == {(60.0, RARE_S)}
    assert carried.known(NOW + RARE_S) == ()
    assert carried.known(NOW - 10) == (), "the clock went back: nobody knows how old it is"


def test_what_could_not_be_read_is_not_handed_on() -> None:
    carried = Carried()
    carried.take(healthy(files=replace(healthy().files, value=None, read_at=None)))
    assert Snapshot.files not in {each.slot for each in carried.known(NOW)}


@pytest.mark.parametrize(
    "changed",
    [
        {"settings": settings(archive_timeout="61")},
        {"server": replace(server(), started_at=server().started_at + 1)},
        {"server": replace(server(), loaded_at=NOW)},
    ],
)
def test_a_server_that_was_changed_is_asked_from_the_beginning(changed: dict[str, Any]) -> None:
    carried = Carried()
    assert not carried.is_outdated(a_look(**changed)), "nothing rests on what was before"
    carried.take(a_look())
    assert not carried.is_outdated(a_look())
    assert carried.is_outdated(a_look(**changed))
