"""The old cluster's configuration in what was recovered: all of it, and nothing of the old one's changed."""

import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

TEMPLATES = files("walconsole.droplet") / "templates"


class Recovered:
    """A cluster whose configuration lies in a folder of its own, with what operators make of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.old, self.at, self.place = folder / "etc/15/main", folder / "data", folder / "work"
        for each in (
            self.old / "conf.d",
            self.at,
            self.place,
            folder / "etc/shared",
            self.old / "local/more",
        ):
            each.mkdir(parents=True)

    def run(self, call: str, *, into: str) -> None:
        """A function of the script's."""
        parts = [(TEMPLATES / name).read_text() for name in ("drill_server.sh", "recover_place.sh")]
        head = f"""set -u
end() {{ echo "$2" >&2; exit "$1"; }}
temp={self.place} place={self.place} at={self.at} id=20261128T140200Z into={into}
elsewhere='' bin=/nowhere version=150000
"""
        script = "\n".join([head, *parts, call])
        ended = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
        assert (ended.returncode, ended.stderr) == (0, "")


@pytest.fixture
def recovered(tmp_path: Path) -> Recovered:
    return Recovered(tmp_path)


def test_settings_that_a_link_leads_to_stay_the_old_clusters(recovered: Recovered) -> None:
    """Else the old server would find the new one's data directory at its next start."""
    shared = recovered.folder / "etc/shared/postgresql.conf"
    shared.write_text("port = 5432\n")
    (recovered.old / "postgresql.conf").symlink_to(shared)
    new = recovered.folder / "etc/15/restored"
    recovered.run(f"adopt {recovered.old} {new} 5433", into="15/restored")
    assert shared.read_text() == "port = 5432\n"
    made = new / "postgresql.conf"
    assert not made.is_symlink()
    assert made.read_text().startswith("port = 5432\n# walconsole")
    assert f"data_directory = '{recovered.at}'" in made.read_text()


def test_links_of_a_folder_lead_to_the_same_from_another_place(recovered: Recovered) -> None:
    tuning = recovered.folder / "etc/shared/tuning.conf"
    tuning.write_text("work_mem = '64MB'\n")
    (recovered.old / "postgresql.conf").write_text("include_dir = 'conf.d'\n")
    (recovered.old / "conf.d/10-tuning.conf").symlink_to("../../../shared/tuning.conf")
    (recovered.old / "conf.d/20-gone.conf").symlink_to("nowhere")
    recovered.run(f"configure_from {recovered.old}", into=str(recovered.at))
    assert (recovered.at / "conf.d/10-tuning.conf").read_text() == "work_mem = '64MB'\n"
    assert (recovered.at / "conf.d/20-gone.conf").is_symlink()


def test_what_is_included_by_any_name_is_there(recovered: Recovered) -> None:
    (recovered.old / "postgresql.conf").write_text(
        "include 'tuned'   # by a program\n"
        'include_dir = "local/more"\n'
        "include_if_exists='nowhere'\n"
        "include '../../shared/all'\n"
        "# include 'not'\n"
    )
    (recovered.old / "pg_hba.conf").write_text("local all @admins,@../../shared/people peer\n")
    for name in ("tuned", "not", "admins"):
        (recovered.old / name).write_text(f"# {name}\n")
    (recovered.old / "local/more/1.conf").write_text("# more\n")
    recovered.run(f"configure_from {recovered.old}", into=str(recovered.at))
    assert {path.name for path in recovered.at.iterdir()} >= {"tuned", "local", "admins", "postmaster.opts"}
    assert not (recovered.at / "not").exists()
    assert (recovered.at / "local/more/1.conf").read_text() == "# more\n"
    text = (recovered.at / "postgresql.conf").read_text()
    assert f"include '{recovered.old}/../../shared/all'\n" in text
    assert f"@admins,@{recovered.old}/../../shared/people peer" in (recovered.at / "pg_hba.conf").read_text()


def test_in_its_own_place_links_stay_and_the_newest_is_in_force(recovered: Recovered) -> None:
    shared = recovered.folder / "etc/shared/postgresql.conf"
    shared.write_text("include 'tuned'\n")
    (recovered.old / "postgresql.conf").symlink_to(shared)
    (recovered.old / "tuned").write_text("work_mem = '64MB'\n")
    (recovered.at / "tuned").write_text("work_mem = '4MB'\n")
    recovered.run(f"configure_from {recovered.old}", into="''")
    assert (recovered.at / "postgresql.conf").readlink() == shared
    assert shared.read_text() == "include 'tuned'\n"
    assert (recovered.at / "tuned").read_text() == "work_mem = '64MB'\n"
    assert (recovered.place / "tuned.of-backup").read_text() == "work_mem = '4MB'\n"


@pytest.mark.parametrize(
    ("call", "into"), [("adopt {old} {new} 5433", "15/restored"), ("configure_from {old}", "{at}")]
)
def test_where_things_lie_is_no_more_as_alter_system_said(recovered: Recovered, call: str, into: str) -> None:
    (recovered.old / "postgresql.conf").write_text("")
    told = recovered.at / "postgresql.auto.conf"
    told.write_text(
        "# Do not edit\nhba_file = '/old/hba'\nwork_mem = '4MB'\nexternal_pid_file = '/run/old.pid'\n"
    )
    names = {"old": recovered.old, "new": recovered.folder / "etc/15/restored", "at": recovered.at}
    recovered.run(call.format(**names), into=into.format(**names))
    assert told.read_text() == "# Do not edit\nwork_mem = '4MB'\n"
